# SPDX-License-Identifier: Apache-2.0
"""The address of an object of the library, and what the library says of a call."""

from __future__ import annotations

import threading
from typing import Any, Iterable, Sequence

from .. import _ffi as ffi
from .failure import Failure

Headers = Sequence["tuple[bytes, bytes]"]
EventTuple = Any  # (int, ...), see native/batch.c

BATCH = 256  # events per call of the library, at most

STREAM_CLOSED = "stream: was closed while it was read, ask again for the rest"


class _Said(threading.local):
    """What the library said of the call that a thread has just made: too large for each object to have its own."""

    def __init__(self) -> None:
        self.error = ffi.Error()
        self.status = ffi.c_int32()


said = _Said()


class Handle:
    """Address of an object of the library, and how it is freed."""

    __slots__ = ("_address", "__weakref__")

    def __init__(self) -> None:
        self._address = ffi.c_void_p()

    def _check(self, status: int) -> None:
        if status < 0:
            raise Failure.of(said.error)

    @property
    def closed(self) -> bool:
        return not self._address

    @property
    def _live(self) -> Any:
        """The address, for a call of the library, which would not survive none."""
        if not self._address:
            raise Failure(ffi.E_CANCELLED, STREAM_CLOSED)
        return self._address


def header_array(headers: Iterable[tuple[bytes, bytes]]) -> Any:
    pairs = list(headers)
    array = (ffi.ExchangeHeader * max(len(pairs), 1))()
    for at, (name, value) in enumerate(pairs):
        array[at].name = ffi.borrowed(name)
        array[at].value = ffi.borrowed(value)
    return array
