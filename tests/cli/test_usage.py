# SPDX-License-Identifier: Apache-2.0
"""The command line itself: help, mistakes, versions."""

import json
import os
import re
from pathlib import Path

import pytest
from command import BINARY, OWN_NAME

COMMANDS = ["user export-token", "user migrate", "user sources", "chat", "login", "logout", "whoami"]
COMMANDS += ["profile", "models", "settings", "version", "help"]
ELSEWHERE = ["agent", "issue", "mcp"]
COMMON = ["--store", "--source", "--login", "--db", "--transport", "--plugin", "--endpoint"]
COMMON += ["--ca-bundle", "--interactive"]


TOP = Path(__file__).resolve().parents[2]


def test_help_names_every_command_and_common_option(q):
    result = q.run("--help")
    assert (result.code, result.err) == (0, "")
    for word in COMMANDS + COMMON + ["--quiet", "--verbose", "--help", "--version"]:
        assert word in result.out


def test_help_has_three_spellings(q):
    assert q.run("-h").out == q.run("help").out == q.run("--help").out


@pytest.mark.parametrize("name", COMMANDS)
def test_help_on_a_command_fits_a_screen(q, name):
    lines = q.run(*name.split(), "--help").out.splitlines()
    assert 3 < len(lines) <= 24
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("name", COMMANDS)
def test_an_option_stands_apart_from_what_it_means(q, name):
    for line in q.run(*name.split(), "--help").out.splitlines():
        if re.match(r"  (-\w, )?--", line):
            assert re.match(r"  (-\w, )?--[a-z-]+( [A-Z]+)?  +\S", line)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(q, name):
    result = q.run(*name.split(), "--help")
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith(f"q {name} - ")
    assert f"Usage: q {name}" in result.out
    assert q.run("help", *name.split()).out == result.out
    assert q.run("-h", *name.split()).out == result.out


def groups(q):
    """Groups and their words, as the list of all commands has them."""
    found = {}
    for line in q.run("--help").out.partition("Options of every command")[0].splitlines():
        if match := re.match(r"  ([a-z-]+) ([a-z-]+)  +(.*)", line):
            found.setdefault(match[1], []).append((match[2], match[3]))
    assert len(found["user"]) > 1
    return found.items()


def test_help_on_a_group_lists_every_command_of_it(q):
    for group, words in groups(q):
        result = q.run(group, "--help")
        assert (result.code, result.err) == (0, "")
        assert q.run("help", group).out == result.out
        for word, summary in words:
            assert re.search(rf"^  {group} {word} +{re.escape(summary)}$", result.out, re.MULTILINE)
        assert "whoami" not in result.out


def test_help_on_nothing_known_is_a_usage_error(q):
    result = q.run("help", "dance")
    assert (result.code, result.out) == (2, ""), result
    assert "'dance'" in result.err


def test_without_a_command_help_goes_to_stderr(q):
    result = q.run()
    assert (result.code, result.out) == (2, ""), result
    assert q.run("--help").out in result.err
    assert "q chat --no-interactive" in result.err.splitlines()[0]


def test_every_error_is_one_line_that_begins_with_q(q):
    for args in (["dance"], ["--dance"], ["chat", "a", "b"], ["--db"], ["whoami", "--raw"]):
        result = q.run(*args)
        assert (result.code, result.out) == (2, ""), result
        assert all(re.match(r"q: .", line) for line in result.err.splitlines())


@pytest.mark.parametrize(
    "typed, meant",
    [
        (["caht"], "'chat'"),
        (["whoam"], "'whoami'"),
        (["export-token"], "'user export-token'"),
        (["user", "exprot-token"], "'user export-token'"),
        (["--stoer=x"], "'--store'"),
        (["user", "export-token", "--min-vaild=10m"], "'--min-valid'"),
        (["chat", "--nointeractive"], "'--no-interactive'"),
    ],
)
def test_a_typo_gets_a_suggestion(q, typed, meant):
    result = q.run(*typed)
    assert (result.code, result.out) == (2, ""), result
    assert result.err.splitlines()[1] == f"q: did you mean {meant}?"


def test_something_far_from_everything_gets_no_suggestion(q):
    assert len(q.run("xylophone").err.splitlines()) == 1
    assert len(q.run("--xylophone").err.splitlines()) == 1


def test_a_group_alone_names_every_command_of_it(q):
    for group, words in groups(q):
        result = q.run(group)
        assert (result.code, result.out) == (2, ""), result
        names = ", ".join(word for word, _ in words)
        assert result.err == f"q: command '{group}': says not what to do, add one of: {names}\n"


def test_every_command_of_a_group_is_suggested(q):
    for group, words in groups(q):
        for word, _ in words:
            typo = word[:-1] + "x"
            for args in ([group, typo], [typo], [f"{group}{word}"]):
                assert f"did you mean '{group} {word}'?" in q.run(*args).err, args


@pytest.mark.parametrize(
    "args, says",
    [
        (["--db"], "needs a value"),
        (["--db", "--quiet", "whoami"], "needs a value"),
        (["--db=", "whoami"], "is empty"),
        (["--quiet=yes", "whoami"], "takes no value"),
        (["--plugin", "here", "whoami"], "'here' is not an absolute path"),
        (["--plugin=/usr/lib:../here:/tmp", "version"], "'../here' is not an absolute path"),
        (["--plugin=~/here"], "'~/here' is not an absolute path"),
        (["-x"], "unknown"),
        (["whoami", "--min-valid", "3"], "not one of 'q whoami'"),
        (["--raw", "whoami"], "not one of 'q whoami'"),
        (["chat", "two", "words"], "quote"),
        (["whoami", "me"], "one too many"),
        (["whoami", "-f", "yaml"], "use plain, json or json-pretty"),
        (["version", "-f", "yaml"], "use plain, json or json-pretty"),
        (["user", "export-token", "--format", "yaml"], "exec-credential"),
        (["user", "export-token", "--min-valid", "soon"], "1h30m"),
        (["user", "export-token", "--min-valid", "366d"], "365d"),
        (["user", "export-token", "--force-refresh", "--no-refresh"], "contradicts"),
        (["user", "export-token", "--access-only", "--with-refresh-token"], "contradicts"),
        (["user", "export-token", "--format", "token", "--with-refresh-token"], "no place"),
        (["user", "export-token", "--output-fd", "77"], "not open for writing"),
        (["user", "export-token", "--output-fd", "1x"], "not open for writing"),
        (["user", "export-token", "--output-fd", "99999999999999999999"], "not open for writing"),
        (["chat", "--no-interactive", ""], "empty"),
        (["chat", "--no-interactive", " \n\t"], "empty"),
        (["chat", "--no-interactive"], "empty"),
    ],
)
def test_a_mistake_is_a_usage_error_that_says_what_to_do(q, args, says):
    result = q.run(*args)
    assert (result.code, result.out) == (2, ""), result
    assert says in result.err


def test_the_value_of_an_unknown_option_is_not_repeated(q):
    result = q.run("user", "export-token", "--token=s3cret")
    assert result.code == 2
    assert "s3cret" not in result.err


def test_what_was_typed_cannot_reach_the_terminal_as_an_escape(q):
    result = q.run("\x1b]0;owned\x07\x1b[31mchaat\nq: all is well\u202e")
    assert result.code == 2
    assert "\x1b" not in result.err and "\x07" not in result.err and "\u202e" not in result.err
    assert len(result.err.splitlines()) == 1


def test_a_value_that_begins_with_a_dash_can_be_given_with_equals(q):
    assert "needs a value" not in q.run("--source=-x", "whoami").err


def test_the_version_is_that_of_the_library(q):
    result = q.run("version")
    assert (result.code, result.err) == (0, "")
    number = re.fullmatch(r"q (\d+\.\d+\.\d+) \(libamazonq (\d+\.\d+\.\d+)\)\n", result.out)
    assert number[1] == number[2]
    assert q.run("--version").out == q.run("-V").out == q.run("whoami", "-V").out == result.out


def test_the_version_as_json(q):
    plain = q.run("version").out.split()[1]
    assert q.run("version", "--format", "json").json == {"version": plain, "library": plain}
    pretty = q.run("version", "--format=json-pretty")
    assert pretty.out == json.dumps(pretty.json, indent=2) + "\n"


def test_the_program_has_a_name_that_is_only_ours_and_q_is_a_link_to_it(q):
    assert OWN_NAME.is_file() and not OWN_NAME.is_symlink()
    assert os.readlink(BINARY) == OWN_NAME.name
    assert q.run("version", program=OWN_NAME).out == q.run("version").out


def test_messages_begin_with_the_name_the_program_was_called_by(q):
    mistakes = [["dance"], ["whoam"], ["--dance"], ["--db"], ["whoami", "--raw"], ["chat", "a", "b"]]
    mistakes += [["user"], ["help", "dance"], ["chat", "--no-interactive", ""], ["whoami"]]
    for args in mistakes:
        result = q.run(*args, program=OWN_NAME)
        assert result.code in (2, 4)
        assert all(line.startswith("amazonq: ") for line in result.err.splitlines())
        assert result.err.replace("amazonq", "q") == q.run(*args).err.replace("amazonq", "q")
        assert not re.search(r"'q (?!login)", result.err)  # what it tells to type is ours, too


@pytest.mark.parametrize("name", [""] + COMMANDS)
def test_help_uses_the_name_the_program_was_called_by(q, name):
    page = q.run(*name.split(), "--help", program=OWN_NAME).out
    assert "Usage: amazonq " in page
    assert not re.search(r"\bq\b(?!-cli)", page)
    assert max(map(len, page.splitlines())) <= 80


def test_called_by_any_other_name_it_is_q(q):
    other = q.home / "other"
    other.symlink_to(BINARY)
    assert q.run("dance", program=other).err == q.run("dance").err


@pytest.mark.parametrize("verb", ELSEWHERE)
def test_a_command_that_only_the_existing_cli_has_is_pointed_to(q, verb):
    for args in ([verb], [verb, "--license", "pro"], ["--quiet", verb], ["help", verb]):
        result = q.run(*args)
        assert (result.code, result.out) == (2, ""), result
        assert result.err.startswith(f"q: command '{verb}': does not exist here yet, ")
        assert result.err.endswith(
            " the Amazon Q command line (another 'q'; 'type -a q' lists them)\n"
        )
        assert len(result.err.splitlines()) == 1


def test_who_asks_for_a_diagnostic_is_sent_to_the_doctor(q):
    for args in (["diagnostic"], ["diagnostic", "--format", "json"], ["help", "diagnostic"]):
        result = q.run(*args)
        assert (result.code, result.out) == (2, ""), result
        assert result.err == "q: command 'diagnostic': is not the name here, use 'q doctor'\n"


def test_without_a_terminal_nothing_ever_waits_for_input(q):
    for args in (["chat"], ["chat", "--no-interactive"], [], ["whoami"], ["user", "export-token"]):
        assert q.run(*args).code in (2, 4)


def test_the_page_of_exit_codes_is_the_table_of_the_source():
    page = re.findall(r"^\| (\d+) \|.*", (TOP / "docs/exit-codes.md").read_text(), re.MULTILINE)
    assert page == ["0", "1", "2", "3", "4", "5", "6", "7", "130"]
    promised = {}
    for line in (TOP / "docs/exit-codes.md").read_text().splitlines():
        if line.startswith("| "):
            code = line.split("|")[1].strip()
            promised.update({name: code for name in re.findall(r"AQ_(?:OK|E_\w+)", line)})
    header = (TOP / "cli/exitcode.h").read_text()
    number = dict(re.findall(r"(EXITCODE_\w+) = (\d+)", header))
    source = (TOP / "cli/exitcode.c").read_text()
    table = {name: number[code] for name, code in re.findall(r"\{ (AQ_\w+), (\w+) \}", source)}
    statuses = (TOP / "core/include/amazonq/status.h").read_text()
    for name in re.findall(r"#define (AQ_E_\w+)", statuses):
        if name != "AQ_E_CANCELLED":
            assert promised[name] == table.get(name, "1"), name


def test_the_page_of_the_command_has_every_option(q):
    page = (TOP / "docs/cli.md").read_text()
    for name in COMMANDS:
        for option in re.findall(r"--[a-z-]+", q.run(*name.split(), "--help").out):
            assert f"`{option}" in page, option
    for option in re.findall(r"--[a-z-]+", q.run("--help").out):
        assert f"`{option}" in page, option
