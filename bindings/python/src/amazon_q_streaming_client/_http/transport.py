# SPDX-License-Identifier: Apache-2.0
"""The library's transport plugin as a transport of httpx, for asyncio and trio, and for threads.

When an answer belongs to an exchange, its bytes go from the socket into the exchange inside C
(`NativeBody.feed`); httpx still sees request and answer pass. `send` does without httpx.
"""

from __future__ import annotations

import threading
import weakref
from typing import Any, AsyncIterator, Awaitable, Iterator, Mapping, Optional

import httpx

from .. import _ffi as ffi
from .._native import (
    Client,
    EventTuple,
    Exchange,
    ExchangeOperation,
    Failure,
    HttpOperation,
    Operation,
)
from .._pump import Pump, Reader, make_pump
from .._single import Single
from .failures import fail, to_httpx
from .timeouts import DEFAULT_TIMEOUT, milliseconds

BODY = "amazonq.body"  # extension of a response: its NativeBody

_FRAMING = {b"host", b"content-length", b"transfer-encoding", b"connection"}  # the transport's own

_TRANSPORT_CLOSED = "transport: was closed with its client, make a new one"
_OTHER_LOOP = "client: is in use in another event loop that is running, make one for each"

_IDLE_MAX = 16  # native clients kept for further requests


def _start(client: Client, request: httpx.Request, body: bytes) -> HttpOperation:
    timeout: Mapping[str, Optional[float]] = request.extensions.get("timeout", {})
    read = milliseconds(timeout.get("read", DEFAULT_TIMEOUT.read))
    return HttpOperation(
        client,
        request.method.encode(),
        str(request.url).encode(),
        [(k, v) for k, v in request.headers.raw if k.lower() not in _FRAMING],
        body,
        connect_ms=milliseconds(timeout.get("connect", DEFAULT_TIMEOUT.connect)),
        first_byte_ms=read,
        idle_ms=read,
    )


def _start_exchange(client: Client, exchange: Exchange, timeout: httpx.Timeout) -> ExchangeOperation:
    return ExchangeOperation(
        client,
        exchange,
        connect_ms=milliseconds(timeout.connect),
        read_ms=milliseconds(timeout.read),
    )


def _response(head: EventTuple, body: NativeBody) -> httpx.Response:
    _type, status, protocol, headers = head
    return httpx.Response(
        status,
        headers=headers,
        stream=body,
        extensions={"http_version": protocol.encode(), BODY: body},
    )


def _describe(transport: object, settings: Mapping[str, str], closed: bool) -> str:
    """Without the other settings: a proxy's URL may have a password."""
    parts = [type(transport).__name__, settings.get("transport", ""), "closed" if closed else ""]
    return f"<{' '.join(filter(None, parts))}>"


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
                raise to_httpx(failure, self._request) from failure
            for piece in self._pieces(events):
                yield piece

    async def aclose(self) -> None:
        await self._reader.close()


class NativeTransport(Single, httpx.AsyncBaseTransport):
    """The library's transport plugin as a transport of `httpx.AsyncClient`.

    settings: as in docs/settings.md, for example `{"transport": "curl"}`.

    Works in asyncio and trio. It belongs to the event loop it is first used in; after that loop has ended
    it starts afresh in the next one. Closed, it stays closed.
    """

    def __init__(self, settings: Optional[Mapping[str, str]] = None) -> None:
        self._settings = dict(settings or {})
        self._pump: Optional[Pump[Any]] = None
        self._closed = False

    def __repr__(self) -> str:
        return _describe(self, self._settings, self._closed)

    def _pump_here(self) -> Pump[Any]:
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
            reader: Reader = pump.reader(operation)
            _status, events = await reader.drain()
            return _response(events[0], AsyncNativeBody(operation, request, reader))
        except Failure as failure:
            raise to_httpx(failure, request) from failure
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
            reader: Reader = pump.reader(operation)
            while not operation.receive():
                await reader
            return reader
        except BaseException as error:
            if operation is not None:
                operation.close()
            fail(exchange, error)
            return None

    async def aclose(self) -> None:
        """Close it. Answers that are being read end with an error."""
        self._closed = True
        pump, self._pump = self._pump, None
        if pump is not None:
            pump.close()


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
                raise to_httpx(failure, self._request) from failure
            yield from self._pieces(events)

    def close(self) -> None:
        self._transport.give_back(self._operation)


class SyncNativeTransport(Single, httpx.BaseTransport):
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

    def __repr__(self) -> str:
        return _describe(self, self._settings, self._closed)

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
                raise to_httpx(error, request) from error
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
            fail(exchange, error)
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
