# SPDX-License-Identifier: Apache-2.0
"""`q profile` and `q models`."""

import json
import sqlite3

import pytest
from login import Terminal

ARN = "arn:aws:codewhisperer:us-east-1:111122223333:profile/STANDIN000"
PROFILE_KEY = "api.codewhisperer.profile"


@pytest.fixture
def organisation(online, service):
    """The command, logged in with an organisation's account and its first profile."""
    service.seed(online.db, profile=ARN + "1")
    return online


def chosen(q):
    connection = sqlite3.connect(q.db)
    try:
        sql = "SELECT value, typeof(value) FROM state WHERE key = ?"
        return connection.execute(sql, [PROFILE_KEY]).fetchone()
    finally:
        connection.close()


def test_the_list_marks_the_one_in_use(organisation):
    result = organisation.run("profile", "list")
    assert (result.code, result.err) == (0, "")
    assert result.out.splitlines()[0] == f"* {ARN}1  Stand-in one"
    assert result.out.splitlines()[1] == f"  {ARN}2  Stand-in two"
    assert len(result.out.splitlines()) == 3


def test_without_a_terminal_it_lists(organisation):
    assert organisation.run("profile").out == organisation.run("profile", "list").out


def test_as_json(organisation):
    result = organisation.run("profile", "list", "--format", "json")
    assert result.json["profiles"][0] == {
        "arn": ARN + "1",
        "name": "Stand-in one",
        "current": True,
    }
    assert [profile["current"] for profile in result.json["profiles"]] == [True, False, False]
    pretty = organisation.run("profile", "-f", "json-pretty")
    assert pretty.json == result.json
    assert pretty.out == json.dumps(result.json, indent=2) + "\n"


def test_one_is_used_from_now_on_as_the_existing_cli_would(organisation, service):
    result = organisation.run("profile", "use", ARN + "2")
    assert (result.code, result.out) == (0, f"Profile: {ARN}2\n"), result
    text = json.dumps({"arn": ARN + "2", "profile_name": "Stand-in two"}, separators=(",", ":"))
    assert chosen(organisation) == (text, "text")
    assert f"Profile: {ARN}2\n" in organisation.run("whoami").out
    as_json = organisation.run("profile", "use", ARN + "1", "-f", "json")
    assert as_json.json == {"profile_arn": ARN + "1"}


def test_a_row_that_makes_no_sense_is_said_once_and_mended_by_a_choice(organisation, service):
    connection = sqlite3.connect(organisation.db)
    connection.execute("UPDATE state SET value = ? WHERE key = ?", ["{'arn': 1}", PROFILE_KEY])
    connection.commit()
    connection.close()
    said = f"its row '{PROFILE_KEY}' is no object with a text arn, so no profile is used; choose one"
    assert organisation.run("whoami").err.count(said) == 1
    assert organisation.run("chat", "--no-interactive", "hello").err.count(said) == 1
    (found,) = [
        f
        for f in organisation.run("doctor", "-f", "json").json["findings"]
        if f["subject"] == "login.profile"
    ]
    assert found["status"] == "warn" and PROFILE_KEY in found["what"]
    assert organisation.run("profile", "use", ARN + "2").code == 0
    assert organisation.run("whoami").err == ""


def test_one_that_the_account_does_not_have_is_refused(organisation):
    before = chosen(organisation)
    result = organisation.run("profile", "use", ARN + "9")
    assert (result.code, result.out) == (2, ""), result
    assert "list them (q profile list)" in result.err
    assert chosen(organisation) == before


def test_a_person_chooses_from_the_list(organisation):
    terminal = Terminal(organisation, "profile")
    terminal.expect("1) Stand-in one (in use)")
    terminal.expect("Profile: ")
    terminal.type("3\n")
    terminal.expect("STANDIN0003\n")
    assert terminal.end() == 0
    assert "STANDIN0003" in chosen(organisation)[0]


def test_who_chooses_none_changes_nothing(organisation):
    before = chosen(organisation)
    terminal = Terminal(organisation, "profile")
    terminal.expect("Profile: ")
    terminal.type("\x04")
    assert terminal.end() == 1
    assert chosen(organisation) == before


def test_a_builder_id_has_no_profiles(online, login):
    result = online.run("profile", "list")
    assert (result.code, result.out) == (1, ""), result
    assert "Builder ID" in result.err


def test_nobody_has_none(q):
    assert q.run("profile", "list").code == 4


def test_names_cannot_do_anything_to_a_terminal(organisation, service):
    service.settings(profiles=[{"arn": ARN + "1", "profileName": "\x1b[2Jnice\x07\n* forged"}])
    out = organisation.run("profile", "list").out
    assert "\x1b" not in out and "\x07" not in out


@pytest.mark.parametrize(
    "words", [["use"], ["list", ARN], ["use", ARN, ARN], ["drop"], ["list", "--format", "yaml"]]
)
def test_anything_else_is_a_usage_error(organisation, service, words):
    assert organisation.run("profile", *words).code == 2
    assert service.calls("ListAvailableProfiles") == 0


def test_the_models_with_the_default_marked(online, login, service):
    result = online.run("models")
    assert (result.code, result.err) == (0, "")
    assert result.out == "* claude-sonnet-4\n  claude-3.7-sonnet\n  stand-in-small\n"


def test_the_models_as_json_from_all_pages(online, login, service):
    service.settings(page_size=1)
    result = online.run("models", "--format", "json")
    assert [model["id"] for model in result.json["models"]] == [
        "claude-sonnet-4",
        "claude-3.7-sonnet",
        "stand-in-small",
    ]
    assert [model["default"] for model in result.json["models"]] == [True, False, False]
    assert service.calls("ListAvailableModels") == 3


def test_models_that_cannot_be_listed_are_an_error(online, login, service):
    service.fault("ListAvailableModels", error={"code": "AccessDeniedException", "status": 403})
    result = online.run("models")
    assert (result.code, result.out) == (7, ""), result
