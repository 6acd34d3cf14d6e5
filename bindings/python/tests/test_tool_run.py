# SPDX-License-Identifier: Apache-2.0
"""run_tools(): the tools that the model asks for are run until it has its answer."""

from __future__ import annotations

import contextvars
import functools
import pickle
import threading
from typing import Any, Optional

import anyio
import pytest
from hang import HANG_S
from pydantic import BaseModel

import amazon_q_streaming_client as q
from amazon_q_streaming_client import Conversation, ToolError, tool
from amazon_q_streaming_client.models import ToolResultContentBlockText

caller = contextvars.ContextVar("caller", default="nobody")


class Place(BaseModel):
    name: str
    country: Optional[str] = None


@tool
def shout(prompt: str) -> str:
    """Say it louder."""
    return prompt.upper() + "!"


@tool
async def think(prompt: str) -> dict[str, Any]:
    """Think about it."""
    await anyio.sleep(0)
    return {"about": prompt, "caller": caller.get()}


@tool
def lookup(prompt: str, limit: int) -> str:
    """Needs a limit, which the stand-in never gives."""
    return ""


def uses(*calls: tuple[str, str, str], text: str = "let me see") -> dict[str, Any]:
    """An answer that asks for these tools: id, name, input."""
    events: list[Any] = [["assistantResponseEvent", {"content": text}]]
    for id, name, given in calls:
        named = {"toolUseId": id, "name": name}
        events += [
            ["toolUseEvent", {**named, **rest}] for rest in ({}, {"input": given}, {"stop": True})
        ]
    return {"answer": {"events": events}}


def script(service: Any, *answers: dict[str, Any]) -> None:
    """What the next answers are; those after them are the stand-in's own."""
    service.fault("GenerateAssistantResponse", *answers)


def sent_results(service: Any, at: int = -1) -> Any:
    body = service.requests("GenerateAssistantResponse")[at]["body"]["conversationState"]
    return body["currentMessage"]["userInputMessage"]["userInputMessageContext"]["toolResults"]


GIVEN = '{"prompt": "hi"}'


@pytest.mark.anyio
async def test_a_tool_is_run_and_the_model_goes_on_with_its_result(
    client: Any, service: Any
) -> None:
    async with client, client.run_tools("please shout", tools=[shout]) as run:
        steps = [step async for step in run]
        message = await run.final_message()
    first, last = steps
    assert (first.number, last.number) == (1, 2)
    assert first.message.stop == "tool_use" and last.outcomes == ()
    (outcome,) = first.outcomes
    assert not outcome.is_error and outcome.request.name == "shout"
    assert outcome.request == first.message.tool_uses[0]
    assert message is last.message and message.text == "The tool said: PLEASE SHOUT!\n"
    assert [m.content for m in run.conversation][0] == "please shout"
    assert len(run.conversation) == 4


def test_the_sync_run_has_the_same_names(sync_client: Any, service: Any) -> None:
    with sync_client.run_tools("please shout", tools=[shout]) as run:
        assert [step.number for step in run] == [1, 2]
        assert run.final_message().text == run.text() == "The tool said: PLEASE SHOUT!\n"
    assert sync_client.run_tools("hello", tools=[shout]).text().startswith("You asked: hello")


@pytest.mark.anyio
async def test_events_outcomes_and_steps_come_in_order(client: Any, service: Any) -> None:
    script(service, uses(("t1", "shout", GIVEN)))
    async with client, client.run_tools("hello", tools=[shout]) as run:
        kinds = [type(event) async for event in run.events]
    assert kinds[:6] == [q.AssistantResponseEvent, *[q.ToolUseEvent] * 3, q.ToolOutcome, q.Step]
    assert kinds[-1] is q.Step and q.AssistantResponseEvent in kinds[6:]


@pytest.mark.anyio
async def test_the_text_of_all_answers_comes_as_one_stream(client: Any, service: Any) -> None:
    script(service, uses(("t1", "shout", GIVEN)))
    async with client, client.run_tools("hello", tools=[shout]) as run:
        text = "".join([piece async for piece in run.text_stream])
    assert text == "let me seeThe tool said: HI!\n"


def test_the_sync_run_streams_text_too(sync_client: Any, service: Any) -> None:
    script(service, uses(("t1", "shout", GIVEN)))
    with sync_client.run_tools("hello", tools=[shout]) as run:
        assert "".join(run.text_stream) == "let me seeThe tool said: HI!\n"


@pytest.mark.anyio
async def test_async_tools_run_in_the_callers_context(client: Any, service: Any) -> None:
    script(service, uses(("t1", "think", GIVEN)))
    caller.set("me")
    async with client:
        await client.run_tools("hello", tools=[think]).final_message()
    assert sent_results(service) == [
        {
            "toolUseId": "t1",
            "content": [{"json": {"about": "hi", "caller": "me"}}],
            "status": "success",
        }
    ]


@pytest.mark.anyio
@pytest.mark.parametrize("in_threads", [False, True])
async def test_tools_of_one_answer_run_at_the_same_time(
    client: Any, service: Any, in_threads: bool
) -> None:
    """Each waits for the other, so that one after the other would never end."""
    barrier, met = threading.Barrier(2), [anyio.Event(), anyio.Event()]

    async def meet(mine: int) -> str:
        if in_threads:
            await anyio.to_thread.run_sync(barrier.wait)
        else:
            met[mine].set()
            await met[1 - mine].wait()
        return f"met {mine}"

    @tool
    async def left(prompt: str) -> str:
        """The left one."""
        return await meet(0)

    @tool
    async def right(prompt: str) -> str:
        """The right one."""
        return await meet(1)

    script(service, uses(("t1", "left", GIVEN), ("t2", "right", GIVEN)))
    async with client:
        with anyio.fail_after(HANG_S):
            await client.run_tools("hello", tools=[left, right]).final_message()
    assert [r["content"] for r in sent_results(service)] == [
        [{"text": "met 0"}],
        [{"text": "met 1"}],
    ]


@pytest.mark.anyio
async def test_plain_functions_run_at_the_same_time_in_threads(client: Any, service: Any) -> None:
    barrier = threading.Barrier(2, timeout=HANG_S)

    @tool
    def meet(prompt: str) -> str:
        """Both at once."""
        barrier.wait()
        return str(threading.current_thread() is threading.main_thread())

    script(service, uses(("t1", "meet", GIVEN), ("t2", "meet", GIVEN)))
    async with client:
        await client.run_tools("hello", tools=[meet]).final_message()
    assert [r["content"] for r in sent_results(service)] == [[{"text": "False"}]] * 2


def test_the_sync_run_uses_threads_when_there_are_several(sync_client: Any, service: Any) -> None:
    barrier = threading.Barrier(2, timeout=HANG_S)
    caller.set("me")

    @tool
    def meet(prompt: str) -> str:
        """Both at once."""
        barrier.wait()
        return caller.get()

    script(service, uses(("t1", "meet", GIVEN), ("t2", "meet", GIVEN)))
    sync_client.run_tools("hello", tools=[meet]).final_message()
    assert [r["content"] for r in sent_results(service)] == [[{"text": "me"}]] * 2


def test_one_tool_runs_in_the_callers_thread(sync_client: Any, service: Any) -> None:
    seen: list[threading.Thread] = []

    @tool
    def where(prompt: str) -> None:
        """Remembers its thread."""
        seen.append(threading.current_thread())

    script(
        service, uses(("t1", "where", GIVEN), ("t2", "where", GIVEN)), uses(("t3", "where", GIVEN))
    )
    sync_client.run_tools("hello", tools=[where], parallel=False).final_message()
    assert seen == [threading.current_thread()] * 3


@pytest.mark.anyio
async def test_not_parallel_is_one_after_the_other(client: Any, service: Any) -> None:
    running = 0

    @tool
    async def alone(prompt: str) -> str:
        """Nobody else."""
        nonlocal running
        running += 1
        await anyio.sleep(0)
        seen, running = running, running - 1
        return str(seen)

    script(service, uses(("t1", "alone", GIVEN), ("t2", "alone", GIVEN)))
    async with client:
        await client.run_tools("hello", tools=[alone], parallel=False).final_message()
    assert [r["content"] for r in sent_results(service)] == [[{"text": "1"}]] * 2


# ---- what goes wrong in a tool is told to the model ----


@tool
def fail(prompt: str) -> str:
    """Fails."""
    raise {"tool": ToolError("No such city."), "stop": StopIteration("7")}.get(
        prompt, ValueError("wrong: " + prompt)
    )


@tool
async def fail_async(prompt: str) -> str:
    """Fails."""
    return str(fail(prompt))


FAILURES = [
    ("shout", "{}", "The tool was not run, its arguments are not valid. prompt: "),
    ("shout", '{"prompt": 7}', "The tool was not run, its arguments are not valid. prompt: "),
    ("lookup", GIVEN, "The tool was not run, its arguments are not valid. limit: "),
    ("shout", '{"pro', "The tool was not run: the arguments are not JSON"),
    ("shout", "[]", "The tool was not run: the arguments must be a JSON object"),
    ("other", GIVEN, "There is no tool named 'other'."),
    ("fail", '{"prompt": "tool"}', "No such city."),
    ("fail", '{"prompt": "x"}', "ValueError: wrong: x"),
    ("fail", '{"prompt": "stop"}', "StopIteration: 7"),
]


@pytest.mark.parametrize(("name", "given", "text"), FAILURES)
def test_what_goes_wrong_is_told_to_the_model(
    sync_client: Any, service: Any, name: str, given: str, text: str
) -> None:
    script(service, uses(("t1", name, given)))
    with sync_client.run_tools("hello", tools=[shout, lookup, fail]) as run:
        step = next(iter(run))
        run.final_message()
    (outcome,) = step.outcomes
    assert outcome.is_error and outcome.exception is not None
    (sent,) = sent_results(service)
    assert sent["status"] == "error" and sent["toolUseId"] == "t1"
    (block,) = sent["content"]
    assert block["text"].startswith(text) and "Traceback" not in block["text"]


@pytest.mark.anyio
@pytest.mark.parametrize("name", ["fail", "fail_async"])
@pytest.mark.parametrize("prompt", ["tool", "x", "stop"])
async def test_exceptions_leave_neither_tasks_nor_threads(
    client: Any, service: Any, name: str, prompt: str
) -> None:
    given = f'{{"prompt": "{prompt}"}}'
    script(service, uses(("t1", name, given), ("t2", name, given)))
    async with client:
        await client.run_tools("hello", tools=[fail, fail_async]).final_message()
    assert [r["status"] for r in sent_results(service)] == ["error"] * 2


@pytest.mark.parametrize(
    ("value", "content"),
    [
        ("text", [{"text": "text"}]),
        (None, [{"text": "Done."}]),
        (7, [{"text": "7"}]),
        ([1, "é"], [{"text": '[1, "é"]'}]),
        ({"a": {"b": None}}, [{"json": {"a": {"b": None}}}]),
        (Place(name="Oslo"), [{"json": {"name": "Oslo", "country": None}}]),
        ("half \ud800", [{"text": "half ?"}]),
        ({"half": "\ud800"}, [{"json": {"half": "?"}}]),
        (ToolResultContentBlockText(text="block"), [{"text": "block"}]),
        ([ToolResultContentBlockText(text="block")], [{"text": "block"}]),
    ],
)
def test_what_a_tool_returns_becomes_content(
    sync_client: Any, service: Any, value: Any, content: Any
) -> None:
    @tool
    def give() -> Any:
        """Gives it."""
        return value

    script(service, uses(("t1", "give", "")))
    sync_client.run_tools("hello", tools=[give]).final_message()
    (sent,) = sent_results(service)
    assert sent["status"] == "success"
    assert sent["content"] == content


def test_a_value_that_json_cannot_write_is_a_failure(sync_client: Any, service: Any) -> None:
    @tool
    def give() -> object:
        """Gives an object."""
        return object()

    script(service, uses(("t1", "give", "")))
    sync_client.run_tools("hello", tools=[give]).final_message()
    assert sent_results(service)[0]["status"] == "error"


@pytest.mark.anyio
async def test_an_async_function_in_a_plain_wrapper_is_awaited(client: Any, service: Any) -> None:
    @tool
    @functools.wraps(think)
    def wrapped(prompt: str) -> Any:
        return think(prompt)

    script(service, uses(("t1", "think", GIVEN)))
    async with client:
        await client.run_tools("hello", tools=[wrapped]).final_message()
    assert sent_results(service)[0]["content"][0]["json"]["about"] == "hi"


# ---- limits, conversations, ends ----


@pytest.mark.anyio
async def test_too_many_rounds_are_an_error_with_the_conversation(
    client: Any, service: Any
) -> None:
    service.settings(answer={"tool": "shout"})
    async with client:
        with pytest.raises(q.QTooManyRounds, match="after 3 answers, raise max_rounds") as caught:
            await client.run_tools("hello", tools=[shout], max_rounds=3).final_message()
        error = caught.value
        assert service.calls("GenerateAssistantResponse") == 3
        assert error.answer.tool_uses and len(error.conversation) == 6
        service.settings(answer={})
        answer = await client.stream("never mind", history=error.conversation).text()
    assert "cancelled" in answer


def test_too_many_rounds_can_be_pickled_with_what_was_said(sync_client: Any) -> None:
    @tool
    def local(prompt: str) -> str:  # a function that cannot be pickled
        """Say it louder."""
        return prompt

    conversation = Conversation(sync_client, tools=[local])
    with pytest.raises(q.QTooManyRounds) as caught:
        conversation.run_tools("use the tool local", max_rounds=1).final_message()
    error = caught.value
    error.request_id = "rid"
    other = pickle.loads(pickle.dumps(error))
    assert str(other) == str(error) and other.request_id == "rid"
    assert other.rounds == 1 and other.answer == error.answer
    assert other.conversation.id == conversation.id
    assert list(other.conversation) == list(conversation)
    assert error.conversation is conversation  # which has its client yet


def test_too_many_rounds_of_the_sync_run(sync_client: Any, service: Any) -> None:
    service.settings(answer={"tool": "shout"})
    with pytest.raises(q.QTooManyRounds) as caught:
        sync_client.run_tools("hello", tools=[shout], max_rounds=1).final_message()
    assert len(caught.value.conversation) == 2
    with pytest.raises(q.QConfigurationError, match="max_rounds: must be a number from 1 on"):
        sync_client.run_tools("hello", tools=[shout], max_rounds=0)


@pytest.mark.anyio
async def test_a_run_goes_on_with_a_conversation(client: Any, service: Any) -> None:
    async with client:
        conversation = Conversation(client, tools=[shout])
        await conversation.ask("hello")
        await conversation.run_tools("please shout").final_message()
        assert (await conversation.ask("and then?")).text.startswith("You asked: and then?")
    assert len(conversation) == 8


def test_a_sync_conversation_runs_tools(sync_client: Any) -> None:
    conversation = Conversation(sync_client, tools=[shout])
    assert conversation.run_tools("please shout").text() == "The tool said: PLEASE SHOUT!\n"
    assert len(conversation) == 4


@pytest.mark.anyio
async def test_results_are_not_lost_when_the_next_request_fails(client: Any, service: Any) -> None:
    script(service, uses(("t1", "shout", GIVEN)), {"cut": {"frame": 1, "offset": 5}})
    async with client:
        conversation = Conversation(client, tools=[shout])
        with pytest.raises(q.QStreamInterrupted):
            await conversation.run_tools("hello").final_message()
        assert (await conversation.ask()).text == "The tool said: HI!\n"


@pytest.mark.anyio
async def test_cancelling_a_run_cancels_its_tools(client: Any, service: Any) -> None:
    ended = []

    @tool
    async def forever(prompt: str) -> None:
        """Never ends by itself."""
        started.set()
        try:
            await anyio.sleep_forever()
        finally:
            ended.append(prompt)

    started = anyio.Event()
    script(service, uses(("t1", "forever", GIVEN), ("t2", "forever", GIVEN)))
    async with client:
        run = client.run_tools("hello", tools=[forever])
        async with anyio.create_task_group() as group:
            group.start_soon(run.final_message)
            await started.wait()
            group.cancel_scope.cancel()
        assert ended == ["hi", "hi"]
        with pytest.raises(q.QClosedError, match="tool run: was closed"):
            await run.final_message()


@pytest.mark.anyio
async def test_leaving_a_run_early_ends_its_request(client: Any, service: Any) -> None:
    service.fault("GenerateAssistantResponse", stall_after=2)
    async with client:
        async with client.run_tools("hello", tools=[shout]) as run:
            async for _ in run.events:
                break
        with pytest.raises(q.QClosedError):
            await run.text()
        service.wait("GenerateAssistantResponse", disconnects=1)


def test_leaving_a_sync_run_early_ends_its_request(sync_client: Any, service: Any) -> None:
    service.fault("GenerateAssistantResponse", stall_after=2)
    with sync_client.run_tools("hello", tools=[shout]) as run:
        next(iter(run.events))
    with pytest.raises(q.QClosedError):
        run.text()
    service.wait("GenerateAssistantResponse", disconnects=1)


def test_only_tools_that_can_be_run_are_taken(sync_client: Any) -> None:
    specification = {"name": "x", "description": "y", "inputSchema": {"type": "object"}}
    with pytest.raises(q.QConfigurationError, match="'x': has no function to run"):
        sync_client.run_tools("hello", tools=[specification])
    with pytest.raises(q.QConfigurationError, match="'think': is async, use QStreamingClient"):
        sync_client.run_tools("hello", tools=[think])


def test_images_go_with_the_question_only(sync_client: Any, service: Any) -> None:
    sync_client.run_tools("please shout", tools=[shout], images=[b"GIF89a"]).text()
    states = [r["body"]["conversationState"] for r in service.requests("GenerateAssistantResponse")]
    assert ["images" in s["currentMessage"]["userInputMessage"] for s in states] == [True, False]
