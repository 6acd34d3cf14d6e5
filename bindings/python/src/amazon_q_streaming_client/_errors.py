# SPDX-License-Identifier: Apache-2.0
"""What can go wrong, as one tree. The text of an error is the library's line.

    QError
    ├── QConnectionError              name, route, connection, TLS
    │   └── QTimeoutError
    ├── QProtocolError                the answer is not what the protocol says
    ├── QStreamInterrupted            the answer stopped in the middle
    ├── QAuthError                    no login, or only a new one helps
    │   ├── QNotLoggedIn
    │   ├── QLoginNeeded
    │   ├── QTokenRejected            the service does not take the access token
    │   └── QTokenUnavailable         could not be refreshed or saved now
    ├── QStatusError                  the service refused: see code, reason, status
    │   ├── QAccessDenied  QValidationError ─ QInputTooLong  QConflict
    │   ├── QThrottled ─ QOverloaded  QQuotaExceeded
    │   └── QServiceError
    ├── QStoreError                   the login cannot be read or written
    ├── QTooManyRounds                a run of tools has no end (_tool_run.py)
    ├── QConfigurationError           an argument, a setting or a plugin is wrong
    └── QClosedError                  used after it was closed, or in a forked child
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Optional

from . import _ffi as ffi
from ._native import Failure, Fault

if TYPE_CHECKING:
    from ._answer import FinalMessage
else:
    FinalMessage = Any  # whose import would be that of every model

__all__ = [
    "QAccessDenied",
    "QAuthError",
    "QClosedError",
    "QConfigurationError",
    "QConflict",
    "QConnectionError",
    "QError",
    "QInputTooLong",
    "QLoginNeeded",
    "QNotLoggedIn",
    "QOverloaded",
    "QProtocolError",
    "QQuotaExceeded",
    "QServiceError",
    "QStatusError",
    "QStoreError",
    "QStreamInterrupted",
    "QThrottled",
    "QTimeoutError",
    "QTokenRejected",
    "QTokenUnavailable",
    "QValidationError",
]


class QError(Exception):
    """Anything that goes wrong in this package."""

    status: Optional[int] = None
    """HTTP status of the service's answer, if there was one."""
    code: Optional[str] = None
    """The service's name for the error, such as "ThrottlingException"."""
    reason: Optional[str] = None
    """The service's reason, such as "INSUFFICIENT_MODEL_CAPACITY"."""
    request_id: Optional[str] = None
    """What the service calls this request; support will ask for it."""
    is_retry_safe: bool = False
    """The same request may be sent again without being acted upon twice."""
    partial: Optional[FinalMessage] = None
    """The message as far as it came, if it was read by `client.stream` and the answer had begun."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class QConnectionError(QError):
    """The service was not reached, or the connection broke."""


class QTimeoutError(QConnectionError, TimeoutError):
    """A deadline passed."""


class QProtocolError(QError):
    """The answer is not what the protocol says it must be."""


class QStreamInterrupted(QError):
    """The answer stopped in the middle; `partial` has what came."""


class QAuthError(QError):
    """There is no token that the service accepts."""


class QNotLoggedIn(QAuthError):
    """There is no login in the store."""


class QLoginNeeded(QAuthError):
    """There is a login, but only a new one can revive it."""


class QTokenRejected(QAuthError):
    """The service does not accept the access token, nor a new one if there was a way to get it."""


class QTokenUnavailable(QAuthError):
    """The token has expired and could not be refreshed, or saved, now. The login is kept."""


class QStatusError(QError):
    """The service refused the request, or broke off its answer; `code` and `reason` say why."""


class QAccessDenied(QStatusError):
    """The account may not do this."""


class QThrottled(QStatusError):
    """Too many requests now."""


class QOverloaded(QThrottled):
    """The model has no capacity now."""


class QQuotaExceeded(QStatusError):
    """A monthly or conversation quota is used up."""


class QValidationError(QStatusError):
    """The service says that the request is malformed."""


class QInputTooLong(QValidationError):
    """The input does not fit into the model's context window."""


class QConflict(QStatusError):
    """The service's state forbids the request."""


class QServiceError(QStatusError):
    """The service failed, or in a way that is not known."""


class QStoreError(QError):
    """The login could not be read or written."""


class QConfigurationError(QError, ValueError):
    """An argument, a setting or a plugin is wrong."""


class QClosedError(QError):
    """The client was closed, or belongs to the parent of this forked process."""


_CLASSES: dict[int, type[QError]] = {
    ffi.E_INVALID: QConfigurationError,
    ffi.E_STATE: QClosedError,
    ffi.E_FORKED: QClosedError,
    ffi.E_CANCELLED: QClosedError,
    ffi.E_NOTFOUND: QStoreError,
    ffi.E_CHANGED: QStoreError,
    ffi.E_BUSY: QStoreError,
    ffi.E_READONLY: QStoreError,
    ffi.E_DENIED: QStoreError,
    ffi.E_CORRUPT: QStoreError,
    ffi.E_IO: QStoreError,
    ffi.E_UNAVAILABLE: QStoreError,
    ffi.E_PLUGIN: QConfigurationError,
    ffi.E_UNSUPPORTED: QConfigurationError,
    ffi.E_NETWORK: QConnectionError,
    ffi.E_TLS: QConnectionError,
    ffi.E_TIMEOUT: QTimeoutError,
    ffi.E_PROTOCOL: QProtocolError,
    ffi.E_TRUNCATED: QStreamInterrupted,
    ffi.E_LIMIT: QProtocolError,
    ffi.E_NOT_LOGGED_IN: QNotLoggedIn,
    ffi.E_LOGIN_NEEDED: QLoginNeeded,
    ffi.E_REFRESH: QTokenUnavailable,
    ffi.E_EXPIRED: QTokenUnavailable,
    ffi.E_NOT_SAVED: QTokenUnavailable,
    ffi.E_AUTH: QTokenRejected,
    ffi.E_ACCESS: QAccessDenied,
    ffi.E_THROTTLED: QThrottled,
    ffi.E_QUOTA: QQuotaExceeded,
    ffi.E_OVERLOADED: QOverloaded,
    ffi.E_TOO_LONG: QInputTooLong,
    ffi.E_VALIDATION: QValidationError,
    ffi.E_CONFLICT: QConflict,
    ffi.E_SERVICE: QServiceError,
}

# Refused before anything was done; all else may have been acted upon.
_REFUSED = {ffi.E_THROTTLED, ffi.E_OVERLOADED, ffi.E_AUTH, ffi.E_REFRESH, ffi.E_BUSY}

# Reasons of a ThrottlingException that are over with the day or the month only.
_QUOTAS = {"DAILY_REQUEST_COUNT", "MONTHLY_REQUEST_COUNT"}


def error_from(failure: Failure, fault: Optional[Fault] = None, *, answering: bool = False) -> QError:
    """The error for a failure of the library.

    answering: the answer had begun, so that a connection that breaks has interrupted a stream.
    """
    if failure.status == ffi.E_NOMEM:
        raise MemoryError(failure.text) from None
    broken = (ffi.E_NETWORK, ffi.E_TLS, ffi.E_TIMEOUT)
    kind = _CLASSES.get(failure.status, QError)
    used_up = fault is not None and fault.reason in _QUOTAS
    if answering and failure.status in broken:
        kind = QStreamInterrupted
    elif used_up and failure.status == ffi.E_THROTTLED:
        kind = QQuotaExceeded  # sent as throttling, but waiting a moment does not help
    error = kind(failure.text)
    error.status = failure.http or (fault.http if fault else 0) or None
    refused = failure.status in _REFUSED and not used_up
    error.is_retry_safe = not answering and (failure.not_sent or refused)
    if fault is not None:
        error.code = fault.code or None
        error.reason = fault.reason or None
        error.request_id = fault.request_id or None
    return error
