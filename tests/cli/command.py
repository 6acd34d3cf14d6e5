# SPDX-License-Identifier: Apache-2.0
"""Run the command as a user does: by itself, in a pipe, on a terminal.

Whatever a test is about, the command logs all it can, and its secrets are looked for in all it says
and leaves behind (leaks.py). The test sees what it would have said without.
"""

import json
import os
import pty
import signal
import sqlite3
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

import leaks

BINARY = Path(os.environ["AQ_TEST_BIN"])
OWN_NAME = BINARY.parent / "amazonq"  # what the file is called; `q` is a link to it
# Whether other users can reach it; a home, the usual place for a tree, is often closed to them.
OPEN_TO_OTHERS = all(place.stat().st_mode & 0o001 for place in BINARY.parents)
SANITIZED = os.environ.get("AQ_TEST_SANITIZED") == "1"
TIMEOUT_S = 90
TOKEN_KEY = "codewhisperer:odic:token"

# A shell starts background jobs with SIGINT ignored, and nohup with SIGHUP; what is started here
# shall not inherit that. A handler of ours is not inherited, and the tests themselves go on.
signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
    signal.signal(signal.SIGHUP, lambda *_: None)


class Result:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    @property
    def json(self):
        return json.loads(self.out)

    def __repr__(self):
        return f"exit {self.code}\nstdout: {self.out!r}\nstderr: {self.err!r}"


class Command:
    def __init__(self, home):
        self.home = home
        self.asked = []  # files that may hold a token, because a test wants it there
        self.data = home / "data"
        self.db = self.data / "amazon-q" / "data.sqlite3"
        self.env = {"PATH": "/usr/bin:/bin", "HOME": str(home), "XDG_DATA_HOME": str(self.data)}
        self.env["TMPDIR"] = str(home)
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"):
            if name in os.environ:
                self.env[name] = os.environ[name]

    def start(self, *args, program=BINARY, **options):
        """Start it; both outputs are pipes unless told otherwise."""
        values = {
            "stdin": subprocess.DEVNULL,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
            "bufsize": 0,  # communicate() would not find what a readline() before it had in store
            "env": self.env,
            "cwd": self.home,
            **options,
        }
        return leaks.Process([program, *args], **values)

    def run(self, *args, input=None, **options):
        """Run it to its end."""
        if input is not None:
            options["stdin"] = subprocess.PIPE
            input = input.encode()
        process = self.start(*args, **options)
        out, err = process.communicate(input, timeout=TIMEOUT_S)
        return Result(process.returncode, (out or b"").decode(), (err or b"").decode())

    def shell(self, script):
        """Run a shell script in which "$Q" is the command."""
        return self.run("-c", script, program="/bin/sh", env={**self.env, "Q": str(BINARY)})

    def on_terminal(self, *args, stdin=False):
        """Run it with stdout, and maybe stdin, on a terminal; err is apart."""
        master, slave = pty.openpty()
        keyboard = slave if stdin else subprocess.DEVNULL
        process = self.start(*args, stdin=keyboard, stdout=slave)
        os.close(slave)
        shown = _read_all(master)
        os.close(master)
        _, err = process.communicate(timeout=TIMEOUT_S)
        leaks.check_output(process.args, shown)
        return Result(process.returncode, shown.decode().replace("\r\n", "\n"), err.decode())

    def row(self, key=TOKEN_KEY):
        """A value of the database, as it is stored."""
        connection = sqlite3.connect(self.db)
        try:
            sql = "SELECT value FROM auth_kv WHERE key = ?"
            return connection.execute(sql, [key]).fetchone()[0]
        finally:
            connection.close()

    def stored(self):
        return json.loads(self.row())


def _read_all(fd):
    """A terminal whose last user has gone answers EIO."""
    data = b""
    while True:
        try:
            piece = os.read(fd, 65536)
        except OSError:
            return data
        if not piece:
            return data
        data += piece


@contextmanager
def new_command(prefix):
    """The command in an empty home, which is gone afterwards and had no secret left in it."""
    with tempfile.TemporaryDirectory(prefix=prefix) as home:
        q = Command(Path(home))
        yield q
        leaks.check_files(q.home, q.asked)
