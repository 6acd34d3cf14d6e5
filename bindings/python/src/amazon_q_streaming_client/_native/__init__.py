# SPDX-License-Identifier: Apache-2.0
"""The library's objects as Python objects: who owns what, and when it is freed.

A handle belongs to one thread at a time. Closing one twice is harmless; one that was inherited by a
forked child refuses to work and is given back without a trace.
"""

from .client import Client
from .exchange import Exchange, Fault, Request
from .failure import Failure
from .handle import STREAM_CLOSED, EventTuple
from .login import LoginOperation, TokenData, fetch_token
from .operation import ExchangeOperation, HttpOperation, Operation

__all__ = [
    "STREAM_CLOSED",
    "Client",
    "EventTuple",
    "Exchange",
    "ExchangeOperation",
    "Failure",
    "Fault",
    "HttpOperation",
    "LoginOperation",
    "Operation",
    "Request",
    "TokenData",
    "fetch_token",
]
