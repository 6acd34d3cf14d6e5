# SPDX-License-Identifier: Apache-2.0
"""Logins that other programs keep: used when they are named, never written, never refreshed."""

import pytest
from sso_cache import START_URL

EXPORT = ("user", "export-token", "--quiet")
CHAT = ("chat", "--no-interactive", "hello")


def test_nothing_borrowed_is_used_unless_it_is_named(online, cache):
    cache.ide()
    cache.session("work")
    online.env["KIRO_API_KEY"] = "ksk_0"
    assert online.run(*EXPORT).code == 4


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("kiro-ide", "none in ~/.aws/sso/cache/kiro-auth-token.json, sign in with the Kiro IDE"),
        ("sso-cache", "none in ~/.aws/sso/cache, sign in with the AWS command line"),
        ("kiro-api-key", "none in KIRO_API_KEY, set that variable"),
    ],
)
def test_one_that_is_not_there_is_to_be_made_where_it_belongs(online, source, says):
    result = online.run(*EXPORT, "--source", source)
    assert (result.code, result.out) == (4, ""), result
    assert says in result.err
    assert "q login" not in result.err


def test_the_ides_login_is_used_and_its_refresh_token_is_nobodys(online, cache, service):
    login, path = cache.ide()
    before = path.read_bytes()
    said = online.run(*EXPORT, "--source", "kiro-ide").json
    assert said["access_token"] == login["access_token"]
    assert "refresh_token" not in said
    assert said["kind"] == "social"
    assert said["expires_at"].endswith("Z")
    assert online.run(*CHAT, "--source", "kiro-ide").code == 0
    assert path.read_bytes() == before


def test_an_expired_login_names_the_program_that_refreshes_it(online, cache, service):
    _, ide = cache.ide(expires_in=-60)
    _, session = cache.session("work", expires_in=-60)
    before = ide.read_bytes(), session.read_bytes()
    for source, says in (("kiro-ide", "only the IDE refreshes it"), ("sso-cache", "aws sso login")):
        for more in ((), ("--force-refresh",)):
            result = online.run(*EXPORT, *more, "--source", source)
            assert (result.code, result.out) == (5, ""), result
            assert says in result.err
    assert (ide.read_bytes(), session.read_bytes()) == before
    assert service.calls("CreateToken") == service.calls("RefreshToken") == 0


def test_a_session_is_named_by_its_name_or_start_url(online, cache):
    work, _ = cache.session("work")
    private, _ = cache.session(START_URL)
    said = online.run(*EXPORT, "--source", "sso-cache")
    assert said.code == 2
    assert "Q_SSO_SESSION" in said.err
    for name, login in (("work", work), (START_URL, private)):
        online.env["Q_SSO_SESSION"] = name
        said = online.run(*EXPORT, "--source", "sso-cache").json
        assert (said["access_token"], said["start_url"]) == (login["access_token"], START_URL)


def test_what_is_wrong_with_one_of_these_places_is_not_said_of_another(online, cache):
    cache.session("one")
    cache.session("two")
    online.env["KIRO_API_KEY"] = "ksk_" + "k" * 32
    listed = online.run("user", "sources", "--format", "json").json["sources"]
    found = {source["source"]: source for source in listed}
    assert "several sessions" in found["sso-cache"]["reason"]
    assert (found["kiro-api-key"]["state"], found["kiro-api-key"]["reason"]) == (
        "valid",
        "only when it is named, --source kiro-api-key",
    )


def test_an_api_key_is_used_with_its_header_and_shown_by_an_export_alone(online, service):
    key = service.login(kind="api-key")["access_token"]
    online.env["KIRO_API_KEY"] = key
    result = online.run(*CHAT, "--source", "kiro-api-key")
    assert result.code == 0, result
    (asked,) = service.requests("GenerateAssistantResponse")
    assert asked["headers"]["tokentype"] == "API_KEY"
    who = online.run("whoami", "--source", "kiro-api-key", "--format", "json")
    assert who.code == 0
    assert who.json["accountType"] == "ApiKey"
    assert key not in who.out + who.err
    said = online.run(*EXPORT, "--source", "kiro-api-key").json
    assert said == {
        "access_token": key,
        "token_type": "Bearer",
        "source": "kiro-api-key",
        "kind": "api-key",
        "schema_version": 1,
    }


def test_an_api_key_that_is_rejected_is_not_sent_for_ever(online, service):
    online.env["KIRO_API_KEY"] = "ksk_wrong"
    result = online.run(*CHAT, "--source", "kiro-api-key")
    assert result.code == 6
    assert "KIRO_API_KEY" in result.err
    assert service.calls("GenerateAssistantResponse") == 1


def test_an_api_key_that_is_rejected_has_an_advice_that_helps(online, service):
    online.env["KIRO_API_KEY"] = "ksk_" + "x" * 40
    result = online.run("doctor", "--source", "kiro-api-key", "--format", "json")
    (said,) = [f for f in result.json["findings"] if f["subject"] == "service.login"]
    assert said["status"] == "fail"
    assert "renew what is in KIRO_API_KEY: set that variable to an API key" in said["fix"]


def test_a_borrowed_login_is_neither_removed_nor_moved(online, cache):
    _, path = cache.ide()
    before = path.read_bytes()
    for command in (("logout",), ("user", "migrate", "--from", "memory", "--to", "sqlite")):
        result = online.run(*command, "--source", "kiro-ide")
        assert result.code == 1
        assert "another program keeps it" in result.err
    assert path.read_bytes() == before
    assert not online.data.exists()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"accessToken":7}', '{"accessToken":"a b"}'])
def test_a_file_that_makes_no_sense_is_an_error_that_names_its_owner(online, cache, text):
    _, path = cache.ide()
    path.write_text(text)
    result = online.run(*EXPORT, "--source", "kiro-ide")
    assert result.code == 3
    assert "Kiro IDE" in result.err
