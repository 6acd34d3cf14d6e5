# SPDX-License-Identifier: Apache-2.0
"""
Stores that break their contract: the suite names what is broken, and nothing else, and `q` lives on.

tests/plugins/fakes/wrong_store is sound, except for one deed; store_deeds.py lists them.
"""

import sqlite3
import struct
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest
from command import new_command
from store_deeds import BACKEND_DEEDS, DEEDS, GRANT_DEEDS, SANITIZED_DEEDS, tried_with
from suite import FAKES, HOSTILE, SANITIZED, Report, list_clauses

WRONG = FAKES / "store-wrong.so"
GRANTING = FAKES / "store-granting.so"
AT_ONCE = 3
CLAUSES = list_clauses("store.")

# What the machine must permit: a file system of its own; malloc that can be replaced.
DEPENDS = ("store.full.disk", "store.memory")

# `q` is one process with the plugin, and waits for it: docs/plugins.md says what it cannot survive.
ENDS_ITS_PROCESS = {"abort", "exit", "longjmp", "commit-crashes", "blocks", "closes-and-blocks"}

# What cannot be saved is tried for 15 s, tests/client sees to that; and nobody would end the process.
WAITS_TO_SAVE = {"read-only", "can-save-says-no", "leaves-process", "leaves-child"}

if SANITIZED:
    DEEDS = {**DEEDS, **SANITIZED_DEEDS}
    ENDS_ITS_PROCESS |= set(SANITIZED_DEEDS)  # with the exit code of a leak
    del DEEDS["longjmp"]  # which goes wherever a frame of a sanitizer happens to be

# Which clause is broken is the same in every build: a sanitizer tries what it alone can see. That `q`
# lives on is looked at with each.
TRIED = {WRONG: SANITIZED_DEEDS} if SANITIZED else {WRONG: DEEDS, GRANTING: GRANT_DEEDS}


def check(plugin, deed, broken):
    """The report on this deed."""
    only = [word for id in tried_with(deed, broken, CLAUSES) for word in ("--only", id)]
    return Report(plugin, "--setting", f"deed={deed}", *only)


@pytest.fixture(scope="module")
def reports():
    """One run for each deed, some at once."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {
            deed: pool.submit(check, plugin, deed, broken)
            for plugin, deeds in TRIED.items()
            for deed, broken in deeds.items()
        }


def assert_broken(report, clauses):
    """These are, no others, and it is said why."""
    able = {id for id in report.ids("skipped") if id.startswith(DEPENDS)}
    assert report.ids("failed") == clauses - able, report
    for id in report.ids("failed"):
        assert len(report.text(id)) > 20, report.text(id)


@pytest.mark.parametrize("deed", [deed for deeds in TRIED.values() for deed in deeds])
def test_the_broken_clause_is_named_and_no_other(reports, deed):
    report = reports[deed].result()
    # Where a jump into a frame that is gone leads to is chance: libc may say that the stack is smashed.
    also = {"plugin.streams"} if deed == "longjmp" else set()
    assert_broken(report, {**DEEDS, **GRANT_DEEDS}[deed] | (also & report.ids("failed")))
    assert report.code == (3 if deed == "open-nothing" else 1)


@pytest.mark.parametrize("plugin", [WRONG, GRANTING])
def test_the_same_store_without_a_deed_is_sound(plugin):
    report = Report(plugin)
    assert report.code == 0 and not report.ids("failed"), report


@pytest.fixture
def service_of_it():
    """A process that could be the one that keeps the values."""
    with subprocess.Popen(["/bin/sleep", "600"]) as process:
        yield process
        process.kill()


def check_backend(process, deed):
    asked = ["--only", "store.backend", "--backend", process.pid]
    settings = ["--setting", f"backend={process.pid}", "--setting", f"deed={deed}"]
    return Report(WRONG, *asked, *settings)


@pytest.mark.parametrize("deed", BACKEND_DEEDS)
def test_what_it_says_without_its_service_is_named(service_of_it, deed):
    assert_broken(check_backend(service_of_it, deed), BACKEND_DEEDS[deed])


def test_a_store_that_says_what_became_of_its_service_is_sound(service_of_it):
    report = check_backend(service_of_it, "none")
    assert report.code == 0 and {"store.backend.stopped", "store.backend.killed"} <= report.ids("ok")


def test_a_setting_without_help_is_named():
    report = Report(FAKES / "store-settings.so", "--setting", "name=x", "--only", "plugin.settings")
    assert report.ids("failed") == {"plugin.settings"}, report


def test_a_constructor_that_aborts_is_a_plugin_that_cannot_be_loaded():
    report = Report(HOSTILE / "store-abort.so")
    assert report.code == 3 and report.ids("failed") == {"plugin.loads"}, report
    assert "constructor" in report.text("plugin.loads")


def put_login(service, store, expires_in):
    """A login as the service issues them, in the file of store-wrong."""
    database = store.with_suffix(".sqlite3")
    service.seed(database, expires_in=expires_in)
    rows = sqlite3.connect(database).execute("SELECT key, value FROM auth_kv").fetchall()
    database.unlink()
    with open(store, "wb") as file:
        for key, value in ((key.encode(), value.encode()) for key, value in rows):
            file.write(struct.pack("=II", len(key), len(value)) + key + value)


@pytest.mark.parametrize("deed", sorted(set(DEEDS) - ENDS_ITS_PROCESS - WAITS_TO_SAVE))
def test_the_command_survives_it(service, deed):  # noqa: F811
    with new_command("q-wrong.") as q:
        store = q.home / "login.store"
        q.asked.append(store)
        q.env |= {
            "AQ_TEST_DEED": deed,
            "Q_STORE": str(WRONG),
            "Q_ENDPOINT_URL": service.url,
            "AWS_ENDPOINT_URL_SSO_OIDC": service.url,
        }
        for expires_in in (3600, -60):  # to be read; to be refreshed and saved
            put_login(service, store, expires_in)
            for args in (["whoami"], ["user", "export-token", "--access-only"]):
                result = q.run(*args, "--db", store, "--quiet")
                assert 0 <= result.code <= 7, result
                assert "Sanitizer" not in result.err and "runtime error" not in result.err, result
