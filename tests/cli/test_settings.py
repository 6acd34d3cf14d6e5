# SPDX-License-Identifier: Apache-2.0
"""`q settings`: what is in settings.json, and changing it beside other programs."""

import json
import os

import pytest

THEIRS = """{
  "chat.defaultModel": "some-model",
  "theirs": {"kept" : [1.50, null]},
  "api.timeout": 5000
}
"""


@pytest.fixture
def file(q):
    """settings.json, as another program left it."""
    path = q.db.parent / "settings.json"
    path.parent.mkdir(parents=True)
    path.write_text(THEIRS)
    path.chmod(0o600)
    return path


def test_a_setting_that_is_made_decides_at_once(q):
    assert q.run("settings", "store").code == 1
    done = q.run("settings", "store", "memory")
    assert (done.code, done.out, done.err) == (0, "", "")
    assert "store 'memory'" in q.run("whoami").err
    assert q.run("settings", "store").out == "memory\n"
    assert q.run("settings", "--delete", "store").code == 0
    assert "data.sqlite3" in q.run("whoami").err


def test_what_other_programs_keep_there_stays_byte_for_byte(q, file):
    assert q.run("settings", "store", "keyring").code == 0
    assert file.read_text() == THEIRS.replace("5000", '5000,\n  "store": "keyring"')
    assert q.run("settings", "-d", "store").code == 0
    assert file.read_text() == THEIRS


@pytest.mark.parametrize(
    "typed, written, shown",
    [
        ("true", True, "true"),
        ("250", 250, "250"),
        ('{"a": [1, "b c"]}', {"a": [1, "b c"]}, '{"a":[1,"b c"]}'),
        ("plain text", "plain text", "plain text"),
        ('"quoted"', "quoted", "quoted"),
        ("1.2.3", "1.2.3", "1.2.3"),
        ("Ü", "Ü", "Ü"),
        ("", "", ""),
    ],
)
def test_a_value_is_json_or_else_a_string(q, typed, written, shown):
    assert q.run("settings", "some.key", typed).code == 0
    assert json.loads((q.db.parent / "settings.json").read_text()) == {"some.key": written}
    assert q.run("settings", "some.key").out == shown + "\n"
    assert q.run("settings", "some.key", "-f", "json").json == written


def test_all_settings_are_listed_in_their_order(q, file):
    assert q.run("settings", "list").out.splitlines() == [
        'chat.defaultModel = "some-model"',
        'theirs = {"kept":[1.50,null]}',
        "api.timeout = 5000",
    ]
    listed = q.run("settings", "list", "--format", "json")
    assert listed.json == json.loads(THEIRS)
    assert list(listed.json) == list(json.loads(THEIRS))
    assert q.run("settings", "list", "--format", "json-pretty").json == listed.json


def test_nothing_is_listed_where_nothing_is_set(q):
    assert (q.run("settings", "list").code, q.run("settings", "list").out) == (0, "")
    assert q.run("settings", "list", "-f", "json").json == {}


def test_a_list_shows_no_password_and_a_change_repeats_no_value(q):
    done = q.run("settings", "transport.curl.https_proxy", "http://me:s3cret@proxy:3128")
    assert (done.code, done.out, done.err) == (0, "", "")
    for form in ("plain", "json", "json-pretty"):
        listed = q.run("settings", "list", "-f", form).out
        assert "http://me:***@proxy:3128" in listed and "s3cret" not in listed


def test_a_value_cannot_do_anything_to_the_terminal(q, file):
    file.write_text(json.dumps({"a\u001b[31m": "\u001b]0;x\u0007y"}, ensure_ascii=True))
    for args in (["list"], ["a\x1b[31m"], ["list", "-f", "json"]):
        assert "\x1b" not in q.run("settings", *args).out


def test_a_file_that_is_no_json_is_left_alone(q, file):
    file.write_text('{"a": 1,}')
    for args in (["list"], ["a"], ["a", "2"], ["--delete", "a"]):
        result = q.run("settings", *args)
        assert (result.code, result.out) == (2, ""), result
        assert "settings.json: not a JSON object (byte " in result.err
    assert file.read_text() == '{"a": 1,}'


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_that_cannot_be_written_is_an_error_that_names_it(q, file):
    file.parent.chmod(0o500)
    result = q.run("settings", "a", "1")
    file.parent.chmod(0o700)
    assert (result.code, result.out) == (1, ""), result
    assert "settings.json: cannot be written" in result.err


@pytest.mark.parametrize(
    "args", [[], ["--delete"], ["--delete", "a", "b"], ["a", "b", "c"], ["list", "-f", "yaml"]]
)
def test_a_mistake_is_a_usage_error(q, args):
    result = q.run("settings", *args)
    assert (result.code, result.out) == (2, ""), result
