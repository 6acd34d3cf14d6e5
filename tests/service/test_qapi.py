# SPDX-License-Identifier: Apache-2.0
"""Amazon Q's operations: the answer as an event stream, who may ask, what is refused, the lists."""

import json

import pytest
from curl import PROMPT, RUNTIME, STREAMING, WAYS, call, chat, conversation
from qservice import eventstream

PROFILE = "arn:aws:codewhisperer:us-east-1:111122223333:profile/STANDIN0001"
OTHER_PROFILE = "arn:aws:codewhisperer:us-east-1:111122223333:profile/STANDIN0002"
CHAT = STREAMING + "GenerateAssistantResponse"
DEVELOPER_CHAT = "AmazonQDeveloperStreamingService.SendMessage"
SIGNED = (
    "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260101/us-east-1/q/aws4_request, "
    f"SignedHeaders=content-type;host;x-amz-date, Signature={'0' * 64}"
)
TOOL = {"toolSpecification": {"name": "fs_read", "description": "d", "inputSchema": {"json": {}}}}


def events(answer):
    """[(event type, payload)] of a good answer."""
    assert answer.status == 200, answer.body
    assert answer.headers["content-type"] == "application/vnd.amazon.eventstream"
    decoded = eventstream.decode(answer.body)
    assert all(headers[":message-type"] == "event" for headers, _ in decoded)
    assert all(headers[":content-type"] == "application/json" for headers, _ in decoded)
    return [(headers[":event-type"], json.loads(payload)) for headers, payload in decoded]


def said(answer):
    return "".join(p["content"] for name, p in events(answer) if name == "assistantResponseEvent")


def refused(answer, code, status, message=None, reason=None):
    assert answer.status == status, answer.body
    body = answer.json()
    assert body["__type"].rpartition("#")[2] == code
    assert answer.headers["content-type"] == "application/x-amz-json-1.0"
    assert len(answer.headers["x-amzn-requestid"]) == 36
    assert message is None or body["message"] == message
    assert body.get("reason") == reason
    return True


@pytest.fixture
def token(service):
    return service.login()["access_token"]


# The answer


@pytest.mark.parametrize("way", WAYS)
def test_the_answer_is_a_stream_of_events_that_repeats_the_prompt(service, token, way):
    answer = chat(service, token, way=way)
    names = [name for name, _ in events(answer)]
    assert names[0] == "messageMetadataEvent" and names[-2:] == ["meteringEvent", "metadataEvent"]
    assert set(names[1:-2]) == {"assistantResponseEvent"} and len(names) > 6
    assert (
        said(answer)
        == f"You asked: {PROMPT}\nThis is the stand-in service; it has no model to think with.\n"
    )


@pytest.mark.parametrize("target", [CHAT, STREAMING + "SendMessage"])
def test_both_streaming_operations_answer_alike(service, token, target):
    assert PROMPT in said(chat(service, token, operation=target))


def test_a_signed_request_is_answered_without_a_bearer(service):
    body = conversation(source="CLI")
    signed = {"authorization": SIGNED, "x-amz-date": "20260101T000000Z"}
    assert PROMPT in said(call(service, DEVELOPER_CHAT, None, body, headers=signed))
    assert refused(call(service, DEVELOPER_CHAT, None, body), "AccessDeniedException", 403)
    # The other service takes no signatures.
    assert refused(call(service, CHAT, None, body, headers=signed), "AccessDeniedException", 403)


def test_the_conversation_id_is_kept(service, token):
    body = conversation()
    body["conversationState"]["conversationId"] = "0f5c5b0e-7a55-4bb2-9f57-6ad1b1a4a3d9"
    first = events(call(service, CHAT, token, body))[0][1]
    assert first["conversationId"] == "0f5c5b0e-7a55-4bb2-9f57-6ad1b1a4a3d9"


def test_the_answer_can_be_scripted(service, token):
    service.settings(answer={"text": "h\u00f6i", "repeat": 5, "pieces": 7, "reasoning": "hm"})
    got = events(chat(service, token))
    contents = [p["content"] for name, p in got if name == "assistantResponseEvent"]
    assert contents == ["h\u00f6i", "h\u00f6", "ih", "\u00f6i", "h\u00f6", "ih", "\u00f6i"]
    assert got[1] == ("reasoningContentEvent", {"text": "hm"})


def test_the_events_can_be_given_one_by_one(service, token):
    given = [
        ["codeReferenceEvent", {"references": []}],
        ["assistantResponseEvent", {"content": "x"}],
    ]
    service.settings(answer={"events": given})
    assert [list(pair) for pair in events(chat(service, token))] == given


def test_a_tool_named_in_the_prompt_is_used(service, token):
    message = {"content": "please use fs_read", "userInputMessageContext": {"tools": [TOOL]}}
    uses = [p for name, p in events(chat(service, token, message)) if name == "toolUseEvent"]
    assert set(uses[0]) == {"toolUseId", "name"} and uses[0]["name"] == "fs_read"
    assert uses[-1].get("stop") is True and len({use["toolUseId"] for use in uses}) == 1
    assert json.loads("".join(use["input"] for use in uses[1:-1])) == {
        "prompt": "please use fs_read"
    }


def test_a_tool_not_asked_for_is_not_used(service, token):
    message = {"userInputMessageContext": {"tools": [TOOL]}}
    assert "toolUseEvent" not in dict(events(chat(service, token, message)))


def tool_conversation(result_id):
    use = {"toolUseId": "t1", "name": "fs_read", "input": {}}
    history = [
        {"userInputMessage": {"content": "use fs_read"}},
        {"assistantResponseMessage": {"content": "", "toolUses": [use]}},
    ]
    result = {"toolUseId": result_id, "content": [{"text": "42"}], "status": "success"}
    context = {"toolResults": [result], "tools": [TOOL]}
    return conversation({"content": "", "userInputMessageContext": context}, history)


def test_the_result_of_a_tool_comes_back_in_the_answer(service, token):
    assert "42" in said(call(service, CHAT, token, tool_conversation("t1")))


# Who may ask


@pytest.mark.parametrize("way", WAYS)
def test_a_token_that_is_not_valid_is_refused(service, way):
    expired = service.login(expires_in=-1)["access_token"]
    for bearer in (None, "unknown", expired):
        answer = chat(service, bearer, way=way)
        message = "The bearer token included in the request is invalid."
        assert refused(answer, "AccessDeniedException", 403, message)


def test_an_organisations_login_with_a_profile_must_name_it(service):
    token = service.login(start_url="https://example.awsapps.com/start", profile=PROFILE)[
        "access_token"
    ]
    assert call(service, CHAT, token, conversation(profileArn=PROFILE)).status == 200
    answer = call(service, CHAT, token, conversation())
    assert refused(answer, "ValidationException", 400, "profileArn is required for this request.")
    answer = call(service, CHAT, token, conversation(profileArn=OTHER_PROFILE))
    assert refused(answer, "AccessDeniedException", 403)


def test_a_builder_id_must_not_name_a_profile_unless_the_rule_is_off(service, token):
    body = conversation(profileArn=PROFILE)
    assert refused(call(service, CHAT, token, body), "ValidationException", 400)
    service.settings(profile_rule="off")
    assert call(service, CHAT, token, body).status == 200


# What is refused


def without(body, *path):
    *parents, last = path
    for name in parents:
        body = body[name]
    del body[last]


@pytest.mark.parametrize(
    "path",
    [
        ["conversationState"],
        ["conversationState", "currentMessage"],
        ["conversationState", "chatTriggerType"],
        ["conversationState", "currentMessage", "userInputMessage", "content"],
    ],
    ids=lambda path: path[-1],
)
def test_a_missing_required_member_is_refused(service, token, path):
    body = conversation()
    without(body, *path)
    assert refused(call(service, CHAT, token, body), "ValidationException", 400)


USER = {"userInputMessage": {"content": "u"}}
ASSISTANT = {"assistantResponseMessage": {"content": "a"}}


@pytest.mark.parametrize(
    "history", [[USER], [ASSISTANT, USER], [USER, USER], [{**USER, **ASSISTANT}]]
)
def test_a_history_that_does_not_alternate_is_refused(service, token, history):
    answer = call(service, CHAT, token, conversation(history=history))
    assert refused(answer, "ValidationException", 400)
    assert call(service, CHAT, token, conversation(history=[USER, ASSISTANT])).status == 200


def test_a_tool_result_without_its_use_is_refused(service, token):
    answer = call(service, CHAT, token, tool_conversation("another"))
    assert refused(answer, "ValidationException", 400)


@pytest.mark.parametrize(
    "message, reason",
    [
        ({"modelId": "nobody"}, "INVALID_MODEL_ID"),
        ({"content": "x" * 600_001}, "CONTENT_LENGTH_EXCEEDS_THRESHOLD"),
        ({"images": [{"format": "bmp", "source": {"bytes": ""}}]}, None),
        ({"userInputMessageContext": {"tools": [{"toolSpecification": {"name": "1"}}]}}, None),
    ],
    ids=["model", "length", "image", "tool"],
)
def test_a_wrong_message_is_refused_with_its_reason(service, token, message, reason):
    assert refused(chat(service, token, message), "ValidationException", 400, reason=reason)


def test_the_media_type_must_be_aws_json(service, token):
    answer = call(
        service, CHAT, token, conversation(), headers={"content-type": "application/json"}
    )
    assert refused(answer, "ValidationException", 400)


def test_an_unknown_operation_is_refused(service, token):
    answer = call(service, STREAMING + "Sing", token, {})
    assert refused(answer, "UnknownOperationException", 404)


# The lists


def all_pages(service, token, operation, key, **members):
    items, next_token = [], None
    while True:
        body = {**members, **({"nextToken": next_token} if next_token else {})}
        query = "/?" + "&".join(f"{name}={value}" for name, value in body.items())
        page = call(service, RUNTIME + operation, token, body, path=query).json()
        items += page[key]
        next_token = page.get("nextToken")
        if not next_token:
            return items


def test_profiles_come_in_pages(service):
    token = service.login(start_url="https://example.awsapps.com/start")["access_token"]
    arns = [
        p["arn"]
        for p in all_pages(service, token, "ListAvailableProfiles", "profiles", maxResults=2)
    ]
    assert len(arns) == 3 and PROFILE in arns
    assert service.calls("ListAvailableProfiles") == 2


def test_a_builder_id_has_no_profiles(service, token):
    assert call(service, RUNTIME + "ListAvailableProfiles", token, {}).json() == {"profiles": []}


def test_models_come_in_pages_with_the_default_on_each(service, token):
    service.settings(page_size=1)
    names = [
        m["modelId"]
        for m in all_pages(service, token, "ListAvailableModels", "models", origin="CLI")
    ]
    assert names == ["claude-sonnet-4", "claude-3.7-sonnet", "stand-in-small"]
    first = call(service, RUNTIME + "ListAvailableModels", token, {"origin": "CLI"}).json()
    assert first["defaultModel"]["modelId"] == "claude-sonnet-4"


@pytest.mark.parametrize(
    "query, body",
    [("/", {}), ("/", {"origin": "nobody"}), ("/?origin=IDE", {"origin": "CLI"})],
    ids=["missing", "unknown", "contradicted"],
)
def test_models_need_an_origin(service, token, query, body):
    answer = call(service, RUNTIME + "ListAvailableModels", token, body, path=query)
    assert refused(answer, "ValidationException", 400)


def test_a_page_token_nobody_gave_is_refused(service, token):
    body = {"origin": "CLI", "nextToken": "mine"}
    assert refused(
        call(service, RUNTIME + "ListAvailableModels", token, body), "ValidationException", 400
    )


def test_the_small_operations_answer(service):
    token = service.login(start_url="https://example.awsapps.com/start", profile=PROFILE)[
        "access_token"
    ]
    profile = call(service, RUNTIME + "GetProfile", token, {"profileArn": PROFILE}).json()[
        "profile"
    ]
    assert profile["optInFeatures"]["mcpConfiguration"]["toggle"] == "ON"
    limits = call(service, RUNTIME + "GetUsageLimits", token, {"profileArn": PROFILE}).json()
    assert limits["limits"][0]["totalUsageLimit"] == 1000
    answer = call(service, RUNTIME + "CreateSubscriptionToken", token, {})
    assert refused(answer, "ConflictException", 409)
    service.settings(subscribed=False)
    answer = call(service, RUNTIME + "CreateSubscriptionToken", token, {}).json()
    assert answer["status"] == "INACTIVE" and answer["encodedVerificationUrl"]
