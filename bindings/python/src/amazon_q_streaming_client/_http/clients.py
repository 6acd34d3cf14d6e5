# SPDX-License-Identifier: Apache-2.0
"""What requests go through: the caller's httpx client, one of ours, or the library's transport."""

from __future__ import annotations

import os
import ssl
from typing import Mapping, Optional, Union

import httpx
from typing_extensions import TypeAlias

from .._errors import QConfigurationError
from .timeouts import DEFAULT_TIMEOUT
from .transport import NativeTransport, SyncNativeTransport

HttpClient: TypeAlias = httpx.Client
AsyncHttpClient: TypeAlias = httpx.AsyncClient


def check_http_client(given: object, *, is_async: bool) -> None:
    """Is the client that a caller gave of the kind that ours needs?"""
    kind: type[object] = httpx.Client
    others = "QStreamingClient takes an httpx.AsyncClient"
    if is_async:
        kind, others = httpx.AsyncClient, "SyncQStreamingClient takes an httpx.Client"
    if given is not None and not isinstance(given, kind):
        raise QConfigurationError(
            f"http_client: must be an httpx.{kind.__name__}, not {type(given).__name__}; {others}"
        )


def default_http(
    settings: Mapping[str, str], transport: Optional[str]
) -> Union[httpx.AsyncClient, NativeTransport]:
    """What we send through when the caller has no client: the library's transport, or httpx."""
    if transport == "httpx":
        return httpx.AsyncClient(
            http2=_has_h2(), verify=_verify(settings), timeout=DEFAULT_TIMEOUT
        )
    return NativeTransport(settings)


def default_sync_http(
    settings: Mapping[str, str], transport: Optional[str]
) -> Union[httpx.Client, SyncNativeTransport]:
    if transport == "httpx":
        return httpx.Client(http2=_has_h2(), verify=_verify(settings), timeout=DEFAULT_TIMEOUT)
    return SyncNativeTransport(settings)


def _verify(settings: Mapping[str, str]) -> Union[ssl.SSLContext, bool]:
    """What httpx shall trust: the certificates that the settings name, or those that it chooses."""
    bundle = settings.get("ca_bundle")
    if bundle is None:
        return True
    try:
        return ssl.create_default_context(cafile=os.path.expanduser(bundle))
    except OSError as error:  # also what ssl says of a file without certificates
        raise QConfigurationError(
            f"ca_bundle: {bundle}: {error.strerror}, name a file with certificates, PEM"
        ) from None


def _has_h2() -> bool:
    from importlib.util import find_spec

    return find_spec("h2") is not None
