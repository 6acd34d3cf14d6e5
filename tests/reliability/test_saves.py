# SPDX-License-Identifier: Apache-2.0
"""R6, R7, S6: the store cannot be written, before a refresh or when its answer is there."""

import itertools
import shutil
import sqlite3
import subprocess
import time
from contextlib import ExitStack

import pytest
from command import BINARY
from harness import (
    EXPORT,
    FORCE,
    LONG,
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
from mounts import mounts, needs_mounts

STORE, DISK = 3, "size=512k"


def lock(q, how="IMMEDIATE"):
    """Another program in the middle of a transaction."""
    other = sqlite3.connect(q.db, isolation_level=None)
    other.execute(f"BEGIN {how}")
    return other


def own_disk(q, place):
    """Put the directory of this home's database on a file system of its own."""
    directory = q.db.parent
    kept = q.home / "kept"
    shutil.copytree(directory, kept)
    place.run("mount", "-t", "tmpfs", "-o", f"mode=700,{DISK}", "none", str(directory))
    place.run("cp", "-a", f"{kept}/.", str(directory))
    return str(directory)


def seal(place, directory):
    """Whatever is opened below it from now on is read-only."""
    place.run("mount", "--bind", directory, directory)
    place.run("mount", "-o", "remount,bind,ro", directory)


def in_the_file(q, out):
    """The token that was handed out is the one that is kept in the file."""
    (file,) = spilled(q)
    assert f'"access_token":"{out_token(out)}"' in file.read_text()


def out_token(out):
    return out.partition('"access_token":"')[2].partition('"')[0]


@needs_mounts
def test_a_save_that_fails_to_the_end_is_kept_in_a_file_and_imported_by_the_next(
    new_home, service
):
    """Busy and read-only, side by side because each is tried for 15 seconds."""
    busy, sealed = homes = [new_home(), new_home()]
    for q in homes:
        service.seed(q.db, expires_in=-60)
        busy_timeout(q, 50)
    with mounts() as place:
        directory = own_disk(sealed, place)
        service.fault(REFRESH, hold="after", times=2)
        running = [busy.start(*EXPORT), place.start(sealed, BINARY, *EXPORT)]
        service.wait(REFRESH, held=2)
        other = lock(busy)
        seal(place, directory)
        service.release()
        for q, (code, out, err) in zip(homes, map(finish, running)):
            assert code == 0, err
            in_the_file(q, out)
        other.execute("ROLLBACK")
        other.close()
        place.run("umount", directory)
        ends = [busy.start(*EXPORT), place.start(sealed, BINARY, *EXPORT)]
        assert [finish(end)[0] for end in ends] == [0, 0]
        assert not spilled(busy) and not spilled(sealed)
        assert service.calls(REFRESH) == 2
        assert is_alive(busy)
        assert finish(place.start(sealed, BINARY, *FORCE))[0] == 0
    report("R6", "database locked for longer than we try, after the answer", 1)
    report("R6", "disk turned read-only after the answer", 1)


def test_a_database_busy_at_the_save_costs_nothing(online, service):
    count = rounds(3, 100)
    for _ in range(count):
        service.reset(logins=True)
        service.seed(online.db, expires_in=-60)
        busy_timeout(online, 20)
        service.fault(REFRESH, hold="after")
        process = online.start(*EXPORT)
        service.wait(REFRESH, held=1)
        other = lock(online)
        service.release()
        while not spilled(online):
            assert process.poll() is None, finish(process)
        other.execute("ROLLBACK")
        other.close()
        assert finish(process)[0] == 0
        assert not spilled(online) and is_alive(online)
    report("R6", "database locked at the save, then free", count)


@needs_mounts
def test_a_disk_that_fills_up_during_a_refresh_costs_nothing(online, service):
    count = rounds(3, 100)
    service.seed(online.db, expires_in=-60)
    with mounts() as place:
        directory = own_disk(online, place)
        for number in range(count):
            service.fault(REFRESH, hold="after")
            process = place.start(online, BINARY, *FORCE)
            service.wait(REFRESH, held=1)
            place.fill(directory)
            service.release()
            code, _, err = finish(process)
            assert code == 0, err
            assert not spilled(online)  # the room was put aside before asking
            place.run("rm", f"{directory}/fill")
            assert service.calls(REFRESH) == number + 1
        assert finish(place.start(online, BINARY, *FORCE))[0] == 0
    report("R6", "disk full after the answer", count)


@needs_mounts
def test_on_a_full_disk_the_refresh_token_is_not_spent(online, service):
    service.seed(online.db, expires_in=-60)
    with mounts() as place:
        directory = own_disk(online, place)
        place.fill(directory)
        code, out, err = finish(place.start(online, BINARY, *EXPORT))
        assert (code, out) == (STORE, ""), err
        assert service.calls(REFRESH) == 0
        place.run("rm", f"{directory}/fill")
        assert finish(place.start(online, BINARY, *EXPORT))[0] == 0
    report("R7", "disk full before the refresh (0 calls)", 1)


@plain_build
@needs("strace")
@pytest.mark.parametrize("error", ["EIO", "ENOSPC"])
def test_one_failed_system_call_anywhere_costs_nothing(online, service, error):
    count, broken = rounds(1, 4), 0
    for call in ("fallocate", "pwrite64", "fdatasync", "unlink") * count:
        for n in itertools.count(1):
            service.reset(logins=True)
            service.seed(online.db, expires_in=-60)
            (code, _, err), failed = traced(online, call, n, f"error={error}")
            if not failed:  # there is no n-th
                break
            assert (code, service.calls(REFRESH)) in ((0, 1), (STORE, 0)), (call, n, err)
            assert not spilled(online)
            assert is_alive(online)
            broken += 1
    report("R6", f"{error} from one write, sync, unlink or allocation", broken)


@needs_mounts
def test_where_nothing_can_be_saved_nothing_is_asked(online, service):
    """An expired token is an error of the store, a valid one is still handed out."""
    with mounts() as place, ExitStack() as stack:
        for expires_in, expected in ((-60, STORE), (3600, 0), (600, 0)):
            service.seed(online.db, expires_in=expires_in)
            target = str(online.db.parent)
            seal(place, target)
            stack.callback(place.run, "umount", target)
            before = rows(online)
            code, out, err = finish(place.start(online, BINARY, *EXPORT))
            assert code == expected, err
            assert bool(out) == (code == 0)
            assert code == 0 or "mount its directory writable" in err  # the way out
            assert rows(online) == before
            stack.close()
    assert service.calls(REFRESH) == 0
    report("R7", "directory mounted read-only (0 calls)", 3)


def test_a_locked_database_is_waited_for_five_seconds(new_home, service):
    """One that is released in time is no failure; the other is, and nothing has changed."""
    seconds = 3 if LONG else 1
    homes = [new_home(), new_home()]
    for q in homes:
        service.seed(q.db, expires_in=3600)
    before = [q.db.read_bytes() for q in homes]
    others = [lock(q, "EXCLUSIVE") for q in homes]
    started = time.monotonic()
    short, long = [q.start(*EXPORT) for q in homes]
    with pytest.raises(subprocess.TimeoutExpired):
        short.wait(timeout=seconds)
    others[0].execute("ROLLBACK")
    in_time = time.monotonic() - started < 5  # a busy machine may be late
    assert finish(short)[0] == 0 or not in_time
    code, out, err = finish(long)
    assert time.monotonic() - started >= 5
    assert (code, out) == (STORE, ""), err
    others[1].execute("ROLLBACK")
    assert [q.db.read_bytes() for q in homes] == before
    for other in others:
        other.close()
    report("S6", f"database locked for {seconds} s, and for longer than 5 s", 2)
