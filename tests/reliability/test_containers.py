# SPDX-License-Identifier: Apache-2.0
"""K1 to K7: one login outside and in a container, which has the directory of the database mounted,
or the database as a single file. A container is a mount namespace here, with a home of its own."""

import json
import os
import random
import shutil
import signal
import sqlite3
import sys
import threading
import time
from contextlib import closing, contextmanager

import pytest
from command import BINARY, TOKEN_KEY
from harness import (
    EXPORT,
    FORCE,
    HERE,
    REFRESH,
    SEED,
    at_random,
    finish,
    is_alive,
    needs,
    report,
    rounds,
    rows,
    spilled,
)
from mounts import ROOT, mounts, needs_mounts

STORE = 3
USER = 1000
BAD_LUCK = 1000  # rounds that chance alone decides, until it has happened once

pytestmark = needs_mounts
needs_root = pytest.mark.skipif(not ROOT, reason="needs root, to be somebody else")


class Container:
    """The command in another home, whose database is mounted from outside."""

    def __init__(self, outside, inside, place):
        self.outside, self.q, self.place = outside, inside, place

    def mount(self, how):
        source, target = self.outside.db, self.q.db
        target.parent.mkdir(parents=True, mode=0o700, exist_ok=True)
        if how == "directory":
            source, target = source.parent, target.parent
        else:
            target.touch(mode=0o600)
        self.place.run("mount", "--bind", str(source), str(target))
        return str(target)

    def seal(self, target):
        self.place.run("mount", "-o", "remount,bind,ro", target)

    def start(self, *args, prefix=()):
        program, *args = [*prefix, BINARY, *args]
        return self.place.start(self.q, program, *args)

    def run(self, *args, prefix=()):
        return finish(self.start(*args, prefix=prefix))


@pytest.fixture
def container(new_home):
    with mounts() as place:
        yield Container(new_home(), new_home(), place)


@contextmanager
def connected(path):
    with closing(sqlite3.connect(path, timeout=5, isolation_level=None)) as connection:
        yield connection


def out_token(out):
    return out.partition('"access_token":"')[2].partition('"')[0]


def is_sound(q):
    with connected(q.db) as connection:
        return connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def names(directory):
    return sorted(file.name for file in directory.iterdir())


def kill(process):
    process.send_signal(signal.SIGKILL)
    finish(process)


# ---- kills ----


def time_of_a_save(container, service):
    """From the answer of the service until others see it."""
    before = rows(container.outside)
    service.fault(REFRESH, hold="after")
    process = container.start(*FORCE)
    service.wait(REFRESH, held=1)
    started = time.monotonic()
    service.release()
    while rows(container.outside) == before:
        assert process.poll() in (None, 0)
    taken = time.monotonic() - started
    assert finish(process)[0] == 0
    return taken


@pytest.mark.parametrize("how, row", [("file", "K1"), ("directory", "K2")])
def test_a_container_killed_while_it_saves_costs_the_host_nothing(container, service, how, row):
    """The host waits to refresh, too. What it was told is saved must stay, whatever comes then."""
    count, chance = rounds(15, 200), random.Random(SEED)
    host = container.outside
    service.settings(rotation="grace")
    service.seed(host.db, expires_in=-60)
    container.mount(how)
    longest_s = 1.5 * time_of_a_save(container, service)
    unsaved = 0
    for _ in range(count):
        service.fault(REFRESH, hold="after")
        inside = container.start(*FORCE)
        service.wait(REFRESH, held=1)
        outside = host.start(*FORCE)
        before = rows(host)
        killer = threading.Timer(chance.uniform(0, longest_s), inside.kill)
        killer.start()  # the answer is on its way before release() returns
        service.release()
        finish(inside)
        unsaved += rows(host) == before
        killer.join()
        code, out, err = finish(outside)
        assert code == 0, err
        code, seen, err = container.run(*EXPORT)  # it is started again
        assert code == 0, err
        assert out_token(seen) == out_token(out) == host.stored()["access_token"], f"seed {SEED}"
        assert is_sound(host)
    assert is_alive(host)
    assert names(host.db.parent) == ["data.sqlite3"]
    assert how == "directory" or names(container.q.db.parent) == ["data.sqlite3"]
    print(f"{unsaved} of {count} were killed before their save")
    assert unsaved or count < 100
    report(row, f"database mounted as a {how}, container killed while it saves a refresh", count)


def test_what_plain_sqlite_loses_in_the_same_place(container, service):
    """The base: both sides save with SQLite and its journal, one is killed at a random moment."""
    count, chance, number, lost = rounds(15, 200), random.Random(SEED), 0, 0
    host = container.outside
    service.seed(host.db, expires_in=3600)
    container.mount("file")
    while number < count or (not lost and number < BAD_LUCK):
        number += 1
        start_over(container, service)
        inside = container.place.start(
            container.q, sys.executable, str(HERE / "plain_writer.py"), str(container.q.db)
        )
        assert inside.stdout.readline() == b"ready\n"
        at_random(chance, 0.05, inside)
        kill(inside)
        try:
            with connected(host.db) as connection:
                change = "UPDATE auth_kv SET value = ? WHERE key = ?"
                connection.execute(change, [f"host {number}", TOKEN_KEY])
            script = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); "
            script += "c.execute('SELECT count(*) FROM auth_kv')"
            reader = container.place.start(
                container.q, sys.executable, "-c", script, str(container.q.db)
            )
            finish(reader)
            lost += rows(host)[TOKEN_KEY] != f"host {number}" or not is_sound(host)
        except (sqlite3.DatabaseError, KeyError):  # damaged, or without the row
            lost += 1
    assert lost > 0
    report("K1", "for comparison: SQLite with its journal in the place of our store", number, lost)


def start_over(container, service):
    """A new database in the same file, and no journal beside it."""
    host = container.outside
    for q in (host, container.q):
        for file in q.db.parent.glob("*-journal"):
            file.unlink()
    fresh = host.home / "fresh.sqlite3"
    fresh.unlink(missing_ok=True)
    service.seed(fresh, expires_in=3600)
    host.db.write_bytes(fresh.read_bytes())


# ---- what does not fit ----


def test_an_answer_that_does_not_fit_any_more_is_kept_in_a_file(container, service):
    """It is longer than the old one, and while it is asked for another program takes the room that was
    made for it, and fills the page."""
    host = container.outside
    service.seed(host.db, expires_in=-60)
    shorter = json.dumps({**host.stored(), "access_token": "short"})
    with connected(host.db) as connection:
        connection.execute("UPDATE auth_kv SET value = ? WHERE key = ?", [shorter, TOKEN_KEY])
    container.mount("file")
    service.fault(REFRESH, hold="after")
    process = container.start(*EXPORT)
    service.wait(REFRESH, held=1)
    with connected(host.db) as connection:
        connection.execute("UPDATE auth_kv SET value = rtrim(value)")
        for size in (1000, 100, 10):
            fill(connection, size)
    service.release()
    while not spilled(container.q):
        assert process.poll() is None, finish(process)
    with connected(host.db) as connection:
        connection.execute("DELETE FROM auth_kv WHERE key LIKE 'filler%'")
    code, out, err = finish(process)
    assert code == 0, err
    assert out_token(out) == host.stored()["access_token"]
    assert not spilled(container.q)
    assert service.calls(REFRESH) == 1
    assert is_alive(host)
    report("K1", "no room in the page when the answer is there", 1)


def test_an_answer_much_longer_than_what_it_replaces_has_its_room(container, service):
    """The page of the old one is as good as full when the new one is asked for, then it is full."""
    host = container.outside
    service.seed(host.db, expires_in=-60)
    shorter = json.dumps({**host.stored(), "access_token": "short"})
    with connected(host.db) as connection:
        connection.execute("UPDATE auth_kv SET value = ? WHERE key = ?", [shorter, TOKEN_KEY])
    container.mount("file")
    service.fault(REFRESH, hold="after")
    process = container.start(*EXPORT)
    service.wait(REFRESH, held=1)
    with connected(host.db) as connection:
        for size in (1000, 100, 10):
            fill(connection, size)
    service.release()
    code, out, err = finish(process)
    assert code == 0, err
    assert out_token(out) == host.stored()["access_token"]
    assert not spilled(container.q)
    assert service.calls(REFRESH) == 1
    assert is_alive(host)
    report("K1", "the page is filled while the answer is asked for: its room was kept", 1)


def test_a_page_without_room_for_a_longer_answer_is_found_out_before_it_is_asked_for(
    container, service
):
    host = container.outside
    service.seed(host.db, expires_in=-60)
    with connected(host.db) as connection:
        for size in (1000, 100, 10):
            fill(connection, size)
    container.mount("file")
    before = rows(host)
    code, out, err = container.run(*EXPORT)
    assert (code, out) == (STORE, ""), err
    assert "mount its directory instead" in err
    assert rows(host) == before
    assert service.calls(REFRESH) == 0
    report("K1", "database mounted as a file, its page is full (0 calls)", 1)


def fill(connection, size):
    """Rows of that size, until one opens another page."""
    pages = "PRAGMA page_count"
    before = connection.execute(pages).fetchone()
    number = 0
    while connection.execute(pages).fetchone() == before:
        number += 1
        values = [f"filler {size} {number}", "x" * size]
        connection.execute("BEGIN")
        connection.execute("INSERT INTO auth_kv VALUES (?, ?)", values)
        opened = connection.execute(pages).fetchone() != before
        connection.execute("ROLLBACK" if opened else "COMMIT")
        if opened:
            return


def spoil_with_wal(host):
    with connected(host.db) as connection:
        connection.execute("PRAGMA journal_mode=WAL")


def spoil_with_size(host):
    with connected(host.db) as connection:
        connection.execute("UPDATE auth_kv SET value = printf('%5000s', '') || value")


@pytest.mark.parametrize(
    "row, what, spoil",
    [("K3", "in WAL mode", spoil_with_wal), ("K1", "longer than a page", spoil_with_size)],
)
def test_where_it_cannot_be_saved_in_place_nothing_is_asked(container, service, row, what, spoil):
    host = container.outside
    service.seed(host.db, expires_in=-60)
    spoil(host)
    container.mount("file")
    before = rows(host)
    code, out, err = container.run(*EXPORT)
    assert (code, out) == (STORE, ""), err
    assert "mount its directory instead" in err
    assert rows(host) == before
    assert service.calls(REFRESH) == 0
    report(row, f"database mounted as a file, {what} (0 calls)", 1)


# ---- where nothing can be saved ----


@pytest.mark.parametrize("how", ["directory", "file"])
def test_on_a_read_only_mount_a_valid_token_is_handed_out_and_nothing_asked(
    container, service, how
):
    host = container.outside
    for expires_in, expected in ((3600, 0), (600, 0), (-60, STORE)):
        service.seed(host.db, expires_in=expires_in)
        target = container.mount(how)
        container.seal(target)
        before = rows(host)
        code, out, err = container.run(*EXPORT)
        assert code == expected, err
        assert out_token(out) == (host.stored()["access_token"] if code == 0 else "")
        assert code == 0 or "mount" in err
        assert rows(host) == before
        container.place.run("umount", target)
    assert service.calls(REFRESH) == 0
    report("K4", f"{how} mounted read-only, tokens valid and expired (0 calls)", 3)


def give_away(directory):
    for path in (directory, *directory.rglob("*")):
        os.chown(path, USER, USER)


def as_user(uid):
    return ("setpriv", "--reuid", str(uid), "--regid", str(uid), "--clear-groups")


@needs_root
@needs("setpriv")
def test_somebody_elses_login_is_neither_read_nor_asked_for(container, service):
    host = container.outside
    service.seed(host.db, expires_in=-60)
    container.q.db.parent.mkdir(parents=True)
    give_away(container.q.home)
    container.mount("file")
    code, out, err = container.run(*EXPORT, prefix=as_user(USER))
    assert (code, out) == (STORE, ""), err
    assert "belongs to uid 0 and this is uid 1000" in err
    assert service.calls(REFRESH) == 0
    report("K4", "login of another user (0 calls)", 1)


def test_a_file_in_a_directory_without_write_permission_is_renewed(container, service):
    """As in a container whose own file system is read-only."""
    host = container.outside
    service.seed(host.db, expires_in=-60)
    container.mount("file")
    directory = str(container.q.db.parent)
    shutil.copytree(container.q.db.parent, container.q.home / "below")
    container.place.run("umount", str(container.q.db))
    container.place.run("mount", "--bind", directory, directory)
    container.place.run("mount", "-o", "remount,bind,ro", directory)
    container.mount("file")
    code, out, err = container.run(*EXPORT)
    assert code == 0, err
    assert out_token(out) == host.stored()["access_token"]
    assert is_alive(host)
    report("K4", "database mounted as a file in a read-only container: renewed in place", 1)


# ---- owners ----

IDENTITIES = {
    "root": (),
    "the owner": as_user(USER),
    "the owner as root of a user namespace": (*as_user(USER), "unshare", "--map-root-user"),
}


def state_of(directory):
    return {
        str(file): (file.lstat().st_uid, file.lstat().st_gid, oct(file.lstat().st_mode))
        for file in (directory, *directory.rglob("*"))
    }


@needs_root
@needs("setpriv")
@pytest.mark.parametrize("how", ["directory", "file"])
@pytest.mark.parametrize("who", IDENTITIES)
def test_whoever_renews_it_owners_and_modes_stay(container, service, how, who):
    host = container.outside
    service.seed(host.db, expires_in=-60)
    container.q.db.parent.mkdir(parents=True)
    for q in (host, container.q):
        give_away(q.home)
    before = state_of(host.home)
    container.mount(how)
    code, out, err = container.run(*EXPORT, prefix=IDENTITIES[who])
    assert code == 0, err
    assert out_token(out) == host.stored()["access_token"]
    assert state_of(host.home) == before
    report("K5", f"renewed by {who} in a {how} mount: owners and modes stay", 1)


def without(*capabilities):
    """Root in a container that keeps these from it."""
    dropped = ",".join("-" + name for name in capabilities)
    return ("setpriv", "--bounding-set", dropped, "--inh-caps", dropped)


@pytest.fixture
def users(container, service):
    """The home outside of a user whose login has to be refreshed by root in a container."""
    host = container.outside
    service.seed(host.db, expires_in=-60)
    container.q.db.parent.mkdir(parents=True)
    give_away(host.home)
    return host


@needs_root
@needs("setpriv")
@pytest.mark.parametrize("how", ["directory", "file"])
def test_who_may_not_make_the_database_private_asks_nothing(container, users, service, how):
    users.db.chmod(0o644)
    container.mount(how)
    code, out, err = container.run(*EXPORT, prefix=without("fowner"))
    assert (code, out) == (STORE, ""), err
    assert "cannot be made private" in err
    assert service.calls(REFRESH) == 0
    assert is_alive(users)
    report("K5", f"{how} of another user, open to all, and no right to change that (0 calls)", 1)


@needs_root
@needs("setpriv")
def test_who_would_lock_the_owner_out_asks_nothing(container, users, service):
    container.mount("directory")
    code, out, err = container.run(*EXPORT, prefix=without("chown", "setuid"))
    assert (code, out) == (STORE, ""), err
    assert "run as this user" in err
    assert service.calls(REFRESH) == 0
    report("K5", "directory of another user, and no right to act for him (0 calls)", 1)


@needs_root
@needs("setpriv")
def test_in_wal_mode_the_owner_reads_what_root_saved_without_the_right_to_give(
    container, users, service
):
    with connected(users.db) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
    container.mount("directory")
    code, out, err = container.run(*EXPORT, prefix=without("chown"))
    assert code == 0, err
    assert set(owner for owner, _, _ in state_of(users.db.parent).values()) == {USER}
    assert out_token(out) == users.stored()["access_token"]
    report("K5", "directory of another user in WAL mode, root without CAP_CHOWN: all stays his", 1)


# ---- replaced ----


def test_a_file_that_was_replaced_under_the_mount_is_read_and_never_written(container, service):
    host = container.outside
    for expires_in, expected in ((3600, 0), (-60, STORE)):
        service.seed(host.db, expires_in=expires_in)
        target = container.mount("file")
        old = rows(host)
        other = host.db.with_name("other")
        service.seed(other, expires_in=3600)
        other.replace(host.db)
        before = rows(host)
        assert before != old
        code, out, err = container.run(*EXPORT)
        assert code == expected, err
        assert bool(out) == (code == 0)
        assert code == 0 or "replaced since" in err
        assert rows(host) == before
        container.place.run("umount", target)
    assert service.calls(REFRESH) == 0
    report("K7", "file replaced under the mount, tokens valid and expired (0 calls)", 2)
