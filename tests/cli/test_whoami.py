# SPDX-License-Identifier: Apache-2.0
import json

PROFILE = "arn:aws:codewhisperer:us-east-1:111122223333:profile/STANDIN0001"


def test_a_builder_id_by_name(online, login):
    result = online.run("whoami")
    assert (result.code, result.err) == (0, "")
    lines = result.out.splitlines()
    assert lines[0] == "Logged in with Builder ID"
    assert "Region:  us-east-1" in lines
    assert f"Expires: {online.stored()['expires_at']}" in lines
    assert "Source:  q-cli" in lines


def test_a_builder_id_as_json(online, login):
    result = online.run("whoami", "--format", "json")
    assert result.code == 0
    assert list(result.json.items()) == [
        ("accountType", "BuilderId"),
        ("startUrl", None),
        ("region", "us-east-1"),
        ("expires_at", online.stored()["expires_at"]),
        ("source", "q-cli"),
    ]


def test_a_builder_id_that_names_its_start_url(online, service):
    service.seed(online.db, flow="Pkce")
    said = online.run("whoami", "-f", "json").json
    assert said["accountType"] == "BuilderId"
    assert said["startUrl"] == "https://view.awsapps.com/start"


def test_an_organisation_s_login(online, service):
    service.seed(online.db, profile=PROFILE)
    plain = online.run("whoami")
    assert plain.out.startswith(
        "Logged in with IAM Identity Center: https://example.awsapps.com/start\n"
    )
    assert f"Profile: {PROFILE}\n" in plain.out
    pretty = online.run("whoami", "--format", "json-pretty")
    assert pretty.json["accountType"] == "IamIdentityCenter"
    assert pretty.json["startUrl"] == "https://example.awsapps.com/start"
    assert pretty.json["profile_arn"] == PROFILE
    assert pretty.out == json.dumps(pretty.json, indent=2) + "\n"


def test_nobody_is_exit_code_4(q):
    plain = q.run("whoami")
    assert (plain.code, plain.out) == (4, "Not logged in\n")
    as_json = q.run("whoami", "-f", "json")
    assert (as_json.code, as_json.json) == (4, {"account": None})
    assert list(q.home.iterdir()) == []


def test_a_valid_login_costs_no_call(online, login, service):
    assert online.run("whoami").code == 0
    assert service.calls("CreateToken") == 0


def test_a_token_in_its_last_minute_costs_no_call(online, service):
    service.seed(online.db, expires_in=30)
    assert online.run("whoami").code == 0
    assert service.calls("CreateToken") == 0


def test_an_expired_login_is_refreshed_once(online, service):
    service.seed(online.db, expires_in=-60)
    before = online.stored()
    result = online.run("whoami", "-f", "json")
    assert result.code == 0
    assert service.calls("CreateToken") == 1
    assert result.json["expires_at"] == online.stored()["expires_at"] != before["expires_at"]


def test_an_expired_login_that_nobody_can_refresh_now_is_exit_code_5(online, service):
    service.seed(online.db, expires_in=-60)
    service.fault("CreateToken", status=500, times=-1)
    before = online.row()
    result = online.run("whoami")
    assert (result.code, result.out) == (5, "")
    assert online.row() == before


def test_no_secret_is_ever_shown(online, login):
    for form in ("plain", "json", "json-pretty"):
        result = online.run("whoami", "-f", form, "-vv")
        for secret in ("access_token", "refresh_token", "client_secret"):
            assert login[secret] not in result.out + result.err
