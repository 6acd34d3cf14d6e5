# SPDX-License-Identifier: Apache-2.0
"""What it takes to run a command once: figures that are the same in every run, and its time."""
import os
import pathlib
import re
import subprocess
import tempfile

LOGIN = pathlib.Path(__file__).with_name("login.sql")


class Home:
    """A home with a fresh login of the existing CLI, and the two commands that read it."""

    def __init__(self, folder, q):
        folder = pathlib.Path(folder)
        database = folder / "amazon-q/data.sqlite3"
        database.parent.mkdir(mode=0o700)
        subprocess.run(["sqlite3", database], input=LOGIN.read_bytes(), check=True,
                       preexec_fn=lambda: os.umask(0o077))
        self.env = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "PATH": os.environ["PATH"]}
        self.q = [str(q), "user", "export-token", "--quiet"]
        self.shell = ["sqlite3", str(database),
                      "SELECT value FROM auth_kv WHERE key = 'codewhisperer:odic:token'"]
        assert b"aoaEXAMPLE" in self.run(self.q).stdout

    def run(self, command):
        return subprocess.run(command, env=self.env, check=True, capture_output=True,
                              stdin=subprocess.DEVNULL)


def instructions(home, command):
    """Instructions in user space, as callgrind counts them."""
    said = home.run(["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", *command])
    return int(re.search(rb"refs: +([\d,]+)", said.stderr)[1].replace(b",", b""))


def calls(home, command):
    """The system calls, a line each, from execve to exit_group."""
    with tempfile.NamedTemporaryFile() as log:
        home.run(["strace", "-qq", "-o", log.name, *command])
        return log.read().decode(errors="replace").splitlines()


def libraries(lines):
    """The names of the shared objects that were opened in these system calls."""
    opened = re.compile(r'open(?:at)?\([^"]*"[^"]*?([^/"]+\.so[.\d]*)".* = \d+$')
    return [match[1] for match in map(opened.match, lines) if match]


def foreign(names):
    """Those that are neither ours nor the C library's."""
    own = r"libamazonq\.so|store-sqlite\.so|lib(?:c|m)\.so\.6|ld-linux|libsqlite3\.so"
    return [name for name in names if not re.match(own, name)]


def needed(binary):
    """The libraries that an object names."""
    said = subprocess.run(["readelf", "-d", binary], capture_output=True, text=True, check=True)
    return re.findall(r"NEEDED.*\[(.*)\]", said.stdout)


def race(process_time, home, rounds, **commands):
    """Time commands in turn, the first is the base: for each label its peak RSS in KiB and the
    ratio of its time, and the table as it was printed."""
    words = [str(process_time), str(rounds)]
    for label, command in commands.items():
        words += [label, *command, "--"]
    table = home.run(words[:-1]).stdout.decode()
    rows = {}
    for line in table.splitlines()[1:]:
        label, _wall, _p10, _p90, _cpu, rss, ratio = line.rsplit(None, 6)
        rows[label] = (int(rss), float(ratio))
    return rows, table
