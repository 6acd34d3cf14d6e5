/* SPDX-License-Identifier: Apache-2.0 */
/* What store-sqlite promises when a system call fails: every operation, wherever the database is
 * in its life, with the n-th call of each kind failing for n = 1, 2, ... until there is none. */
#include "calls.h"
#include "child.h"
#include "instance.h"
#include "rounds.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define OLD "the old value"

enum {
    NEW_LEN = 3900, /* takes a page more */
    ERRORS_MAX = 6,
    STRIDE = 7, /* from call to call, where not all are tried */
    /* the bytes that SQLite's locks are on */
    SQLITE_LOCKS = 0x40000000,
    SQLITE_LOCKS_LEN = 512,
};

static char new_value[NEW_LEN + 1];

static const int errors[CALL_KINDS][ERRORS_MAX] = {
    [CALL_OPEN] = { EACCES, EIO, EMFILE, ENOSPC, EPERM, EROFS },
    [CALL_OPEN_STREAM] = { EACCES, EMFILE, ENOENT, ENOMEM, EPERM },
    [CALL_STAT] = { EACCES, EIO },
    [CALL_ACCESS] = { EACCES, EIO, EROFS },
    [CALL_READLINK] = { EACCES, EIO },
    [CALL_MKDIR] = { EACCES, EDQUOT, EEXIST, ENOSPC, EROFS },
    [CALL_UNLINK] = { EACCES, EIO, EROFS },
    [CALL_CHMOD] = { EIO, EPERM, EROFS },
    [CALL_CONTROL] = { EAGAIN, EINVAL, EIO, ENOLCK },
    [CALL_READ] = { EINTR, EIO },
    [CALL_WRITE] = { EDQUOT, EINTR, EIO, ENOSPC },
    [CALL_TRUNCATE] = { EINTR, EIO },
    [CALL_ALLOCATE] = { EIO, ENOSPC, EOPNOTSUPP },
    [CALL_SYNC] = { EIO, ENOSPC },
    [CALL_MAP] = { ENOMEM },
};

/* the call that fails */

static struct {
    enum call_kind kind;
    int sys;
    unsigned at; /* the how manieth of its kind */
    bool from_then_on;
    unsigned seen;
} fault;

/* To let go of a lock does not fail. */
static bool is_unlocking(const struct call *c)
{
    return c->kind == CALL_CONTROL && c->flags == F_OFD_SETLK &&
           ((const struct flock *)c->bytes)->l_type == F_UNLCK;
}

static bool proc_is_hidden;

static bool is_in_proc(const struct call *c)
{
    return c->kind == CALL_OPEN && strncmp(c->path, "/proc/", 6) == 0;
}

static int refuse(const struct call *c)
{
    if (proc_is_hidden && is_in_proc(c)) {
        return ENOENT;
    }
    if (c->kind != fault.kind || is_unlocking(c)) {
        return 0;
    }
    fault.seen++;
    bool hit = fault.from_then_on ? fault.seen >= fault.at : fault.seen == fault.at;
    return hit ? fault.sys : 0;
}

/* a database, and a store on it */

struct fixture {
    char *dir;
    char path[600]; /* as it is given to the store */
    struct instance store;
};

static void sql(const char *path, const char *text)
{
    sqlite3 *db;
    char *message = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, text, NULL, NULL, &message) != SQLITE_OK) {
        fail_msg("%s: %s", text, message);
    }
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* Locks that are refused are not waited for long. */
static void open_store(struct fixture *f)
{
    const struct plugin_setting settings[] = { { "path", f->path },
                                               { "busy_timeout_ms", "2" },
                                               { NULL, NULL } };
    instance_open(&f->store, "store-sqlite", settings);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    if (access("/dev/shm", W_OK | X_OK) == 0) {
        setenv("TMPDIR", "/dev/shm", 1); /* thousands of saves, none of them worth a disk */
    }
    f->dir = dir_make();
    snprintf(f->path, sizeof(f->path), "%s/data.sqlite3", f->dir);
    memset(new_value, 'n', NEW_LEN);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    dir_remove(f->dir);
    free(f);
    return 0;
}

/* operations */

typedef aq_status operation_fn(struct fixture *f);

static aq_status get(struct fixture *f)
{
    return instance_get(&f->store, "k");
}

static aq_status list(struct fixture *f)
{
    return instance_list(&f->store);
}

static aq_status put(struct fixture *f)
{
    return instance_put(&f->store, "k", new_value);
}

static aq_status swap(struct fixture *f)
{
    return instance_swap(&f->store, "k", OLD, new_value);
}

static aq_status drop(struct fixture *f)
{
    return instance_remove(&f->store, "k");
}

static aq_status can_save(struct fixture *f)
{
    return f->store.ops->can_save(f->store.self, &f->store.err);
}

static aq_status lock(struct fixture *f)
{
    aq_status status = f->store.ops->lock(f->store.self, &f->store.err);
    f->store.ops->unlock(f->store.self);
    return status;
}

/* What a refresh does. */
static aq_status renew(struct fixture *f)
{
    aq_status status = f->store.ops->lock(f->store.self, &f->store.err);
    if (status == AQ_OK) {
        status = can_save(f);
    }
    if (status == AQ_OK) {
        status = swap(f);
    }
    f->store.ops->unlock(f->store.self);
    return status;
}

struct operation {
    const char *name;
    operation_fn *run;
    const char *after; /* value of k when it succeeded; NULL: no such key */
};

/* ctest is content with the first few, which make all the calls there are. */
static const struct operation operations[] = {
    { "get", get, OLD },           { "put", put, new_value }, { "renew", renew, new_value },
    { "can_save", can_save, OLD }, { "list", list, OLD },     { "swap", swap, new_value },
    { "remove", drop, NULL },      { "lock", lock, OLD },
};
enum { OPERATIONS = sizeof(operations) / sizeof(operations[0]), OPERATIONS_SHORT = 4 };

/* scenes */

static void make_login(struct fixture *f)
{
    sql(f->path, STORE_SCHEMA "INSERT INTO auth_kv VALUES ('k', '" OLD "')");
    assert_int_equal(chmod(f->path, 0600), 0);
}

static void make_nothing(struct fixture *f)
{
    snprintf(f->path, sizeof(f->path), "%s/a/b/data.sqlite3", f->dir);
}

static void make_readable(struct fixture *f)
{
    make_login(f);
    assert_int_equal(chmod(f->path, 0644), 0);
}

static void make_in_wal_mode(struct fixture *f)
{
    make_login(f);
    sql(f->path, "PRAGMA journal_mode=WAL");
}

static void make_behind_link(struct fixture *f)
{
    make_login(f);
    char link_path[600];
    snprintf(link_path, sizeof(link_path), "%s/link", f->dir);
    assert_int_equal(symlink(f->dir, link_path), 0);
    snprintf(f->path, sizeof(f->path), "%s/link/data.sqlite3", f->dir);
}

static void abandon(void *arg)
{
    const struct fixture *f = arg;
    sqlite3 *db;
    REQUIRE(sqlite3_open(f->path, &db) == SQLITE_OK);
    REQUIRE(sqlite3_exec(db,
                         "PRAGMA cache_size=2; BEGIN; UPDATE auth_kv SET value = 'uncommitted';"
                         "INSERT INTO conversations SELECT column1, hex(zeroblob(20000))"
                         " FROM (VALUES (1), (2), (3))",
                         NULL, NULL, NULL) == SQLITE_OK);
    _exit(0);
}

/* Pages are changed on disk, and the journal knows the old ones. */
static void make_interrupted(struct fixture *f)
{
    make_login(f);
    assert_int_equal(child_end(child_start(abandon, f)), 0);
    char journal[650];
    snprintf(journal, sizeof(journal), "%s-journal", f->path);
    assert_int_equal(access(journal, F_OK), 0);
}

static void make_again(struct fixture *f)
{
    make_login(f);
    instance_open_sqlite(&f->store, f->path);
    assert_int_equal(get(f), AQ_OK);
    assert_int_equal(swap(f), AQ_OK);
    assert_int_equal(instance_put(&f->store, "k", OLD), AQ_OK);
    instance_close(&f->store);
}

static void make_without_proc(struct fixture *f)
{
    make_login(f);
    proc_is_hidden = true;
}

static int refuse_to_open_for_writing(const struct call *c)
{
    return c->kind == CALL_OPEN && (c->flags & O_ACCMODE) == O_RDWR ? EROFS : 0;
}

/* Its descriptor for locks has to be opened again before it can be written. */
static void make_read_only_once(struct fixture *f)
{
    make_login(f);
    open_store(f);
    calls_refuse = refuse_to_open_for_writing;
    assert_int_equal(get(f), AQ_OK);
    calls_refuse = NULL;
    instance_close(&f->store);
}

struct scene {
    const char *name;
    void (*make)(struct fixture *f);
    const char *value; /* of k; NULL: nothing is there */
};

static const struct scene scenes[] = {
    { "first use", make_login, OLD },
    { "later use", make_again, OLD },
    { "nothing there", make_nothing, NULL },
    { "readable by others", make_readable, OLD },
    { "in WAL mode", make_in_wal_mode, OLD },
    { "behind a link", make_behind_link, OLD },
    { "interrupted save", make_interrupted, OLD },
    { "without /proc", make_without_proc, OLD },
    { "read-only once", make_read_only_once, OLD },
};
enum { SCENES = sizeof(scenes) / sizeof(scenes[0]), SCENES_SHORT = 3 };

/* rounds */

struct round {
    const struct scene *scene;
    const struct operation *operation;
};

static const char *describe(const struct round *r)
{
    static char text[200];
    snprintf(text, sizeof(text), "%s, %s, call %u of kind %d fails with %s%s", r->operation->name,
             r->scene->name, fault.at, (int)fault.kind, strerror(fault.sys),
             fault.from_then_on ? " and all after it" : "");
    return text;
}

#define EXPECT(condition) \
    do { \
        if (!(condition)) { \
            fail_msg("%s: not so: %s (%d '%s', value '%.20s')", describe(r), #condition, \
                     (int)status, f->store.err.text, f->store.value); \
        } \
    } while (0)

static bool holds(struct fixture *f, const char *expected)
{
    aq_status status = get(f);
    if (!expected) {
        return status == AQ_E_NOTFOUND;
    }
    return status == AQ_OK && strcmp(f->store.value, expected) == 0;
}

/* Whether anybody has a lock of SQLite's on the file; in WAL mode readers keep one. */
static bool is_locked(const char *path, bool wal)
{
    short type = wal ? F_RDLCK : F_WRLCK;
    struct flock probe = { .l_type = type, .l_start = SQLITE_LOCKS, .l_len = SQLITE_LOCKS_LEN };
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    assert_int_equal(fcntl(fd, F_OFD_GETLK, &probe), 0);
    assert_int_equal(close(fd), 0);
    return probe.l_type != F_UNLCK;
}

static int keep_text(void *ret, int count, char **values, char **names)
{
    (void)count;
    (void)names;
    snprintf(ret, 64, "%s", values[0]);
    return 0;
}

static int keep_value(void *ret, int count, char **values, char **names)
{
    (void)count;
    (void)names;
    snprintf(ret, NEW_LEN + 100, "%s", values[0]);
    return 0;
}

static bool is_sound(const char *path)
{
    sqlite3 *db;
    char text[64] = "";
    if (access(path, F_OK) != 0) {
        return true;
    }
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    int rc = sqlite3_exec(db, "PRAGMA integrity_check", keep_text, text, NULL);
    sqlite3_close(db);
    return rc == SQLITE_OK && strcmp(text, "ok") == 0;
}

static int count_descriptors(void)
{
    int count = 0;
    DIR *dir = opendir("/proc/self/fd");
    assert_non_null(dir);
    while (readdir(dir)) {
        count++;
    }
    closedir(dir);
    return count;
}

/* Remove everything; deleted files are closed when the next one is opened. */
static void clear(struct fixture *f)
{
    char *dir = strdup(f->dir);
    proc_is_hidden = false;
    assert_non_null(dir);
    dir_remove(dir);
    assert_int_equal(mkdir(f->dir, 0700), 0);
    snprintf(f->path, sizeof(f->path), "%s/data.sqlite3", f->dir);
    int fd = open(f->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
    instance_open_sqlite(&f->store, f->path);
    assert_int_equal(get(f), AQ_E_NOTFOUND);
    instance_close(&f->store);
    assert_int_equal(unlink(f->path), 0);
}

static bool is_excuse(aq_status status)
{
    return status == AQ_E_IO || status == AQ_E_DENIED || status == AQ_E_READONLY ||
           status == AQ_E_BUSY || status == AQ_E_NOMEM || status == AQ_E_UNSUPPORTED ||
           status == AQ_AGAIN;
}

static void check_after(struct fixture *f, const struct round *r, aq_status status)
{
    const char *after = r->scene->value || r->operation->run == put ? r->operation->after : NULL;
    bool nothing = !r->scene->value && (status == AQ_E_NOTFOUND || status == AQ_E_CHANGED);
    EXPECT(status == AQ_OK || nothing || is_excuse(status));
    if (r->operation->run == get && status == AQ_OK) {
        EXPECT(strcmp(f->store.value, OLD) == 0);
    }
    bool wal = r->scene->make == make_in_wal_mode;
    EXPECT(!is_locked(f->path, wal));
    if (status == AQ_OK) {
        EXPECT(holds(f, after));
    } else {
        EXPECT(holds(f, r->scene->value) || holds(f, after));
    }
    EXPECT(!is_excuse(r->operation->run(f)));
    EXPECT(is_sound(f->path));
}

/* false when the operation makes fewer calls of that kind. */
static bool play(struct fixture *f, const struct round *r)
{
    int descriptors = count_descriptors();
    r->scene->make(f);
    open_store(f);
    fault.seen = 0;
    calls_refuse = refuse;
    aq_status status = r->operation->run(f);
    calls_refuse = NULL;
    check_after(f, r, status);
    instance_close(&f->store);
    clear(f);
    /* one that may be of a database nobody asked for is kept, so that nobody's lock is dropped */
    if (count_descriptors() != descriptors && r->scene->make != make_read_only_once) {
        fail_msg("%s: %d descriptors leaked", describe(r), count_descriptors() - descriptors);
    }
    return fault.seen >= fault.at;
}

/* Every other call of that kind, with another error each time; in the long form all, with each
 * error. */
static unsigned play_kind(struct fixture *f, const struct round *r, enum call_kind kind)
{
    static unsigned next;
    const unsigned step = rounds_are_long() ? 1 : 2;
    unsigned count = 0, kinds = 0;
    if (kind == CALL_CONTROL && fault.from_then_on && r->scene->make == make_in_wal_mode) {
        return 0; /* SQLite itself tries for ten seconds to get a lock of WAL mode */
    }
    while (kinds < ERRORS_MAX && errors[kind][kinds]) {
        kinds++;
    }
    for (unsigned turn = 0; turn < (rounds_are_long() ? kinds : 1); turn++) {
        bool hit = true;
        fault.kind = kind;
        for (fault.at = 1 + next % step; hit; fault.at += step) {
            fault.sys = errors[kind][(next + turn + fault.at) % kinds];
            if (fault.from_then_on && (fault.sys == EINTR || fault.sys == EAGAIN)) {
                continue; /* they invite to try again, so they end */
            }
            hit = play(f, r);
            count += hit;
        }
    }
    next++;
    return count;
}

static unsigned play_all(struct fixture *f, bool from_then_on)
{
    unsigned count = 0;
    fault.from_then_on = from_then_on;
    clear(f);
    unsigned scenes_played = from_then_on && !rounds_are_long() ? SCENES_SHORT : SCENES;
    for (unsigned s = 0; s < scenes_played; s++) {
        for (unsigned o = 0; o < (rounds_are_long() ? OPERATIONS : OPERATIONS_SHORT); o++) {
            struct round r = { &scenes[s], &operations[o] };
            for (unsigned kind = 0; kind < CALL_KINDS; kind++) {
                count += play_kind(f, &r, kind);
            }
        }
    }
    return count;
}

static void one_failed_call_leaves_the_old_value_or_the_new_one(void **state)
{
    unsigned count = play_all(*state, false);
    assert_true(count > 1000);
    rounds_report("S2", "each system call of each operation fails once", count);
}

static void calls_that_fail_from_then_on_leave_the_old_value_or_the_new_one(void **state)
{
    unsigned count = play_all(*state, true);
    assert_true(count > 200);
    rounds_report("S2", "each system call of each operation fails, and all after it", count);
}

static void where_files_cannot_be_locked_the_error_says_so(void **state)
{
    static const int reasons[] = { EINVAL, ENOLCK, ENOSYS, EOPNOTSUPP, EIO };
    struct fixture *f = *state;
    clear(f);
    for (size_t n = 0; n < sizeof(reasons) / sizeof(reasons[0]); n++) {
        make_login(f);
        open_store(f);
        fault.kind = CALL_CONTROL;
        fault.sys = reasons[n];
        fault.at = 1;
        fault.from_then_on = false;
        fault.seen = 0;
        calls_refuse = refuse;
        aq_status status = lock(f);
        calls_refuse = NULL;
        assert_int_equal(status, reasons[n] == EIO ? AQ_E_IO : AQ_E_UNSUPPORTED);
        assert_non_null(strstr(f->store.err.text, reasons[n] == EIO ? "locked" : "local disk"));
        assert_int_equal(lock(f), AQ_OK);
        instance_close(&f->store);
        clear(f);
    }
}

static void without_proc_a_file_that_cannot_be_told_from_another_is_not_read(void **state)
{
    struct fixture *f = *state;
    const struct scene scene = { "without /proc", make_without_proc, OLD };
    const struct round r = { &scene, &operations[0] };
    clear(f);
    fault.kind = CALL_STAT;
    fault.sys = EIO;
    fault.from_then_on = false;
    for (fault.at = 1; play(f, &r);) {
        fault.at++;
    }
    assert_true(fault.at > 4);
}

static void an_interrupted_read_does_not_hide_that_the_database_is_damaged(void **state)
{
    static const char text[] = "this is no database, and was never meant to be one";
    struct fixture *f = *state;
    clear(f);
    make_login(f);
    int fd = open(f->path, O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, text, sizeof(text), 100), sizeof(text));
    assert_int_equal(close(fd), 0);
    open_store(f);
    fault.kind = CALL_READ;
    fault.sys = EINTR;
    fault.at = 1;
    fault.from_then_on = false;
    fault.seen = 0;
    calls_refuse = refuse;
    aq_status status = get(f);
    calls_refuse = NULL;
    assert_true(fault.seen > 1);
    assert_int_equal(status, AQ_E_CORRUPT);
    instance_close(&f->store);
    clear(f);
}

static int forbid_writing(const struct call *c)
{
    return c->kind == CALL_OPEN && (c->flags & O_ACCMODE) == O_RDWR ? fault.sys : 0;
}

/* When its locks can be taken already. */
static int forbid_writing_to_sqlite(const struct call *c)
{
    return is_in_proc(c) ? forbid_writing(c) : 0;
}

static void what_may_not_be_written_can_be_read(void **state)
{
    static const int reasons[] = { EACCES, EPERM, EROFS };
    struct fixture *f = *state;
    clear(f);
    for (size_t n = 0; n < sizeof(reasons) / sizeof(reasons[0]); n++) {
        make_login(f);
        open_store(f);
        fault.sys = reasons[n];
        calls_refuse = forbid_writing;
        assert_int_equal(get(f), AQ_OK);
        assert_string_equal(f->store.value, OLD);
        assert_int_equal(put(f), AQ_E_READONLY);
        calls_refuse = forbid_writing_to_sqlite;
        assert_int_equal(put(f), AQ_E_READONLY);
        calls_refuse = NULL;
        assert_int_equal(put(f), AQ_OK); /* as soon as it may */
        instance_close(&f->store);
        clear(f);
    }
}

static void a_call_that_fails_while_a_database_is_made_leaves_none_or_all_of_it(void **state)
{
    static const enum call_kind kinds[] = { CALL_OPEN, CALL_STAT, CALL_MKDIR, CALL_CHMOD };
    const struct scene scene = { "nothing there", make_nothing, NULL };
    const struct round r = { &scene, &operations[1] };
    struct fixture *f = *state;
    unsigned count = 0;
    clear(f);
    fault.sys = EIO;
    fault.from_then_on = false;
    for (size_t n = 0; n < sizeof(kinds) / sizeof(kinds[0]); n++) {
        fault.kind = kinds[n];
        for (fault.at = 1; play(f, &r); fault.at++) {
            count++;
        }
    }
    assert_true(count > 30);
}

/* A new database, which fails to be made, or which somebody else makes just before. */

static const char *being_made;

static bool is_making(const struct call *c)
{
    return c->kind == CALL_OPEN && c->flags & O_EXCL && strcmp(c->path, being_made) == 0;
}

static int refuse_to_make(const struct call *c)
{
    return is_making(c) ? ENOSPC : 0;
}

static int make_before(const struct call *c)
{
    if (is_making(c)) {
        calls_refuse = NULL;
        sql(being_made, STORE_SCHEMA "INSERT INTO auth_kv VALUES ('theirs', '1')");
        assert_int_equal(chmod(being_made, 0600), 0);
    }
    return 0;
}

static void a_database_that_cannot_be_made_is_an_error_that_says_why(void **state)
{
    struct fixture *f = *state;
    clear(f);
    open_store(f);
    being_made = f->path;
    calls_refuse = refuse_to_make;
    aq_status status = put(f);
    calls_refuse = NULL;
    assert_int_equal(status, AQ_E_IO);
    assert_int_equal(f->store.err.sys, ENOSPC);
    assert_non_null(strstr(f->store.err.text, "free some space"));
    assert_int_equal(put(f), AQ_OK);
    instance_close(&f->store);
    clear(f);
}

static void a_database_that_another_program_makes_first_is_kept(void **state)
{
    struct fixture *f = *state;
    clear(f);
    open_store(f);
    being_made = f->path;
    calls_refuse = make_before;
    aq_status status = put(f);
    assert_null(calls_refuse);
    assert_int_equal(status, AQ_OK);
    assert_true(holds(f, new_value));
    assert_int_equal(instance_get(&f->store, "theirs"), AQ_OK);
    instance_close(&f->store);
    clear(f);
}

/* What others may do between any two calls. */

static struct {
    unsigned at; /* in front of the how manieth call */
    void (*happen)(void);
    const char *path;
    unsigned seen;
    bool was_looked_at; /* the path, since */
} meanwhile;

static int do_meanwhile(const struct call *c)
{
    if (proc_is_hidden && is_in_proc(c)) {
        return ENOENT;
    }
    bool looks = c->kind == CALL_STAT && c->path && strcmp(c->path, meanwhile.path) == 0;
    meanwhile.was_looked_at |= looks && meanwhile.seen >= meanwhile.at;
    if (++meanwhile.seen == meanwhile.at) {
        calls_refuse = NULL;
        meanwhile.happen();
        calls_refuse = do_meanwhile;
        meanwhile.was_looked_at = looks;
    }
    return 0;
}

static void name_of_other(char *path, size_t cap)
{
    snprintf(path, cap, "%.*s/other", (int)(strrchr(meanwhile.path, '/') - meanwhile.path),
             meanwhile.path);
}

static void deleted(void)
{
    unlink(meanwhile.path);
}

static void replaced_by_another(void)
{
    char other[700];
    name_of_other(other, sizeof(other));
    sql(other, STORE_SCHEMA "INSERT INTO auth_kv VALUES ('k', 'another')");
    assert_int_equal(chmod(other, 0600), 0);
    assert_int_equal(rename(other, meanwhile.path), 0);
}

static void replaced_by_link(void)
{
    char other[700];
    name_of_other(other, sizeof(other));
    assert_int_equal(rename(meanwhile.path, other), 0);
    assert_int_equal(symlink(other, meanwhile.path), 0);
}

static void given_another_name(void)
{
    char other[700];
    name_of_other(other, sizeof(other));
    assert_int_equal(link(meanwhile.path, other), 0);
}

static void opened_up(void)
{
    assert_int_equal(chmod(meanwhile.path, 0666), 0);
}

static void taken_out_of_reach(void)
{
    char dir[700], other[750];
    snprintf(dir, sizeof(dir), "%.*s", (int)(strrchr(meanwhile.path, '/') - meanwhile.path),
             meanwhile.path);
    struct stat st;
    if (lstat(dir, &st) == 0 && S_ISLNK(st.st_mode)) {
        assert_int_equal(unlink(dir), 0);
    } else {
        snprintf(other, sizeof(other), "%s.away", dir);
        assert_int_equal(rename(dir, other), 0);
        assert_int_equal(mkdir(dir, 0700), 0);
    }
}

static const struct {
    const char *name;
    void (*happen)(void);
} happenings[] = {
    { "deleted", deleted },
    { "replaced by another", replaced_by_another },
    { "replaced by a link", replaced_by_link },
    { "given another name", given_another_name },
    { "made writable by everybody", opened_up },
    { "taken out of reach", taken_out_of_reach },
};
enum { HAPPENINGS = sizeof(happenings) / sizeof(happenings[0]) };

/* What is at the path, without the store. */
static void look(const char *path, char value[NEW_LEN + 100])
{
    sqlite3 *db;
    value[0] = '\0';
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK) {
        sqlite3_exec(db, "SELECT value FROM auth_kv WHERE key = 'k'", keep_value, value, NULL);
    }
    sqlite3_close(db);
}

static bool play_meanwhile(struct fixture *f, const struct scene *scene,
                           const struct operation *operation, unsigned what)
{
    char value[NEW_LEN + 100];
    bool gone = happenings[what].happen == taken_out_of_reach;
    scene->make(f);
    open_store(f);
    meanwhile.path = f->path;
    meanwhile.happen = happenings[what].happen;
    meanwhile.seen = 0;
    meanwhile.was_looked_at = false;
    calls_refuse = do_meanwhile;
    aq_status status = operation->run(f);
    calls_refuse = NULL;
    bool saves = operation->run == put || operation->run == renew;
    if (status == AQ_OK && saves && meanwhile.was_looked_at && !gone) {
        look(f->path, value);
        if (strcmp(value, new_value) != 0) {
            fail_msg("%s, %s, %s in front of call %u: acknowledged, but '%.20s' is there",
                     operation->name, scene->name, happenings[what].name, meanwhile.at, value);
        }
    }
    if (status == AQ_OK && operation->run == get) {
        assert_true(strcmp(f->store.value, OLD) == 0 || strcmp(f->store.value, "another") == 0);
    }
    instance_close(&f->store);
    char away[650];
    snprintf(away, sizeof(away), "%s.away", f->dir);
    if (access(away, F_OK) == 0) {
        dir_remove(strdup(away));
    }
    clear(f);
    return meanwhile.seen >= meanwhile.at;
}

static void
whatever_happens_to_the_file_meanwhile_no_save_into_a_lost_one_is_acknowledged(void **state)
{
    static const unsigned in_scenes[] = { 0, 1, 5, 7, 8 };
    const unsigned operations_played = 3; /* get, put, renew */
    static unsigned next;
    struct fixture *f = *state;
    unsigned count = 0;
    clear(f);
    for (unsigned s = 0; s < sizeof(in_scenes) / sizeof(in_scenes[0]); s++) {
        for (unsigned o = 0; o < operations_played; o++) {
            for (unsigned what = 0; what < HAPPENINGS; what++) {
                meanwhile.at = rounds_are_long() ? 1 : 1 + next++ % STRIDE;
                while (play_meanwhile(f, &scenes[in_scenes[s]], &operations[o], what)) {
                    meanwhile.at += rounds_are_long() ? 1 : STRIDE;
                    count++;
                }
            }
        }
    }
    assert_true(count > 100);
    rounds_report("S13", "file deleted, replaced, linked or moved between two system calls", count);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_failed_call_leaves_the_old_value_or_the_new_one),
        TEST(calls_that_fail_from_then_on_leave_the_old_value_or_the_new_one),
        TEST(where_files_cannot_be_locked_the_error_says_so),
        TEST(without_proc_a_file_that_cannot_be_told_from_another_is_not_read),
        TEST(an_interrupted_read_does_not_hide_that_the_database_is_damaged),
        TEST(what_may_not_be_written_can_be_read),
        TEST(a_call_that_fails_while_a_database_is_made_leaves_none_or_all_of_it),
        TEST(a_database_that_cannot_be_made_is_an_error_that_says_why),
        TEST(a_database_that_another_program_makes_first_is_kept),
        TEST(whatever_happens_to_the_file_meanwhile_no_save_into_a_lost_one_is_acknowledged),
    };
    return cmocka_run_group_tests_name("store-sqlite-calls", tests, NULL, NULL);
}
