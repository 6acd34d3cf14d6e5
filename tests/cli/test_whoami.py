# SPDX-License-Identifier: Apache-2.0
import fcntl
import json
import struct

import pytest

PROFILE = "arn:aws:codewhisperer:us-east-1:111122223333:profile/STANDIN0001"

F_OFD_SETLK = 37  # of Linux; the module does not name it everywhere
WHOEVER_REFRESHES = struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0x6000000000000000, 1, 0)


def test_a_builder_id_by_name(online, login):
    result = online.run("whoami")
    assert (result.code, result.err) == (0, "")
    lines = result.out.splitlines()
    assert lines[0] == "Logged in with Builder ID"
    assert "Region:  us-east-1" in lines
    assert f"Expires: {online.stored()['expires_at']}" in lines
    assert "Source:  q-cli" in lines
    assert "Store:   sqlite" in lines


def test_a_builder_id_as_json(online, login):
    result = online.run("whoami", "--format", "json")
    assert result.code == 0
    assert list(result.json.items()) == [
        ("accountType", "BuilderId"),
        ("startUrl", None),
        ("region", "us-east-1"),
        ("expires_at", online.stored()["expires_at"]),
        ("expired", False),
        ("source", "q-cli"),
        ("store", "sqlite"),
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


@pytest.mark.parametrize(
    ("kind", "type", "said"),
    [
        ("oidc", "BuilderId", "Builder ID"),
        ("social", "Social", "a social account"),
        ("external-idp", "ExternalIdp", "an identity provider"),
    ],
)
def test_every_kind_of_login_of_the_kiro_cli(online, service, kind, type, said):
    service.seed_kiro(online.data / "kiro-cli" / "data.sqlite3", kind=kind)
    as_json = online.run("whoami", "-f", "json")
    assert (as_json.code, as_json.err) == (0, "")
    assert (as_json.json["accountType"], as_json.json["source"]) == (type, "kiro-cli")
    assert online.run("whoami").out.startswith(f"Logged in with {said}\n")


def test_an_api_key(online):
    online.env["KIRO_API_KEY"] = "ksk_not_shown"
    as_json = online.run("whoami", "-f", "json", "--source", "kiro-api-key")
    assert as_json.json["accountType"] == "ApiKey"
    plain = online.run("whoami", "--source", "kiro-api-key").out
    assert plain.startswith("Logged in with an API key\nExpires: unknown\n")
    assert "ksk_not_shown" not in plain + as_json.out


def test_a_login_with_a_name(online, service):
    named = online.data / "amazonq" / "logins" / "work" / "data.sqlite3"
    for directory in (named.parent, named.parent.parent, named.parent.parent.parent):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    service.seed(named)
    assert online.run("whoami").code == 4
    assert "Login:   work\n" in online.run("--login", "work", "whoami").out
    assert online.run("--login", "work", "whoami", "-f", "json").json["login"] == "work"
    gone = online.run("--login", "work", "logout")
    assert gone.err == "q: logged out: login 'work' is removed from store 'sqlite'\n"
    assert online.run("--login", "work", "whoami").code == 4


def test_nobody_is_exit_code_4(q):
    plain = q.run("whoami")
    assert (plain.code, plain.out) == (4, "Not logged in\n"), plain
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


def offline(q):
    """Nothing that it could talk to, and nothing to talk with."""
    q.env["AWS_ENDPOINT_URL_SSO_OIDC"] = q.env["Q_ENDPOINT_URL"] = "http://127.0.0.1:1"
    q.env["Q_TRANSPORT"] = "there-is-no-such-transport"


def test_an_expired_login_is_described_as_it_is_stored_and_nobody_is_asked(online, service):
    service.seed(online.db, expires_in=-60, profile=PROFILE)
    offline(online)
    before = online.row()
    plain = online.run("whoami")
    assert (plain.code, plain.err) == (0, "")
    end = online.stored()["expires_at"]
    assert f"Expires: {end} (expired, will be renewed on next use)\n" in plain.out
    said = online.run("whoami", "-f", "json")
    assert (said.code, said.err) == (0, "")
    assert said.json["expired"] is True and said.json["expires_at"] == end
    assert said.json["profile_arn"] == PROFILE
    assert online.row() == before
    assert service.counters()["connections"] == 0


def test_a_login_that_is_being_refreshed_is_not_waited_for(online, service):
    service.seed(online.db, expires_in=-60)
    service.fault("CreateToken", hold="before")
    refreshing = online.start("user", "export-token", "--quiet")
    service.wait("CreateToken:refresh_token", held=1)
    assert online.run("whoami", "-f", "json").json["expired"] is True
    service.release()
    refreshing.communicate()
    assert refreshing.returncode == 0


def test_a_database_that_cannot_be_written_is_no_obstacle(online, service):
    service.seed(online.db, expires_in=-60)
    online.db.chmod(0o400)
    assert online.run("whoami", "-f", "json").json["expired"] is True


def test_an_expired_login_that_nothing_can_renew_is_described_and_exit_code_6(online, service):
    service.seed(online.db, expires_in=-60, refresh_token=False)
    offline(online)
    plain = online.run("whoami")
    assert plain.code == 6
    assert f"Expires: {online.stored()['expires_at']} (expired)\n" in plain.out
    assert "it has no refresh token, sign in again" in plain.err
    said = online.run("whoami", "-f", "json")
    assert (said.code, said.json["expired"]) == (6, True)


def test_that_nothing_can_renew_it_is_known_without_the_lock_of_those_who_refresh(online, service):
    service.seed(online.db, expires_in=-60, refresh_token=False)
    with online.db.open("r+b") as database:
        fcntl.fcntl(database, F_OFD_SETLK, WHOEVER_REFRESHES)
        result = online.run("whoami")
    assert result.code == 6
    assert "it has no refresh token, sign in again" in result.err


def test_no_secret_is_ever_shown(online, login):
    for form in ("plain", "json", "json-pretty"):
        result = online.run("whoami", "-f", form, "-vv")
        for secret in ("access_token", "refresh_token", "client_secret"):
            assert login[secret] not in result.out + result.err
