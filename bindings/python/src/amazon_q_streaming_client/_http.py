# SPDX-License-Identifier: Apache-2.0
"""httpx: the one file that imports it.

`NativeTransport` and `SyncNativeTransport` make httpx use the library's transport plugin. They can be given
to any httpx client. When an answer that came through one of them belongs to an exchange, its bytes go from
the socket into the exchange inside C (`NativeBody.feed`); httpx still sees request and answer pass.

`AsyncSender` and `Sender` send an exchange's request: over one of these transports itself, when the caller has
no client, else through the caller's.
"""

from __future__ import annotations

import logging
import os
import ssl
import threading
import weakref
from typing import Any, AsyncIterator, Awaitable, Iterator, Mapping, Optional, Union

import anyio
import httpx
from typing_extensions import TypeAlias

from . import _ffi as ffi
from ._errors import QConfigurationError
from ._native import (
    Client,
    EventTuple,
    Exchange,
    ExchangeOperation,
    Failure,
    HttpOperation,
    Operation,
    Request,
)
from ._pump import Pump, Reader, make_pump

__all__ = ["NativeTransport", "SyncNativeTransport"]

BODY = "amazonq.body"  # extension of a response: its NativeBody

Timeouts = Union[float, httpx.Timeout, None]
HttpClient: TypeAlias = httpx.Client
AsyncHttpClient: TypeAlias = httpx.AsyncClient

DEFAULT_TIMEOUT = httpx.Timeout(60.0, connect=10.0, pool=None)
"""Seconds: 10 to connect, 60 until the answer begins and between two pieces of it."""

_HTTPX_DEFAULT = httpx.Timeout(5.0)  # what a client has whose maker did not think of timeouts


# ---- errors, both ways ----


def _to_httpx(failure: Failure, request: httpx.Request) -> Exception:
    """The exception httpx users expect; `_to_failure` finds the original in it."""
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
    error = kind(failure.text, request=request)
    error.__cause__ = failure
    return error


_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)


def _to_failure(error: httpx.HTTPError, *, answering: bool) -> Failure:
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


# ---- the transport as httpx sees it ----


_LONGEST_MS = 2**31 - 1  # 24 days; what is longer is as good as none


def _milliseconds(seconds: Optional[float]) -> int:
    """0 is the library's default; no timeout at all is as long as it can be."""
    if seconds is None or not seconds * 1000 < _LONGEST_MS:
        return _LONGEST_MS
    return max(1, int(seconds * 1000))


def _start(client: Client, request: httpx.Request, body: bytes) -> HttpOperation:
    timeout: Mapping[str, Optional[float]] = request.extensions.get("timeout", {})
    read = _milliseconds(timeout.get("read", DEFAULT_TIMEOUT.read))
    return HttpOperation(
        client,
        request.method.encode(),
        str(request.url).encode(),
        [(k, v) for k, v in request.headers.raw if k.lower() not in _FRAMING],
        body,
        connect_ms=_milliseconds(timeout.get("connect", DEFAULT_TIMEOUT.connect)),
        first_byte_ms=read,
        idle_ms=read,
    )


def _start_exchange(client: Client, exchange: Exchange, timeout: httpx.Timeout) -> ExchangeOperation:
    return ExchangeOperation(
        client,
        exchange,
        connect_ms=_milliseconds(timeout.connect),
        read_ms=_milliseconds(timeout.read),
    )


def _fail_natively(exchange: Exchange, error: BaseException) -> None:
    """Tell the exchange that the network broke; any other error is raised again."""
    if not isinstance(error, Failure) or error.status not in _NETWORK:
        raise error
    exchange.fail(error.status, error.text, not_sent=error.not_sent)


_TRANSPORT_CLOSED = "transport: was closed with its client, make a new one"


_NETWORK = {
    ffi.E_NETWORK, ffi.E_TLS, ffi.E_TIMEOUT, ffi.E_PROTOCOL, ffi.E_TRUNCATED, ffi.E_LIMIT
}  # fmt: skip

_FRAMING = {b"host", b"content-length", b"transfer-encoding", b"connection"}  # the transport's own


def _response(head: EventTuple, body: NativeBody) -> httpx.Response:
    _type, status, protocol, headers = head
    return httpx.Response(
        status,
        headers=headers,
        stream=body,
        extensions={"http_version": protocol.encode(), BODY: body},
    )


class NativeBody(httpx.AsyncByteStream, httpx.SyncByteStream):
    """The body of an answer, in the library until somebody wants it."""

    def __init__(self, operation: HttpOperation, request: httpx.Request) -> None:
        self._operation = operation
        self._request = request

    def feed(self, exchange: Exchange) -> None:
        """drain() yields the exchange's events from now on, in place of pieces of the body."""
        self._operation.feed(exchange)

    def _pieces(self, events: list[EventTuple]) -> list[bytes]:
        return [event[1] for event in events]


class AsyncNativeBody(NativeBody):
    def __init__(self, operation: HttpOperation, request: httpx.Request, reader: Reader) -> None:
        super().__init__(operation, request)
        self._reader = reader

    def drain(self) -> Awaitable[tuple[int, list[EventTuple]]]:
        return self._reader.drain()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        status = ffi.OK
        while status != ffi.END:
            try:
                status, events = await self.drain()
            except Failure as failure:
                raise _to_httpx(failure, self._request) from failure
            for piece in self._pieces(events):
                yield piece

    async def aclose(self) -> None:
        await self._reader.close()


class NativeTransport(httpx.AsyncBaseTransport):
    """The library's transport plugin as a transport of `httpx.AsyncClient`.

    settings: as in docs/settings.md, for example `{"transport": "curl"}`.

    Works in asyncio and trio. It belongs to the event loop it is first used in; after that loop has ended
    it starts afresh in the next one. Closed, it stays closed.
    """

    def __init__(self, settings: Optional[Mapping[str, str]] = None) -> None:
        self._settings = dict(settings or {})
        self._pump: Optional[Pump] = None
        self._closed = False

    def _pump_here(self) -> Pump:
        if self._closed:
            raise Failure(ffi.E_STATE, _TRANSPORT_CLOSED)
        pump = self._pump
        if pump is not None and not pump.is_here():
            if pump.is_running():
                raise Failure(ffi.E_INVALID, _OTHER_LOOP)
            pump.close()
            pump = None
        if pump is None:
            pump = self._pump = make_pump(Client(self._settings))
        return pump

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = await request.aread()
        operation: Optional[HttpOperation] = None
        try:
            pump = self._pump_here()
            operation = _start(pump.client, request, body)
            reader = Reader(operation, pump)
            _status, events = await reader.drain()
            return _response(events[0], AsyncNativeBody(operation, request, reader))
        except Failure as failure:
            raise _to_httpx(failure, request) from failure
        except BaseException:
            if operation is not None:
                operation.close()
            raise

    async def send(self, exchange: Exchange, timeout: httpx.Timeout) -> Optional[Reader]:
        """As AsyncSender.send, without the cost of httpx."""
        operation: Optional[ExchangeOperation] = None
        try:
            pump = self._pump_here()
            operation = _start_exchange(pump.client, exchange, timeout)
            reader = Reader(operation, pump)
            while not operation.receive():
                await reader.news()
            return reader
        except BaseException as error:
            if operation is not None:
                operation.close()
            _fail_natively(exchange, error)
            return None

    async def aclose(self) -> None:
        """Close it. Answers that are being read end with an error."""
        self._closed = True
        pump, self._pump = self._pump, None
        if pump is not None:
            pump.close()


_OTHER_LOOP = "client: is in use in another event loop that is running, make one for each"


class SyncNativeBody(NativeBody):
    def __init__(
        self, operation: HttpOperation, request: httpx.Request, transport: SyncNativeTransport
    ) -> None:
        super().__init__(operation, request)
        self._transport = transport

    def drain(self) -> tuple[int, list[EventTuple]]:
        return self._transport.drain(self._operation)

    def __iter__(self) -> Iterator[bytes]:
        status = ffi.OK
        while status != ffi.END:
            try:
                status, events = self.drain()
            except Failure as failure:
                raise _to_httpx(failure, self._request) from failure
            yield from self._pieces(events)

    def close(self) -> None:
        self._transport.give_back(self._operation)


class SyncNativeTransport(httpx.BaseTransport):
    """The library's transport plugin as a transport of `httpx.Client`.

    A request has a native client of its own while it is under way, so that any number of threads may use
    one transport; idle ones keep their connections for the next request.
    """

    def __init__(self, settings: Optional[Mapping[str, str]] = None) -> None:
        self._settings = dict(settings or {})
        self._lock = threading.RLock()  # garbage that is collected under it may give clients back
        self._idle: list[Client] = []
        self._busy: weakref.WeakSet[Client] = weakref.WeakSet()
        self._closed = False

    def _client(self) -> Client:
        client = self._idle_client() or Client(self._settings)
        with self._lock:
            if not self._closed:
                self._busy.add(client)
                return client
        client.close()
        raise Failure(ffi.E_STATE, _TRANSPORT_CLOSED)

    def _idle_client(self) -> Optional[Client]:
        with self._lock:
            while self._idle:
                client = self._idle.pop()
                if not client.closed:
                    return client
        return None

    def _keep(self, client: Client) -> None:
        with self._lock:
            self._busy.discard(client)
            if not self._closed and not client.closed and len(self._idle) < _IDLE_MAX:
                self._idle.append(client)
                return
        client.close()

    def drain(self, operation: Operation) -> tuple[int, list[EventTuple]]:
        while True:
            status, events = operation.drain()
            if events or status != ffi.AGAIN:
                return status, events
            operation.wait()

    def give_back(self, operation: Operation) -> None:
        """Once only; the client is free for another request."""
        if not operation.closed:
            operation.close()
            self._keep(operation.client)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        body = request.read()
        client: Optional[Client] = None
        try:
            client = self._client()
            operation = _start(client, request, body)
            _status, events = self.drain(operation)
            return _response(events[0], SyncNativeBody(operation, request, self))
        except BaseException as error:
            if client is not None:
                client.close()
            if isinstance(error, Failure):
                raise _to_httpx(error, request) from error
            raise

    def send(self, exchange: Exchange, timeout: httpx.Timeout) -> Optional[NativeAnswer]:
        """As Sender.send, without the cost of httpx."""
        client: Optional[Client] = None
        try:
            client = self._client()
            operation = _start_exchange(client, exchange, timeout)
            while not operation.receive():
                operation.wait()
            return NativeAnswer(operation, self)
        except BaseException as error:
            if client is not None:
                client.close()
            _fail_natively(exchange, error)
            return None

    def close(self) -> None:
        """Close it. Answers that are being read, in any thread, end with an error."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
            busy = list(self._busy)
        for client in idle:
            client.close()
        for client in busy:
            client.interrupt()


class NativeAnswer:
    """An answer to an exchange's request that httpx does not see."""

    def __init__(self, operation: ExchangeOperation, transport: SyncNativeTransport) -> None:
        self._operation = operation
        self._transport = transport

    def drain(self) -> tuple[int, list[EventTuple]]:
        """As Answer.drain."""
        return self._transport.drain(self._operation)

    def close(self) -> None:
        self._transport.give_back(self._operation)


_IDLE_MAX = 16  # native clients kept for further requests

# ---- sending for an exchange ----


class _Answer:
    """An answer to an exchange's request, whoever carries it."""

    def __init__(self, response: httpx.Response, exchange: Exchange) -> None:
        self._response = response
        self._exchange = exchange
        exchange.response(response.status_code, response.headers.raw)
        self._native: Any = None
        if not response.is_stream_consumed:  # by a hook of the caller's client
            self._native = response.extensions.get(BODY)
        if self._native is not None:
            self._native.feed(exchange)


async def _async_chunks(response: httpx.Response) -> AsyncIterator[bytes]:
    if response.is_stream_consumed:
        yield response.content
    else:
        async for chunk in response.aiter_raw():
            yield chunk


def _chunks(response: httpx.Response) -> Iterator[bytes]:
    if response.is_stream_consumed:
        yield response.content
    else:
        yield from response.iter_raw()


class AsyncAnswer(_Answer):
    def __init__(self, response: httpx.Response, exchange: Exchange) -> None:
        super().__init__(response, exchange)
        self._chunks = None if self._native is not None else _async_chunks(response)

    def drain(self) -> Awaitable[tuple[int, list[EventTuple]]]:
        """Events of the exchange; never AGAIN with nothing."""
        if self._chunks is not None:
            return self._drain(self._chunks)
        result: Awaitable[tuple[int, list[EventTuple]]] = self._native.drain()
        return result

    async def _drain(self, chunks: AsyncIterator[bytes]) -> tuple[int, list[EventTuple]]:
        exchange = self._exchange
        while True:
            status, events = exchange.drain()
            if events or status != ffi.AGAIN:
                return status, events
            try:
                exchange.feed(await chunks.__anext__())
            except StopAsyncIteration:
                exchange.finish()
            except httpx.HTTPError as error:
                _fail(exchange, error, answering=True)

    async def close(self) -> None:
        try:
            if self._chunks is not None:
                await _unwind(self._chunks)
        finally:
            await self._response.aclose()


async def _unwind(chunks: AsyncIterator[bytes]) -> None:
    """End httpx's async generators, which stand in each other.

    Closing the outermost would leave the others to the garbage collector, of which trio complains; what is
    cancelled at the innermost ends them all.
    """
    with anyio.CancelScope() as scope:
        scope.cancel()
        try:
            while True:
                await chunks.__anext__()
        except (StopAsyncIteration, httpx.HTTPError, httpx.StreamError):
            pass


class Answer(_Answer):
    def __init__(self, response: httpx.Response, exchange: Exchange) -> None:
        super().__init__(response, exchange)
        self._chunks = None if self._native is not None else _chunks(response)

    def drain(self) -> tuple[int, list[EventTuple]]:
        """As AsyncAnswer.drain."""
        if self._chunks is None:
            result: tuple[int, list[EventTuple]] = self._native.drain()
            return result
        exchange = self._exchange
        while True:
            status, events = exchange.drain()
            if events or status != ffi.AGAIN:
                return status, events
            try:
                exchange.feed(next(self._chunks))
            except StopIteration:
                exchange.finish()
            except httpx.HTTPError as error:
                _fail(exchange, error, answering=True)

    def close(self) -> None:
        self._response.close()


def _fail(exchange: Exchange, error: httpx.HTTPError, *, answering: bool = False) -> None:
    _fail_natively(exchange, _to_failure(error, answering=answering))


class _AsIs(httpx.Auth):
    """Leaves the Authorization header alone: no netrc, no default of the client."""


def _timeout_for(http: object, wanted: Timeouts) -> httpx.Timeout:
    if wanted is not NOT_GIVEN:
        return wanted if isinstance(wanted, httpx.Timeout) else httpx.Timeout(wanted)
    known = getattr(http, "timeout", _HTTPX_DEFAULT)  # a transport has none
    return DEFAULT_TIMEOUT if known == _HTTPX_DEFAULT else known


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


NOT_GIVEN: Any = type("NotGiven", (), {"__repr__": lambda self: "NOT_GIVEN"})()


def _build(
    client: Union[httpx.AsyncClient, httpx.Client], request: Request, timeout: Timeouts
) -> httpx.Request:
    if client.is_closed:
        raise Failure(ffi.E_STATE, "http_client: is closed, pass one that is open")
    headers = httpx.Headers(request.headers)  # whose repr hides the token
    headers.update({"accept": "*/*", "accept-encoding": "identity"})
    built = client.build_request(
        request.method,
        request.url,
        headers=headers,
        content=request.body,
        timeout=_timeout_for(client, timeout),
    )
    built.headers.pop("cookie", None)  # the client's are for others
    return built


def _forget_cookies(client: Union[httpx.AsyncClient, httpx.Client], response: httpx.Response) -> None:
    """Those that the service has just put into the client's jar."""
    for cookie in response.cookies.jar:
        try:
            client.cookies.jar.clear(cookie.domain, cookie.path, cookie.name)
        except KeyError:
            pass


def _hush_hpack() -> None:
    """At the level DEBUG it logs every header, and with it the token.

    Nothing is changed if the program has set a level for this logger itself.
    """
    log = logging.getLogger("hpack")
    if log.level == logging.NOTSET:
        log.setLevel(logging.WARNING)


class AsyncSender:
    """Sends requests of exchanges through an httpx.AsyncClient, or over our transport itself."""

    def __init__(
        self, http: Union[httpx.AsyncClient, NativeTransport], timeout: Timeouts = NOT_GIVEN
    ) -> None:
        if isinstance(http, httpx.AsyncClient):
            _hush_hpack()
        self._http = http
        self._timeout = checked_timeout(timeout)

    async def send(
        self, exchange: Exchange, timeout: Timeouts = NOT_GIVEN
    ) -> Union[AsyncAnswer, Reader, None]:
        """The answer; None if there is none, which the exchange has been told."""
        wanted = self._timeout if timeout is NOT_GIVEN else timeout
        if isinstance(self._http, NativeTransport):
            return await self._http.send(exchange, _timeout_for(self._http, wanted))
        request = _build(self._http, exchange.request(), wanted)
        try:
            response = await self._http.send(
                request, stream=True, auth=_AsIs(), follow_redirects=False
            )
        except httpx.HTTPError as error:
            _fail(exchange, error)
            return None
        try:
            _forget_cookies(self._http, response)
            return AsyncAnswer(response, exchange)
        except BaseException:
            await response.aclose()
            raise


class Sender:
    """Sends requests of exchanges through an httpx.Client, or over our transport itself."""

    def __init__(
        self, http: Union[httpx.Client, SyncNativeTransport], timeout: Timeouts = NOT_GIVEN
    ) -> None:
        if isinstance(http, httpx.Client):
            _hush_hpack()
        self._http = http
        self._timeout = checked_timeout(timeout)

    def send(
        self, exchange: Exchange, timeout: Timeouts = NOT_GIVEN
    ) -> Union[Answer, NativeAnswer, None]:
        """As AsyncSender.send."""
        wanted = self._timeout if timeout is NOT_GIVEN else timeout
        if isinstance(self._http, SyncNativeTransport):
            return self._http.send(exchange, _timeout_for(self._http, wanted))
        request = _build(self._http, exchange.request(), wanted)
        try:
            response = self._http.send(request, stream=True, auth=_AsIs(), follow_redirects=False)
        except httpx.HTTPError as error:
            _fail(exchange, error)
            return None
        try:
            _forget_cookies(self._http, response)
            return Answer(response, exchange)
        except BaseException:
            response.close()
            raise


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
