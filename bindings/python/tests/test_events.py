# SPDX-License-Identifier: Apache-2.0
import copy
import json
import pickle
import re
from pathlib import Path
from typing import get_args

import pytest

from amazon_q_streaming_client import _events, models
from amazon_q_streaming_client._events import (
    Event,
    EventError,
    UnknownEvent,
    parse_event,
    text_event,
)

HEADER = Path(__file__).resolve().parents[3] / "core/include/amazonq/client.h"
CLASSES = sorted(_events.KINDS.values(), key=lambda cls: cls.__name__)


def test_the_kinds_are_those_of_the_header():
    defined = re.findall(r"#define AQ_MESSAGE_(\w+) (\d+)", HEADER.read_text(encoding="utf-8"))
    names = {
        int(kind): name.title().replace("_", "") + "Event"
        for name, kind in defined
        if name != "UNKNOWN"
    }
    assert {kind: cls.__name__ for kind, cls in _events.KINDS.items()} == names


def test_every_event_shape_is_an_event():
    shapes = (getattr(models, name) for name in models.__all__)
    events = {s for s in shapes if isinstance(s, type) and issubclass(s, models.EventShape)}
    assert {models.EventShape, *get_args(Event)} == {UnknownEvent, *events}
    assert {models.EventShape, *CLASSES} == events


@pytest.mark.parametrize("cls", CLASSES)
def test_an_event_is_found_by_its_kind_and_by_its_name(cls):
    kind = next(kind for kind, other in _events.KINDS.items() if other is cls)
    assert type(parse_event(kind, cls.event_type, b"{}")) is cls
    assert type(parse_event(0, cls.event_type, b"{}")) is cls
    assert type(parse_event(999, cls.event_type, b"{}")) is cls


@pytest.mark.parametrize("cls", CLASSES)
def test_an_empty_payload_is_an_empty_object(cls):
    assert parse_event(0, cls.event_type, b"") == cls.from_wire(b"{}")


def test_an_event_has_what_its_payload_says():
    event = parse_event(2, "toolUseEvent", b'{"toolUseId":"1","name":"ls","input":"{","new":[1]}')
    assert event == models.ToolUseEvent.from_wire(
        {"toolUseId": "1", "name": "ls", "input": "{", "new": [1]}
    )
    assert event.event_type == "toolUseEvent"
    assert event.to_wire()["new"] == [1]


def test_an_event_that_is_not_known_keeps_its_payload():
    event = parse_event(0, "dreamEvent", b"\x00 not JSON")
    assert event == UnknownEvent("dreamEvent", b"\x00 not JSON")
    assert event.event_type == "dreamEvent"
    assert repr(event) == "UnknownEvent(name='dreamEvent')"
    assert parse_event(0, "dreamEvent", b"") == UnknownEvent("dreamEvent", b"")


@pytest.mark.parametrize("payload", [b'{"content":5}', b"[]", b'"{}"', b"null "])
def test_an_event_that_does_not_fit_its_class_is_unknown_or_filled_up(payload):
    event = parse_event(1, "assistantResponseEvent", payload)
    if payload == b"null ":
        assert event == models.AssistantResponseEvent(content="")
    else:
        assert event == UnknownEvent("assistantResponseEvent", payload)


@pytest.mark.parametrize("payload", [b"{", b'{"content":"secret"', b"\xff", b" ", b"[" * 99999])
def test_a_payload_that_is_not_json_is_an_error_that_does_not_show_it(payload):
    with pytest.raises(EventError, match="assistantResponseEvent: the payload is not JSON") as got:
        parse_event(1, "assistantResponseEvent", payload)
    assert "secret" not in str(got.value)


def test_the_payload_of_a_dry_run_means_nothing():
    event = parse_event(16, "dryRunSucceedEvent", b"not JSON")
    assert event == models.DryRunSucceedEvent()


@pytest.mark.parametrize("model", [None, "claude"])
@pytest.mark.parametrize("text", ["next piece", ""])
class TestTextEvent:
    """An event made of its text is the one that was read, whatever is done with it."""

    def pair(self, text, model):
        payload = {"content": text} if model is None else {"content": text, "modelId": model}
        return text_event(text, model), parse_event(1, "", json.dumps(payload).encode())

    def test_is_equal(self, text, model):
        made, read = self.pair(text, model)
        assert made == read
        assert read == made
        assert repr(made) == repr(read)

    def test_has_the_same_fields_set_and_extra(self, text, model):
        made, read = self.pair(text, model)
        assert made.model_fields_set == read.model_fields_set
        assert made.model_extra == read.model_extra
        assert made.__pydantic_private__ == read.__pydantic_private__

    @pytest.mark.parametrize("unset", [True, False])
    def test_is_written_the_same(self, text, model, unset):
        made, read = self.pair(text, model)
        assert made.model_dump(exclude_unset=unset) == read.model_dump(exclude_unset=unset)
        made, read = self.pair(text, model)
        assert made.model_dump_json(exclude_unset=unset) == read.model_dump_json(
            exclude_unset=unset
        )
        assert self.pair(text, model)[0].to_wire() == read.to_wire()

    @pytest.mark.parametrize(
        "duplicate",
        [
            copy.copy,
            copy.deepcopy,
            lambda e: e.model_copy(),
            lambda e: pickle.loads(pickle.dumps(e)),
        ],
    )
    def test_is_copied_the_same(self, text, model, duplicate):
        made, read = self.pair(text, model)
        assert duplicate(made) == duplicate(read)
        assert duplicate(made).model_fields_set == read.model_fields_set

    def test_is_changed_the_same(self, text, model):
        made, read = self.pair(text, model)
        for event in (made, read):
            event.content = "other"
            event.new = 1
        assert made == read
        assert made.to_wire() == read.to_wire()
        assert made.model_fields_set == read.model_fields_set

    def test_has_no_other_attributes(self, text, model):
        made, read = self.pair(text, model)
        for event in (made, read):
            with pytest.raises(AttributeError, match="nothing"):
                _ = event.nothing
