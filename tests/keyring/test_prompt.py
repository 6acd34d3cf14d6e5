# SPDX-License-Identifier: Apache-2.0
"""The keyring's own dialog, on a display where somebody types: only if --interactive allows it."""

import itertools
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
APPEARS_S = 60
HEEDED_S = 5  # what has had no effect by then came before the dialog took any keys

pytestmark = [
    pytest.mark.skipif(not shutil.which(program), reason=f"{program} is not installed")
    for program in ("Xvfb", "xdotool", "dbus-monitor")
]


def becomes(condition, within_s=APPEARS_S):
    deadline = time.monotonic() + within_s
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


class Screen:
    """A display of its own with a keyboard."""

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

    def press(self, key, typed=""):
        for window in self.dialogs():
            self._do("windowfocus", "--sync", window)
            if typed:
                self._do("key", "ctrl+a", "BackSpace")
                self._do("type", typed)
            self._do("key", key)

    def close(self):
        self.process.kill()
        self.process.wait()


class Person:
    """In front of a screen, and told by the bus each time that the dialog there is to ask."""

    def __init__(self, screen, session):
        self.screen, self._heard = screen, session.home / "questions.log"
        self._answered = 0
        command = [*WITH_US, "dbus-monitor", "--profile", "--address"]
        command += [session.env["DBUS_SESSION_BUS_ADDRESS"], "member='PerformPrompt'"]
        with open(self._heard, "wb") as log:
            self._process = subprocess.Popen(command, stdout=log)
        assert becomes(lambda: "NameLost" in self._heard.read_text()), "nobody hears the bus"

    def questions(self):
        return self._heard.read_text().count("PerformPrompt")

    def is_asked(self, process):
        """Wait for another question; False if whoever wanted it has ended instead."""

        def shown():
            return self.questions() > self._answered and self.screen.dialogs()

        assert becomes(lambda: shown() or process.poll() is not None), "no dialog came"
        return process.poll() is None

    def answers(self, process, key, *texts):
        """
        What is asked, one text after the other, then with the last one, until nothing is. Not before
        it is asked: while the dialog looks at an answer it takes some keys and loses others.
        """

        def heeded():
            return self.questions() > self._answered or process.poll() is not None

        for text in itertools.chain(texts, itertools.repeat(texts[-1])):
            if not self.is_asked(process):
                return
            self._answered = self.questions()
            self.screen.press(key, text)
            while not becomes(heeded, HEEDED_S):
                self.screen.press(key, text)

    def unlocks(self, q, *passwords):
        process = q.start(*ASK)
        self.answers(process, "Return", *passwords)
        code, out, err = end(process)
        assert code == 0, err
        return out

    def close(self):
        self._process.kill()
        self._process.wait()


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


@pytest.fixture
def person(desktop, screen):
    person = Person(screen, desktop[0])
    yield person
    person.close()


def end(process):
    out, err = process.communicate(timeout=APPEARS_S)
    return process.returncode, out.decode(), err.decode()


def test_the_right_password_opens_the_keyring_for_this_command_and_the_next(desktop, person):
    _, q = desktop
    assert q.login["access_token"] in person.unlocks(q, PASSWORD)
    assert q.run(*EXPORT, *KEYRING).code == 0


def test_whoever_cancels_is_told_so_and_loses_nothing(desktop, person):
    session, q = desktop
    process = q.start(*ASK)
    person.answers(process, "Escape", "")
    code, out, err = end(process)
    assert (code, out) == (3, "")
    assert "keyring: was not unlocked when you were asked, try again" in err
    person.unlocks(q, PASSWORD)
    assert in_keyring(session)


def test_a_wrong_password_is_asked_for_again(desktop, person):
    _, q = desktop
    assert q.login["access_token"] in person.unlocks(q, "wrong", PASSWORD)


def test_nobody_is_asked_without_permission_on_a_terminal_or_not(desktop, person):
    _, q = desktop
    assert q.run(*EXPORT, *KEYRING).code == 3
    assert q.on_terminal(*EXPORT, *KEYRING, stdin=True).code == 3
    assert person.questions() == 0 and person.screen.dialogs() == []


def test_who_is_interrupted_while_the_dialog_waits_ends(desktop, person):
    _, q = desktop
    process = q.start(*ASK)
    assert person.is_asked(process)
    process.kill()
    process.communicate(timeout=APPEARS_S)
    assert q.run(*EXPORT, *KEYRING).code == 3  # still locked, and not held up by the dead one
