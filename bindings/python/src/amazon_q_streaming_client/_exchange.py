# SPDX-License-Identifier: Apache-2.0
"""One request and its answer: the story, told once, and its two drivers.

`Transaction.steps` is a generator without I/O. It yields what has to be done (send, read, sleep, get a token,
or hand out messages) and is sent what came of it. AsyncCall and Call do these things in their own way.
"""

from __future__ import annotations

import logging
import threading
from typing import Any, Awaitable, Callable, Generator, Optional, Union

import anyio

from . import _ffi as ffi
from ._errors import QConfigurationError, QError, error_from
from ._http import (
    Answer,
    AsyncAnswer,
    AsyncSender,
    NativeAnswer,
    Sender,
    Timeouts,
)
from ._native import STREAM_CLOSED, EventTuple, Exchange, Failure, Fault
from ._pump import Reader

log = logging.getLogger("amazon_q_streaming_client")


class Send:
    """Send exchange.request(); sent back: the answer, or None if the exchange was told why not."""


class Read:
    """Sent back: (status, events) of the answer."""


class Close:
    """The answer is of no more use."""


class Sleep:
    def __init__(self, seconds: float) -> None:
        self.seconds = seconds


class NeedToken:
    """The token was rejected; sent back: another one, or None if there is none."""


Step = Union[Send, Read, Close, Sleep, NeedToken, "list[EventTuple]"]


class Transaction:
    """State of one exchange that outlives its generator: request id, and whether the answer began."""

    __slots__ = ("exchange", "request_id", "answering")

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.request_id: Optional[str] = None
        self.answering = False

    def error(self, failure: Failure) -> QError:
        error = error_from(failure, self._fault(), answering=self.answering)
        error.request_id = error.request_id or self.request_id
        return error

    def _fault(self) -> Optional[Fault]:
        try:
            return self.exchange.fault()
        except Failure:  # it was closed
            return None

    def steps(self) -> Generator[Step, Any, None]:
        exchange = self.exchange
        answer: Optional[Any] = None
        while True:
            status, events = (yield Read()) if answer is not None else exchange.drain()
            if events and events[0][0] >= 0:  # the rule: only messages follow a message
                yield events
                continue
            for at, event in enumerate(events):
                kind = -event[0]
                if kind <= 0 or kind == ffi.EVENT_REPLY:
                    yield events[at:]
                    break
                if kind == ffi.EVENT_SEND:
                    answer = yield Send()
                elif kind == ffi.EVENT_RESPONSE:
                    self.answering = True
                    self.request_id = event[2] or None
                    if event[3]:
                        exchange.accepted(event[3])
                    log.debug("answer: HTTP %d, request id %s", event[1], event[2])
                elif kind == ffi.EVENT_RETRY:
                    log.info("attempt %d failed (HTTP %d), next in %d ms", event[1], event[3], event[2])
                    yield Close()
                    answer = None
                    yield Sleep(event[2] / 1000)
                elif kind == ffi.EVENT_NEED_TOKEN:
                    log.info("the access token was rejected (HTTP %d), asking for another", event[1])
                    yield Close()
                    answer = None
                    token = yield NeedToken()
                    if token is None:
                        raise Failure(ffi.E_AUTH, _REJECTED, http=event[1])
                    exchange.give_token(token)
            if status == ffi.END:
                return


_BUSY = "stream: is being read already, read it in one place and pass on what came"
# It would look like the end of the answer.
_STOPPED = "stream: the token provider or the HTTP client raised the exception that ends iterators"
_REJECTED = "service: the access token was rejected, export a new one or give a provider"


class AsyncCall:
    """Drives a transaction in an event loop."""

    __slots__ = (
        "transaction", "_steps", "_sender", "_renew", "_timeout", "_answer", "_flowing", "_taken",
        "_result", "_reading", "_scope", "_left", "_closed",
    )  # fmt: skip

    def __init__(
        self,
        transaction: Transaction,
        sender: AsyncSender,
        renew: Callable[[], Awaitable[Optional[str]]],
        timeout: Timeouts,
    ) -> None:
        self.transaction = transaction
        self._steps = transaction.steps()
        self._sender = sender
        self._renew = renew
        self._timeout = timeout
        self._answer: Union[AsyncAnswer, Reader, None] = None
        self._flowing: Optional[Reader] = None  # whose messages are no news to the story
        self._taken: Any = None  # from it, and news
        self._result: Any = None
        self._reading = False
        self._scope: Optional[anyio.CancelScope] = None  # of the reader, where only that wakes it
        self._left: Optional[anyio.Event] = None  # set when a reader has left that close waits for
        self._closed = False

    async def next(self) -> list[EventTuple]:
        """The next messages; none at the end. QConfigurationError: another task is reading."""
        if self._reading:
            raise QConfigurationError(_BUSY)
        self._reading = True
        try:
            flowing = self._flowing
            while flowing is not None and not self._closed:
                taken = flowing.take() or await flowing  # closing the answer wakes it
                if taken is not None:
                    events = taken[1]
                    if events and events[0][0] >= 0:
                        return events
                    self._taken, flowing = taken, None
            return await self._next()
        except Failure as failure:
            raise self.transaction.error(failure) from None
        finally:
            self._reading = False
            if self._left is not None:
                self._left.set()

    async def _next(self) -> list[EventTuple]:
        while not self._closed:
            try:
                step = self._steps.send(self._result)
            except StopIteration:
                return []
            self._result = None
            if type(step) is list:
                return step
            if type(step) is Read and isinstance(self._answer, Reader):
                self._flowing = self._answer
                taken, self._taken = self._taken, None
                self._result = taken or await self._answer.drain()
            else:
                try:
                    with anyio.CancelScope() as self._scope:
                        self._result = await self._do(step)
                except StopAsyncIteration as stop:
                    raise RuntimeError(_STOPPED) from stop
                finally:
                    self._scope = None
        raise Failure(ffi.E_CANCELLED, STREAM_CLOSED)

    async def _do(self, step: Step) -> Any:
        if type(step) is Read:
            assert self._answer is not None
            return await self._answer.drain()
        if type(step) is Send:
            self._answer = await self._sender.send(self.transaction.exchange, self._timeout)
            return self._answer
        if type(step) is Close:
            return await self._close_answer()
        if type(step) is Sleep:
            return await anyio.sleep(step.seconds)
        return await self._renew()

    async def _close_answer(self) -> None:
        answer, self._answer, self._flowing = self._answer, None, None
        if answer is not None:
            await answer.close()

    async def close(self) -> None:
        """End it, whatever state it is in. A task that reads gets QClosedError."""
        self._closed = True
        if self._scope is not None:
            self._scope.cancel()
        elif self._reading:
            await self._close_answer()
        if self._reading:
            self._left = self._left or anyio.Event()
            await self._left.wait()
        self._steps.close()
        await self._close_answer()
        self.transaction.exchange.close()


class Call:
    """Drives a transaction in a thread."""

    def __init__(
        self,
        transaction: Transaction,
        sender: Sender,
        renew: Callable[[], Optional[str]],
        timeout: Timeouts,
    ) -> None:
        self.transaction = transaction
        self._steps = transaction.steps()
        self._sender = sender
        self._renew = renew
        self._timeout = timeout
        self._answer: Union[Answer, NativeAnswer, None] = None
        self._result: Any = None
        self._using = threading.Lock()  # held by the thread that reads or closes
        self._closed = threading.Event()

    def next(self) -> list[EventTuple]:
        """As AsyncCall.next."""
        if not self._using.acquire(blocking=False):
            if self._closed.is_set():  # by another thread, which may be at it
                raise error_from(Failure(ffi.E_CANCELLED, STREAM_CLOSED))
            raise QConfigurationError(_BUSY)
        try:
            return self._next()
        except Failure as failure:
            raise self.transaction.error(failure) from None
        finally:
            self._using.release()
            if self._closed.is_set():  # by another thread, which left it to this one
                self.close()

    def _next(self) -> list[EventTuple]:
        while not self._closed.is_set():
            try:
                step = self._steps.send(self._result)
            except StopIteration:
                return []
            self._result = None
            if type(step) is list:
                return step
            try:
                self._result = self._do(step)
            except StopIteration as stop:
                raise RuntimeError(_STOPPED) from stop
        raise Failure(ffi.E_CANCELLED, STREAM_CLOSED)

    def _do(self, step: Step) -> Any:
        if type(step) is Read:
            assert self._answer is not None
            return self._answer.drain()
        if type(step) is Send:
            self._answer = self._sender.send(self.transaction.exchange, self._timeout)
            return self._answer
        if type(step) is Close:
            return self._close_answer()
        if type(step) is Sleep:
            return self._closed.wait(step.seconds)
        return self._renew()

    def _close_answer(self) -> None:
        answer, self._answer = self._answer, None
        if answer is not None:
            answer.close()

    def close(self) -> None:
        """As AsyncCall.close, but does not wait for a thread that reads.

        That thread is woken where it waits for the library; httpx cannot be woken, and the thread ends with
        what comes next, or its timeout.
        """
        self._closed.set()
        if self._using.acquire(blocking=False):
            try:
                self._steps.close()
                self._close_answer()
                self.transaction.exchange.close()
            finally:
                self._using.release()
        else:
            self.transaction.exchange.abandon()
