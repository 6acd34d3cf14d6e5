# SPDX-License-Identifier: Apache-2.0
"""Just enough of the library through ctypes to use clients inside a Python process."""

import ctypes
import os


class Str(ctypes.Structure):
    _fields_ = [("ptr", ctypes.c_void_p), ("len", ctypes.c_size_t)]

    def __str__(self):
        return ctypes.string_at(self.ptr, self.len).decode() if self.len else ""


class Error(ctypes.Structure):
    _fields_ = [
        ("status", ctypes.c_int32),
        ("sys", ctypes.c_int32),
        ("http", ctypes.c_int32),
        ("flags", ctypes.c_uint32),
        ("text", ctypes.c_char * 496),
    ]


class Token(ctypes.Structure):
    _fields_ = [
        ("struct_size", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("access_token", Str),
    ]


class Event(ctypes.Structure):
    _fields_ = [
        ("struct_size", ctypes.c_uint32),
        ("type", ctypes.c_int32),
        ("kind", ctypes.c_int32),
        ("attempt", ctypes.c_uint32),
        ("delay_ms", ctypes.c_uint32),
        ("http", ctypes.c_int32),
        ("name", Str),
        ("payload", Str),
        ("text", Str),
        ("request_id", Str),
        ("token", ctypes.POINTER(Token)),
    ]


AQ_OK, AQ_EVENT_TOKEN, AQ_E_BUSY = 0, 1, -12

_lib = ctypes.CDLL(os.environ["AQ_TEST_LIB"])
_lib.aq_client_free.argtypes = [ctypes.c_void_p]
_lib.aq_client_free.restype = None
_lib.aq_op_free.argtypes = [ctypes.c_void_p]
_lib.aq_op_free.restype = None
for _name in ("aq_client_new", "aq_token_start", "aq_op_wait"):
    getattr(_lib, _name).restype = ctypes.c_int32


class Failed(Exception):
    def __init__(self, error):
        super().__init__(error.text.decode())
        self.status = error.status


class Client:
    def __init__(self):
        self._client, error = ctypes.c_void_p(), Error()
        if _lib.aq_client_new(None, ctypes.byref(self._client), ctypes.byref(error)) != AQ_OK:
            raise Failed(error)

    def close(self):
        _lib.aq_client_free(self._client)
        self._client = None

    def access_token(self):
        op, event, error = ctypes.c_void_p(), ctypes.POINTER(Event)(), Error()
        if _lib.aq_token_start(self._client, None, ctypes.byref(op), ctypes.byref(error)) != AQ_OK:
            raise Failed(error)
        try:
            while True:
                status = _lib.aq_op_wait(op, ctypes.byref(event), ctypes.byref(error))
                if status < 0:
                    raise Failed(error)
                if status == AQ_OK and event.contents.type == AQ_EVENT_TOKEN:
                    return str(event.contents.token.contents.access_token)
        finally:
            _lib.aq_op_free(op)
