# SPDX-License-Identifier: Apache-2.0
"""
Transports that break their contract: the suite names what is broken, and nothing else, and `q` lives
on.

tests/plugins/fakes/transport_wrong.c is transport-curl, except for one deed. Each is tried with the
clauses that it breaks, with all that every trial watches over, and with a sample of the others.
"""

from concurrent.futures import ThreadPoolExecutor

import pytest
from command import new_command
from fixtures import service, service_process  # noqa: F401
from suite import FAKES, SANITIZED, Report

WRONG = FAKES / "transport-wrong.so"
AT_ONCE = 3
JOBS = 4

pytestmark = pytest.mark.skipif(not WRONG.exists(), reason="transport-curl is not built")

# deed: the clauses it breaks
DEEDS = {
    # what a process does not survive
    "longjmp": {"plugin.returns"},
    "step-blocks": {"transport.step.never-blocks"},
    "finish-blocks": {"transport.finish.never-blocks"},
    # when it says ready
    "ready-twice": {"transport.ready.once"},
    "ready-in-interest": {"transport.ready.inside-step"},
    "ready-finished": {"transport.ready.after-finish"},
    "ready-own-pointer": {"transport.ready.cookie"},
    "calls-after-close": {"plugin.after-close"},
    # what the host is to wait for
    "interest-changes": {"transport.interest.same-descriptor"},
    "interest-file": {"transport.interest.pollable"},
    "interest-nothing": {"transport.ready.said"},
    "interest-overdue": {"transport.interest.deadline"},
    "interest-busy": {"transport.interest.rests-with-calls"},
    "own-clock": {"transport.interest.deadline"},
    # what it gives back
    "open-nothing": {"transport.open"},
    "start-nothing": {"transport.start.call"},
    "step-status": {"plugin.status"},
    "status-login": {"plugin.status"},
    "response-interim": {"transport.response.status"},
    "response-nameless": {"transport.response.views"},
    "response-drops-field": {"transport.response.head"},
    "read-nothing": {"transport.read.bounded"},
    "read-too-much": {"transport.read.bounded"},
    "read-negative": {"transport.read.bounded"},
    "read-end-once": {"transport.read.end"},
    # what it sends, and how often
    "adds-field": {"transport.request.exact"},
    "retries": {"transport.request.once"},
    "follows-redirects": {"transport.response.redirect"},
    # limits
    "hoards": {"transport.body.backpressure"},
    "no-header-limit": {"transport.response.limit"},
    "no-total-timeout": {"transport.timeout.total"},
    # how it fails
    "cut-is-end": {"transport.error.truncated", "transport.error.protocol"},
    "says-not-sent": {"transport.error.not-sent"},
    "error-silent": {"plugin.error-text"},
    "error-shows-request": {"plugin.secrets"},
    "tls-is-network": {"transport.tls.name", "transport.tls.expired", "transport.tls.authority",
                       "transport.tls.self-signed"},
    # by which way
    "no-proxy-at-all": {"transport.proxy.tunnel", "transport.proxy.refused"},
    "proxy-of-the-environment": {"transport.proxy.environment"},
    # what it does to its process
    "changes-signals": {"transport.process.signals"},
    "leaks-descriptor": {"transport.process.descriptors"},
    "leaks-memory": {"transport.process.memory"},
    "forgets-fork": {"transport.process.fork"},
}

SAMPLE = [
    "transport.protocols",
    "transport.request.exact",
    "transport.request.once",
    "transport.response.head",
    "transport.response.redirect",
    "transport.response.valid",
    "transport.body.in-time",
    "transport.timeout.idle",
    "transport.error.truncated",
    "transport.error.not-sent",
    "transport.secret",
    "transport.process.fork",
]

# What every trial watches over.
WATCHED = [
    "plugin",
    "transport.ready",
    "transport.read",
    "transport.interest.same-descriptor",
    "transport.interest.pollable",
    "transport.interest.deadline",
    "transport.interest.prompt",
    "transport.step",
    "transport.start",
    "transport.finish.never-blocks",
    "transport.close.prompt",
    "transport.response.status",
    "transport.response.views",
]

# `q` is one process with the plugin, and waits for it: docs/plugins.md says what it cannot survive.
ENDS_ITS_PROCESS = {"longjmp", "interest-nothing"}

# LeakSanitizer finds it at the end of every trial, not by counting in one.
if SANITIZED:
    DEEDS["leaks-memory"] = {"plugin.sanitizers"}


def check(deed):
    """The report on this deed."""
    asked = {*SAMPLE, *DEEDS[deed], *WATCHED}
    only = [word for id in sorted(asked) for word in ("--only", id)]
    return Report(WRONG, "--jobs", JOBS, "--setting", f"deed={deed}", *only)


@pytest.fixture(scope="module")
def reports():
    """One run for each deed, some at once."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {deed: pool.submit(check, deed) for deed in DEEDS}


@pytest.mark.parametrize("deed", DEEDS)
def test_the_broken_clause_is_named_and_no_other(reports, deed):
    report = reports[deed].result()
    assert report.ids("failed") == DEEDS[deed], report
    assert report.code == (3 if deed == "open-nothing" else 1)
    for id in report.ids("failed"):
        assert len(report.text(id)) > 20, report.text(id)


def test_the_same_transport_without_a_deed_is_sound():
    report = Report(WRONG)
    assert report.code == 0 and not report.ids("failed"), report


@pytest.mark.parametrize("deed", sorted(set(DEEDS) - ENDS_ITS_PROCESS))
def test_the_command_survives_it(service, deed):  # noqa: F811
    with new_command("q-wrong.") as q:
        q.env["AWS_ENDPOINT_URL_SSO_OIDC"] = q.env["Q_ENDPOINT_URL"] = service.url
        q.env["AQ_TEST_DEED"] = deed
        q.env["Q_TRANSPORT"] = str(WRONG)
        if deed == "leaks-memory":
            q.env["ASAN_OPTIONS"] = "detect_leaks=0"  # it is not the command's
        service.seed(q.db)
        result = q.run("chat", "--no-interactive", "hello")
        assert result.code in (0, 3, 5), result
        assert "Sanitizer" not in result.err and "runtime error" not in result.err, result
        assert result.code == 0 or result.err.startswith("q: "), result
