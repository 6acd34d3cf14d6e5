# SPDX-License-Identifier: Apache-2.0
"""client.stream(): an answer while it comes, and the message it adds up to."""

from __future__ import annotations

from typing import Any

import pytest

import amazon_q_streaming_client as q
from amazon_q_streaming_client._answer import Accumulator

pytestmark = pytest.mark.usefixtures("nothing_left")

WORDS = {"text": "one two three", "pieces": 3}
USE = {"toolUseId": "t1", "name": "weather"}
REFERENCE = {"references": [{"licenseName": "MIT", "url": "https://example.com/code"}]}
LICENSED = [
    ["assistantResponseEvent", {"content": "mine "}],
    ["assistantResponseEvent", {"content": "theirs"}],
    ["codeReferenceEvent", REFERENCE],
    ["assistantResponseEvent", {"content": "mine again"}],
]
CUT = {"cut": {"frame": 3, "offset": 5}}


def message_of(*events: Any, complete: bool = True) -> q.FinalMessage:
    total = Accumulator()
    for event in events:
        total.add(event)
    if complete:
        total.finish()
    return total.message(complete=complete, request_id="rid")


def use(**members: Any) -> q.ToolUseEvent:
    return q.ToolUseEvent.from_wire({**USE, **members})


def piece(text: str) -> q.AssistantResponseEvent:
    return q.AssistantResponseEvent(content=text)


# ---- against the service ----


@pytest.mark.anyio
async def test_text_comes_in_pieces_and_adds_up_to_the_final_message(
    client: Any, service: Any
) -> None:
    service.settings(answer=WORDS)
    async with client, client.stream("hello") as stream:
        pieces = [text async for text in stream.text_stream]
        message = await stream.final_message()
    assert pieces == ["one t", "wo t", "hree"]
    assert message.text == "one two three"
    assert message.stop == "end" and message.tool_uses == ()
    assert message.token_usage is not None and message.token_usage.total_tokens > 0
    assert [event.unit for event in message.metering] == ["credit"]
    assert message.request_id and message.request_id == stream.request_id
    assert message.conversation_id and message.utterance_id and message.model_id


def test_the_sync_stream_has_the_same_names(sync_client: Any, service: Any) -> None:
    service.settings(answer=WORDS)
    with sync_client.stream("hello") as stream:
        assert list(stream.text_stream) == ["one t", "wo t", "hree"]
        assert stream.final_message().text == stream.text() == "one two three"
        assert stream.final_message().request_id == stream.request_id
    assert "complete" in repr(stream)


@pytest.mark.anyio
async def test_events_and_snapshots_can_be_read_in_between(client: Any, service: Any) -> None:
    service.settings(answer={**WORDS, "reasoning": "hm"})
    async with client, client.stream("hello") as stream:
        assert stream.snapshot.text == "" and stream.snapshot.stop is None
        async for event in stream:
            if isinstance(event, q.AssistantResponseEvent):
                break
        assert stream.snapshot.text == "one t" and stream.snapshot.reasoning == "hm"
        assert stream.snapshot.stop is None
        assert await stream.text() == "one two three"
        assert stream.snapshot == await stream.final_message()


@pytest.mark.anyio
async def test_final_message_needs_no_with(client: Any, service: Any) -> None:
    async with client:
        assert "hello" in await client.stream("hello").text()


@pytest.mark.anyio
async def test_tool_uses_are_assembled(client: Any, service: Any) -> None:
    service.settings(answer={"text": "let me see", "tool": "weather"})
    async with client, client.stream("In Oslo?") as stream:
        message = await stream.final_message()
    (wanted,) = message.tool_uses
    assert wanted.name == "weather" and wanted.error is None
    assert wanted.input == {"prompt": "In Oslo?"}
    assert wanted.tool_use_id.startswith("tooluse_")
    assert message.stop == "tool_use"


@pytest.mark.anyio
async def test_an_interruption_has_the_part_that_came(client: Any, service: Any) -> None:
    service.settings(answer=WORDS)
    service.fault("GenerateAssistantResponse", **CUT)
    async with client, client.stream("hello") as stream:
        with pytest.raises(q.QStreamInterrupted) as caught:
            await stream.final_message()
        assert caught.value.partial == stream.snapshot
        assert caught.value.partial.text == "one two t"
        assert caught.value.partial.stop is None
        with pytest.raises(q.QClosedError):
            await stream.final_message()


CRC = {"bad_crc": 2}
THROTTLED = {"exception_frame": {"at": 3, "type": "ThrottlingException", "message": "slow"}}


@pytest.mark.parametrize(("fault", "kind"), [(CRC, q.QProtocolError), (THROTTLED, q.QThrottled)])
@pytest.mark.anyio
async def test_whatever_breaks_an_answer_has_the_part_that_came(
    client: Any, sync_client: Any, service: Any, fault: Any, kind: Any
) -> None:
    service.settings(answer=WORDS)
    service.fault("GenerateAssistantResponse", fault, fault)
    async with client:
        with pytest.raises(kind) as caught:
            await client.stream("hello").final_message()
    assert "one two three".startswith(caught.value.partial.text)
    assert caught.value.partial.text and caught.value.partial.stop is None
    with pytest.raises(kind) as caught_sync:
        sync_client.stream("hello").final_message()
    assert caught_sync.value.partial.text == caught.value.partial.text


@pytest.mark.anyio
async def test_a_request_that_was_refused_has_no_part(client: Any, service: Any) -> None:
    refusal = {"code": "ValidationException", "message": "no"}
    service.fault("GenerateAssistantResponse", error=refusal)
    async with client:
        with pytest.raises(q.QValidationError) as caught:
            await client.stream("hello").final_message()
    assert caught.value.partial is None


def test_an_interruption_of_the_sync_stream_has_it_too(sync_client: Any, service: Any) -> None:
    service.settings(answer=WORDS)
    service.fault("GenerateAssistantResponse", **CUT)
    with sync_client.stream("hello") as stream:
        with pytest.raises(q.QStreamInterrupted) as caught:
            stream.text()
        assert caught.value.partial == stream.snapshot
        with pytest.raises(q.QClosedError):
            next(stream)


@pytest.mark.anyio
async def test_leaving_early_ends_the_request(client: Any, service: Any) -> None:
    service.fault("GenerateAssistantResponse", answer=WORDS, stall_after=2)
    async with client:
        async with client.stream("hello") as stream:
            async for _ in stream:
                break
        with pytest.raises(q.QClosedError, match="was closed"):
            await stream.text()
        service.wait("GenerateAssistantResponse", disconnects=1)


def test_leaving_the_sync_stream_early_ends_the_request(sync_client: Any, service: Any) -> None:
    service.fault("GenerateAssistantResponse", answer=WORDS, stall_after=2)
    with sync_client.stream("hello") as stream:
        next(stream)
    with pytest.raises(q.QClosedError, match="was closed"):
        stream.text()
    service.wait("GenerateAssistantResponse", disconnects=1)


@pytest.mark.anyio
async def test_cancelling_a_reader_ends_the_request(client: Any, service: Any) -> None:
    import anyio

    service.fault("GenerateAssistantResponse", answer=WORDS, stall_after=2)
    async with client:
        stream = client.stream("hello")
        await stream.__anext__()
        async with anyio.create_task_group() as group:
            group.start_soon(stream.final_message)
            await anyio.wait_all_tasks_blocked()
            group.cancel_scope.cancel()
        with pytest.raises(q.QClosedError):
            await stream.text()
        service.wait("GenerateAssistantResponse", disconnects=1)


@pytest.mark.anyio
async def test_a_refusal_is_raised_when_the_stream_is_read(client: Any, service: Any) -> None:
    async with client, client.stream("hello", model="no-such-model") as stream:
        with pytest.raises(q.QValidationError) as caught:
            await stream.text()
    assert caught.value.reason == "INVALID_MODEL_ID"
    assert caught.value.request_id


@pytest.mark.anyio
async def test_licensed_code_is_kept_with_its_references(client: Any, service: Any) -> None:
    service.settings(answer={"events": LICENSED})
    async with client, client.stream("hello") as stream:
        message = await stream.final_message()
    assert message.text == "mine theirsmine again"
    assert [r.license_name for r in message.references] == ["MIT"]


@pytest.mark.anyio
async def test_licensed_code_can_be_dropped(client: Any, service: Any) -> None:
    service.settings(answer={"events": LICENSED})
    async with client, client.stream("hello", drop_referenced_code=True) as stream:
        assert [text async for text in stream.text_stream] == ["mine ", "mine again"]
        message = await stream.final_message()
    assert message.text == "mine mine again"
    assert [r.license_name for r in message.references] == ["MIT"]


def test_the_sync_stream_can_drop_licensed_code(sync_client: Any, service: Any) -> None:
    service.settings(answer={"events": LICENSED})
    with sync_client.stream("hello", drop_referenced_code=True) as stream:
        assert stream.text() == "mine mine again"


# ---- how events add up ----


def test_the_pieces_of_an_input_are_joined_until_stop() -> None:
    message = message_of(use(), use(input='{"ci'), use(input='ty": "Oslo"}'), use(stop=True))
    assert message.tool_uses[0].input == {"city": "Oslo"}
    assert message.tool_uses[0].input_text == '{"city": "Oslo"}'


def test_a_tool_without_input_has_no_arguments() -> None:
    (wanted,) = message_of(use(), use(stop=True)).tool_uses
    assert wanted.input == {} and wanted.error is None


def test_another_id_begins_another_tool() -> None:
    message = message_of(
        use(), use(input="{}"), use(toolUseId="t2"), use(toolUseId="t2", input='{"a": 1}')
    )
    assert [(u.tool_use_id, u.input) for u in message.tool_uses] == [("t1", {}), ("t2", {"a": 1})]


def test_a_piece_without_an_id_belongs_to_the_tool_before() -> None:
    message = message_of(use(), use(toolUseId=None, name=None, input='{"a": 1}'))
    assert [(u.tool_use_id, u.input) for u in message.tool_uses] == [("t1", {"a": 1})]


def test_any_other_event_ends_a_tool() -> None:
    message = message_of(use(), use(input="{}"), piece("x"), use(), use(input='{"b": 2}'))
    assert [u.input for u in message.tool_uses] == [{}, {"b": 2}]


@pytest.mark.parametrize(
    ("text", "error"), [('{"a": ', "not JSON"), ("[1]", "JSON object"), ("[" * 100_000, "not JSON")]
)
def test_an_input_that_cannot_be_read_is_kept_as_text(text: str, error: str) -> None:
    (wanted,) = message_of(use(), use(input=text), use(stop=True)).tool_uses
    assert wanted.input == {} and wanted.input_text == text
    assert wanted.error is not None and error in wanted.error


def test_a_snapshot_shows_a_tool_that_is_still_coming() -> None:
    message = message_of(use(), use(input='{"a": 1}'), complete=False)
    assert message.tool_uses[0].error == "the arguments are not complete"
    assert message.tool_uses[0].input_text == '{"a": 1}'


def test_what_an_answer_may_have_besides_text_is_in_the_message() -> None:
    citation = q.CitationEvent.from_wire({"citationLink": "https://example.com"})
    state = q.InvalidStateEvent.from_wire({"reason": "INVALID_TASK_ASSIST_PLAN", "message": "no"})
    message = message_of(
        q.CodeEvent(content="x = 1"),
        citation,
        state,
        q.SupplementaryWebLinksEvent.from_wire(
            {"supplementaryWebLinks": [{"url": "https://example.com", "title": "t"}]}
        ),
        q.FollowupPromptEvent.from_wire({"followupPrompt": {"content": "and then?"}}),
        q.ContextUsageEvent.from_wire({"contextUsagePercentage": 12.5}),
        q.UnknownEvent("futureEvent", b"{}"),
    )
    assert message.code == "x = 1"
    assert message.citations == (citation,)
    assert message.invalid_state is state
    assert [link.title for link in message.web_links] == ["t"]
    assert message.followup_prompt is not None and message.followup_prompt.content == "and then?"
    assert message.context_usage_percentage == 12.5


def test_a_message_becomes_a_part_of_a_history() -> None:
    past = message_of(piece("see"), use(), use(input='{"a": 1}'), use(stop=True)).to_history()
    assert past.content == "see" and past.message_id
    assert [use.to_wire() for use in past.tool_uses or ()] == [{**USE, "input": {"a": 1}}]
    assert message_of(piece("see")).to_history().tool_uses is None


def test_what_was_said_is_not_shown_by_repr() -> None:
    message = message_of(piece("a secret"), use(), use(input='{"key": "a secret"}'))
    assert "secret" not in repr(message)
