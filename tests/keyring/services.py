# SPDX-License-Identifier: Apache-2.0
"""Other programs that offer a keyring: a session whose secret service is KeePassXC, or KWallet."""

import base64
import hashlib
import os
import re
import shutil
import subprocess
import uuid

from command import SANITIZED
from session import PASSWORD, ROOT, WITH_US, Session

KEEPASSXC = "[FdoSecrets]\nEnabled=true\nConfirmAccessItem=false\nConfirmDeleteItem=false\n"
KWALLET = "[Wallet]\nFirst Use=false\nEnabled=true\n[org.freedesktop.secrets]\napiEnabled=true\n"
WALLET = "kdewallet"
SALT_BYTES, KEY_ROUNDS, KEY_BYTES = 56, 50_000, 56  # as pam_kwallet has it


class GnomeKeyring(Session):
    """The one that Session is about, by its name."""

    program = "gnome-keyring-daemon"
    asks = False  # before it makes or deletes an item
    opens_late = False  # says "locked" until somebody wants to ask for the password


class _Headless(Session):
    """A Qt program without a display."""

    def _launch(self, *command, typed=b""):
        with open(self.home / "keyring.log", "ab") as log:
            self.keyring = subprocess.Popen(
                [*WITH_US, *command],
                env={**self.env, "QT_QPA_PLATFORM": "offscreen"},
                cwd=self.home,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
            )
        self.keyring.stdin.write(typed)
        self.keyring.stdin.close()
        self._wait(lambda: self.owner_pid() == self.keyring.pid)


class KeePassXC(_Headless):
    """A database of KeePassXC, open to everybody on the bus."""

    program = "keepassxc"
    asks = True  # and answers itself, unless it is set to confirm
    opens_late = False

    def _cli(self, *args, typed):
        env = {**self.env, "QT_QPA_PLATFORM": "offscreen"}
        command = ["keepassxc-cli", *args]
        options = {"env": env, "cwd": self.home, "capture_output": True, "check": True}
        return subprocess.run(command, input=typed.encode(), **options).stdout.decode()

    def start_keyring(self):
        config = self.home / ".config" / "keepassxc"
        config.mkdir(parents=True)
        (config / "keepassxc.ini").write_text(KEEPASSXC)
        line = PASSWORD + "\n"
        self._cli("db-create", "-p", "empty.kdbx", typed=line * 2)
        xml = self._cli("export", "empty.kdbx", typed=line)
        root = uuid.UUID(bytes=base64.b64decode(re.search("<UUID>(.*)</UUID>", xml)[1]))
        item = f"<Key>FDO_SECRETS_EXPOSED_GROUP</Key><Value>{{{root}}}</Value>"
        meta = f"<CustomData><Item>{item}</Item></CustomData></Meta>"
        (self.home / "open.xml").write_text(xml.replace("</Meta>", meta))
        self._cli("import", "-p", "open.xml", "open.kdbx", typed=line * 2)
        self._launch("keepassxc", "--pw-stdin", "open.kdbx", typed=line.encode())
        self._wait(self.is_open)


class KWallet(_Headless):
    """KDE's wallet, opened the way its PAM module does when somebody logs in."""

    program = "kwalletd5"
    asks = False
    opens_late = True  # and answers itself, because it was opened at the login

    def start_keyring(self):
        import dbus

        config = self.home / ".config"
        config.mkdir()
        (config / "kwalletrc").write_text(KWALLET)
        data = self.home / ".local" / "share" / "kwalletd"
        data.mkdir(parents=True)
        salt = os.urandom(SALT_BYTES)
        (data / f"{WALLET}.salt").write_bytes(salt)
        key = hashlib.pbkdf2_hmac("sha512", PASSWORD.encode(), salt, KEY_ROUNDS, KEY_BYTES)
        self._open(key)
        self.kill_keyring()  # a wallet that was just made is no collection before the next start
        self._open(key)
        path = dbus.ObjectPath(f"{ROOT}/collection/{WALLET}")
        self.service().SetAlias("default", path)

    def _open(self, key):
        import dbus

        self._launch("kwalletd5")
        wallet = self.connection().get_object("org.kde.kwalletd5", "/modules/kwalletd5")
        dbus.Interface(wallet, "org.kde.KWallet").pamOpen(WALLET, dbus.ByteArray(key), 0)


# What they do differently from each other they do in every build of ours.
_ALL = (GnomeKeyring,) if SANITIZED else (GnomeKeyring, KeePassXC, KWallet)
SERVICES = [service for service in _ALL if shutil.which(service.program)]
