# SPDX-License-Identifier: Apache-2.0
"""The watch that every test of the command is under finds what a command like this would leak."""

import subprocess

import leaks
import pytest
from qservice import canary

HERE = 'secret=$(cat "$XDG_DATA_HOME"/amazon-q/data.sqlite3)'
WAIT = "echo here; read -r _"


@pytest.fixture
def leaky(q):
    """A function that makes a `q` which reads a secret from the database and runs this script."""
    q.db.parent.mkdir(parents=True)
    q.db.write_text(canary.secret(200))

    def make(script):
        program = q.home / "q"
        program.write_text(f"#!/bin/sh\n{HERE}\n{script}\n")
        program.chmod(0o755)
        return program

    return make


@pytest.mark.parametrize(
    "script",
    [
        'echo "q: login: $secret, log in again" >&2',
        'echo "q: debug: $secret" >&2',
        'echo "$secret" | cut -c 100-122 >&2',
        'echo "$secret" | base64 -w 0 >&2',
        'echo "x$secret" | base64 -w 0 >&2',
        'echo "xx$secret" | base64 -w 0 >&2',
        'printf %s "$secret" | od -A n -t x1 -v | tr -d " \\n" >&2',
        'echo "$secret"',
    ],
)
def test_a_secret_in_what_a_command_says_is_found(q, leaky, script):
    with pytest.raises(AssertionError, match="a secret is in standard"):
        q.run("whoami", program=leaky(script))


@pytest.mark.parametrize("child", ['sh -c "$wait" sh "$secret"', 'secret=$secret sh -c "$wait"'])
def test_a_secret_in_arguments_or_environment_is_found(q, leaky, child):
    program = leaky(f"wait='{WAIT}'\n{child}\nexit")
    process = q.start("whoami", program=program, stdin=subprocess.PIPE)
    assert process.stdout.readline() == b"here\n"
    with pytest.raises(AssertionError, match="a secret is in /proc"):
        process.communicate(b"\n")
    process.stdin.close()
    process.wait()


@pytest.mark.parametrize("name", ["$HOME/left", "$TMPDIR/left", "$XDG_DATA_HOME/amazon-q/log.json"])
def test_a_secret_in_a_file_is_found(q, leaky, name):
    q.run("whoami", program=leaky(f'echo "$secret" >"{name}"'))
    with pytest.raises(AssertionError, match="a secret is in /"):
        leaks.check_files(q.home)
    q.asked += [path for path in q.home.rglob("*") if path.name in ("left", "log.json")]


def test_a_secret_where_it_belongs_is_no_leak(q, leaky):
    q.asked.append(q.home / "asked")
    export = 'echo "$secret"; echo "$secret" >asked; mkdir amazonq; echo "$secret" >amazonq/0.json'
    result = q.run("user", "export-token", program=leaky(export))
    assert result.out.strip() == q.db.read_text()


def test_every_command_logs_all_it_can_and_its_test_does_not_see_it(q, leaky):
    script = 'echo "$*"; echo "q: debug: D" >&2; echo "q: warning: W" >&2; echo "q: error" >&2'
    program = leaky(script)
    result = q.run("whoami", program=program)
    assert (result.out, result.err) == ("-vv whoami\n", "q: warning: W\nq: error\n")
    assert q.run("whoami", "--quiet", program=program).err == "q: error\n"
    assert "q: debug: D" in q.run("whoami", "-v", program=program).err
