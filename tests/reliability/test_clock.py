# SPDX-License-Identifier: Apache-2.0
"""R8: a clock that is wrong, or that is set while a refresh is going on."""

from pathlib import Path

import pytest
from harness import EXPORT, REFRESH, finish, is_alive, needs, plain_build, report, rounds

pytestmark = [plain_build, needs("faketime")]

HOUR, DAY = 3600, 86400
OFFSETS = (HOUR, -HOUR, DAY, -DAY)
LIBRARY = "faketime/libfaketime.so.1"


def find_library():
    places = Path("/usr/lib").glob(f"*/{LIBRARY}")
    return next((str(path) for path in places), None)


@pytest.fixture
def clock(online):
    """A function that sets the clock of the next commands, and of those that are running."""
    library = find_library()
    if not library:
        pytest.skip(f"{LIBRARY} is not installed")
    file = online.home / "clock"
    online.env["FAKETIME_TIMESTAMP_FILE"] = str(file)
    online.env["FAKETIME_NO_CACHE"] = "1"
    online.env["FAKETIME_DONT_FAKE_MONOTONIC"] = "1"  # it is the wall clock that people set

    def set_clock(offset):
        fresh = file.with_suffix(".new")
        fresh.write_text(f"{offset:+d}\n")
        fresh.rename(file)
        online.env["LD_PRELOAD"] = library

    return set_clock


def test_the_clock_reaches_the_command(online, service, clock):
    service.seed(online.db, expires_in=HOUR)
    clock(HOUR // 2)
    left = online.run(*EXPORT).json["expires_in"]
    assert 0 < left <= HOUR // 2


@pytest.mark.parametrize("expires_in", [-60, HOUR // 2, 10 * HOUR])
@pytest.mark.parametrize("offset", OFFSETS)
def test_a_wrong_clock_costs_one_call_at_most_and_no_login(
    online, service, clock, offset, expires_in
):
    """What the clock calls expired is refreshed, what it calls valid is handed out."""
    count = rounds(1, 10)
    for _ in range(count):
        service.reset(logins=True)
        service.seed(online.db, expires_in=expires_in)
        clock(offset)
        result = online.run(*EXPORT)
        assert result.code == 0, result
        expired = expires_in - offset < 60
        assert service.calls(REFRESH) == (1 if expired else 0)
        assert online.run(*EXPORT).code == 0
        assert service.calls(REFRESH) <= 1  # by the same clock it is good now
        clock(0)
        calls = service.calls(REFRESH)
        assert online.run(*EXPORT).code == 0
        assert service.calls(REFRESH) <= calls + 1
        assert is_alive(online)
    report("R8", f"clock {offset // HOUR:+d} h, tokens valid and expired", count)


@pytest.mark.parametrize("offset", OFFSETS)
def test_a_clock_that_is_set_during_a_refresh_costs_no_login(online, service, clock, offset):
    count = rounds(1, 25)
    for _ in range(count):
        service.reset(logins=True)
        clock(0)
        service.seed(online.db, expires_in=-60)
        service.fault(REFRESH, hold="after")
        process = online.start(*EXPORT)
        service.wait(REFRESH, held=1)
        clock(offset)
        service.release()
        code, _, err = finish(process)
        assert code == 0, err
        assert service.calls(REFRESH) == 1
        assert online.run(*EXPORT).code == 0
        assert service.calls(REFRESH) == 1
        clock(0)
        assert is_alive(online)
    report("R8", f"clock set by {offset // HOUR:+d} h during a refresh", count)


def test_a_clock_that_is_late_costs_one_refresh_when_the_service_refuses_the_token(
    online, service, clock
):
    """Only the service knows that it has expired."""
    service.seed(online.db, expires_in=-60)
    clock(-HOUR)
    assert online.run("chat", "--no-interactive", "?").code == 0
    assert service.calls(REFRESH) == 1
    report("R8", "clock -1 h, expired token refused by the service (1 call)", 1)


def test_a_clock_that_goes_round_asks_once_a_run_at_most(online, service, clock):
    count = rounds(2, 20)
    service.seed(online.db, expires_in=HOUR)
    for offset in (0, DAY, 0, -DAY, DAY, HOUR, -HOUR, 2 * DAY) * count:
        clock(offset)
        before = service.calls(REFRESH)
        assert online.run(*EXPORT).code == 0
        assert service.calls(REFRESH) - before <= 1
    clock(0)
    assert is_alive(online)
    report("R8", "clock set to and fro between runs", 8 * count)
