# SPDX-License-Identifier: Apache-2.0
"""Conversation: a history that the service takes, whatever happened."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

import amazon_q_streaming_client as q
from amazon_q_streaming_client import Conversation
from amazon_q_streaming_client._history import RESULTS_BYTES_MAX, cut, trim
from amazon_q_streaming_client.models import (
    ToolResultContentBlockJson,
    ToolResultContentBlockText,
)

WEATHER = {"name": "weather", "description": "Forecast.", "inputSchema": {"type": "object"}}


def asked(content: str, *results: q.ToolResult) -> q.UserInputMessage:
    context = q.UserInputMessageContext(tool_results=list(results)) if results else None
    return q.UserInputMessage(content=content, user_input_message_context=context)


def said(content: str, *ids: str) -> q.AssistantResponseMessage:
    uses = [q.ToolUse(tool_use_id=id, name="weather", input={}) for id in ids]
    return q.AssistantResponseMessage(content=content, tool_uses=uses or None)


def result(id: str, *texts: str) -> q.ToolResult:
    content = [ToolResultContentBlockText(text=text) for text in texts]
    return q.ToolResult(tool_use_id=id, content=content, status="success")


def sent(service: Any, at: int = -1) -> Any:
    return service.requests("GenerateAssistantResponse")[at]["body"]["conversationState"]


def contents(history: Any) -> list[str]:
    return [message.content for message in history]


def prepared(conversation: Conversation[Any], message: str = "next") -> Any:
    history, current = conversation.prepare(asked(message))
    return history, current.to_wire()


# ---- turns ----


@pytest.mark.anyio
async def test_each_request_has_the_turns_before_it(client: Any, service: Any) -> None:
    async with client:
        conversation = Conversation(client)
        first = await conversation.ask("My name is Ann.")
        async with conversation.stream("What is my name?") as stream:
            second = await stream.final_message()
    one, two = sent(service, 0), sent(service, 1)
    assert one["conversationId"] == two["conversationId"] == conversation.id
    assert one["history"] == []
    user, assistant = two["history"]
    assert user == {"userInputMessage": {"content": "My name is Ann.", "origin": "CLI"}}
    assert assistant["assistantResponseMessage"]["content"] == first.text
    assert contents(conversation)[2:] == ["What is my name?", second.text]
    assert len(conversation) == 4 and contents(conversation[:1]) == ["My name is Ann."]


def test_the_sync_client_has_conversations_too(sync_client: Any, service: Any) -> None:
    conversation = Conversation(sync_client)
    answer = conversation.ask("one").text
    with conversation.stream("two") as stream:
        stream.text()
    assert contents(conversation)[:3] == ["one", answer, "two"]
    assert len(sent(service)["history"]) == 2


@pytest.mark.anyio
async def test_a_request_that_fails_leaves_the_history_as_it_was(client: Any, service: Any) -> None:
    async with client:
        conversation = Conversation(client)
        await conversation.ask("one")
        before = list(conversation)
        service.fault("GenerateAssistantResponse", cut={"frame": 2, "offset": 5})
        with pytest.raises(q.QStreamInterrupted):
            await conversation.ask("two")
        with pytest.raises(q.QValidationError):
            await conversation.ask("two", model="no-such-model")
        async with conversation.stream("two") as stream:
            async for _ in stream:
                break
        assert list(conversation) == before
        await conversation.ask("three")
    assert len(sent(service)["history"]) == 2


@pytest.mark.anyio
async def test_two_answers_at_a_time_do_not_mix(client: Any) -> None:
    async with client:
        conversation = Conversation(client)
        one, two = conversation.stream("one"), conversation.stream("two")
        await one.final_message()
        with pytest.raises(q.QConfigurationError, match="another turn was added"):
            await two.final_message()
    assert contents(conversation)[:1] == ["one"] and len(conversation) == 2


@pytest.mark.anyio
@pytest.mark.parametrize("copied", [Conversation.copy, copy.copy])
async def test_a_copy_goes_another_way(client: Any, copied: Any) -> None:
    async with client:
        conversation = Conversation(client)
        await conversation.ask("one")
        other = copied(conversation)
        await other.ask("two")
    assert len(conversation) == 2 and len(other) == 4
    assert list(other)[:2] == list(conversation) and other.id != conversation.id


@pytest.mark.anyio
async def test_history_carries_images_but_neither_model_nor_tools(
    client: Any, service: Any
) -> None:
    models = service.settings()["models"]
    async with client:
        conversation = Conversation(client, model=models[0], tools=[WEATHER])
        await conversation.ask("look", images=[b"GIF89a"])
        await conversation.ask("again", model=models[-1])
    past = sent(service)["history"][0]["userInputMessage"]
    assert set(past) == {"content", "origin", "images"}
    first, second = (sent(service, at)["currentMessage"]["userInputMessage"] for at in (0, 1))
    assert [first["modelId"], second["modelId"]] == [models[0], models[-1]]
    assert all(len(m["userInputMessageContext"]["tools"]) == 1 for m in (first, second))


def test_a_conversation_without_a_client_cannot_ask() -> None:
    conversation: Any = Conversation()
    with pytest.raises(q.QConfigurationError, match="conversation: has no client"):
        conversation.ask("hello")


@pytest.mark.anyio
async def test_a_conversation_can_be_passed_as_history(client: Any, service: Any) -> None:
    conversation = Conversation(history=[asked("a"), said("b", "t1")])
    async with client:
        await client.stream("hello", history=conversation).text()
    state = sent(service)
    assert state["conversationId"] == conversation.id and len(state["history"]) == 2
    assert len(conversation) == 2


def test_a_history_to_begin_with_must_be_one() -> None:
    with pytest.raises(q.QConfigurationError, match="history: must end with"):
        Conversation(history=[asked("a")])


def test_clear_forgets_what_was_said() -> None:
    conversation = Conversation(history=[asked("a"), said("b")])
    conversation.clear()
    assert prepared(conversation)[0] == []


# ---- tools ----


@pytest.mark.anyio
async def test_results_go_with_the_next_message(client: Any, service: Any) -> None:
    async with client:
        conversation = Conversation(client, tools=[WEATHER])
        (use,) = (await conversation.ask("the weather")).tool_uses
        conversation.add_tool_results([result(use.tool_use_id, "rain")])
        answer = await conversation.ask()
    assert answer.text == "The tool said: rain\n"
    context = sent(service)["currentMessage"]["userInputMessage"]["userInputMessageContext"]
    assert context["toolResults"] == [
        {"toolUseId": use.tool_use_id, "content": [{"text": "rain"}], "status": "success"}
    ]
    assert len(conversation) == 4


@pytest.mark.anyio
async def test_results_are_sent_again_after_a_failure(client: Any, service: Any) -> None:
    async with client:
        conversation = Conversation(client, tools=[WEATHER])
        (use,) = (await conversation.ask("the weather")).tool_uses
        conversation.add_tool_results([result(use.tool_use_id, "rain")])
        service.fault("GenerateAssistantResponse", cut={"frame": 1, "offset": 5})
        with pytest.raises(q.QStreamInterrupted):
            await conversation.ask()
        assert (await conversation.ask("and?")).text == "The tool said: rain\n"


def test_a_tool_that_was_not_run_is_said_to_be_cancelled() -> None:
    conversation = Conversation(history=[asked("a"), said("b", "t1", "t2")])
    conversation.add_tool_results([result("t2", "rain")])
    _, message = prepared(conversation)
    cancelled, done = message["userInputMessageContext"]["toolResults"]
    assert cancelled["toolUseId"] == "t1" and cancelled["status"] == "error"
    assert "cancelled" in cancelled["content"][0]["text"]
    assert done == {"toolUseId": "t2", "content": [{"text": "rain"}], "status": "success"}


def test_results_that_nothing_asked_for_are_refused() -> None:
    conversation = Conversation(history=[asked("a"), said("b", "t1")])
    with pytest.raises(q.QConfigurationError, match="'t9' was not asked for"):
        conversation.add_tool_results([result("t9")])
    with pytest.raises(q.QConfigurationError, match="'t9' was not asked for"):
        conversation.prepare(asked("", result("t9")))
    conversation.clear()
    with pytest.raises(q.QConfigurationError, match="'t1' was not asked for"):
        conversation.add_tool_results([result("t1")])


def test_a_result_can_be_replaced_until_it_is_sent() -> None:
    conversation = Conversation(history=[asked("a"), said("b", "t1")])
    conversation.add_tool_results([result("t1", "rain")])
    conversation.add_tool_results([result("t1", "sun")])
    _, message = prepared(conversation)
    assert [r["content"] for r in message["userInputMessageContext"]["toolResults"]] == [
        [{"text": "sun"}]
    ]


def test_a_history_that_begins_with_results_has_them_as_text() -> None:
    first = asked("so", result("t1", "rain", "or"), result("t2", "sun"))
    conversation = Conversation(history=[first, said("b")])
    assert contents(conversation) == ["so\nrain or sun", "b"]
    empty = Conversation(history=[asked("", result("t1")), said("b")])
    assert contents(empty) == ["<tool result redacted>", "b"]


def test_results_after_an_answer_that_used_no_tool_become_text() -> None:
    conversation = Conversation(history=[asked("a"), said("b")])
    _, message = conversation.prepare(asked("so", result("t1", "rain")))
    assert message.content == "so\nrain"
    assert "toolResults" not in message.to_wire()["userInputMessageContext"]


def test_a_tool_of_the_past_that_is_gone_is_named_all_the_same() -> None:
    conversation = Conversation(history=[asked("a"), said("b", "t1")], tools=[])
    _, message = prepared(conversation)
    (tool,) = message["userInputMessageContext"]["tools"]
    assert tool["toolSpecification"]["name"] == "weather"
    assert "no longer available" in tool["toolSpecification"]["description"]
    conversation.tools = [WEATHER]
    _, message = prepared(conversation)
    assert len(message["userInputMessageContext"]["tools"]) == 1


# ---- sizes ----


def test_results_share_what_a_message_carries() -> None:
    conversation = Conversation(history=[asked("a"), said("b", "t1", "t2")])
    # Three bytes each: no share ends where one of them does.
    conversation.add_tool_results([result("t1", "€" * 200_000, "more"), result("t2", "short")])
    _, message = prepared(conversation)
    long, short = message["userInputMessageContext"]["toolResults"]
    share = RESULTS_BYTES_MAX // 2
    (block,) = long["content"]
    assert share - 3 < len(block["text"].encode()) <= share
    assert block["text"].startswith("€€") and block["text"].endswith(
        "€...content truncated due to length"
    )
    assert short["content"] == [{"text": "short"}]


def test_a_large_object_is_cut_as_text() -> None:
    conversation = Conversation(history=[asked("a"), said("b", "t1")])
    block = ToolResultContentBlockJson(json_={"all": "x" * RESULTS_BYTES_MAX})
    conversation.add_tool_results([q.ToolResult(tool_use_id="t1", content=[block])])
    _, message = prepared(conversation)
    (sent_result,) = message["userInputMessageContext"]["toolResults"]
    assert len(sent_result["content"][0]["text"]) == RESULTS_BYTES_MAX
    assert sent_result["content"][0]["text"].startswith('{"all": "xx')


@pytest.mark.parametrize("limit", [0, 1, 33, 34, 35, 36, 37, 38, 60])
def test_text_is_cut_between_characters(limit: int) -> None:
    text = cut("€" * 100, limit)
    assert len(text.encode()) <= limit
    assert cut("a" * limit, limit) == "a" * limit


def test_the_oldest_turns_are_forgotten_up_to_one_that_answers_no_tool() -> None:
    history = [
        asked("1"), said("2"),
        asked("3"), said("4", "t1"),
        asked("", result("t1")), said("6"),
        asked("7"), said("8"),
    ]  # fmt: skip
    assert contents(trim(history, 8)) == contents(history)
    assert contents(trim(history, 7)) == contents(history[2:])
    assert contents(trim(history, 6)) == contents(history[2:])
    assert contents(trim(history, 5)) == contents(trim(history, 4)) == ["7", "8"]
    assert trim(history[:6], 2) == []


@pytest.mark.anyio
async def test_a_conversation_keeps_to_its_size(client: Any, service: Any) -> None:
    async with client:
        conversation = Conversation(client, max_messages=4)
        for word in ("one", "two", "three", "four"):
            await conversation.ask(word)
    assert contents(conversation)[::2] == ["three", "four"]
    assert len(sent(service)["history"]) == 4


def test_results_whose_question_is_forgotten_become_text() -> None:
    history = [asked("1"), said("2", "t1"), asked("", result("t1")), said("4", "t2")]
    conversation = Conversation(history=history)
    conversation.max_messages = 2
    past, message = conversation.prepare(asked("", result("t2", "rain")))
    assert past == [] and message.content == "rain"


@pytest.mark.parametrize("size", [0, 1, 10_000])
def test_a_size_that_cannot_be_is_refused(size: int) -> None:
    with pytest.raises(q.QConfigurationError, match="max_messages: must be 2 to 9994"):
        Conversation(max_messages=size)


# ---- to keep ----


def test_a_conversation_is_the_same_after_json() -> None:
    conversation = Conversation(
        history=[asked("a", result("t0", "x")), said("b", "t1")], model="m", max_messages=20
    )
    conversation.add_tool_results([result("t1", "rain")])
    again = Conversation.from_json(conversation.to_json(), tools=[WEATHER])
    assert list(again) == list(conversation)
    assert (again.id, again.model, again.max_messages) == (conversation.id, "m", 20)
    assert again.to_json() == conversation.to_json()
    assert again.prepare(asked("c"), ())[1] == conversation.prepare(asked("c"), ())[1]


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"version": 1}', '{"version": 1, "id": "i", "history": [{}]}', b"\xff"],
)
def test_json_of_something_else_is_refused(text: Any) -> None:
    with pytest.raises(q.QConfigurationError, match="conversation: cannot be read"):
        Conversation.from_json(text)


def test_json_of_another_version_is_refused() -> None:
    data = {**json.loads(Conversation().to_json()), "version": 2}
    with pytest.raises(q.QConfigurationError, match="has version 2"):
        Conversation.from_json(json.dumps(data))


def test_what_was_said_is_not_shown_by_repr() -> None:
    assert "secret" not in repr(Conversation(history=[asked("secret"), said("secret")]))
