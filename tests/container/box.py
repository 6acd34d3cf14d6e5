# SPDX-License-Identifier: Apache-2.0
"""A container without an engine: mounts of its own, some user, and the home of the image."""

import os
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

import leaks
from command import BINARY, SANITIZED, TIMEOUT_S, Result
from mounts import ROOT, mounts

HERE = Path(__file__).resolve().parent
# Tests that are run by root give the host's login to somebody else.
HOST_UID = 1000 if ROOT else os.getuid()
OTHER_UID = 1001
SDK_PYTHON = Path(os.environ.get("AQ_TEST_SDK_PYTHON", "/nowhere"))


def user(uid):
    return ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"]


# The users of a container. With a user namespace, as rootless engines make, root in there is the
# host's user.
AS = {
    "root": [],
    "same uid": user(HOST_UID),
    "other uid": user(OTHER_UID),
    "user namespace": [*user(HOST_UID), "unshare", "--user", "--map-root-user"] if ROOT else [],
}


def cannot_be(who):
    """Why nobody here can be this user, or None."""
    return None if ROOT or who == "user namespace" else "another user needs root"


def no_sdk():
    """Why the SDK cannot be tried, or None."""
    if SANITIZED:
        return "a sanitizer must be there from the start of a program"
    return None if SDK_PYTHON.exists() else "scripts/check has not made Python's tools yet"


class Box:
    """`home` is the home directory of its user; what it has of the host is what was mounted."""

    def __init__(self, place, top, who, service):
        self._place, self._who = place, who
        self.top, self.home = top, top / "home"
        self.data = self.home / ".local/share/amazon-q"
        self.home.mkdir(parents=True)
        self.env = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(self.home),
            "Q_ENDPOINT_URL": service.url,
            "AWS_ENDPOINT_URL_SSO_OIDC": service.url,
        }
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"):
            if name in os.environ:
                self.env[name] = os.environ[name]
        # Programs come along, wherever they are and whoever may look there.
        self.q = self.mount(BINARY.parent.parent, top / "build") / "bin/q"
        if not no_sdk():
            self.python = self.mount(SDK_PYTHON.parents[1], top / "venv") / "bin/python"
            self.program = self.mount(HERE, top / "tests") / "ask.py"
            sources = HERE.parents[1] / "bindings/python/src"
            self.env["PYTHONPATH"] = str(self.mount(sources, top / "sdk"))
            self.env["AQ_LIBRARY_DIR"] = f"{top}/build/lib"

    def mount(self, source, target, read_only=False):
        """Like `-v source:target[:ro]`: what is missing on the way is made by root."""
        target.parent.mkdir(parents=True, exist_ok=True)
        target.mkdir() if source.is_dir() else target.touch()
        self._place.run("mount", "--bind", str(source), str(target))
        if read_only:
            self._place.run("mount", "-o", "remount,bind,ro", str(target))
        return target

    def run(self, *command):
        """Run it as the user of this container."""
        command = ["nsenter", *self._place.prefix, *AS[self._who], *command]
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        process = leaks.Process(command, env=self.env, cwd="/", **pipes)
        out, err = process.communicate(timeout=TIMEOUT_S)
        return Result(process.returncode, out.decode(), err.decode())


@contextmanager
def box(who, service):
    with tempfile.TemporaryDirectory(prefix="q-box.") as top, mounts() as place:
        Path(top).chmod(0o755)
        yield Box(place, Path(top), who, service)
