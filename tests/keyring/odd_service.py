#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
odd_service.py HABIT...: a keyring's service that does what no real one does when a test wants it.

It has one collection with items in memory, and sessions without encryption. HABITs are functions at
the end of this file; without one it is as good as any. It ends with its bus, or its parent.
"""

import os
import signal
import sys

import dbus
import dbus.mainloop.glib
import dbus.service
from gi.repository import GLib

ROOT = "/org/freedesktop/secrets"
COLLECTION = ROOT + "/collection/odd"
PROMPT = ROOT + "/prompt/1"
SECRET = "org.freedesktop.Secret"
NOTHING = dbus.ObjectPath("/")
LATE_MS = 10_000


class Refused(dbus.DBusException):
    def __init__(self, name, text="as it was told"):
        super().__init__(text)
        self._dbus_error_name = name


class Keyring:
    """What it knows, and how it behaves."""

    def __init__(self, bus):
        self.bus, self.items, self.calls = bus, {}, {}
        self.locked, self.made = False, 0
        self.habits = {}  # method -> function(how often it was called, default result)

    def done(self, method, result=None):
        self.calls[method] = self.calls.get(method, 0) + 1
        habit = self.habits.get(method)
        return habit(self.calls[method], result) if habit else result


def method(interface, takes, gives):
    return dbus.service.method(f"{SECRET}.{interface}", takes, gives)


class Service(dbus.service.Object):
    def __init__(self, keyring):
        super().__init__(keyring.bus, ROOT)
        self.k = keyring

    @dbus.service.method("org.freedesktop.DBus.Properties", "ss", "v")
    def Get(self, _, name):
        collections = dbus.Array([dbus.ObjectPath(COLLECTION)], "o", variant_level=1)
        return self.k.done(name, collections)

    @method("Service", "sv", "vo")
    def OpenSession(self, algorithm, _):
        if algorithm != "plain":
            raise Refused("org.freedesktop.DBus.Error.NotSupported")
        session = dbus.ObjectPath(ROOT + "/session/1")
        return self.k.done("OpenSession", (dbus.String("", variant_level=1), session))

    @method("Service", "s", "o")
    def ReadAlias(self, _):
        return self.k.done("ReadAlias", dbus.ObjectPath(COLLECTION))

    @method("Service", "ao", "aoo")
    def Unlock(self, _):
        return self.k.done("Unlock", ([], NOTHING))


class Collection(dbus.service.Object):
    def __init__(self, keyring):
        super().__init__(keyring.bus, COLLECTION)
        self.k = keyring

    @dbus.service.method("org.freedesktop.DBus.Properties", "ss", "v")
    def Get(self, _, name):
        return self.k.done(name, dbus.Boolean(self.k.locked, variant_level=1))

    @method("Collection", "a{ss}", "ao")
    def SearchItems(self, _):
        return self.k.done("SearchItems", dbus.Array(self.k.items, "o"))

    @method("Collection", "a{sv}(oayays)b", "oo")
    def CreateItem(self, properties, secret, _):
        result = self.k.done("CreateItem", (None, NOTHING))
        self.k.made += 1
        path = f"{COLLECTION}/{self.k.made}"
        item = Item(self.k, path, properties[f"{SECRET}.Item.Attributes"], secret)
        self.k.items[path] = item
        return dbus.ObjectPath(path), result[1]


class Item(dbus.service.Object):
    def __init__(self, keyring, path, attributes, secret):
        super().__init__(keyring.bus, path)
        self.k, self.path, self.attributes, self.secret = keyring, path, attributes, secret

    @dbus.service.method("org.freedesktop.DBus.Properties", "ss", "v")
    def Get(self, _, name):
        value = dbus.Dictionary(self.attributes, "ss", variant_level=1)
        return self.k.done(name, value)

    @method("Item", "o", "(oayays)")
    def GetSecret(self, _):
        return self.k.done("GetSecret", self.secret)

    @method("Item", "(oayays)", "")
    def SetSecret(self, secret):
        if self.k.done("SetSecret") is None:
            self.secret = secret

    @method("Item", "", "o")
    def Delete(self):
        result = self.k.done("Delete", NOTHING)
        self.k.items.pop(self.path)
        self.remove_from_connection()
        return result


class Prompt(dbus.service.Object):
    def __init__(self, keyring):
        super().__init__(keyring.bus, PROMPT)
        self.k = keyring

    @method("Prompt", "s", "")
    def Prompt(self, _):
        self.k.done("Prompt")

    @method("Prompt", "", "")
    def Dismiss(self):
        self.k.done("Dismiss")

    @dbus.service.signal(f"{SECRET}.Prompt", "bv")
    def Completed(self, dismissed, result):
        pass


# ---- habits ----


def refuses(name, times=1 << 30):
    def habit(call, result):
        if call <= times:
            raise Refused(name)
        return result

    return habit


def loses_sessions(keyring):
    """Of three calls that need one the first two fail."""
    for name in ("GetSecret", "SetSecret", "CreateItem"):
        keyring.habits[name] = refuses(SECRET + ".Error.NoSession", 2)


def says_locked_in_passing(keyring):
    """Once of each call, of a collection that is open."""
    for name in ("GetSecret", "SetSecret", "CreateItem"):
        keyring.habits[name] = refuses(SECRET + ".Error.IsLocked", 1)


def loses_all_sessions(keyring):
    keyring.habits["GetSecret"] = refuses(SECRET + ".Error.NoSession")


def loses_the_session_after_saving(keyring):
    """What is read back is read with another one."""

    def habit(call, result):
        if call == 1:
            raise Refused(SECRET + ".Error.NoSession")
        return result

    keyring.habits["GetSecret"] = habit


def refuses_two_keys(keyring):
    keyring.habits["OpenSession"] = refuses("org.freedesktop.DBus.Error.InvalidArgs", 2)


def refuses_all_keys(keyring):
    keyring.habits["OpenSession"] = refuses("org.freedesktop.DBus.Error.InvalidArgs")


def ends_when_strangers_ask_for_a_session(keyring):
    """As gnome-keyring now and then: who has asked nothing else before is a stranger."""

    def habit(call, result):
        if call > keyring.calls.get("Collections", 0):
            os._exit(1)
        return result

    keyring.habits["OpenSession"] = habit


def does_not_say_what_it_has(keyring):
    keyring.habits["Collections"] = refuses("org.freedesktop.DBus.Error.UnknownProperty")


def finds_too_much(keyring):
    """What matches half of the attributes, or has them with other values."""
    wrong = {"xdg:schema": "org.libamazonq.Login", "application": "amazonq", "login": "other"}
    secret = (dbus.ObjectPath(ROOT + "/session/1"), b"", b"{}", "")
    for i, attributes in enumerate((wrong, {"application": "amazonq"}, {})):
        path = f"{COLLECTION}/other{i}"
        keyring.items[path] = Item(keyring, path, attributes, secret)


def does_not_say_whose_it_is(keyring):
    finds_too_much(keyring)
    keyring.habits["Attributes"] = refuses("org.example.Odd")


def does_not_search(keyring):
    keyring.habits["SearchItems"] = refuses("org.example.Odd")


def does_not_unlock(keyring):
    keyring.locked = True
    keyring.habits["Unlock"] = refuses("org.example.Odd")


def does_not_delete(keyring):
    keyring.habits["Delete"] = refuses("org.example.Odd")


def holds_no_text(keyring):
    keyring.habits["GetSecret"] = lambda call, result: (*result[:2], b"\xff{", "")


def keeps_what_it_had(keyring):
    keyring.habits["SetSecret"] = lambda call, result: "not taken"


def is_locked_meanwhile(keyring):
    keyring.habits["CreateItem"] = refuses(SECRET + ".Error.IsLocked")


def denies(keyring):
    keyring.habits["CreateItem"] = refuses("org.freedesktop.DBus.Error.AccessDenied")


def fails_in_its_own_way(keyring):
    keyring.habits["CreateItem"] = refuses("org.example.Odd")


def has_no_lock(keyring):
    keyring.habits["Locked"] = lambda call, result: dbus.String("no", variant_level=1)


def stays_locked(keyring):
    """And says that it did as it was told."""
    keyring.locked = True


def has_no_collection(keyring):
    keyring.habits["ReadAlias"] = lambda call, result: NOTHING


def is_late(keyring):
    """Each reply comes, but after ten seconds."""

    def habit(call, result):
        GLib.usleep(LATE_MS * 1000)
        return result

    keyring.habits["SearchItems"] = habit


def ends_half_way(keyring):
    keyring.habits["SetSecret"] = lambda call, result: os._exit(0)


def _asks(keyring, complete):
    prompt = Prompt(keyring)
    keyring.locked = True
    keyring.habits["Unlock"] = lambda call, result: ([], dbus.ObjectPath(PROMPT))

    def habit(call, result):
        GLib.idle_add(lambda: complete(prompt) and False)

    keyring.habits["Prompt"] = habit


def asks_and_is_answered(keyring):
    def complete(prompt):
        keyring.locked = False
        prompt.Completed(False, dbus.String("", variant_level=1))

    _asks(keyring, complete)


def asks_and_is_dismissed(keyring):
    _asks(keyring, lambda prompt: prompt.Completed(True, dbus.String("", variant_level=1)))


def asks_and_cannot(keyring):
    _asks(keyring, None)
    keyring.habits["Prompt"] = refuses("org.freedesktop.DBus.Error.Failed")


def main(*habits):
    dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)
    bus = dbus.SessionBus()
    keyring = Keyring(bus)
    kept = [Service(keyring), Collection(keyring)]
    for habit in habits:
        globals()[habit](keyring)
    kept.append(dbus.service.BusName("org.freedesktop.secrets", bus, do_not_queue=True))
    GLib.MainLoop().run()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    main(*sys.argv[1:])
