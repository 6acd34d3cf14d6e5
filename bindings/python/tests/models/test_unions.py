# SPDX-License-Identifier: Apache-2.0
import pytest
from pydantic import ValidationError

from amazon_q_streaming_client import models as m


def state(message):
    return m.ConversationState(current_message=message, chat_trigger_type=m.ChatTriggerType.MANUAL)


def test_a_structure_stands_for_itself():
    said = m.UserInputMessage(content="hello")
    assert state(said).current_message is said
    assert state(said).to_wire()["currentMessage"] == {"userInputMessage": {"content": "hello"}}


@pytest.mark.parametrize("key", ["userInputMessage", "user_input_message"])
def test_an_object_with_one_key_is_the_structure_it_holds(key):
    assert state({key: {"content": "hello"}}).current_message == m.UserInputMessage(content="hello")


def test_members_that_are_not_structures_are_variants():
    text = m.ToolResultContentBlockText(text="done")
    data = m.ToolResultContentBlockJson(json_={"done": True})
    result = m.ToolResult(tool_use_id="1", content=[text, {"json": {"done": True}}])
    assert result.content == [text, data]
    assert result.to_wire()["content"] == [{"text": "done"}, {"json": {"done": True}}]


def test_a_structure_beside_a_variant_stands_for_itself():
    cited = m.CitationEvent.from_wire({"target": {"range": {"start": 1}}, "citationLink": "l"})
    assert cited.target == m.Span(start=1)
    cited = m.CitationEvent.from_wire({"target": {"location": 7}, "citationLink": "l"})
    assert cited.target == m.CitationTargetLocation(location=7)


def test_an_unknown_member_is_kept():
    said = state({"systemMessage": {"content": "be kind"}}).current_message
    assert said == m.UnknownUnionMember("systemMessage", {"content": "be kind"})
    assert state(said).to_wire()["currentMessage"] == {"systemMessage": {"content": "be kind"}}


def test_type_names_and_nulls_beside_the_member_do_not_count():
    value = {"__type": "x", "assistantResponseMessage": None, "userInputMessage": {"content": ""}}
    assert state(value).current_message == m.UserInputMessage(content="")


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"__type": "x"},
        {"userInputMessage": {"content": ""}, "other": 1},
        m.Span(),
        "hello",
        {"userInputMessage": "hello"},
    ],
)
def test_anything_else_is_an_error(value):
    with pytest.raises(ValidationError, match="current_message"):
        state(value)


def test_a_variant_has_no_second_member():
    with pytest.raises(ValidationError):
        m.ToolResultContentBlockText.model_validate({"text": "a", "json": {}})


def test_a_subclass_is_written_as_the_member_it_is():
    class Greeting(m.UserInputMessage):
        pass

    written = state(Greeting(content="hello")).to_wire()
    assert written["currentMessage"] == {"userInputMessage": {"content": "hello"}}


def test_a_member_of_a_union_is_filled_up_where_the_service_left_something_out():
    event = m.ToolResultEvent.from_wire({"toolResult": {"content": [{"text": "a"}, {"new": None}]}})
    assert event.tool_result == m.ToolResult(
        tool_use_id="", content=[m.ToolResultContentBlockText(text="a"), m.UnknownUnionMember()]
    )
