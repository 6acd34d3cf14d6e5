# SPDX-License-Identifier: Apache-2.0
"""A seeded database is one the existing CLI could have written (docs/protocol.md, section 11)."""

import calendar
import json
import os
import re
import sqlite3
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from curl import chat
from qservice.seed import REGISTRATION_KEY, TOKEN_KEY, UNKNOWN

PROFILE = "arn:aws:codewhisperer:us-east-1:111122223333:profile/STANDIN0001"
COLUMNS = {
    "migrations": "id version migration_time",
    "history": "id command shell pid session_id cwd start_time hostname exit_code end_time"
    " duration",
    "auth_kv": "key value",
    "conversations": "key value",
    "state": "key value",
}


@pytest.fixture
def database(tmp_path):
    return str(tmp_path / "amazon-q" / "data.sqlite3")


def rows(database, sql):
    connection = sqlite3.connect(database)
    found = connection.execute(sql).fetchall()
    connection.close()
    return found


def value(database, key, table="auth_kv"):
    ((kind, text),) = rows(
        database, f"SELECT typeof(value), value FROM {table} WHERE key = '{key}'"
    )
    assert kind == "text"
    return text


def test_the_schema_is_complete_with_its_eight_migrations(service, database):
    service.seed(database)
    for table, columns in COLUMNS.items():
        found = [row[1] for row in rows(database, f"PRAGMA table_info({table})")]
        assert found == columns.split()
    assert rows(database, "SELECT id, version FROM migrations") == [(n + 1, n) for n in range(8)]


def test_a_token_has_the_exact_form_the_cli_writes(service, database):
    login = service.seed(database)
    pattern = (
        r'\{"access_token":"[^"]+","expires_at":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{8}[1-9]Z",'
        r'"refresh_token":"[^"]+","region":"us-east-1","start_url":null,"oauth_flow":"DeviceCode",'
        r'"scopes":\["codewhisperer:completions","codewhisperer:analysis",'
        r'"codewhisperer:conversations"\]\}\Z'
    )
    assert re.match(pattern, value(database, TOKEN_KEY))
    assert json.loads(value(database, TOKEN_KEY))["access_token"] == login["access_token"]


def test_a_registration_has_the_exact_form_the_cli_writes(service, database):
    service.seed(database)
    pattern = (
        r'\{"client_id":"[^"]+","client_secret":"[^"]+",'
        r'"client_secret_expires_at":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ","region":"us-east-1",'
        r'"oauth_flow":"DeviceCode","scopes":\["[^]]+"\]\}\Z'
    )
    assert re.match(pattern, value(database, REGISTRATION_KEY))


def test_nobody_else_can_read_the_database(service, database):
    service.seed(database)
    assert stat.S_IMODE(os.stat(database).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(Path(database).parent).st_mode) == 0o700


@pytest.mark.parametrize("seconds, status", [(600, 200), (-60, 403)])
def test_the_service_agrees_about_the_expiry(service, database, seconds, status):
    before = time.time()
    service.seed(database, expires_in=seconds)
    token = json.loads(value(database, TOKEN_KEY))
    whole = time.strptime(token["expires_at"].partition(".")[0] + "UTC", "%Y-%m-%dT%H:%M:%S%Z")
    assert -1 <= calendar.timegm(whole) - (before + seconds) <= 10
    assert chat(service, token["access_token"]).status == status


def test_a_profile_makes_it_an_organisations_login(service, database):
    service.seed(database, profile=PROFILE)
    assert (
        json.loads(value(database, TOKEN_KEY))["start_url"] == "https://example.awsapps.com/start"
    )
    profile = value(database, "api.codewhisperer.profile", "state")
    assert json.loads(profile) == {"arn": PROFILE, "profile_name": "Stand-in"}
    assert value(database, "auth.idc.region", "state") == '"us-east-1"'


@pytest.mark.parametrize("flow", ["Pkce", "PKCE"])
def test_a_browser_login_keeps_the_builder_id_url(service, database, flow):
    service.seed(database, flow=flow)
    token = json.loads(value(database, TOKEN_KEY))
    assert (token["oauth_flow"], token["start_url"]) == (flow, "https://view.awsapps.com/start")


def test_unknown_members_are_spelt_as_nobody_would(service, database):
    service.seed(database, unknown_member=True)
    for key in (TOKEN_KEY, REGISTRATION_KEY):
        text = value(database, key)
        assert all(member in text for member in UNKNOWN)
        assert json.loads(text)["x_last"]["n"] == 1000


def test_the_refresh_token_can_be_missing(service, database):
    service.seed(database, refresh_token=False)
    assert json.loads(value(database, TOKEN_KEY))["refresh_token"] is None


def test_a_write_ahead_log_can_be_asked_for(service, database):
    service.seed(database, wal=True)
    assert rows(database, "PRAGMA journal_mode") == [("wal",)]


def test_seeding_again_replaces_the_login_and_leaves_the_rest(service, database):
    service.seed(database)
    connection = sqlite3.connect(database)
    with connection:
        connection.execute("INSERT INTO state VALUES ('telemetryClientId', '\"u\"')")
    connection.close()
    second = service.seed(database)
    assert json.loads(value(database, TOKEN_KEY))["access_token"] == second["access_token"]
    assert value(database, "telemetryClientId", "state") == '"u"'
    assert len(rows(database, "SELECT * FROM migrations")) == 8


def test_the_command_does_the_same(service, database):
    script = Path(__file__).resolve().parent / "seed.py"
    command = [sys.executable, "-B", script, "--service-dir", service.dir, "--db", database]
    run = subprocess.run([*command, "--expires-in", "-60"], capture_output=True, check=True)
    assert (run.stdout, run.stderr) == (b"", b"")
    assert chat(service, json.loads(value(database, TOKEN_KEY))["access_token"]).status == 403
