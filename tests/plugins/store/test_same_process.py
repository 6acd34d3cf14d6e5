# SPDX-License-Identifier: Apache-2.0
"""Python's sqlite3 and store-sqlite on one database in one process: locks exclude as they should,
seen from inside and from a third process."""

import os
import pathlib
import sqlite3
import subprocess
import sys
import threading

import pytest

from same_process import AGAIN, E_BUSY, OK, Store

LIBRARY = os.environ["AQ_TEST_STORE_SQLITE"]
HERE = pathlib.Path(__file__).parent


def elsewhere(code, path):
    """Run code in a process of its own; what it prints."""
    prelude = (
        "import os, sqlite3, sys\n"
        f"sys.path.insert(0, {str(HERE)!r})\n"
        "from same_process import Store\n"
        "path = sys.argv[1]\n"
        f"store = lambda: Store({LIBRARY!r}, path)\n"
        "db = sqlite3.connect(path, timeout=0, isolation_level=None)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", prelude + code, str(path)], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def can_write_elsewhere(path):
    code = (
        "try:\n    db.execute('BEGIN IMMEDIATE'); print('yes')\n"
        "except sqlite3.OperationalError as e:\n    print(e)\n"
    )
    answer = elsewhere(code, path)
    assert answer in ("yes", "database is locked")
    return answer == "yes"


@pytest.fixture
def path(tmp_path):
    tmp_path.chmod(0o700)
    store = Store(LIBRARY, tmp_path / "data.sqlite3")
    assert store.put(b"T") == OK
    store.close()
    return tmp_path / "data.sqlite3"


@pytest.fixture
def db(path):
    connection = sqlite3.connect(path, timeout=0, isolation_level=None)
    yield connection
    connection.close()


def test_a_lock_of_python_is_still_held_after_we_have_read_and_closed(path, db):
    db.execute("BEGIN IMMEDIATE")
    for _ in range(3):
        store = Store(LIBRARY, path)
        assert store.get() == OK
        assert store.value == b"T"
        assert store.lock() == OK
        store.close()
    assert not can_write_elsewhere(path)
    with open(path, "rb"):  # what any other way of reading would have done
        pass
    assert can_write_elsewhere(path)


def test_a_lock_of_python_keeps_us_out_and_then_lets_us_in(path, db):
    store = Store(LIBRARY, path)
    db.execute("BEGIN EXCLUSIVE")
    db.execute("UPDATE auth_kv SET value = 'python'")
    assert store.get() == E_BUSY
    assert store.put(b"ours") == E_BUSY
    assert store.can_save() == E_BUSY
    db.execute("COMMIT")
    assert store.get() == OK
    assert store.value == b"python"
    assert store.put(b"ours") == OK
    assert db.execute("SELECT value FROM auth_kv").fetchall() == [("ours",)]
    store.close()


def test_python_is_kept_out_while_we_save(path, db):
    db.execute("BEGIN")
    db.execute("SELECT * FROM auth_kv").fetchall()  # our save has to wait for this reader
    result = []

    def save():
        store = Store(LIBRARY, path, busy_ms=5000)
        result.append(store.put(b"ours"))
        store.close()

    thread = threading.Thread(target=save)
    thread.start()
    other = sqlite3.connect(path, timeout=0, isolation_level=None)
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        while thread.is_alive():
            other.execute("BEGIN IMMEDIATE")
            other.execute("ROLLBACK")
    assert not can_write_elsewhere(path)
    db.execute("COMMIT")
    thread.join()
    other.close()
    assert result == [OK]
    assert db.execute("SELECT value FROM auth_kv").fetchall() == [("ours",)]


def test_the_refresh_lock_survives_whatever_python_does_with_the_file(path, db):
    store = Store(LIBRARY, path)
    assert store.lock() == OK
    db.execute("UPDATE auth_kv SET value = 'python'")
    with open(path, "r+b"):
        pass
    assert store.get() == OK
    assert store.put(b"ours") == OK
    assert elsewhere("print(store().lock())", path) == str(AGAIN)
    store.unlock()
    assert elsewhere("print(store().lock())", path) == str(OK)
    store.close()


def test_in_wal_mode_each_sees_what_the_other_saved(path, db):
    store = Store(LIBRARY, path)
    assert db.execute("PRAGMA journal_mode=WAL").fetchone() == ("wal",)
    db.execute("BEGIN IMMEDIATE")
    db.execute("UPDATE auth_kv SET value = 'python'")
    assert store.get() == OK
    assert store.value == b"T"
    assert store.put(b"ours") == E_BUSY
    assert not can_write_elsewhere(path)
    db.execute("COMMIT")
    assert store.get() == OK
    assert store.value == b"python"
    assert store.put(b"ours") == OK
    assert db.execute("SELECT value FROM auth_kv").fetchall() == [("ours",)]
    store.close()
    assert elsewhere("print(*db.execute('SELECT value FROM auth_kv').fetchone())", path) == "ours"


def test_a_child_made_by_fork_works_and_leaves_both_locks_alone(path, db):
    store = Store(LIBRARY, path)
    assert store.get() == OK
    assert store.lock() == OK
    db.execute("BEGIN IMMEDIATE")
    pid = os.fork()
    if pid == 0:
        child = Store(LIBRARY, path)
        good = store.get() == -4 and child.get() == OK and child.lock() == AGAIN
        good = good and child.put(b"x") == E_BUSY
        store.close()
        child.close()
        os._exit(0 if good else 1)
    assert os.waitpid(pid, 0)[1] == 0
    assert not can_write_elsewhere(path)
    assert elsewhere("print(store().lock())", path) == str(AGAIN)
    db.execute("COMMIT")
    store.close()
