# SPDX-License-Identifier: Apache-2.0
"""The Kiro CLI's kinds of login, each refreshed where it belongs."""

import json
import sqlite3

import pytest
from qservice.seed import KIRO_KEYS

PROFILE = "arn:aws:codewhisperer:us-east-1:111122223333:profile/STANDIN0001"
EXPORT = ("user", "export-token", "--quiet")
CHAT = ("chat", "--no-interactive", "hello")
# kind -> the operation that refreshes it
KINDS = {"oidc": "CreateToken:refresh_token", "social": "RefreshToken", "external-idp": "IdpToken"}

JSON = {"content_type": "application/json"}
REJECTED = {
    "code": "AccessDeniedException",
    "message": "The bearer token included in the request is invalid.",
}

each_kind = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture
def kiro(online, service):
    """The command beside a Kiro CLI; its database is `kiro.db`."""
    online.env["AWS_CA_BUNDLE"] = service.ca  # identity providers are asked over https, or not
    online.db = online.data / "kiro-cli" / "data.sqlite3"
    return online


def seed(service, kiro, kind, **options):
    profile = PROFILE if kind == "social" else None
    return service.seed_kiro(kiro.db, kind=kind, profile=profile, **options)


def told(service):
    """What the last chat told the service of its token."""
    return service.requests("GenerateAssistantResponse")[-1]["headers"].get("tokentype")


def row(kiro, kind):
    return kiro.row(KIRO_KEYS[kind])


@each_kind
def test_an_expired_token_is_refreshed_where_it_belongs_and_saved(kiro, service, kind):
    old = seed(service, kiro, kind, expires_in=-60)
    result = kiro.run(*EXPORT)
    assert result.code == 0, result
    stored = json.loads(row(kiro, kind))
    assert result.json["access_token"] == stored["access_token"] != old["access_token"]
    assert stored["refresh_token"] != old["refresh_token"]
    assert (result.json["source"], result.json["kind"]) == ("kiro-cli", kind)
    assert service.calls(KINDS[kind]) == 1
    assert kiro.run(*EXPORT, "--force-refresh").code == 0  # what was saved is good


@each_kind
def test_a_refresh_changes_what_it_must_and_no_other_byte(kiro, service, kind):
    old = seed(service, kiro, kind, expires_in=-60, unknown_member=True)
    before = row(kiro, kind)
    assert kiro.run(*EXPORT).code == 0
    after = row(kiro, kind)
    new = json.loads(after)
    for member in ("access_token", "refresh_token"):
        before = before.replace(old[member], new[member])
    before = before.replace(json.loads(before)["expires_at"], new["expires_at"])
    assert after == before


@each_kind
def test_a_reply_without_a_refresh_token_keeps_the_old_one(kiro, service, kind):
    service.settings(rotation="omit")
    old = seed(service, kiro, kind, expires_in=-60)
    assert kiro.run(*EXPORT).code == 0
    assert json.loads(row(kiro, kind))["refresh_token"] == old["refresh_token"]


@each_kind
def test_sixteen_processes_make_one_call_and_get_one_token(kiro, service, kind):
    seed(service, kiro, kind, expires_in=-60)
    service.fault(KINDS[kind], hold="before")
    running = [kiro.start(*EXPORT) for _ in range(16)]
    service.wait(KINDS[kind], held=1)
    service.release()
    results = [process.communicate(timeout=60) for process in running]
    assert [process.returncode for process in running] == [0] * 16, results
    assert len({json.loads(out)["access_token"] for out, _ in results}) == 1
    assert service.calls(KINDS[kind]) == 1


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ({"status": 400, "body": '{"error":"invalid_grant"}', **JSON}, 6),
        ({"status": 403, "body": "{}", **JSON}, 5),
        ({"status": 500}, 5),
        ({"truncate": 40}, 5),
        ({"drop": "before"}, 5),
    ],
    ids=lambda value: str(value)[:24],
)
@each_kind
def test_a_failed_refresh_leaves_the_database_byte_for_byte(kiro, service, kind, fault, code):
    seed(service, kiro, kind, expires_in=-60, unknown_member=True)
    service.fault(KINDS[kind], **fault)
    before = kiro.db.read_bytes()
    result = kiro.run(*EXPORT)
    assert (result.code, result.out) == (code, ""), result
    assert kiro.db.read_bytes() == before


def test_a_social_login_that_was_ended_needs_a_new_one(kiro, service):
    login = seed(service, kiro, "social", expires_in=-60)
    service.control("revoke", refresh_token=login["refresh_token"])
    before = kiro.db.read_bytes()
    result = kiro.run(*EXPORT)
    assert result.code == 6
    assert "HTTP 401" in result.err
    assert kiro.db.read_bytes() == before


def test_an_identity_provider_on_another_host_than_its_issuer_is_not_asked(kiro, service):
    login = seed(service, kiro, "external-idp", expires_in=-60)
    connection = sqlite3.connect(kiro.db)
    token = json.loads(row(kiro, "external-idp"))
    token["issuer_url"] = "https://idp.example.com/idp/v2.0"
    with connection:
        connection.execute("UPDATE auth_kv SET value = ?", [json.dumps(token)])
    connection.close()
    result = kiro.run(*EXPORT)
    assert result.code == 6
    assert "host of its issuer" in result.err
    assert service.calls("IdpToken") == 0
    assert login["refresh_token"] in row(kiro, "external-idp")


@each_kind
def test_a_chat_goes_with_each_kind(kiro, service, kind):
    seed(service, kiro, kind)
    result = kiro.run(*CHAT)
    assert result.code == 0, result
    (asked,) = service.requests("GenerateAssistantResponse")
    types = {"external-idp": "EXTERNAL_IDP"}
    assert asked["headers"].get("tokentype") == types.get(kind)
    assert asked["body"].get("profileArn") == (PROFILE if kind == "social" else None)


def test_an_organisations_own_provider_has_profiles_and_the_service_is_told_whose(kiro, service):
    seed(service, kiro, "external-idp")
    result = kiro.run("profile", "list")
    assert (result.code, result.err) == (0, "")
    assert PROFILE in result.out
    asked = service.requests("ListAvailableProfiles")
    assert asked and all(r["headers"]["tokentype"] == "EXTERNAL_IDP" for r in asked)
    assert kiro.run("models").code == 0
    (asked,) = service.requests("ListAvailableModels")
    assert asked["headers"]["tokentype"] == "EXTERNAL_IDP"


def test_a_social_account_has_no_profiles_and_is_not_called_a_builder_id(kiro, service):
    seed(service, kiro, "social")
    result = kiro.run("profile", "list")
    assert (result.code, result.out) == (1, ""), result
    assert "a social account has none" in result.err
    assert service.calls("ListAvailableProfiles") == 0


def test_a_chat_goes_on_with_a_refreshed_token_of_its_kind_when_one_is_rejected(kiro, service):
    login = seed(service, kiro, "external-idp")
    service.control("revoke", access_token=login["access_token"])
    service.settings(rotation="grace")
    assert kiro.run(*CHAT).code != 0  # the session is over, and with it the refresh token
    login = seed(service, kiro, "external-idp")
    service.fault("GenerateAssistantResponse", error=REJECTED)
    result = kiro.run(*CHAT)
    assert result.code == 0, result
    assert service.calls("IdpToken") >= 1
    first, second = service.requests("GenerateAssistantResponse")[-2:]
    assert first["headers"]["tokentype"] == second["headers"]["tokentype"] == "EXTERNAL_IDP"
    assert first["headers"]["authorization"] != second["headers"]["authorization"]


def test_a_token_that_was_exported_keeps_its_kind_where_it_is_handed_in(kiro, service):
    seed(service, kiro, "external-idp")
    handed = kiro.home / "token.json"
    handed.write_text(kiro.run(*EXPORT, "--access-only").out)
    handed.chmod(0o600)
    kiro.asked.append(handed)
    kiro.env["Q_TOKEN_FILE"] = str(handed)
    result = kiro.run(*CHAT)
    assert result.code == 0, result
    assert told(service) == "EXTERNAL_IDP"


def test_a_broker_says_the_kind_of_its_token(kiro, service, broker):
    seed(service, kiro, "external-idp")
    broker.start()
    kiro.env["Q_STORE"] = "broker"
    kiro.env["Q_BROKER_SOCKET"] = str(broker.socket)
    result = kiro.run(*CHAT)
    assert result.code == 0, result
    assert told(service) == "EXTERNAL_IDP"


@pytest.mark.parametrize(
    ("kind", "account", "says"),
    [
        ("oidc", "BuilderId", "Builder ID"),
        ("social", "Social", "social account"),
        ("external-idp", "ExternalIdp", "identity provider"),
    ],
)
def test_whoami_says_what_it_is(kiro, service, kind, account, says):
    seed(service, kiro, kind)
    assert kiro.run("whoami", "--format", "json").json["accountType"] == account
    assert says in kiro.run("whoami").out
