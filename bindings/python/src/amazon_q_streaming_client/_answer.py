# SPDX-License-Identifier: Apache-2.0
"""A whole answer, and how its events add up to it. No I/O."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from typing import Any, Callable, Optional

from typing_extensions import Literal

from ._events import Event
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

__all__ = ["Accumulator", "FinalMessage", "ToolRequest"]


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


class Accumulator:
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

    _ADD: dict[type[Any], Callable[[Accumulator, Any], None]] = {
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
