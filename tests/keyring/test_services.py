# SPDX-License-Identifier: Apache-2.0
"""Every program that offers a keyring: a login moves in, is used, refreshed, and logged out of."""

import json

import pytest
from conftest import KEYRING, command_in
from services import SERVICES
from stored import (
    EXPORT,
    REFRESH,
    TO_KEYRING,
    TO_SQLITE,
    assert_nowhere_in_plain,
    in_database,
    in_keyring,
)

ITEM = {"application": "amazonq", "login": "default"}


@pytest.fixture(params=SERVICES, ids=lambda kind: kind.__name__)
def desktop(request, home, service):
    """A session with this keyring, and the command in it, which may be asked where it must."""
    with request.param(home) as session:
        session.start_keyring()
        q = command_in(session, service)
        if session.opens_late:
            open_it(q)
        yield session, q, ("--interactive",) if session.asks else ()


def open_it(q):
    closed = q.run("whoami", *KEYRING)
    assert closed.code == 3 and "keyring: is locked" in closed.err
    assert "--interactive" in closed.err
    assert q.run("whoami", *KEYRING, "--interactive").code == 4


def move_in(q, service, may_ask, **options):
    service.seed(q.db, unknown_member=True, **options)
    seeded = in_database(q)
    assert q.run(*TO_KEYRING, "--purge", *may_ask).code == 0
    assert in_database(q) == {}
    return seeded


def test_a_login_moves_in_and_is_exported_and_moves_out_as_it_was(desktop, service):
    session, q, may_ask = desktop
    seeded = move_in(q, service, may_ask)
    assert in_keyring(session) == seeded
    exported = q.run(*EXPORT, *KEYRING)
    assert exported.code == 0, exported
    assert exported.json["access_token"] in seeded["codewhisperer:odic:token"]
    assert q.run("whoami", "-f", "json", *KEYRING).json["store"] == "keyring"
    assert q.run(*TO_SQLITE, "--purge", *may_ask).code == 0
    assert in_database(q) == seeded
    assert session.items(**ITEM) == []


def test_sixteen_processes_make_one_call_and_get_one_token(desktop, service):
    session, q, may_ask = desktop
    seeded = move_in(q, service, may_ask, expires_in=-60)
    service.fault(REFRESH, hold="before")
    running = [q.start(*EXPORT, *KEYRING) for _ in range(16)]
    service.wait(REFRESH, held=1)  # one asks, the others wait for it
    service.release()
    results = [process.communicate(timeout=60) for process in running]
    assert [process.returncode for process in running] == [0] * 16, results
    assert len({json.loads(out)["access_token"] for out, _ in results}) == 1
    assert service.calls(REFRESH) == 1
    assert in_keyring(session) != seeded


def test_a_logout_takes_the_item_away(desktop, service):
    session, q, may_ask = desktop
    move_in(q, service, may_ask)
    result = q.run("logout", *KEYRING, *may_ask, "-f", "json")
    assert (result.code, result.err) == (0, "")
    assert result.json == {"removed": True, "source": "q-cli", "store": "keyring"}
    assert session.items(**ITEM) == []
    assert q.run("whoami", *KEYRING).code == 4
    assert q.run("logout", *KEYRING, "-f", "json").json == {"removed": False}


def test_a_refresh_under_way_does_not_bring_back_what_was_logged_out_of(desktop, service):
    session, q, may_ask = desktop
    move_in(q, service, may_ask, expires_in=-60)
    service.fault(REFRESH, hold="after")
    refreshing = q.start(*EXPORT, *KEYRING)
    service.wait(REFRESH, held=1)
    assert q.run("logout", *KEYRING, *may_ask).code == 0
    service.release()
    out, err = refreshing.communicate(timeout=60)
    assert (refreshing.returncode, out) == (4, b""), err
    assert session.items(**ITEM) == []


def test_nothing_of_a_login_is_in_a_file_in_plain(desktop, service):
    session, q, may_ask = desktop
    token = json.loads(move_in(q, service, may_ask)["codewhisperer:odic:token"])
    secrets = [token["access_token"], token["refresh_token"]]
    assert_nowhere_in_plain(session.home, *secrets)
    assert q.run("logout", *KEYRING, *may_ask).code == 0
    assert_nowhere_in_plain(session.home, *secrets)


def test_a_program_that_wants_to_ask_is_not_let_unless_it_may(desktop, service):
    session, q, may_ask = desktop
    if not may_ask:
        pytest.skip("makes and deletes items without a question")
    service.seed(q.db)
    seeded = in_database(q)
    refused = q.run(*TO_KEYRING, "--purge")
    assert refused.code == 3 and "wants to ask before it makes an item" in refused.err
    assert "--interactive" in refused.err
    assert in_database(q) == seeded
    assert q.run(*TO_KEYRING, "--purge", *may_ask).code == 0
    refused = q.run("logout", *KEYRING)
    assert refused.code == 3 and "wants to ask before it deletes an item" in refused.err
    assert in_keyring(session) == seeded
    assert q.run("settings", "store.keyring.interactive", "true").code == 0
    assert q.run("logout", *KEYRING).code == 0
