# SPDX-License-Identifier: Apache-2.0
"""Another program's keyring: KeePassXC, which adds attributes of its own to ours."""

import base64
import json
import re
import shutil
import subprocess
import uuid

import pytest
from conftest import KEYRING, command_in
from session import WITH_US, Session
from stored import EXPORT, REFRESH, TO_KEYRING, TO_SQLITE, in_database, in_keyring

PASSWORD = "pw\n"
CONFIG = "[FdoSecrets]\nEnabled=true\nConfirmAccessItem=false\nConfirmDeleteItem=false\n"

pytestmark = pytest.mark.skipif(
    not shutil.which("keepassxc"), reason="keepassxc is not installed"
)


class KeePassXC(Session):
    """A session whose keyring is a database of KeePassXC, open to everybody on the bus."""

    def _cli(self, *args, typed):
        env = {**self.env, "QT_QPA_PLATFORM": "offscreen"}
        command = ["keepassxc-cli", *args]
        options = {"env": env, "cwd": self.home, "capture_output": True, "check": True}
        return subprocess.run(command, input=typed.encode(), **options).stdout.decode()

    def start_keyring(self):
        config = self.home / ".config" / "keepassxc"
        config.mkdir(parents=True)
        (config / "keepassxc.ini").write_text(CONFIG)
        self._cli("db-create", "-p", "empty.kdbx", typed=PASSWORD * 2)
        xml = self._cli("export", "empty.kdbx", typed=PASSWORD)
        root = uuid.UUID(bytes=base64.b64decode(re.search("<UUID>(.*)</UUID>", xml)[1]))
        item = f"<Key>FDO_SECRETS_EXPOSED_GROUP</Key><Value>{{{root}}}</Value>"
        meta = f"<CustomData><Item>{item}</Item></CustomData></Meta>"
        (self.home / "open.xml").write_text(xml.replace("</Meta>", meta))
        self._cli("import", "-p", "open.xml", "open.kdbx", typed=PASSWORD * 2)
        command = [*WITH_US, "keepassxc", "--pw-stdin", "open.kdbx"]
        with open(self.home / "keyring.log", "ab") as log:
            self.keyring = subprocess.Popen(
                command,
                env={**self.env, "QT_QPA_PLATFORM": "offscreen"},
                cwd=self.home,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
            )
        self.keyring.stdin.write(PASSWORD.encode())
        self.keyring.stdin.close()
        self._wait(lambda: self.owner_pid() == self.keyring.pid)
        self._wait(self.is_open)


def test_a_login_moves_there_is_refreshed_by_one_of_four_and_moves_back(home, service):
    with KeePassXC(home) as session:
        session.start_keyring()
        q = command_in(session, service)
        service.seed(q.db, expires_in=-60, unknown_member=True)
        seeded = in_database(q)
        refused = q.run(*TO_KEYRING, "--purge")  # it asks, and answers by itself if it may
        assert refused.code == 3 and "wants to ask before it makes an item" in refused.err
        assert in_database(q) == seeded
        assert q.run("settings", "store.keyring.interactive", "true").code == 0
        assert q.run(*TO_KEYRING, "--purge").code == 0
        assert in_keyring(session) == seeded and in_database(q) == {}

        service.fault(REFRESH, hold="before")
        running = [q.start(*EXPORT, *KEYRING) for _ in range(4)]
        service.wait(REFRESH, held=1)
        service.release()
        results = [process.communicate(timeout=60) for process in running]
        assert [process.returncode for process in running] == [0] * 4, results
        assert len({json.loads(out)["access_token"] for out, _ in results}) == 1
        assert service.calls(REFRESH) == 1

        refreshed = in_keyring(session)
        assert refreshed != seeded
        assert q.run(*TO_SQLITE, "--purge").code == 0
        assert in_database(q) == refreshed
        assert session.items(application="amazonq", login="default") == []
