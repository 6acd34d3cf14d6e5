# SPDX-License-Identifier: Apache-2.0
"""
Stores that break their contract: the suite names what is broken, and nothing else, and `q` lives on.

tests/plugins/fakes/store_wrong.c is sound, except for one deed.
"""

import sqlite3
import struct
from concurrent.futures import ThreadPoolExecutor

import pytest
from command import new_command
from suite import FAKES, HOSTILE, SANITIZED, Report

WRONG = FAKES / "store-wrong.so"
AT_ONCE = 3

# deed: the clauses it breaks
DEEDS = {
    # what a process does not survive
    "abort": {"plugin.returns"},
    "exit": {"plugin.returns"},
    "longjmp": {"plugin.returns"},
    "commit-crashes": {"plugin.returns"},
    "blocks": {"store.in-time"},
    "closes-and-blocks": {"store.in-time"},
    # what it calls, and how
    "get-nothing": {"store.put"},
    "get-null": {"store.put"},
    "get-negative": {"store.put"},
    "get-old-sink": {"store.put"},
    "get-other-key": {"store.put"},
    "get-twice": {"store.put"},
    "commit-puts": {"plugin.put"},
    "ready": {"plugin.ready"},
    "thread": {"plugin.threads"},
    "calls-after-close": {"plugin.after-close"},
    "prints": {"plugin.streams"},
    "leaves-process": {"plugin.processes"},
    "logs-lines": {"plugin.log"},
    # what it says
    "status-positive": {"plugin.status"},
    "status-unknown": {"plugin.status"},
    "status-login": {"plugin.status"},
    "error-silent": {"plugin.error-text"},
    "error-lines": {"plugin.error-text"},
    "error-endless": {"plugin.error-text"},
    "error-other-status": {"plugin.error-status"},
    "secret-in-error": {"plugin.secrets"},
    # opening and reading
    "open-nothing": {"store.usable"},
    "open-creates": {"store.open.creates-nothing"},
    "get-chmods": {"store.open.creates-nothing"},
    "get-creates": {"store.open.creates-nothing"},
    "leaks-descriptor": {"store.close.gives-back"},
    "leaks-memory": {"store.close.gives-back"},
    "absent-is-io": {"store.get.absent"},
    "put-ignored": {"store.get.put-failed"},
    "list-twice": {"store.list.keys"},
    # saving
    "saves-nothing": {"store.commit.saves"},
    "half-commit": {"store.commit.all-or-nothing"},
    "compares-beginnings": {"store.commit.compares"},
    "keep-removes": {"store.commit.keeps"},
    "stride-ignored": {"store.commit.stride"},
    "read-only": {"store.commit.read-only"},
    "cuts-values": {"store.value.sizes"},
    "key-by-strlen": {"store.commit.saves"},
    "keys-without-case": {"store.value.keys"},
    "world-readable": {"store.value.private"},
    "can-save-lies": {"store.can-save.truth"},
    "can-save-writes": {"store.can-save.harmless", "store.full.file", "store.full.disk"},
    # the lock
    "lock-forgotten": {"store.lock.excludes", "store.lock.processes"},
    "lock-of-the-process": {"store.lock.processes"},
    "lock-outlives": {"store.lock.death"},
    "close-keeps-lock": {"store.lock.close"},
    "unlock-others": {"store.lock.unlock", "store.fork"},
    # company and faults
    "loses-updates": {"store.company.threads", "store.company.processes"},
    "two-writes": {"store.kill"},
    "full-disk-loses": {"store.full.file", "store.full.disk"},
    "no-memory-is-absent": {"store.memory.reading"},
}

# `q` is one process with the plugin, and waits for it: docs/plugins.md says what it cannot survive.
ENDS_ITS_PROCESS = {"abort", "exit", "longjmp", "commit-crashes", "blocks", "closes-and-blocks"}

# What cannot be saved is tried for 15 s, tests/client sees to that; and nobody would end the process.
WAITS_TO_SAVE = {"read-only", "leaves-process"}

# LeakSanitizer finds it at the end of every trial, not by counting in one.
if SANITIZED:
    DEEDS["key-by-strlen"] = {"plugin.sanitizers"}
    ENDS_ITS_PROCESS.add("key-by-strlen")
    DEEDS["leaks-memory"] = {"plugin.sanitizers"}
    ENDS_ITS_PROCESS.add("leaks-memory")  # with the exit code of a leak
    del DEEDS["longjmp"]  # which goes wherever a frame of a sanitizer happens to be


@pytest.fixture(scope="module")
def reports():
    """One run for each deed, some at once."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        runs = {d: pool.submit(Report, WRONG, "--setting", f"deed={d}") for d in DEEDS}
        yield runs


@pytest.mark.parametrize("deed", DEEDS)
def test_the_broken_clause_is_named_and_no_other(reports, deed):
    report = reports[deed].result()
    skipped = {id for id in DEEDS[deed] if report.clauses[id]["result"] == "skipped"}
    able = {id for id in skipped if id.startswith(("store.full.disk", "store.memory"))}
    assert report.ids("failed") == DEEDS[deed] - able, report
    assert report.code == (3 if deed == "open-nothing" else 1)
    for id in report.ids("failed"):
        assert len(report.text(id)) > 20, report.text(id)


def test_the_same_store_without_a_deed_is_sound():
    report = Report(WRONG)
    assert report.code == 0 and not report.ids("failed"), report


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
