# SPDX-License-Identifier: Apache-2.0
"""The host's login, and the ways into a container: functions of a box and a host."""

import json
import os
import sqlite3

import leaks
from box import HOST_UID
from broker import Broker
from command import Command


class Host(Command):
    """The host and its user, who is logged in."""

    def __init__(self, service, home, expires_in):
        super().__init__(home)
        self.env |= {"Q_ENDPOINT_URL": service.url, "AWS_ENDPOINT_URL_SSO_OIDC": service.url}
        service.seed(self.db, expires_in=expires_in)
        self.broker = None
        (home / "run").mkdir(mode=0o700)
        for name in (home, *home.rglob("*")):
            os.chown(name, HOST_UID, HOST_UID)

    def start(self, *args, **options):
        user = {"user": HOST_UID, "group": HOST_UID} if os.geteuid() == 0 else {}
        return super().start(*args, **user, **options)

    def start_broker(self):
        """Return when it has seen to the login, which it does without being asked."""
        self.broker = Broker(self).start()
        self.broker.logged(" login source=")

    def leave(self):
        """Nobody runs any more, and no secret was left behind."""
        if self.broker:
            assert self.broker.stop() == 0
        leaks.check_files(self.home, self.asked)

    def assert_sound(self):
        """Nothing but the login has changed, whoever was here."""
        for name in (self.db.parent, *self.db.parent.iterdir()):
            assert name.stat().st_uid == HOST_UID, f"{name} belongs to somebody else"
            assert name.stat().st_mode & 0o077 == 0, f"{name} can be read by others"
        connection = sqlite3.connect(f"file:{self.db}?mode=ro", uri=True)
        try:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        finally:
            connection.close()

    def assert_login_is_good(self):
        """The refresh token that is stored is the one that counts, which only using it can tell."""
        result = self.run("user", "export-token", "--force-refresh", "--access-only", "--quiet")
        assert result.code == 0, result


def directory(box, host):
    box.mount(host.db.parent, box.data)


def read_only_directory(box, host):
    box.mount(host.db.parent, box.data, read_only=True)


def file(box, host):
    box.mount(host.db, box.data / host.db.name)


def read_only_file(box, host):
    box.mount(host.db, box.data / host.db.name, read_only=True)


def broker_socket(box, host):
    host.start_broker()
    directory = box.mount(host.broker.dir, box.top / "broker", read_only=True)
    box.env |= {"Q_STORE": "broker", "Q_BROKER_SOCKET": str(directory / "broker.sock")}


def token_file(box, host):
    """What `q user export-token --access-only` printed, now or long ago."""
    path = host.home / "token"
    members = ("access_token", "expires_at", "region")
    host.asked.append(path)
    path.touch(mode=0o600)
    path.write_text(json.dumps({name: host.stored()[name] for name in members}))
    os.chown(path, HOST_UID, HOST_UID)
    box.env["Q_TOKEN_FILE"] = str(box.mount(path, box.top / "token", read_only=True))


WAYS = {
    "directory": directory,
    "read-only directory": read_only_directory,
    "file": file,
    "read-only file": read_only_file,
    "broker socket": broker_socket,
    "token file": token_file,
}
