#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A desktop session for one test: a bus of its own, gnome-keyring on it, a home for both.

As a program, `session.py COMMAND [ARGUMENT]...` runs a command in a session whose keyring is
unlocked, and ends with its exit code; 77 (skip) where gnome-keyring or a bus is missing.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PASSWORD = "correct horse"
SECRETS, ROOT = "org.freedesktop.secrets", "/org/freedesktop/secrets"
LOGIN_COLLECTION = ROOT + "/collection/login"
START_S = 60
SKIPPED = 77
WITH_US = ["setpriv", "--pdeathsig", "KILL"]  # whatever ends us ends what we started

# A bus on which nothing is started for those who ask for it.
EMPTY_BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:dir={dir}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/>
<allow own="*"/>{rules}</policy></busconfig>
"""


def missing():
    """What is not installed, or None."""
    for program in ("dbus-daemon", "gnome-keyring-daemon"):
        if not shutil.which(program):
            return program
    try:
        import dbus  # noqa: F401
    except ImportError:
        return "python3-dbus"
    return None


class Session:
    """Attributes: home, env (for programs of the session), keyring (the process we started)."""

    def __init__(self, home, starts_services=True, rules="", **env):
        self.home = Path(home)
        self.runtime = self.home / "run"
        self.runtime.mkdir(mode=0o700)
        self.env = {"PATH": "/usr/bin:/bin", "HOME": str(self.home)}
        self.env["XDG_RUNTIME_DIR"] = str(self.runtime)
        self.env.update(env)
        self.keyring = self._connection = None
        self.bus = self._start_bus(starts_services, rules)

    def _start_bus(self, starts_services, rules):
        reader, writer = os.pipe()
        command = [*WITH_US, "dbus-daemon", "--nofork", "--nopidfile", f"--print-address={writer}"]
        if starts_services:
            command.append("--session")
        else:
            config = self.home / "bus.conf"
            config.write_text(EMPTY_BUS.format(dir=self.runtime, rules=rules))
            command.append(f"--config-file={config}")
        with open(self.home / "bus.log", "ab") as log:
            process = subprocess.Popen(command, env=self.env, pass_fds=[writer], stderr=log)
        os.close(writer)
        with open(reader) as address:
            self.env["DBUS_SESSION_BUS_ADDRESS"] = address.readline().strip()
        return process

    # ---- the keyring ----

    def start_keyring(self, password=PASSWORD):
        """With a wrong password the keyring stays locked, with any at first it is made."""
        command = [*WITH_US, "gnome-keyring-daemon", "--unlock", "--foreground"]
        command.append("--components=secrets")
        with open(self.home / "keyring.log", "ab") as log:
            self.keyring = subprocess.Popen(
                command, env=self.env, stdin=subprocess.PIPE, stdout=log, stderr=log
            )
        self.keyring.stdin.write(password.encode())
        self.keyring.stdin.close()
        self._wait(lambda: self.owner_pid() == self.keyring.pid)

    def kill_keyring(self):
        self.keyring.send_signal(signal.SIGKILL)
        self.keyring.wait()
        self._wait(lambda: self.owner_pid() != self.keyring.pid)

    def end_owner(self):
        """End the service that the bus has started."""
        os.kill(self.owner_pid(), signal.SIGKILL)
        self._wait(lambda: self.owner_pid() is None)

    def pause(self, pid=None):
        os.kill(pid or self.keyring.pid, signal.SIGSTOP)

    def resume(self, pid=None):
        os.kill(pid or self.keyring.pid, signal.SIGCONT)

    def lock(self):
        self.service().Lock([self.default_collection()])

    def owner_pid(self):
        """Process that is the secret service, or None."""
        return self._pid_of(SECRETS)

    def is_connected(self, pid):
        """Whether this process is on the bus; those that have ended may be there a moment longer."""
        return any(self._pid_of(name) == pid for name in self._driver().ListNames())

    def _pid_of(self, name):
        """Process that has this name, or None."""
        import dbus

        try:
            return int(self._driver().GetConnectionUnixProcessID(name))
        except dbus.DBusException:
            return None

    # ---- another client of it ----

    def connection(self):
        import dbus.bus

        if not self._connection:
            self._connection = dbus.bus.BusConnection(self.env["DBUS_SESSION_BUS_ADDRESS"])
        return self._connection

    def _driver(self):
        import dbus

        path, name = "/org/freedesktop/DBus", "org.freedesktop.DBus"
        return dbus.Interface(self.connection().get_object(name, path, introspect=False), name)

    def _interface(self, path, name):
        import dbus

        def interface(path, name):
            peer = self.connection().get_object(SECRETS, path, introspect=False)
            return dbus.Interface(peer, name)

        # gnome-keyring may end when the first it is asked is a question that not anybody may ask.
        interface(ROOT, dbus.PROPERTIES_IFACE).Get("org.freedesktop.Secret.Service", "Collections")
        return interface(path, name)

    def service(self):
        return self._interface(ROOT, "org.freedesktop.Secret.Service")

    def default_collection(self):
        return self.service().ReadAlias("default")

    def is_open(self):
        """There is a default collection, and it is not locked."""
        import dbus

        path = self.default_collection()
        if path == "/":
            return False
        properties = self._interface(path, "org.freedesktop.DBus.Properties")
        try:
            return not properties.Get("org.freedesktop.Secret.Collection", "Locked")
        except dbus.DBusException:  # it was taken away meanwhile
            return False

    def _open_session(self):
        import dbus

        return self.service().OpenSession("plain", dbus.String("", variant_level=1))[1]

    def add_item(self, attributes, value):
        """Put an item there as another program does."""
        import dbus

        session = self._open_session()
        collection = self._interface(
            self.default_collection(), "org.freedesktop.Secret.Collection"
        )
        properties = dbus.Dictionary(
            {"org.freedesktop.Secret.Item.Attributes": dbus.Dictionary(attributes, "ss")}, "sv"
        )
        secret = (session, dbus.ByteArray(b""), dbus.ByteArray(value.encode()), "text/plain")
        collection.CreateItem(properties, secret, False)

    def items(self, **attributes):
        """The secrets of the items that have these attributes."""
        import dbus

        session = self._open_session()
        found, _ = self.service().SearchItems(dbus.Dictionary(attributes, "ss"))
        secrets = self.service().GetSecrets(found, session)
        return [bytes(secrets[path][2]).decode() for path in found]

    # ---- the end ----

    def close(self):
        """End everything that was started here, also by the bus."""
        pid = self.owner_pid() if self.bus.poll() is None else None
        for process in filter(None, (self.keyring, self.bus)):
            if process.poll() is None:
                process.kill()
            process.wait()
        if pid and (not self.keyring or pid != self.keyring.pid):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    @staticmethod
    def _wait(condition):
        deadline = time.monotonic() + START_S
        while not condition():
            assert time.monotonic() < deadline, "the keyring's service did not come or go"
            time.sleep(0.01)


def main():
    lacking = missing()
    if lacking:
        print(f"skipped: {lacking} is not installed")
        return SKIPPED
    with tempfile.TemporaryDirectory(prefix="q-keyring.") as home, Session(home) as session:
        session.start_keyring()
        return subprocess.call(sys.argv[1:], env={**os.environ, **session.env})


if __name__ == "__main__":
    sys.exit(main())
