# SPDX-License-Identifier: Apache-2.0
"""Many processes, one login; and a service that fails. What a refresh must never do is lose it."""

import hashlib
import json
import os
import sqlite3
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command import SANITIZED, TOKEN_KEY

REFRESH = "CreateToken:refresh_token"
HERE = Path(__file__).resolve().parent


def test_sixteen_processes_make_one_call_and_get_one_token(online, service):
    service.seed(online.db, expires_in=-60)
    service.fault(REFRESH, hold="before")
    running = [online.start("user", "export-token", "--quiet") for _ in range(16)]
    service.wait(REFRESH, held=1)  # one asks, the others wait for it
    service.release()
    results = [process.communicate(timeout=60) for process in running]
    assert [process.returncode for process in running] == [0] * 16, results
    tokens = {json.loads(out)["access_token"] for out, _ in results}  # expires_in may tick between
    assert len(tokens) == 1
    assert service.calls(REFRESH) == 1


def test_forced_refreshes_at_once_share_one_call(online, login, service):
    service.fault(REFRESH, hold="before")
    force = ("user", "export-token", "--quiet", "--force-refresh")
    running = [online.start(*force) for _ in range(4)]
    service.wait(REFRESH, held=1)
    service.release()
    results = [process.communicate(timeout=60) for process in running]
    assert [process.returncode for process in running] == [0] * 4, results
    assert service.calls(REFRESH) <= 4  # those that started late may ask again, none may fail
    assert online.stored()["access_token"] in b"".join(out for out, _ in results).decode()


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ({"oidc_error": "invalid_grant"}, 6),
        ({"oidc_error": "invalid_client"}, 6),
        ({"oidc_error": "slow_down"}, 5),
        ({"status": 500}, 5),
        ({"status": 502, "html": True}, 5),
        ({"truncate": 40}, 5),
        ({"empty": True}, 5),
        ({"drop": "before"}, 5),
    ],
    ids=lambda value: str(value),
)
def test_a_failed_refresh_leaves_the_database_byte_for_byte(online, service, fault, code):
    service.seed(online.db, expires_in=-60, unknown_member=True)
    service.fault(REFRESH, **fault)
    before = online.db.read_bytes()
    result = online.run("user", "export-token")
    assert result.code == code, result
    assert result.out == ""
    assert online.db.read_bytes() == before
    assert sorted(p.name for p in online.db.parent.iterdir()) == ["data.sqlite3"]


def test_without_a_network_the_database_stays_byte_for_byte(online, service):
    service.seed(online.db, expires_in=-60)
    online.env["AWS_ENDPOINT_URL_SSO_OIDC"] = "http://127.0.0.1:1"
    before = online.db.read_bytes()
    assert online.run("user", "export-token").code == 5
    assert online.db.read_bytes() == before


@pytest.mark.parametrize("flow", ["DeviceCode", "Pkce", "PKCE"])
def test_a_refresh_changes_three_members_and_no_other_byte(online, service, flow):
    service.seed(online.db, expires_in=-60, unknown_member=True, flow=flow)
    before, old = online.row(), online.stored()
    assert online.run("user", "export-token", "--quiet").code == 0
    new = online.stored()
    for name in ("access_token", "refresh_token", "expires_at"):
        assert new[name] != old[name]
        before = before.replace(old[name], new[name])
    assert online.row() == before
    assert service.calls(REFRESH) == 1


def test_a_reply_without_refresh_token_keeps_the_old_one(online, service):
    service.seed(online.db, expires_in=-60)
    service.settings(rotation="omit")
    old = online.stored()
    assert online.run("user", "export-token", "--quiet").code == 0
    assert online.stored()["refresh_token"] == old["refresh_token"]
    assert online.stored()["access_token"] != old["access_token"]


def test_what_cannot_be_saved_is_kept_in_a_private_file_and_imported_by_the_next(online, service):
    """The worst order of events: token spent, database locked by somebody else, process killed."""
    service.seed(online.db, expires_in=-60)
    old = online.stored()
    settings = online.db.parent / "settings.json"
    settings.write_text('{"store.sqlite.busy_timeout_ms": 50}')
    settings.chmod(0o600)
    runtime = online.home / "run"
    runtime.mkdir(mode=0o700)
    online.env["XDG_RUNTIME_DIR"] = str(runtime)
    kept = online.home / ".local" / "state" / "amazonq"
    service.fault(REFRESH, hold="after")
    victim = online.start("user", "export-token", "--quiet")
    service.wait(REFRESH, held=1)
    other = sqlite3.connect(online.db, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    service.release()
    deadline = time.monotonic() + 60
    while not list(kept.glob("*.json")) and time.monotonic() < deadline:
        assert victim.poll() is None, victim.communicate()
    (spilled,) = kept.glob("*.json")
    victim.kill()
    victim.communicate()
    other.execute("ROLLBACK")
    other.close()
    assert online.stored() == old
    assert stat.S_IMODE(spilled.stat().st_mode) == 0o600
    assert stat.S_IMODE(spilled.parent.stat().st_mode) == 0o700
    assert old["refresh_token"] not in spilled.name + spilled.read_text()

    del online.env["XDG_RUNTIME_DIR"]  # as a program of a timer, or after a restart
    result = online.run("user", "export-token", "--quiet")
    assert result.code == 0, result
    assert service.calls(REFRESH) == 1  # the spent token was not sent again
    assert result.json["access_token"] == online.stored()["access_token"] != old["access_token"]
    assert not list(kept.iterdir())


def test_a_save_that_works_at_last_leaves_no_file_behind(online, service):
    service.seed(online.db, expires_in=-60)
    settings = online.db.parent / "settings.json"
    settings.write_text('{"store.sqlite.busy_timeout_ms": 50}')
    settings.chmod(0o600)
    kept = online.home / ".local" / "state" / "amazonq"
    service.fault(REFRESH, hold="after")
    patient = online.start("user", "export-token", "--quiet")
    service.wait(REFRESH, held=1)
    other = sqlite3.connect(online.db, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    service.release()
    deadline = time.monotonic() + 60
    while not list(kept.glob("*.json")) and time.monotonic() < deadline:
        assert patient.poll() is None, patient.communicate()
    other.execute("ROLLBACK")
    other.close()
    out, err = patient.communicate(timeout=60)
    assert patient.returncode == 0, err
    assert json.loads(out)["access_token"] == online.stored()["access_token"]
    assert not list(kept.iterdir())


def test_a_file_that_others_could_have_put_there_is_not_imported(online, service):
    service.seed(online.db, expires_in=-60)
    runtime = online.home / "run"
    (runtime / "amazonq").mkdir(mode=0o777, parents=True)
    (runtime / "amazonq").chmod(0o777)
    online.env["XDG_RUNTIME_DIR"] = str(runtime)
    digest = hashlib.sha256(
        TOKEN_KEY.encode() + b"\0" + online.stored()["refresh_token"].encode()
    ).hexdigest()
    planted = {**online.stored(), "access_token": "planted", "expires_at": "2099-01-01T00:00:00Z"}
    file = runtime / "amazonq" / f"{digest}.json"
    file.write_text(json.dumps(planted))
    file.chmod(0o600)
    assert online.run("user", "export-token", "--quiet").json["access_token"] != "planted"
    (runtime / "amazonq").chmod(0o700)  # the same file in a private place would have counted
    service.seed(online.db, expires_in=-60)
    digest = hashlib.sha256(
        TOKEN_KEY.encode() + b"\0" + online.stored()["refresh_token"].encode()
    ).hexdigest()
    file.rename(file.with_name(f"{digest}.json"))
    assert online.run("user", "export-token", "--quiet").json["access_token"] == "planted"


def test_a_file_that_is_older_than_the_row_is_removed_not_imported(online, service):
    service.seed(online.db, expires_in=-60)
    runtime = online.home / "run"
    (runtime / "amazonq").mkdir(mode=0o700, parents=True)
    online.env["XDG_RUNTIME_DIR"] = str(runtime)
    digest = hashlib.sha256(
        TOKEN_KEY.encode() + b"\0" + online.stored()["refresh_token"].encode()
    ).hexdigest()
    left = {**online.stored(), "access_token": "older", "expires_at": "2020-01-01T00:00:00Z"}
    file = runtime / "amazonq" / f"{digest}.json"
    file.write_text(json.dumps(left))
    file.chmod(0o600)
    service.fault(REFRESH, status=500)
    before = online.row()
    assert online.run("user", "export-token", "--quiet").code == 5
    assert online.row() == before
    assert not file.exists()


@pytest.mark.skipif(SANITIZED, reason="a sanitized library cannot be loaded into Python")
def test_locks_hold_beside_another_sqlite_in_the_same_process(online, service):
    service.seed(online.db, expires_in=-60)
    env = {**online.env, "AQ_TEST_LIB": os.environ["AQ_TEST_LIB"], "PYTHONPATH": str(HERE)}
    settings = online.db.parent / "settings.json"
    settings.write_text('{"store.sqlite.busy_timeout_ms": 200}')
    settings.chmod(0o600)
    command = [sys.executable, str(HERE / "in_company.py"), str(online.db)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "the library respects Python's lock",
        "two clients got one token",
        "Python's lock survives the library's reading and closing",
        "nobody holds a lock at the end",
    ]
    assert service.calls(REFRESH) == 1
