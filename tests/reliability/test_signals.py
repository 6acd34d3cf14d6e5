# SPDX-License-Identifier: Apache-2.0
"""C4: a signal at any moment of a refresh: what was answered is saved, the command ends soon."""

import random
import signal
import time

import pytest
from harness import (
    FORCE,
    REFRESH,
    SEED,
    at_random,
    finish,
    is_alive,
    report,
    rounds,
    spilled,
)

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
SOON_S = 25  # not after the 30 s that others wait


def measure(online):
    started = time.monotonic()
    assert online.run(*FORCE).code == 0
    return time.monotonic() - started


def end_of(process, number):
    """Send the signal, and see that the command ends soon, as shells expect."""
    process.send_signal(number)
    sent = time.monotonic()
    code, _, err = finish(process)
    assert time.monotonic() - sent < SOON_S
    # Before the handlers are set, and after the result was written, the usual ends.
    assert code in (0, 128 + number, -number), (code, err)
    return code


def test_signals_at_random_moments_leave_no_answered_refresh_unsaved(online, service):
    count, chance, ends = rounds(40, 200), random.Random(SEED), set()
    service.seed(online.db, expires_in=3600)
    longest = 1.3 * max(measure(online) for _ in range(3))
    for round in range(count):
        process = online.start(*FORCE)
        at_random(chance, longest, process)
        ends.add(end_of(process, SIGNALS[round % len(SIGNALS)]))
        assert is_alive(online), f"AQ_RELIABILITY_SEED={SEED}, round {round}"
        assert not spilled(online)
    print("ends:", sorted(ends))
    report("C4", "SIGINT, SIGTERM, SIGHUP at random moments of a refresh", count)


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("hold", ["before", "after"])
def test_a_signal_while_the_service_has_the_refresh_token(online, service, hold, number):
    count = rounds(1, 20)
    for _ in range(count):
        service.seed(online.db, expires_in=-60)
        service.reset()
        service.fault(REFRESH, hold=hold)
        process = online.start(*FORCE)
        service.wait(REFRESH, held=1)
        process.send_signal(number)
        service.release()
        assert finish(process)[0] == 128 + number
        assert online.run("user", "export-token", "--quiet", "--no-refresh").code == 0
        assert is_alive(online)
    name = signal.Signals(number).name
    report("C4", f"{name} while the service is asked", count)
