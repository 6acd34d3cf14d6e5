# SPDX-License-Identifier: Apache-2.0
"""q plugin: what is found, where, and what it says of itself; a broken plugin is one line of it."""

import hashlib
import os
import shutil
import sqlite3
from pathlib import Path

import pytest
from command import BINARY

FAKES = Path(os.environ["AQ_TEST_FAKES"])
HOSTILE = Path(os.environ["AQ_TEST_FAKES"]).parent / "hostile"
OWN = Path(os.environ["AQ_TEST_STORE_MEMORY"]).parent
CHECK = BINARY.parent.parent / "libexec" / "amazonq" / "check-plugin"


@pytest.fixture
def more(q):
    """A directory of plugins of the user's own, in Q_PLUGIN_PATH."""
    place = q.home / "plugins"
    place.mkdir(mode=0o755)
    q.env["Q_PLUGIN_PATH"] = str(place)
    return place


def listed(q, *args):
    result = q.run("plugin", "list", "--format", "json", *args)
    assert (result.code, result.err) == (0, ""), result
    return result.json["plugins"]


def test_our_own_are_listed_without_any_setting(q):
    plugins = listed(q)
    assert {p["name"] for p in plugins if p["kind"] == "store"} >= {"memory", "token-file", "broker"}
    for p in plugins:
        assert p["usable"] and p["own"] and not p["hidden"], p
        assert p["version"] and p["summary"]
        assert p["path"] == f"{OWN}/{p['kind']}-{p['name']}.so"


def test_a_line_a_plugin(q):
    result = q.run("plugin", "list")
    assert f"store-memory            1.0     {OWN}/store-memory.so\n" in result.out
    assert result.out.count("\n") == len(listed(q))


def test_a_constructor_that_ends_the_process_ends_a_child_and_is_told(q, more):
    shutil.copy(HOSTILE / "store-abort.so", more)
    shutil.copy(FAKES / "store-good.so", more)
    by_name = {p["name"]: p for p in listed(q)}
    assert not by_name["abort"]["usable"] and by_name["good"]["usable"]
    assert "constructor" in by_name["abort"]["error"]
    result = q.run("plugin", "info", "abort")
    assert result.code == 3 and "constructor" in result.err and result.out == ""


@pytest.mark.parametrize(
    ("fake", "said"),
    [
        ("store-nosymbol", "no symbol aq_plugin_v1"),
        ("store-short", "too short"),
        ("store-misnamed", "calls itself 'good'"),
        ("store-newer", "made for a newer q"),
    ],
)
def test_what_is_wrong_with_a_plugin_is_in_its_place(q, more, fake, said):
    shutil.copy(FAKES / f"{fake}.so", more)
    result = q.run("plugin", "list")
    (line,) = [line for line in result.out.splitlines() if line.startswith(fake)]
    assert result.code == 0 and " broken " in line and said in line


def test_what_a_plugin_says_of_itself_stays_in_its_row(q, more):
    shutil.copy(FAKES / "store-raw.so", more)
    q.env["Q_STORE"] = str(more / "store-raw.so")
    for args in (["plugin", "list"], ["plugin", "info", more / "store-raw.so"], ["doctor"]):
        result = q.run(*map(str, args))
        assert " F forged" in result.out, result
        assert "\nF forged" not in result.out and "\033" not in result.out, result


def test_who_could_have_written_a_plugin_is_looked_at(q, more):
    shutil.copy(FAKES / "store-good.so", more)
    more.chmod(0o777)
    (plugin,) = [p for p in listed(q) if p["name"] == "good"]
    assert not plugin["usable"] and "chmod" in plugin["error"]


def test_the_first_directory_that_has_a_name_counts(q, more):
    shutil.copy(OWN / "store-memory.so", more)
    both = [p for p in listed(q) if p["name"] == "memory"]
    assert [p["path"] for p in both] == [f"{OWN}/store-memory.so", f"{more}/store-memory.so"]
    assert [p["hidden"] for p in both] == [False, True]
    assert q.run("plugin", "info", "memory", "-f", "json").json["path"] == both[0]["path"]


@pytest.mark.parametrize("name", ["token-file", "store-token-file", f"{OWN}/store-token-file.so"])
def test_all_a_plugin_says_of_itself(q, name):
    info = q.run("plugin", "info", name, "--format", "json").json
    file = Path(info["path"])
    assert (info["kind"], info["name"], info["version"]) == ("store", "token-file", "1.0")
    assert info["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    settings = {s["key"]: s for s in info["settings"]}
    assert settings["file"]["type"] == "path" and settings["file"]["env"] == ["Q_TOKEN_FILE"]
    assert settings["fd"]["type"] == "integer" and settings["fd"]["min"] == 3
    plain = q.run("plugin", "info", name).out
    assert plain.startswith("store-token-file 1.0: ") and "  store.token-file.fd\n" in plain
    assert f"sha256:    {info['sha256']}\n" in plain


def test_looking_touches_no_login(q):
    q.db.parent.mkdir(parents=True)
    sqlite3.connect(q.db).close()
    before = sorted(p for p in q.home.rglob("*"))
    listed(q)
    assert sorted(p for p in q.home.rglob("*")) == before


def test_the_directories_in_their_order(q, more):
    assert q.run("plugin", "path").out == f"{OWN}\n{more}\n"
    assert q.run("plugin", "path", "-f", "json").json == {"path": [str(OWN), str(more)]}
    assert q.run("plugin", "path", "--plugin", "/a:/b").out == f"{OWN}\n/a\n/b\n"


def test_a_name_that_nobody_has(q):
    result = q.run("plugin", "info", "nobody")
    assert (result.code, result.out) == (3, ""), result
    assert result.err == (
        "q: plugin 'nobody': there is none, 'q plugin list' names all; a file is chosen by its "
        "absolute path\n"
    )


def test_a_name_of_both_kinds_has_to_be_written_in_full(q, more):
    shutil.copy(FAKES / "store-good.so", more)
    shutil.copy(FAKES / "transport-script.so", more / "transport-good.so")
    result = q.run("plugin", "info", "good")
    assert result.code == 2 and "write store-good or transport-good" in result.err
    assert q.run("plugin", "info", "store-good").code == 0


def test_check_tries_a_plugin_by_its_name_and_by_a_relative_path(q):
    only = ("--only", "store.commit.saves")
    by_name = q.run("plugin", "check", "memory", *only)
    assert by_name.code == 0 and "ok       store.commit.saves" in by_name.out
    by_path = q.run("plugin", "check", "./store-memory.so", *only, cwd=OWN)
    assert (by_path.code, by_path.out) == (by_name.code, by_name.out), by_path


def test_check_hands_its_options_on(q):
    deed = ("--setting", "deed=half-commit", "--only", "store.commit", "--only", "store.lock")
    result = q.run("plugin", "check", str(FAKES / "store-wrong.so"), *deed, "-f", "json")
    failed = [c["id"] for c in result.json["clauses"] if c["result"] == "failed"]
    assert result.code == 1 and failed == ["store.commit.all-or-nothing"]
    assert q.run("plugin", "check", "--list").out.startswith("### Every plugin\n")
    assert q.run("plugin", "check", "memory", "--setting", "a=b").code == 2


def test_check_that_is_not_installed_says_what_to_install(q):
    prefix = q.home / "prefix"
    (prefix / "bin").mkdir(parents=True)
    shutil.copy(BINARY.resolve(), prefix / "bin" / "q")
    (prefix / "lib").symlink_to(OWN.parent.parent)
    result = q.run("plugin", "check", "memory", program=prefix / "bin" / "q")
    assert result.code == 1 and "libexec/amazonq/check-plugin: No such file" in result.err
    assert "install the suite" in result.err
