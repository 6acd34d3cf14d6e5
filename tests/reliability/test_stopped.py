# SPDX-License-Identifier: Apache-2.0
"""R11: whoever refreshes is stopped (Ctrl-Z, a debugger, a frozen container) and goes on later."""

import signal
import sqlite3
import time

from harness import EXPORT, FORCE, REFRESH, finish, is_alive, report, rows

TEMPORARY = 5
WAIT_S = 30  # for somebody else's refresh
AT_ONCE_S = WAIT_S - 5  # has not waited, on a busy machine


def start_and_stop(service, hold, *commands):
    """Start (home, arguments) each, and stop it when the service has its refresh token."""
    service.fault(REFRESH, hold=hold, times=len(commands))
    running = [home.start(*args) for home, args in commands]
    service.wait(REFRESH, held=len(commands))
    for process in running:
        process.send_signal(signal.SIGSTOP)
    return running


def go_on(process):
    process.send_signal(signal.SIGCONT)


def test_a_stopped_refresh_blocks_nobody_beyond_30_seconds_and_loses_nothing(new_home, service):
    """
    Three logins, whose refreshers are stopped: one still has ten minutes; one has expired; one was
    answered, so that its successor lies in a socket while the time to wait for it runs out.
    """
    early, late, answered = homes = [new_home() for _ in range(3)]
    for home, expires_in in zip(homes, (600, -60, -60)):
        service.seed(home.db, expires_in=expires_in)
    before = [rows(home) for home in homes]
    (lucky,) = start_and_stop(service, "after", (answered, EXPORT))
    service.release()
    holders = start_and_stop(service, "before", (early, FORCE), (late, EXPORT))

    started = time.monotonic()
    waiting = [late.start(*EXPORT), early.start(*FORCE), answered.start(*EXPORT)]
    for _ in range(5):
        assert early.run(*EXPORT).code == 0
    assert time.monotonic() - started < AT_ONCE_S
    for code, out, err in map(finish, waiting):
        assert (code, out) == (TEMPORARY, ""), err
        assert "another process is refreshing" in err
    assert WAIT_S - 1 < time.monotonic() - started < 2 * WAIT_S
    assert [rows(home) for home in homes] == before
    assert service.calls(REFRESH) == 3  # nobody stole a lock

    for holder in (*holders, lucky):
        go_on(holder)
    for code, out, err in map(finish, holders):  # their own time was up meanwhile
        assert (code, out) == (TEMPORARY, ""), err
    assert [rows(early), rows(late)] == before[:2]
    code, out, err = finish(lucky)
    assert code == 0, err
    assert answered.stored()["access_token"] in out
    assert all(is_alive(home) for home in homes)
    report("R11", "lock holder stopped for 30 s, before the service acts", 2)
    report("R11", "lock holder stopped for 30 s with the answer in its socket", 1)


def test_after_going_on_the_answer_is_written_once(online, service):
    service.seed(online.db, expires_in=600)
    (holder,) = start_and_stop(service, "after", (online, FORCE))
    old = online.stored()
    assert online.run(*EXPORT).json["access_token"] == old["access_token"]
    watch = sqlite3.connect(online.db)
    service.release()
    go_on(holder)
    code, out, err = finish(holder)
    assert code == 0, err
    assert watch.execute("SELECT count(*) FROM auth_kv").fetchone() == (2,)
    watch.close()
    assert online.stored()["access_token"] in out
    assert online.run(*EXPORT).json["access_token"] == online.stored()["access_token"]
    assert service.calls(REFRESH) == 1
    assert is_alive(online)
    report("R11", "lock holder stopped while the service acts, then going on", 1)
