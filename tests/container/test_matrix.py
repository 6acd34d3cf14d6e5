# SPDX-License-Identifier: Apache-2.0
"""What works in a container: every way in, as every user, with a valid and an expired login.

TABLE is the promise, and what docs/how-to-integrate-q-externally.md shows. Each of its cells is
tried with `q user export-token`, `q chat` and the SDK. Here a container is mounts and a user; the
same ways are gone with a real engine in engine/.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from box import box, cannot_be, no_sdk
from mounts import needs_mounts
from ways import WAYS

REFRESH = "CreateToken:refresh_token"
PAGE = Path(__file__).resolve().parents[2] / "docs/how-to-integrate-q-externally.md"


@dataclass(frozen=True)
class Promise:
    """What a command does: its exit code, who refreshed, and what its error says and advises."""

    code: int = 0
    refreshed_by: str = "nobody"
    error: str = ""
    exception: str = ""


PROMISES = {
    "works": Promise(),
    "works, refreshes": Promise(refreshed_by="container"),
    "works, broker refreshes": Promise(refreshed_by="broker"),
    "3: read-only": Promise(3, error="mounted read-only", exception="QTokenUnavailable"),
    "3: not yours": Promise(3, error="run as its owner", exception="QStoreError"),
    "2: not yours": Promise(2, error="run as its owner", exception="QConfigurationError"),
    "3: not served": Promise(3, error="--allow-uid", exception="QStoreError"),
    "3: not readable": Promise(3, error="run as another", exception="QStoreError"),
    "5: put a new one": Promise(5, error="put a new token there", exception="QTokenUnavailable"),
}

# way                  who               valid              expired
TABLE = """
directory            | root            | works            | works, refreshes
directory            | same uid        | works            | works, refreshes
directory            | user namespace  | works            | works, refreshes
directory            | other uid       | 2: not yours     | 2: not yours
read-only directory  | root            | works            | 3: read-only
read-only directory  | same uid        | works            | 3: read-only
read-only directory  | user namespace  | works            | 3: read-only
read-only directory  | other uid       | 2: not yours     | 2: not yours
file                 | root            | works            | works, refreshes
file                 | same uid        | works            | works, refreshes
file                 | user namespace  | works            | works, refreshes
file                 | other uid       | 3: not yours     | 3: not yours
read-only file       | root            | works            | 3: read-only
read-only file       | same uid        | works            | 3: read-only
read-only file       | user namespace  | works            | 3: read-only
read-only file       | other uid       | 3: not yours     | 3: not yours
broker socket        | same uid        | works            | works, broker refreshes
broker socket        | user namespace  | works            | works, broker refreshes
broker socket        | root            | 3: not served    | 3: not served
broker socket        | other uid       | 3: not served    | 3: not served
token file           | root            | works            | 5: put a new one
token file           | same uid        | works            | 5: put a new one
token file           | user namespace  | works            | 5: put a new one
token file           | other uid       | 3: not readable  | 3: not readable
"""
ROWS = [[cell.strip() for cell in line.split("|")] for line in TABLE.strip().splitlines()]
HEAD = ["the login comes in as", "the container's user is", "valid login", "expired login"]
CELLS = [
    pytest.param(way, who, state, PROMISES[promise], id=f"{way}, {who}, {state}")
    for way, who, *promises in ROWS
    for state, promise in zip(("valid", "expired"), promises)
]
COMMANDS = ("export-token", "chat", "sdk")
LIFETIME_S = {"valid": 3600, "expired": -60}


def run(command, container):
    if command == "export-token":
        return container.run(container.q, "user", "export-token", "--access-only", "--quiet")
    if command == "chat":
        return container.run(container.q, "chat", "--no-interactive", "hi")
    return container.run(container.python, container.program)


def assert_answered(command, result, service):
    if command == "export-token":
        token = result.json["access_token"]
        assert service.control("token", access_token=token)["valid"]
    else:
        assert result.out.startswith("You asked: hi")


@needs_mounts
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("way, who, state, promise", CELLS)
def test_a_container_does_what_the_table_says(way, who, state, promise, command, new_host, service):
    if reason := cannot_be(who) or (command == "sdk" and no_sdk()):
        pytest.skip(reason)
    host = new_host(LIFETIME_S[state])
    before = host.row()
    with box(who, service) as container:
        WAYS[way](container, host)
        result = run(command, container)

    assert re.search(promise.error, result.err), result
    if promise.exception and command == "sdk":
        assert result.code == 1 and result.err.startswith(promise.exception + ": "), result
    else:
        assert result.code == promise.code, result
    if promise.code == 0:
        assert result.err == ""
        assert_answered(command, result, service)
    refreshed = promise.refreshed_by != "nobody"
    if way == "broker socket":
        refreshed = state == "expired"  # by the broker, also when nobody may ask
    assert service.calls(REFRESH) == refreshed
    assert (host.row() != before) == refreshed
    host.assert_sound()
    if refreshed:
        host.assert_login_is_good()


def shown(rows):
    """The table as the guide has it: one line for the users who fare alike."""
    alike = {}
    for way, who, *promises in rows:
        alike.setdefault((way, *promises), []).append(who)
    lines = [HEAD, ["---"] * len(HEAD)]
    lines += [[way, ", ".join(who), *promises] for (way, *promises), who in alike.items()]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def test_the_guide_shows_this_table():
    assert shown(ROWS) in PAGE.read_text()


@pytest.mark.parametrize("promise", PROMISES.values(), ids=PROMISES)
def test_the_guide_says_what_helps_against_every_error(promise):
    _, _, troubles = PAGE.read_text().partition("## When it does not work")
    assert re.search(promise.error, troubles)
