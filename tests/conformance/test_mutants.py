# SPDX-License-Identifier: Apache-2.0
"""Every clause can fail: there is a plugin that breaks it, or it is said here why there is none."""

import store_deeds
import transport_deeds
from suite import list_clauses

# Plugins of their own, by the test that has them.
ELSEWHERE = {
    "plugin.loads": "test_check_plugin.py: store-bare, store-null and others",
    "plugin.descriptor": "test_check_plugin.py: store-raw",
    "plugin.settings": "test_wrong_stores.py: store-settings",
}

# Clauses that no plugin breaks alone, each with its reason.
NONE_ALONE: dict[str, str] = {}


def broken_by_deeds():
    tables = [
        store_deeds.DEEDS,
        store_deeds.GRANT_DEEDS,
        store_deeds.BACKEND_DEEDS,
        store_deeds.SANITIZED_DEEDS,
        transport_deeds.DEEDS,
        transport_deeds.SANITIZED_DEEDS,
    ]
    return {id for table in tables for clauses in table.values() for id in clauses}


def test_every_clause_has_a_plugin_that_breaks_it():
    without = set(list_clauses()) - broken_by_deeds() - set(ELSEWHERE) - set(NONE_ALONE)
    assert not without, f"add a deed that breaks them, or say in NONE_ALONE why not: {without}"


def test_what_deeds_break_are_clauses():
    if not list_clauses("transport."):
        return  # a build without them
    assert broken_by_deeds() | set(ELSEWHERE) | set(NONE_ALONE) <= set(list_clauses())


def test_an_exception_is_one():
    assert not set(NONE_ALONE) & broken_by_deeds()


def test_what_every_trial_watches_over_is_known():
    watched = transport_deeds.WATCHED
    assert watched <= set(list_clauses("transport.")) or not list_clauses("transport.")
