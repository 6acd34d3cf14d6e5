# SPDX-License-Identifier: Apache-2.0
"""From what the core reports of an event (kind, name, payload) to an object of its class."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Optional, Union

from pydantic import ValidationError

from .models._base import EventShape, mend, read_json
from .models._responses import (
    AssistantResponseEvent,
    BinaryMetadataEvent,
    BinaryPayloadEvent,
    CitationEvent,
    CodeEvent,
    CodeReferenceEvent,
    ContextUsageEvent,
    DryRunSucceedEvent,
    FollowupPromptEvent,
    InitialResponseEvent,
    IntentsEvent,
    InteractionComponentsEvent,
    InvalidStateEvent,
    MessageMetadataEvent,
    MetadataEvent,
    MeteringEvent,
    ReasoningContentEvent,
    SupplementaryWebLinksEvent,
    ToolResultEvent,
    ToolUseEvent,
)


@dataclass(frozen=True)
class UnknownEvent:
    """An event that this version does not know, or cannot read as what its name says."""

    name: str
    payload: bytes = field(repr=False)

    @property
    def event_type(self) -> str:
        """The name on the wire, as the other events have it."""
        return self.name


Event = Union[
    AssistantResponseEvent,
    BinaryMetadataEvent,
    BinaryPayloadEvent,
    CitationEvent,
    CodeEvent,
    CodeReferenceEvent,
    ContextUsageEvent,
    DryRunSucceedEvent,
    FollowupPromptEvent,
    InitialResponseEvent,
    IntentsEvent,
    InteractionComponentsEvent,
    InvalidStateEvent,
    MessageMetadataEvent,
    MetadataEvent,
    MeteringEvent,
    ReasoningContentEvent,
    SupplementaryWebLinksEvent,
    ToolResultEvent,
    ToolUseEvent,
    UnknownEvent,
]

# AQ_MESSAGE_... of <amazonq/client.h>.
KINDS: dict[int, type[EventShape]] = {
    1: AssistantResponseEvent,
    2: ToolUseEvent,
    3: ReasoningContentEvent,
    4: CodeEvent,
    5: MetadataEvent,
    6: MessageMetadataEvent,
    7: MeteringEvent,
    8: CitationEvent,
    9: CodeReferenceEvent,
    10: SupplementaryWebLinksEvent,
    11: FollowupPromptEvent,
    12: IntentsEvent,
    13: InteractionComponentsEvent,
    14: InvalidStateEvent,
    15: ToolResultEvent,
    16: DryRunSucceedEvent,
    17: ContextUsageEvent,
    18: InitialResponseEvent,
    19: BinaryMetadataEvent,
    20: BinaryPayloadEvent,
}

_KIND_OF = {cls.event_type: kind for kind, cls in KINDS.items()}


class _Readers(dict[int, Callable[[bytes], Event]]):
    """What reads a payload of each kind: to look for it takes as long as to call it."""

    def __missing__(self, kind: int) -> Callable[[bytes], Event]:
        self[kind] = read = KINDS[kind].__pydantic_validator__.validate_json
        return read


_readers = _Readers()

_new = object.__new__


class EventError(ValueError):
    """An event's payload is not JSON: the answer is damaged."""


def parse_event(kind: int, name: str, payload: bytes) -> Event:
    """The event as an object of its class. Any thread may call this.

    An event that is not known, or that is JSON but not what its class expects, is an UnknownEvent
    with the payload as it came. Raises EventError if the payload of a known event is not JSON.
    """
    if kind not in KINDS:
        kind = _KIND_OF.get(name, 0)
        if not kind:
            return UnknownEvent(name, payload)
    try:
        return _readers[kind](payload or b"{}")
    except ValidationError:
        return _parse_unusual(KINDS[kind], name, payload)


def text_event(text: str, model_id: Optional[str]) -> AssistantResponseEvent:
    """As parse_event() of an answer's piece that holds this and nothing else, in a quarter of the time."""
    event: Any = _new(AssistantResponseEvent)
    values = event.__dict__
    values["content"] = text
    values["model_id"] = model_id
    return event  # type: ignore[no-any-return]


def _parse_unusual(cls: type[EventShape], name: str, payload: bytes) -> Event:
    """Something is left out, wrong, or not JSON."""
    if cls is DryRunSucceedEvent:
        return DryRunSucceedEvent()  # its payload means nothing
    try:
        value = read_json(payload or b"{}")
    except ValueError:
        raise EventError(f"event {name}: the payload is not JSON, ask again") from None
    try:
        event: Event = cls.__pydantic_validator__.validate_python(mend(cls, value))
    except ValidationError:
        return UnknownEvent(name, payload)
    return event
