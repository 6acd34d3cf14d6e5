# SPDX-License-Identifier: Apache-2.0
"""libamazonq as ctypes sees it: structs, then functions in the order of the headers, and nothing else.

This is the only file that knows ctypes. What C calls never block goes through PyDLL, which keeps the GIL
(a call costs half as much); what may block goes through CDLL, which releases it.
"""

from __future__ import annotations

import ctypes
import os
import pathlib
import sys
from ctypes import (
    POINTER,
    Structure,
    byref,
    c_char,
    c_int,
    c_int32,
    c_int64,
    c_size_t,
    c_uint8,
    c_uint32,
    c_uint64,
    c_void_p,
    pointer,
    py_object,
    sizeof,
    string_at,
)
from typing import Any

__all__ = ["byref", "c_int32", "c_void_p", "pointer", "sizeof"]

# ---- constants (status.h, client.h, token.h, stream.h, exchange.h) ----

OK, AGAIN, END = 0, 1, 2
E_INVALID, E_STATE, E_NOMEM, E_FORKED, E_CANCELLED = -1, -2, -3, -4, -5
E_NOTFOUND, E_CHANGED, E_BUSY, E_READONLY, E_DENIED = -10, -11, -12, -13, -14
E_CORRUPT, E_IO, E_UNAVAILABLE = -15, -16, -17
E_PLUGIN, E_UNSUPPORTED = -20, -21
E_NETWORK, E_TLS, E_TIMEOUT, E_PROTOCOL, E_TRUNCATED, E_LIMIT = -30, -31, -32, -33, -34, -35
E_NOT_LOGGED_IN, E_LOGIN_NEEDED, E_REFRESH, E_EXPIRED, E_NOT_SAVED = -40, -41, -42, -43, -44
E_AUTH, E_ACCESS, E_THROTTLED, E_QUOTA, E_OVERLOADED = -50, -51, -52, -53, -54
E_TOO_LONG, E_VALIDATION, E_CONFLICT, E_SERVICE = -55, -56, -57, -58
ERROR_NOT_SENT = 1

EVENT_TOKEN, EVENT_WARNING, EVENT_RETRY, EVENT_NEED_TOKEN, EVENT_RESPONSE = 1, 2, 3, 4, 5
EVENT_MESSAGE, EVENT_REPLY, EVENT_SEND, EVENT_HEAD, EVENT_BODY = 6, 7, 8, 9, 10
EVENT_VISIT, EVENT_WAITING, EVENT_PROFILES, EVENT_LOGGED_IN = 13, 14, 15, 16

CLIENT_NO_ENV, CLIENT_NO_SETTINGS = 1, 2
CLIENT_LOG_DEBUG = 4
TOKEN_FORCE_REFRESH, TOKEN_NO_REFRESH = 1, 2
TOKEN_EXTERNAL = 1
LOGIN_DEVICE, LOGIN_BROWSER = 0, 1
LOGIN_ORGANISATION, LOGIN_REPLACE = 1, 2

CALL_GENERATE_ASSISTANT_RESPONSE, CALL_SEND_MESSAGE = 0, 1
CALL_GENERATE_TASK_ASSIST_PLAN, CALL_EXPORT_RESULT_ARCHIVE = 2, 3
CALL_LIST_AVAILABLE_MODELS, CALL_LIST_AVAILABLE_PROFILES, CALL_GET_PROFILE = 4, 5, 6
CALL_GET_USAGE_LIMITS, CALL_CREATE_SUBSCRIPTION_TOKEN = 7, 8

# ---- structs ----


class Str(Structure):
    """struct aq_str and struct aq_bytes: borrowed memory."""

    _fields_ = [("ptr", c_void_p), ("len", c_size_t)]
    ptr: int | None
    len: int

    def bytes(self) -> bytes:
        return string_at(self.ptr, self.len) if self.ptr else b""

    def text(self) -> str:
        return self.bytes().decode("utf-8", "replace")


class Error(Structure):
    _fields_ = [
        ("status", c_int32),
        ("sys", c_int32),
        ("http", c_int32),
        ("flags", c_uint32),
        ("text", c_char * 496),
    ]
    status: int
    sys: int
    http: int
    flags: int
    text: bytes


class ClientSetting(Structure):
    _fields_ = [("key", Str), ("value", Str)]


class ClientOptions(Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("flags", c_uint32),
        ("settings", POINTER(ClientSetting)),
        ("setting_count", c_uint32),
        ("setting_stride", c_uint32),
        ("user_agent", Str),
        ("log_level", c_int32),
        ("reserved", c_uint32),
    ]


class Token(Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("flags", c_uint32),
        ("access_token", Str),
        ("refresh_token", Str),
        ("token_type", Str),
        ("expires_at", Str),
        ("expires_at_s", c_int64),
        ("region", Str),
        ("start_url", Str),
        ("profile_arn", Str),
        ("source", Str),
        ("store", Str),
        ("login", Str),
        ("kind", Str),
    ]


class ExchangeHeader(Structure):
    _fields_ = [("name", Str), ("value", Str)]
    name: Str
    value: Str


class Profile(Structure):
    _fields_ = [("struct_size", c_uint32), ("flags", c_uint32), ("arn", Str), ("name", Str)]
    arn: Str
    name: Str


class LoginStep(Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("valid_s", c_uint32),
        ("url", Str),
        ("short_url", Str),
        ("user_code", Str),
        ("callback_url", Str),
        ("profiles", POINTER(Profile)),
        ("profile_count", c_uint32),
        ("profile_stride", c_uint32),
    ]


class LoginOptions(Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("flags", c_uint32),
        ("flow", c_int32),
        ("reserved", c_uint32),
        ("start_url", Str),
        ("region", Str),
        ("profile_arn", Str),
    ]


class Event(Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("type", c_int32),
        ("kind", c_int32),
        ("attempt", c_uint32),
        ("delay_ms", c_uint32),
        ("http", c_int32),
        ("name", Str),
        ("payload", Str),
        ("text", Str),
        ("request_id", Str),
        ("token", POINTER(Token)),
        ("headers", POINTER(ExchangeHeader)),
        ("header_count", c_uint32),
        ("header_stride", c_uint32),
        ("login", POINTER(LoginStep)),
        ("access_key", c_void_p),
    ]


class TokenOptions(Structure):
    _fields_ = [("struct_size", c_uint32), ("flags", c_uint32), ("min_valid_s", c_int64)]


class StreamOptions(Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("call", c_int32),
        ("access_token", Str),
        ("profile_arn", Str),
        ("body", Str),
        ("prompt", Str),
        ("conversation_id", Str),
        ("model_id", Str),
        ("access_key", c_void_p),
        ("token_kind", Str),
    ]


class ExchangeOptions(Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("flags", c_uint32),
        ("request", POINTER(StreamOptions)),
        ("endpoint", Str),
        ("user_agent", Str),
        ("max_attempts", c_uint32),
        ("reserved", c_uint32),
        ("seed", c_uint8 * 32),
        ("region", Str),
        ("site", Str),
        ("time_s", c_int64),
    ]


class ExchangeRequest(Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("header_count", c_uint32),
        ("header_stride", c_uint32),
        ("reserved", c_uint32),
        ("method", Str),
        ("url", Str),
        ("headers", POINTER(ExchangeHeader)),
        ("body", Str),
    ]


class ExchangeFault(Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("http", c_int32),
        ("code", Str),
        ("reason", Str),
        ("message", Str),
        ("request_id", Str),
    ]


class HttpOptions(Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("header_count", c_uint32),
        ("header_stride", c_uint32),
        ("reserved", c_uint32),
        ("method", Str),
        ("url", Str),
        ("headers", POINTER(ExchangeHeader)),
        ("body", Str),
        ("connect_timeout_ms", c_uint32),
        ("first_byte_timeout_ms", c_uint32),
        ("idle_timeout_ms", c_uint32),
        ("reserved2", c_uint32),
    ]


def profiles(step: LoginStep) -> list[Profile]:
    """The profiles of a step; valid as long as the step."""
    first = ctypes.cast(step.profiles, c_void_p).value or 0
    places = (first + at * step.profile_stride for at in range(step.profile_count))
    return [Profile.from_address(place) for place in places]


def borrowed(value: bytes) -> Str:
    """A view of bytes; valid as long as somebody else keeps them."""
    address = ctypes.cast(ctypes.c_char_p(value), c_void_p).value
    return Str(address, len(value))


event_pointer = POINTER(Event)  # event_pointer() is one that points nowhere yet

# ---- the library ----

_SONAME = "libamazonq.so.0"
_HELPER = "libamazonq-python.so"


def _directory() -> pathlib.Path:
    """AQ_LIBRARY_DIR, or that of the package, which has several places if it is installed editable."""
    named = os.environ.get("AQ_LIBRARY_DIR")
    if named:
        return pathlib.Path(named)
    places = [pathlib.Path(place) / "lib" for place in sys.modules[__package__ or ""].__path__]
    return next((place for place in places if (place / _SONAME).exists()), places[0])


def _load() -> tuple[ctypes.CDLL, ctypes.PyDLL, ctypes.PyDLL]:
    folder = _directory()
    try:
        releasing = ctypes.CDLL(str(folder / _SONAME))
        keeping = ctypes.PyDLL(str(folder / _SONAME))
        helper = ctypes.PyDLL(str(folder / _HELPER))
    except OSError as error:
        raise ImportError(
            f"libamazonq: cannot be loaded from {folder} ({error}); install the package with pip, or set "
            "AQ_LIBRARY_DIR to the directory of a build"
        ) from error
    return releasing, keeping, helper


_blocking, _quick, _helper = _load()

_status = c_int32
_handle = c_void_p


def _bind(library: ctypes.CDLL, name: str, restype: object, *argtypes: object) -> Any:
    try:
        function = getattr(library, name)
    except AttributeError:
        raise ImportError(
            f"libamazonq: the one in {_directory()} has no {name}, it is older than this package; "
            "install both from the same source"
        ) from None
    function.restype = restype
    function.argtypes = argtypes
    return function


# client.h
version = _bind(_quick, "aq_version", ctypes.c_char_p)
status_name = _bind(_quick, "aq_status_name", ctypes.c_char_p, _status)
client_new = _bind(
    _quick, "aq_client_new", _status, POINTER(ClientOptions), POINTER(_handle), POINTER(Error)
)
client_free = _bind(_blocking, "aq_client_free", None, _handle)  # waits for a refresh that was sent
client_fd = _bind(_quick, "aq_client_fd", c_int, _handle)
client_next_log = _bind(
    _quick, "aq_client_next_log", _status, _handle, POINTER(c_int32), POINTER(Str)
)
op_wait = _bind(
    _blocking, "aq_op_wait", _status, _handle, POINTER(POINTER(Event)), POINTER(Error)
)
op_next = _bind(
    _blocking, "aq_op_next", _status, _handle, POINTER(POINTER(Event)), POINTER(Error)
)
op_give_profile = _bind(_quick, "aq_op_give_profile", _status, _handle, Str, POINTER(Error))
client_step_blocking = _bind(_blocking, "aq_client_step", _status, _handle, POINTER(Error))
op_free = _bind(_quick, "aq_op_free", None, _handle)
op_set_userdata = _bind(_quick, "aq_op_set_userdata", None, _handle, c_void_p)

# token.h
token_start = _bind(
    _quick, "aq_token_start", _status, _handle, POINTER(TokenOptions), POINTER(_handle), POINTER(Error)
)

# login.h
login_start = _bind(
    _quick, "aq_login_start", _status, _handle, POINTER(LoginOptions), POINTER(_handle), POINTER(Error)
)

# exchange.h
exchange_new_for = _bind(
    _quick,
    "aq_exchange_new_for",
    _status,
    _handle,
    POINTER(ExchangeOptions),
    POINTER(_handle),
    POINTER(Error),
)
exchange_free = _bind(_quick, "aq_exchange_free", None, _handle)
exchange_deadline = _bind(_quick, "aq_exchange_deadline", c_uint64, _handle)
exchange_request = _bind(
    _quick, "aq_exchange_request", _status, _handle, POINTER(ExchangeRequest), POINTER(Error)
)
exchange_response = _bind(
    _quick,
    "aq_exchange_response",
    _status,
    _handle,
    c_int32,
    POINTER(ExchangeHeader),
    c_uint32,
    c_uint32,
    POINTER(Error),
)
exchange_feed = _bind(
    _quick, "aq_exchange_feed", _status, _handle, ctypes.c_char_p, c_size_t, POINTER(Error)
)
exchange_finish = _bind(_quick, "aq_exchange_finish", _status, _handle, POINTER(Error))
exchange_fail = _bind(
    _quick, "aq_exchange_fail", _status, _handle, POINTER(Error), POINTER(Error)
)
exchange_fault = _bind(_quick, "aq_exchange_fault", _status, _handle, POINTER(ExchangeFault))
exchange_remember = _bind(
    _quick, "aq_exchange_remember", _status, _handle, Str, Str, POINTER(Error)
)
exchange_give_token = _bind(
    _quick, "aq_exchange_give_token", _status, _handle, Str, POINTER(Error)
)

# http.h
http_start = _bind(
    _quick, "aq_http_start", _status, _handle, POINTER(HttpOptions), POINTER(_handle), POINTER(Error)
)
http_feed = _bind(_quick, "aq_http_feed", _status, _handle, _handle, POINTER(Error))

# native/batch.c
op_drain = _bind(
    _helper, "aqpy_op_drain", py_object, _handle, c_int, POINTER(_status), POINTER(Error)
)
exchange_drain = _bind(
    _helper, "aqpy_exchange_drain", py_object, _handle, c_int, POINTER(_status), POINTER(Error)
)
exchange_send = _bind(
    _helper,
    "aqpy_exchange_send",
    _status,
    _handle,
    _handle,
    c_uint32,
    c_uint32,
    POINTER(_handle),
    POINTER(Error),
)
exchange_receive = _bind(
    _helper, "aqpy_exchange_receive", _status, _handle, _handle, POINTER(Error)
)
client_step = _bind(
    _helper, "aqpy_client_step", py_object, _handle, c_int, POINTER(_status), POINTER(Error)
)
