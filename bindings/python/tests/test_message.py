# SPDX-License-Identifier: Apache-2.0
"""What an operation takes as message, history and tools, and what it refuses at once."""

from __future__ import annotations

from typing import Any

import pytest

import amazon_q_streaming_client as q
from amazon_q_streaming_client import models
from amazon_q_streaming_client._message import conversation_state

ASKED = q.UserInputMessage(content="hello")
SAID = q.AssistantResponseMessage(content="hi")
STATE = q.ConversationState(current_message=ASKED, chat_trigger_type=models.ChatTriggerType.MANUAL)


@pytest.mark.parametrize("message", ["", " \n", q.UserInputMessage(content="")])
def test_an_empty_message_is_refused(message: Any) -> None:
    with pytest.raises(q.QConfigurationError, match="message: is empty, say something"):
        conversation_state(message)


def test_an_image_says_enough() -> None:
    state = conversation_state("", images=[b"GIF89a"])
    assert state.current_message.images is not None


def test_results_of_tools_say_enough() -> None:
    result = q.ToolResult(tool_use_id="t1", content=[])
    context = q.UserInputMessageContext(tool_results=[result])
    message = q.UserInputMessage(content="", user_input_message_context=context)
    assert conversation_state(message).current_message == message


def test_another_type_of_message_is_named() -> None:
    with pytest.raises(q.QConfigurationError, match="message: must be a string, .* not int"):
        conversation_state(7)  # type: ignore[arg-type]


def test_half_a_surrogate_pair_is_not_text() -> None:
    with pytest.raises(q.QConfigurationError, match="message: character 2 is half"):
        conversation_state("ab\ud800")


def test_a_string_becomes_a_message_of_the_command_line() -> None:
    wire = conversation_state("hello", model="m").to_wire()
    assert wire.pop("conversationId").count("-") == 4
    assert wire == {
        "currentMessage": {
            "userInputMessage": {"content": "hello", "origin": "CLI", "modelId": "m"}
        },
        "chatTriggerType": "MANUAL",
    }


def test_a_message_of_the_caller_is_not_changed() -> None:
    message = q.UserInputMessage(content="hello")
    before = message.to_wire()
    conversation_state(message, model="m", images=[b"GIF89a"], tools=[TOOL])
    assert message.to_wire() == before


def test_a_whole_state_is_sent_as_it_is() -> None:
    assert conversation_state(STATE) is STATE


@pytest.mark.parametrize(
    "keyword",
    [{"history": []}, {"tools": []}, {"images": []}, {"model": "m"}, {"conversation_id": "c"}],
)
def test_a_whole_state_takes_no_keywords(keyword: Any) -> None:
    with pytest.raises(q.QConfigurationError, match="has its own history"):
        conversation_state(STATE, **keyword)


def test_a_history_is_messages_or_the_services_json() -> None:
    wire = [{"userInputMessage": {"content": "a"}}, {"assistantResponseMessage": {"content": "b"}}]
    state = conversation_state("c", history=wire)
    assert state.to_wire()["history"] == wire
    state = conversation_state("c", history=(ASKED, SAID))
    assert state.history == [ASKED, SAID]


@pytest.mark.parametrize(
    ("history", "error"),
    [
        (
            [SAID, ASKED],
            "message 1 must be of class UserInputMessage, not AssistantResponseMessage",
        ),
        ([ASKED, ASKED], "message 2 must be of class AssistantResponseMessage"),
        ([ASKED, SAID, ASKED], "must end with an AssistantResponseMessage"),
        (["hello", "hi"], "message 1 must be a UserInputMessage or an .* not str"),
        ([{"userInputMessage": {}}], "message 1 must be"),
    ],
)
def test_a_history_that_the_service_would_refuse_is_refused(history: Any, error: str) -> None:
    with pytest.raises(q.QConfigurationError, match=f"history: {error}"):
        conversation_state("hello", history=history)


TOOL = {"name": "weather", "description": "Forecast.", "inputSchema": {"type": "object"}}
WIRE_TOOL = {"toolSpecification": {**TOOL, "inputSchema": {"json": {"type": "object"}}}}


@pytest.mark.parametrize(
    "tool",
    [
        TOOL,
        WIRE_TOOL,
        {**TOOL, "inputSchema": {"json": {"type": "object"}}},
        q.ToolSpecification.from_wire(WIRE_TOOL["toolSpecification"]),
    ],
)
def test_a_tool_is_a_specification_or_a_dictionary(tool: Any) -> None:
    message = conversation_state("hello", tools=[tool]).to_wire()["currentMessage"]
    assert message["userInputMessage"]["userInputMessageContext"]["tools"] == [WIRE_TOOL]


def test_a_cache_point_stays_where_it_is_among_tools() -> None:
    point = models.CachePoint(type=models.CachePointType.DEFAULT)
    message = conversation_state("hello", tools=[TOOL, point]).to_wire()["currentMessage"]
    tools = message["userInputMessage"]["userInputMessageContext"]["tools"]
    assert tools == [WIRE_TOOL, {"cachePoint": {"type": "default"}}]


@pytest.mark.parametrize(
    ("tools", "error"),
    [
        ([TOOL, TOOL], "two have the name 'weather'"),
        ([{"name": "weather"}], "a dictionary needs name, description and inputSchema"),
        ([len], "'len' is a plain function, decorate it with @tool"),
        ([7], "must be functions with @tool or ToolSpecifications, not int"),
    ],
)
def test_other_tools_are_refused(tools: Any, error: str) -> None:
    with pytest.raises(q.QConfigurationError, match=f"tools: {error}"):
        conversation_state("hello", tools=tools)


@pytest.mark.anyio
async def test_nothing_is_sent_for_a_message_that_is_refused(client: Any, service: Any) -> None:
    async with client:
        for operation in (client.stream, client.generate_assistant_response, client.send_message):
            with pytest.raises(q.QConfigurationError):
                operation("")
    assert service.calls("GenerateAssistantResponse") == 0
