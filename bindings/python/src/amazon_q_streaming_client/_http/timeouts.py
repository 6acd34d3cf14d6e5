# SPDX-License-Identifier: Apache-2.0
"""How long to wait: what the caller says in httpx's terms, in those of the library."""

from __future__ import annotations

from typing import Any, Optional, Union

import httpx

from .._errors import QConfigurationError

Timeouts = Union[float, httpx.Timeout, None]

NOT_GIVEN: Any = type("NotGiven", (), {"__repr__": lambda self: "NOT_GIVEN"})()

DEFAULT_TIMEOUT = httpx.Timeout(60.0, connect=10.0, pool=None)
"""Seconds: 10 to connect, 60 until the answer begins and between two pieces of it."""

_HTTPX_DEFAULT = httpx.Timeout(5.0)  # what a client has whose maker did not think of timeouts

_LONGEST_MS = 2**31 - 1  # 24 days; what is longer is as good as none


def milliseconds(seconds: Optional[float]) -> int:
    """0 is the library's default; no timeout at all is as long as it can be."""
    if seconds is None or not seconds * 1000 < _LONGEST_MS:
        return _LONGEST_MS
    return max(1, int(seconds * 1000))


def checked_timeout(timeout: Timeouts) -> Timeouts:
    """A timeout of the caller's; one that is too long to count is none."""
    if isinstance(timeout, httpx.Timeout):
        return httpx.Timeout(**{key: _seconds(value) for key, value in timeout.as_dict().items()})
    return timeout if timeout is NOT_GIVEN else _seconds(timeout)


def _seconds(value: object) -> Optional[float]:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
        raise QConfigurationError(
            f"timeout: must be a number of seconds above 0, an httpx.Timeout of such, or None for "
            f"none, not {value!r}"
        )
    return value if value * 1000 < _LONGEST_MS else None


def timeout_for(http: object, wanted: Timeouts) -> httpx.Timeout:
    """What is wanted, or that of the client that sends; ours if its maker did not choose."""
    if wanted is not NOT_GIVEN:
        return wanted if isinstance(wanted, httpx.Timeout) else httpx.Timeout(wanted)
    known = getattr(http, "timeout", _HTTPX_DEFAULT)  # a transport has none
    return DEFAULT_TIMEOUT if known == _HTTPX_DEFAULT else known
