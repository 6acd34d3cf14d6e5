# SPDX-License-Identifier: Apache-2.0
import json
import os
import re
import sqlite3
import subprocess
import time
from datetime import datetime, timezone

import pytest

PROFILE = "arn:aws:codewhisperer:us-east-1:111122223333:profile/STANDIN0001"
EXPORT = ("user", "export-token")


def rfc3339(text):
    """Python 3.11 reads at most six digits of a fraction."""
    whole = re.sub(r"\.\d+Z$", "Z", text)
    return datetime.strptime(whole, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc).timestamp()


def test_json_is_the_default_and_has_the_documented_members(online, service):
    login = service.seed(online.db, profile=PROFILE)
    before = time.time()
    result = online.run(*EXPORT)
    after = time.time()
    assert result.code == 0
    said = result.json
    assert list(said) == [
        "access_token",
        "refresh_token",
        "token_type",
        "expires_at",
        "expires_at_epoch",
        "expires_in",
        "region",
        "start_url",
        "profile_arn",
        "source",
        "kind",
        "schema_version",
    ]
    assert said["access_token"] == login["access_token"]
    assert said["refresh_token"] == login["refresh_token"]
    assert said["token_type"] == "Bearer"
    assert said["expires_at"] == online.stored()["expires_at"]
    assert said["expires_at_epoch"] == rfc3339(said["expires_at"])
    end = said["expires_at_epoch"]
    assert end - after - 1 <= said["expires_in"] <= end - before + 1
    assert said["region"] == "us-east-1"
    assert said["start_url"] == "https://example.awsapps.com/start"
    assert said["profile_arn"] == PROFILE
    assert said["source"] == "q-cli"
    assert said["schema_version"] == 1
    assert online.run(*EXPORT, "--format", "json").out.count("\n") == 1


def test_what_a_login_does_not_have_is_left_out(online, login):
    said = online.run(*EXPORT).json
    assert "start_url" not in said and "profile_arn" not in said


def test_json_pretty_is_indented(online, login):
    result = online.run(*EXPORT, "--format", "json-pretty")
    assert result.out == json.dumps(result.json, indent=2) + "\n"


def test_token_and_header_are_one_line(online, login):
    assert online.run(*EXPORT, "--format", "token").out == login["access_token"] + "\n"
    header = f"Authorization: Bearer {login['access_token']}\n"
    assert online.run(*EXPORT, "-f", "header").out == header


def test_env_can_be_evaluated_by_a_shell(online, service):
    login = service.seed(online.db, profile=PROFILE)
    script = (
        'eval "$("$Q" user export-token --format env --quiet)"; '
        'env | grep -E "^Q_(ACCESS|REFRESH|TOKEN|PROFILE)" | sort'
    )
    result = online.shell(script)
    assert result.err == ""
    assert result.out.splitlines() == [
        f"Q_ACCESS_TOKEN={login['access_token']}",
        f"Q_PROFILE_ARN={PROFILE}",
        f"Q_TOKEN_EXPIRES_AT={online.stored()['expires_at']}",
    ]


@pytest.mark.parametrize(
    "form, line", [("env", "export Q_REFRESH_TOKEN='%s'"), ("fish", "set -gx Q_REFRESH_TOKEN '%s'")]
)
def test_shell_forms_carry_the_refresh_token_when_asked(online, login, form, line):
    without = online.run(*EXPORT, "--format", form)
    assert login["access_token"] in without.out
    assert login["refresh_token"] not in without.out
    with_it = online.run(*EXPORT, "--format", form, "--with-refresh-token")
    assert line % login["refresh_token"] in with_it.out.splitlines()


def test_exec_credential_is_what_kubectl_reads(online, login):
    said = online.run(*EXPORT, "--format", "exec-credential").json
    assert said["apiVersion"] == "client.authentication.k8s.io/v1"
    assert said["kind"] == "ExecCredential"
    assert set(said["status"]) == {"token", "expirationTimestamp"}
    assert said["status"]["token"] == login["access_token"]
    expires_at = rfc3339(said["status"]["expirationTimestamp"])
    assert expires_at == int(rfc3339(online.stored()["expires_at"]))


def test_access_only_leaves_the_refresh_token_out(online, login):
    result = online.run(*EXPORT, "--access-only")
    assert "refresh_token" not in result.json
    assert login["refresh_token"] not in result.out


def test_a_warning_says_which_secrets_are_printed(online, login):
    both = online.run(*EXPORT).err
    assert "WARNING" in both and "SECRET" in both and "REFRESH TOKEN" in both
    one = online.run(*EXPORT, "--access-only").err
    assert "WARNING" in one and "REFRESH TOKEN" not in one
    assert online.run(*EXPORT, "--format", "token").err == one
    assert login["access_token"] not in both and login["refresh_token"] not in both


def test_quiet_means_no_warning(online, login):
    result = online.run("--quiet", *EXPORT)
    assert (result.code, result.err) == (0, "")


def test_a_terminal_gets_the_token_too_after_the_warning(online, login):
    result = online.on_terminal(*EXPORT)
    assert result.json["access_token"] == login["access_token"]
    assert "WARNING" in result.err
    quiet = online.on_terminal(*EXPORT, "--quiet")
    assert quiet.json["access_token"] == login["access_token"]
    assert quiet.err == ""


def test_a_fresh_token_costs_no_call(online, login, service):
    assert online.run(*EXPORT).code == 0
    assert online.run(*EXPORT, "--no-refresh").code == 0
    assert service.calls("CreateToken") == 0


def test_an_expired_token_is_refreshed_once_and_saved(online, service):
    old = service.seed(online.db, expires_in=-60)
    said = online.run(*EXPORT).json
    assert service.calls("CreateToken") == 1
    assert said["access_token"] == online.stored()["access_token"] != old["access_token"]
    assert said["refresh_token"] == online.stored()["refresh_token"]


def test_force_refresh_refreshes_a_valid_token(online, login, service):
    said = online.run(*EXPORT, "--force-refresh").json
    assert service.calls("CreateToken") == 1
    assert said["access_token"] != login["access_token"]


def test_min_valid_refreshes_what_would_not_last(online, service):
    old = service.seed(online.db, expires_in=1800)
    for enough in ("0", "1", "20m", "1200s"):
        said = online.run(*EXPORT, "--min-valid", enough).json
        assert said["access_token"] == old["access_token"]
    assert service.calls("CreateToken") == 0
    said = online.run(*EXPORT, "--min-valid", "40m").json
    assert service.calls("CreateToken") == 1
    assert said["expires_in"] >= 40 * 60


def test_min_valid_that_no_token_reaches_is_temporary(online, login):
    result = online.run(*EXPORT, "--min-valid", "30d")
    assert (result.code, result.out) == (5, ""), result


def test_no_refresh_with_an_expired_token_is_temporary(online, service):
    service.seed(online.db, expires_in=-60)
    before = online.row()
    result = online.run(*EXPORT, "--no-refresh")
    assert (result.code, result.out) == (5, ""), result
    assert result.err.startswith("q: ")
    assert service.calls("CreateToken") == 0
    assert online.row() == before


def test_a_failing_service_is_temporary_and_changes_nothing(online, service):
    service.seed(online.db, expires_in=-60)
    before = online.row()
    service.fault("CreateToken", status=500, times=-1)
    result = online.run(*EXPORT)
    assert (result.code, result.out) == (5, ""), result
    assert online.row() == before


def test_no_service_at_all_is_temporary(online, service):
    service.seed(online.db, expires_in=-60)
    online.env["AWS_ENDPOINT_URL_SSO_OIDC"] = "http://127.0.0.1:1"
    result = online.run(*EXPORT)
    assert (result.code, result.out) == (5, ""), result


def test_a_refused_refresh_token_needs_a_login(online, service):
    service.seed(online.db, expires_in=-60)
    before = online.row()
    service.fault("CreateToken", oidc_error="invalid_grant", times=-1)
    result = online.run(*EXPORT)
    assert (result.code, result.out) == (6, ""), result
    assert online.row() == before


def test_not_logged_in_is_exit_code_4_and_leaves_no_file(q):
    result = q.run(*EXPORT)
    assert (result.code, result.out) == (4, ""), result
    assert re.fullmatch(r"q: .+: .+\n", result.err)
    assert list(q.home.iterdir()) == []


def test_a_corrupt_store_is_exit_code_3(q):
    q.db.parent.mkdir(mode=0o700, parents=True)
    q.db.write_bytes(b"this is no database" * 100)
    q.db.chmod(0o600)
    result = q.run(*EXPORT)
    assert (result.code, result.out) == (3, ""), result


def test_a_store_nobody_wrote_is_exit_code_3(q):
    result = q.run(*EXPORT, "--store", "papyrus")
    assert (result.code, result.out) == (3, ""), result
    assert "papyrus" in result.err


def test_a_plugin_from_a_relative_path_is_refused(q):
    assert q.run(*EXPORT, "--store", "./evil.so").code in (2, 3)


def test_options_choose_store_source_and_database(online, service):
    elsewhere = online.home / "elsewhere" / "data.sqlite3"
    login = service.seed(elsewhere)
    assert online.run(*EXPORT).code == 4
    options = ["--store", "sqlite", "--db", str(elsewhere), "--source=q-cli"]
    before = online.run(*options, *EXPORT)
    after = online.run(*EXPORT, *options)
    assert before.json["access_token"] == after.json["access_token"] == login["access_token"]


def test_a_source_nobody_has_is_a_usage_error(q):
    assert q.run(*EXPORT, "--source", "nobody").code == 2


def test_a_bad_setting_of_the_user_is_a_usage_error(q):
    (q.data / "amazon-q").mkdir(mode=0o700, parents=True)
    (q.data / "amazon-q" / "settings.json").write_text("{not json")
    result = q.run(*EXPORT)
    assert (result.code, result.out) == (2, ""), result
    assert "settings.json" in result.err


def test_another_file_descriptor_can_take_the_token(online, login):
    end, start = os.pipe()
    result = online.run(*EXPORT, "--output-fd", str(start), pass_fds=[start])
    os.close(start)
    with os.fdopen(end) as pipe:
        assert json.load(pipe)["access_token"] == login["access_token"]
    assert (result.code, result.out) == (0, ""), result


def test_a_descriptor_for_reading_is_refused_before_anything_happens(online, login):
    with open(os.devnull) as null:
        result = online.run(*EXPORT, "--output-fd", str(null.fileno()), pass_fds=[null.fileno()])
    assert (result.code, result.out) == (2, ""), result


@pytest.mark.parametrize("form", ["json", "token", "env"])
def test_a_full_disk_is_an_error(online, login, form):
    with open("/dev/full", "w") as full:
        result = online.run(*EXPORT, "--format", form, stdout=full)
    assert result.code == 1
    assert "No space left on device" in result.err


def test_a_closed_pipe_is_an_error(online, login):
    end, start = os.pipe()
    os.close(end)
    result = online.run(*EXPORT, stdout=start)
    os.close(start)
    assert result.code == 1
    assert "standard output" in result.err


def test_a_closed_stdout_is_an_error_not_a_token_lost_in_silence(online, login):
    result = online.shell('"$Q" user export-token >&-')
    assert result.code == 1
    assert "standard output" in result.err
    assert online.shell('"$Q" user export-token <&- 2>/dev/null').code == 0
    assert online.shell('"$Q" user export-token 2>&-').json["access_token"] == login["access_token"]


def test_a_pipe_that_does_not_block_gets_everything(online, login):
    end, start = os.pipe()
    os.set_blocking(start, False)
    process = online.start(*EXPORT, stdout=start, stderr=subprocess.DEVNULL)
    os.close(start)
    with os.fdopen(end) as pipe:
        assert json.load(pipe)["access_token"] == login["access_token"]
    assert process.wait(60) == 0


def test_a_token_that_would_break_a_header_is_not_printed(online, login):
    evil = {**online.stored(), "access_token": "abc\r\nX-Evil: 1"}
    connection = sqlite3.connect(online.db)
    with connection:
        connection.execute(
            "UPDATE auth_kv SET value = ? WHERE key LIKE '%:token'", [json.dumps(evil)]
        )
    connection.close()
    for form in ("json", "token", "header", "env"):
        result = online.run(*EXPORT, "--format", form, "--no-refresh")
        assert result.code != 0
        assert result.out == ""
        assert "X-Evil" not in result.err


def test_logging_goes_to_stderr_and_holds_no_secret(online, service):
    old = service.seed(online.db, expires_in=-60)
    result = online.run(*EXPORT, "-vv")
    said = result.json
    assert all(line.startswith("q: ") for line in result.err.splitlines())
    for secret in (said["access_token"], said["refresh_token"], old["access_token"]):
        assert secret not in result.err
    assert old["refresh_token"] not in result.err and old["client_secret"] not in result.err
