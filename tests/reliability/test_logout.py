# SPDX-License-Identifier: Apache-2.0
"""R9: whoever logs out while a refresh is going on stays logged out."""

import random
import sqlite3
import time

import pytest
from existing_cli import REGISTRATION_KEY, TOKEN_KEY, ExistingCli, log_out
from harness import (
    EXPORT,
    FORCE,
    REFRESH,
    SEED,
    at_random,
    busy_timeout,
    finish,
    report,
    rounds,
    rows,
    spilled,
)

NOT_LOGGED_IN = 4
WATCH_S = 2  # a token that was put back goes again if the registration is removed this soon after


def stays_logged_out(online):
    assert online.run(*EXPORT).code == NOT_LOGGED_IN
    assert rows(online) == {}


def by_the_existing_cli(online):
    """False if its two steps were so far apart that nobody can take them for one logout."""
    started = time.monotonic()
    log_out(online.db)
    return time.monotonic() - started < WATCH_S


def by_us(online):
    assert online.run("logout").code == 0
    assert rows(online) == {}  # at once
    return True


@pytest.mark.parametrize("leave", [by_the_existing_cli, by_us])
def test_logout_at_random_moments_of_a_refresh(online, service, leave):
    count, chance, returned = rounds(20, 100), random.Random(SEED), 0
    service.seed(online.db, expires_in=3600)
    started = time.monotonic()
    assert online.run(*FORCE).code == 0
    longest = 1.3 * (time.monotonic() - started)
    for _ in range(count):
        service.seed(online.db, expires_in=3600)
        process = online.start(*FORCE)
        at_random(chance, longest, process)
        in_time = leave(online)
        code, _, err = finish(process)
        assert code in (0, NOT_LOGGED_IN), err
        returned += in_time and rows(online) != {}
        assert not spilled(online)
    told = f"0, but {returned} came back" if returned else "0, stays logged out"
    who = "" if leave is by_the_existing_cli else "`q logout`: "
    report("R9", f"{who}logout at a random moment of a refresh", count, told)
    assert returned == 0, f"AQ_RELIABILITY_SEED={SEED}"


def test_a_save_that_waited_through_a_logout_does_not_bring_the_login_back(
    online, service
):
    """The registration goes last; what was kept meanwhile goes with it."""
    service.seed(online.db, expires_in=-60)
    busy_timeout(online, 20)
    service.fault(REFRESH, hold="after")
    process = online.start(*EXPORT)
    service.wait(REFRESH, held=1)
    existing = ExistingCli(online.db, None, 0)
    existing.delete(TOKEN_KEY)
    other = sqlite3.connect(online.db, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    service.release()
    while not spilled(online):  # it has begun to save, and cannot
        assert process.poll() is None, finish(process)
    other.execute("DELETE FROM auth_kv WHERE key = ?", [REGISTRATION_KEY])
    other.execute("COMMIT")  # now it can
    finish(process)
    stays_logged_out(online)
    assert not spilled(online)


def test_a_logout_of_the_existing_cli_that_pauses_between_its_two_steps(online, service):
    """So long that the token, which others remove by mistake, was put back."""
    count = rounds(2, 20)
    for _ in range(count):
        service.reset(logins=True)
        service.seed(online.db, expires_in=-60)
        service.fault(REFRESH, hold="after")
        process = online.start(*EXPORT)
        service.wait(REFRESH, held=1)
        existing = ExistingCli(online.db, None, 0)
        existing.delete(TOKEN_KEY)
        released = time.monotonic()  # it was put back after this
        service.release()
        while TOKEN_KEY not in rows(online):
            assert process.poll() in (None, 0), finish(process)
        existing.delete(REGISTRATION_KEY)
        in_time = time.monotonic() - released < WATCH_S
        code, out, err = finish(process)
        if code == 0 and not in_time:
            continue  # the machine paused for longer than anybody watches
        assert (code, out) == (NOT_LOGGED_IN, ""), err
        stays_logged_out(online)
    what = "logout of the existing CLI, paused between its two steps until the token is back"
    report("R9", what, count, "0, stays logged out")


@pytest.mark.parametrize("leave", [by_the_existing_cli, by_us])
@pytest.mark.parametrize("hold", ["before", "after"])
def test_logout_while_the_service_is_asked(online, service, hold, leave):
    count = rounds(3, 50)
    for _ in range(count):
        service.reset(logins=True)
        service.seed(online.db, expires_in=-60)
        service.fault(REFRESH, hold=hold)
        process = online.start(*EXPORT)
        service.wait(REFRESH, held=1)
        leave(online)
        service.release()
        code, out, err = finish(process)
        assert (code, out) == (NOT_LOGGED_IN, ""), err
        stays_logged_out(online)
    who = "" if leave is by_the_existing_cli else "`q logout`: "
    what = f"{who}logout while the service is asked, held {hold} it acts"
    report("R9", what, count, "0, stays logged out")
