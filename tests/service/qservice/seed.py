# SPDX-License-Identifier: Apache-2.0
"""Put a login issued by a running service into a database as the existing CLI keeps it.

The schema, the keys and the JSON forms are those of docs/protocol.md, section 11. Run as
``python3 -m qservice.seed --service-dir DIR --db PATH [--expires-in S] ...``.
"""

import argparse
import json
import os
import sqlite3
import time
from datetime import datetime, timezone
from pathlib import Path

TOKEN_KEY = "codewhisperer:odic:token"  # sic
REGISTRATION_KEY = "codewhisperer:odic:device-registration"
BUILDER_ID_URL = "https://view.awsapps.com/start"
MIGRATIONS = range(8)
FLOWS = ("DeviceCode", "Pkce", "PKCE")
# Spelt as no writer of today would: only a copy of the bytes leaves it as it is.
UNKNOWN = ('"x_first":[1, 2.50,-0.0]', '"x_last":{"a b":"\\u00E9 \u00e9 \\/","n":1E3, "z":null}')

SCHEMA = """
CREATE TABLE IF NOT EXISTS migrations (
    id INTEGER PRIMARY KEY, version INTEGER NOT NULL, migration_time INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS history (
    id INTEGER PRIMARY KEY, command TEXT, shell TEXT, pid INTEGER, session_id TEXT, cwd TEXT,
    start_time INTEGER, hostname TEXT, exit_code INTEGER, end_time INTEGER, duration INTEGER);
CREATE TABLE IF NOT EXISTS state (key TEXT PRIMARY KEY, value BLOB);
CREATE TABLE IF NOT EXISTS auth_kv (key TEXT PRIMARY KEY, value TEXT);
CREATE TABLE IF NOT EXISTS conversations (key TEXT PRIMARY KEY, value TEXT);
"""


def seed(
    service,
    database,
    expires_in=3600,
    flow="DeviceCode",
    profile=None,
    start_url=None,
    region="us-east-1",
    registration_expires_in=90 * 86400,
    refresh_token=True,
    unknown_member=False,
    wal=False,
):
    """Issue a login and store it; return what the service issued. Other rows are left alone.

    `expires_in` counts from now and may be negative; the service agrees about it. A `profile` makes
    it an organisation's login, unless `start_url` says which; without either it is a Builder ID.
    """
    if profile and not start_url:
        start_url = "https://example.awsapps.com/start"
    login = service.login(
        start_url=start_url,
        profile=profile,
        expires_in=expires_in,
        client_lifetime=registration_expires_in,
    )
    # As a client would have: its own clock and the lifetime it was told.
    login["expires_at"] = time.time() + expires_in
    token, registration = documents(login, flow, region, refresh_token, unknown_member)
    create(database, wal)
    connection = sqlite3.connect(database)
    with connection:
        put(connection, "auth_kv", TOKEN_KEY, token)
        put(connection, "auth_kv", REGISTRATION_KEY, registration)
        if login["start_url"] != BUILDER_ID_URL:
            put(connection, "state", "auth.idc.start-url", _json(login["start_url"]))
            put(connection, "state", "auth.idc.region", _json(region))
        if profile:
            value = _json({"arn": profile, "profile_name": "Stand-in"})
            put(connection, "state", "api.codewhisperer.profile", value)
    connection.close()
    return login


KIRO_KEYS = {
    "oidc": "kirocli:odic:token",
    "social": "kirocli:social:token",
    "external-idp": "kirocli:external-idp:token",
}
KIRO_REGISTRATION_KEY = "kirocli:odic:device-registration"


def seed_kiro(
    service, database, kind="oidc", expires_in=3600, profile=None, unknown_member=False, issuer=None
):
    """Issue a login of this kind and store it as the Kiro CLI does; return what was issued.

    `issuer` is the base URL of an identity provider; by default the service's own, over TLS.
    """
    login = service.login(profile=profile, expires_in=expires_in, kind=kind)
    login["expires_at"] = time.time() + expires_in
    create(database)
    connection = sqlite3.connect(database)
    with connection:
        if kind == "oidc":
            token, registration = documents(
                login, "DeviceCode", "us-east-1", unknown_member=unknown_member
            )
            put(connection, "auth_kv", KIRO_REGISTRATION_KEY, registration)
        else:
            base = (issuer or service.tls_url) + "/idp"
            token = _kiro_document(login, kind, base)
            token = _with_unknown(token) if unknown_member else token
        put(connection, "auth_kv", KIRO_KEYS[kind], token)
    connection.close()
    return login


def _kiro_document(login, kind, base):
    token = {
        "access_token": login["access_token"],
        "expires_at": timestamp(login["expires_at"]),
        "refresh_token": login["refresh_token"],
    }
    if kind == "social":
        return _json({**token, "provider": "Google", "profile_arn": login["profile"]})
    client = {"client_id": login["client_id"]}
    endpoint = base + "/oauth2/token"
    return _json({**token, "issuer_url": base + "/v2.0", "token_endpoint": endpoint, **client})


def documents(login, flow, region, refresh_token=True, unknown_member=False):
    """The token and the registration as the CLI writes them: compact, keys in this order."""
    builder_id_by_device = login["start_url"] == BUILDER_ID_URL and flow == "DeviceCode"
    token = {
        "access_token": login["access_token"],
        "expires_at": timestamp(login["expires_at"]),
        "refresh_token": login["refresh_token"] if refresh_token else None,
        "region": region,
        "start_url": None if builder_id_by_device else login["start_url"],
        "oauth_flow": flow,
        "scopes": login["scopes"],
    }
    registration = {
        "client_id": login["client_id"],
        "client_secret": login["client_secret"],
        "client_secret_expires_at": timestamp(login["client_secret_expires_at"], nanoseconds=False),
        "region": region,
        "oauth_flow": flow,
        "scopes": login["scopes"],
    }
    texts = _json(token), _json(registration)
    return tuple(_with_unknown(text) for text in texts) if unknown_member else texts


def _with_unknown(text):
    """One member amid the others and one at the end."""
    first, last = UNKNOWN
    amid = '"region":' if '"region":' in text else '"refresh_token":'
    return text.replace(amid, first + "," + amid, 1)[:-1] + "," + last + "}"


def timestamp(epoch, nanoseconds=True):
    """A time as the CLI writes it: nine digits for a moment it computed, none for whole seconds."""
    text = datetime.fromtimestamp(int(epoch), timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")
    if not nanoseconds:
        return text + "Z"
    digits = int((epoch % 1) * 1e9) // 10 * 10 + 7  # never ends in zero: zeros would be stripped
    return f"{text}.{digits:09d}Z"


def create(database, wal=False):
    """Make a database of the CLI's schema, complete with its eight migrations, if there is none."""
    path = Path(database)
    if not path.parent.is_dir():
        path.parent.mkdir(mode=0o700, parents=True)
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    connection = sqlite3.connect(path)
    if wal:
        connection.execute("PRAGMA journal_mode=WAL")
    connection.executescript(SCHEMA)
    with connection:
        known = {row[0] for row in connection.execute("SELECT version FROM migrations")}
        connection.executemany(
            "INSERT INTO migrations (version, migration_time) VALUES (?, ?)",
            [(version, int(time.time())) for version in MIGRATIONS if version not in known],
        )
    connection.close()


def put(connection, table, key, value):
    """Store text: the CLI's reader refuses a BLOB even in a BLOB column."""
    sql = f"INSERT OR REPLACE INTO {table} (key, value) VALUES (?, ?)"
    connection.execute(sql, (key, value))


def _json(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def main():
    from .client import Service

    parser = argparse.ArgumentParser(prog="seed", description=__doc__.partition("\n")[0])
    parser.add_argument("--service-dir", required=True, help="directory of the running service")
    parser.add_argument("--db", required=True, help="database to write, made if there is none")
    parser.add_argument("--expires-in", type=float, default=3600, help="seconds, may be negative")
    parser.add_argument("--flow", choices=FLOWS, default="DeviceCode")
    parser.add_argument(
        "--profile", metavar="ARN", help="an organisation's login with this profile"
    )
    parser.add_argument("--start-url", metavar="URL", help="default: Builder ID")
    parser.add_argument("--region", default="us-east-1")
    parser.add_argument("--registration-expires-in", type=int, default=90 * 86400, metavar="S")
    parser.add_argument("--no-refresh-token", action="store_true")
    parser.add_argument("--unknown-member", action="store_true", help="members no version knows")
    parser.add_argument("--wal", action="store_true", help="write-ahead log instead of a journal")
    options = parser.parse_args()
    Service.attach(options.service_dir).seed(
        options.db,
        expires_in=options.expires_in,
        flow=options.flow,
        profile=options.profile,
        start_url=options.start_url,
        region=options.region,
        registration_expires_in=options.registration_expires_in,
        refresh_token=not options.no_refresh_token,
        unknown_member=options.unknown_member,
        wal=options.wal,
    )


if __name__ == "__main__":
    main()
