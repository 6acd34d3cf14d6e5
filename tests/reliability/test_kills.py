# SPDX-License-Identifier: Apache-2.0
"""R3: killed at every step of a refresh. What is lost depends on the service, never on the row."""

import itertools
import signal
import socket
import sqlite3

import pytest
from harness import (
    EXPORT,
    FORCE,
    REFRESH,
    busy_timeout,
    finish,
    is_alive,
    needs,
    plain_build,
    report,
    rounds,
    rows,
    spilled,
    traced,
)

LOGIN_NEEDED = 6
# Everything that changes a file or reaches the service; from the lock to the end of the save.
STEPS = ("fallocate", "pwrite64", "fdatasync", "unlink", "connect", "sendto", "recvfrom")

both_rotations = pytest.mark.parametrize("rotation", ["strict", "grace"])


def kill(process):
    process.send_signal(signal.SIGKILL)
    assert finish(process)[0] == -signal.SIGKILL


def prepare(online, service, rotation):
    service.reset(logins=True)
    service.settings(rotation=rotation)
    service.seed(online.db, expires_in=-60)
    return rows(online)


def is_lost(online, rotation, before):
    """What the next process finds. Lost is what was spent unsaved, and then it is said."""
    result = online.run(*EXPORT)
    if result.code == 0:
        assert is_alive(online)
        return False
    assert rotation == "strict" and result.code == LOGIN_NEEDED, result
    assert "log in again" in result.err
    assert rows(online) == before
    return True


@both_rotations
def test_killed_with_the_lock_held_nothing_was_spent(online, service, rotation):
    """The service is reached, and has not yet been asked."""
    count = rounds(3, 100)
    for _ in range(count):
        before = prepare(online, service, rotation)
        with socket.create_server(("127.0.0.1", 0)) as door:
            port = door.getsockname()[1]
            online.env["AWS_ENDPOINT_URL_SSO_OIDC"] = f"http://127.0.0.1:{port}"
            process = online.start(*EXPORT)
            connection, _ = door.accept()
            with connection:  # which would end the process by itself if it were closed
                kill(process)
        online.env["AWS_ENDPOINT_URL_SSO_OIDC"] = service.url
        assert rows(online) == before
        assert not is_lost(online, rotation, before)
        assert service.calls(REFRESH) == 2  # the next process, and the proof that it is alive
    report("R3", f"SIGKILL after the lock, before asking, {rotation}", count)


@both_rotations
def test_killed_before_the_service_acts_nothing_was_spent(online, service, rotation):
    count = rounds(3, 100)
    for _ in range(count):
        before = prepare(online, service, rotation)
        service.fault(REFRESH, hold="before")
        process = online.start(*EXPORT)
        service.wait(REFRESH, held=1)
        kill(process)
        service.wait(REFRESH, disconnects=1)
        assert not is_lost(online, rotation, before)
    report("R3", f"SIGKILL after asking, before the service acts, {rotation}", count)


@both_rotations
def test_killed_before_the_answer_the_row_stays_and_the_message_is_right(
    online, service, rotation
):
    count, lost = rounds(3, 100), 0
    for _ in range(count):
        before = prepare(online, service, rotation)
        service.fault(REFRESH, hold="after")
        process = online.start(*EXPORT)
        service.wait(REFRESH, held=1)
        kill(process)
        lost += is_lost(online, rotation, before)
    assert lost == (count if rotation == "strict" else 0)
    told = f"{lost}: row kept, new login asked for" if lost else 0
    report("R3", f"SIGKILL after the service acted, before its answer, {rotation}", count, told)


@both_rotations
def test_killed_while_the_database_is_busy_the_answer_is_in_a_file(online, service, rotation):
    count = rounds(3, 100)
    for _ in range(count):
        before = prepare(online, service, rotation)
        busy_timeout(online, 20)
        service.fault(REFRESH, hold="after")
        process = online.start(*EXPORT)
        service.wait(REFRESH, held=1)
        other = sqlite3.connect(online.db, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        service.release()
        while not spilled(online):
            assert process.poll() is None, finish(process)
        kill(process)
        other.execute("ROLLBACK")
        other.close()
        assert rows(online) == before
        assert not is_lost(online, rotation, before)
        assert not spilled(online)
        assert service.calls(REFRESH) == 2  # the spent token was never sent again
    report("R3", f"SIGKILL while the save waits for a busy database, {rotation}", count)


@plain_build
@needs("strace")
@both_rotations
def test_killed_at_every_system_call_that_matters(online, service, rotation):
    count, steps, lost = rounds(1, 4), 0, 0
    for call in STEPS * count:
        for n in itertools.count(1):
            before = prepare(online, service, rotation)
            (code, _, err), killed = traced(online, call, n, "signal=SIGKILL")
            if not killed:  # there is no n-th
                break
            assert code == -signal.SIGKILL, err
            assert set(rows(online)) == set(before)
            lost += is_lost(online, rotation, before)
            steps += 1
    assert rotation == "strict" or lost == 0
    told = f"{lost}: row kept, new login asked for" if lost else 0
    report("R3", f"SIGKILL at each write, sync, unlink, send, receive, {rotation}", steps, told)


def test_killed_after_the_save_the_new_token_is_there(online, service):
    count = rounds(3, 100)
    for _ in range(count):
        before = prepare(online, service, "strict")
        reader = online.start(*FORCE)
        while rows(online) == before:
            assert reader.poll() in (None, 0)
        reader.kill()  # or it has come to its end already
        finish(reader)
        assert is_alive(online)
    report("R3", "SIGKILL after the save", count)
