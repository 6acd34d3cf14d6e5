# SPDX-License-Identifier: Apache-2.0
from datetime import datetime, timedelta, timezone

import pytest
from pydantic import ValidationError

from amazon_q_streaming_client import models as m


def test_bytes_are_base64_in_json_only():
    block = m.ImageBlock(format="png", source=m.ImageSourceBytes(bytes=b"\xff\x00"))
    assert block.to_wire() == {"format": "png", "source": {"bytes": "/wA="}}
    assert block.model_dump()["source"] == {"bytes": b"\xff\x00"}
    assert m.ImageBlock.from_wire(block.to_wire()) == block


@pytest.mark.parametrize("text", ["_wA=", "/wA", "/w A="])
def test_what_is_not_standard_base64_is_an_error(text):
    with pytest.raises(ValidationError):
        m.BinaryPayloadEvent.from_wire({"bytes": text})


@pytest.mark.parametrize(
    ("seconds", "when"),
    [
        (0, datetime(1970, 1, 1, tzinfo=timezone.utc)),
        (-1, datetime(1969, 12, 31, 23, 59, 59, tzinfo=timezone.utc)),
        (1700000000.125, datetime(2023, 11, 14, 22, 13, 20, 125000, tzinfo=timezone.utc)),
        (32503680000, datetime(3000, 1, 1, tzinfo=timezone.utc)),
    ],
)
def test_a_time_is_seconds_since_1970_in_json_only(seconds, when):
    read = m.GetUsageLimitsResponse.from_wire({"nextDateReset": seconds})
    assert read.next_date_reset == when
    assert read.to_wire() == {"nextDateReset": seconds}
    assert read.model_dump()["next_date_reset"] == when


def test_a_time_keeps_its_moment_in_any_zone():
    zone = timezone(timedelta(hours=2))
    built = m.GetUsageLimitsResponse(next_date_reset=datetime(1970, 1, 1, 2, tzinfo=zone))
    assert built.to_wire() == {"nextDateReset": 0}


@pytest.mark.parametrize("value", [datetime(2026, 1, 1), 1e300, float("nan"), True, "soon"])
def test_what_is_no_moment_is_an_error(value):
    with pytest.raises(ValidationError):
        m.GetUsageLimitsResponse(next_date_reset=value)


def test_a_known_enum_value_is_its_constant_and_any_other_a_string():
    known = m.UserInputMessage(content="", origin="CLI")
    assert known.origin is m.Origin.CLI
    new = m.UserInputMessage(content="", origin="TOASTER")
    assert type(new.origin) is str
    assert (known.to_wire()["origin"], new.to_wire()["origin"]) == ("CLI", "TOASTER")
    assert type(known.to_wire()["origin"]) is str


def test_none_is_absent_and_null_inside_a_document_is_not():
    use = m.ToolUse(tool_use_id="1", name="n", input={"a": None})
    assert use.to_wire()["input"] == {"a": None}
    assert m.UserInputMessage(content="", origin=None).to_wire() == {"content": ""}


def test_wire_names_and_python_names_are_both_accepted():
    by_name = m.ToolSpecification(name="n", input_schema=m.ToolInputSchema(json_={}))
    by_wire = m.ToolSpecification.model_validate({"name": "n", "inputSchema": {"json": {}}})
    assert by_name == by_wire
    assert m.Resource.from_wire({"ARN": "a"}).arn == "a"
    assert m.Resource.from_wire({"ARN": "a"}).to_wire()["ARN"] == "a"


def test_half_a_surrogate_pair_is_the_replacement_character():
    text = rb'{"content":"\ud83d, \\ud83d and \ud83d\ude00 and \udc00"}'
    read = m.AssistantResponseEvent.from_wire(text)
    assert read.content == "\ufffd, \\ud83d and \U0001f600 and \ufffd"


@pytest.mark.parametrize("text", [b"", b"{", b'{"content":"secret"', b"\xff", b"[" * 100000])
def test_what_is_not_json_is_a_value_error_that_does_not_show_it(text):
    with pytest.raises(ValueError, match="not JSON") as caught:
        m.AssistantResponseEvent.from_wire(text)
    assert "secret" not in str(caught.value)
