# SPDX-License-Identifier: Apache-2.0
"""The keyring's own dialog, on a display where somebody types: only if --interactive allows it."""

import os
import shutil
import subprocess
import time

import pytest
from conftest import KEYRING, command_in, put_login
from session import PASSWORD, WITH_US, Session
from stored import EXPORT, in_keyring

DIALOG = "gcr-prompter"
ASK = (*EXPORT, *KEYRING, "--interactive")
APPEARS_S = 30

pytestmark = [
    pytest.mark.skipif(not shutil.which(program), reason=f"{program} is not installed")
    for program in ("Xvfb", "xdotool")
]


class Screen:
    """A display of its own, and somebody in front of it."""

    def __init__(self, home):
        reader, writer = os.pipe()
        command = [*WITH_US, "Xvfb", "-displayfd", str(writer), "-nolisten", "tcp"]
        with open(home / "screen.log", "wb") as log:
            self.process = subprocess.Popen(command, pass_fds=[writer], stdout=log, stderr=log)
        os.close(writer)
        with open(reader) as number:
            self.name = ":" + number.readline().strip()

    def _do(self, *args):
        options = {"env": {**os.environ, "DISPLAY": self.name}, "capture_output": True}
        return subprocess.run(["xdotool", *args], text=True, check=False, **options).stdout.split()

    def dialogs(self):
        return self._do("search", "--onlyvisible", "--class", DIALOG)

    def wait_for_dialog(self, process):
        """Until the dialog is there, or whoever wanted it has ended."""
        deadline = time.monotonic() + APPEARS_S
        while not self.dialogs() and process.poll() is None:
            assert time.monotonic() < deadline, "no dialog came"
            time.sleep(0.02)

    def answer(self, process, key, typed=""):
        """Type and press, again if it came too early, until whoever wanted an answer has ended."""
        deadline = time.monotonic() + APPEARS_S
        while process.poll() is None:
            assert time.monotonic() < deadline, "no answer is taken"
            for window in self.dialogs():
                self.press(window, key, typed)
            time.sleep(0.1)

    def press(self, window, key, typed):
        self._do("windowfocus", "--sync", window)
        if typed:
            self._do("key", "ctrl+a", "BackSpace")
            self._do("type", typed)
        self._do("key", key)

    def close(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture
def screen(home):
    screen = Screen(home)
    yield screen
    screen.close()


@pytest.fixture
def desktop(home, service, screen):
    """A session on this screen with a login in its keyring, which is locked."""
    with Session(home, DISPLAY=screen.name, NO_AT_BRIDGE="1") as session:
        session.start_keyring()
        q = command_in(session, service)
        q.login = put_login(q, service)
        session.lock()
        yield session, q


def unlock(q, screen, first=PASSWORD):
    """Keys that come before the dialog takes any are lost, and it lets one mistype three times."""
    for _ in range(5):
        process = q.start(*ASK)
        screen.wait_for_dialog(process)
        for window in screen.dialogs():
            screen.press(window, "Return", first)
        screen.answer(process, "Return", typed=PASSWORD)
        code, out, err = end(process)
        if code == 0:
            return out
        assert "was not unlocked when you were asked" in err
    raise AssertionError(err)


def end(process):
    out, err = process.communicate(timeout=APPEARS_S)
    return process.returncode, out.decode(), err.decode()


def test_the_right_password_opens_the_keyring_for_this_command_and_the_next(desktop, screen):
    _, q = desktop
    assert q.login["access_token"] in unlock(q, screen)
    assert q.run(*EXPORT, *KEYRING).code == 0


def test_whoever_cancels_is_told_so_and_loses_nothing(desktop, screen):
    session, q = desktop
    process = q.start(*ASK)
    screen.answer(process, "Escape")
    code, out, err = end(process)
    assert (code, out) == (3, "")
    assert "keyring: was not unlocked when you were asked, try again" in err
    unlock(q, screen)
    assert in_keyring(session)


def test_a_wrong_password_is_asked_for_again(desktop, screen):
    _, q = desktop
    assert q.login["access_token"] in unlock(q, screen, first="wrong")


def test_nobody_is_asked_without_permission_on_a_terminal_or_not(desktop, screen):
    _, q = desktop
    assert q.run(*EXPORT, *KEYRING).code == 3
    assert q.on_terminal(*EXPORT, *KEYRING, stdin=True).code == 3
    assert screen.dialogs() == []


def test_who_is_interrupted_while_the_dialog_waits_ends(desktop, screen):
    _, q = desktop
    process = q.start(*ASK)
    screen.wait_for_dialog(process)
    process.kill()
    process.communicate(timeout=APPEARS_S)
    assert q.run(*EXPORT, *KEYRING).code == 3  # still locked, and not held up by the dead one
