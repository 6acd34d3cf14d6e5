# SPDX-License-Identifier: Apache-2.0
"""AMAZON_Q_SIGV4: chat without a login, signed with an AWS access key from where there is one."""

import json
import os
import signal

import pytest
from key_givers import (
    CHAT,
    ENVIRONMENT,
    EXPIRES,
    KEY,
    LINES,
    SECRET,
    SESSION,
    STS,
    assert_answered,
    document,
    serving,
    with_session,
)


def aws_file(command, name, text):
    path = command.home / ".aws" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    command.asked.append(path)
    return path


# ---- the request ----


def test_a_key_of_the_environment_signs_send_message_and_no_login_is_needed(signed, service):
    signed.env.update(ENVIRONMENT)
    assert_answered(signed.run(*CHAT))
    (request,) = service.requests("SendMessage")
    assert request["body"]["source"] == "CLI" and "profileArn" not in request["body"]
    assert service.requests("CreateToken:refresh_token") == []
    assert not signed.db.exists()


def test_a_session_token_is_sent_and_signed(signed, service):
    with_session(service)
    signed.env.update(ENVIRONMENT, AWS_SESSION_TOKEN=SESSION)
    assert_answered(signed.run(*CHAT))


def test_a_login_is_left_alone(signed, service, login):
    signed.env.update(ENVIRONMENT)
    assert_answered(signed.run(*CHAT))
    assert service.requests("GenerateAssistantResponse") == []


def test_without_the_variable_the_login_is_used(signed, service, login):
    signed.env.update(ENVIRONMENT, AMAZON_Q_SIGV4="")
    assert_answered(signed.run(*CHAT))
    assert len(service.requests("GenerateAssistantResponse")) == 1


@pytest.mark.parametrize("word", ["false", "0"])
def test_a_word_for_no_is_no(signed, service, login, word):
    signed.env.update(ENVIRONMENT, AMAZON_Q_SIGV4=word)
    assert_answered(signed.run(*CHAT))
    assert service.requests("SendMessage") == []


@pytest.mark.parametrize("word", ["no", "yes", "sigv4"])
def test_any_other_word_is_an_error(signed, service, word):
    signed.env.update(ENVIRONMENT, AMAZON_Q_SIGV4=word)
    result = signed.run(*CHAT)
    assert result.code == 2 and f"must be true or 1, false or 0, is '{word}'" in result.err, result
    assert service.requests("SendMessage") == []


def test_the_setting_may_be_in_the_file(signed, service):
    signed.env.update(ENVIRONMENT, AMAZON_Q_SIGV4="")
    assert signed.run("settings", "sigv4", "true").code == 0
    assert_answered(signed.run(*CHAT))
    assert len(service.requests("SendMessage")) == 1


def test_a_key_that_the_service_refuses_is_said_to_be_that(signed):
    signed.env.update(AWS_ACCESS_KEY_ID=KEY, AWS_SECRET_ACCESS_KEY="canary-another-secret")
    result = signed.run(*CHAT)
    assert result.code == 6, result
    assert "access key was rejected" in result.err and "clock" in result.err


# ---- q doctor ----


def findings(command):
    return {one["subject"]: one for one in command.run("doctor", "-f", "json").json["findings"]}


def test_the_doctor_names_the_place_that_has_a_key_and_misses_no_login(signed):
    signed.env.update(ENVIRONMENT)
    found = findings(signed)
    assert found["access-key"]["status"] == "ok"
    assert "'environment'" in found["access-key"]["what"]
    assert found["login"]["status"] == found["service.login"]["status"] == "ok"
    assert "sign-in.connect" not in found
    result = signed.run("doctor")
    assert result.code == 0 and result.out.endswith("\nNothing is wrong.\n"), result


def test_the_doctor_asks_a_container_and_tells_until_when_its_key_is_valid(signed):
    with serving({("GET", "/key"): (200, document())}) as (url, _):
        signed.env["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = f"{url}/key"
        key = findings(signed)["access-key"]
    assert key["status"] == "ok" and f"'container', valid until {EXPIRES}" in key["what"]


def test_the_doctor_knows_a_key_that_has_expired(signed):
    with serving({("GET", "/key"): (200, document(Expiration="2001-01-01T00:00:00Z"))}) as (url, _):
        signed.env["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = f"{url}/key"
        key = findings(signed)["access-key"]
    assert key["status"] == "fail" and "renewed" in key["fix"]


def test_the_doctor_says_what_to_set_where_no_place_has_a_key(signed):
    key = findings(signed)["access-key"]
    assert key["status"] == "fail" and "a container or an instance" in key["what"]
    assert "AWS_PROFILE" in key["fix"] and "unset AMAZON_Q_SIGV4" in key["fix"]
    signed.env["AWS_PROFILE"] = "nobody"
    assert "no profile 'nobody'" in findings(signed)["access-key"]["what"]


def test_the_doctor_looks_for_no_key_where_none_is_used(signed):
    del signed.env["AMAZON_Q_SIGV4"]
    assert "access-key" not in findings(signed)


# ---- files and programs ----


def test_the_default_profile_of_the_credentials_file_is_read(signed):
    aws_file(signed, "credentials", "[default]\n" + LINES.replace("=", " = ", 2))
    assert_answered(signed.run(*CHAT))


def test_a_named_profile_may_be_in_the_config_file(signed):
    aws_file(signed, "config", "[profile work]\n" + LINES)
    signed.env["AWS_PROFILE"] = "work"
    assert_answered(signed.run(*CHAT))


def test_the_environment_is_looked_at_before_the_profile(signed):
    aws_file(signed, "credentials", "[default]\n" + LINES.replace(KEY, "AKIDOTHER"))
    signed.env.update(ENVIRONMENT)
    assert_answered(signed.run(*CHAT))


def test_a_key_of_the_environment_needs_no_profile(signed):
    signed.env.update(ENVIRONMENT, AWS_PROFILE="nobody")
    assert_answered(signed.run(*CHAT))


@pytest.mark.parametrize("key", ["source_profile=default", "credential_source=Ec2InstanceMetadata"])
def test_a_profile_that_assumes_a_role_is_not_taken_for_the_key_beside_it(signed, service, key):
    aws_file(signed, "config", f"[default]\n{LINES}role_arn=arn:aws:iam::1:role/r\n{key}\n")
    result = signed.run(*CHAT)
    assert result.code == 1 and "is not supported here" in result.err, result
    assert service.requests("SendMessage") == []


def test_a_key_that_is_written_beside_a_sign_in_is_taken(signed):
    aws_file(signed, "config", "[default]\nsso_session=work\n")
    aws_file(signed, "credentials", "[default]\n" + LINES)
    assert_answered(signed.run(*CHAT))


def test_a_credential_process_is_run(signed, service):
    with_session(service)
    printed = json.loads(document(Version=1))
    printed["SessionToken"] = printed.pop("Token")
    answer = aws_file(signed, "answer", json.dumps(printed))
    aws_file(signed, "config", f"[default]\ncredential_process = cat {answer}\n")
    assert_answered(signed.run(*CHAT))


@pytest.mark.parametrize(
    "program, said",
    [
        ("exit 3", "credential_process: failed"),
        ("echo canary", "did not answer with one JSON object"),
        ('echo {"Version":2}', "JSON object"),
        ("echo '{\"Version\":1}'", "gave no access key"),
    ],
)
def test_a_credential_process_that_gives_no_key_ends_the_search(signed, program, said):
    aws_file(signed, "config", f"[default]\ncredential_process = {program}\n")
    result = signed.run(*CHAT)
    assert result.code not in (0, 4) and said in result.err, result


def test_ctrl_c_ends_a_credential_process_with_all_that_it_has_started(signed):
    pipe = signed.home / "pipe"
    os.mkfifo(pipe)
    aws_file(signed, "config", f"[default]\ncredential_process = exec 9>{pipe}; sleep 600 & wait\n")
    process = signed.start(*CHAT)
    with open(pipe, "rb") as held:  # open once the program runs
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        assert process.returncode == 130
        assert held.read() == b""  # nobody has it open any more


def test_a_profile_that_is_not_there_is_named_with_the_files(signed):
    signed.env["AWS_PROFILE"] = "nobody"
    result = signed.run(*CHAT)
    assert result.code == 2 or result.code == 1, result
    for word in ("'nobody'", ".aws/credentials", ".aws/config"):
        assert word in result.err


@pytest.mark.parametrize(
    "key", ["source_profile", "credential_source", "sso_session", "sso_start_url"]
)
def test_what_is_not_supported_is_said_with_the_way_out(signed, key):
    aws_file(signed, "config", f"[default]\nrole_arn=arn:aws:iam::1:role/r\n{key}=x\n")
    result = signed.run(*CHAT)
    assert result.code == 1, result
    assert f"has {key}" in result.err and "credential_process" in result.err


def test_half_a_key_is_an_error_and_not_skipped(signed):
    signed.env["AWS_ACCESS_KEY_ID"] = KEY
    result = signed.run(*CHAT)
    assert result.code != 0 and "half of an access key" in result.err, result


# ---- the network ----


def test_a_web_identity_is_exchanged_for_a_key(signed, service):
    with_session(service)
    token = aws_file(signed, "token", "canary-identity-0123456789\n")
    with serving({("POST", "/"): (200, STS)}) as (url, asked):
        signed.env.update(AWS_WEB_IDENTITY_TOKEN_FILE=str(token), AWS_ENDPOINT_URL_STS=url)
        signed.env.update(AWS_ROLE_ARN="arn:aws:iam::1:role/q")
        assert_answered(signed.run(*CHAT))
    ((_, _, _, body),) = asked
    assert "Action=AssumeRoleWithWebIdentity" in body and "RoleArn=arn%3Aaws%3Aiam" in body
    assert body.endswith("0123456789")


def test_a_web_identity_of_the_profile_comes_before_its_key_and_another_one(signed, service):
    with_session(service)
    token = aws_file(signed, "token", "canary-identity-0123456789")
    aws_file(
        signed,
        "config",
        f"[default]\n{LINES.replace(KEY, 'AKIDOTHER')}web_identity_token_file={token}\n"
        "role_arn=arn:aws:iam::1:role/mine\nrole_session_name=me\n",
    )
    with serving({("POST", "/"): (200, STS)}) as (url, asked):
        signed.env.update(AWS_WEB_IDENTITY_TOKEN_FILE="/nowhere", AWS_ENDPOINT_URL_STS=url)
        signed.env.update(AWS_ROLE_ARN="arn:aws:iam::1:role/theirs", AWS_ROLE_SESSION_NAME="them")
        assert_answered(signed.run(*CHAT))
    ((_, _, _, body),) = asked
    assert "role%2Fmine&RoleSessionName=me&" in body


def test_what_sts_refuses_it_for_is_said(signed):
    token = aws_file(signed, "token", "canary-identity-0123456789")
    refusal = "<Code>InvalidIdentityToken</Code><Message>canary-identity-0123456789</Message>"
    with serving({("POST", "/"): (400, f"<Error>{refusal}</Error>")}) as (url, _):
        signed.env.update(AWS_WEB_IDENTITY_TOKEN_FILE=str(token), AWS_ENDPOINT_URL_STS=url)
        signed.env.update(AWS_ROLE_ARN="arn:aws:iam::1:role/q")
        result = signed.run(*CHAT)
    assert result.code == 7 and "STS" in result.err and "InvalidIdentityToken" in result.err, result


def test_a_container_hands_out_a_key(signed, service):
    with_session(service)
    with serving({("GET", "/v1/key"): (200, document())}) as (url, asked):
        signed.env.update(AWS_CONTAINER_CREDENTIALS_FULL_URI=f"{url}/v1/key")
        signed.env.update(AWS_CONTAINER_AUTHORIZATION_TOKEN="Basic canary-0123456789")
        assert_answered(signed.run(*CHAT))
    ((_, _, headers, _),) = asked
    assert {k.lower(): v for k, v in headers.items()}["authorization"] == "Basic canary-0123456789"


@pytest.mark.parametrize(
    "uri",
    [
        "http://example.com/key",
        "ftp://127.0.0.1/key",
        "http://169.254.170.2.example.com/",
        "http://169.254.170.2:80@127.0.0.1/",
        "http://169.254.170.2:80#.example.com/",
        "http://169.254.169.254/",
    ],
)
def test_a_container_elsewhere_over_plain_http_is_refused(signed, uri):
    signed.env.update(AWS_CONTAINER_CREDENTIALS_FULL_URI=uri)
    signed.env.update(AWS_CONTAINER_AUTHORIZATION_TOKEN="Basic canary-0123456789")
    result = signed.run(*CHAT)
    assert result.code in (1, 2) and "AWS_CONTAINER_CREDENTIALS_FULL_URI" in result.err, result


def test_an_instance_is_asked_with_a_token(signed, service):
    with_session(service)
    roles = "/latest/meta-data/iam/security-credentials/"
    answers = {
        ("PUT", "/latest/api/token"): (200, "canary-imds-0123456789"),
        ("GET", roles): (200, "worker"),
        ("GET", roles + "worker"): (200, document(Code="Success")),
    }
    del signed.env["AWS_EC2_METADATA_DISABLED"]
    with serving(answers) as (url, asked):
        signed.env["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = url
        assert_answered(signed.run(*CHAT))
    put, *gets = asked
    assert "ttl-seconds" in " ".join(put[2]).lower()
    tokens = [{k.lower(): v for k, v in headers.items()} for _, _, headers, _ in gets]
    assert [one["x-aws-ec2-metadata-token"] for one in tokens] == ["canary-imds-0123456789"] * 2


def test_what_an_instance_says_instead_of_a_key_is_said(signed):
    roles = "/latest/meta-data/iam/security-credentials/"
    answers = {
        ("PUT", "/latest/api/token"): (200, "canary-imds-0123456789"),
        ("GET", roles): (200, "worker"),
        ("GET", roles + "worker"): (200, '{"Code": "AssumeRoleUnauthorizedAccess"}'),
    }
    del signed.env["AWS_EC2_METADATA_DISABLED"]
    with serving(answers) as (url, _):
        aws_file(signed, "config", f"[default]\nec2_metadata_service_endpoint={url}/\n")
        result = signed.run(*CHAT)
    assert result.code == 7, result
    assert "instance" in result.err and "AssumeRoleUnauthorizedAccess" in result.err


@pytest.mark.parametrize("status", [400, 403, 404, 405])
def test_another_cloud_at_the_address_of_an_instance_has_no_key(signed, status):
    del signed.env["AWS_EC2_METADATA_DISABLED"]
    with serving({("PUT", "/latest/api/token"): (status, "canary")}) as (url, _):
        signed.env["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = url
        result = signed.run(*CHAT)
    assert result.code == 4 and "container or an instance" in result.err, result


@pytest.mark.parametrize("status", [429, 500, 503])
def test_who_has_no_time_now_is_to_be_asked_again_later(signed, status):
    with serving({("GET", "/key"): (status, "canary")}) as (url, _):
        signed.env["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = f"{url}/key"
        result = signed.run(*CHAT)
    assert f"HTTP {status}" in result.err and "try again later" in result.err, result


def test_an_instance_is_reached_by_ipv4_or_ipv6_and_by_nothing_else(signed):
    del signed.env["AWS_EC2_METADATA_DISABLED"]
    signed.env["AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"] = "IPv5"
    result = signed.run(*CHAT)
    assert result.code == 2 and "'IPv5' is neither IPv4 nor IPv6" in result.err, result


def test_a_transport_without_http_1_names_the_one_that_has_it(signed):
    with serving({}) as (url, _):
        signed.env["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = f"{url}/key"
        near = signed.run("--transport", "h2", *CHAT)
        signed.env["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = "http://169.254.170.23/key"
        away = signed.run("--transport", "h2", *CHAT)
    for result in (near, away):
        assert result.code == 1, result
        assert "container: " in result.err and "use --transport curl" in result.err
    del signed.env["AWS_CONTAINER_CREDENTIALS_FULL_URI"], signed.env["AWS_EC2_METADATA_DISABLED"]
    result = signed.run("--transport", "h2", *CHAT)
    assert result.code == 4, result
    assert "--transport curl" in result.err and "AWS_ACCESS_KEY_ID" in result.err


def test_an_instance_without_a_role_has_no_key(signed):
    del signed.env["AWS_EC2_METADATA_DISABLED"]
    with serving({("PUT", "/latest/api/token"): (200, "canary-imds-0123456789")}) as (url, _):
        signed.env["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = url
        result = signed.run(*CHAT)
    assert result.code == 4, result


def test_with_no_key_anywhere_all_places_are_named_and_nothing_waits(signed, service):
    result = signed.run(*CHAT)
    assert result.code == 4, result
    places = ("environment", "profile 'default'", "container", "instance")
    for word in (*places, "unset AMAZON_Q_SIGV4"):
        assert word in result.err
    assert service.requests("SendMessage") == []


def test_nothing_of_a_key_is_shown(signed, service):
    """Beyond what every test of the command looks for: with all there is to log."""
    with_session(service)
    signed.env.update(ENVIRONMENT, AWS_SESSION_TOKEN=SESSION)
    result = signed.run("-vv", *CHAT)
    assert_answered(result)
    assert SECRET not in result.err and SESSION not in result.err
    assert os.path.basename(SECRET) not in result.err
