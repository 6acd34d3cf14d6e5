# SPDX-License-Identifier: Apache-2.0
"""The suite on our own transports: nothing is broken, and what is skipped is known."""

import pytest
from suite import PLUGINS, SANITIZED, Report

# Of a transport, the clauses that do not concern it, and its reason.
SKIPPED = {
    "curl": {},
    "h2": {"transport.error.protocol": "it does not speak HTTP/1.1"},
}

# What the machine must permit: a network of its own; malloc that can be replaced.
DEPENDS = {"transport.finish.name", "transport.memory", "transport.process.memory"}


@pytest.mark.parametrize("name", SKIPPED)
def test_no_clause_is_broken(name):
    plugin = PLUGINS / f"transport-{name}.so"
    if not plugin.exists():
        pytest.skip(f"transport-{name} is not built")
    report = Report(plugin)
    assert report.code == 0 and not report.ids("failed"), report
    assert report.ids("skipped") - DEPENDS == set(SKIPPED[name]), report
    for id, reason in SKIPPED[name].items():
        assert report.text(id) == reason


@pytest.mark.parametrize(("name", "refused"), [("curl", "plain HTTP/2"), ("h2", "HTTP/1.1 over TLS")])
def test_a_protocol_that_is_not_spoken_is_noted_with_the_words_of_the_transport(name, refused):
    plugin = PLUGINS / f"transport-{name}.so"
    if not plugin.exists():
        pytest.skip(f"transport-{name} is not built")
    report = Report(plugin, "--only", "transport.protocols")
    note = report.clauses["transport.protocols"]["note"]
    assert note.startswith(f"does not speak {refused}: http"), note


@pytest.mark.skipif(SANITIZED, reason="a sanitizer has a malloc of its own")
def test_memory_is_refused_and_counted_where_nothing_stands_in_the_way():
    report = Report(PLUGINS / "transport-h2.so", "--only", "transport.memory",
                    "--only", "transport.process.memory")
    assert {"transport.memory", "transport.process.memory"} <= report.ids("ok"), report
