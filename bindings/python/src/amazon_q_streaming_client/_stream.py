# SPDX-License-Identifier: Apache-2.0
"""An answer while it comes."""

from __future__ import annotations

from typing import Any, AsyncIterator, Awaitable, Callable, Iterator, Optional

from typing_extensions import Self

from ._answer import Accumulator, FinalMessage
from ._errors import QClosedError, QError
from ._events import Event
from ._exchange import AsyncCall, Call
from ._native import EventTuple
from ._operations import parse_message
from ._single import Single
from .models import AssistantResponseEvent, CodeReferenceEvent

__all__ = ["AsyncMessageStream", "MessageStream"]


class _ReferencedCode:
    """Drops each piece of text that a code reference follows: it waits until that is known."""

    def __init__(self) -> None:
        self._held: Optional[Event] = None

    def __call__(self, events: Iterator[Event]) -> Iterator[Event]:
        for event in events:
            held, self._held = self._held, None
            if held is not None and not isinstance(event, CodeReferenceEvent):
                yield held
            if isinstance(event, AssistantResponseEvent):
                self._held = event
            else:
                yield event

    def rest(self) -> Iterator[Event]:
        """What is held back when nothing follows."""
        held, self._held = self._held, None
        return iter(() if held is None else (held,))


_CLOSED = (
    "stream: was closed, or failed, before the answer was complete; read it inside 'with', or ask "
    "again"
)


class _Reading(Single):
    """What both streams have in common: from the messages of a call to events and their sum."""

    _instead = "keep its snapshot or final_message()"
    _call: Any  # an AsyncCall or a Call, from the first reading on

    def __init__(self, drop_referenced_code: bool) -> None:
        self._sum = Accumulator()
        self._filter = _ReferencedCode() if drop_referenced_code else None
        self._events: Iterator[Event] = iter(())
        self._complete = False
        self._closed = False
        self._final: Optional[FinalMessage] = None
        self._completed: Optional[Callable[[FinalMessage], None]] = None

    def __repr__(self) -> str:
        state = "complete" if self._final else "closed" if self._closed else "open"
        return f"<{type(self).__name__} {state} request_id={self.request_id}>"

    @property
    def request_id(self) -> Optional[str]:
        """What the service calls the request; None until it has answered."""
        request_id: Optional[str] = None
        if self._call is not None:
            request_id = self._call.transaction.request_id
        return request_id

    @property
    def snapshot(self) -> FinalMessage:
        """The message, as far as its events have been read. Takes as long as the message."""
        return self._final or self._sum.message(complete=False, request_id=self.request_id)

    def when_complete(self, call: Callable[[FinalMessage], None]) -> None:
        """Call this with the message, once, when it is complete."""
        self._completed = call

    def _take(self, messages: list[EventTuple]) -> None:
        """Messages have come; none is the end."""
        self._complete = not messages
        if messages:
            events = map(parse_message, messages)
            self._events = self._filter(events) if self._filter is not None else events
        elif self._filter is not None:
            self._events = self._filter.rest()

    def _next_event(self) -> Optional[Event]:
        """The next event there is."""
        for event in self._events:
            self._sum.add(event)
            return event
        if self._complete and self._final is None:
            self._sum.finish()
            self._final = self._sum.message(complete=True, request_id=self.request_id)
            if self._completed is not None:
                self._completed(self._final)
        return None

    def _note(self, error: BaseException) -> None:
        """The error says what came before it, if the answer had begun."""
        if isinstance(error, QError) and self._call is not None:
            if self._call.transaction.answering:
                error.partial = self.snapshot

    def _finished(self) -> FinalMessage:
        assert self._final is not None  # the events were read to their end
        return self._final


class AsyncMessageStream(_Reading):
    """An answer while it comes. What `QStreamingClient.stream` returns.

        async with client.stream("Hello") as stream:
            async for text in stream.text_stream:
                print(text, end="", flush=True)
        message = await stream.final_message()

    Iterating over the stream itself gives the events. All ways of reading share one position.
    """

    def __init__(
        self, open_call: Callable[[], Awaitable[AsyncCall]], *, drop_referenced_code: bool = False
    ) -> None:
        super().__init__(drop_referenced_code)
        self._open_call = open_call
        self._call: Optional[AsyncCall] = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End it; an answer that is not complete is cancelled."""
        if not self._closed:
            self._closed = True
            self._events = iter(())
            if self._call is not None:
                await self._call.close()

    def __aiter__(self) -> AsyncIterator[Event]:
        return self

    async def __anext__(self) -> Event:
        try:
            while True:
                event = self._next_event()
                if event is not None:
                    return event
                if self._final is not None:
                    break
                if self._closed:
                    raise QClosedError(_CLOSED)
                if self._call is None:
                    self._call = await self._open_call()
                self._take(await self._call.next())
        except BaseException as error:
            self._note(error)
            await self.aclose()
            raise
        await self.aclose()
        raise StopAsyncIteration

    @property
    def text_stream(self) -> AsyncIterator[str]:
        """The pieces of the text."""
        return async_texts(self)

    async def final_message(self) -> FinalMessage:
        """The whole message, once it is complete."""
        async for _ in self:
            pass
        return self._finished()

    async def text(self) -> str:
        """The whole text, once it is complete."""
        return (await self.final_message()).text


def async_texts(events: AsyncIterator[Any]) -> AsyncIterator[str]:
    """The pieces of text among these."""
    return _AsyncTexts(events)


class _AsyncTexts:
    # Not an async generator: those want to be closed, or trio complains.
    def __init__(self, events: AsyncIterator[Any]) -> None:
        self._events = events

    def __aiter__(self) -> AsyncIterator[str]:
        return self

    async def __anext__(self) -> str:
        while True:
            event = await self._events.__anext__()
            if isinstance(event, AssistantResponseEvent) and event.content:
                return event.content


class MessageStream(_Reading):
    """As AsyncMessageStream, for threads. What `SyncQStreamingClient.stream` returns."""

    def __init__(
        self, open_call: Callable[[], Call], *, drop_referenced_code: bool = False
    ) -> None:
        super().__init__(drop_referenced_code)
        self._open_call = open_call
        self._call: Optional[Call] = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """End it; an answer that is not complete is cancelled."""
        if not self._closed:
            self._closed = True
            self._events = iter(())
            if self._call is not None:
                self._call.close()

    def __iter__(self) -> Iterator[Event]:
        return self

    def __next__(self) -> Event:
        try:
            while True:
                event = self._next_event()
                if event is not None:
                    return event
                if self._final is not None:
                    break
                if self._closed:
                    raise QClosedError(_CLOSED)
                if self._call is None:
                    self._call = self._open_call()
                self._take(self._call.next())
        except BaseException as error:
            self._note(error)
            self.close()
            raise
        self.close()
        raise StopIteration

    @property
    def text_stream(self) -> Iterator[str]:
        """The pieces of the text."""
        return texts(self)

    def final_message(self) -> FinalMessage:
        """The whole message, once it is complete."""
        for _ in self:
            pass
        return self._finished()

    def text(self) -> str:
        """The whole text, once it is complete."""
        return self.final_message().text


def texts(events: Iterator[Any]) -> Iterator[str]:
    """The pieces of text among these."""
    for event in events:
        if isinstance(event, AssistantResponseEvent) and event.content:
            yield event.content
