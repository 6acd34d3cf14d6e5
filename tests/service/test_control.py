# SPDX-License-Identifier: Apache-2.0
"""The control API: counting, recording without secrets, waiting instead of sleeping."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from curl import PROMPT, chat, curl, oidc

CHAT = "GenerateAssistantResponse"
REFRESH = "CreateToken:refresh_token"


def refresh(service, login):
    body = {
        "clientId": login["client_id"],
        "clientSecret": login["client_secret"],
        "grantType": "refresh_token",
        "refreshToken": login["refresh_token"],
    }
    return oidc(service, "/token", body)


def test_calls_and_replies_are_counted_by_operation_and_grant(service):
    login = service.login()
    refresh(service, login)
    refresh(service, login)
    chat(service, login["access_token"])
    counters = service.counters()
    assert (counters["CreateToken"], counters[REFRESH], counters[CHAT]) == (2, 2, 1)
    assert counters["replies"][f"{REFRESH} 200"] == counters["replies"][f"{REFRESH} 400"] == 1


def test_connections_are_counted_when_they_carry_a_call(service):
    assert service.counters()["connections"] == 0
    login = service.login()
    refresh(service, login)
    refresh(service, login)
    assert service.counters()["connections"] == 2


def test_a_request_is_recorded_with_its_secrets_masked(service):
    login = service.login()
    refresh(service, login)
    chat(service, login["access_token"])
    recorded = service.requests(CHAT)[-1]
    current = recorded["body"]["conversationState"]["currentMessage"]["userInputMessage"]
    assert current["content"] == PROMPT
    assert recorded["http_version"] == "1.1" and recorded["headers"]["x-amz-target"].endswith(CHAT)
    text = json.dumps([recorded, service.requests(REFRESH)])
    assert login["access_token"][-4:] in text
    for name in ("access_token", "refresh_token", "client_secret"):
        assert login[name] not in text and login[name][:12] not in text


def test_a_code_in_a_form_is_not_recorded(service):
    curl(service, "/device", b"user_code=BCDF-GHJK&action=approve")
    assert service.requests("DeviceAnswer")[-1]["body"] is None


def test_a_reset_forgets_what_happened_but_keeps_logins(service):
    login = service.login()
    service.settings(token_lifetime=5)
    service.fault(CHAT, status=500)
    refresh(service, login)
    service.reset()
    assert service.counters()["replies"] == {} and service.requests(REFRESH) == []
    assert service.settings()["token_lifetime"] == 3600
    assert chat(service, login["access_token"]).status == 200
    service.reset(logins=True)
    assert chat(service, login["access_token"]).status == 403


def test_calls_can_be_held_and_let_go_together(service):
    service.fault(REFRESH, hold="before", times=-1)
    logins = [service.login() for _ in range(5)]
    with ThreadPoolExecutor(5) as pool:
        answers = [pool.submit(refresh, service, login) for login in logins]
        assert service.wait(REFRESH, held=5)["replies"] == {}
        service.release()
        assert [answer.result().status for answer in answers] == [200] * 5
    assert service.counters()["held"] == {}


def test_a_call_held_after_acting_has_happened(service):
    service.fault(REFRESH, hold="after")
    login = service.login()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(refresh, service, login)
        service.wait(REFRESH, held=1)
        assert refresh(service, login).json()["error"] == "invalid_grant"
        service.release()
        assert first.result().status == 200


def test_waiting_in_vain_ends_with_an_error(service):
    with pytest.raises(TimeoutError, match="fewer than 1 calls"):
        service.wait(CHAT, calls=1, timeout_s=0.01)


def test_the_service_knows_its_tokens(service):
    token = service.login(expires_in=100)["access_token"]
    known = service.control("token", access_token=token)
    assert known["valid"] and 0 < known["expires_in"] <= 100
    assert service.control("token", access_token="x") == {
        "known": False,
        "valid": False,
        "expires_in": None,
    }


@pytest.mark.parametrize(
    "change", [{"tokenlifetime": 1}, {"rotation": "often"}, {"answer": {"txt": ""}}]
)
def test_a_wrong_setting_is_refused(service, change):
    with pytest.raises(ValueError, match="use one of"):
        service.settings(**change)


def test_an_unknown_action_is_refused(service):
    with pytest.raises(ValueError, match="use one of"):
        service.control("dance")


def test_a_call_from_before_a_reset_does_not_count_after_it(service):
    service.fault(REFRESH, hold="after")
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(refresh, service, service.login())
        service.wait(REFRESH, held=1)
        service.reset()
        assert answer.result().status == 200
    counters = service.counters()
    assert counters["held"] == {} and counters["replies"] == {}
