/* SPDX-License-Identifier: Apache-2.0 */
/* What store-sqlite promises when root in a container meets files of somebody outside: what it
 * makes is his, whatever root is not allowed to, and wherever it is killed. */
#include "calls.h"
#include "child.h"
#include "database.h"
#include "rounds.h"

#include <dirent.h>
#include <errno.h>
#include <linux/capability.h>
#include <setjmp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

static aq_status can_save(struct instance *i)
{
    return i->ops->can_save(i->self, &i->err);
}

enum { OTHER_UID = 12345, OTHER_GID = 12346 };

static void skip_unless_root(void)
{
    if (geteuid() != 0) {
        print_message("needs root\n");
        skip();
    }
}

static bool is_of_other(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0 && st.st_uid == OTHER_UID && st.st_gid == OTHER_GID;
}

static struct {
    char journal[700];
    unsigned seen;
} saving;

static int look_at_journal(const struct call *c)
{
    if (c->kind == CALL_WRITE && access(saving.journal, F_OK) == 0) {
        assert_true(is_of_other(saving.journal));
        saving.seen++;
    }
    return 0;
}

static void what_root_makes_belongs_to_whom_the_directory_does(void **state)
{
    struct fixture *f = *state;
    struct instance i;
    char path[700];
    skip_unless_root();
    assert_int_equal(chown(f->dir, OTHER_UID, OTHER_GID), 0);
    assert_int_equal(unlink(f->path), 0);
    snprintf(path, sizeof(path), "%s/a/b/data.sqlite3", f->dir);
    snprintf(saving.journal, sizeof(saving.journal), "%s/a/b/data.sqlite3-journal", f->dir);
    instance_open_sqlite(&i, path);
    calls_refuse = look_at_journal;
    assert_int_equal(instance_put(&i, "k", "1"), AQ_OK);
    assert_int_equal(instance_put(&i, "k", "2"), AQ_OK);
    calls_refuse = NULL;
    assert_true(saving.seen > 4);
    for (char *end = path + strlen(path); end > path + strlen(f->dir); end = strrchr(path, '/')) {
        *end = '\0';
        assert_true(is_of_other(path));
    }
    instance_close(&i);
}

/* The first change of an owner or a mode. */
static int refuse_to_chown(const struct call *c)
{
    static bool done;
    bool first = c->kind == CALL_CHMOD && !done;
    done |= first;
    return first ? EPERM : 0;
}

static void make_as_other(void *arg)
{
    const struct fixture *f = arg;
    struct instance i;
    char path[700];
    REQUIRE(setresgid(OTHER_GID, OTHER_GID, OTHER_GID) == 0);
    REQUIRE(setresuid(OTHER_UID, OTHER_UID, OTHER_UID) == 0);
    snprintf(path, sizeof(path), "%s/a/b/data.sqlite3", f->dir);
    instance_open_sqlite(&i, path);
    REQUIRE(instance_put(&i, "k", "1") == AQ_OK && is_of_other(path));
    instance_close(&i);
}

static void who_is_not_root_makes_what_is_missing_as_himself(void **state)
{
    struct fixture *f = *state;
    skip_unless_root();
    assert_int_equal(chown(f->dir, OTHER_UID, OTHER_GID), 0);
    assert_int_equal(child_end(child_start(make_as_other, f)), 0);
}

static void a_database_that_cannot_be_given_away_is_used_all_the_same(void **state)
{
    struct fixture *f = *state;
    struct instance i;
    assert_int_equal(unlink(f->path), 0);
    instance_open_sqlite(&i, f->path);
    calls_refuse = refuse_to_chown;
    assert_int_equal(instance_put(&i, "k", "1"), AQ_OK);
    calls_refuse = NULL;
    assert_int_equal(instance_get(&i, "k"), AQ_OK);
    instance_close(&i);
}

static unsigned warnings;

static void count_warning(void *ctx, int32_t level, struct aq_str text)
{
    (void)ctx;
    (void)text;
    warnings += level == AQ_LOG_WARN;
}

static void use_grouped(void *arg)
{
    const struct fixture *f = arg;
    struct instance i;
    instance_open_sqlite(&i, f->path);
    i.host.table.log = count_warning;
    REQUIRE(chown(f->dir, OTHER_UID, OTHER_UID) == 0 && chmod(f->dir, 0770) == 0);
    REQUIRE(chown(f->path, OTHER_UID, OTHER_UID) == 0 && chmod(f->path, 0660) == 0);
    REQUIRE(instance_get(&i, "k") == AQ_OK);
    REQUIRE(warnings == 0); /* nobody else can read it */
    REQUIRE(chown(f->path, OTHER_UID, OTHER_GID) == 0);
    REQUIRE(instance_get(&i, "k") == AQ_E_DENIED && strstr(i.err.text, "other users can write"));
    REQUIRE(chown(f->path, OTHER_UID, OTHER_UID) == 0);
    REQUIRE(can_save(&i) == AQ_OK);
    instance_close(&i);
    REQUIRE(chown(f->dir, 0, OTHER_GID) == 0 && chown(f->path, 0, OTHER_GID) == 0);
    REQUIRE(chmod(f->dir, 0700) == 0);
    instance_open_sqlite(&i, f->path); /* of root's, in a group that is not its own */
    REQUIRE(instance_put(&i, "k", "1") == AQ_OK && can_save(&i) == AQ_OK);
    instance_close(&i);
    REQUIRE(chown(f->dir, OTHER_UID, 0) == 0 && chown(f->path, OTHER_UID, OTHER_UID) == 0);
    REQUIRE(chmod(f->path, 0660) == 0);
    REQUIRE(setresgid(OTHER_GID, OTHER_GID, OTHER_GID) == 0);
    REQUIRE(setresuid(OTHER_UID, OTHER_UID, OTHER_UID) == 0);
    instance_open_sqlite(&i, f->path); /* who is not root knows his own groups only */
    REQUIRE(instance_get(&i, "k") == AQ_E_DENIED);
    instance_close(&i);
}

static void a_group_that_is_the_owners_alone_keeps_root_from_nothing(void **state)
{
    skip_unless_root();
    assert_int_equal(child_end(child_start(use_grouped, *state)), 0);
}

/* Whose the files of a directory are; the first one that is somebody else's is printed. */
static bool all_are_of_other(const char *dir)
{
    char path[1000];
    bool all = true;
    DIR *entries = opendir(dir);
    REQUIRE(entries);
    for (struct dirent *e = readdir(entries); e && all; e = readdir(entries)) {
        snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
        all = strcmp(e->d_name, "..") == 0 || is_of_other(path);
        if (!all) {
            fprintf(stderr, "%s is not the owner's\n", path);
        }
    }
    closedir(entries);
    return all;
}

/* The database and its directory, of the other user and in this mode; or only the directory. */
static void give_away(const struct fixture *f, const char *journal_mode)
{
    char text[100];
    sqlite3 *db;
    if (journal_mode) {
        snprintf(text, sizeof(text), "PRAGMA journal_mode=%s", journal_mode);
        REQUIRE(sqlite3_open(f->path, &db) == SQLITE_OK);
        REQUIRE(sqlite3_exec(db, text, NULL, NULL, NULL) == SQLITE_OK);
        REQUIRE(sqlite3_close(db) == SQLITE_OK);
        REQUIRE(chown(f->path, OTHER_UID, OTHER_GID) == 0);
    } else {
        static const char *const suffixes[] = { "", "-journal", "-wal", "-shm" };
        for (size_t n = 0; n < sizeof(suffixes) / sizeof(suffixes[0]); n++) {
            char path[700];
            snprintf(path, sizeof(path), "%s%s", f->path, suffixes[n]);
            REQUIRE(unlink(path) == 0 || errno == ENOENT);
        }
    }
    REQUIRE(chown(f->dir, OTHER_UID, OTHER_GID) == 0);
}

/* A container's root may have less than all rights. */
static void drop(unsigned capabilities)
{
    struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
    struct __user_cap_data_struct rights[2];
    REQUIRE(syscall(SYS_capget, &header, rights) == 0);
    rights[0].effective &= ~capabilities;
    rights[0].permitted &= ~capabilities;
    REQUIRE(syscall(SYS_capset, &header, rights) == 0);
}

enum { MODES = 3 };

static const char *const journal_modes[MODES] = { "DELETE", "WAL", NULL /* no database yet */ };

static struct {
    unsigned at, seen;
} dying;

static int die(const struct call *c)
{
    (void)c;
    if (++dying.seen == dying.at) {
        raise(SIGKILL);
    }
    return 0;
}

static void save_and_die(void *arg)
{
    const struct fixture *f = arg;
    struct instance i;
    instance_open_sqlite(&i, f->path);
    calls_refuse = die;
    REQUIRE(can_save(&i) == AQ_OK);
    REQUIRE(instance_put(&i, "k", "1") == AQ_OK);
    calls_refuse = NULL;
    instance_close(&i);
}

static void put_one(void *arg)
{
    const struct fixture *f = arg;
    struct instance i;
    REQUIRE(setresgid(OTHER_GID, OTHER_GID, OTHER_GID) == 0);
    REQUIRE(setresuid(OTHER_UID, OTHER_UID, OTHER_UID) == 0);
    instance_open_sqlite(&i, f->path);
    REQUIRE(instance_put(&i, "k", "2") == AQ_OK);
    instance_close(&i);
}

static void root_killed_at_any_call_leaves_nothing_of_its_own(void **state)
{
    struct fixture *f = *state;
    unsigned kills = 0;
    skip_unless_root();
    for (size_t n = 0; n < MODES; n++) {
        int rc = -SIGKILL;
        for (dying.at = 1; rc == -SIGKILL; dying.at++) {
            give_away(f, journal_modes[n]);
            rc = child_end(child_start(save_and_die, f));
            assert_true(all_are_of_other(f->dir));
            assert_int_equal(child_end(child_start(put_one, f)), 0);
            kills += rc == -SIGKILL;
        }
        assert_int_equal(rc, 0);
    }
    assert_true(kills > 100);
    rounds_report("K5", "root killed in front of each system call of a user's save", kills);
}

static void save_with_less(void *arg)
{
    const struct fixture *f = arg;
    struct instance i;
    drop(1U << CAP_CHOWN);
    instance_open_sqlite(&i, f->path);
    calls_refuse = look_at_journal;
    REQUIRE(can_save(&i) == AQ_OK);
    REQUIRE(instance_put(&i, "k", "1") == AQ_OK);
    calls_refuse = NULL;
    REQUIRE(all_are_of_other(f->dir)); /* also what WAL mode leaves */
    instance_close(&i);
}

static void root_that_may_not_give_files_away_makes_them_the_owners(void **state)
{
    struct fixture *f = *state;
    skip_unless_root();
    for (size_t n = 0; n < MODES; n++) {
        give_away(f, journal_modes[n]);
        assert_int_equal(child_end(child_start(save_with_less, f)), 0);
        assert_true(all_are_of_other(f->dir));
    }
}

static void be_refused(void *arg)
{
    const struct fixture *f = arg;
    struct instance i;
    drop(1U << CAP_CHOWN | 1U << CAP_SETUID);
    instance_open_sqlite(&i, f->path);
    REQUIRE(can_save(&i) == AQ_E_READONLY && strstr(i.err.text, "cannot be given to uid 12345"));
    instance_close(&i);
}

static void where_files_would_be_roots_can_save_says_no(void **state)
{
    struct fixture *f = *state;
    skip_unless_root();
    for (size_t n = 0; n < MODES; n++) {
        give_away(f, journal_modes[n]);
        assert_int_equal(child_end(child_start(be_refused, f)), 0);
    }
}

static int refuse(const struct call *c)
{
    (void)c;
    return ++dying.seen == dying.at ? EIO : 0;
}

/* Each in a new process; the last one meets no fault. */
static void save_with_fault(void *arg)
{
    const struct fixture *f = arg;
    struct instance i;
    instance_open_sqlite(&i, f->path);
    calls_refuse = refuse;
    aq_status status = can_save(&i);
    if (status == AQ_OK) {
        status = instance_put(&i, "k", "1");
    }
    calls_refuse = NULL;
    instance_close(&i);
    exit(dying.seen < dying.at ? 2 : status != AQ_OK);
}

static void a_call_that_fails_leaves_nothing_of_roots_either(void **state)
{
    struct fixture *f = *state;
    skip_unless_root();
    for (size_t n = 0; n < MODES; n++) {
        int rc = 0;
        for (dying.at = 1; rc != 2; dying.at++) {
            give_away(f, journal_modes[n]);
            rc = child_end(child_start(save_with_fault, f));
            assert_true(rc >= 0 && rc <= 2);
            assert_true(all_are_of_other(f->dir));
            assert_int_equal(child_end(child_start(put_one, f)), 0);
        }
        assert_true(dying.at > 50);
    }
}

/* He can only read it, since the directory is root's; root can save. */
static void save_in_own_directory(void *arg)
{
    const struct fixture *f = arg;
    struct instance i;
    instance_open_sqlite(&i, f->path);
    REQUIRE(can_save(&i) == AQ_OK);
    REQUIRE(instance_put(&i, "k", "1") == AQ_OK && is_of_other(f->path));
    instance_close(&i);
}

static void a_users_database_in_roots_directory_is_saved_by_root(void **state)
{
    struct fixture *f = *state;
    skip_unless_root();
    give_away(f, "DELETE");
    assert_int_equal(chown(f->dir, 0, 0), 0);
    assert_int_equal(child_end(child_start(save_in_own_directory, f)), 0);
}

static int set_up_in_memory(void **state)
{
    if (access("/dev/shm", W_OK | X_OK) == 0) {
        setenv("TMPDIR", "/dev/shm", 1); /* hundreds of saves, none of them worth a disk */
    }
    return set_up(state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_in_memory, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_root_makes_belongs_to_whom_the_directory_does),
        TEST(who_is_not_root_makes_what_is_missing_as_himself),
        TEST(a_database_that_cannot_be_given_away_is_used_all_the_same),
        TEST(a_group_that_is_the_owners_alone_keeps_root_from_nothing),
        TEST(root_killed_at_any_call_leaves_nothing_of_its_own),
        TEST(a_call_that_fails_leaves_nothing_of_roots_either),
        TEST(root_that_may_not_give_files_away_makes_them_the_owners),
        TEST(where_files_would_be_roots_can_save_says_no),
        TEST(a_users_database_in_roots_directory_is_saved_by_root),
    };
    return cmocka_run_group_tests_name("store-sqlite, owners", tests, NULL, NULL);
}
