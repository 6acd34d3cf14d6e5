# SPDX-License-Identifier: Apache-2.0
"""The CPythons at hand, and environments made of them that never ask a network twice."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

OLDEST = (3, 9)
PROBE = """
import ensurepip, sys, venv
assert sys.implementation.name == "cpython"
print(sys.version_info[0], sys.version_info[1], getattr(sys, "_base_executable", sys.executable))
"""


def run(*command, cwd, **variables):
    """Run a command that must succeed; its output. A variable that is None is taken away."""
    env = {**os.environ, **variables}
    result = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={name: str(value) for name, value in env.items() if value is not None},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, f"{command}\n{result.stdout}\n{result.stderr}"
    return result.stdout


def make_sdist(project, out):
    run(sys.executable, "-m", "build", "--no-isolation", "--sdist", "--outdir", out, project, cwd="/")


@cache
def at_hand():
    """{"3.9": executable, ...}: those of AQ_TEST_PYTHONS (separated by ':', all must work), or else
    all that are on PATH or that pyenv keeps."""
    given = os.environ.get("AQ_TEST_PYTHONS", "")
    candidates = given.split(":") if given else [sys.executable, *_everywhere()]
    found = {}
    for candidate in candidates:
        probe = subprocess.run([candidate, "-c", PROBE], capture_output=True, text=True)
        if probe.returncode != 0 and given:
            raise RuntimeError(f"AQ_TEST_PYTHONS: {candidate} is no CPython with venv and pip")
        if probe.returncode != 0:
            continue
        major, minor, executable = probe.stdout.strip().split(" ", 2)
        if (int(major), int(minor)) >= OLDEST:
            found.setdefault(f"{major}.{minor}", executable)
    return dict(sorted(found.items(), key=lambda item: int(item[0].partition(".")[2])))


def _everywhere():
    for minor in range(OLDEST[1], 30):
        path = shutil.which(f"python3.{minor}")
        if path:
            yield path
    for path in sorted(Path.home().glob(".pyenv/versions/*/bin/python3")):
        yield str(path)


class Wheelhouse:
    """A directory of packages, filled once; what is installed comes from there alone."""

    def __init__(self, directory):
        self.directory = directory

    def provide(self, python, *requirements):
        """Have the packages for that Python, from an index. None is there by half, for those that
        install meanwhile."""
        with tempfile.TemporaryDirectory(prefix=".new.", dir=self.directory) as new:
            run(python, "-m", "pip", "download", "--quiet", "--only-binary=:all:", "--dest", new,
                "--find-links", self.directory, *requirements, cwd=new)
            for path in Path(new).iterdir():
                path.replace(self.directory / path.name)

    @property
    def only(self):
        """The variables that make pip look here only, also when it isolates a build."""
        return {
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": self.directory,
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        }


class Environment:
    """A virtual environment outside the checkout."""

    def __init__(self, python, directory, wheelhouse):
        self.base = python
        self.wheelhouse = wheelhouse
        self.directory = directory.resolve()
        self.python = self.directory / "bin/python"
        run(python, "-m", "venv", self.directory, cwd="/")

    def install(self, *what, others=()):
        """Install `what`, and other requirements; an index is asked only for what was never needed before."""
        try:
            self._install(*what, *others)
        except AssertionError:
            self.wheelhouse.provide(self.base, *others)
            self._install(*what, *others)

    def _install(self, *what):
        run(self.python, "-m", "pip", "install", "--quiet", *what, cwd=self.directory,
            **self.wheelhouse.only)

    def run(self, *arguments):
        return run(self.python, *arguments, cwd=self.directory, AQ_LIBRARY_DIR=None, PYTHONPATH=None)
