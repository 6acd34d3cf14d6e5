# SPDX-License-Identifier: Apache-2.0
"""The fenced blocks of a page, and a terminal to paste them into.

The first word behind a fence is the language; what the other words mean, which no reader of the page
sees, is for the test of the page to say."""

import os
import re
import subprocess
import textwrap
from dataclasses import dataclass

FENCE = re.compile(r"^( *)```(\w+)([^\n]*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)


@dataclass
class Block:
    language: str
    marks: dict
    text: str
    line: int
    section: str

    def __str__(self):
        return f"{self.section}, line {self.line}"


def blocks(path):
    page = path.read_text()
    found = []
    for match in FENCE.finditer(page):
        marks = dict((mark.split("=", 1) + [""])[:2] for mark in match[3].split())
        line = page.count("\n", 0, match.start()) + 1
        section = HEADING.findall(page, 0, match.start())[-1]
        found.append(Block(match[2], marks, textwrap.dedent(match[4]), line, section))
    return found


def matches(expected, shown):
    """Whether the text was shown; `...` stands for anything, and the page may have broken lines."""
    pieces = " ".join(expected.split()).split("...")
    return re.search(".*".join(map(re.escape, pieces)), " ".join(shown.split())) is not None


class Terminal:
    """A shell that keeps its directory, its variables and its jobs from one block to the next."""

    def __init__(self, home, directory, env, prefix=()):
        self._block = home / ".block"
        self._process = subprocess.Popen(
            [*prefix, "setsid", "bash", "--norc", "--noprofile"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=env,
            cwd=directory,
            text=True,
        )
        self._end = f"end of a block {os.getpid()}"
        self._type(f"end='{self._end}'")
        self._type("trap 'failed=${failed:-$?}' ERR; trap 'kill $(jobs -p) 2>/dev/null; wait' EXIT")

    def _type(self, text):
        self._process.stdin.write(text + "\n")
        self._process.stdin.flush()

    def paste(self, text):
        """What it printed, and the exit code of its first command that failed, or 0."""
        self._block.write_text(text)
        self._type(f'failed=; . {self._block} </dev/null; echo "$end ${{failed:-0}}"')
        shown = []
        for line in self._process.stdout:
            before, end, code = line.partition(self._end)  # a job may be amid a line
            shown.append(before)
            if end:
                return "".join(shown), int(code)
        raise AssertionError("the terminal was closed:\n" + "".join(shown))

    def close(self):
        """End the shell, and the jobs it left running."""
        self._process.stdin.close()
        self._process.stdout.read()
        self._process.wait(30)
        self._process.stdout.close()
