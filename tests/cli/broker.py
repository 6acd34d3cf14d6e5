# SPDX-License-Identifier: Apache-2.0
"""A broker as its owner runs it, and callers that speak its protocol by hand."""

import json
import os
import re
import socket
import time
from pathlib import Path

WAIT_S = 60


def until(condition, what):
    """Wait for what must become true."""
    deadline = time.monotonic() + WAIT_S
    while not (result := condition()):
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.005)
    return result


class Broker:
    """`q broker` in the home of a command; its log goes into a file."""

    def __init__(self, command):
        self.command = command
        runtime = command.home / "run"
        runtime.mkdir(mode=0o700, exist_ok=True)
        command.env["XDG_RUNTIME_DIR"] = str(runtime)
        self.dir = runtime / "amazonq-broker"
        self.socket = self.dir / "broker.sock"
        self.log_file = command.home / "broker.log"
        self.process = None

    def launch(self, *args, **options):
        """Start it and do not wait."""
        log = os.open(self.log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self.process = self.command.start("broker", *args, stderr=log, **options)
        os.close(log)
        return self

    def start(self, *args, **options):
        """Start it; it listens when this returns."""
        before = len(self.log)
        self.launch(*args, **options)
        until(lambda: "listening on" in self.log[before:] or self.process.poll() is not None,
              "that it listens")
        assert self.process.poll() is None, self.log
        return self

    def stop(self):
        """End it as a user does; its exit code."""
        self.process.terminate()
        return self.process.wait(timeout=WAIT_S)

    def kill(self):
        self.process.kill()
        self.process.wait(timeout=WAIT_S)

    def end(self):
        """End it with its test, and hear whether something that watches it minds."""
        if self.process and self.process.poll() is None:
            assert self.stop() == 0, self.log

    @property
    def log(self):
        return self.log_file.read_text() if self.log_file.exists() else ""

    def logged(self, pattern):
        """Wait for a line of the log."""
        return until(lambda: re.search(pattern, self.log), f"{pattern} in {self.log}")

    def connections(self):
        """How many callers are connected. Each has a socket of this name, as the one they come to."""
        names = [line.split()[-1] for line in Path("/proc/net/unix").read_text().splitlines()]
        return names.count(str(self.socket)) - 1

    def connect(self):
        return Caller(self.socket)

    def connect_at_last(self):
        """Connect to one that may not listen yet."""

        def attempt():
            try:
                return self.connect()
            except OSError:
                return None

        return until(attempt, "that it listens")

    def ask(self, **request):
        with self.connect() as caller:
            return caller.ask(**request)


class Caller:
    """One connection to a broker."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(path))  # waits while too many others do
        self.socket.settimeout(WAIT_S)
        self._file = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._file.close()
        self.socket.close()

    def send(self, line):
        self.socket.sendall(line)

    def line(self):
        """The next line, as bytes."""
        return self._file.readline()

    def has_ended(self):
        """Wait for the broker to close the connection, whatever it left unread."""
        try:
            return self.line() == b""
        except ConnectionResetError:
            return True

    def reply(self):
        return json.loads(self.line())

    def request(self, **members):
        self.send(json.dumps({"v": 1, **members}).encode() + b"\n")

    def ask(self, **members):
        self.request(**members)
        return self.reply()
