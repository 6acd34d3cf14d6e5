# SPDX-License-Identifier: Apache-2.0
"""Loads a store plugin into this interpreter with ctypes, beside Python's own sqlite3."""

import ctypes as c

OK, AGAIN, E_BUSY, E_NOTFOUND = 0, 1, -12, -10
CHANGE_PUT = 2
TOKEN_KEY = b"codewhisperer:odic:token"


class Str(c.Structure):
    _fields_ = [("ptr", c.c_char_p), ("len", c.c_size_t)]


class Error(c.Structure):
    _fields_ = [
        ("status", c.c_int32),
        ("sys", c.c_int32),
        ("http", c.c_int32),
        ("flags", c.c_uint32),
        ("text", c.c_char * 496),
    ]


class Value(c.Structure):
    _fields_ = [("text", Str), ("number", c.c_int64)]


Put = c.CFUNCTYPE(c.c_int32, c.c_void_p, c.c_void_p, Str, Str)


class Host(c.Structure):
    _fields_ = [
        ("struct_size", c.c_uint32),
        ("abi_minor", c.c_uint32),
        ("ctx", c.c_void_p),
        ("log", c.c_void_p),
        ("now_us", c.c_void_p),
        ("put", Put),
        ("ready", c.c_void_p),
    ]


class OpenArgs(c.Structure):
    _fields_ = [
        ("struct_size", c.c_uint32),
        ("value_count", c.c_uint32),
        ("value_stride", c.c_uint32),
        ("reserved", c.c_uint32),
        ("values", c.POINTER(Value)),
        ("host", c.POINTER(Host)),
    ]


class Change(c.Structure):
    _fields_ = [
        ("key", Str),
        ("expect", c.c_int32),
        ("action", c.c_int32),
        ("expected", Str),
        ("value", Str),
    ]


_call = c.CFUNCTYPE(c.c_int32, c.c_void_p, c.POINTER(Error))
_end = c.CFUNCTYPE(None, c.c_void_p)


class Ops(c.Structure):
    _fields_ = [
        ("struct_size", c.c_uint32),
        ("traits", c.c_uint32),
        ("open", c.CFUNCTYPE(c.c_int32, c.POINTER(OpenArgs), c.POINTER(c.c_void_p), c.POINTER(Error))),
        ("close", _end),
        ("get", c.CFUNCTYPE(c.c_int32, c.c_void_p, Str, c.c_void_p, c.POINTER(Error))),
        ("list", c.CFUNCTYPE(c.c_int32, c.c_void_p, c.c_void_p, c.POINTER(Error))),
        (
            "commit",
            c.CFUNCTYPE(
                c.c_int32, c.c_void_p, c.POINTER(Change), c.c_uint32, c.c_uint32, c.POINTER(Error)
            ),
        ),
        ("lock", _call),
        ("unlock", _end),
        ("can_save", _call),
    ]


class Plugin(c.Structure):
    _fields_ = [
        ("struct_size", c.c_uint32),
        ("abi_minor", c.c_uint32),
        ("kind", c.c_int32),
        ("flags", c.c_uint32),
        ("name", c.c_char_p),
        ("version", c.c_char_p),
        ("summary", c.c_char_p),
        ("settings", c.c_void_p),
        ("setting_count", c.c_uint32),
        ("setting_stride", c.c_uint32),
        ("store", c.POINTER(Ops)),
        ("transport", c.c_void_p),
    ]


def text(value):
    return Str(value, len(value))


class Store:
    """One instance of store-sqlite. Calls return the status; `value` is what get found."""

    def __init__(self, library, path, busy_ms=100):
        entry = c.CDLL(library).aq_plugin_v1
        entry.restype = c.POINTER(Plugin)
        self.ops = entry().contents.store.contents
        self.err = Error()
        self.value = None
        self._put = Put(self._keep)
        self._host = Host(c.sizeof(Host), put=self._put)
        self._values = (Value * 2)(Value(text(str(path).encode())), Value(number=busy_ms))
        args = OpenArgs(c.sizeof(OpenArgs), 2, c.sizeof(Value), 0, self._values, c.pointer(self._host))
        self._args = args
        self.self = c.c_void_p()
        assert self.ops.open(args, self.self, self.err) == OK, self.err.text

    def _keep(self, _ctx, _sink, _key, value):
        self.value = c.string_at(value.ptr, value.len)
        return OK

    def get(self, key=TOKEN_KEY):
        self.value = None
        return self.ops.get(self.self, text(key), None, self.err)

    def put(self, value, key=TOKEN_KEY):
        change = Change(key=text(key), action=CHANGE_PUT, value=text(value))
        return self.ops.commit(self.self, change, 1, c.sizeof(Change), self.err)

    def lock(self):
        return self.ops.lock(self.self, self.err)

    def unlock(self):
        self.ops.unlock(self.self)

    def can_save(self):
        return self.ops.can_save(self.self, self.err)

    def close(self):
        self.ops.close(self.self)
