# SPDX-License-Identifier: Apache-2.0
"""The suite on our own stores, and on the example for authors: nothing is broken."""

import hashlib

import pytest
from suite import PLUGINS, Report, assert_sound, check_broker, check_keyring

# What does not concern a store, or cannot be tried there.
ALWAYS = ("store.commit.read-only", "store.grant", "store.backend", "store.full.disk")
READ_ONLY = (
    "store.commit store.value store.lock store.can-save store.full store.company store.kill "
    "store.memory store.backend store.get.put-failed store.list.keys store.grant"
).split()
OF_THE_PROCESS = (
    "store.lock.processes store.lock.death store.company.processes store.value.private "
    "store.can-save store.full store.kill"
).split()
ELSEWHERE = "store.open.creates-nothing store.value.private store.can-save.truth store.full".split()


def test_store_sqlite():
    assert_sound(Report(PLUGINS / "store-sqlite.so"), ALWAYS)


def test_store_memory():
    assert_sound(Report(PLUGINS / "store-memory.so"), ALWAYS, OF_THE_PROCESS)


def test_store_token_file_without_a_token():
    report = Report(PLUGINS / "store-token-file.so")
    assert_sound(report, READ_ONLY, ["store.list.found"])


def test_store_token_file_with_a_token(place, token):
    with open(f"{place}/token", "w", encoding="utf-8") as file:
        file.write(token)
    report = Report(PLUGINS / "store-token-file.so", "--setting", f"file={place}/token")
    assert_sound(report, READ_ONLY)


# The IDE's login; a session of the AWS SSO cache, which is looked for.
@pytest.mark.parametrize("name", ["kiro-auth-token", hashlib.sha1(b"a session").hexdigest()])
def test_store_borrowed(place, name):
    with open(f"{place}/{name}.json", "w", encoding="utf-8") as file:
        file.write('{"accessToken": "aoaInFile", "expiresAt": "2099-01-01T00:00:00Z"}')
    report = Report(PLUGINS / "store-borrowed.so", "--setting", f"dir={place}")
    assert_sound(report, READ_ONLY, ["store.open.creates-nothing"])


def test_store_borrowed_with_nothing_to_borrow():
    report = Report(PLUGINS / "store-borrowed.so")
    assert_sound(report, READ_ONLY, ["store.open.creates-nothing", "store.list.found"])


def test_store_broker(broker):
    report = check_broker(broker)
    assert_sound(report, READ_ONLY, ["store.open.creates-nothing"])
    assert report.clauses["store.grant.answers"]["result"] == "ok", report


def test_store_broker_without_a_broker_is_not_tried():
    report = Report(PLUGINS / "store-broker.so")
    assert report.code == 3 and report.ids("skipped") == {"store.usable"}, report
    assert "--setting" in report.text("store.usable")


def test_store_keyring(desktop):
    assert_sound(check_keyring(desktop), ALWAYS, ELSEWHERE)
