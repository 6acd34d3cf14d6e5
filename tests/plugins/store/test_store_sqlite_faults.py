# SPDX-License-Identifier: Apache-2.0
"""What is done to store-sqlite from outside: each system call of a save fails or is its last, and the
database was damaged or made by somebody hostile. scripts/reliability leaves no system call out."""

import hashlib
import json
import os
import pathlib
import random
import re
import resource
import shutil
import sqlite3
import subprocess

import pytest

DRIVER = os.environ["AQ_TEST_STORE_DRIVER"]
LONG = int(os.environ.get("AQ_RELIABILITY_ROUNDS", "0"))
REPORT = os.environ.get("AQ_RELIABILITY_REPORT")
DAMAGED = 10 * LONG or 20  # databases with random bytes in them
RUNS = 160  # of failing system calls, unless all are asked for
KILLS = 2 * LONG  # at least, of each kind of save; ten kinds make 1000 in the long form
FEW_KILLS = 5
SECONDS = 10 if os.environ.get("AQ_TEST_SANITIZED") else 1  # of processor time, for any read
OLD, NEW = "old" * 400, "new" * 1300  # the new one takes a page more

OK = 0
E_NOTFOUND, E_BUSY, E_READONLY, E_DENIED, E_CORRUPT, E_IO = -10, -12, -13, -14, -15, -16

ERRORS = {
    "openat": ["EACCES", "EIO", "EMFILE", "ENOSPC", "EROFS"],
    "pread64": ["EIO"],
    "pwrite64": ["EIO", "ENOSPC"],
    "fsync": ["EIO", "ENOSPC"],
    "fdatasync": ["EIO", "ENOSPC"],
    "unlink": ["EACCES", "EIO", "EROFS"],
    "fcntl": ["EIO", "ENOLCK"],
    "ftruncate": ["EIO"],
    "fallocate": ["EIO", "ENOSPC"],
    "newfstatat": ["EACCES", "EIO"],
}
EXPECTED = [OK, E_BUSY, E_READONLY, E_DENIED, E_IO]
if os.environ.get("AQ_TEST_SQLITE") == "system":
    EXPECTED.append(E_CORRUPT)  # what SQLite makes of EIO, where its reads cannot be watched
WRITES = ["pwrite64", "fsync", "fdatasync", "unlink", "ftruncate"]


def strace_works():
    command = ["strace", "-f", "--seccomp-bpf", "-qq", "-e", "trace=close", "-o", "/dev/null", "true"]
    try:
        return subprocess.run(command).returncode == 0
    except OSError:
        return False


needs_strace = pytest.mark.skipif(
    bool(os.environ.get("AQ_TEST_SANITIZED")) or not strace_works(),
    reason="needs strace, which a sanitizer excludes",
)


def report(row, injected, times):
    """One line of docs/reliability.md; a test calls it last, when everything has held."""
    if REPORT:
        line = {"row": row, "injected": injected, "times": times, "lost": "0"}
        with open(REPORT, "a") as file:
            file.write(json.dumps(line) + "\n")


@pytest.fixture
def path(tmp_path):
    tmp_path.chmod(0o700)
    return tmp_path / "data.sqlite3"


def run(*args, prefix=()):
    """What the driver did: {operation: (status, text)}, and its end."""
    command = [*prefix, DRIVER, *map(str, args)]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=20)
    steps = re.findall(r"^(\w+) (-?\d+) (.*)$", done.stdout, re.MULTILINE)
    return {what: (int(status), text) for what, status, text in steps}, done


def make(path, *more):
    path.unlink(missing_ok=True)
    db = sqlite3.connect(path)
    db.executescript(SCHEMA)
    for statement in more:
        db.execute(statement)
    db.commit()
    db.close()
    path.chmod(0o600)


SCHEMA = """
    CREATE TABLE migrations (id INTEGER PRIMARY KEY, version INTEGER NOT NULL,
        migration_time INTEGER NOT NULL);
    CREATE TABLE auth_kv (key TEXT PRIMARY KEY, value TEXT);
    CREATE TABLE conversations (key TEXT PRIMARY KEY, value TEXT);
    CREATE TABLE state (key TEXT PRIMARY KEY, value BLOB);
    INSERT INTO migrations (version, migration_time) VALUES (0,1),(1,1),(2,1),(3,1),(4,1),(5,1),
        (6,1),(7,1);
"""


def value_of(path):
    """The value as another program finds it, after whatever happened; None where there is none."""
    for name in (path, f"{path}-journal", f"{path}-wal", f"{path}-shm"):
        assert not os.path.exists(name) or os.stat(name).st_mode & 0o77 == 0
    if not path.exists():
        return None
    db = sqlite3.connect(path, timeout=0)
    assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    tables = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    row = db.execute("SELECT value FROM auth_kv WHERE key = 'k'").fetchone() if tables else None
    db.close()
    return row[0] if row else None


def calls_of_a_save(prepare, path, names, pairs=("k", NEW)):
    """[(name, n)]: each of these system calls between the two markers, counted from the start."""
    log = path.parent / "strace.log"
    prepare(path)
    trace = ",".join(["access", *names])
    steps, _ = run("save", path, *pairs, prefix=tracing(log, trace))
    assert steps["commit"][0] == OK
    seen, calls, markers = {}, [], 0
    for line in log.read_text().splitlines():
        name = re.match(r"\d+ +(\w+)\(", line)
        if not name:
            continue
        markers += "store_driver-marker" in line
        seen[name[1]] = seen.get(name[1], 0) + 1
        if markers == 1 and name[1] in names:
            calls.append((name[1], seen[name[1]]))
    assert markers == 2
    return calls


def tracing(log, trace, *inject):
    return ["strace", "-f", "--seccomp-bpf", "-qq", "-o", str(log), "-e", f"trace={trace}", *inject]


def injecting(log, call, n, fault):
    slow = [option for option in tracing(log, call) if option != "--seccomp-bpf" or "KILL" not in fault]
    return [*slow, "-e", f"inject={call}:{fault}:when={n}"]


def nothing(path):
    shutil.rmtree(path.parent / "data.sqlite3-journal", ignore_errors=True)
    path.unlink(missing_ok=True)


def a_login(path):
    make(path, f"INSERT INTO auth_kv VALUES ('k', '{OLD}')")


@needs_strace
def test_a_save_whose_system_calls_fail_is_done_or_an_error_and_never_both(path):
    calls = calls_of_a_save(a_login, path, list(ERRORS))
    matrix = [(call, n, error) for call, n in calls for error in ERRORS[call]]
    if not LONG and len(matrix) > RUNS:
        matrix = random.Random(1).sample(matrix, RUNS)
    wrong, failed = [], 0
    for call, n, error in matrix:
        a_login(path)
        prefix = injecting(path.parent / "log", call, n, f"error={error}")
        steps, done = run("save", path, "k", NEW, prefix=prefix)
        trouble = what_is_wrong(steps, done) or (
            "others read another value" if value_of(path) != steps["after"][1] else None
        )
        if trouble:
            short = {what: (status, text[:100]) for what, (status, text) in steps.items()}
            wrong.append((trouble, call, n, error, short, done.stderr))
        failed += any(status < 0 for status, _ in steps.values())
    assert not wrong
    assert failed > len(matrix) // 4  # else nothing was injected
    report("S2", "each system call of a save fails, injected with strace", len(matrix))


def what_is_wrong(steps, done):
    if done.returncode != 0 or "after" not in steps:
        return f"ended with {done.returncode}"
    for what in ("before", "can_save", "commit"):
        if steps[what][0] not in EXPECTED:
            return f"{what} says {steps[what][0]}"
    if steps["before"][0] == OK and steps["before"][1] != OLD:
        return "read another value before the save"
    if steps["after"][0] != OK:
        return "cannot be read afterwards"
    if steps["after"][1] not in (OLD, NEW):
        return "neither the old nor the new value"
    if steps["commit"][0] == OK and steps["after"][1] != NEW:
        return "acknowledged and not saved"
    return None


def grown(path):
    """Tables of several pages, and free pages between them."""
    make(path, *(f"INSERT INTO conversations VALUES ({n}, '{NEW}')" for n in range(20)))
    db = sqlite3.connect(path)
    db.executemany("INSERT INTO auth_kv VALUES (?, ?)", [(f"a{n}", OLD) for n in range(20)])
    db.execute("INSERT INTO auth_kv VALUES ('k', ?)", [OLD])
    db.execute("DELETE FROM conversations WHERE key % 2")
    db.commit()
    db.close()


def in_wal_mode(prepare):
    def prepare_wal(path):
        for name in (f"{path}-wal", f"{path}-shm"):
            pathlib.Path(name).unlink(missing_ok=True)
        prepare(path)
        db = sqlite3.connect(path)
        assert db.execute("PRAGMA journal_mode=WAL").fetchone() == ("wal",)
        db.close()

    return prepare_wal


DATABASES = {
    "none yet": nothing,
    "one login": a_login,
    "one login, WAL": in_wal_mode(a_login),
    "many rows": grown,
    "many rows, WAL": in_wal_mode(grown),
}
CHANGES = {"one change": ["k"], "three changes": ["k", "codewhisperer:odic:token", "auth.idc.region"]}


def values_of(path, keys):
    """What another program finds of these keys, after whatever happened: one value, or several."""
    value_of(path)
    if not path.exists():
        return {None}
    db = sqlite3.connect(path, timeout=0)
    tables = [t for (t,) in db.execute("SELECT name FROM sqlite_master")]
    found = {}
    for table in {"auth_kv", "state"} & set(tables):
        found.update(db.execute(f"SELECT key, value FROM {table}"))
    db.close()
    return {found.get(key) for key in keys}


@needs_strace
@pytest.mark.parametrize("changes", CHANGES)
@pytest.mark.parametrize("database", DATABASES)
def test_a_save_killed_before_any_write_leaves_the_old_or_the_new_values(path, database, changes):
    prepare, keys = DATABASES[database], CHANGES[changes]
    pairs = [word for key in keys for word in (key, NEW)]
    prepare(path)
    old = values_of(path, keys)
    places = calls_of_a_save(prepare, path, WRITES, pairs)
    assert len(places) > 10
    if LONG:
        kills = places * -(-KILLS // len(places))
    else:
        kills = random.Random(1).sample(places, FEW_KILLS)
    for call, n in kills:
        prepare(path)
        log = path.parent / "log"
        steps, done = run("save", path, *pairs, prefix=injecting(log, call, n, "signal=KILL"))
        context = (call, n, steps)
        assert done.returncode != 0, context  # so it was killed
        left = values_of(path, keys)
        assert left in (old, {NEW}), context
        assert "commit" not in steps or left == {NEW}, context
        again, _ = run("save", path, "k", "third")
        assert again["commit"][0] == OK and value_of(path) == "third", (context, again)
    what = f"writer killed in front of each of {len(places)} writes, syncs, unlinks"
    report("S3", f"{what}; {changes}, {database}", len(kills))


# Damaged and hostile databases. What is to be read is VALUE, or nothing.

VALUE = "v" * 3000


def flipped(path, seed):
    """Forty random bytes, in one part of the file: header, schema, tree pages, or anywhere."""
    rng = random.Random(seed)
    data = bytearray(path.read_bytes())
    start, end = [(0, 100), (100, 4096), (4096, len(data)), (0, len(data))][seed % 4]
    for _ in range(40 if seed % 4 else 3):
        data[rng.randrange(start, end)] = rng.randrange(256)
    path.write_bytes(data)


def with_freelist(path):
    make(path, LOGIN, *(f"INSERT INTO conversations VALUES ({n}, '{VALUE}')" for n in range(20)))
    db = sqlite3.connect(path)
    db.execute("DELETE FROM conversations")
    db.commit()
    db.close()


def freelist_broken(path, seed):
    with_freelist(path)
    data = bytearray(path.read_bytes())
    trunk = int.from_bytes(data[32:36], "big")
    assert trunk
    fields = [(32, 4), (36, 4), ((trunk - 1) * 4096, 4), ((trunk - 1) * 4096 + 4, 4)]
    at, size = fields[seed % 4]
    data[at : at + size] = [b"\xff" * 4, bytes(4), trunk.to_bytes(4, "big")][seed % 3]
    path.write_bytes(data)


def cut(path, pages):
    path.write_bytes(path.read_bytes()[: pages * 4096 + (pages % 2) * 1000])


LOGIN = f"INSERT INTO auth_kv VALUES ('k', '{VALUE}')"
TAKE_AWAY = "DROP TABLE auth_kv"
STATEMENTS = {
    "view": [TAKE_AWAY, "CREATE VIEW auth_kv AS SELECT 'k' AS key, 'evil' AS value"],
    "view of itself": [TAKE_AWAY, "CREATE VIEW auth_kv AS SELECT key, value FROM auth_kv"],
    "endless view": [
        TAKE_AWAY,
        "CREATE VIEW auth_kv AS WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c)"
        " SELECT 'k' AS key, n AS value FROM c",
    ],
    "virtual": [TAKE_AWAY, "CREATE VIRTUAL TABLE auth_kv USING fts4(key, value)"],
    "triggers": [
        LOGIN,
        "CREATE TRIGGER t AFTER UPDATE ON auth_kv BEGIN DELETE FROM auth_kv; END",
        "CREATE TRIGGER u AFTER INSERT ON auth_kv BEGIN DELETE FROM auth_kv; END",
    ],
    "generated": [
        TAKE_AWAY,
        "CREATE TABLE auth_kv (key TEXT PRIMARY KEY, value TEXT AS (upper('evil') || key))",
        "INSERT INTO auth_kv (key) VALUES ('k')",
    ],
    "endless generated": [
        TAKE_AWAY,
        "CREATE TABLE auth_kv (key TEXT PRIMARY KEY,"
        " value TEXT AS (printf('%.*c', 900000000, 'x')))",
        "INSERT INTO auth_kv (key) VALUES ('k')",
    ],
    "without rowid": [
        TAKE_AWAY,
        "CREATE TABLE auth_kv (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID",
        LOGIN,
    ],
    "no primary key": [TAKE_AWAY, "CREATE TABLE auth_kv (key TEXT, value TEXT)", LOGIN],
    "two rows": [TAKE_AWAY, "CREATE TABLE auth_kv (key TEXT, value TEXT)", LOGIN, LOGIN],
    "other columns": [TAKE_AWAY, "CREATE TABLE auth_kv (name TEXT, content TEXT)"],
    "one column": [TAKE_AWAY, "CREATE TABLE auth_kv (key TEXT)"],
    "capitals": [TAKE_AWAY, "CREATE TABLE AUTH_KV (KEY TEXT PRIMARY KEY, VALUE TEXT)", LOGIN],
    "collation": [
        TAKE_AWAY,
        "CREATE TABLE auth_kv (key TEXT COLLATE NOCASE PRIMARY KEY, value TEXT)",
        LOGIN,
    ],
    "huge": ["INSERT INTO auth_kv VALUES ('k', hex(zeroblob(2000000)))"],
    "huge key": ["INSERT INTO auth_kv VALUES (hex(zeroblob(2000000)), 'v')", LOGIN],
    "blob": ["INSERT INTO auth_kv VALUES ('k', x'7b7d')"],
    "integer": ["CREATE TABLE x (v)", TAKE_AWAY, "CREATE TABLE auth_kv (key PRIMARY KEY, value)",
                "INSERT INTO auth_kv VALUES ('k', 42)"],
    "null": ["INSERT INTO auth_kv VALUES ('k', NULL)"],
    "blob key": ["INSERT INTO auth_kv VALUES (CAST('k' AS BLOB), 'evil')"],
    "NUL inside": ["INSERT INTO auth_kv VALUES ('k', 'a' || char(0) || 'b')"],
    "not UTF-8": ["INSERT INTO auth_kv VALUES ('k', CAST(x'c328ff' AS TEXT))"],
    "index that calls": [LOGIN, "CREATE INDEX i ON auth_kv (abs(length(value)))"],
    "partial index": [LOGIN, "CREATE INDEX i ON auth_kv (value) WHERE key = 'k'"],
    "check": [
        TAKE_AWAY,
        "CREATE TABLE auth_kv (key TEXT PRIMARY KEY, value TEXT CHECK (length(value) > 5))",
        LOGIN,
    ],
    "state view": ["DROP TABLE state", "CREATE VIEW state AS SELECT 'k' AS key, 'evil' AS value"],
    "state without rowid": [
        "DROP TABLE state",
        "CREATE TABLE state (key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID",
        LOGIN,
    ],
}


def schema_written(path, sql):
    """A schema that SQLite itself would not have taken."""
    make(path, LOGIN)
    db = sqlite3.connect(path)
    db.execute("PRAGMA writable_schema=ON")
    db.execute(sql)
    db.commit()
    db.close()


SCHEMAS = [
    "UPDATE sqlite_master SET sql = 'CREATE TABLE auth_kv (' || hex(zeroblob(60000)) || ')'",
    "UPDATE sqlite_master SET sql = 'garbage' WHERE name = 'auth_kv'",
    "UPDATE sqlite_master SET rootpage = 9999 WHERE name = 'auth_kv'",
    "UPDATE sqlite_master SET rootpage = 1 WHERE name = 'auth_kv'",
    "UPDATE sqlite_master SET rootpage = 0 WHERE name = 'sqlite_autoindex_auth_kv_1'",
    "UPDATE sqlite_master SET type = 'view' WHERE name = 'auth_kv'",
    "UPDATE sqlite_master SET sql = 'CREATE TABLE auth_kv (key PRIMARY KEY, value DEFAULT"
    " (load_extension(\"/tmp/x\")))' WHERE name = 'auth_kv'",
]


def utf16(path):
    path.unlink(missing_ok=True)
    db = sqlite3.connect(path)
    db.executescript("PRAGMA encoding = 'UTF-16be';" + SCHEMA + LOGIN)
    db.close()
    path.chmod(0o600)


def cases():
    for seed in range(DAMAGED):
        yield f"flipped {seed}", lambda p, seed=seed: (make(p, LOGIN), flipped(p, seed))
    for seed in range(8):
        yield f"freelist {seed}", lambda p, seed=seed: freelist_broken(p, seed)
    for pages in range(10):
        yield f"cut {pages}", lambda p, pages=pages: (make(p, LOGIN), cut(p, pages))
    for sql in SCHEMAS:
        yield f"schema {sql}", lambda p, sql=sql: schema_written(p, sql)
    for name, statements in STATEMENTS.items():
        yield name, lambda p, statements=statements: make(p, *statements)
    yield "UTF-16", utf16


def processor_time():
    """Of all programs that have ended, in seconds."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_a_damaged_or_hostile_database_is_an_error_or_the_value_and_stays_as_it_is(path):
    wrong, count, read = [], 0, 0
    for name, prepare in cases():
        prepare(path)
        path.chmod(0o600)
        digest = hashlib.sha256(path.read_bytes()).digest()
        for args in (["get", path, "k"], ["list", path], ["get", path, "auth.idc.region"]):
            start = processor_time()
            steps, done = run(*args)
            seconds = processor_time() - start
            status, text = steps.get(args[0], (None, ""))
            if done.returncode != 0 or status not in (OK, E_NOTFOUND, E_CORRUPT, E_IO):
                wrong.append((name, args[0], done.returncode, status, text[:100], done.stderr[:2000]))
            if status == OK and "evil" in text.lower():
                wrong.append((name, args[0], "believed", text[:100]))
            if seconds > SECONDS:
                wrong.append((name, args[0], "took", seconds))
            read += args[0] == "get" and text == VALUE
        if hashlib.sha256(path.read_bytes()).digest() != digest or len(list(path.parent.iterdir())) != 1:
            wrong.append((name, "changed", sorted(p.name for p in path.parent.iterdir())))
        steps, done = run("save", path, "k", NEW)
        if done.returncode != 0 or "commit" not in steps:
            wrong.append((name, "save", done.returncode, done.stderr[:2000]))
        elif steps["commit"][0] == OK and steps["after"] != (OK, NEW):
            wrong.append((name, "acknowledged and not saved", steps["after"][0], steps["after"][1][:100]))
        for other in path.parent.iterdir():
            other.unlink()
        count += 1
    assert not wrong
    assert count >= 60 and read >= 10
    report("S8", "database damaged, cut, or made by somebody hostile", count)
