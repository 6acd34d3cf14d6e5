# SPDX-License-Identifier: Apache-2.0
"""However an event crosses from C, it is the object that its payload says."""

from __future__ import annotations

import json
from typing import Any

import pytest
from frames import STREAM, frame

from amazon_q_streaming_client import _ffi as ffi
from amazon_q_streaming_client._events import parse_event
from amazon_q_streaming_client._native import Client, Exchange
from amazon_q_streaming_client._operations import parse_message

ANSWER = "assistantResponseEvent"


def batch(event: str, payload: bytes) -> list[Any]:
    """What the library makes of an answer with this event."""
    client = Client({"endpoint": "http://127.0.0.1:1"}, environment=False, files=False)
    exchange = Exchange(client, ffi.CALL_GENERATE_ASSISTANT_RESPONSE, access_token="t", body=b"{}")
    try:
        exchange.drain()
        exchange.request()
        exchange.response(200, [(k.encode(), v.encode()) for k, v in STREAM.items()])
        exchange.feed(frame(event, payload))
        _status, events = exchange.drain()
        return [event for event in events if event[0] >= 0]
    finally:
        exchange.close()
        client.close()


def wire(**members: Any) -> bytes:
    return json.dumps(members, separators=(",", ":"), ensure_ascii=False).encode()


TEXTS = ["", "next piece", 'a "quoted" one', "\\", '\\"', "\n\u65e5\u672c\U0001f680", "}", '","modelId":"']


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("model", [None, "CLAUDE_SONNET_4", "with space"])
def test_an_answer_that_is_text_crosses_as_text(text: str, model: Any) -> None:
    members = {"content": text} if model is None else {"content": text, "modelId": model}
    (message,) = batch(ANSWER, wire(**members))
    assert message == (1, text, model or "")
    event = parse_message(message)
    assert event == parse_event(1, ANSWER, wire(**members))
    assert event.model_fields_set == parse_event(1, ANSWER, wire(**members)).model_fields_set
    assert event.to_wire() == members


@pytest.mark.parametrize(
    "payload",
    [
        b'{"modelId":"m","content":"text"}',
        b'{"content":"text","modelId":null}',
        b'{"content":"text","modelId":""}',
        b'{"content":"text","modelId":"m\\u0041"}',
        b'{"content":"text","modelId":"\xc3\xa9"}',
        b'{"content":"text","modelId":"m","new":1}',
        b'{"content":"text","modelId":"m","content":"other"}',
        b'{"content":"text", "modelId":"m"}',
        b'{"content":"text" }',
        b'{"content":"text"} ',
        b"{}",
    ],
)
def test_any_other_answer_crosses_as_it_came(payload: bytes) -> None:
    (message,) = batch(ANSWER, payload)
    assert message == (1, payload, ANSWER)
    event = parse_message(message)
    assert event == parse_event(1, ANSWER, payload)


def test_other_events_cross_as_they_came() -> None:
    payload = b'{"toolUseId":"1","name":"ls","input":"{"}'
    (message,) = batch("toolUseEvent", payload)
    assert message == (2, payload, "toolUseEvent")
    event = parse_message(message)
    assert event == parse_event(2, "toolUseEvent", payload)
