# SPDX-License-Identifier: Apache-2.0
"""What these tests share: how often to repeat, what to report, and how to tell a lost login."""

import json
import os
import random
import select
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from command import BINARY, SANITIZED, TOKEN_KEY

HERE = Path(__file__).resolve().parent
REFRESH = "CreateToken:refresh_token"
EXPORT = ("user", "export-token", "--quiet")
FORCE = (*EXPORT, "--force-refresh")

# Set by scripts/reliability: rounds of a row that has 50 in the long form, and where results go.
LONG = int(os.environ.get("AQ_RELIABILITY_ROUNDS", "0"))
REPORT = os.environ.get("AQ_RELIABILITY_REPORT")
SEED = int(os.environ.get("AQ_RELIABILITY_SEED", str(random.SystemRandom().randrange(1 << 32))))

plain_build = pytest.mark.skipif(SANITIZED, reason="a sanitizer excludes strace, preloads, ctypes")


def needs(program):
    return pytest.mark.skipif(not shutil.which(program), reason=f"{program} is not installed")


def rounds(suite, long):
    """How often: `suite` in ctest, `long` in the long form."""
    return max(1, long * LONG // 50) if LONG else suite


def report(row, injected, times, lost="0"):
    """One line of docs/reliability.md; a test calls it last, when everything has held."""
    line = {"row": row, "injected": injected, "times": times, "lost": str(lost)}
    print(line)
    if REPORT:
        with open(REPORT, "a") as file:
            file.write(json.dumps(line) + "\n")


def connect(q, service):
    """The command in a home with a place for spilled answers, and the stand-in for its service."""
    q.env["AWS_ENDPOINT_URL_SSO_OIDC"] = service.url
    q.env["Q_ENDPOINT_URL"] = service.url
    runtime = q.home / "run"
    runtime.mkdir(mode=0o700)
    q.env["XDG_RUNTIME_DIR"] = str(runtime)
    return q


def busy_timeout(q, milliseconds):
    """What a program waits for another one's transaction, in this home."""
    settings = q.db.parent / "settings.json"
    settings.touch(mode=0o600)
    settings.write_text(json.dumps({"store.sqlite.busy_timeout_ms": milliseconds}))


def rows(q):
    """Everything the login consists of."""
    connection = sqlite3.connect(q.db)
    try:
        return dict(connection.execute("SELECT key, value FROM auth_kv"))
    finally:
        connection.close()


def spilled(q):
    """Answers that are kept in files, because they could not be saved."""
    places = (q.home / ".local/state", q.home / "run")
    return [file for place in places for file in place.glob("amazonq/*.json")]


def is_alive(q):
    """True if the stored refresh token is still good, which only using it can tell."""
    return TOKEN_KEY in rows(q) and q.run(*FORCE).code == 0


def finish(process):
    out, err = process.communicate(timeout=120)
    return process.returncode, out.decode(), err.decode()


def at_random(chance, longest_s, process):
    """Let a random time pass, or the process end."""
    select.select([process.stdout], [], [], chance.uniform(0, longest_s))


def traced(q, call, n, what, args=EXPORT):
    """Run the command while strace breaks its n-th call of that name: the end, as finish() has it,
    and whether there was an n-th."""
    log = q.home / "strace.log"
    inject = f"inject={call}:{what}:when={n}"
    options = ["-f", "-qq", "-s", "0", "-o", log, "-e", f"trace={call}", "-e", inject]
    end = finish(q.start(*options, BINARY, *args, program="strace"))
    return end, len(log.read_text().splitlines()) >= n


class Workers:
    """Processes that do their work once for each line they are sent, all at the same time."""

    def __init__(self, script, count, env, *args):
        env = {**env, "PYTHONDONTWRITEBYTECODE": "1"}
        command = [sys.executable, str(HERE / script), *map(str, args)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self._all = [subprocess.Popen(command, env=env, **pipes) for _ in range(count)]
        self.results()  # each says so when it is ready

    def go(self, **order):
        for process in self._all:
            process.stdin.write(json.dumps(order).encode() + b"\n")
            process.stdin.flush()

    def results(self):
        return [json.loads(process.stdout.readline()) for process in self._all]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self._all:
            process.stdin.close()
            process.wait(timeout=60)
            process.stdout.close()
