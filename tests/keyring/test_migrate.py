# SPDX-License-Identifier: Apache-2.0
"""`q user migrate`: the login is in one of the stores at any moment, whole."""

import json

import pytest
from command import BINARY, TIMEOUT_S, TOKEN_KEY
from conftest import KEYRING, put_login
from stored import (
    EXPORT,
    REFRESH,
    TO_KEYRING,
    TO_SQLITE,
    assert_nowhere_in_plain,
    in_database,
    in_keyring,
)


def test_a_login_is_copied_byte_for_byte_and_stays_where_it_was(q, session, seeded):
    result = q.run(*TO_KEYRING)
    assert (result.code, result.out) == (0, ""), result
    assert "is in both stores now" in result.err
    assert "copied: login 'q-cli' from store 'sqlite' to store 'keyring'" in result.err
    assert in_keyring(session) == in_database(q) == seeded
    assert q.run(*EXPORT).json["access_token"] == q.run(*EXPORT, *KEYRING).json["access_token"]


def test_with_purge_it_is_gone_from_where_it_was_without_a_trace(q, session, seeded):
    result = q.run(*TO_KEYRING, "--purge")
    assert (result.code, result.out) == (0, ""), result
    assert result.err == (
        "q: moved: login 'q-cli' from store 'sqlite' to store 'keyring'\n"
        "q: note: to use it there from now on, run: q settings store keyring\n"
    )
    assert in_keyring(session) == seeded and in_database(q) == {}
    token = json.loads(seeded[TOKEN_KEY])
    assert_nowhere_in_plain(session.home, token["access_token"], token["refresh_token"])


def test_the_line_that_it_prints_makes_the_login_found_again(q, session, seeded):
    said = q.run(*TO_KEYRING, "--purge").err.splitlines()[-1]
    assert q.run("whoami").code == 4
    assert q.run(*said.split("run: q ")[1].split()).code == 0
    assert "Store:   keyring\n" in q.run("whoami").out


def test_where_a_variable_chooses_the_store_that_is_the_one_to_set(q, session, seeded):
    q.env["Q_STORE"] = "sqlite"
    assert "set Q_STORE=keyring\n" in q.run(*TO_KEYRING).err
    q.env["Q_STORE"] = "keyring"
    assert "note" not in q.run(*TO_KEYRING).err


def test_there_and_back_is_the_same_and_leaves_nothing_in_the_keyring(q, session, seeded):
    assert q.run(*TO_KEYRING, "--purge").code == 0
    q.db.unlink()
    result = q.run(*TO_SQLITE, "--purge", "--format", "json")
    assert result.code == 0, result
    assert result.err == ""
    assert result.json == {
        "source": "q-cli",
        "from": "keyring",
        "to": "sqlite",
        "expires_at": json.loads(seeded[TOKEN_KEY])["expires_at"],
        "purged": True,
    }
    assert in_database(q) == seeded
    assert session.items(application="amazonq", login="default") == []


def test_again_changes_nothing_and_a_purge_can_be_asked_for_later(q, session, seeded):
    assert q.run(*TO_KEYRING).code == 0
    assert q.run(*TO_KEYRING).code == 0
    assert in_keyring(session) == seeded
    assert q.run(*TO_KEYRING, "--purge").code == 0
    assert in_keyring(session) == seeded and in_database(q) == {}


def test_an_older_state_of_the_same_login_is_replaced(q, session, seeded):
    assert q.run(*TO_KEYRING).code == 0
    assert q.run(*EXPORT, "--force-refresh").code == 0
    newer = in_database(q)
    assert newer != seeded
    assert q.run(*TO_KEYRING, "--purge").code == 0
    assert in_keyring(session) == newer


def test_a_newer_state_of_the_same_login_is_kept_unless_told(q, session, service):
    service.seed(q.db, expires_in=60)
    older = in_database(q)
    assert q.run(*TO_KEYRING).code == 0
    assert q.run(*EXPORT, *KEYRING, "--force-refresh").code == 0
    newer = in_keyring(session)
    result = q.run(*TO_KEYRING, "--purge")
    assert (result.code, result.out) == (3, ""), result
    assert "holds a newer state of it" in result.err and "--replace" in result.err
    assert in_keyring(session) == newer and in_database(q) == older
    assert q.run(*TO_KEYRING, "--purge", "--replace").code == 0
    assert in_keyring(session) == older and in_database(q) == {}


def test_another_login_is_kept_unless_told(q, session, service):
    put_login(q, service, expires_in=-3600)
    q.db.unlink()
    service.seed(q.db)
    there, here = in_keyring(session), in_database(q)
    result = q.run(*TO_KEYRING, "--purge")
    assert (result.code, result.out) == (3, ""), result
    assert "holds another one" in result.err
    assert in_keyring(session) == there and in_database(q) == here
    assert q.run(*TO_KEYRING, "--replace").code == 0
    assert in_keyring(session) == here


def test_a_login_that_is_being_refreshed_is_waited_for(q, session, service):
    service.seed(q.db, expires_in=-60)
    service.fault(REFRESH, hold="before")
    refreshing = q.start(*EXPORT)
    service.wait(REFRESH, held=1)
    moving = q.start(*TO_KEYRING, "--purge")
    service.release()
    out, _ = refreshing.communicate(timeout=TIMEOUT_S)
    _, err = moving.communicate(timeout=TIMEOUT_S)
    assert moving.returncode == 0, err
    assert refreshing.returncode == 0
    assert json.loads(out)["access_token"] in in_keyring(session)[TOKEN_KEY]
    assert in_database(q) == {}


def test_two_names_of_one_place_lose_nothing(q, session, seeded):
    copy = session.home / "store-sqlite.so"
    plugin = BINARY.resolve().parent.parent / "lib" / "amazonq" / "plugins" / "store-sqlite.so"
    copy.symlink_to(plugin)
    args = ("user", "migrate", "--from", "sqlite", "--to", str(copy), "--db", str(q.db))
    result = q.run(*args, "--purge")
    assert (result.code, result.out) == (2, ""), result
    assert "are the same place" in result.err
    assert in_database(q) == seeded


@pytest.mark.parametrize(
    "args, says",
    [
        ([], "--from and --to"),
        (["--from", "sqlite"], "--from and --to"),
        (["--to", "keyring", "--store", "sqlite"], "--from and --to"),
        (["--from", "keyring", "--to", "keyring"], "name another store"),
        (["--from", "sqlite", "--to", "keyring", "-f", "yaml"], "use plain, json"),
    ],
)
def test_a_mistake_is_a_usage_error(q, seeded, args, says):
    result = q.run("user", "migrate", *args)
    assert (result.code, result.out) == (2, ""), result
    assert says in result.err


def test_without_a_login_there_is_nothing_to_move(q, session):
    assert q.run(*TO_KEYRING).code == 4
    assert q.run(*TO_KEYRING, "--source", "kiro-cli").code == 4
