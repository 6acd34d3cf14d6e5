# SPDX-License-Identifier: Apache-2.0
"""R1, R2: many processes, one login; some of them are the existing CLI."""

import os
import statistics
from pathlib import Path

import pytest
from command import SANITIZED, TOKEN_KEY
from harness import EXPORT, REFRESH, Workers, finish, is_alive, report, rounds, rows

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


def at_expiry(online, service, existing, asking, ours=0):
    """True if the login is lost: all have read the expired token before anybody is answered."""
    service.reset(logins=True)
    service.seed(online.db, expires_in=-60)
    service.fault(REFRESH, hold="before", times=asking)
    running = [online.start(*EXPORT) for _ in range(ours)]  # one asks, the others wait for it
    existing.go()
    service.wait(REFRESH, held=asking)
    service.release()
    theirs = existing.results()
    ends = [finish(process) for process in running]
    assert all(code in (0, 4, 5, 6) for code, _, _ in ends), ends
    if TOKEN_KEY not in rows(online):
        assert any(r["deleted"] for r in theirs)  # none of ours ever does
        return True
    return not is_alive(online)


def test_at_expiry_we_delete_nothing_and_are_no_worse_than_one_more_of_it(online, service):
    count, alone, mixed = rounds(6, 100), 0, 0
    command = ("existing_cli.py", THEIRS, online.env, online.db, service.url)
    with Workers(*command) as four, Workers(command[0], THEIRS + 1, *command[2:]) as five:
        for _ in range(count):
            alone += at_expiry(online, service, five, THEIRS + 1)
            mixed += at_expiry(online, service, four, THEIRS + 1, ours=OURS)
    print(f"lost at expiry: {alone} of {count} without us, {mixed} with us")
    if count >= 100:  # chance decides who is last, so only a long run can tell; this is four sigma
        assert mixed - alone <= 3 * count**0.5
    report("R2", f"at expiry, {THEIRS + 1} of the existing CLI ask", count, f"{alone}, by it")
    what = f"at expiry, {THEIRS} of it and one of our {OURS} ask"
    report("R2", what, count, f"{mixed}, by it; 0 by us")
