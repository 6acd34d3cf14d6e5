# SPDX-License-Identifier: Apache-2.0
"""R1, R2: many processes, one login; some of them are the existing CLI."""

import os
import statistics
from collections import Counter
from pathlib import Path

import pytest
from command import SANITIZED, TOKEN_KEY
from harness import EXPORT, REFRESH, Workers, finish, is_alive, report, rounds, rows, spilled

PROCESSES, THREADS, THEIRS, OURS = 32, 4, 4, 4
ANSWER_MS = 200  # the service takes its time, so that everybody meets


# Under ThreadSanitizer a race of the threads ends their process, and so the test.
TSAN = os.environ.get("AQ_TEST_TSAN")
RACES = {"LD_PRELOAD": TSAN, "TSAN_OPTIONS": "halt_on_error=1"} if TSAN else {}


@pytest.mark.skipif(SANITIZED and not TSAN, reason="the library cannot be loaded into Python")
def test_32_processes_of_4_threads_make_exactly_one_call(online, service):
    library = Path(__file__).resolve().parent.parent / "cli"
    env = {**online.env, "AQ_TEST_LIB": os.environ["AQ_TEST_LIB"], "PYTHONPATH": str(library)}
    env.update(RACES)
    count, waited = rounds(5, 50), []
    with Workers("four_clients.py", PROCESSES, env) as workers:
        for _ in range(count):
            service.reset(logins=True)
            service.seed(online.db, expires_in=-60)
            service.fault(REFRESH, delay_ms=ANSWER_MS)
            workers.go()
            results = workers.results()
            assert [r["failures"] for r in results if r["failures"]] == []
            tokens = [token for r in results for token in r["tokens"]]
            assert len(tokens) == PROCESSES * THREADS
            assert set(tokens) == {online.stored()["access_token"]}
            assert service.calls(REFRESH) == 1
            waited += [seconds for r in results for seconds in r["waited"]]
    p95 = statistics.quantiles(waited, n=20)[-1]
    what = f"{PROCESSES} processes of {THREADS} threads, one expired token"
    report("R1", f"{what} (1 call each time; 95 % had it after {p95:.1f} s)", count)


def start_ours(online):
    return [online.start(*EXPORT) for _ in range(OURS)]


def test_ten_minutes_before_the_end_nothing_is_lost_to_the_existing_cli(online, service):
    count = rounds(5, 100)
    with Workers("existing_cli.py", THEIRS, online.env, online.db, service.url) as existing:
        for _ in range(count):
            service.reset(logins=True)
            service.seed(online.db, expires_in=600)
            ours = start_ours(online)
            existing.go()
            assert [r["outcome"] for r in existing.results()] == ["valid"] * THEIRS
            assert [finish(process)[0] for process in ours] == [0] * OURS
            assert service.calls(REFRESH) == 1  # ours, in good time
            existing.go(clock=600)  # when the old token has ended
            assert [r["outcome"] for r in existing.results()] == ["valid"] * THEIRS
            assert service.calls(REFRESH) == 1
            assert is_alive(online)
    report("R2", "existing CLI beside us, token with 10 minutes left", count)


def changes_beside(theirs, first, last):
    """What else the row went through on its way from `first` to `last`, beside `theirs`, a list of
    (before, after): what was taken from it, and what was put there. What cancels out is not seen.
    """
    balance = Counter({first: 1})
    balance[last] -= 1
    for before, after in theirs:
        balance[before] -= 1
        balance[after] += 1
    taken = {state for state, count in balance.items() if count > 0}
    put = {state for state, count in balance.items() if count < 0}
    return taken, put


@pytest.mark.parametrize(
    "theirs, last, taken, put",
    [
        ([], "old", set(), set()),
        ([], None, {"old"}, {None}),  # one of ours deleted it
        ([("old", None)], None, set(), set()),
        ([("old", None), (None, "new")], None, {"new"}, {None}),
        ([("old", None)], "new", {None}, {"new"}),  # put back
        ([("new", None)], None, {"old"}, {"new"}),
        ([("old", "new")], "old", {"new"}, {"old"}),  # one of ours wrote over a good one
    ],
)
def test_the_accounts_show_what_ours_did(theirs, last, taken, put):
    assert changes_beside(theirs, "old", last) == (taken, put)


def fault_of_ours(online, first, last, theirs):
    """What ours did to the login that they must not do; None if nothing."""
    changes = [change for end in theirs for change in end["changes"]]
    taken, put = changes_beside(changes, first, last)
    if None in put:
        return "deleted the row"
    if taken - {first, None}:
        return "replaced a good login"
    answered = not any(end["outcome"].startswith("refreshed") for end in theirs)
    if answered and not put and not spilled(online):
        return "lost the answer"
    return None


def at_expiry(online, service, existing, asking, ours=0):
    """Who lost the login: "it", "us" or nobody. All have read the expired token before anybody is
    answered, and the service gives one good answer."""
    service.reset(logins=True)
    first = service.seed(online.db, expires_in=-60)["refresh_token"]
    service.fault(REFRESH, hold="before", times=asking)
    running = [online.start(*EXPORT) for _ in range(ours)]  # one asks, the others wait for it
    existing.go()
    service.wait(REFRESH, held=asking)
    service.release()
    theirs = existing.results()
    ends = [finish(process) for process in running]
    assert all(code in (0, 4, 5, 6) for code, _, _ in ends), ends
    last = online.stored()["refresh_token"] if TOKEN_KEY in rows(online) else None
    fault = fault_of_ours(online, first, last, theirs)
    if fault:
        print(f"ours {fault}: {first} -> {last}, theirs: {theirs}, ours: {ends}")
        return "us"
    return None if is_alive(online) else "it"


def test_at_expiry_we_delete_nothing_and_are_no_worse_than_one_more_of_it(online, service):
    count, alone, mixed = rounds(6, 100), Counter(), Counter()
    command = ("existing_cli.py", THEIRS, online.env, online.db, service.url)
    with Workers(*command) as four, Workers(command[0], THEIRS + 1, *command[2:]) as five:
        for _ in range(count):
            alone[at_expiry(online, service, five, THEIRS + 1)] += 1
            mixed[at_expiry(online, service, four, THEIRS + 1, ours=OURS)] += 1
    print(f"lost at expiry, of {count}: {alone} without us, {mixed} with us")
    assert alone["us"] == mixed["us"] == 0
    if count >= 100:  # chance decides who is last, so only a long run can tell; this is four sigma
        assert mixed["it"] - alone["it"] <= 3 * count**0.5
    report("R2", f"at expiry, {THEIRS + 1} of the existing CLI ask", count, f"{alone['it']}, by it")
    what = f"at expiry, {THEIRS} of it and one of our {OURS} ask"
    report("R2", what, count, f"{mixed['it']}, by it; {mixed['us']} by us")
