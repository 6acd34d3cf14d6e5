# SPDX-License-Identifier: Apache-2.0
"""What both clients have in common: options, bodies of requests, and what answers are read as."""

from __future__ import annotations

import json
import threading
from functools import partial
from typing import Any, Mapping, NamedTuple, Optional

from pydantic import ValidationError

from . import _ffi as ffi
from ._auth import Tokens, checked_settings
from ._errors import QClosedError, QConfigurationError, QProtocolError, error_from
from ._events import Event, parse_event, text_event
from ._http import Timeouts, checked_timeout
from ._native import Client, EventTuple, Exchange, Failure
from .models import (
    GetUsageLimitsResponse,
    ListAvailableModelsResponse,
    ListAvailableProfilesResponse,
    Shape,
)
from .models._base import wire_name

_RETRIES_MAX = 100


class Request(NamedTuple):
    """What a method of a client was asked for."""

    call: int
    body: bytes
    profile_arn: Optional[str]  # None: the client's
    timeout: Timeouts
    max_attempts: int

    def __repr__(self) -> str:  # the body is what the user wrote
        return f"<request {self.call}>"


class Options:
    """How requests are made; immutable, but for the native client that knows the settings."""

    def __init__(
        self,
        settings: dict[str, str],
        transport: Optional[str],
        region: str,
        profile_arn: Optional[str],
        max_attempts: int,
        user_agent: str,
    ) -> None:
        self.settings = settings
        self.transport = transport
        self._region = region
        self._profile_arn = profile_arn
        self._max_attempts = max_attempts
        self._user_agent = user_agent
        self._lock = threading.RLock()  # several threads may share a client
        self._client: Optional[Client] = None
        self._closed = False

    @classmethod
    def of(
        cls,
        http_client: object,
        transport: Optional[str],
        base_url: Optional[str],
        region: Optional[str],
        profile_arn: Optional[str],
        max_retries: int,
        user_agent: str,
        settings: Optional[Mapping[str, str]],
    ) -> Options:
        if http_client is not None and transport is not None:
            raise QConfigurationError(
                "transport: an http_client has its own, pass one or the other"
            )
        max_attempts = _attempts(max_retries)
        for name, text in {
            "transport": transport,
            "base_url": base_url,
            "region": region,
            "profile_arn": profile_arn,
            "user_agent": user_agent,
        }.items():
            if text is not None:
                encode_text(name, text)
        known = checked_settings(settings)
        for key, value in known.items():
            encode_text("settings", key)
            encode_text(f"settings: {key}", value)
        if base_url is not None:
            known["endpoint"] = base_url
        if transport is not None and transport != "httpx":
            known["transport"] = transport
        return cls(known, transport, region or "", profile_arn, max_attempts, user_agent)

    def __repr__(self) -> str:
        # A URL with a password is refused, but not before the first request.
        endpoint = self.settings.get("endpoint", "").rpartition("@")[2]
        parts = [endpoint, self._region, self.transport]
        return " ".join(part for part in parts if part) or "default"

    def check_open(self) -> None:
        if self._closed:
            raise QClosedError("client: is closed, make a new one")

    def request(
        self,
        call: int,
        body: bytes,
        profile_arn: Optional[str],
        timeout: Timeouts,
        max_retries: Optional[int],
    ) -> Request:
        """Raises a QError for what is wrong with a method's keywords, or if the client is closed."""
        self.check_open()
        if profile_arn is not None:
            encode_text("profile_arn", profile_arn)
        attempts = self._max_attempts if max_retries is None else _attempts(max_retries)
        return Request(call, body, profile_arn, checked_timeout(timeout), attempts)

    def exchange(self, request: Request, token: str, tokens: Tokens) -> Exchange:
        """A request, ready to be sent, with a token of these. Raises a QError for what is wrong with the
        options."""
        profile_arn = request.profile_arn
        if profile_arn is None:
            profile_arn = self._profile_arn or tokens.profile_arn or ""
        encode_text("profile_arn", profile_arn)
        with self._lock:
            self.check_open()
            try:
                if self._client is None:
                    self._client = Client(self.settings, user_agent=self._user_agent)
                exchange = Exchange(
                    self._client,
                    request.call,
                    access_token=token,
                    token_kind=tokens.kind or "",
                    body=request.body,
                    profile_arn=profile_arn,
                    region=self._region,
                    max_attempts=request.max_attempts,
                )
                exchange.accepted = partial(self._remember, profile_arn)
                return exchange
            except Failure as failure:
                raise error_from(failure) from None

    def _remember(self, profile_arn: str, site: str) -> None:
        with self._lock:
            if self._client is not None and not self._closed:
                self._client.remember(profile_arn, site)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            client, self._client = self._client, None
            if client is not None:
                client.close()


def _attempts(max_retries: object) -> int:
    if isinstance(max_retries, bool) or not isinstance(max_retries, int):
        raise QConfigurationError(f"max_retries: must be 0 to {_RETRIES_MAX}, not {max_retries!r}")
    if not 0 <= max_retries <= _RETRIES_MAX:
        raise QConfigurationError(f"max_retries: must be 0 to {_RETRIES_MAX}, not {max_retries}")
    return max_retries + 1


def encode_text(name: str, value: object) -> bytes:
    """Raises QConfigurationError for what is no string, or one that cannot be sent."""
    if not isinstance(value, str):
        raise QConfigurationError(f"{name}: must be a string, not {type(value).__name__}")
    try:
        return value.encode()
    except UnicodeEncodeError:
        raise QConfigurationError(f"{name}: {_SURROGATE}") from None


_SURROGATE = (
    "holds half of a surrogate pair, which no text has; decode what it was made from with "
    "errors='replace'"
)


def build_body(shape: type[Shape], **members: Any) -> bytes:
    """An operation's request as JSON: members by their Python names, None is absent.

    Raises QConfigurationError for what no such request can hold.
    """
    given = {name: value for name, value in members.items() if value is not None}
    try:
        wire = shape(**given).to_wire()
    except ValidationError as error:
        raise QConfigurationError(_misfit(error, given)) from None
    return encode_text("request", json.dumps(wire, ensure_ascii=False, separators=(",", ":")))


def _misfit(error: ValidationError, given: dict[str, Any]) -> str:
    """What is wrong with the first member that does not fit, without its value."""
    wrong = error.errors(include_url=False, include_context=False, include_input=False)[0]
    member, *inside = wrong["loc"]
    what = wrong["msg"][:1].lower() + wrong["msg"][1:]
    for name, value in given.items():
        if not inside and member in (name, wire_name(name)):
            return f"{name}: {what.replace('input ', '', 1)}, not {type(value).__name__}"
    return f"{'.'.join(map(str, wrong['loc']))}: {what}"


def parse_message(message: EventTuple) -> Event:
    """The typed event of a tuple as native/batch.c makes them."""
    kind, payload, name = message
    if type(payload) is str:
        return text_event(payload, name or None)
    try:
        return parse_event(kind, name, payload)
    except ValueError as error:
        raise QProtocolError(f"event '{name}': {error}") from None


_REPLIES: dict[int, type[Shape]] = {
    ffi.CALL_LIST_AVAILABLE_MODELS: ListAvailableModelsResponse,
    ffi.CALL_LIST_AVAILABLE_PROFILES: ListAvailableProfilesResponse,
    ffi.CALL_GET_USAGE_LIMITS: GetUsageLimitsResponse,
}


def parse_reply(call: int, messages: list[EventTuple], request_id: Optional[str]) -> Any:
    """The answer of an operation that does not stream."""
    if not messages:
        raise QProtocolError("service: sent no answer")
    try:
        return _REPLIES[call].from_wire(messages[0][1])
    except ValueError as error:
        wrong = QProtocolError(f"service: the answer is not what it must be: {error}")
        wrong.request_id = request_id
        raise wrong from None
