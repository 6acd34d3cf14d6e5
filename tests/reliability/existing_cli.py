# SPDX-License-Identifier: Apache-2.0
"""
How the existing CLI gets a token (docs/protocol.md, section 10), to the letter and with its flaws:
no lock, no second look, and a login deleted because somebody else was faster. See harness.Workers.
What each one did to the token row comes out with its end: [refresh token before, and after], null
where there is no row.
"""

import json
import sqlite3
import sys
import time
import urllib.error
import urllib.request
from contextlib import closing
from datetime import datetime, timezone

TOKEN_KEY = "codewhisperer:odic:token"
REGISTRATION_KEY = "codewhisperer:odic:device-registration"
MARGIN_S, BUSY_S, ATTEMPTS = 60, 5, 3
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class ServiceError(Exception):
    """The service answered, and did not give a token."""


class TransportError(Exception):
    pass


def main(database, url):
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        cli = ExistingCli(database, url, json.loads(line).get("clock", 0))
        outcome = cli.token()
        print(json.dumps({"outcome": outcome, "changes": cli.changes}), flush=True)


class ExistingCli:
    def __init__(self, database, url, clock):
        """`clock` is how many seconds it is later than it is."""
        self.database, self.url, self.clock = database, url, clock
        self.changes = []

    def token(self):
        found = self.load(TOKEN_KEY)
        if found is None:
            return "not logged in"
        if not self.expired(found["expires_at"]):
            return "valid"
        if not found.get("refresh_token"):
            self.delete(TOKEN_KEY)
            return "not logged in"
        registration = self.registration(found)
        if registration is None:
            return "not logged in"
        try:
            answer = self.create_token(registration, found["refresh_token"])
        except ServiceError as error:
            if str(error) != "slow_down":
                self.delete(TOKEN_KEY)
            return f"service error {error}"
        except TransportError:
            return "transport error"
        try:
            self.save({**found, **self.renewed(answer)})
        except sqlite3.OperationalError:
            return "refreshed, not saved"  # it only logs this
        return "refreshed"

    def registration(self, token):
        found = self.load(REGISTRATION_KEY)
        if found is None:
            return None
        end = found.get("client_secret_expires_at")
        if end is None or self.expired(end) or found["region"] != token["region"]:
            self.delete(REGISTRATION_KEY)
            return None
        return found if found["oauth_flow"] == token["oauth_flow"] else None

    def renewed(self, answer):
        end = datetime.fromtimestamp(self.now() + answer["expiresIn"], timezone.utc)
        return {
            "access_token": answer.get("accessToken", ""),
            "expires_at": end.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "refresh_token": answer.get("refreshToken"),
        }

    def create_token(self, registration, refresh_token):
        body = {
            "clientId": registration["client_id"],
            "clientSecret": registration["client_secret"],
            "grantType": "refresh_token",
            "refreshToken": refresh_token,
        }
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self.post(body)
            except (TransportError, ServiceError) as error:
                resent = isinstance(error, TransportError) or str(error) == "server_error"
                if attempt == ATTEMPTS or not resent:
                    raise
        raise AssertionError

    def post(self, body):
        headers = {"content-type": "application/json"}
        data = json.dumps(body).encode()
        request = urllib.request.Request(self.url + "/token", data=data, headers=headers)
        try:
            with OPENER.open(request, timeout=30) as reply:
                return json.load(reply)
        except urllib.error.HTTPError as error:
            raise ServiceError(_error_name(error)) from None
        except ValueError:
            raise ServiceError("unhandled") from None
        except OSError as error:
            raise TransportError(str(error)) from None

    def load(self, key):
        with self.connect() as connection:
            return _row(connection, key)

    def save(self, token):
        text = json.dumps(token, separators=(",", ":"))
        self.change("INSERT OR REPLACE INTO auth_kv (key, value) VALUES (?, ?)", TOKEN_KEY, text)

    def delete(self, key):
        self.change("DELETE FROM auth_kv WHERE key = ?", key)

    def change(self, sql, *values):
        """One statement; the transaction around it only shows what it did."""
        with self.connect() as connection:
            connection.execute("BEGIN IMMEDIATE")
            before = _row(connection, TOKEN_KEY)
            connection.execute(sql, values)
            after = _row(connection, TOKEN_KEY)
            connection.execute("COMMIT")
        if before != after:
            self.changes.append([row and row["refresh_token"] for row in (before, after)])

    def connect(self):
        return closing(sqlite3.connect(self.database, timeout=BUSY_S, isolation_level=None))

    def now(self):
        return time.time() + self.clock

    def expired(self, text):
        seconds, _, _ = text.rstrip("Z").partition(".")
        end = datetime.fromisoformat(seconds).replace(tzinfo=timezone.utc).timestamp()
        return self.now() + MARGIN_S > end


def _row(connection, key):
    found = connection.execute("SELECT value FROM auth_kv WHERE key = ?", [key]).fetchone()
    return json.loads(found[0]) if found else None


def _error_name(error):
    try:
        return json.load(error)["error"]
    except (ValueError, KeyError):
        return "unhandled"


def log_out(database):
    """Two statements, each a transaction of its own, the token first."""
    cli = ExistingCli(database, None, 0)
    cli.delete(TOKEN_KEY)
    cli.delete(REGISTRATION_KEY)


if __name__ == "__main__":
    main(*sys.argv[1:])
