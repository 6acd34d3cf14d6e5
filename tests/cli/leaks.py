# SPDX-License-Identifier: Apache-2.0
"""No secret where nobody asked for one: what every test of the command is checked for."""

import re
import subprocess
from pathlib import Path

from qservice import canary

OURS = ("q", "amazonq")
LOGGED = rb"^\S+: (?:info|debug): .*\n"
LOGGED_QUIET = rb"^\S+: (?:info|debug|warning): .*\n"  # without -v there would be none of these
VERBOSE = re.compile(r"(^| )(-vv?|--verbose)( |$)")
DATABASE = re.compile(r"\.sqlite3(-journal|-wal|-shm)?$")
SPILLED = re.compile(r"/amazonq/[^/]+\.json$")  # an answer that could not be saved


def check(data, where):
    assert not canary.within(data), f"a secret is in {where}"


def check_output(command, out):
    """On standard output a secret may be that of an export."""
    if "export-token" not in " ".join(map(str, command)):
        check(out, "standard output")


def check_files(home, asked=()):
    """Secrets rest in databases, in spilled answers, and where they were asked for."""
    for path in home.rglob("*"):
        if path.is_symlink() or not path.is_file() or path in asked:
            continue
        if not DATABASE.search(path.name) and not SPILLED.search(str(path)):
            check(path.read_bytes(), path)


HANDED_IN = re.compile(rb"\0?KIRO_API_KEY=[^\0]*")  # the one secret a user puts there himself


def check_process(pid):
    """What every user of the machine can see of a process and its children, or its own user can."""
    for name in ("cmdline", "environ"):
        try:
            data = Path(f"/proc/{pid}/{name}").read_bytes()
            check(HANDED_IN.sub(b"", data), f"/proc/{pid}/{name}")
        except OSError:
            pass  # it has ended, or we may not look
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        children = []
    for child in children:
        check_process(child)


def verbose(command):
    """The same with -vv behind the program, which may have others or a shell before it."""
    for i, word in enumerate(command):
        if Path(word).name in OURS:
            return [*command[: i + 1], "-vv", *command[i + 1 :]]
    return [word.replace('"$Q"', '"$Q" -vv') for word in command]


class Process(subprocess.Popen):
    """A process that logs all it can, if it is the command; its log is checked and taken away."""

    def __init__(self, command, **options):
        command = list(map(str, command))
        said = " ".join(command)
        self._hidden = LOGGED_QUIET if "--quiet" in said else LOGGED
        if VERBOSE.search(said):
            self._hidden = None  # the test is about the log
        super().__init__(verbose(command), **options)

    def communicate(self, input=None, timeout=None):
        check_process(self.pid)
        out, err = super().communicate(input, timeout)
        check_output(self.args, out or b"")
        return out, err and self.without_log(err)

    def without_log(self, err):
        """What it said on stderr, without what -vv added; no secret may be in either."""
        check(err, "standard error")
        return re.sub(self._hidden, b"", err, flags=re.MULTILINE) if self._hidden else err
