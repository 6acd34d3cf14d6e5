# SPDX-License-Identifier: Apache-2.0
"""A keyring that is locked, gone, stopped or late: an error that says so, and nothing is lost."""

import json
import signal
import subprocess
import time

import pytest
from conftest import KEYRING, command_in, put_login
from session import Session
from stored import EXPORT, REFRESH, assert_nowhere_in_plain, in_keyring, token_in_keyring

WHOLE_S = 20  # far more than the three seconds that are promised; less than D-Bus's own 25


def refused(q, *says):
    """Exit code 3 and one line that says what is wrong."""
    process = q.start(*EXPORT, *KEYRING)
    out, err = process.communicate(timeout=WHOLE_S)
    assert (process.returncode, out) == (3, b""), err
    lines = err.decode().splitlines()
    assert len(lines) == 1
    for word in says:
        assert word in lines[0]
    return lines[0]


def test_a_locked_keyring_is_not_an_absent_login(q, session, login):
    session.lock()
    refused(q, "keyring: is locked", "unlock it")
    moved = q.run("user", "migrate", "--from", "keyring", "--to", "sqlite", "--purge")
    assert moved.code == 3 and "is locked" in moved.err
    assert not q.db.parent.joinpath("data.sqlite3").exists() or q.run(*EXPORT).code == 4


def test_a_locked_keyring_takes_no_login_and_the_login_stays_where_it_is(q, session, service):
    service.seed(q.db)
    session.lock()
    before = q.db.read_bytes()
    moved = q.run("user", "migrate", "--from", "sqlite", "--to", "keyring", "--purge")
    assert moved.code == 3 and "is locked" in moved.err
    assert q.db.read_bytes() == before


def test_a_list_of_the_logins_asks_nobody_to_unlock_it(q, session, login):
    session.lock()
    q.run("settings", "store.keyring.interactive", "true")
    for more in ((), ("--interactive",)):
        result = q.run("user", "sources", "--store", "keyring", "--format", "json", *more)
        assert result.code == 0, result
        (found,) = [s for s in result.json["sources"] if s["store"] == "keyring"]
        assert found["state"] == "unreadable"
        assert "is locked" in found["reason"]  # and not "when you were asked"


def test_nobody_can_unlock_it_where_nothing_can_be_shown(q, session, login):
    assert q.run("settings", "store.keyring.interactive", "true").code == 0
    session.lock()
    refused(q, "keyring: was not unlocked when you were asked")


def test_without_a_bus_it_says_where_there_is_one(q, session, login):
    for name in ("DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR"):
        q.env.pop(name)
    refused(q, "session bus: none", "dbus-run-session")
    q.env["DBUS_SESSION_BUS_ADDRESS"] = f"unix:path={session.home}/nowhere"
    refused(q, "session bus: Could not connect", "No such file")
    q.env["DBUS_SESSION_BUS_ADDRESS"] = "nonsense"
    refused(q, "session bus:")


def test_without_a_service_it_says_what_to_install(home, service):
    with Session(home, starts_services=False) as session:
        refused(command_in(session, service), "no program offers one", "gnome-keyring")


def test_a_service_that_hangs_is_not_waited_for(q, session, login):
    session.pause()
    refused(q, "keyring: timeout")
    session.resume()  # whatever it was asked is answered late, to nobody
    assert q.run(*EXPORT, *KEYRING).json["access_token"] == login["access_token"]


def test_time_in_which_it_stands_still_itself_is_not_the_service_s(q, session, login):
    session.pause()
    running = q.start(*EXPORT, *KEYRING)
    while not session.is_connected(running.pid):  # until it has something to wait for
        assert running.poll() is None, running.communicate()
    running.send_signal(signal.SIGSTOP)
    time.sleep(4)  # longer than one call may take
    session.resume()
    running.send_signal(signal.SIGCONT)
    out, err = running.communicate(timeout=60)
    assert running.returncode == 0, err
    assert login["access_token"].encode() in out


def test_a_bus_that_hangs_is_not_waited_for(q, session, login):
    session.pause(session.bus.pid)
    try:
        refused(q, "session bus: timeout")
    finally:
        session.resume(session.bus.pid)
    assert q.run(*EXPORT, *KEYRING).json["access_token"] == login["access_token"]


def test_a_service_that_hangs_before_a_refresh_costs_no_refresh_token(q, session, service):
    put_login(q, service, expires_in=-60)
    session.pause()
    refused(q, "keyring: timeout")
    session.resume()
    assert service.calls(REFRESH) == 0


def test_after_its_service_was_killed_the_keyring_is_locked_until_the_password_is_given(
    q, session, login
):
    session.kill_keyring()
    refused(q, "keyring: is locked")  # the bus has started another one
    session.end_owner()
    session.start_keyring()
    assert q.run(*EXPORT, *KEYRING).json["access_token"] == login["access_token"]


def test_a_service_that_was_started_anew_during_a_refresh_gets_the_new_token(q, session, service):
    put_login(q, service, expires_in=-60)
    service.fault(REFRESH, hold="after")
    running = q.start(*EXPORT, *KEYRING)
    service.wait(REFRESH, held=1)
    session.kill_keyring()
    session.start_keyring()
    service.release()
    out, err = running.communicate(timeout=60)
    assert running.returncode == 0, err
    assert token_in_keyring(session)["access_token"].encode() in out
    assert service.calls(REFRESH) == 1


def test_an_answer_that_comes_after_the_bus_has_ended_is_kept_in_a_file(q, session, service):
    put_login(q, service, expires_in=-60)
    service.fault(REFRESH, hold="after")
    running = q.start(*EXPORT, *KEYRING)
    service.wait(REFRESH, held=1)
    session.bus.kill()
    session.bus.wait()
    service.release()
    out, err = running.communicate(timeout=60)
    assert running.returncode == 0, err
    (kept,) = (session.home / ".local/state/amazonq").glob("*.json")
    assert kept.name in err.decode() and "session bus: " in err.decode()
    assert json.loads(out)["access_token"].encode() in kept.read_bytes()


def test_a_service_that_hangs_while_the_answer_comes_gets_the_new_token_later(q, session, service):
    put_login(q, service, expires_in=-60)
    service.fault(REFRESH, hold="after")
    running = q.start(*EXPORT, *KEYRING)
    service.wait(REFRESH, held=1)
    session.pause()
    service.release()
    with pytest.raises(subprocess.TimeoutExpired):
        running.wait(4)  # longer than one call may take: it tries again
    session.resume()
    out, err = running.communicate(timeout=60)
    assert running.returncode == 0, err
    assert token_in_keyring(session)["access_token"].encode() in out


def test_somebody_who_saves_for_ever_is_not_waited_for(q, session, service):
    put_login(q, service)
    before = in_keyring(session)
    session.connection().request_name("org.libamazonq.Keyring1.Commit.default")
    result = q.run("logout", *KEYRING)
    assert (result.code, result.out) == (3, ""), result
    assert "another process is saving and does not come to an end, try again" in result.err
    assert in_keyring(session) == before


def test_a_library_file_is_never_a_fallback(q, session, login):
    q.env["SECRET_BACKEND"] = "file"
    q.env["SECRET_FILE_TEST_PATH"] = str(session.home / "fallback.keyring")
    q.env["SECRET_FILE_TEST_PASSWORD"] = "x"
    result = q.run(*EXPORT, *KEYRING)
    assert (result.code, result.out) == (2, ""), result
    assert "SECRET_BACKEND" in result.err
    assert not (session.home / "fallback.keyring").exists()


def test_whatever_was_wrong_no_file_holds_a_token_in_plain(q, session, login):
    ours = in_keyring(session)
    session.lock()
    refused(q, "is locked")
    session.pause()
    refused(q, "timeout")
    session.resume()
    session.kill_keyring()
    refused(q, "is locked")
    assert ours
    assert_nowhere_in_plain(session.home, login["access_token"])
