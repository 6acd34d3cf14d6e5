/* SPDX-License-Identifier: Apache-2.0 */
/* What store-sqlite promises when a system call fails: every operation, wherever the database is
 * in its life, with the n-th call of each kind failing for n = 1, 2, ... until there is none. */
#include "child.h"
#include "rounds.h"
#include "scenes.h"
#include "sql.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    ERRORS_MAX = 6,
    STRIDE = 7, /* from call to call, where not all are tried */
    /* the bytes that SQLite's locks are on */
    SQLITE_LOCKS = 0x40000000,
    SQLITE_LOCKS_LEN = 512,
};

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

static int refuse(const struct call *c)
{
    if (scene_hides(c)) {
        return ENOENT;
    }
    if (c->kind != fault.kind || is_unlocking(c)) {
        return 0;
    }
    fault.seen++;
    bool hit = fault.from_then_on ? fault.seen >= fault.at : fault.seen == fault.at;
    return hit ? fault.sys : 0;
}

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

static bool is_excuse(aq_status status)
{
    return status == AQ_E_IO || status == AQ_E_DENIED || status == AQ_E_READONLY ||
           status == AQ_E_BUSY || status == AQ_E_NOMEM || status == AQ_E_UNSUPPORTED ||
           status == AQ_AGAIN;
}

static void check_after(struct fixture *f, const struct round *r, aq_status status)
{
    const char *after =
        r->scene->value || r->operation == &operations[OPERATION_PUT] ? r->operation->after : NULL;
    bool nothing = !r->scene->value && (status == AQ_E_NOTFOUND || status == AQ_E_CHANGED);
    EXPECT(status == AQ_OK || nothing || is_excuse(status));
    if (r->operation == &operations[OPERATION_GET] && status == AQ_OK) {
        EXPECT(strcmp(f->store.value, OLD) == 0);
    }
    bool wal = r->scene == &scenes[SCENE_IN_WAL_MODE];
    EXPECT(!is_locked(f->path, wal));
    if (status == AQ_OK) {
        EXPECT(scene_holds(f, after));
    } else {
        EXPECT(scene_holds(f, r->scene->value) || scene_holds(f, after));
    }
    EXPECT(!is_excuse(r->operation->run(f)));
    EXPECT(is_sound(f->path));
}

/* false when the operation makes fewer calls of that kind. */
static bool play(struct fixture *f, const struct round *r)
{
    int descriptors = count_descriptors();
    r->scene->make(f);
    scene_open_store(f);
    fault.seen = 0;
    calls_refuse = refuse;
    aq_status status = r->operation->run(f);
    calls_refuse = NULL;
    check_after(f, r, status);
    instance_close(&f->store);
    scene_clear(f);
    /* one that may be of a database nobody asked for is kept, so that nobody's lock is dropped */
    if (count_descriptors() != descriptors && r->scene != &scenes[SCENE_READ_ONLY_ONCE]) {
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
    if (kind == CALL_CONTROL && fault.from_then_on && r->scene == &scenes[SCENE_IN_WAL_MODE]) {
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
    scene_clear(f);
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
    scene_clear(f);
    for (size_t n = 0; n < sizeof(reasons) / sizeof(reasons[0]); n++) {
        scene_make_login(f);
        scene_open_store(f);
        fault.kind = CALL_CONTROL;
        fault.sys = reasons[n];
        fault.at = 1;
        fault.from_then_on = false;
        fault.seen = 0;
        calls_refuse = refuse;
        aq_status status = operations[OPERATION_LOCK].run(f);
        calls_refuse = NULL;
        assert_int_equal(status, reasons[n] == EIO ? AQ_E_IO : AQ_E_UNSUPPORTED);
        assert_non_null(strstr(f->store.err.text, reasons[n] == EIO ? "locked" : "local disk"));
        assert_int_equal(operations[OPERATION_LOCK].run(f), AQ_OK);
        instance_close(&f->store);
        scene_clear(f);
    }
}

static void without_proc_a_file_that_cannot_be_told_from_another_is_not_read(void **state)
{
    struct fixture *f = *state;
    const struct round r = { &scenes[SCENE_WITHOUT_PROC], &operations[OPERATION_GET] };
    scene_clear(f);
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
    scene_clear(f);
    scene_make_login(f);
    int fd = open(f->path, O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, text, sizeof(text), 100), sizeof(text));
    assert_int_equal(close(fd), 0);
    scene_open_store(f);
    fault.kind = CALL_READ;
    fault.sys = EINTR;
    fault.at = 1;
    fault.from_then_on = false;
    fault.seen = 0;
    calls_refuse = refuse;
    aq_status status = operation_get(f);
    calls_refuse = NULL;
    assert_true(fault.seen > 1);
    assert_int_equal(status, AQ_E_CORRUPT);
    instance_close(&f->store);
    scene_clear(f);
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
    scene_clear(f);
    for (size_t n = 0; n < sizeof(reasons) / sizeof(reasons[0]); n++) {
        scene_make_login(f);
        scene_open_store(f);
        fault.sys = reasons[n];
        calls_refuse = forbid_writing;
        assert_int_equal(operation_get(f), AQ_OK);
        assert_string_equal(f->store.value, OLD);
        assert_int_equal(operation_put(f), AQ_E_READONLY);
        calls_refuse = forbid_writing_to_sqlite;
        assert_int_equal(operation_put(f), AQ_E_READONLY);
        calls_refuse = NULL;
        assert_int_equal(operation_put(f), AQ_OK); /* as soon as it may */
        instance_close(&f->store);
        scene_clear(f);
    }
}

static void a_call_that_fails_while_a_database_is_made_leaves_none_or_all_of_it(void **state)
{
    static const enum call_kind kinds[] = { CALL_OPEN, CALL_STAT, CALL_MKDIR, CALL_CHMOD };
    const struct round r = { &scenes[SCENE_NOTHING_THERE], &operations[OPERATION_PUT] };
    struct fixture *f = *state;
    unsigned count = 0;
    scene_clear(f);
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
    scene_clear(f);
    scene_open_store(f);
    being_made = f->path;
    calls_refuse = refuse_to_make;
    aq_status status = operation_put(f);
    calls_refuse = NULL;
    assert_int_equal(status, AQ_E_IO);
    assert_int_equal(f->store.err.sys, ENOSPC);
    assert_non_null(strstr(f->store.err.text, "free some space"));
    assert_int_equal(operation_put(f), AQ_OK);
    instance_close(&f->store);
    scene_clear(f);
}

static void a_database_that_another_program_makes_first_is_kept(void **state)
{
    struct fixture *f = *state;
    scene_clear(f);
    scene_open_store(f);
    being_made = f->path;
    calls_refuse = make_before;
    aq_status status = operation_put(f);
    assert_null(calls_refuse);
    assert_int_equal(status, AQ_OK);
    assert_true(scene_holds(f, new_value));
    assert_int_equal(instance_get(&f->store, "theirs"), AQ_OK);
    instance_close(&f->store);
    scene_clear(f);
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
    };
    return cmocka_run_group_tests_name("store-sqlite-calls", tests, NULL, NULL);
}
