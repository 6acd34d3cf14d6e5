# SPDX-License-Identifier: Apache-2.0
"""
Transports that break their contract: the suite names what is broken, and nothing else, and `q` lives
on.

tests/plugins/fakes/wrong_transport is transport-curl, except for one deed; transport_deeds.py lists
them. Each is tried with the clauses that it breaks and with some of the others, which all have their
turn; every trial watches over what holds at all times.
"""

from concurrent.futures import ThreadPoolExecutor

import pytest
from command import new_command
from fixtures import service, service_process  # noqa: F401
from suite import FAKES, SANITIZED, Report, list_clauses
from transport_deeds import DEEDS, SANITIZED_DEEDS, tried_with

WRONG = FAKES / "transport-wrong.so"
AT_ONCE = 3
JOBS = 4
CLAUSES = list_clauses("transport.")

pytestmark = pytest.mark.skipif(not WRONG.exists(), reason="transport-curl is not built")

# `q` is one process with the plugin, and waits for it: docs/plugins.md says what it cannot survive.
ENDS_ITS_PROCESS = {"longjmp", "interest-nothing"}

if SANITIZED:
    DEEDS = {**DEEDS, **SANITIZED_DEEDS}
    del DEEDS["longjmp"]  # which goes wherever a frame of a sanitizer happens to be

# What the machine must permit: a network of its own; malloc that can be replaced.
DEPENDS = {"transport.finish.name", "transport.memory", "transport.process.memory"}

# Which clause is broken is the same in every build: a sanitizer tries what it alone can see. That `q`
# lives on is looked at with each.
TRIED = SANITIZED_DEEDS if SANITIZED else DEEDS


def check(deed):
    """The report on this deed."""
    only = [word for id in tried_with(deed, CLAUSES) for word in ("--only", id)]
    return Report(WRONG, "--jobs", JOBS, "--setting", f"deed={deed}", *only)


@pytest.fixture(scope="module")
def reports():
    """One run for each deed, some at once."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {deed: pool.submit(check, deed) for deed in TRIED}


@pytest.mark.parametrize("deed", TRIED)
def test_the_broken_clause_is_named_and_no_other(reports, deed):
    report = reports[deed].result()
    # Where a jump into a frame that is gone leads to is chance: libc may say that the stack is smashed.
    also = {"plugin.streams"} if deed == "longjmp" else set()
    found = report.ids("failed") - (also - DEEDS[deed])
    assert found == DEEDS[deed] - (report.ids("skipped") & DEPENDS), report
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
