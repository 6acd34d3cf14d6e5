/* SPDX-License-Identifier: Apache-2.0 */
/* A login in a private file: found by whoever holds its predecessor, whole or not at all. */
#include "base/alloc.h"
#include "base/str.h"
#include "cmocka_all.h"
#include "host/spill.h"
#include "no_memory.h"
#include "plugins/store/child.h"

#include <amazonq/store.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define KEY AQ_STR("codewhisperer:odic:token")
#define SPENT AQ_STR("refresh-1")

/* ---- system calls that fail once: name one, say which of its next calls, and how ---- */

static struct {
    const char *call;
    int at, error;
} planned;

static void let_fail(const char *call, int at, int error)
{
    planned.call = call;
    planned.at = at;
    planned.error = error;
}

static bool fails(const char *call)
{
    if (!planned.call || strcmp(planned.call, call) != 0 || --planned.at != 0) {
        return false;
    }
    planned.call = NULL;
    errno = planned.error;
    return true;
}

#define WRAP(type, name, parameters, arguments) \
    type __real_##name parameters; \
    type __wrap_##name parameters; \
    type __wrap_##name parameters \
    { \
        return fails(#name) ? (type)-1 : __real_##name arguments; \
    }

WRAP(int, fsync, (int fd), (fd))
WRAP(int, fstat, (int fd, struct stat *info), (fd, info))
WRAP(int, fstatat, (int dir, const char *name, struct stat *info, int flags),
     (dir, name, info, flags))
WRAP(int, renameat, (int from, const char *old, int to, const char *new), (from, old, to, new))

int __real_open(const char *path, int flags, mode_t mode);
int __wrap_open(const char *path, int flags, mode_t mode);
int __wrap_open(const char *path, int flags, mode_t mode)
{
    return fails("open") ? -1 : __real_open(path, flags, mode);
}

DIR *__real_fdopendir(int fd);
DIR *__wrap_fdopendir(int fd);
DIR *__wrap_fdopendir(int fd)
{
    return fails("fdopendir") ? NULL : __real_fdopendir(fd);
}

/* The path of a file that somebody cuts to its first byte, when it is about to be read. */
static const char *cut_when_read;

/* Error 0: short by all but one byte. */
ssize_t __real_read(int fd, void *to, size_t len);
ssize_t __wrap_read(int fd, void *to, size_t len);
ssize_t __wrap_read(int fd, void *to, size_t len)
{
    if (cut_when_read) {
        assert_int_equal(truncate(cut_when_read, 1), 0);
        cut_when_read = NULL;
    }
    if (fails("read")) {
        return errno ? -1 : __real_read(fd, to, 1);
    }
    return __real_read(fd, to, len);
}

ssize_t __real_write(int fd, const void *from, size_t len);
ssize_t __wrap_write(int fd, const void *from, size_t len);
ssize_t __wrap_write(int fd, const void *from, size_t len)
{
    if (fails("write")) {
        return errno ? -1 : __real_write(fd, from, 1);
    }
    return __real_write(fd, from, len);
}

/* ---- a home ---- */

static char home[64];

static const char *in_home(const char *name)
{
    static char paths[4][256];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof(paths[0]), "%s/%s", home, name);
    return path;
}

static int setup(void **state)
{
    (void)state;
    snprintf(home, sizeof(home), "/tmp/aq-spill-XXXXXX");
    assert_non_null(mkdtemp(home));
    setenv("HOME", home, 1);
    setenv("XDG_RUNTIME_DIR", in_home("run"), 1);
    setenv("XDG_STATE_HOME", in_home("state"), 1);
    planned.call = NULL;
    cut_when_read = NULL;
    return 0;
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *where)
{
    (void)info;
    (void)kind;
    (void)where;
    return remove(path);
}

static int teardown(void **state)
{
    (void)state;
    return nftw(home, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* Write it; the path it went to, empty if it failed. */
static const char *written(const char *value)
{
    static char path[SPILL_PATH_MAX];
    AUTO(buf) struct buf out = BUF(SPILL_PATH_MAX);
    struct aq_error err;
    aq_status st = spill_write(KEY, SPENT, str_from(value), &out, &err);
    assert_true(st == AQ_OK || (st == AQ_E_IO && out.len == 0));
    snprintf(path, sizeof(path), "%.*s", AQ_STR_ARG(buf_str(&out)));
    return path;
}

static aq_status found(struct aq_str key, struct aq_str spent, const char *expected)
{
    AUTO(buf) struct buf out = BUF(AQ_STORE_VALUE_MAX);
    struct aq_error err;
    aq_status st = spill_read(key, spent, &out, &err);
    if (st == AQ_OK) {
        assert_str(buf_str(&out), expected);
    }
    return st;
}

static int count_files(const char *dir)
{
    int count = 0;
    DIR *list = opendir(dir);
    for (const struct dirent *entry; list && (entry = readdir(list));) {
        count += entry->d_name[0] != '.';
    }
    if (list) {
        closedir(list);
    }
    return count;
}

static int mode_of(const char *path)
{
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    return info.st_mode & 0777;
}

/* Put a file there that was last written so many hours ago. */
static void put_old(const char *path, int hours)
{
    struct timespec times[2];
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    assert_int_equal(clock_gettime(CLOCK_REALTIME, &times[0]), 0);
    times[0].tv_sec -= hours * 3600;
    times[1] = times[0];
    assert_int_equal(futimens(fd, times), 0);
    close(fd);
}

/* ---- writing and reading ---- */

static void what_was_written_is_found_under_the_same_key_and_token_only(void **state)
{
    (void)state;
    assert_int_equal(found(KEY, SPENT, ""), AQ_E_NOTFOUND);
    assert_string_not_equal(written("value"), "");
    assert_int_equal(found(KEY, SPENT, "value"), AQ_OK);
    assert_int_equal(found(KEY, AQ_STR("refresh-2"), ""), AQ_E_NOTFOUND);
    assert_int_equal(found(AQ_STR("kirocli:odic:token"), SPENT, ""), AQ_E_NOTFOUND);
    assert_int_equal(found(AQ_STR("codewhisperer:odic:tokenr"), AQ_STR("efresh-1"), ""),
                     AQ_E_NOTFOUND);
}

static void the_file_is_private_and_its_name_tells_nothing(void **state)
{
    (void)state;
    const char *path = written("value");
    assert_contains(path, in_home("state/amazonq/"));
    assert_null(strstr(path, "refresh"));
    assert_int_equal(mode_of(path), 0600);
    assert_int_equal(mode_of(in_home("state/amazonq")), 0700);
}

static void a_second_writing_replaces_the_first(void **state)
{
    (void)state;
    written("first");
    written("second");
    assert_int_equal(found(KEY, SPENT, "second"), AQ_OK);
    assert_int_equal(count_files(in_home("state/amazonq")), 1);
}

static void removing_removes_it_wherever_it_is(void **state)
{
    (void)state;
    written("value");
    setenv("XDG_STATE_HOME", "/dev/null", 1);
    written("value");
    setenv("XDG_STATE_HOME", in_home("state"), 1);
    assert_int_equal(count_files(in_home("run/amazonq")), 1);
    assert_int_equal(count_files(in_home("state/amazonq")), 1);
    spill_remove(KEY, SPENT);
    assert_int_equal(count_files(in_home("run/amazonq")), 0);
    assert_int_equal(count_files(in_home("state/amazonq")), 0);
    spill_remove(KEY, SPENT); /* and nothing happens when there is none */
}

static void it_outlives_the_session_and_a_program_without_one_finds_it(void **state)
{
    static const char *const others[] = { "", "relative", "/dev/null", "/nowhere" };
    (void)state;
    written("value");
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        setenv("XDG_RUNTIME_DIR", others[i], 1);
        assert_int_equal(found(KEY, SPENT, "value"), AQ_OK);
    }
}

static void without_a_state_directory_in_the_environment_it_is_that_of_the_home(void **state)
{
    (void)state;
    unsetenv("XDG_STATE_HOME");
    assert_contains(written("value"), in_home(".local/state/amazonq/"));
    assert_int_equal(found(KEY, SPENT, "value"), AQ_OK);
}

static void where_the_state_directory_cannot_be_written_the_runtime_directory_is_used(void **state)
{
    (void)state;
    setenv("XDG_STATE_HOME", "/dev/null", 1);
    assert_contains(written("value"), in_home("run/amazonq/"));
    assert_int_equal(found(KEY, SPENT, "value"), AQ_OK);
    setenv("XDG_STATE_HOME", in_home("state"), 1); /* it can be, again */
    assert_int_equal(found(KEY, SPENT, "value"), AQ_OK);
}

/* In a /run of its own. */
static void use_the_runtime_directory_of_the_user(void *arg)
{
    char user[64];
    struct aq_error err;
    AUTO(buf) struct buf out = BUF(SPILL_PATH_MAX);
    (void)arg;
    REQUIRE(mount("none", "/run", "tmpfs", 0, "mode=0755") == 0);
    snprintf(user, sizeof(user), "/run/user/%u", (unsigned)geteuid());

    /* none is there, and none is made */
    REQUIRE(spill_write(KEY, SPENT, AQ_STR("value"), &out, &err) == AQ_E_IO);
    REQUIRE(access("/run/user", F_OK) != 0);

    REQUIRE(mkdir("/run/user", 0755) == 0 && mkdir(user, 0755) == 0); /* no session's */
    REQUIRE(spill_write(KEY, SPENT, AQ_STR("value"), &out, &err) == AQ_E_IO);

    REQUIRE(chmod(user, 0700) == 0);
    REQUIRE(spill_write(KEY, SPENT, AQ_STR("value"), &out, &err) == AQ_OK);
    REQUIRE(strncmp((const char *)out.ptr, user, strlen(user)) == 0);

    setenv("XDG_RUNTIME_DIR", user, 1); /* who has a session finds it, and the other way round */
    REQUIRE(spill_read(KEY, SPENT, &out, &err) == AQ_OK);
    spill_remove(KEY, SPENT);
    REQUIRE(spill_read(KEY, SPENT, &out, &err) == AQ_E_NOTFOUND);
    REQUIRE(spill_write(KEY, SPENT, AQ_STR("other"), &out, &err) == AQ_OK);
    unsetenv("XDG_RUNTIME_DIR");
    bool failed = true;
    for (int at = 1; failed; at++) {
        buf_done(&out);
        no_memory(at);
        aq_status st = spill_read(KEY, SPENT, &out, &err);
        failed = no_memory_ended();
        REQUIRE(failed ? st == AQ_E_IO || st == AQ_E_NOMEM : st == AQ_OK);
    }
}

static void
without_the_variable_the_runtime_directory_is_that_of_the_user_if_there_is_one(void **state)
{
    (void)state;
    setenv("XDG_STATE_HOME", "/dev/null", 1);
    unsetenv("XDG_RUNTIME_DIR");
    child_run_in_namespace(use_the_runtime_directory_of_the_user, NULL);
}

static void without_any_directory_it_says_so(void **state)
{
    (void)state;
    AUTO(buf) struct buf out = BUF(SPILL_PATH_MAX);
    struct aq_error err;
    setenv("XDG_RUNTIME_DIR", "/dev/null", 1);
    setenv("XDG_STATE_HOME", "/dev/null", 1);
    assert_int_equal(spill_write(KEY, SPENT, AQ_STR("value"), &out, &err), AQ_E_IO);
    assert_contains(err.text, "spill file: cannot be written");
    assert_int_equal(err.sys, ENOTDIR);
    assert_int_equal(found(KEY, SPENT, ""), AQ_E_NOTFOUND);
}

static void a_system_call_that_fails_leaves_nothing_half_and_the_next_place_is_used(void **state)
{
    static const struct {
        const char *call;
        int at, error;
    } cases[] = {
        { "write", 1, ENOSPC },
        { "fsync", 1, EIO },
        { "renameat", 1, EIO },
        { "fstat", 1, EIO },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        let_fail(cases[i].call, cases[i].at, cases[i].error);
        assert_contains(written("value"), in_home("run/amazonq/"));
        assert_int_equal(count_files(in_home("state/amazonq")), 0);
        assert_int_equal(found(KEY, SPENT, "value"), AQ_OK);
        spill_remove(KEY, SPENT);
    }
}

static void a_directory_that_cannot_be_synced_is_not_relied_on(void **state)
{
    (void)state;
    let_fail("fsync", 2, EIO);
    assert_contains(written("value"), in_home("run/amazonq/"));
}

static void a_name_that_is_taken_by_a_directory_is_not_written_to(void **state)
{
    (void)state;
    char taken[SPILL_PATH_MAX + 32];
    snprintf(taken, sizeof(taken), "%s.%ld", written("value"), (long)getpid());
    spill_remove(KEY, SPENT);
    assert_int_equal(mkdir(taken, 0700), 0);
    assert_contains(written("value"), in_home("run/amazonq/"));
}

static void short_and_interrupted_writes_are_continued(void **state)
{
    (void)state;
    let_fail("write", 1, 0);
    assert_contains(written("value"), in_home("state/"));
    assert_int_equal(found(KEY, SPENT, "value"), AQ_OK);
    let_fail("write", 1, EINTR);
    assert_contains(written("other"), in_home("state/"));
    assert_int_equal(found(KEY, SPENT, "other"), AQ_OK);
}

/* ---- what others may have put there ---- */

static void a_directory_that_others_may_enter_is_neither_written_nor_read(void **state)
{
    (void)state;
    written("value");
    assert_int_equal(chmod(in_home("state/amazonq"), 0750), 0);
    assert_int_equal(found(KEY, SPENT, ""), AQ_E_NOTFOUND);
    assert_contains(written("value"), in_home("run/amazonq/"));
}

static void a_directory_or_file_of_somebody_else_does_not_count(void **state)
{
    (void)state;
    if (geteuid() != 0) {
        skip(); /* only root can give a file away */
    }
    const char *path = written("value");
    assert_int_equal(chown(path, 65534, 65534), 0);
    assert_int_equal(found(KEY, SPENT, ""), AQ_E_NOTFOUND);
    assert_int_equal(chown(path, 0, 0), 0);
    assert_int_equal(chown(in_home("state/amazonq"), 65534, 65534), 0);
    assert_int_equal(found(KEY, SPENT, ""), AQ_E_NOTFOUND);
}

/* Root in a container, with the home of a user outside. */
static void what_root_keeps_in_somebodys_home_is_his(void **state)
{
    (void)state;
    struct stat info;
    if (geteuid() != 0) {
        skip();
    }
    assert_int_equal(chown(home, 12345, 12346), 0);
    const char *path = written("value");
    const char *const all[] = { in_home("state"), in_home("state/amazonq"), path };
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        assert_int_equal(lstat(all[i], &info), 0);
        assert_int_equal(info.st_uid, 12345);
        assert_int_equal(info.st_gid, 12346);
    }
    assert_int_equal(found(KEY, SPENT, "value"), AQ_OK);
    spill_remove(KEY, SPENT);
    assert_int_equal(found(KEY, SPENT, ""), AQ_E_NOTFOUND);
}

static void a_file_that_is_not_ours_alone_does_not_count(void **state)
{
    (void)state;
    char moved[SPILL_PATH_MAX + 8];
    const char *path = written("value");
    snprintf(moved, sizeof(moved), "%s.moved", path);

    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(found(KEY, SPENT, ""), AQ_E_NOTFOUND);

    assert_int_equal(rename(path, moved), 0);
    assert_int_equal(symlink(moved, path), 0);
    assert_int_equal(found(KEY, SPENT, ""), AQ_E_NOTFOUND);
    assert_int_equal(unlink(path), 0);

    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(found(KEY, SPENT, ""), AQ_E_NOTFOUND);
    assert_int_equal(unlink(path), 0);
}

static void a_file_that_is_empty_or_larger_than_any_value_does_not_count(void **state)
{
    (void)state;
    const char *path = written("value");
    assert_int_equal(truncate(path, 0), 0);
    assert_int_equal(found(KEY, SPENT, ""), AQ_E_NOTFOUND);
    assert_int_equal(truncate(path, AQ_STORE_VALUE_MAX + 1), 0);
    assert_int_equal(found(KEY, SPENT, ""), AQ_E_NOTFOUND);
}

/* ---- when it is not known whether there is one ---- */

static void a_file_that_cannot_be_read_is_an_error_not_none(void **state)
{
    (void)state;
    written("value");
    let_fail("read", 1, EIO);
    assert_int_equal(found(KEY, SPENT, ""), AQ_E_IO);
    let_fail("fstat", 2, EIO); /* not that of the directory */
    assert_int_equal(found(KEY, SPENT, ""), AQ_E_NOTFOUND);
    assert_int_equal(found(KEY, SPENT, "value"), AQ_OK);
}

static void a_file_that_is_cut_while_it_is_read_is_an_error(void **state)
{
    (void)state;
    cut_when_read = written("value");
    assert_int_equal(found(KEY, SPENT, ""), AQ_E_IO);
}

static void short_and_interrupted_reads_are_continued(void **state)
{
    (void)state;
    written("value");
    let_fail("read", 1, 0);
    assert_int_equal(found(KEY, SPENT, "value"), AQ_OK);
    let_fail("read", 1, EINTR);
    assert_int_equal(found(KEY, SPENT, "value"), AQ_OK);
}

static void without_descriptors_or_memory_it_is_not_known(void **state)
{
    (void)state;
    struct rlimit before;
    struct rlimit none;
    written("value");
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    int next = dup(0);
    close(next);
    none = before;
    for (int spare = 0; spare < 2; spare++) { /* none for the directory; none for the file */
        none.rlim_cur = (rlim_t)(next + spare);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
        aq_status st = found(KEY, SPENT, "");
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
        assert_int_equal(st, AQ_E_IO);
    }
    let_fail("open", 1, ENFILE);
    assert_int_equal(found(KEY, SPENT, ""), AQ_E_IO);
    bool failed = true;
    for (int at = 1; failed; at++) {
        no_memory(at);
        aq_status st = found(KEY, SPENT, "value");
        failed = no_memory_ended();
        assert_true(st == (failed ? AQ_E_IO : AQ_OK) || st == (failed ? AQ_E_NOMEM : AQ_OK));
    }
}

static void without_memory_for_the_path_nothing_is_written_and_no_place_forgotten(void **state)
{
    (void)state;
    bool failed = true;
    for (int at = 1; failed; at++) {
        no_memory(at);
        written("value");
        failed = no_memory_ended();
    }
    assert_int_equal(found(KEY, SPENT, "value"), AQ_OK);
}

/* ---- sweeping ---- */

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void half_files_of_dead_processes_and_whole_ones_of_old_sessions_are_swept(void **state)
{
    static const struct {
        const char *name;
        int hours;
        bool stays;
    } cases[] = {
        { HEX ".json.123", 2, false },
        { HEX ".json.124", 0, true }, /* may be in the making */
        { HEX ".json", 90 * 24 + 1, false },
        { "f" HEX ".json", 90 * 24 + 1, true }, /* these are not ours */
        { "F" HEX ".json", 90 * 24 + 1, true },
        { HEX ".text", 90 * 24 + 1, true },
        { HEX ".jsonl", 90 * 24 + 1, true },
        { "note", 90 * 24 + 1, true },
    };
    (void)state;
    for (int by_removing = 0; by_removing < 2; by_removing++) {
        char path[256];
        written("value");
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
            snprintf(path, sizeof(path), "%s/%s", in_home("state/amazonq"), cases[i].name);
            put_old(path, cases[i].hours);
        }
        if (by_removing) {
            spill_remove(KEY, SPENT);
        } else {
            written("value");
        }
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
            snprintf(path, sizeof(path), "%s/%s", in_home("state/amazonq"), cases[i].name);
            if ((access(path, F_OK) == 0) != cases[i].stays) {
                fail_msg("%s", cases[i].name);
            }
        }
    }
}

static void a_login_of_an_hour_or_a_month_ago_stays(void **state)
{
    (void)state;
    char path[256];
    written("value");
    snprintf(path, sizeof(path), "%s/%s", in_home("state/amazonq"), HEX ".json");
    put_old(path, 30 * 24);
    written("value");
    assert_int_equal(access(path, F_OK), 0);
}

static void reading_sweeps_nothing(void **state)
{
    (void)state;
    char path[256];
    written("value");
    snprintf(path, sizeof(path), "%s/%s", in_home("state/amazonq"), HEX ".json.1");
    put_old(path, 2);
    assert_int_equal(found(KEY, SPENT, "value"), AQ_OK);
    assert_int_equal(access(path, F_OK), 0);
}

static void sweeping_that_fails_harms_nothing(void **state)
{
    static const char *const calls[] = { "fdopendir", "fstatat" };
    (void)state;
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        written("value");
        let_fail(calls[i], 1, ENOMEM);
        assert_string_not_equal(written("other"), "");
        assert_int_equal(found(KEY, SPENT, "other"), AQ_OK);
    }
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(what_was_written_is_found_under_the_same_key_and_token_only),
        CASE(the_file_is_private_and_its_name_tells_nothing),
        CASE(a_second_writing_replaces_the_first),
        CASE(removing_removes_it_wherever_it_is),
        CASE(it_outlives_the_session_and_a_program_without_one_finds_it),
        CASE(without_a_state_directory_in_the_environment_it_is_that_of_the_home),
        CASE(where_the_state_directory_cannot_be_written_the_runtime_directory_is_used),
        CASE(without_the_variable_the_runtime_directory_is_that_of_the_user_if_there_is_one),
        CASE(without_any_directory_it_says_so),
        CASE(a_system_call_that_fails_leaves_nothing_half_and_the_next_place_is_used),
        CASE(a_directory_that_cannot_be_synced_is_not_relied_on),
        CASE(a_name_that_is_taken_by_a_directory_is_not_written_to),
        CASE(short_and_interrupted_writes_are_continued),
        CASE(a_directory_that_others_may_enter_is_neither_written_nor_read),
        CASE(a_directory_or_file_of_somebody_else_does_not_count),
        CASE(what_root_keeps_in_somebodys_home_is_his),
        CASE(a_file_that_is_not_ours_alone_does_not_count),
        CASE(a_file_that_is_empty_or_larger_than_any_value_does_not_count),
        CASE(a_file_that_cannot_be_read_is_an_error_not_none),
        CASE(a_file_that_is_cut_while_it_is_read_is_an_error),
        CASE(short_and_interrupted_reads_are_continued),
        CASE(without_descriptors_or_memory_it_is_not_known),
        CASE(without_memory_for_the_path_nothing_is_written_and_no_place_forgotten),
        CASE(half_files_of_dead_processes_and_whole_ones_of_old_sessions_are_swept),
        CASE(a_login_of_an_hour_or_a_month_ago_stays),
        CASE(reading_sweeps_nothing),
        CASE(sweeping_that_fails_harms_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
