# SPDX-License-Identifier: Apache-2.0
"""httpx: the one package that imports it.

`NativeTransport` and `SyncNativeTransport` make httpx use the library's transport plugin. They can be given
to any httpx client. `AsyncSender` and `Sender` send an exchange's request: over one of these transports itself,
when the caller has no client, else through the caller's.
"""

from .clients import (
    AsyncHttpClient,
    HttpClient,
    check_http_client,
    default_http,
    default_sync_http,
)
from .sender import Answer, AsyncAnswer, AsyncSender, Sender
from .timeouts import NOT_GIVEN, Timeouts, checked_timeout
from .transport import NativeAnswer, NativeTransport, SyncNativeTransport

__all__ = [
    "NOT_GIVEN",
    "Answer",
    "AsyncAnswer",
    "AsyncHttpClient",
    "AsyncSender",
    "HttpClient",
    "NativeAnswer",
    "NativeTransport",
    "Sender",
    "SyncNativeTransport",
    "Timeouts",
    "check_http_client",
    "checked_timeout",
    "default_http",
    "default_sync_http",
]
