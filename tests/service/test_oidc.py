# SPDX-License-Identifier: Apache-2.0
"""SSO OIDC as docs/protocol.md, section 9, tells it: the three calls, the pages, the errors."""

from urllib.parse import parse_qs, quote, urlsplit

import pytest
from curl import WAYS, chat, curl, oidc
from qservice.oidc import DEVICE_GRANT, challenge_of

SCOPES = ["codewhisperer:completions", "codewhisperer:analysis", "codewhisperer:conversations"]
START_URL = "https://view.awsapps.com/start"
REDIRECT = "http://127.0.0.1:43117/oauth/callback"
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"


def register(service, **members):
    body = {"clientName": "test", "clientType": "public", "scopes": SCOPES, **members}
    return oidc(service, "/client/register", body)


def pkce_client(service):
    grants = ["authorization_code", "refresh_token"]
    return register(service, issuerUrl=START_URL, redirectUris=[REDIRECT], grantTypes=grants).json()


def token(service, client, grant, **members):
    known = {"clientId": client["clientId"], "clientSecret": client["clientSecret"]}
    return oidc(service, "/token", {**known, "grantType": grant, **members})


def start(service, client, start_url=START_URL):
    known = {"clientId": client["clientId"], "clientSecret": client["clientSecret"]}
    return oidc(service, "/device_authorization", {**known, "startUrl": start_url})


def authorize_url(service, client, **changes):
    """Percent-encoded as the existing CLI does: every byte that is not alphanumeric."""
    query = {
        "response_type": "code",
        "client_id": client["clientId"],
        "redirect_uri": REDIRECT,
        "scopes": " ".join(SCOPES),
        "state": "s7Ate12345",
        "code_challenge": challenge_of(VERIFIER),
        "code_challenge_method": "S256",
        **changes,
    }
    pairs = [
        f"{name}={quote(value, safe='')}" for name, value in query.items() if value is not None
    ]
    return f"{service.url}/authorize?{'&'.join(pairs)}"


def code_of(location):
    return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}


def refresh(service, login, refresh_token=None):
    client = {"clientId": login["client_id"], "clientSecret": login["client_secret"]}
    token_ = refresh_token or login["refresh_token"]
    return token(service, client, "refresh_token", refreshToken=token_)


def refused(answer, error, status=400):
    """The exact error form: status, body and both headers."""
    name = {"server_error": "InternalServer"}.get(error, error.title().replace("_", ""))
    assert answer.status == status, answer.body
    assert answer.headers["x-amzn-errortype"] == f"{name}Exception"
    assert len(answer.headers["x-amzn-requestid"]) == 36
    assert answer.json()["error"] == error
    assert set(answer.json()) == {"error", "error_description"}
    return True


# Registration


@pytest.mark.parametrize("way", WAYS)
def test_a_client_is_registered_over_every_protocol(service, way):
    body = {"clientName": "test", "clientType": "public", "scopes": SCOPES}
    client = oidc(service, "/client/register", body, way=way).json()
    assert set(client) == {"clientId", "clientSecret", "clientIdIssuedAt", "clientSecretExpiresAt"}
    assert client["clientSecretExpiresAt"] - client["clientIdIssuedAt"] == 90 * 86400


@pytest.mark.parametrize(
    "members, error",
    [
        ({"clientType": "confidential"}, "invalid_client_metadata"),
        ({"clientName": ""}, "invalid_request"),
        ({"scopes": ["not a scope"]}, "invalid_scope"),
        ({"scopes": "codewhisperer:completions"}, "invalid_request"),
        ({"grantTypes": ["password"]}, "unsupported_grant_type"),
        ({"redirectUris": ["http://example.com/"]}, "invalid_redirect_uri"),
        ({"grantTypes": ["authorization_code"]}, "invalid_request"),
    ],
)
def test_a_wrong_registration_is_refused(service, members, error):
    assert refused(register(service, **members), error)


def test_a_body_that_is_not_json_is_refused(service):
    headers = {"content-type": "application/json"}
    assert refused(curl(service, "/token", b"{", headers), "invalid_request")
    assert refused(curl(service, "/token", b"[]", headers), "invalid_request")
    form = {"content-type": "application/x-www-form-urlencoded"}
    assert refused(curl(service, "/token", b"grantType=x", form), "invalid_request")


# Device flow


def test_a_device_login_waits_for_the_user_and_gives_tokens_once(service):
    service.settings(enforce_interval=False)
    client = register(service).json()
    grant = start(service, client).json()
    assert (grant["expiresIn"], grant["interval"]) == (600, 1)
    assert (
        grant["verificationUriComplete"]
        == f"{grant['verificationUri']}?user_code={grant['userCode']}"
    )

    def poll():
        return token(service, client, DEVICE_GRANT, deviceCode=grant["deviceCode"])

    assert refused(poll(), "authorization_pending")
    service.approve(grant["verificationUriComplete"])
    tokens = poll().json()
    assert set(tokens) == {"accessToken", "refreshToken", "expiresIn", "tokenType"}
    assert (tokens["tokenType"], tokens["expiresIn"]) == ("Bearer", 3600)
    assert chat(service, tokens["accessToken"]).status == 200
    assert refused(poll(), "invalid_grant")


def test_a_device_login_the_user_denies_is_refused(service):
    client = register(service).json()
    grant = start(service, client).json()
    service.approve(grant["verificationUriComplete"], approve=False)
    answer = token(service, client, DEVICE_GRANT, deviceCode=grant["deviceCode"])
    assert refused(answer, "access_denied")


def test_polling_faster_than_the_interval_is_told_to_slow_down(service):
    service.settings(device_interval=300)
    client = register(service).json()
    code = start(service, client).json()["deviceCode"]
    assert refused(token(service, client, DEVICE_GRANT, deviceCode=code), "authorization_pending")
    assert refused(token(service, client, DEVICE_GRANT, deviceCode=code), "slow_down")
    service.settings(clock_skew=300)
    assert refused(token(service, client, DEVICE_GRANT, deviceCode=code), "authorization_pending")


def test_a_device_code_expires(service):
    client = register(service).json()
    code = start(service, client).json()["deviceCode"]
    service.settings(clock_skew=601)
    assert refused(token(service, client, DEVICE_GRANT, deviceCode=code), "expired_token")


def test_a_device_code_belongs_to_its_client(service):
    code = start(service, register(service).json()).json()["deviceCode"]
    other = register(service).json()
    assert refused(token(service, other, DEVICE_GRANT, deviceCode=code), "invalid_grant")


# Authorization code with PKCE


def test_a_browser_login_gives_tokens_for_the_right_verifier(service):
    client = pkce_client(service)
    back = code_of(service.approve(authorize_url(service, client)))
    assert set(back) == {"code", "state"} and back["state"] == "s7Ate12345"
    assert back["code"].replace("-", "").replace("_", "").isalnum()  # needs no decoding
    answer = token(
        service,
        client,
        "authorization_code",
        code=back["code"],
        redirectUri=REDIRECT,
        codeVerifier=VERIFIER,
    )
    assert chat(service, answer.json()["accessToken"]).status == 200


@pytest.mark.parametrize(
    "wrong",
    [{"codeVerifier": "x" * 43}, {"code": "unknown"}, {"redirectUri": REDIRECT + "/"}],
    ids=lambda wrong: next(iter(wrong)),
)
def test_a_code_is_refused_with_anything_wrong(service, wrong):
    client = pkce_client(service)
    code = code_of(service.approve(authorize_url(service, client)))["code"]
    members = {"code": code, "redirectUri": REDIRECT, "codeVerifier": VERIFIER, **wrong}
    assert refused(token(service, client, "authorization_code", **members), "invalid_grant")


def test_a_code_is_good_for_one_use(service):
    client = pkce_client(service)
    code = code_of(service.approve(authorize_url(service, client)))["code"]
    members = {"code": code, "redirectUri": REDIRECT, "codeVerifier": VERIFIER}
    assert token(service, client, "authorization_code", **members).status == 200
    assert refused(token(service, client, "authorization_code", **members), "invalid_grant")


def test_a_code_belongs_to_its_client(service):
    code = code_of(service.approve(authorize_url(service, pkce_client(service))))["code"]
    members = {"code": code, "redirectUri": REDIRECT, "codeVerifier": VERIFIER}
    other = pkce_client(service)
    assert refused(token(service, other, "authorization_code", **members), "invalid_grant")


def test_the_user_may_deny_in_the_browser(service):
    back = code_of(service.approve(authorize_url(service, pkce_client(service)), approve=False))
    assert back["error"] == "access_denied" and back["state"] == "s7Ate12345" and "code" not in back


def test_consent_can_be_given_without_a_page(service):
    service.settings(consent="auto")
    url = authorize_url(service, pkce_client(service))
    answer = curl(service, url.removeprefix(service.url))
    assert answer.status == 302 and "code" in code_of(answer.headers["location"])


@pytest.mark.parametrize(
    "changes, error",
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scopes": None, "scope": SCOPES[0]}, "invalid_scope"),
        ({"scopes": "codewhisperer:other"}, "invalid_scope"),
        ({"state": ""}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
    ],
)
def test_a_wrong_authorize_request_is_sent_back_with_an_error(service, changes, error):
    location = service.approve(authorize_url(service, pkce_client(service), **changes))
    assert location.startswith(REDIRECT) and code_of(location)["error"] == error


@pytest.mark.parametrize("changes", [{"client_id": "?"}, {"redirect_uri": "https://example.com/"}])
def test_nobody_is_redirected_to_an_address_that_is_not_registered(service, changes):
    url = authorize_url(service, pkce_client(service), **changes)
    answer = curl(service, url.removeprefix(service.url))
    assert answer.status == 400 and "location" not in answer.headers


def test_a_loopback_address_may_use_another_port(service):
    url = authorize_url(
        service, pkce_client(service), redirect_uri="http://127.0.0.1:9/oauth/callback"
    )
    assert service.approve(url).startswith("http://127.0.0.1:9/oauth/callback?")


def test_what_the_page_shows_is_escaped(service):
    url = authorize_url(service, pkce_client(service), state='"><script>')
    page = curl(service, url.removeprefix(service.url)).body
    assert b"<script>" not in page and b"&lt;script&gt;" in page


# Refresh


def test_a_refresh_token_is_good_for_one_use(service):
    login = service.login()
    fresh = refresh(service, login).json()
    assert fresh["refreshToken"] != login["refresh_token"]
    assert chat(service, fresh["accessToken"]).status == 200
    assert refused(refresh(service, login), "invalid_grant")
    assert refresh(service, login, fresh["refreshToken"]).status == 200


def test_a_refresh_token_belongs_to_its_client(service):
    login, other = service.login(), service.login()
    assert refused(refresh(service, other, login["refresh_token"]), "invalid_grant")
    assert refresh(service, login).status == 200


def test_with_grace_a_spent_refresh_token_works_again(service):
    service.settings(rotation="grace")
    login = service.login()
    first, second = refresh(service, login).json(), refresh(service, login).json()
    assert first["refreshToken"] != second["refreshToken"]


def test_without_rotation_the_refresh_token_stays(service):
    service.settings(rotation="none")
    login = service.login()
    assert refresh(service, login).json()["refreshToken"] == login["refresh_token"]
    assert refresh(service, login).status == 200


def test_a_reply_may_leave_the_refresh_token_out_and_the_old_one_stays_good(service):
    service.settings(rotation="omit")
    login = service.login()
    assert set(refresh(service, login).json()) == {"accessToken", "expiresIn", "tokenType"}
    assert refresh(service, login).status == 200


def test_the_lifetime_of_tokens_can_be_set(service):
    service.settings(token_lifetime=700)
    fresh = refresh(service, service.login()).json()
    assert fresh["expiresIn"] == 700
    assert chat(service, fresh["accessToken"]).status == 200
    service.settings(clock_skew=701)
    assert chat(service, fresh["accessToken"]).status == 403


def test_a_revoked_login_cannot_be_refreshed(service):
    login, other = service.login(), service.login()
    service.control("revoke", access_token=login["access_token"])
    assert refused(refresh(service, login), "invalid_grant")
    assert refresh(service, other).status == 200


# Clients


def test_a_wrong_secret_is_refused_with_401(service):
    login = service.login()
    assert refused(refresh(service, {**login, "client_secret": "guess"}), "invalid_client", 401)
    assert refused(refresh(service, {**login, "client_id": "guess"}), "invalid_client", 401)


def test_an_expired_secret_is_refused_with_401(service):
    login = service.login(client_lifetime=-1)
    assert refused(refresh(service, login), "invalid_client", 401)


def test_a_client_is_held_to_the_grants_it_registered(service):
    answer = token(service, pkce_client(service), DEVICE_GRANT, deviceCode="x")
    assert refused(answer, "unauthorized_client")
    answer = token(service, register(service).json(), "authorization_code", code="x")
    assert refused(answer, "unauthorized_client")


def test_an_unknown_grant_is_refused(service):
    assert refused(token(service, register(service).json(), "password"), "unsupported_grant_type")


@pytest.mark.parametrize("missing", ["clientId", "clientSecret", "grantType", "refreshToken"])
def test_a_missing_member_is_named(service, missing):
    login = service.login()
    body = {
        "clientId": login["client_id"],
        "clientSecret": login["client_secret"],
        "grantType": "refresh_token",
        "refreshToken": login["refresh_token"],
    }
    del body[missing]
    answer = oidc(service, "/token", body)
    assert refused(answer, "invalid_request") and missing in answer.json()["error_description"]
