# SPDX-License-Identifier: Apache-2.0
"""A login in the keyring is used like any other: chosen, exported, refreshed, by many at once."""

import json

import pytest
from command import TOKEN_KEY
from conftest import KEYRING, command_in, put_login
from session import Session
from stored import EXPORT, REFRESH, assert_nowhere_in_plain, in_keyring, token_in_keyring


def test_a_login_is_exported_from_the_keyring_however_it_is_chosen(q, login):
    assert q.run(*EXPORT).code == 4  # in no database any more
    by_option = q.run(*EXPORT, *KEYRING)
    assert by_option.json["access_token"] == login["access_token"]
    q.env["Q_STORE"] = "keyring"
    assert q.run(*EXPORT).json["access_token"] == login["access_token"]
    del q.env["Q_STORE"]
    assert q.run("settings", "store", "keyring").code == 0
    assert q.run(*EXPORT).json["access_token"] == login["access_token"]
    assert q.run("whoami").code == 0


def test_a_login_with_a_name_is_an_item_of_its_own(q, login, service):
    work = service.seed(q.data / "amazonq" / "logins" / "work" / "data.sqlite3")
    move = ("user", "migrate", "--from", "sqlite", "--to", "keyring", "--purge")
    assert q.run(*move, "--login", "work").code == 0
    assert q.run(*EXPORT, *KEYRING).json["access_token"] == login["access_token"]
    said = q.run(*EXPORT, *KEYRING, "--login", "work").json
    assert (said["access_token"], said["login"]) == (work["access_token"], "work")
    assert q.run("logout", *KEYRING, "--login", "work").code == 0
    assert q.run(*EXPORT, *KEYRING, "--login", "work").code == 4
    assert q.run(*EXPORT, *KEYRING).json["access_token"] == login["access_token"]


def test_an_answer_is_asked_for_with_the_login_of_the_keyring(q, login):
    result = q.run("chat", "--no-interactive", "Hello", *KEYRING)
    assert result.code == 0, result
    assert "Hello" in result.out


def test_a_refresh_changes_three_members_of_the_token_and_no_other_byte(q, session, service):
    put_login(q, service, expires_in=-60)
    before, old = in_keyring(session), token_in_keyring(session)
    result = q.run(*EXPORT, *KEYRING)
    assert result.code == 0, result
    new = token_in_keyring(session)
    expected = before[TOKEN_KEY]
    for name in ("access_token", "refresh_token", "expires_at"):
        assert new[name] != old[name]
        expected = expected.replace(old[name], new[name])
    assert in_keyring(session) == {**before, TOKEN_KEY: expected}
    assert result.json["access_token"] == new["access_token"]
    assert service.calls(REFRESH) == 1


def test_sixteen_processes_make_one_call_and_get_one_token(q, service):
    put_login(q, service, expires_in=-60)
    service.fault(REFRESH, hold="before")
    running = [q.start(*EXPORT, *KEYRING) for _ in range(16)]
    service.wait(REFRESH, held=1)  # one asks, the others wait for it
    service.release()
    results = [process.communicate(timeout=60) for process in running]
    assert [process.returncode for process in running] == [0] * 16, results
    assert len({json.loads(out)["access_token"] for out, _ in results}) == 1
    assert service.calls(REFRESH) == 1


def test_whoever_is_killed_while_it_refreshes_holds_up_nobody(q, session, service):
    put_login(q, service, expires_in=-60)
    service.fault(REFRESH, hold="before", drop="before")
    victim = q.start(*EXPORT, *KEYRING)
    service.wait(REFRESH, held=1)
    victim.kill()
    victim.communicate()
    service.release()
    assert q.run(*EXPORT, *KEYRING).code == 0
    assert service.calls(REFRESH) == 2


@pytest.mark.parametrize("variable", ["XDG_RUNTIME_DIR", None])
def test_with_and_without_a_runtime_directory_one_process_asks(q, service, variable):
    put_login(q, service, expires_in=-60)
    q.env.pop(variable, None)
    service.fault(REFRESH, hold="before")
    running = [q.start(*EXPORT, *KEYRING) for _ in range(2)]
    service.wait(REFRESH, held=1)
    service.release()
    assert [process.wait(60) for process in running] == [0, 0]
    for process in running:
        process.communicate()
    assert service.calls(REFRESH) == 1


def test_in_a_sandbox_whose_bus_lets_nobody_own_names_the_file_excludes(home, service):
    deny = '<deny own_prefix="org.libamazonq"/>'
    with Session(home, starts_services=False, rules=deny) as session:
        session.start_keyring()
        q = command_in(session, service)
        put_login(q, service, expires_in=-60)
        service.fault(REFRESH, hold="before")
        running = [q.start(*EXPORT, *KEYRING) for _ in range(4)]
        service.wait(REFRESH, held=1)
        service.release()
        ends = [process.communicate(timeout=60) for process in running]
        assert [process.returncode for process in running] == [0] * 4, ends
        assert service.calls(REFRESH) == 1

        del q.env["XDG_RUNTIME_DIR"]  # nothing is left that could exclude others
        result = q.run(*EXPORT, *KEYRING, "--force-refresh")
        assert result.code == 3 and "could not be saved" in result.err
        assert service.calls(REFRESH) == 1


def test_the_bus_is_found_in_the_runtime_directory(q, session, login):
    address = q.env.pop("DBUS_SESSION_BUS_ADDRESS")
    socket = address.partition("=")[2].partition(",")[0]
    (session.runtime / "bus").symlink_to(socket)
    assert q.run(*EXPORT, *KEYRING).json["access_token"] == login["access_token"]


def test_a_failed_refresh_leaves_the_item_as_it_was(q, session, service):
    put_login(q, service, expires_in=-60)
    before = in_keyring(session)
    service.fault(REFRESH, oidc_error="invalid_grant")
    assert q.run(*EXPORT, *KEYRING).code == 6
    assert in_keyring(session) == before


def test_a_login_that_only_looks_like_ours_is_not_touched(q, session, login):
    ours = in_keyring(session)
    session.add_item({"application": "amazonq", "login": "default-2"}, "theirs")
    session.add_item({"application": "amazon", "login": "default"}, "theirs")
    assert q.run(*EXPORT, *KEYRING).json["access_token"] == login["access_token"]
    assert in_keyring(session) == ours


def test_a_login_that_is_there_twice_is_refused(q, session, login):
    again = {"application": "amazonq", "login": "default", "xdg:schema": "org.libamazonq.Login"}
    session.add_item(again, "{}")
    result = q.run(*EXPORT, *KEYRING)
    assert (result.code, result.out) == (3, ""), result
    assert "is in it twice" in result.err


def test_an_item_that_holds_something_else_is_an_error(q, session):
    ours = {"application": "amazonq", "login": "default", "xdg:schema": "org.libamazonq.Login"}
    session.add_item(ours, "no JSON")
    result = q.run(*EXPORT, *KEYRING)
    assert (result.code, result.out) == (3, ""), result
    assert "holds something else" in result.err and "no JSON" not in result.err


def test_no_file_holds_a_token_in_plain(q, session, service):
    put_login(q, service, expires_in=-60)
    old = token_in_keyring(session)
    assert q.run(*EXPORT, *KEYRING).code == 0
    new = token_in_keyring(session)
    secrets = [t[name] for t in (old, new) for name in ("access_token", "refresh_token")]
    assert_nowhere_in_plain(session.home, *secrets)
