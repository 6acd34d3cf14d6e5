# SPDX-License-Identifier: Apache-2.0
"""An answer while it comes, and the message it adds up to."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from typing import (
    TYPE_CHECKING,
    Any,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterator,
    Optional,
)

from ._errors import QClosedError, QError
from ._operations import parse_messages
from .models import (
    AssistantResponseEvent,
    AssistantResponseMessage,
    CitationEvent,
    CodeEvent,
    CodeReferenceEvent,
    ContextUsageEvent,
    FollowupPrompt,
    FollowupPromptEvent,
    InvalidStateEvent,
    MessageMetadataEvent,
    MetadataEvent,
    MeteringEvent,
    ReasoningContentEvent,
    Reference,
    SupplementaryWebLink,
    SupplementaryWebLinksEvent,
    TokenUsage,
    ToolUse,
    ToolUseEvent,
)

if TYPE_CHECKING:
    from typing_extensions import Literal, Self

    from ._events import Event
    from ._exchange import AsyncCall, Call
    from ._native import EventTuple

__all__ = ["AsyncMessageStream", "FinalMessage", "MessageStream", "ToolRequest"]


@dataclass(frozen=True)
class ToolRequest:
    """A tool that the model wants to use."""

    tool_use_id: str
    name: str
    input: dict[str, Any] = field(repr=False)
    """The arguments; empty when `error` says why they cannot be read."""
    input_text: str = field(repr=False)
    """The arguments as they came."""
    error: Optional[str] = None
    """What is wrong with `input_text`, if anything."""


@dataclass(frozen=True)
class FinalMessage:
    """A whole answer; or as much as has come of it, when `stop` is None."""

    text: str = field(repr=False)
    reasoning: str = field(repr=False)
    code: str = field(repr=False)
    tool_uses: tuple[ToolRequest, ...]
    """What the model wants to know before it goes on."""
    references: tuple[Reference, ...]
    """Licensed code that parts of the text resemble."""
    citations: tuple[CitationEvent, ...]
    web_links: tuple[SupplementaryWebLink, ...]
    followup_prompt: Optional[FollowupPrompt]
    """What the user may want to ask next."""
    token_usage: Optional[TokenUsage]
    metering: tuple[MeteringEvent, ...]
    """What the answer costs of the plan."""
    context_usage_percentage: Optional[float]
    invalid_state: Optional[InvalidStateEvent]
    """Why the service could not answer well, if it said so."""
    model_id: Optional[str]
    conversation_id: Optional[str]
    utterance_id: Optional[str]
    request_id: Optional[str]
    """What the service calls the request; support will ask for it."""
    stop: Optional[Literal["end", "tool_use"]]
    """Why it ended: the answer is complete, or the model waits for results of tools."""

    def to_history(self) -> AssistantResponseMessage:
        """The message as a part of a history."""
        uses = [
            ToolUse(tool_use_id=use.tool_use_id, name=use.name, input=use.input)
            for use in self.tool_uses
        ]
        return AssistantResponseMessage(
            message_id=str(uuid.uuid4()), content=self.text, tool_uses=uses or None
        )


class _ToolInput:
    """Collects the pieces of one tool's arguments."""

    def __init__(self, first: ToolUseEvent) -> None:
        self.tool_use_id = first.tool_use_id
        self._name = first.name
        self._pieces: list[str] = []

    def add(self, event: ToolUseEvent) -> None:
        if event.input:
            self._pieces.append(event.input)

    def request(self, complete: bool) -> ToolRequest:
        text = "".join(self._pieces)
        arguments, error = _arguments(text) if complete else ({}, "the arguments are not complete")
        return ToolRequest(self.tool_use_id, self._name, arguments, text, error)


def _arguments(text: str) -> tuple[dict[str, Any], Optional[str]]:
    if not text.strip():
        return {}, None  # a tool without arguments
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}, "the arguments are not JSON; if they were cut off, split them into several uses"
    if not isinstance(value, dict):
        return {}, "the arguments must be a JSON object"
    return value, None


class _Accumulator:
    """Adds events up to a message. No I/O."""

    def __init__(self) -> None:
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._code: list[str] = []
        self._tools: list[ToolRequest] = []
        self._tool: Optional[_ToolInput] = None
        self._references: list[Reference] = []
        self._citations: list[CitationEvent] = []
        self._web_links: list[SupplementaryWebLink] = []
        self._metering: list[MeteringEvent] = []
        self._latest: dict[str, Any] = {}

    def add(self, event: Event) -> None:
        add = self._ADD.get(type(event))
        if self._tool is not None and type(event) is not ToolUseEvent:
            self._end_tool()
        if add is not None:
            add(self, event)

    def _add_text(self, event: AssistantResponseEvent) -> None:
        self._text.append(event.content)
        if event.model_id is not None:
            self._latest["model_id"] = event.model_id

    def _add_tool_use(self, event: ToolUseEvent) -> None:
        tool = self._tool
        # Pieces belong to the tool that was begun last, whether or not they say its id.
        if tool is None or event.tool_use_id not in ("", tool.tool_use_id):
            self._end_tool()
            tool = self._tool = _ToolInput(event)
        tool.add(event)
        if event.stop:
            self._end_tool()

    def _end_tool(self) -> None:
        tool, self._tool = self._tool, None
        if tool is not None:
            self._tools.append(tool.request(complete=True))

    def _add_web_links(self, event: SupplementaryWebLinksEvent) -> None:
        self._web_links += event.supplementary_web_links or ()

    def _add_references(self, event: CodeReferenceEvent) -> None:
        self._references += event.references or ()

    def _add_conversation(self, event: MessageMetadataEvent) -> None:
        self._latest.update(conversation_id=event.conversation_id, utterance_id=event.utterance_id)

    _ADD: dict[type[Any], Callable[[_Accumulator, Any], None]] = {
        AssistantResponseEvent: _add_text,
        CitationEvent: lambda self, event: self._citations.append(event),
        CodeEvent: lambda self, event: self._code.append(event.content),
        CodeReferenceEvent: _add_references,
        ContextUsageEvent: lambda self, event: self._latest.update(
            context_usage_percentage=event.context_usage_percentage
        ),
        FollowupPromptEvent: lambda self, event: self._latest.update(
            followup_prompt=event.followup_prompt
        ),
        InvalidStateEvent: lambda self, event: self._latest.update(invalid_state=event),
        MessageMetadataEvent: _add_conversation,
        MetadataEvent: lambda self, event: self._latest.update(token_usage=event.token_usage),
        MeteringEvent: lambda self, event: self._metering.append(event),
        ReasoningContentEvent: lambda self, event: self._reasoning.append(event.text or ""),
        SupplementaryWebLinksEvent: _add_web_links,
        ToolUseEvent: _add_tool_use,
    }

    def finish(self) -> None:
        """There are no more events."""
        self._end_tool()

    def message(self, *, complete: bool, request_id: Optional[str]) -> FinalMessage:
        tools = list(self._tools)
        if self._tool is not None:
            tools.append(self._tool.request(complete=False))
        stop: Optional[Literal["end", "tool_use"]] = None
        if complete:
            stop = "tool_use" if tools else "end"
        latest = self._latest.get
        return FinalMessage(
            text="".join(self._text),
            reasoning="".join(self._reasoning),
            code="".join(self._code),
            tool_uses=tuple(tools),
            references=tuple(self._references),
            citations=tuple(self._citations),
            web_links=tuple(self._web_links),
            followup_prompt=latest("followup_prompt"),
            token_usage=latest("token_usage"),
            metering=tuple(self._metering),
            context_usage_percentage=latest("context_usage_percentage"),
            invalid_state=latest("invalid_state"),
            model_id=latest("model_id"),
            conversation_id=latest("conversation_id"),
            utterance_id=latest("utterance_id"),
            request_id=request_id,
            stop=stop,
        )


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


class _Reading:
    """What both streams have in common: from the messages of a call to events and their sum."""

    _call: Any  # an AsyncCall or a Call, from the first reading on

    def __init__(self, drop_referenced_code: bool) -> None:
        self._sum = _Accumulator()
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
            events = parse_messages(messages)
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
