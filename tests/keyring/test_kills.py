# SPDX-License-Identifier: Apache-2.0
"""`q user migrate`, killed at one moment after the other."""

import os
import shutil
import subprocess

import pytest
from command import BINARY, SANITIZED, TIMEOUT_S
from stored import TO_KEYRING, TO_SQLITE, in_database, in_keyring

# Each message on the bus, and each write to the database, is where the plug may be pulled; in the
# suite each fifth (scripts/reliability sets the variable).
CALLS = "sendmsg,sendto,pwrite64,fdatasync,fsync,unlink,write"
STEP = 1 if os.environ.get("AQ_RELIABILITY_ROUNDS") else 5


@pytest.mark.skipif(SANITIZED, reason="a leak checker cannot be traced")
@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
@pytest.mark.parametrize("args", [TO_KEYRING, TO_SQLITE], ids=["to-keyring", "to-sqlite"])
def test_killed_at_any_moment_the_login_is_whole_in_one_of_the_stores(q, session, seeded, args):
    if args is TO_SQLITE:
        assert q.run(*TO_KEYRING, "--purge").code == 0
    killed = 0
    for nth in range(1, 1000, STEP):
        inject = f"inject={CALLS}:signal=KILL:when={nth}"
        command = ["strace", "-f", "-qqq", "-o", "/dev/null", "-e", f"trace={CALLS}", "-e", inject]
        command += [BINARY, *args, "--purge"]
        options = {"env": q.env, "cwd": q.home, "capture_output": True, "timeout": TIMEOUT_S}
        done = subprocess.run(command, **options)
        places = [in_keyring(session), in_database(q)]
        assert seeded in places, (nth, done)
        assert all(place in ({}, seeded) for place in places), (nth, done)
        if done.returncode == 0:
            break
        killed += 1
        if places == ([seeded, {}] if args is TO_KEYRING else [{}, seeded]):
            back = TO_SQLITE if args is TO_KEYRING else TO_KEYRING  # all was done: once more
            assert q.run(*back, "--purge").code == 0
    assert killed > 10
    assert q.run(*args, "--purge").code in (0, 4)
