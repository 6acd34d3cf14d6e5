# SPDX-License-Identifier: Apache-2.0
"""The suite as a program: what it is told, what it prints, what it leaves alone."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from subprocess import PIPE

import pytest
from suite import CHECK, FAKES, HOSTILE, PLUGINS, TIMEOUT_S, Report, run

MEMORY = PLUGINS / "store-memory.so"
DOCS = Path(__file__).resolve().parent.parent.parent / "docs" / "conformance.md"


def test_the_page_lists_the_clauses_as_the_program_does():
    listed = run("--list").stdout
    parts = [part for part in listed.split("### ") if part]
    page = DOCS.read_text(encoding="utf-8")
    for part in parts:
        assert part.strip() in page, f"renew docs/conformance.md from check-plugin --list: {part}"


def test_a_line_a_clause_and_a_summary():
    done = run(MEMORY)
    lines = done.stdout.splitlines()
    assert done.returncode == 0 and done.stderr == ""
    assert lines[0] == f"store 'memory' 1.0, {MEMORY}"
    assert "ok       store.commit.all-or-nothing" in lines
    assert any(line.startswith("skipped  store.kill: its values") for line in lines)
    assert lines[-1].endswith(" skipped") and " kept, 0 FAILED, " in lines[-1]


def test_what_is_broken_comes_with_its_promise():
    done = run("--setting", "deed=half-commit", FAKES / "store-wrong.so")
    at = next(n for n, line in enumerate(done.stdout.splitlines()) if line.startswith("FAILED"))
    lines = done.stdout.splitlines()[at : at + 2]
    assert done.returncode == 1
    assert lines[0].startswith("FAILED   store.commit.all-or-nothing: after a commit that")
    assert lines[1] == (
        "         promised: When one expectation of several fails, nothing is written."
    )


def test_only_what_was_asked_for_is_tried():
    report = Report(MEMORY, "--only", "store.commit.saves", "--only", "store.lock")
    tried = set(report.clauses) - {"plugin.loads", "store.usable"}  # without these nothing is
    assert "store.commit.saves" in tried and "store.lock.excludes" in tried
    assert all(id == "store.commit.saves" or id.startswith("store.lock.") for id in tried)


@pytest.mark.parametrize("only", ["store.commit", "plugin.returns"])
def test_what_is_seen_to_be_broken_counts_whatever_was_asked_for(only):
    report = Report(FAKES / "store-wrong.so", "--setting", "deed=commit-crashes", "--only", only)
    assert report.code == 1 and report.ids("failed") == {"plugin.returns"}, report
    asked = {"plugin.loads", "plugin.returns", "store.usable"}
    assert all(id in asked or id.startswith(only + ".") for id in report.clauses), report


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--only", "store.comit", MEMORY], "clause 'store.comit': there is none"),
        (["--setting", "path", MEMORY], "--setting 'path': write KEY=VALUE"),
        (["--setting", "pth=/x", MEMORY], "setting 'pth': store 'memory' has no such setting"),
        (["--format", "xml", MEMORY], "format 'xml': unknown, use plain, json or json-pretty"),
        (["--backend", "me", MEMORY], "--backend 'me': give the number of a process"),
        (["--jobs", "0", MEMORY], "--jobs '0': give a number from 1 to 16"),
        (["--jobs", "17", MEMORY], "--jobs '17': give a number from 1 to 16"),
        (["--jobs", "x", MEMORY], "--jobs 'x': give a number from 1 to 16"),
        ([], "usage: "),
    ],
)
def test_a_wrong_command_line_is_exit_code_2(args, said):
    done = run(*args)
    assert done.returncode == 2 and said in done.stderr and done.stdout == "", done


@pytest.mark.parametrize(
    ("plugin", "said"),
    [
        (HOSTILE / "store-bare.so", "aq_plugin_v1"),
        (HOSTILE / "store-null.so", "descriptor"),
        (FAKES / "store-short.so", "too short"),
        (FAKES / "store-nolist.so", "no function 'list'"),
        (FAKES / "store-unlinked.so", "undefined symbol: SHA256"),
        (FAKES / "store-inner.so", "undefined symbol: aq_status_name"),
        ("/bin/sh", "no plugin of q"),
    ],
)
def test_what_is_no_plugin_is_exit_code_3(plugin, said):
    report = Report(plugin)
    assert report.code == 3 and report.ids("failed") == {"plugin.loads"}, report
    assert said in report.text("plugin.loads")


def test_what_a_plugin_says_is_shown_as_a_line_of_text():
    report = Report(FAKES / "store-raw.so")
    assert report.json["version"] == "1?[2J?F forged?"
    assert report.ids("failed") == {"plugin.descriptor", "plugin.error-text"}, report
    assert "does not want to be opened??" in report.text("store.usable")
    assert "\033" not in run(FAKES / "store-raw.so").stdout


def test_a_file_that_is_not_there_is_exit_code_3():
    done = run("/nowhere/store-x.so")
    assert done.returncode == 3 and "/nowhere/store-x.so" in done.stderr


def test_a_plugin_that_others_could_have_written_is_not_loaded(tmp_path):
    place = tmp_path / "open"
    place.mkdir()
    place.chmod(0o777)
    shutil.copy(MEMORY, place)
    report = Report(place / MEMORY.name)
    assert report.code == 3 and "by others" in report.text("plugin.loads"), report


def test_nothing_of_the_user_is_seen_and_nothing_is_left(tmp_path):
    home, tmp = tmp_path / "home", tmp_path / "tmp"
    login = home / ".local/share/amazon-q"
    login.mkdir(parents=True)
    tmp.mkdir()
    (login / "data.sqlite3").write_text("not to be looked at")
    before = sorted((p, p.stat().st_mtime_ns) for p in home.rglob("*"))
    env = {**os.environ, "HOME": str(home), "TMPDIR": str(tmp), "XDG_RUNTIME_DIR": str(home)}
    report = Report(PLUGINS / "store-sqlite.so", env=env)
    assert report.code == 0, report
    assert sorted((p, p.stat().st_mtime_ns) for p in home.rglob("*")) == before
    assert list(tmp.iterdir()) == []


def descendants(pid):
    """Of this process: its children, theirs, and so on."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            children = [int(child) for child in file.read().split()]
    except OSError:  # it has ended
        return []
    return children + [other for child in children for other in descendants(child)]


# What goes on when it is interrupted, and how many processes that takes: beside the trial one that
# has left its session, or its servers.
@pytest.mark.parametrize(
    ("plugin", "args", "count"),
    [
        ("store-wrong.so", ["deed=blocks", "--only", "store.get.absent"], 1),
        ("store-wrong.so", ["deed=leaves-and-blocks", "--only", "store.get.absent"], 2),
        ("transport-wrong.so", ["deed=none", "--only", "transport.interest.rests-with-calls"], 2),
    ],
)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interrupted_it_says_so_and_leaves_nothing_behind(tmp_path, plugin, args, count, number):
    if not (FAKES / plugin).exists():
        pytest.skip(f"{plugin} is not built")
    command = [CHECK, "--setting", *args, FAKES / plugin]
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, env=env, stdout=PIPE, stderr=PIPE, text=True) as process:
        others = []
        while len(others) < count or not list(tmp_path.glob("*/2/work")):  # after two gates
            assert process.poll() is None
            time.sleep(0.001)
            others = descendants(process.pid)
        process.send_signal(number)
        out, err = process.communicate(timeout=TIMEOUT_S)
    assert (process.returncode, out) == (128 + number, "")
    assert err.startswith(f"q: check: stopped by signal {number:d} ("), err
    assert not [pid for pid in others if Path(f"/proc/{pid}").exists()]
    assert list(tmp_path.iterdir()) == []
