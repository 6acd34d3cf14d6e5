# SPDX-License-Identifier: Apache-2.0
"""q user sources: which logins there are, and why each is used or not. And logins with names."""

import json

SOURCES = ("user", "sources")
EXPORT = ("user", "export-token", "--quiet")
PROFILE = "arn:aws:codewhisperer:us-east-1:111122223333:profile/STANDIN0001"


def place(online, name):
    return online.data / "amazonq" / "logins" / name / "data.sqlite3"


def listed(online, *args):
    """By source and name of the login; of several kinds, the last."""
    result = online.run(*SOURCES, "--format", "json", *args)
    assert (result.code, result.err) == (0, ""), result
    return {(s["source"], s.get("login")): s for s in result.json["sources"]}


def test_each_login_says_where_it_is_and_why_it_is_used_or_not(online, service):
    service.seed(online.db, expires_in=-60)
    kiro = online.data / "kiro-cli" / "data.sqlite3"
    service.seed_kiro(kiro, kind="social", profile=PROFILE)
    found = listed(online)
    assert found["kiro-cli", None]["chosen"] and not found["q-cli", None]["chosen"]
    assert found["kiro-cli", None] == {
        "source": "kiro-cli",
        "kind": "social",
        "state": "valid",
        "chosen": True,
        "refreshable": True,
        "reason": "used",
        "store": "sqlite",
        "place": str(kiro),
        "expires_at": found["kiro-cli", None]["expires_at"],
        "profile_arn": PROFILE,
    }
    assert found["q-cli", None]["state"] == "expired"
    assert found["q-cli", None]["reason"] == "another one is valid longer"
    assert found["kiro-api-key", None]["reason"] == "it is not set"
    assert service.counters()["connections"] == 0  # and nobody was asked


def test_plain_is_two_lines_a_login_with_a_star_before_the_chosen_one(online, service):
    service.seed(online.db)
    lines = online.run(*SOURCES).out.splitlines()
    assert len(lines) % 2 == 0
    assert [line for line in lines if line.startswith("*")] == ["* q-cli (oidc): used"]
    assert str(online.db) in lines[1]
    assert "can be refreshed" in lines[1]


def test_pretty_json_says_the_same(online, service):
    service.seed(online.db)
    pretty = online.run(*SOURCES, "--format", "json-pretty").out
    assert json.loads(pretty) == online.run(*SOURCES, "--format", "json").json
    assert max(map(len, pretty.splitlines())) < 160


def test_the_chosen_one_is_the_one_that_is_exported(online, service):
    service.seed(online.db, expires_in=500)
    service.seed_kiro(online.data / "kiro-cli" / "data.sqlite3", kind="external-idp")
    (chosen,) = [s for s in listed(online).values() if s["chosen"]]
    exported = online.run(*EXPORT).json
    for member in ("source", "kind", "expires_at"):
        assert exported[member] == chosen[member]


def test_one_login_under_two_keys_is_listed_once(online, service):
    token = online.home / "token"
    token.write_text(service.login()["access_token"])
    token.chmod(0o600)
    online.asked.append(token)
    online.env["Q_TOKEN_FILE"] = str(token)
    for source in ("q-cli", "kiro-cli"):  # a token that was handed in stands for either
        listed = online.run(*SOURCES, "--format", "json", "--source", source).json["sources"]
        valid = [(s["source"], s["chosen"]) for s in listed if s["state"] == "valid"]
        assert valid == [(source, True)]


def test_a_terminal_cannot_be_talked_to_by_a_row(online, service):
    service.seed(online.db, start_url="https://example.com/\x1b]0;x\x07start")
    result = online.run(*SOURCES)
    assert result.code == 0
    assert "\x1b" not in result.out


# ---- logins with names ----


def test_a_login_with_a_name_is_used_by_every_command(online, service):
    usual = service.seed(online.db)
    work = service.seed(place(online, "work"), start_url="https://work.awsapps.com/start")
    assert online.run(*EXPORT).json["access_token"] == usual["access_token"]
    said = online.run(*EXPORT, "--login", "work").json
    assert (said["access_token"], said["login"]) == (work["access_token"], "work")
    assert "work.awsapps.com" in online.run("--login", "work", "whoami").out
    online.env["Q_LOGIN"] = "work"
    assert online.run(*EXPORT).json["login"] == "work"
    assert "login" not in online.run(*EXPORT, "--login", "default").json
    assert online.run("chat", "--no-interactive", "hello").code == 0
    del online.env["Q_LOGIN"]
    assert online.run("settings", "login", "work").code == 0
    assert online.run(*EXPORT).json["login"] == "work"


def test_refreshing_one_login_never_touches_another(online, service):
    service.seed(online.db, expires_in=-60)
    before = online.db.read_bytes()
    old = service.seed(place(online, "work"), expires_in=-60)
    said = online.run(*EXPORT, "--login", "work").json
    assert said["access_token"] != old["access_token"]
    assert online.db.read_bytes() == before
    assert online.run(*EXPORT, "--login", "work", "--force-refresh").code == 0


def test_logging_out_of_one_login_leaves_the_others(online, service):
    service.seed(online.db)
    service.seed(place(online, "work"))
    assert online.run("--login", "work", "logout").code == 0
    assert online.run(*EXPORT, "--login", "work").code == 4
    assert online.run(*EXPORT).code == 0
    assert listed(online)["q-cli", "work"]["state"] == "empty"


def test_a_name_that_is_none_and_a_name_beside_a_database_are_usage_errors(online):
    for args in (("--login", "../x"), ("--login", "work", "--db", "x.sqlite3")):
        result = online.run(*EXPORT, *args)
        assert result.code == 2
        assert "login" in result.err
