# SPDX-License-Identifier: Apache-2.0
"""What the tests of the keyring look at behind the command's back."""

import json
import sqlite3

from command import TOKEN_KEY

REGISTRATION_KEY = "codewhisperer:odic:device-registration"
PROFILE_KEY = "api.codewhisperer.profile"
EXPORT = ("user", "export-token", "--quiet")
REFRESH = "CreateToken:refresh_token"
TO_KEYRING = ("user", "migrate", "--from", "sqlite", "--to", "keyring")
TO_SQLITE = ("user", "migrate", "--from", "keyring", "--to", "sqlite")


def in_keyring(session):
    """Keys and values of the one item that holds the login; {} if there is none."""
    found = session.items(application="amazonq", login="default")
    assert len(found) <= 1, f"{len(found)} items hold the login"
    return json.loads(found[0]) if found else {}


def token_in_keyring(session):
    return json.loads(in_keyring(session)[TOKEN_KEY])


def in_database(q):
    """Keys and values of the login in the database."""
    if not q.db.exists():
        return {}
    connection = sqlite3.connect(q.db)
    rows = dict(connection.execute("SELECT key, value FROM auth_kv"))
    profile = "SELECT key, value FROM state WHERE key = ?"
    rows.update(connection.execute(profile, [PROFILE_KEY]))
    connection.close()
    return {k: v.decode() if isinstance(v, bytes) else v for k, v in rows.items()}


def assert_nowhere_in_plain(home, *secrets):
    """None of these texts is in any file below home."""
    looked_at = 0
    for path in home.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            looked_at += 1
            for secret in secrets:
                assert secret.encode() not in content, f"a secret is in {path}"
    assert looked_at
