# SPDX-License-Identifier: Apache-2.0
"""Errors of httpx and failures of the library: either one told as the other."""

from __future__ import annotations

from typing import Iterator, Optional

import httpx

from .. import _ffi as ffi
from .._native import Exchange, Failure


def to_httpx(failure: Failure, request: httpx.Request) -> httpx.TransportError:
    """The exception httpx users expect. Raise it from the failure: `to_failure` looks there."""
    kind: type[httpx.TransportError]
    if failure.status == ffi.E_TIMEOUT:
        kind = httpx.ConnectTimeout if failure.not_sent else httpx.ReadTimeout
    elif failure.status in (ffi.E_NETWORK, ffi.E_TLS):
        kind = httpx.ConnectError if failure.not_sent else httpx.ReadError
    elif failure.status in (ffi.E_PROTOCOL, ffi.E_TRUNCATED, ffi.E_LIMIT):
        kind = httpx.RemoteProtocolError
    elif failure.status == ffi.E_INVALID and not request.url.scheme.startswith("http"):
        kind = httpx.UnsupportedProtocol
    else:  # settings, plugins, closed clients
        kind = httpx.TransportError
    return kind(failure.text, request=request)


_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)


def to_failure(error: httpx.HTTPError, *, answering: bool) -> Failure:
    """What an httpx client raised, in the library's terms. answering: the answer had begun."""
    if isinstance(error.__cause__, Failure):
        return error.__cause__
    status = ffi.E_NETWORK
    if isinstance(error, httpx.TimeoutException):
        status = ffi.E_TIMEOUT
    elif isinstance(error, httpx.RemoteProtocolError):
        if answering:
            status = ffi.E_TRUNCATED
        elif any(type(cause).__module__.startswith(("h11", "h2.")) for cause in _causes(error)):
            status = ffi.E_PROTOCOL  # it said something, but no HTTP
    flags = ffi.ERROR_NOT_SENT if isinstance(error, _NOT_SENT) else 0
    text = next(filter(None, map(str, _causes(error))), type(error).__name__).rstrip(".")
    advice = "check the network or the proxy"
    if "CERTIFICATE_VERIFY_FAILED" in text:
        status = ffi.E_TLS
        advice = "set SSL_CERT_FILE, or pass an http_client with verify="
    return Failure(status, f"{_peer(error)}: {text}, {advice}", flags=flags)


def _peer(error: httpx.HTTPError) -> str:
    """Whom the request was for."""
    try:
        url = error.request.url
    except RuntimeError:  # nobody has said
        return "connection"
    return f"{url.scheme}://{url.netloc.decode('ascii')}"


def _causes(error: Optional[BaseException]) -> Iterator[BaseException]:
    """It, and what it comes from: an error of httpx may have no text of its own."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


# What an exchange is to be told, which may then ask for another attempt.
_NETWORK = {
    ffi.E_NETWORK, ffi.E_TLS, ffi.E_TIMEOUT, ffi.E_PROTOCOL, ffi.E_TRUNCATED, ffi.E_LIMIT
}  # fmt: skip


def fail(exchange: Exchange, error: BaseException, *, answering: bool = False) -> None:
    """Tell the exchange that the network broke; any error that is not about that is raised again."""
    if isinstance(error, httpx.HTTPError):
        error = to_failure(error, answering=answering)
    if not isinstance(error, Failure) or error.status not in _NETWORK:
        raise error
    exchange.fail(error.status, error.text, not_sent=error.not_sent)
