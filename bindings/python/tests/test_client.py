# SPDX-License-Identifier: Apache-2.0
"""What both clients do, against the stand-in service, in asyncio, in trio and without a loop."""

from __future__ import annotations

import logging
from typing import Any, Callable

import pytest

import amazon_q_streaming_client as q
from amazon_q_streaming_client import QStreamingClient, SyncQStreamingClient, models


async def text_of(events: Any) -> str:
    return "".join([e.content async for e in events if isinstance(e, q.AssistantResponseEvent)])


def sync_text_of(events: Any) -> str:
    return "".join(e.content for e in events if isinstance(e, q.AssistantResponseEvent))


WORDS = {"text": "one two three", "pieces": 3}


@pytest.mark.anyio
async def test_events_of_an_answer_are_typed_and_in_order(client: Any, service: Any) -> None:
    service.settings(answer=WORDS)
    async with client:
        events = [event async for event in client.generate_assistant_response("hello")]
    assert isinstance(events[0], q.MessageMetadataEvent)
    pieces = [e.content for e in events if isinstance(e, q.AssistantResponseEvent)]
    assert len(pieces) == 3 and "".join(pieces) == "one two three"
    assert isinstance(events[-1], q.MetadataEvent)
    assert events[-1].token_usage is not None and events[-1].token_usage.total_tokens > 0


def test_the_sync_client_gives_the_same_events(sync_client: Any, service: Any) -> None:
    service.settings(answer=WORDS)
    events = list(sync_client.generate_assistant_response("hello"))
    assert isinstance(events[0], q.MessageMetadataEvent)
    assert sync_text_of(events) == "one two three"
    assert isinstance(events[-1], q.MetadataEvent)


@pytest.mark.anyio
async def test_a_message_can_be_a_string_a_message_or_a_whole_state(
    client: Any, service: Any
) -> None:
    message = models.UserInputMessage(content="hello")
    state = models.ConversationState(
        current_message=message, chat_trigger_type=models.ChatTriggerType.MANUAL
    )
    async with client:
        for asked in ("hello", message, state):
            assert await text_of(client.generate_assistant_response(asked))
        assert await text_of(client.send_message("hello"))
    sent = [r["body"]["conversationState"] for r in service.requests("GenerateAssistantResponse")]
    assert [s["currentMessage"]["userInputMessage"]["content"] for s in sent] == ["hello"] * 3
    assert "conversationId" in sent[0] and "conversationId" not in sent[2]


@pytest.mark.anyio
async def test_keywords_reach_the_request(client: Any, service: Any) -> None:
    history = [
        models.UserInputMessage(content="first"),
        models.AssistantResponseMessage(content="answer"),
    ]
    async with client:
        await text_of(
            client.generate_assistant_response(
                "hello",
                history=history,
                model="claude-sonnet-4",
                conversation_id="3f5c2c7e-96cf-4c2b-9a51-0d1f2b8a7d10",
            )
        )
    (request,) = service.requests("GenerateAssistantResponse")
    state = request["body"]["conversationState"]
    assert state["conversationId"] == "3f5c2c7e-96cf-4c2b-9a51-0d1f2b8a7d10"
    assert state["history"] == [
        {"userInputMessage": {"content": "first"}},
        {"assistantResponseMessage": {"content": "answer"}},
    ]
    assert state["currentMessage"]["userInputMessage"]["modelId"] == "claude-sonnet-4"


@pytest.mark.anyio
async def test_lists_are_complete_however_many_pages_there_are(
    client: Any, service: Any
) -> None:
    service.settings(page_size=1)
    async with client:
        assert len(await client.list_available_models()) == 3
        limits = await client.get_usage_limits()
    assert service.calls("ListAvailableModels") == 3
    assert isinstance(limits, models.GetUsageLimitsResponse) and limits.limits


def test_the_sync_client_pages_too(sync_client: Any, service: Any) -> None:
    service.settings(page_size=1)
    assert len(sync_client.list_available_models()) == 3
    assert sync_client.get_usage_limits().limits
    assert sync_client.list_available_profiles() == []


@pytest.mark.anyio
async def test_events_that_nobody_knows_are_kept(client: Any, service: Any) -> None:
    service.fault("GenerateAssistantResponse", unknown_event=1)
    async with client:
        events = [event async for event in client.generate_assistant_response("hello")]
    (unknown,) = (e for e in events if isinstance(e, q.UnknownEvent))
    assert unknown.name and unknown.payload.startswith(b"{")


@pytest.mark.anyio
async def test_many_answers_share_one_client(client: Any) -> None:
    import anyio

    texts: list[str] = []

    async def ask(number: int) -> None:
        texts.append(await text_of(client.generate_assistant_response(f"number {number}")))

    async with client, anyio.create_task_group() as group:
        for number in range(20):
            group.start_soon(ask, number)
    assert len(texts) == 20 and len(set(texts)) == 20


def test_many_threads_share_one_sync_client(sync_client: Any) -> None:
    from concurrent.futures import ThreadPoolExecutor

    def ask(number: int) -> str:
        return sync_text_of(sync_client.generate_assistant_response(f"number {number}"))

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(ask, range(24)))) == 24


# ---- what happens when something goes wrong ----

CASES: list[tuple[str, dict[str, Any], type[q.QError], dict[str, Any]]] = [
    (
        "a request that is malformed",
        {"error": {"code": "ValidationException", "message": "no", "reason": "INVALID_MODEL_ID"}},
        q.QValidationError,
        {"code": "ValidationException", "reason": "INVALID_MODEL_ID", "is_retry_safe": False},
    ),
    (
        "an input that is too long",
        {"status": 400, "body": '{"message":"Input is too long."}'},
        q.QInputTooLong,
        {"status": 400},
    ),
    (
        "an account that may not",
        {"error": {"code": "AccessDeniedException", "message": "no", "reason": "TEMPORARILY_SUSPENDED"}},
        q.QAccessDenied,
        {"reason": "TEMPORARILY_SUSPENDED"},
    ),
    (
        "a quota that is used up",
        {"error": {"code": "ServiceQuotaExceededException", "message": "no", "reason": "MONTHLY_REQUEST_COUNT"}},
        q.QQuotaExceeded,
        {"reason": "MONTHLY_REQUEST_COUNT", "is_retry_safe": False},
    ),
    (
        "a quota of the day that is sent as throttling",
        {"error": {"code": "ThrottlingException", "message": "no", "reason": "DAILY_REQUEST_COUNT"}, "times": 9},
        q.QQuotaExceeded,
        {"status": 429, "reason": "DAILY_REQUEST_COUNT", "is_retry_safe": False},
    ),
    (
        "too many requests",
        {"error": {"code": "ThrottlingException", "message": "slow"}, "times": 9},
        q.QThrottled,
        {"status": 429, "is_retry_safe": True},
    ),
    ("a page of a proxy", {"status": 200, "html": True}, q.QProtocolError, {}),
    ("a redirect", {"redirect": "http://127.0.0.1:9/"}, q.QProtocolError, {"status": 302}),
    ("a compressed answer", {"gzip": True}, q.QProtocolError, {}),
    ("a frame with a wrong checksum", {"bad_crc": 2}, q.QProtocolError, {}),
    ("an answer that is cut inside a frame", {"cut": {"frame": 2, "offset": 9}}, q.QStreamInterrupted, {}),
    (
        "an exception inside the stream",
        {"exception_frame": {"at": 2, "type": "error", "message": "broken"}},
        q.QServiceError,
        {},
    ),
]


@pytest.mark.anyio
@pytest.mark.parametrize("http", ["native", "httpx"])
@pytest.mark.parametrize("fault, kind, facts", [c[1:] for c in CASES], ids=[c[0] for c in CASES])
async def test_a_failure_is_the_documented_exception(
    service: Any, token: str, http: str, fault: Any, kind: Any, facts: Any
) -> None:
    service.fault("GenerateAssistantResponse", **fault)
    transport = "httpx" if http == "httpx" else None
    async with QStreamingClient(token, transport=transport, max_retries=0) as client:
        with pytest.raises(kind) as caught:
            await text_of(client.generate_assistant_response("hello"))
    error = caught.value
    assert type(error) is kind
    assert ": " in str(error) and "Bearer" not in str(error) and token not in repr(error)
    assert {name: getattr(error, name) for name in facts} == facts
    if "error" in fault or "exception_frame" in fault:
        assert error.request_id
    assert error.__cause__ is None and error.__suppress_context__


@pytest.mark.parametrize("fault, kind, facts", [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_the_sync_client_raises_the_same(
    service: Any, token: str, fault: Any, kind: Any, facts: Any
) -> None:
    service.fault("GenerateAssistantResponse", **fault)
    with SyncQStreamingClient(token, max_retries=0) as client:
        with pytest.raises(kind) as caught:
            list(client.generate_assistant_response("hello"))
    assert type(caught.value) is kind
    assert {name: getattr(caught.value, name) for name in facts} == facts


@pytest.mark.anyio
async def test_a_passing_failure_is_repeated_and_nobody_notices(
    client: Any, service: Any, caplog: Any
) -> None:
    caplog.set_level(logging.INFO, "amazon_q_streaming_client")
    service.fault(
        "GenerateAssistantResponse",
        status=500,
        body="{}",
        headers={"x-amz-retry-after": "1"},
    )
    async with client:
        assert await text_of(client.generate_assistant_response("hello"))
    assert service.calls("GenerateAssistantResponse") == 2
    assert any("attempt 1 failed" in record.getMessage() for record in caplog.records)


@pytest.mark.anyio
async def test_max_retries_is_kept(service: Any, token: str) -> None:
    service.fault("GenerateAssistantResponse", status=500, body="{}", times=9)
    async with QStreamingClient(token, max_retries=0) as client:
        with pytest.raises(q.QServiceError):
            await text_of(client.generate_assistant_response("hello"))
    assert service.calls("GenerateAssistantResponse") == 1


@pytest.mark.anyio
async def test_a_call_may_have_retries_of_its_own(client: Any, service: Any) -> None:
    service.fault("GenerateAssistantResponse", status=500, body="{}", times=9)
    async with client:
        with pytest.raises(q.QServiceError):
            await text_of(client.generate_assistant_response("hello", max_retries=0))
        assert service.calls("GenerateAssistantResponse") == 1
        with pytest.raises(q.QServiceError):
            async with client.stream("hello", max_retries=0) as stream:
                await stream.text()
        assert service.calls("GenerateAssistantResponse") == 2
        with pytest.raises(q.QServiceError):
            await q.Conversation(client).ask("hello", max_retries=0)
    assert service.calls("GenerateAssistantResponse") == 3


@pytest.mark.anyio
async def test_a_peer_that_says_nothing_is_a_timeout(service: Any, token: str) -> None:
    service.fault("GenerateAssistantResponse", stall=True)
    async with QStreamingClient(token, timeout=0.2) as client:
        with pytest.raises(q.QTimeoutError):
            await text_of(client.generate_assistant_response("hello"))
    service.release()


@pytest.mark.anyio
async def test_a_stream_that_stalls_is_interrupted(service: Any, token: str) -> None:
    service.fault("GenerateAssistantResponse", stall_after=2)
    seen = []
    async with QStreamingClient(token, timeout=3.0) as client:
        with pytest.raises(q.QStreamInterrupted):
            async for event in client.generate_assistant_response("hello"):
                seen.append(event)
    service.release()
    assert len(seen) == 2


@pytest.mark.anyio
async def test_nobody_listening_is_a_connection_error_that_may_be_repeated(token: str) -> None:
    async with QStreamingClient(token, base_url="http://127.0.0.1:9", max_retries=0) as client:
        with pytest.raises(q.QConnectionError) as caught:
            await text_of(client.generate_assistant_response("hello"))
    assert caught.value.is_retry_safe and caught.value.status is None


WRONG: list[tuple[str, Callable[[], Any]]] = [
    ("access token: none was given", lambda: QStreamingClient()),
    ("access token: must be a string or a function", lambda: QStreamingClient(7)),  # type: ignore[arg-type]
    ("max_retries: must be", lambda: QStreamingClient("t", max_retries=-1)),
    ("transport: an http_client has its own", lambda: QStreamingClient("t", http_client=object(), transport="curl")),  # type: ignore[arg-type]
    ("model: must be a string", lambda: QStreamingClient("t").send_message("hi", model=4)),  # type: ignore[arg-type]
    ("conversation_id: must be", lambda: QStreamingClient("t").send_message("hi", conversation_id=4)),  # type: ignore[arg-type]
    ("images: must be a list", lambda: QStreamingClient("t").send_message("hi", images="/etc/passwd")),
    ("message: is empty", lambda: QStreamingClient("t").send_message(" ")),
    ("message: must be a string", lambda: QStreamingClient("t").send_message(3)),  # type: ignore[arg-type]
]


@pytest.mark.parametrize("text, wrong", WRONG, ids=[c[0] for c in WRONG])
def test_a_wrong_argument_is_refused_at_once(text: str, wrong: Any) -> None:
    with pytest.raises(q.QConfigurationError, match=text):
        wrong()


@pytest.mark.anyio
@pytest.mark.parametrize(
    "options, text",
    [
        ({"access_token": "a" * 16385}, "access token: not 1 to 16384 printable"),
        ({"access_token": "t", "base_url": "http://example.com"}, "endpoint"),
        ({"access_token": "t", "transport": "no-such"}, "no-such"),
        ({"access_token": "t", "settings": {"nonsense": "1"}}, "nonsense"),
        ({"access_token": "t", "region": "us east"}, "region"),
    ],
)
async def test_a_wrong_option_is_refused_by_the_first_request(
    home: Any, options: Any, text: str
) -> None:
    async with QStreamingClient(**options) as client:
        with pytest.raises(q.QConfigurationError, match=text):
            await text_of(client.generate_assistant_response("hello"))


@pytest.mark.anyio
async def test_a_closed_client_says_so(client: Any) -> None:
    async with client:
        pass
    with pytest.raises(q.QClosedError, match="is closed"):
        await text_of(client.generate_assistant_response("hello"))


def test_no_secret_is_in_a_repr(token: str) -> None:
    client = QStreamingClient(token)
    sync = SyncQStreamingClient(token)
    for thing in (client, sync, client._tokens, client._options):
        assert token not in repr(thing)
    sync.close()
    for url in ("https://me:password@host", "https://me:pass@word@host", "me:password@host"):
        assert "pass" not in repr(QStreamingClient(token, base_url=url))


@pytest.mark.anyio
async def test_no_secret_is_logged_at_any_level(client: Any, token: str, caplog: Any) -> None:
    caplog.set_level(logging.DEBUG)
    async with client:
        await text_of(client.generate_assistant_response("hello"))
    assert caplog.records
    assert not any(token in record.getMessage() for record in caplog.records)


HALF = "\ud800"

WRONG_OPTIONS: list[dict[str, Any]] = [
    {"region": 3},
    {"base_url": 3},
    {"profile_arn": 3},
    {"transport": 3},
    {"user_agent": 3},
    {"settings": {"store": 3}},
    {"region": HALF},
    {"profile_arn": HALF},
    {"timeout": "5"},
    {"timeout": (1, 2)},
    {"timeout": True},
    {"timeout": -1},
    {"timeout": float("nan")},
]


@pytest.mark.parametrize("options", WRONG_OPTIONS, ids=repr)
def test_options_that_cannot_be_are_configuration_errors(
    endpoints: Any, token: str, options: Any
) -> None:
    name = next(iter(options))
    with pytest.raises(q.QConfigurationError, match=name):
        with SyncQStreamingClient(token, **options) as client:
            list(client.generate_assistant_response("hello"))


def test_half_a_character_in_a_message_is_a_configuration_error(sync_client: Any) -> None:
    with pytest.raises(q.QConfigurationError, match="surrogate"):
        list(sync_client.generate_assistant_response("a" + HALF))
    with pytest.raises(q.QConfigurationError, match="surrogate"):
        list(sync_client.generate_assistant_response("a", profile_arn=HALF))


@pytest.mark.parametrize("timeout", [float("inf"), 1e300, 4294967.5])
def test_a_timeout_that_is_too_long_to_count_is_none(
    token: str, service: Any, timeout: float
) -> None:
    """The last one is 204 ms more than 32 bits can hold."""
    service.fault("GenerateAssistantResponse", delay_ms=600)
    with SyncQStreamingClient(token, timeout=timeout) as client:
        assert sync_text_of(client.generate_assistant_response("hello"))
