# SPDX-License-Identifier: Apache-2.0
"""Mounts that only our processes see, if this machine lets us make them."""

import os
import subprocess
from contextlib import contextmanager

import pytest

ROOT = os.geteuid() == 0
# Who is not root is root among its own mounts.
UNSHARE = ["unshare", "--mount", *([] if ROOT else ["--map-root-user"])]
ENTER = ["--mount", *([] if ROOT else ["--user", "--preserve-credentials"])]


def _permitted():
    try:
        script = "mount -t tmpfs none /mnt && mount --bind /mnt /mnt"
        done = subprocess.run([*UNSHARE, "sh", "-c", script], capture_output=True, timeout=60)
    except OSError:
        return False
    return done.returncode == 0


needs_mounts = pytest.mark.skipif(not _permitted(), reason="mounting is not permitted here")


class Mounts:
    def __init__(self, pid):
        self.prefix = ("--target", str(pid), *ENTER, "--")

    def run(self, *command):
        subprocess.run(["nsenter", *self.prefix, *command], check=True, capture_output=True)

    def fill(self, directory):
        """Leave no free block below this directory."""
        script = f"dd if=/dev/zero of='{directory}/fill' bs=4096; test -s '{directory}/fill'"
        self.run("sh", "-c", script)

    def start(self, q, program, *args):
        """Start a command of this home where the mounts are seen."""
        return q.start(*self.prefix, program, *args, program="nsenter")


@contextmanager
def mounts():
    """A place for mounts; they end with it."""
    keeper = subprocess.Popen(
        [*UNSHARE, "sh", "-c", "echo ready; exec cat"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        keeper.stdout.readline()
        yield Mounts(keeper.pid)
    finally:
        keeper.stdin.close()
        keeper.wait(timeout=60)
        keeper.stdout.close()
