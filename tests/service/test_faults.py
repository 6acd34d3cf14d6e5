# SPDX-License-Identifier: Apache-2.0
"""Every fault does what README.md says of it, through the real server."""

import gzip
import json
import re
import socket
import subprocess

import pytest
from curl import STREAMING, WAYS, chat, chatting, conversation, oidc, q_headers
from qservice import eventstream
from qservice.errors import OIDC

CHAT = "GenerateAssistantResponse"
REFRESH = "CreateToken:refresh_token"
# curl's exit codes for a connection that ends early, by what it was doing
EARLY_END = {18, 52, 55, 56, 92}


@pytest.fixture
def token(service):
    return service.login()["access_token"]


def refresh(service, login, **options):
    body = {
        "clientId": login["client_id"],
        "clientSecret": login["client_secret"],
        "grantType": "refresh_token",
        "refreshToken": login["refresh_token"],
    }
    return oidc(service, "/token", body, **options)


def messages(answer):
    return eventstream.decode(answer.body)


# The connection


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
@pytest.mark.parametrize("way", WAYS)
def test_a_drop_before_acting_leaves_the_refresh_token_good(service, way, reset):
    login = service.login()
    service.fault(REFRESH, drop="before", reset=reset)
    answer = refresh(service, login, way=way)
    assert answer.exit_code in EARLY_END and answer.status == 0
    assert refresh(service, login, way=way).status == 200


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
@pytest.mark.parametrize("way", WAYS)
def test_a_drop_after_acting_has_spent_the_refresh_token(service, way, reset):
    login = service.login()
    service.fault(REFRESH, drop="after", reset=reset)
    assert refresh(service, login, way=way).exit_code in EARLY_END
    assert refresh(service, login, way=way).json()["error"] == "invalid_grant"


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
@pytest.mark.parametrize("way", WAYS)
def test_a_cut_ends_the_connection_inside_the_frame(service, token, way, reset):
    service.fault(CHAT, cut={"frame": 3, "offset": 20}, reset=reset)
    answer = chat(service, token, way=way)
    assert answer.exit_code in EARLY_END
    if not reset:  # a reset may overtake what was sent before it
        assert answer.status == 200
        whole = chat(service, token, way=way)
        assert len(answer.body) == len(first_frames(whole.body, 3)) + 20


@pytest.mark.parametrize("way", WAYS)
def test_a_clean_cut_ends_the_body_as_http_should(service, token, way):
    service.fault(CHAT, cut={"frame": 2, "offset": 12, "clean": True})
    answer = chat(service, token, way=way)
    assert answer.exit_code == 0
    with pytest.raises(ValueError, match="cut inside"):
        messages(answer)


def first_frames(body, count):
    end = 0
    for _ in range(count):
        end += int.from_bytes(body[end : end + 4], "big")
    return body[:end]


@pytest.mark.parametrize("way", WAYS)
def test_a_plain_body_can_be_cut_too(service, way):
    service.fault(REFRESH, cut={"offset": 10})
    answer = refresh(service, service.login(), way=way)
    assert answer.exit_code in EARLY_END and len(answer.body) == 10


@pytest.mark.parametrize("way", WAYS)
def test_a_stall_keeps_the_connection_open_without_a_reply(service, token, way):
    service.fault(CHAT, stall=True)
    with chatting(service, token, way) as client:
        service.wait(CHAT, held=1)
        assert client.poll() is None
        client.kill()
        assert client.stdout.read() == b""
    service.wait(CHAT, disconnects=1)


@pytest.mark.parametrize("way", WAYS)
def test_a_stall_in_the_stream_comes_after_so_many_frames(service, token, way):
    service.settings(answer={"events": [["assistantResponseEvent", {"content": "x"}]] * 3})
    whole = chat(service, token).body
    service.fault(CHAT, stall_after=2)
    with chatting(service, token, way) as client:
        sent = first_frames(whole, 2)
        assert client.stdout.read(len(sent)) == sent
        service.wait(CHAT, held=1)
        assert client.poll() is None
        client.kill()
        assert client.stdout.read() == b""
    service.wait(CHAT, disconnects=1)


@pytest.mark.parametrize("way", WAYS)
def test_a_stalled_call_goes_on_when_it_is_released(service, token, way):
    service.fault(CHAT, stall_after=2)
    with chatting(service, token, way) as client:
        service.wait(CHAT, held=1)
        service.release()
        assert len(eventstream.decode(client.stdout.read())) > 2


def test_a_closed_and_a_reset_connection_are_not_the_same(service, token):
    service.fault(CHAT, {"drop": "before"}, {"drop": "before", "reset": True})
    assert raw_chat(service, token) == b""
    with pytest.raises(ConnectionResetError):
        raw_chat(service, token)


def test_after_a_drop_the_service_goes_on(service, token):
    service.fault(CHAT, drop="before", times=20)
    for way in list(WAYS) * 5:
        assert chat(service, token, way=way).exit_code in EARLY_END
    assert chat(service, token).status == 200


# Other replies


def test_an_html_page_comes_instead_of_json(service):
    service.fault(REFRESH, html=True)
    login = service.login()
    answer = refresh(service, login)
    assert answer.status == 502 and answer.body.startswith(b"<!DOCTYPE html>")
    assert answer.headers["content-type"].startswith("text/html")
    assert refresh(service, login).status == 200


def test_a_status_comes_alone(service):
    service.fault(REFRESH, status=500)
    answer = refresh(service, service.login())
    assert answer.status == 500 and "x-amzn-errortype" not in answer.headers


@pytest.mark.parametrize("error", OIDC)
def test_every_oidc_error_has_its_form(service, error):
    service.fault(REFRESH, oidc_error=error)
    answer = refresh(service, service.login())
    name, status, _ = OIDC[error]
    assert answer.status == status and answer.headers["x-amzn-errortype"] == name
    assert answer.json()["error"] == error


def test_a_service_error_has_its_form(service, token):
    error = {"code": "ThrottlingException", "message": "slow", "reason": "MONTHLY_REQUEST_COUNT"}
    service.fault(CHAT, error=error, headers={"x-amz-retry-after": "250"})
    answer = chat(service, token)
    assert answer.status == 429 and answer.headers["x-amz-retry-after"] == "250"
    assert answer.json() == {
        "__type": "com.amazon.aws.codewhisperer#ThrottlingException",
        "message": "slow",
        "reason": "MONTHLY_REQUEST_COUNT",
    }
    service.fault(CHAT, error={"code": "ThrottlingException", "status": 400})
    assert chat(service, token).status == 400


def test_a_redirect_names_its_target(service, token):
    service.fault(CHAT, redirect="https://example.com/", status=307)
    answer = chat(service, token)
    assert answer.status == 307 and answer.headers["location"] == "https://example.com/"


def test_a_body_can_be_anything(service):
    service.fault(REFRESH, body="not json", content_type="text/plain", status=200)
    answer = refresh(service, service.login())
    assert (answer.status, answer.body, answer.headers["content-type"]) == (
        200,
        b"not json",
        "text/plain",
    )


def test_another_reply_means_not_acting_unless_told_to(service):
    login = service.login()
    service.fault(REFRESH, {"status": 503}, {"status": 503, "act": True})
    assert refresh(service, login).status == 503
    assert refresh(service, login).status == 503
    assert refresh(service, login).json()["error"] == "invalid_grant"


# Changes to a reply


def test_json_can_be_truncated_with_a_length_that_fits(service):
    service.fault(REFRESH, truncate=30)
    answer = refresh(service, service.login())
    assert answer.exit_code == 0 and len(answer.body) == 30
    with pytest.raises(json.JSONDecodeError):
        answer.json()


def test_a_body_can_be_empty(service, token):
    service.fault(REFRESH, empty=True)
    answer = refresh(service, service.login())
    assert (answer.status, answer.body) == (200, b"")
    service.fault(CHAT, empty=True)
    answer = chat(service, token)
    assert (answer.status, answer.body) == (200, b"")


def test_members_can_be_set_and_removed(service):
    service.fault(REFRESH, set={"expiresIn": -5, "idToken": None}, remove=["accessToken"])
    answer = refresh(service, service.login()).json()
    assert answer["expiresIn"] == -5 and answer["idToken"] is None and "accessToken" not in answer


def test_a_reply_can_be_compressed(service, token):
    service.fault("*", gzip=True, times=2)
    answer = refresh(service, service.login())
    assert answer.headers["content-encoding"] == "gzip"
    assert "accessToken" in json.loads(gzip.decompress(answer.body))
    answer = chat(service, token)
    assert answer.headers["content-encoding"] == "gzip"
    assert len(eventstream.decode(gzip.decompress(answer.body))) > 3


# Changes to the stream


def test_a_checksum_can_be_wrong(service, token):
    service.fault(CHAT, {"bad_crc": 1}, {"bad_prelude_crc": 1})
    with pytest.raises(ValueError, match="message checksum"):
        messages(chat(service, token))
    with pytest.raises(ValueError, match="prelude checksum"):
        messages(chat(service, token))


def test_an_exception_ends_the_stream(service, token):
    service.fault(CHAT, exception_frame={"at": 2, "message": "m", "reason": "r"})
    headers, payload = messages(chat(service, token))[-1]
    assert (headers[":message-type"], headers[":exception-type"]) == ("exception", "error")
    assert json.loads(payload) == {"message": "m", "reason": "r"}
    assert len(messages(chat(service, token))) > 3


def test_an_error_frame_ends_the_stream(service, token):
    service.fault(CHAT, error_frame={"at": 1, "code": "C", "message": "m"})
    got = messages(chat(service, token))
    assert got[1:] == [({":error-code": "C", ":error-message": "m", ":message-type": "error"}, b"")]


def test_frames_can_be_inserted(service, token):
    insert = [
        {"at": 0, "event": ["initial-response", {}]},
        {"at": 1, "hex": eventstream.encode([], b"").hex()},
    ]
    service.fault(CHAT, insert=insert, unknown_event=2)
    got = messages(chat(service, token))
    assert got[0][0][":event-type"] == "initial-response"
    assert got[1] == ({}, b"")
    assert got[2][0][":event-type"] == "futureEvent"
    assert got[3][0][":event-type"] == "messageMetadataEvent"


@pytest.mark.parametrize("way", WAYS)
def test_a_stream_in_small_writes_is_the_same_stream(service, token, way):
    service.settings(answer={"events": [["assistantResponseEvent", {"content": "x" * 100}]]})
    service.fault(CHAT, chunk=1)
    assert chat(service, token, way=way).body == chat(service, token, way=way).body


def test_small_writes_are_small_chunks_on_the_wire(service, token):
    service.settings(answer={"events": [["assistantResponseEvent", {"content": "x"}]]})
    service.fault(CHAT, chunk=7)
    raw = raw_chat(service, token)
    sizes = [int(line, 16) for line in raw.split(b"\r\n\r\n", 1)[1].split(b"\r\n")[::2] if line]
    assert set(sizes[:-2]) == {7} and sizes[-1] == 0


def test_small_writes_are_small_frames_over_http2(service, token):
    service.settings(answer={"events": [["assistantResponseEvent", {"content": "x"}]]})
    service.fault(CHAT, chunk=7)
    headers = q_headers(STREAMING + CHAT, token)
    command = ["nghttp", "-nv", "-d", "-", service.url + "/"]
    command += [f"-H{name}: {value}" for name, value in headers.items()]
    body = json.dumps(conversation()).encode()
    shown = subprocess.run(command, input=body, capture_output=True, check=True).stdout.decode()
    sizes = [int(size) for size in re.findall(r"recv DATA frame <length=(\d+)", shown)]
    assert len(sizes) > 5 and set(sizes[:-2]) == {7} and sizes[-1] == 0


def raw_chat(service, token):
    """The bytes of a reply as they came."""
    body = json.dumps(conversation()).encode()
    head = (
        "POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n"
        "x-amz-target: AmazonCodeWhispererStreamingService.GenerateAssistantResponse\r\n"
        f"content-type: application/x-amz-json-1.0\r\ncontent-length: {len(body)}\r\n"
        f"authorization: Bearer {token}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", int(service.url.rpartition(":")[2])), 60) as sock:
        sock.sendall(head.encode() + body)
        parts = []
        while part := sock.recv(65536):
            parts.append(part)
    return b"".join(parts)


def test_an_answer_can_be_scripted_for_one_call(service, token):
    service.fault(CHAT, answer={"text": "only once"})
    assert b"only" in chat(service, token).body
    assert b"only" not in chat(service, token).body


# Queues


def test_faults_happen_in_turn_and_as_often_as_they_say(service):
    service.fault(REFRESH, {"status": 500, "times": 2}, {"status": 503, "skip": 1})
    login = service.login()
    statuses = [refresh(service, login).status for _ in range(4)]
    assert statuses == [500, 500, 200, 503]


def test_a_fault_without_end_lasts_until_it_is_cleared(service):
    service.fault(REFRESH, status=500, times=-1)
    login = service.login()
    assert [refresh(service, login).status for _ in range(3)] == [500] * 3
    service.reset()
    assert refresh(service, login).status == 200


def test_the_most_exact_name_goes_first(service):
    service.fault("*", status=501)
    service.fault("CreateToken", status=502)
    service.fault(REFRESH, status=503)
    login = service.login()
    assert [refresh(service, login).status for _ in range(4)] == [503, 502, 501, 200]


@pytest.mark.parametrize(
    "fault",
    [
        {"stall_aftr": 1},
        {"status": "500"},
        {"oidc_error": "?"},
        {"answer": {"txt": ""}},
        {"cut": {"fram": 1}},
    ],
)
def test_a_fault_with_a_mistake_in_it_is_refused(service, fault):
    with pytest.raises(ValueError, match="use one of|must be"):
        service.fault(CHAT, fault)
    with pytest.raises(ValueError, match="operation"):
        service.fault("GenerateAssistant", status=500)
