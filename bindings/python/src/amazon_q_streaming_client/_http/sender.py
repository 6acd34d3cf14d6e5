# SPDX-License-Identifier: Apache-2.0
"""Sends the request of an exchange, through a client of the caller's or over our transport itself."""

from __future__ import annotations

import logging
from typing import Any, AsyncIterator, Awaitable, Iterator, Optional, Union

import anyio
import httpx

from .. import _ffi as ffi
from .._native import EventTuple, Exchange, Failure, Request
from .._pump import Reader
from .failures import fail
from .timeouts import NOT_GIVEN, Timeouts, checked_timeout, timeout_for
from .transport import BODY, NativeAnswer, NativeTransport, SyncNativeTransport


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
            return await self._http.send(exchange, timeout_for(self._http, wanted))
        request = _build(self._http, exchange.request(), wanted)
        try:
            response = await self._http.send(
                request, stream=True, auth=_AsIs(), follow_redirects=False
            )
        except httpx.HTTPError as error:
            fail(exchange, error)
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
            return self._http.send(exchange, timeout_for(self._http, wanted))
        request = _build(self._http, exchange.request(), wanted)
        try:
            response = self._http.send(request, stream=True, auth=_AsIs(), follow_redirects=False)
        except httpx.HTTPError as error:
            fail(exchange, error)
            return None
        try:
            _forget_cookies(self._http, response)
            return Answer(response, exchange)
        except BaseException:
            response.close()
            raise


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
                fail(exchange, error, answering=True)

    async def close(self) -> None:
        try:
            if self._chunks is not None:
                await _unwind(self._chunks)
        finally:
            await self._response.aclose()


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
                fail(exchange, error, answering=True)

    def close(self) -> None:
        self._response.close()


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


class _AsIs(httpx.Auth):
    """Leaves the Authorization header alone: no netrc, no default of the client."""


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
        timeout=timeout_for(client, timeout),
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
