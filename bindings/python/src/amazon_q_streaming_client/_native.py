# SPDX-License-Identifier: Apache-2.0
"""The library's objects as Python objects: who owns what, and when it is freed.

A handle belongs to one thread at a time. Closing one twice is harmless; one that was inherited by a
forked child refuses to work and is given back without a trace.
"""

from __future__ import annotations

import logging
import os
import re
import select
import threading
from typing import Any, Callable, Iterable, Mapping, NamedTuple, Optional, Sequence

from . import _ffi as ffi
from ._version import __version__

log = logging.getLogger("amazon_q_streaming_client")

Headers = Sequence["tuple[bytes, bytes]"]
EventTuple = Any  # (int, ...), see native/batch.c

BATCH = 256  # events per call of the library, at most

_LEVELS = {1: logging.ERROR, 2: logging.WARNING, 3: logging.INFO, 4: logging.DEBUG}


# The library's advice names options of the command; this is what a program writes instead.
_ADVICE = {
    "--ca-bundle": "settings={'ca_bundle': PATH}",
    "--identity-provider": "start_url=",
    "--use-device-flow": "browser=False",
}
_CHOICE = re.compile(r"--(login|source|store|transport) ([a-z0-9_-]+)")


def _in_python(text: str) -> str:
    if "--" in text:
        for option, keyword in _ADVICE.items():
            text = text.replace(option, keyword)
        text = _CHOICE.sub(r"\1='\2'", text)
    return text


class Failure(Exception):
    """A negative status of the library. Never reaches the caller of the package: see _errors.py."""

    def __init__(self, status: int, text: str, http: int = 0, flags: int = 0, sys: int = 0) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.http = http
        self.flags = flags
        self.sys = sys

    @property
    def not_sent(self) -> bool:
        """The peer cannot have acted on any byte of the request."""
        return bool(self.flags & ffi.ERROR_NOT_SENT)

    @classmethod
    def of(cls, error: ffi.Error) -> Failure:
        text = _in_python(error.text.decode("utf-8", "replace"))
        return cls(error.status, text, error.http, error.flags, error.sys)


def version() -> str:
    """Version of the library that is loaded."""
    return str(ffi.version().decode())


class Request(NamedTuple):
    """What an exchange wants to be sent."""

    method: str
    url: str
    headers: list[tuple[str, str]]
    body: bytes

    def __repr__(self) -> str:  # the headers hold the token, the body what the user wrote
        return f"<{self.method} {self.url}>"


class Fault(NamedTuple):
    """What the service said when it refused."""

    http: int
    code: str
    reason: str
    message: str
    request_id: str


class _Said(threading.local):
    """What the library said of the call that a thread has just made: too large for each object to have its own."""

    def __init__(self) -> None:
        self.error = ffi.Error()
        self.status = ffi.c_int32()


_said = _Said()


class _Handle:
    """Address of an object of the library, and how it is freed."""

    __slots__ = ("_address", "__weakref__")

    def __init__(self) -> None:
        self._address = ffi.c_void_p()

    def _check(self, status: int) -> None:
        if status < 0:
            raise Failure.of(_said.error)

    @property
    def closed(self) -> bool:
        return not self._address

    @property
    def _live(self) -> Any:
        """The address, for a call of the library, which would not survive none."""
        if not self._address:
            raise Failure(ffi.E_CANCELLED, STREAM_CLOSED)
        return self._address


STREAM_CLOSED = "stream: was closed while it was read, ask again for the rest"
_CLIENT_CLOSED = "client: was closed while a request was under way, keep it open until answers end"


class Bell:
    """Wakes the thread that waits for a client. Its descriptors live as long as anybody may ring."""

    def __init__(self, fd: int, ear: int, button: int) -> None:
        self._ear, self._button = ear, button
        self._poller = select.poll()
        self._poller.register(fd, select.POLLIN)
        self._poller.register(self._ear, select.POLLIN)

    def wait(self) -> None:
        """Until the client's descriptor is readable, or the bell has been rung."""
        if any(fd == self._ear for fd, _event in self._poller.poll()):
            os.read(self._ear, 64)

    def ring(self) -> None:
        """From any thread."""
        os.write(self._button, b"!")

    def __del__(self, _close: Any = os.close) -> None:
        _close(self._ear)
        _close(self._button)


class Client(_Handle):
    """An aq_client. Settings are the library's (docs/settings.md); their values beat every other."""

    __slots__ = ("_bell", "_error", "_interrupted", "_logs", "_status")

    def __init__(
        self,
        settings: Optional[Mapping[str, str]] = None,
        *,
        user_agent: str = "",
        environment: bool = True,
        files: bool = True,
    ) -> None:
        super().__init__()
        self._error, self._status = ffi.Error(), ffi.c_int32()  # of steps, of which there are many
        self._bell: Optional[Bell] = None  # of a client that a thread waits for
        self._interrupted = False
        pairs = [(k.encode(), v.encode()) for k, v in (settings or {}).items()]
        array = (ffi.ClientSetting * max(len(pairs), 1))()
        for at, (key, value) in enumerate(pairs):
            array[at].key = ffi.borrowed(key)
            array[at].value = ffi.borrowed(value)
        agent = f"amazon-q-streaming-client/{__version__} {user_agent}".rstrip().encode()
        options = ffi.ClientOptions(struct_size=ffi.sizeof(ffi.ClientOptions))
        options.flags = (0 if environment else ffi.CLIENT_NO_ENV) | (
            0 if files else ffi.CLIENT_NO_SETTINGS
        )
        options.settings = array
        options.setting_count = len(pairs)
        options.user_agent = ffi.borrowed(agent)
        self._logs = log.isEnabledFor(logging.DEBUG)
        if self._logs:
            options.log_level = ffi.CLIENT_LOG_DEBUG
        self._check(
            ffi.client_new(ffi.byref(options), ffi.byref(self._address), ffi.byref(_said.error))
        )

    @property
    def _live(self) -> Any:
        if self._interrupted or not self._address:
            raise Failure(ffi.E_CANCELLED, _CLIENT_CLOSED)
        return self._address

    def bell(self) -> Bell:
        if self._bell is None:
            self._bell = Bell(self.fileno(), *os.pipe())
        return self._bell

    def ring(self) -> None:
        """Wake the thread that waits, from any thread. It looks why, and may find no reason."""
        bell = self._bell
        if bell is not None:
            bell.ring()

    def interrupt(self) -> None:
        """From any thread: whoever works with it is told that it is closed, and closes it."""
        self._interrupted = True
        self.ring()

    def fileno(self) -> int:
        """To be watched for readability; then step."""
        return int(ffi.client_fd(self._live))

    def step(self) -> list[tuple[int, int, list[EventTuple]]]:
        """Do what can be done; what operations have to report: their keys, status and events.

        The events are there if the operation wanted them; otherwise, OK means that it can be drained.
        """
        ready: list[Any] = ffi.client_step(self._live, BATCH, self._status, self._error)
        if self._status.value == ffi.E_FORKED:
            raise Failure.of(self._error)
        if self._logs:
            self._log()
        return ready

    def remember(self, profile_arn: str, site: str) -> None:
        """This site of the service takes the login: it is asked first from now on."""
        arn, name = profile_arn.encode(), site.encode()
        ffi.exchange_remember(self._live, ffi.borrowed(arn), ffi.borrowed(name), self._error)

    def _log(self) -> None:
        level, line = ffi.c_int32(), ffi.Str()
        while (
            ffi.client_next_log(self._live, ffi.byref(level), ffi.byref(line)) == ffi.OK
        ):  # the library's lines hold no secrets
            log.log(_LEVELS.get(level.value, logging.DEBUG), "%s", line.text())

    def close(self, _free: Any = ffi.client_free) -> None:
        address, self._address = self._address, ffi.c_void_p()
        self._bell = None
        if address:
            _free(address)

    def __del__(self) -> None:
        self.close()


class Operation(_Handle):
    """An aq_op of a client."""

    __slots__ = ("wanted", "_client", "_exchange")

    def __init__(self, client: Client) -> None:
        super().__init__()
        self._client = client  # must outlive it
        self._exchange: Optional[Exchange] = None  # that it feeds; must outlive it, too
        self.wanted = ffi.c_int32()

    @property
    def _live(self) -> Any:
        self._client._live  # closing a client frees its operations
        if self._exchange is not None:
            self._exchange._live
        return super()._live

    def _carry(self, exchange: Exchange) -> None:
        self._exchange = exchange
        exchange.carrier = self._client
        exchange._live  # who abandons it from now on rings; who did before is seen here

    @property
    def client(self) -> Client:
        return self._client

    @property
    def key(self) -> int:
        """0 once it is closed."""
        return self._address.value or 0

    def wait(self) -> None:
        """Block until the operation may have something."""
        bell = self._client.bell()
        self._live  # who closes from now on rings; who did before is seen here
        bell.wait()
        self._live
        self._client.step()

    def _offer(self) -> None:
        """From now on a step brings its events along, once each time that `wanted` is set."""
        self.wanted.value = 0
        ffi.op_set_userdata(self._live, ffi.byref(self.wanted))

    def drain(self) -> tuple[int, list[EventTuple]]:
        """What has arrived, and OK, AGAIN or END; raises only after the events before were handed out."""
        events: list[EventTuple] = ffi.op_drain(self._live, BATCH, _said.status, _said.error)
        status = _said.status.value
        if status < 0 and not events:
            raise Failure.of(_said.error)
        return status, events

    def close(self, _free: Any = ffi.op_free) -> None:
        address, self._address = self._address, ffi.c_void_p()
        if address and not self._client.closed:  # closing a client frees its operations
            _free(address)

    def __del__(self) -> None:
        self.close()


class HttpOperation(Operation):
    """One HTTP request over the client's transport."""

    __slots__ = ()

    def __init__(
        self,
        client: Client,
        method: bytes,
        url: bytes,
        headers: Headers,
        body: bytes,
        *,
        connect_ms: int = 0,
        first_byte_ms: int = 0,
        idle_ms: int = 0,
    ) -> None:
        super().__init__(client)
        options = ffi.HttpOptions(struct_size=ffi.sizeof(ffi.HttpOptions))
        options.method = ffi.borrowed(method)
        options.url = ffi.borrowed(url)
        options.headers = _header_array(headers)
        options.header_count = len(headers)
        options.body = ffi.borrowed(body)
        options.connect_timeout_ms = connect_ms
        options.first_byte_timeout_ms = first_byte_ms
        options.idle_timeout_ms = idle_ms
        self._check(
            ffi.http_start(
                client._live,
                ffi.byref(options),
                ffi.byref(self._address),
                ffi.byref(_said.error),
            )
        )
        self._offer()

    def feed(self, exchange: Exchange) -> None:
        """From now on drain() yields the exchange's events, and the body never enters Python."""
        self._check(ffi.http_feed(self._live, exchange._live, _said.error))
        self._carry(exchange)


class ExchangeOperation(Operation):
    """The request of an exchange over the client's transport, and its answer; no byte enters Python."""

    __slots__ = ()

    def __init__(
        self, client: Client, exchange: Exchange, *, connect_ms: int, read_ms: int
    ) -> None:
        super().__init__(client)
        self._carry(exchange)
        self._check(
            ffi.exchange_send(
                client._live,
                exchange._live,
                connect_ms,
                read_ms,
                ffi.byref(self._address),
                _said.error,
            )
        )

    def receive(self) -> bool:
        """Has the answer begun? From then on drain() yields the exchange's events."""
        assert self._exchange is not None
        status = ffi.exchange_receive(self._exchange._live, self._live, _said.error)
        self._check(status)
        if status == ffi.AGAIN:
            return False
        self._offer()
        return True


class Exchange(_Handle):
    """One request to the service and its answer, without I/O: an aq_exchange."""

    __slots__ = ("_client", "_chunk", "_abandoned", "accepted", "carrier")

    def __init__(
        self,
        client: Client,
        call: int,
        *,
        access_token: str,
        body: bytes = b"",
        token_kind: str = "",
        profile_arn: str = "",
        region: str = "",
        max_attempts: int = 0,
    ) -> None:
        super().__init__()
        self._client = client
        self._chunk = b""
        self._abandoned = False
        self.accepted: Callable[[str], None] = lambda site: None
        """Told which site of the service took the login, if the library chose it."""
        self.carrier: Optional[Client] = None
        """Over which it is sent, unless by httpx itself."""
        parts = (access_token, profile_arn, region, token_kind)
        texts = [part.encode() for part in parts]
        request = ffi.StreamOptions(struct_size=ffi.sizeof(ffi.StreamOptions), call=call)
        request.access_token = ffi.borrowed(texts[0])
        request.profile_arn = ffi.borrowed(texts[1])
        request.token_kind = ffi.borrowed(texts[3])
        request.body = ffi.borrowed(body)
        options = ffi.ExchangeOptions(struct_size=ffi.sizeof(ffi.ExchangeOptions))
        options.request = ffi.pointer(request)
        options.region = ffi.borrowed(texts[2])
        options.max_attempts = max_attempts
        self._check(
            ffi.exchange_new_for(
                client._live,
                ffi.byref(options),
                ffi.byref(self._address),
                ffi.byref(_said.error),
            )
        )

    @property
    def _live(self) -> Any:
        if self._abandoned:
            raise Failure(ffi.E_CANCELLED, STREAM_CLOSED)
        return super()._live

    def abandon(self) -> None:
        """From any thread: the one that works with it is told that it is closed, and closes it."""
        self._abandoned = True
        carrier = self.carrier
        if carrier is not None:
            carrier.ring()

    def drain(self) -> tuple[int, list[EventTuple]]:
        """As Operation.drain."""
        events: list[EventTuple] = ffi.exchange_drain(
            self._live, BATCH, _said.status, _said.error
        )
        status = _said.status.value
        if status < 0 and not events:
            raise Failure.of(_said.error)
        return status, events

    def request(self) -> Request:
        """What to send now."""
        out = ffi.ExchangeRequest(struct_size=ffi.sizeof(ffi.ExchangeRequest))
        self._check(ffi.exchange_request(self._live, ffi.byref(out), _said.error))
        headers = [
            (out.headers[i].name.text(), out.headers[i].value.text())
            for i in range(out.header_count)
        ]
        return Request(out.method.text(), out.url.text(), headers, out.body.bytes())

    def response(self, status: int, headers: Headers) -> None:
        array = _header_array(headers)
        self._check(
            ffi.exchange_response(self._live, status, array, len(headers), 0, _said.error)
        )

    def feed(self, chunk: bytes) -> None:
        """A piece of the body; drain() before the next one."""
        self._chunk = chunk  # borrowed by the exchange until then
        self._check(ffi.exchange_feed(self._live, chunk, len(chunk), _said.error))

    def finish(self) -> None:
        """The body is complete."""
        self._check(ffi.exchange_finish(self._live, _said.error))

    def fail(self, status: int, text: str, *, not_sent: bool = False) -> None:
        """The attempt broke."""
        why = ffi.Error(status=status, flags=ffi.ERROR_NOT_SENT if not_sent else 0)
        why.text = text.encode()[:480]
        self._check(ffi.exchange_fail(self._live, ffi.byref(why), _said.error))

    def give_token(self, access_token: str) -> None:
        text = access_token.encode()
        self._check(ffi.exchange_give_token(self._live, ffi.borrowed(text), _said.error))

    def fault(self) -> Fault:
        """What the service said, in parts; empty where it said nothing."""
        out = ffi.ExchangeFault(struct_size=ffi.sizeof(ffi.ExchangeFault))
        ffi.exchange_fault(self._live, ffi.byref(out))
        return Fault(
            out.http,
            out.code.text(),
            out.reason.text(),
            out.message.text(),
            out.request_id.text(),
        )

    def close(self, _free: Any = ffi.exchange_free) -> None:
        address, self._address = self._address, ffi.c_void_p()
        if address:
            _free(address)

    def __del__(self) -> None:
        self.close()


class TokenData(NamedTuple):
    """A token as the library hands it out."""

    access_token: str
    refresh_token: str
    token_type: str
    expires_at: str
    expires_at_s: int
    region: str
    start_url: str
    profile_arn: str
    source: str
    store: str
    login: str
    kind: str
    flags: int

    def __repr__(self) -> str:
        return f"<token of {self.source}, valid until {self.expires_at or 'nobody knows when'}>"


class LoginOperation(_Handle):
    """A login operation of a client, for one thread that waits."""

    def __init__(
        self, client: Client, texts: Mapping[str, Optional[str]], *, browser: bool, replace: bool
    ) -> None:
        super().__init__()
        self._client = client
        self.asked = False  # which profile, and there was no answer yet
        options = ffi.LoginOptions(struct_size=ffi.sizeof(ffi.LoginOptions))
        options.flow = ffi.LOGIN_BROWSER if browser else ffi.LOGIN_DEVICE
        options.flags = ffi.LOGIN_REPLACE if replace else 0
        kept = {name: (text or "").encode() for name, text in texts.items()}
        for name, value in kept.items():
            setattr(options, name, ffi.borrowed(value))
        if kept["start_url"] or kept["profile_arn"]:
            options.flags |= ffi.LOGIN_ORGANISATION
        self._event = ffi.event_pointer()
        self._check(
            ffi.login_start(
                client._live, ffi.byref(options), ffi.byref(self._address), ffi.byref(_said.error)
            )
        )

    def next(self) -> tuple[int, Any]:
        """OK and an event that is valid until the next call; AGAIN: wait and step; or END."""
        status = ffi.op_next(self._live, ffi.byref(self._event), ffi.byref(_said.error))
        if status < 0:
            raise Failure.of(_said.error)
        return status, self._event[0] if status == ffi.OK else None

    def step(self) -> None:
        ffi.client_step_blocking(self._client._live, None)  # an error reaches the operation

    def choose(self, arn: str) -> None:
        """Answer which profile; none if it is empty."""
        value = arn.encode()
        self._check(ffi.op_give_profile(self._live, ffi.borrowed(value), ffi.byref(_said.error)))
        self.asked = False

    def close(self, _free: Any = ffi.op_free) -> None:
        address, self._address = self._address, ffi.c_void_p()
        if address and not self._client.closed:  # closing a client frees its operations
            _free(address)

    def __del__(self) -> None:
        self.close()


def fetch_token(
    client: Client, *, force_refresh: bool = False, min_valid_s: int = 0
) -> tuple[TokenData, list[str]]:
    """A valid token of the client's login, and warnings. Blocks in the store and on the network."""
    error, address = ffi.Error(), ffi.c_void_p()
    options = ffi.TokenOptions(struct_size=ffi.sizeof(ffi.TokenOptions), min_valid_s=min_valid_s)
    options.flags = ffi.TOKEN_FORCE_REFRESH if force_refresh else 0
    if ffi.token_start(
        client._live, ffi.byref(options), ffi.byref(address), ffi.byref(error)
    ):
        raise Failure.of(error)
    try:
        return _wait_token(address, error)
    finally:
        ffi.op_free(address)


def _wait_token(address: Any, error: ffi.Error) -> tuple[TokenData, list[str]]:
    event = ffi.event_pointer()
    token: Optional[TokenData] = None
    warnings: list[str] = []
    while True:
        status = ffi.op_wait(address, ffi.byref(event), ffi.byref(error))
        if status < 0:
            raise Failure.of(error)
        if status == ffi.END:
            if token is None:
                raise Failure(ffi.E_PLUGIN, "token: the library ended without one")
            return token, warnings
        if event[0].type == ffi.EVENT_WARNING:
            warnings.append(event[0].text.text())
        elif event[0].type == ffi.EVENT_TOKEN:
            token = TokenData(*(_value(event[0].token[0], name) for name in TokenData._fields))


def _value(token: ffi.Token, name: str) -> Any:
    value = getattr(token, name)
    return value.text() if isinstance(value, ffi.Str) else value


def _header_array(headers: Iterable[tuple[bytes, bytes]]) -> Any:
    pairs = list(headers)
    array = (ffi.ExchangeHeader * max(len(pairs), 1))()
    for at, (name, value) in enumerate(pairs):
        array[at].name = ffi.borrowed(name)
        array[at].value = ffi.borrowed(value)
    return array
