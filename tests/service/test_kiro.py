# SPDX-License-Identifier: Apache-2.0
"""The Kiro CLI's other logins as docs/protocol.md, section 9, tells them."""

import json
from urllib.parse import urlencode

import pytest
from curl import WAYS, call, conversation, curl

PROFILE = "arn:aws:codewhisperer:us-east-1:111122223333:profile/STANDIN0001"
CHAT = "AmazonCodeWhispererStreamingService.GenerateAssistantResponse"


def social(service, refresh_token, **options):
    data = json.dumps({"refreshToken": refresh_token}).encode()
    return curl(service, "/refreshToken", data, {"content-type": "application/json"}, **options)


def idp(service, way="https1", **form):
    headers = {"content-type": "application/x-www-form-urlencoded"}
    return curl(service, "/idp/oauth2/token", urlencode(form).encode(), headers, way=way)


def idp_refresh(service, login, **changes):
    form = {"grant_type": "refresh_token", "client_id": login["client_id"]}
    return idp(service, **{**form, "refresh_token": login["refresh_token"], **changes})


@pytest.mark.parametrize("way", WAYS)
def test_a_social_login_is_refreshed_with_its_refresh_token_alone(service, way):
    login = service.login(kind="social", profile=PROFILE)
    answer = social(service, login["refresh_token"], way=way)
    assert answer.status == 200
    body = answer.json()
    assert set(body) == {"accessToken", "refreshToken", "expiresIn", "profileArn"}
    assert body["profileArn"] == PROFILE
    assert service.control("token", access_token=body["accessToken"])["valid"]
    assert social(service, login["refresh_token"]).status == 401  # spent
    assert social(service, body["refreshToken"]).status == 200


def test_a_login_of_another_kind_is_not_refreshed_as_a_social_one(service):
    for kind in ("oidc", "external-idp"):
        assert social(service, service.login(kind=kind)["refresh_token"]).status == 401
    assert curl(service, "/refreshToken", b"{}", {"content-type": "application/json"}).status == 400


def test_an_identity_provider_wants_a_form_and_answers_in_snake_case(service):
    login = service.login(kind="external-idp")
    body = idp_refresh(service, login).json()
    assert set(body) == {"access_token", "refresh_token", "expires_in", "token_type"}
    assert service.control("token", access_token=body["access_token"])["valid"]
    again = idp_refresh(service, login)
    assert (again.status, again.json()["error"]) == (400, "invalid_grant")


@pytest.mark.parametrize(
    ("changes", "status", "error"),
    [
        ({"client_id": "nobody"}, 401, "invalid_client"),
        ({"client_secret": "x"}, 401, "invalid_client"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"refresh_token": "x"}, 400, "invalid_grant"),
    ],
)
def test_an_identity_provider_refuses_as_rfc_6749_says(service, changes, status, error):
    answer = idp_refresh(service, service.login(kind="external-idp"), **changes)
    assert (answer.status, answer.json()["error"]) == (status, error)


@pytest.mark.parametrize(
    ("kind", "token_type"),
    [("oidc", None), ("social", None), ("external-idp", "EXTERNAL_IDP"), ("api-key", "API_KEY")],
)
def test_the_service_wants_to_be_told_of_some_tokens_and_not_of_others(service, kind, token_type):
    token = service.login(kind=kind)["access_token"]
    right = {"tokentype": token_type} if token_type else {}
    wrong = {} if token_type else {"tokentype": "API_KEY"}
    assert call(service, CHAT, token, conversation(), headers=right).status == 200
    assert call(service, CHAT, token, conversation(), headers=wrong).status == 403


def test_faults_and_counters_go_by_the_operations_names(service):
    service.fault("RefreshToken", status=503)
    service.fault("IdpToken", set={"expires_in": "3599"})
    assert social(service, "x").status == 503
    login = service.login(kind="external-idp")
    assert idp_refresh(service, login).json()["expires_in"] == "3599"
    assert (service.calls("RefreshToken"), service.calls("IdpToken")) == (1, 1)
