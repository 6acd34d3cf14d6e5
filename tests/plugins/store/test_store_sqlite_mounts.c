/* SPDX-License-Identifier: Apache-2.0 */
/* What store-sqlite promises about a database that is mounted as a single file, as into a
 * container: a login is renewed in place, or not at all. Each case runs in a mount namespace of its
 * own. */
#include "calls.h"
#include "mount.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cmocka.h>

enum { ROOM = 1024 }; /* how much longer than the old one a new value may be, if can_save agrees */

/* what is written */

static struct {
    unsigned count;
    off_t at[8];
    size_t len[8];
    unsigned char first[PAGE];
    bool others; /* a file was made, cut or removed */
} writes;

static void note_write(const struct call *c, long result)
{
    writes.others |= c->kind == CALL_UNLINK || c->kind == CALL_TRUNCATE || c->kind == CALL_ALLOCATE;
    writes.others |= c->kind == CALL_OPEN && (c->flags & O_CREAT);
    if (c->kind == CALL_WRITE) {
        REQUIRE(result == (long)c->len && writes.count < 8);
        if (writes.count == 0) {
            memcpy(writes.first, c->bytes, c->len < PAGE ? c->len : PAGE);
        }
        writes.at[writes.count] = c->at;
        writes.len[writes.count++] = c->len;
    }
}

static void read_page_1(const struct fixture *f, unsigned char *page)
{
    int fd = open(f->path, O_RDONLY | O_CLOEXEC);
    REQUIRE(fd >= 0 && pread(fd, page, PAGE, 0) == PAGE && close(fd) == 0);
}

/* The change counter and the two numbers that go with it (the file format of SQLite, 1.3). */
static bool is_counter(size_t at)
{
    return (at >= 24 && at < 28) || (at >= 92 && at < 100);
}

static void renew_in_place(void *arg)
{
    const struct fixture *f = arg;
    struct aq_error err;
    unsigned char page[PAGE];
    mount_file(f);
    const char *old = put_outside(f, 1500);
    read_page_1(f, page);
    memset(&writes, 0, sizeof(writes));
    calls_done = note_write;
    aq_status status = renew(old, of_length('n', 1500 + ROOM), &err);
    calls_done = NULL;
    REQUIRE(status == AQ_OK);
    REQUIRE(!writes.others && writes.count == 4); /* two to make room, two to save */
    for (unsigned n = 0; n < writes.count; n += 2) {
        REQUIRE(writes.at[n] == 0 && writes.len[n] == PAGE);
        REQUIRE(writes.at[n + 1] > 0 && writes.at[n + 1] % PAGE == 0);
        REQUIRE(writes.len[n + 1] == PAGE);
    }
    for (size_t n = 0; n < PAGE; n++) {
        REQUIRE(is_counter(n) || page[n] == writes.first[n]);
    }
    REQUIRE(is_outside(f, of_length('n', 1500 + ROOM)));
    REQUIRE(strcmp(dir_names(inside_dir), "data.sqlite3 ") == 0);
}

static void a_login_is_renewed_with_one_write_of_one_page_behind_that_of_the_counter(void **state)
{
    child_run_in_namespace(renew_in_place, *state);
}

static void renew_without_proc(void *arg)
{
    const struct fixture *f = arg;
    struct aq_error err;
    mount_file(f);
    const char *old = put_outside(f, 1000);
    REQUIRE(mount("none", "/proc", "tmpfs", 0, NULL) == 0);
    memset(&writes, 0, sizeof(writes));
    calls_done = note_write;
    REQUIRE(renew(old, of_length('n', 900), &err) == AQ_OK);
    calls_done = NULL;
    REQUIRE(!writes.others && writes.count == 4);
    REQUIRE(umount("/proc") == 0); /* who looks for leaks needs it */
}

static void without_proc_it_is_seen_to_be_a_mount_as_well(void **state)
{
    child_run_in_namespace(renew_without_proc, *state);
}

/* Who was there before us, with the old value in its cache, must not write it back. */
static void renew_beside_a_cache(void *arg)
{
    const struct fixture *f = arg;
    struct aq_error err;
    sqlite3 *db;
    mount_file(f);
    const char *old = put_outside(f, 1000);
    REQUIRE(sqlite3_open(f->path, &db) == SQLITE_OK);
    REQUIRE(sqlite3_exec(db, "SELECT * FROM auth_kv", NULL, NULL, NULL) == SQLITE_OK);
    REQUIRE(renew(old, of_length('n', 900), &err) == AQ_OK);
    REQUIRE(sqlite3_exec(db, "INSERT INTO auth_kv VALUES ('l', '1')", NULL, NULL, NULL) == 0);
    REQUIRE(sqlite3_close(db) == SQLITE_OK);
    REQUIRE(is_outside(f, of_length('n', 900)));
}

static void a_cache_that_somebody_has_outside_is_out_of_date_then(void **state)
{
    child_run_in_namespace(renew_beside_a_cache, *state);
}

/* Whatever lengths there are: what can_save agrees to is done, and all else changes nothing. */
static void renew_at_all_lengths(void *arg)
{
    const struct fixture *f = arg;
    unsigned done = 0, refused = 0;
    struct aq_error err;
    mount_file(f);
    for (size_t beside = 0; beside < 2 * PAGE; beside += 700) {
        char text[200];
        snprintf(text, sizeof(text),
                 "INSERT OR REPLACE INTO auth_kv VALUES ('l', printf('%%%zus', 'l'))", beside);
        REQUIRE(*query(f->path, text) == '\0');
        for (size_t len = 50; len < PAGE + 500; len += 450) {
            const char *old = put_outside(f, len);
            for (size_t more = 0; more <= ROOM; more += ROOM / 2) {
                const char *new = of_length('n', len + more);
                memset(&writes, 0, sizeof(writes));
                calls_done = note_write;
                aq_status status = renew(old, new, &err);
                calls_done = NULL;
                REQUIRE(status == AQ_OK || status == AQ_E_READONLY);
                REQUIRE(writes.count == (status == AQ_OK ? 4 : 0) && !writes.others);
                REQUIRE(is_outside(f, status == AQ_OK ? new : old));
                put_outside(f, len);
                done += status == AQ_OK;
                refused += status != AQ_OK;
            }
        }
    }
    REQUIRE(done > 50 && refused > 50);
}

static void what_can_save_agrees_to_is_saved_and_all_else_changes_nothing(void **state)
{
    child_run_in_namespace(renew_at_all_lengths, *state);
}

/* What somebody else puts into the page, from 1000 bytes down to 1, until there is no room for it.
 */
static void fill_page(const struct fixture *f)
{
    char text[200];
    int page_count = atoi(query(f->path, "PRAGMA page_count"));
    unsigned number = 0;
    for (unsigned size = 1000; size > 0; size /= 10) {
        for (int pages = page_count; pages == page_count;) {
            snprintf(text, sizeof(text),
                     "BEGIN; INSERT INTO auth_kv VALUES ('fill %u', printf('%%%us', 'f'));"
                     "PRAGMA page_count; ROLLBACK",
                     ++number, size);
            pages = atoi(query(f->path, text));
            if (pages == page_count) {
                snprintf(text, sizeof(text),
                         "INSERT INTO auth_kv VALUES ('fill %u', printf('%%%us', 'f'))", number,
                         size);
                REQUIRE(*query(f->path, text) == '\0');
            }
        }
    }
}

static void renew_in_full_page(void *arg)
{
    const struct fixture *f = arg;
    struct instance i;
    mount_file(f);
    const char *old = put_outside(f, 500);
    instance_open_sqlite(&i, inside);
    REQUIRE(i.ops->lock(i.self, &i.err) == AQ_OK);
    REQUIRE(instance_get(&i, "k") == AQ_OK);
    REQUIRE(i.ops->can_save(i.self, &i.err) == AQ_OK);
    fill_page(f);
    REQUIRE(i.ops->can_save(i.self, &i.err) == AQ_OK); /* the room is there already */
    REQUIRE(instance_get(&i, "k") == AQ_OK && strcmp(i.value, old) == 0);
    REQUIRE(instance_swap(&i, "k", old, of_length('n', 500 + ROOM)) == AQ_OK);
    i.ops->unlock(i.self);
    REQUIRE(is_outside(f, of_length('n', 500 + ROOM)));
    /* and where it is full before, it is refused before */
    old = put_outside(f, 500);
    fill_page(f);
    instance_close(&i);
    REQUIRE(renew(old, of_length('n', 500), &i.err) == AQ_E_READONLY);
    REQUIRE(instance_says(&i, "mount its directory instead"));
    REQUIRE(is_outside(f, old));
}

static void the_room_that_can_save_made_is_nobody_elses(void **state)
{
    child_run_in_namespace(renew_in_full_page, *state);
}

/* what is refused, with the way out */

static void refuse_all_else(void *arg)
{
    const struct fixture *f = arg;
    struct instance i;
    mount_file(f);
    const char *old = put_outside(f, 1000);
    instance_open_sqlite(&i, inside);
    REQUIRE(i.ops->can_save(i.self, &i.err) == AQ_E_READONLY); /* nobody said which value */
    REQUIRE(instance_says(&i, "mount its directory instead (-v HOST_DIR:"));
    REQUIRE(instance_says(&i, inside_dir));
    REQUIRE(instance_put(&i, "another", "1") == AQ_E_READONLY &&
            instance_says(&i, "its directory"));
    REQUIRE(instance_remove(&i, "k") == AQ_E_READONLY && instance_says(&i, "its directory"));
    REQUIRE(instance_put(&i, "k", of_length('n', 5000)) == AQ_E_READONLY);
    REQUIRE(instance_swap(&i, "k", "other", "1") == AQ_E_CHANGED);
    REQUIRE(instance_remove(&i, "nothing") == AQ_OK);
    REQUIRE(instance_get(&i, "k") == AQ_OK && strcmp(i.value, old) == 0);
    instance_close(&i);
    REQUIRE(is_outside(f, old));
}

static void what_takes_more_than_a_page_is_refused_with_the_way_out(void **state)
{
    child_run_in_namespace(refuse_all_else, *state);
}

static void use_large_pages(void *arg)
{
    const struct fixture *f = arg;
    struct aq_error err;
    REQUIRE(strcmp(query(f->path, "PRAGMA page_size=8192; VACUUM; PRAGMA page_size"), "8192") == 0);
    mount_file(f);
    const char *old = put_outside(f, 1000);
    REQUIRE(renew(old, of_length('n', 1000), &err) == AQ_E_READONLY);
    REQUIRE(strstr(err.text, "mount its directory"));
    REQUIRE(is_outside(f, old));
}

static void pages_that_a_kill_could_cut_are_not_written(void **state)
{
    child_run_in_namespace(use_large_pages, *state);
}

static void use_while_locked(void *arg)
{
    const struct fixture *f = arg;
    struct instance i;
    sqlite3 *db;
    mount_file(f);
    const char *old = put_outside(f, 1000);
    instance_open_sqlite(&i, inside);
    REQUIRE(instance_get(&i, "k") == AQ_OK);
    REQUIRE(sqlite3_open(f->path, &db) == SQLITE_OK);
    static const char *const locks[] = { "BEGIN IMMEDIATE", "BEGIN EXCLUSIVE",
                                         "BEGIN; SELECT * FROM auth_kv" };
    for (size_t n = 0; n < sizeof(locks) / sizeof(locks[0]); n++) {
        REQUIRE(sqlite3_exec(db, locks[n], NULL, NULL, NULL) == SQLITE_OK);
        REQUIRE(i.ops->lock(i.self, &i.err) == AQ_OK);
        aq_status status = instance_get(&i, "k");
        REQUIRE(status == (n == 1 ? AQ_E_BUSY : AQ_OK));
        REQUIRE(n == 2 || i.ops->can_save(i.self, &i.err) == AQ_E_BUSY);
        REQUIRE(instance_put(&i, "k", of_length('n', 1000)) == AQ_E_BUSY || n == 2);
        i.ops->unlock(i.self);
        REQUIRE(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL) == SQLITE_OK);
        REQUIRE(n == 2 || is_outside(f, old));
    }
    REQUIRE(sqlite3_close(db) == SQLITE_OK);
    instance_close(&i);
}

static void a_database_that_is_locked_outside_is_busy(void **state)
{
    child_run_in_namespace(use_while_locked, *state);
}

/* A journal beside the mount, of another program in the container that was killed. */
static void abandon(void *arg)
{
    sqlite3 *db;
    (void)arg;
    REQUIRE(sqlite3_open(inside, &db) == SQLITE_OK);
    REQUIRE(sqlite3_exec(db,
                         "PRAGMA cache_size=2; BEGIN; UPDATE auth_kv SET value = 'uncommitted';"
                         "INSERT INTO conversations SELECT column1, hex(zeroblob(20000))"
                         " FROM (VALUES (1), (2), (3))",
                         NULL, NULL, NULL) == SQLITE_OK);
    _exit(0);
}

static void use_interrupted(void *arg)
{
    const struct fixture *f = arg;
    struct instance i;
    char journal[800];
    mount_file(f);
    REQUIRE(child_end(child_start(abandon, NULL)) == 0);
    snprintf(journal, sizeof(journal), "%s-journal", inside);
    REQUIRE(access(journal, F_OK) == 0);
    instance_open_sqlite(&i, inside);
    REQUIRE(instance_get(&i, "k") == AQ_E_DENIED && instance_says(&i, "its directory"));
    REQUIRE(i.ops->can_save(i.self, &i.err) == AQ_E_DENIED && instance_says(&i, "its directory"));
    REQUIRE(instance_put(&i, "k", "1") == AQ_E_DENIED && instance_says(&i, "interrupted save"));
    instance_close(&i);
    REQUIRE(access(journal, F_OK) == 0); /* not played back */
}

static void a_journal_beside_the_mount_is_never_played_back(void **state)
{
    child_run_in_namespace(use_interrupted, *state);
}

static void use_wal(void *arg)
{
    const struct fixture *f = arg;
    struct instance i;
    REQUIRE(strcmp(query(f->path, "PRAGMA journal_mode=WAL"), "wal") == 0);
    mount_file(f);
    instance_open_sqlite(&i, inside);
    REQUIRE(i.ops->can_save(i.self, &i.err) == AQ_E_DENIED && instance_says(&i, "in WAL mode"));
    REQUIRE(instance_put(&i, "k", "1") == AQ_E_DENIED && instance_says(&i, "its directory"));
    instance_close(&i);
    REQUIRE(is_outside(f, "0"));
}

static void a_database_in_wal_mode_is_left_in_it(void **state)
{
    child_run_in_namespace(use_wal, *state);
}

static struct {
    const char *old, *new;
} change;

static struct {
    const char *outside;
    unsigned at, seen;
} switching;

/* Somebody outside changes the mode in front of the n-th system call, if he can. */
static int switch_to_wal(const struct call *c)
{
    (void)c;
    if (++switching.seen == switching.at) {
        calls_refuse = NULL;
        query(switching.outside, "PRAGMA journal_mode=WAL");
        calls_refuse = switch_to_wal;
    }
    return 0;
}

static void renew_while_switched(void *arg)
{
    struct instance i;
    (void)arg;
    instance_open_sqlite(&i, inside);
    calls_refuse = switch_to_wal;
    aq_status status = i.ops->lock(i.self, &i.err);
    status = status == AQ_OK ? instance_get(&i, "k") : status;
    status = status == AQ_OK ? i.ops->can_save(i.self, &i.err) : status;
    status = status == AQ_OK ? instance_swap(&i, "k", change.old, change.new) : status;
    calls_refuse = NULL;
    instance_close(&i);
    exit(switching.seen < switching.at ? 2 : status == AQ_OK ? 0 : 1);
}

static void switch_at_each_call(void *arg)
{
    const struct fixture *f = arg;
    unsigned refused = 0;
    int rc = 0;
    mount_file(f);
    switching.outside = f->path;
    for (switching.at = 1; rc != 2; switching.at++) {
        REQUIRE(strcmp(query(f->path, "PRAGMA journal_mode=DELETE"), "delete") == 0);
        change.old = put_outside(f, 1500);
        change.new = of_length('n', 1500);
        rc = child_end(child_start(renew_while_switched, NULL));
        REQUIRE(rc >= 0);
        REQUIRE(is_outside(f, rc == 1 ? change.old : change.new));
        refused += rc == 1;
    }
    REQUIRE(refused > 10);
}

static void what_is_acknowledged_never_lies_in_a_wal_beside_the_mount(void **state)
{
    child_run_in_namespace(switch_at_each_call, *state);
}

/* As a program from before SQLite 3.7 leaves it: the next one that saves corrects page 1. */
static void use_old_header(void *arg)
{
    const struct fixture *f = arg;
    struct aq_error err;
    static const unsigned char none[4];
    mount_file(f);
    const char *old = put_outside(f, 1000);
    int fd = open(f->path, O_WRONLY | O_CLOEXEC);
    REQUIRE(fd >= 0 && pwrite(fd, none, 4, 28) == 4 && pwrite(fd, none, 4, 92) == 4);
    REQUIRE(close(fd) == 0);
    memset(&writes, 0, sizeof(writes));
    calls_done = note_write;
    REQUIRE(renew(old, of_length('n', 1000), &err) == AQ_E_READONLY);
    calls_done = NULL;
    REQUIRE(strstr(err.text, "mount its directory") && writes.count == 0);
    REQUIRE(is_outside(f, old));
}

static void a_first_page_in_which_more_than_the_counter_changes_is_not_written(void **state)
{
    child_run_in_namespace(use_old_header, *state);
}

/* Nobody can leave WAL mode while we have it open, so it need not be looked at again. */
static void leave_wal(void *arg)
{
    const struct fixture *f = arg;
    struct instance i;
    REQUIRE(strcmp(query(f->path, "PRAGMA journal_mode=WAL"), "wal") == 0);
    mount_file(f);
    instance_open_sqlite(&i, inside);
    REQUIRE(instance_get(&i, "k") == AQ_E_DENIED && instance_says(&i, "in WAL mode"));
    REQUIRE(strcmp(query(f->path, "PRAGMA journal_mode=DELETE"), "database is locked") == 0);
    instance_close(&i);
}

static void wal_mode_stays_while_a_process_has_it_open(void **state)
{
    child_run_in_namespace(leave_wal, *state);
}

static void use_replaced(void *arg)
{
    const struct fixture *f = arg;
    struct instance i;
    char other[700];
    mount_file(f);
    instance_open_sqlite(&i, inside);
    REQUIRE(instance_get(&i, "k") == AQ_OK);
    snprintf(other, sizeof(other), "%s.new", f->path);
    REQUIRE(*query(other, STORE_SCHEMA "INSERT INTO auth_kv VALUES ('k', 'new')") == '\0');
    REQUIRE(rename(other, f->path) == 0);
    for (int again = 0; again < 2; again++) {
        REQUIRE(instance_get(&i, "k") == AQ_OK && strcmp(i.value, "0") == 0);
        REQUIRE(i.ops->lock(i.self, &i.err) == AQ_E_READONLY && instance_says(&i, "replaced"));
        REQUIRE(i.ops->can_save(i.self, &i.err) == AQ_E_READONLY &&
                instance_says(&i, "its directory"));
        REQUIRE(instance_put(&i, "k", "1") == AQ_E_READONLY && instance_says(&i, "replaced"));
        instance_close(&i);
        instance_open_sqlite(&i, inside);
    }
    instance_close(&i);
    REQUIRE(is_outside(f, "new"));
}

static void a_file_that_was_replaced_outside_is_read_and_no_longer_written(void **state)
{
    child_run_in_namespace(use_replaced, *state);
}

static void use_read_only(void *arg)
{
    const struct fixture *f = arg;
    struct instance i;
    mount_file(f);
    REQUIRE(mount(NULL, inside, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL) == 0);
    instance_open_sqlite(&i, inside);
    REQUIRE(instance_get(&i, "k") == AQ_OK && strcmp(i.value, "0") == 0);
    REQUIRE(i.ops->lock(i.self, &i.err) == AQ_E_READONLY &&
            instance_says(&i, "directory writable"));
    REQUIRE(i.ops->can_save(i.self, &i.err) == AQ_E_READONLY);
    REQUIRE(instance_put(&i, "k", "1") == AQ_E_READONLY);
    instance_close(&i);
}

static void a_file_mounted_read_only_is_read(void **state)
{
    child_run_in_namespace(use_read_only, *state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_in_memory, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_login_is_renewed_with_one_write_of_one_page_behind_that_of_the_counter),
        TEST(without_proc_it_is_seen_to_be_a_mount_as_well),
        TEST(a_cache_that_somebody_has_outside_is_out_of_date_then),
        TEST(what_can_save_agrees_to_is_saved_and_all_else_changes_nothing),
        TEST(the_room_that_can_save_made_is_nobody_elses),
        TEST(what_takes_more_than_a_page_is_refused_with_the_way_out),
        TEST(pages_that_a_kill_could_cut_are_not_written),
        TEST(a_database_that_is_locked_outside_is_busy),
        TEST(a_journal_beside_the_mount_is_never_played_back),
        TEST(a_database_in_wal_mode_is_left_in_it),
        TEST(what_is_acknowledged_never_lies_in_a_wal_beside_the_mount),
        TEST(a_first_page_in_which_more_than_the_counter_changes_is_not_written),
        TEST(wal_mode_stays_while_a_process_has_it_open),
        TEST(a_file_that_was_replaced_outside_is_read_and_no_longer_written),
        TEST(a_file_mounted_read_only_is_read),
    };
    return cmocka_run_group_tests_name("store-sqlite in a file mount", tests, NULL, NULL);
}
