# SPDX-License-Identifier: Apache-2.0
"""`q login` with the stand-in service: both flows, both kinds of account, with and without a terminal."""

import json
import re
import shutil
import signal
import sqlite3
import subprocess

import pytest
from existing_cli import ExistingCli
from login import (
    ORGANISATION,
    Terminal,
    browser,
    confirmed,
    read_events,
    shown_code,
)

URL = "https://example.awsapps.com/start"
ARN = "arn:aws:codewhisperer:us-east-1:111122223333:profile/STANDIN000"
SETTLED = ("--profile", ARN + "1")
REGISTRATION_KEY = "codewhisperer:odic:device-registration"


@pytest.fixture
def here(online, service):
    """The command where a browser can be opened, in which everything is allowed at once."""
    service.settings(consent="auto")
    return browser(online)


def state(q):
    """The rows beside the login."""
    connection = sqlite3.connect(q.db)
    try:
        return dict(connection.execute("SELECT key, value FROM state").fetchall())
    finally:
        connection.close()


def nothing_is_left(q):
    """Not even a directory."""
    return [path.name for path in q.home.iterdir() if path.name != "browser.sh"] == []


# ---- both flows, both kinds of account ----


def test_a_builder_id_by_a_code(online, service):
    result = confirmed(online, service, "--license", "free")
    assert (result.code, result.out) == (0, "Logged in with Builder ID\n"), result
    assert "/device?user_code=" in result.err
    assert online.stored()["start_url"] is None
    assert online.stored()["oauth_flow"] == "DeviceCode"
    assert online.run("whoami").out.startswith("Logged in with Builder ID\nRegion:  us-east-1\n")
    assert online.run("chat", "--no-interactive", "hello").code == 0


def test_a_builder_id_by_a_browser(here, service):
    result = here.run("login")
    assert (result.code, result.out) == (0, "Logged in with Builder ID\n"), result
    assert here.stored()["start_url"] == "https://view.awsapps.com/start"
    assert here.stored()["oauth_flow"] == "Pkce"
    assert here.run("chat", "--no-interactive", "hello").code == 0


def test_an_organisation_by_a_code(online, service):
    result = confirmed(online, service, "--license", "pro", *ORGANISATION, *SETTLED)
    assert result.code == 0
    assert result.out == f"Logged in with IAM Identity Center: {URL}\nProfile: {ARN}1\n"
    assert online.stored()["region"] == "eu-west-1"
    assert online.run("chat", "--no-interactive", "hello").code == 0


def test_an_organisation_by_a_browser(here, service):
    result = here.run("login", *ORGANISATION, *SETTLED)  # a start URL says which kind it is
    assert result.code == 0
    assert result.out == f"Logged in with IAM Identity Center: {URL}\nProfile: {ARN}1\n"
    assert state(here)["api.codewhisperer.profile"] == json.dumps(
        {"arn": ARN + "1", "profile_name": "Stand-in one"}, separators=(",", ":")
    )
    assert here.run("chat", "--no-interactive", "hello").code == 0


def test_over_tls_with_either_transport(here, service):
    for transport in ("curl", "h2"):
        here.env["AWS_ENDPOINT_URL_SSO_OIDC"] = service.tls_url
        browser(here, 'exec curl -skL "$1" -o /dev/null')
        login = ("login", "--transport", transport, "--ca-bundle", service.ca)
        assert here.run(*login).code == 0
        shutil.rmtree(here.data)


# ---- what the existing CLI reads and writes ----


@pytest.mark.parametrize("flow", ["device", "browser"])
def test_the_existing_cli_reads_and_refreshes_our_login(here, service, flow):
    args = (*ORGANISATION, *SETTLED)
    result = confirmed(here, service, *args) if flow == "device" else here.run("login", *args)
    assert result.code == 0
    assert ExistingCli(here.db, service.url, 0).token() == "valid"
    assert ExistingCli(here.db, service.url, 3600).token() == "refreshed"
    assert here.run("whoami").code == 0
    assert json.loads(state(here)["auth.idc.start-url"]) == URL
    assert json.loads(state(here)["auth.idc.region"]) == "eu-west-1"


def test_a_registration_of_the_existing_cli_is_used_again(online, service):
    service.seed(online.db)
    before = online.row(REGISTRATION_KEY)
    connection = sqlite3.connect(online.db)
    connection.execute("DELETE FROM auth_kv WHERE key = 'codewhisperer:odic:token'")
    connection.commit()
    connection.close()
    assert confirmed(online, service).code == 0
    assert service.calls("RegisterClient") == 0
    assert json.loads(online.row(REGISTRATION_KEY))["client_id"] == json.loads(before)["client_id"]


def test_a_second_login_by_a_code_registers_no_second_client(online, service):
    assert confirmed(online, service).code == 0
    service.control("revoke")
    connection = sqlite3.connect(online.db)
    connection.execute("DELETE FROM auth_kv WHERE key = 'codewhisperer:odic:token'")
    connection.commit()
    connection.close()
    assert confirmed(online, service).code == 0
    assert service.calls("RegisterClient") == 1


def test_who_is_logged_in_has_to_log_out_first(online, login, service):
    before = online.row()
    result = online.run("login")
    assert (result.code, result.out) == (1, ""), result
    assert "log out first (q logout)" in result.err
    assert online.row() == before
    assert service.calls("StartDeviceAuthorization") == 0


def test_a_login_that_only_a_new_one_helps_is_replaced(here, service):
    service.seed(here.db, expires_in=-60)
    service.control("revoke")
    assert here.run("user", "export-token").code == 6
    assert here.run("login").code == 0
    assert here.run("whoami").code == 0


def test_a_login_with_a_name_is_beside_the_others(here):
    assert here.run("login").code == 0
    work = ("--login", "work")
    assert here.run("login", *work, *ORGANISATION, *SETTLED).code == 0
    assert "log out first (q logout --login work)" in here.run("login", *work).err
    assert here.run("whoami").out.startswith("Logged in with Builder ID\n")
    assert here.run("whoami", *work).out.startswith(f"Logged in with IAM Identity Center: {URL}\n")
    assert here.run("logout", *work).code == 0
    assert (here.run("whoami").code, here.run("whoami", *work).code) == (0, 4)


# ---- a store that does not take it ----


def kept(q):
    return list(q.home.glob(".local/state/amazonq/*.json"))


def keep_one(q, service, db, *args):
    """A login that is in a file, because its database was locked until its process died."""
    settings = q.data / "amazon-q" / "settings.json"
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text('{"store.sqlite.busy_timeout_ms": 20}')
    settings.chmod(0o600)
    assert confirmed(q, service, "--license", "free", *args).code == 0
    assert q.run("logout", *args).code == 0
    process = q.start("login", "--license", "free", "--use-device-flow", *args)
    _, code = shown_code(process)
    holder = sqlite3.connect(db, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    service.control("approve", user_code=code)
    while not kept(q):
        assert process.poll() is None
    process.kill()
    process.communicate()
    holder.execute("ROLLBACK")
    holder.close()


def test_what_was_kept_for_one_login_is_not_given_to_another(online, service):
    q = online
    logins = q.data / "amazonq" / "logins"
    keep_one(q, service, logins / "work" / "data.sqlite3", "--login", "work")
    asked = service.calls("StartDeviceAuthorization")
    assert confirmed(q, service, "--license", "free", "--login", "home").code == 0
    assert service.calls("StartDeviceAuthorization") == asked + 1
    assert len(kept(q)) == 1
    result = q.run("login", "--license", "free", "--login", "work")
    assert (result.code, service.calls("StartDeviceAuthorization")) == (0, asked + 1)
    assert kept(q) == []


def test_what_was_kept_does_not_come_back_after_a_logout(online, service):
    keep_one(online, service, online.db)
    assert online.run("logout").code == 0
    assert kept(online) == []
    result = confirmed(online, service, "--license", "free")
    assert (result.code, kept(online)) == (0, [])


# ---- where there is no browser ----


@pytest.mark.parametrize("sign", ["SSH_CONNECTION", "SSH_TTY", "CODESPACES", "Q_FAKE_IS_REMOTE"])
def test_far_away_a_code_is_shown_although_there_is_a_browser(here, service, sign):
    here.env[sign] = "1"
    process = here.start("login")
    _, code = shown_code(process)
    process.send_signal(signal.SIGINT)
    process.communicate()
    assert code


def test_without_a_display_a_code_is_shown(online):
    process = online.start("login")
    said, code = shown_code(process)
    process.send_signal(signal.SIGTERM)
    process.communicate()
    assert process.returncode == 143
    assert f"user_code={code}" in said


def test_a_browser_that_is_not_there_is_none(online):
    online.env["BROWSER"] = "no-such-browser:/no/such/browser %s"
    online.env["DISPLAY"] = ":0"
    online.env["PATH"] = str(online.home)  # no xdg-open either
    process = online.start("login")
    _, code = shown_code(process)
    process.send_signal(signal.SIGINT)
    process.communicate()
    assert code


def test_a_browser_may_take_the_url_anywhere_and_its_end_means_nothing(online, service):
    service.settings(consent="auto")
    path = browser(online, 'test "$1" = --new && curl -sL "$2" -o /dev/null; exit 3').env["BROWSER"]
    online.env["BROWSER"] = f"/no/such/browser:{path} --new %s"
    assert online.run("login").code == 0


def test_no_browser_is_opened_for_who_wants_none(here, service):
    process = here.start("login", "--no-browser", "--format", "json")
    visit = read_events(process, "visit")[-1]
    assert visit["flow"] == "browser"
    assert service.calls("Authorize") == 0
    subprocess.run(["curl", "-sL", visit["url"], "-o", "/dev/null"], check=True)
    assert read_events(process, "logged_in")
    process.communicate()
    assert process.returncode == 0


# ---- a program that drives it ----


def test_json_is_an_object_a_line_from_code_to_login(online, service):
    process = online.start("login", "--format", "json")
    events = read_events(process, "visit")
    visit = events[-1]
    assert visit["flow"] == "device"
    assert visit["short_url"] == service.url + "/device"
    assert visit["url"] == f"{visit['short_url']}?user_code={visit['user_code']}"
    assert visit["expires_in"] == 600
    service.control("approve", user_code=visit["user_code"])
    rest = read_events(process, "logged_in")
    _, err = process.communicate()
    assert rest[0]["for"] == "the code to be confirmed in a browser"
    assert 590 < rest[0]["at_most_s"] <= 600
    assert rest[-1] == {
        "event": "logged_in",
        "accountType": "BuilderId",
        "startUrl": None,
        "region": "us-east-1",
        "expires_at": online.stored()["expires_at"],
        "source": "q-cli",
    }
    assert (process.returncode, err) == (0, b"")


def test_the_code_is_shown_even_if_all_else_is_quiet(online, service):
    result = confirmed(online, service, "--quiet")
    assert result.code == 0
    assert "Code: " in result.err and "Page: " in result.err


# ---- which account ----


def test_without_a_terminal_nothing_is_asked(here):
    assert here.run("login").out == "Logged in with Builder ID\n"
    shutil.rmtree(here.data)
    result = here.run("login", "--license", "pro")
    assert (result.code, result.out) == (2, ""), result
    assert "--identity-provider" in result.err


def test_the_environment_may_say_which_organisation(here):
    here.env["Q_START_URL"], here.env["Q_REGION"] = URL, "eu-west-1"
    assert here.run("login", *SETTLED).code == 0
    assert (here.stored()["start_url"], here.stored()["region"]) == (URL, "eu-west-1")
    shutil.rmtree(here.data)
    assert here.run("login", "--license", "free").code == 0  # a flag is final
    assert here.stored()["region"] == "us-east-1"


def test_the_organisation_of_last_time_need_not_be_said_again(here):
    assert here.run("login", *ORGANISATION, *SETTLED).code == 0
    connection = sqlite3.connect(here.db)
    connection.execute("DELETE FROM auth_kv")
    connection.commit()
    connection.close()
    assert here.run("login", "--license", "pro", *SETTLED).code == 0
    assert (here.stored()["start_url"], here.stored()["region"]) == (URL, "eu-west-1")


@pytest.mark.parametrize(
    "args, says",
    [
        (["--license", "gratis"], "license 'gratis'"),
        (["--license", "free", "--identity-provider", URL], "identity provider"),
        (["--license", "free", "--profile", ARN], "profile"),
        (["--format", "json-pretty"], "format 'json-pretty'"),
        (["--identity-provider", "http://example.com/start"], "start URL"),
        (["--identity-provider", "example"], "start URL"),
        (["--region", "us-east-1.example.com"], "region"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_asked(online, service, args, says):
    result = online.run("login", *args)
    assert (result.code, result.out) == (2, ""), result
    assert says in result.err
    assert service.calls("RegisterClient") == 0
    assert nothing_is_left(online)


# ---- a person at a terminal ----


def test_a_person_chooses_the_kind_of_account(here):
    terminal = Terminal(here, "login")
    terminal.expect("Number: ")
    terminal.type("3\n")
    terminal.expect("Number: ")
    terminal.type("1\n")
    terminal.expect("Logged in with Builder ID\n")
    assert terminal.end() == 0


def test_a_person_is_asked_for_what_is_missing_and_chooses_a_profile(here):
    terminal = Terminal(here, "login", "--license", "pro")
    terminal.expect("Start URL")
    terminal.type(f" {URL} \n")
    terminal.expect("Region")
    terminal.type("eu-west-1\n")
    terminal.expect("3) Stand-in three")
    terminal.expect("Profile: ")
    terminal.type("2\n")
    terminal.expect(f"Profile: {ARN}2\n")
    assert terminal.end() == 0
    assert json.loads(state(here)["api.codewhisperer.profile"])["arn"] == ARN + "2"


def test_who_is_logged_in_already_is_told_so_before_anything_is_asked(here, login):
    terminal = Terminal(here, "login")
    terminal.expect("log out first")
    assert terminal.end() == 1
    assert "Number: " not in terminal.shown


def test_flags_are_final(here):
    terminal = Terminal(here, "login", *ORGANISATION, *SETTLED)
    terminal.expect("Logged in with IAM Identity Center")
    assert terminal.end() == 0
    assert "Start URL" not in terminal.shown and "Number: " not in terminal.shown


def test_a_line_moves_while_the_code_is_waited_for(online, service):
    terminal = Terminal(online, "login", "--license", "free")
    terminal.expect("Code: ")
    terminal.expect("| waiting for the code to be confirmed in a browser")
    terminal.expect("/ waiting for")
    code = terminal.shown.partition("Code: ")[2].split()[0]
    service.control("approve", user_code=code)
    terminal.expect("\r\x1b[KLogged in with Builder ID\n")  # in its place
    assert terminal.end() == 0


def test_the_line_that_moves_fits_a_narrow_terminal(online):
    terminal = Terminal(online, "login", "--license", "free", columns=24)
    terminal.expect("Code: ")
    terminal.expect("/ waiting for")
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.end() == 130
    moving = re.findall(r"\r\x1b\[K(. waiting[^\r\n]*)", terminal.shown)
    assert moving and max(map(len, moving)) < 24


def test_the_end_of_the_input_is_no_answer(here):
    terminal = Terminal(here, "login", "--license", "pro")
    terminal.expect("Start URL")
    terminal.type("\x04")
    terminal.expect("nothing was chosen")
    assert terminal.end() == 1
    assert "Region" not in terminal.shown


def test_who_chooses_no_profile_keeps_the_login(here):
    terminal = Terminal(here, "login", *ORGANISATION)
    terminal.expect("Profile: ")
    terminal.type("\x04")
    terminal.expect("the login is kept")
    assert terminal.end() == 1
    assert here.run("whoami").code == 0


def test_ctrl_c_at_the_choice_of_a_profile_says_that_the_login_is_kept(here):
    terminal = Terminal(here, "login", *ORGANISATION)
    terminal.expect("Profile: ")
    terminal.process.send_signal(signal.SIGINT)
    terminal.expect("the login is kept")
    assert terminal.end() == 130
    assert here.run("whoami").code == 0


@pytest.mark.parametrize("form", ["plain", "json"])
def test_ctrl_c_while_the_profiles_are_listed_says_that_the_login_is_kept(here, service, form):
    service.fault("ListAvailableProfiles", hold="before")
    process = here.start("login", *ORGANISATION, "--format", form)
    service.wait("ListAvailableProfiles", held=1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.decode().endswith(
        "q: profile: none was chosen; the login is kept, choose with 'q profile', "
        "or 'q profile use ARN'\n"
    )
    if form == "json":
        assert json.loads(out.splitlines()[-1])["saved"] is True
    service.control("release")
    assert here.run("profile", "use", ARN + "2").code == 0


def test_a_profile_that_was_named_and_cannot_be_looked_up_is_to_be_chosen_later(here, service):
    service.fault("ListAvailableProfiles", status=500, times=-1)
    result = here.run("login", *ORGANISATION, *SETTLED)
    assert result.code == 7
    assert "the login is kept, choose a profile later (q profile use ARN)" in result.err
    assert here.run("whoami").code == 0


def test_ctrl_c_at_a_question_is_130(here):
    terminal = Terminal(here, "login")
    terminal.expect("Number: ")
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.end() == 130
    assert nothing_is_left(here)


# ---- profiles of an organisation ----


def test_without_a_terminal_several_profiles_are_listed_and_the_login_is_kept(here):
    result = here.run("login", *ORGANISATION)
    assert (result.code, result.out) == (2, ""), result
    assert "--profile" in result.err and ARN + "1" in result.err
    assert here.run("whoami").code == 0
    assert here.run("profile", "use", ARN + "2").code == 0


def test_as_json_there_is_a_line_for_each(here):
    result = here.run("login", *ORGANISATION, "--format", "json")
    events = [json.loads(line) for line in result.out.splitlines()]
    assert [e["name"] for e in events if e["event"] == "profile"] == [
        "Stand-in one",
        "Stand-in two",
        "Stand-in three",
    ]
    assert result.code == 2


def test_the_only_profile_is_taken(here, service):
    service.settings(profiles=[{"arn": ARN + "1", "profileName": "The one"}])
    assert here.run("login", *ORGANISATION).out.endswith(f"Profile: {ARN}1\n")


def test_an_account_without_profiles_is_used_without(here, service):
    service.settings(profiles=[])
    assert here.run("login", *ORGANISATION).code == 0
    assert "api.codewhisperer.profile" not in state(here)


def test_a_profile_that_the_account_does_not_have_is_exit_code_2(here):
    result = here.run("login", *ORGANISATION, "--profile", ARN + "9")
    assert result.code == 2
    assert "the login is kept" in result.err
    assert here.run("whoami").code == 0


def test_profiles_that_cannot_be_listed_are_a_warning(here, service):
    service.fault("ListAvailableProfiles", status=500, times=-1)
    result = here.run("login", *ORGANISATION)
    assert result.code == 0
    assert "choose one later" in result.err


# ---- what the service may say ----

ERRORS = {
    "access_denied": (7, "access was denied"),
    "expired_token": (5, "expired before it was confirmed"),
    "invalid_client": (7, "registration is not accepted"),
    "invalid_client_metadata": (7, "client is not accepted"),
    "invalid_grant": (7, "not accepted (any more)"),
    "invalid_redirect_uri": (7, "--use-device-flow"),
    "invalid_request": (7, "check the start URL and the region"),
    "invalid_scope": (7, "check the start URL"),
    "unauthorized_client": (7, "--use-device-flow"),
    "unsupported_grant_type": (7, "--use-device-flow"),
}


@pytest.mark.parametrize("operation", ["RegisterClient", "CreateToken"])
@pytest.mark.parametrize("error", ERRORS)
def test_every_error_has_its_exit_code_and_says_what_to_do(here, service, operation, error):
    service.fault(operation, oidc_error=error, times=-1)
    result = here.run("login")
    code, says = ERRORS[error]
    assert (result.code, result.out) == (code, ""), result
    assert says in result.err and f"({error})" in result.err
    assert nothing_is_left(here)


def test_an_error_that_passes_is_asked_again(here, service):
    service.fault("RegisterClient", oidc_error="server_error")
    service.fault("CreateToken", status=503, html=True)
    assert here.run("login").code == 0


def test_a_code_that_is_denied_is_exit_code_7(online, service):
    result = confirmed(online, service, action="deny")
    assert result.code == 7
    assert "allow it" in result.err
    assert nothing_is_left(online)


def test_a_login_that_is_denied_in_the_browser_is_exit_code_7(here, service):
    service.settings(consent="deny")
    result = here.run("login")
    assert result.code == 7
    assert "access_denied" in result.err
    assert nothing_is_left(here)


def test_a_code_that_nobody_confirms_ends_with_its_time(online, service):
    service.settings(device_lifetime=2)
    result = online.run("login")
    assert result.code == 5
    assert "in time" in result.err or "expired" in result.err
    assert nothing_is_left(online)


def test_nobody_there_is_exit_code_5(online):
    online.env["AWS_ENDPOINT_URL_SSO_OIDC"] = "http://127.0.0.1:9"
    result = online.run("login")
    assert result.code == 5
    assert nothing_is_left(online)


# ---- interrupted, and where it cannot be saved ----


def test_ctrl_c_while_the_code_is_waited_for_is_130_and_leaves_nothing(online):
    process = online.start("login")
    shown_code(process)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert nothing_is_left(online)


def test_a_service_that_does_not_answer_can_be_interrupted(online, service):
    service.fault("RegisterClient", hold="before")
    process = online.start("login")
    service.wait("RegisterClient", held=1)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert nothing_is_left(online)


def test_nobody_is_sent_to_a_browser_if_the_login_could_not_be_saved(here, service):
    here.data.mkdir()
    (here.data / "amazon-q").write_text("not a directory")
    result = here.run("login")
    assert result.code == 3
    assert service.calls("RegisterClient") == 0


def test_a_store_that_keeps_no_logins_is_refused(online, service):
    result = online.run("login", "--store", "broker")
    assert result.code == 1
    assert "keeps no login" in result.err
    assert service.calls("RegisterClient") == 0


def test_a_store_that_forgets_with_the_command_is_refused(online, service):
    result = online.run("login", "--store", "memory")
    assert result.code == 1
    assert result.err == (
        "q: store 'memory': forgets a login when the program ends, name another one (--store sqlite)\n"
    )
    assert service.calls("RegisterClient") == 0


def test_who_has_chat_sign_is_told_that_it_does_not_use_the_login(here):
    here.env["AMAZON_Q_SIGV4"] = "1"
    result = here.run("login")
    assert (result.code, result.out) == (0, "Logged in with Builder ID\n")
    assert "is on (from AMAZON_Q_SIGV4), so chat goes on signing with an access key" in result.err
    del here.env["AMAZON_Q_SIGV4"]
    here.run("logout")
    here.run("settings", "sigv4", "true")
    assert "to use it, run: q settings --delete sigv4" in here.run("login").err


def test_the_new_database_is_private_and_that_of_the_existing_cli(here):
    assert here.run("login").code == 0
    assert here.db.stat().st_mode & 0o777 == 0o600
    connection = sqlite3.connect(here.db)
    versions = connection.execute("SELECT version FROM migrations ORDER BY version").fetchall()
    kinds = connection.execute("SELECT DISTINCT typeof(value) FROM auth_kv").fetchall()
    connection.close()
    assert [version for (version,) in versions] == list(range(8))
    assert kinds == [("text",)]
