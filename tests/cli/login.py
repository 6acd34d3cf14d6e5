# SPDX-License-Identifier: Apache-2.0
"""Drive a login as the people and programs do that are at its two ends."""

import codecs
import fcntl
import json
import os
import pty
import re
import select
import stat
import struct
import termios

TIMEOUT_S = 60
CODE = re.compile(r"\b[A-Z]{4}-[A-Z]{4}\b")
ORGANISATION = ("--identity-provider", "https://example.awsapps.com/start", "--region", "eu-west-1")


def browser(q, script='exec curl -sL "$1" -o /dev/null'):
    """Give the command a browser on this machine: a script that gets the URL as $1."""
    path = q.home / "browser.sh"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    q.env["BROWSER"] = str(path)
    return q


def confirmed(q, service, *args, action="approve"):
    """Log in by a code, which is confirmed as soon as it is shown."""
    process = q.start("login", "--use-device-flow", *args)
    shown = shown_code(process)
    service.control(action, user_code=shown[1])
    out, err = process.communicate(timeout=TIMEOUT_S)
    return Ended(process.returncode, out.decode(), shown[0] + err.decode())


def shown_code(process):
    """(what it has said on stderr up to there, the code)."""
    said = ""
    while True:
        line = process.stderr.readline()
        assert line, said
        said += line.decode()
        found = CODE.search(said)
        if found and "Page" in said and said.endswith("\n"):
            return said, found.group()


def read_events(process, last):
    """Objects, one a line, up to the first of this kind."""
    events = []
    while True:
        line = process.stdout.readline()
        assert line, events
        events.append(json.loads(line))
        if events[-1]["event"] == last:
            return events


class Ended:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    def __repr__(self):
        return f"exit {self.code}\nstdout: {self.out!r}\nstderr: {self.err!r}"


class Terminal:
    """A command with a person at its terminal."""

    def __init__(self, q, *args, columns=80):
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.shown, self.seen = "", 0
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        env = {**q.env, "TERM": "xterm"}
        self.process = q.start(*args, stdin=slave, stdout=slave, stderr=slave, env=env)
        os.close(slave)

    def expect(self, text):
        """Wait until this is shown behind what was expected before."""
        while text not in self.shown[self.seen :]:
            assert self._read(), self.shown
        self.seen = self.shown.index(text, self.seen) + len(text)

    def _read(self):
        ready, _, _ = select.select([self.master], [], [], TIMEOUT_S)
        try:
            data = os.read(self.master, 65536) if ready else b""
        except OSError:  # its last user has gone
            data = b""
        said = self._decoder.decode(data)  # a piece may end within a character or a line end
        self.shown = (self.shown + said).replace("\r\n", "\n")
        return data

    def type(self, text):
        os.write(self.master, text.encode())

    def end(self):
        """Its exit code; all it has shown is in `shown`."""
        while self._read():
            pass
        os.close(self.master)
        return self.process.wait(TIMEOUT_S)
