/* SPDX-License-Identifier: Apache-2.0 */
/* What store-sqlite promises when it is not alone: other threads, other processes, a second SQLite
 * in the same process, forks, crashes. */
#include "company.h"
#include "rounds.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { WRITERS = 8, INCREMENTS = 50 };

/* a second SQLite in this process */

static void a_lock_of_another_sqlite_in_the_process_survives_our_reading_and_closing(void **state)
{
    struct fixture *f = *state;
    int count = rounds(3, 100);
    sqlite3 *db;
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    for (int n = 0; n < count; n++) {
        struct instance other;
        assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
        instance_open_sqlite(&other, f->path);
        assert_int_equal(instance_get(&other, "k"), AQ_OK);
        assert_int_equal(instance_put(&other, "k", "1"), AQ_E_BUSY);
        assert_int_equal(other.ops->lock(other.self, &other.err), AQ_OK);
        instance_close(&other);
        assert_int_equal(sql_elsewhere(f->path, "BEGIN IMMEDIATE"), SQLITE_BUSY);
        assert_int_equal(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    }

    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    FILE *file = fopen(f->path, "rb"); /* what any other way of reading would have done */
    assert_non_null(file);
    fclose(file);
    assert_int_equal(sql_elsewhere(f->path, "BEGIN IMMEDIATE"), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    rounds_report("S14", "opened, read, locked and closed beside another SQLite's lock",
                  (unsigned)count);
}

/* On the way to the system: a thread for which no time passes waits for as long as it takes. */
static _Thread_local bool timeless;

__attribute__((visibility("default"))) int clock_gettime(clockid_t clock, struct timespec *ret)
{
    if (timeless && clock == CLOCK_MONOTONIC) {
        *ret = (struct timespec){ .tv_sec = 1 };
        return 0;
    }
    return (int)syscall(SYS_clock_gettime, clock, ret);
}

static void *put_one(void *arg)
{
    const struct plugin_setting settings[] = { { "path", arg }, { NULL, NULL } };
    struct instance i;
    timeless = true;
    instance_open(&i, "store-sqlite", settings);
    aq_status status = instance_put(&i, "k", "1");
    instance_close(&i);
    return status == AQ_OK ? arg : NULL;
}

static void another_sqlite_in_the_process_sees_our_locks(void **state)
{
    struct fixture *f = *state;
    sqlite3 *db;
    pthread_t thread;
    void *result;
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN; SELECT * FROM auth_kv", NULL, NULL, NULL), SQLITE_OK);
    /* its save has to wait for that reader, behind a lock that keeps new readers out */
    assert_int_equal(pthread_create(&thread, NULL, put_one, f->path), 0);
    while (sql_elsewhere(f->path, "SELECT * FROM auth_kv") != SQLITE_BUSY) {
    }
    assert_int_equal(sql_try(f->path, "BEGIN IMMEDIATE"), SQLITE_BUSY);
    assert_int_equal(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_non_null(result);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void while_another_thread_saves_a_call_that_cannot_wait_says_busy(void **state)
{
    struct fixture *f = *state;
    struct instance other;
    sqlite3 *db;
    pthread_t thread;
    void *result;
    instance_open_sqlite(&other, f->path);
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN; SELECT * FROM auth_kv", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(pthread_create(&thread, NULL, put_one, f->path), 0);
    while (sql_elsewhere(f->path, "SELECT * FROM auth_kv") != SQLITE_BUSY) {
    }
    assert_int_equal(instance_get(&other, "k"), AQ_E_BUSY);
    assert_non_null(strstr(other.err.text, "another thread is saving"));
    assert_int_equal(other.ops->lock(other.self, &other.err), AQ_AGAIN);
    assert_int_equal(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_non_null(result);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    instance_close(&other);
}

/* many at once */

/* Add one to k, INCREMENTS times, with compare-and-swap. Writers that never rest may keep others
 * from the file for as long as these wait; where a disk is slow, they do. Then it is tried again.
 */
static void increment(const char *path)
{
    const struct plugin_setting settings[] = { { "path", path }, { NULL, NULL } };
    struct instance i;
    instance_open(&i, "store-sqlite", settings);
    for (int done = 0; done < INCREMENTS;) {
        char now[32], next[32];
        aq_status status = instance_get(&i, "k");
        if (status == AQ_OK) {
            snprintf(now, sizeof(now), "%d", atoi(i.value));
            snprintf(next, sizeof(next), "%d", atoi(i.value) + 1);
            status = instance_swap(&i, "k", now, next);
            done += status == AQ_OK;
        }
        REQUIRE(status == AQ_OK || status == AQ_E_CHANGED || status == AQ_E_BUSY);
    }
    instance_close(&i);
}

static void *increment_in_thread(void *arg)
{
    increment(arg);
    return NULL;
}

static void increment_in_child(const struct fixture *f)
{
    increment(f->path);
}

static void threads_lose_no_update(void **state)
{
    struct fixture *f = *state;
    pthread_t threads[4];
    for (int n = 0; n < 4; n++) {
        assert_int_equal(pthread_create(&threads[n], NULL, increment_in_thread, f->path), 0);
    }
    for (int n = 0; n < 4; n++) {
        assert_int_equal(pthread_join(threads[n], NULL), 0);
    }
    assert_int_equal(instance_get(&f->store, "k"), AQ_OK);
    assert_int_equal(atoi(f->store.value), 4 * INCREMENTS);
}

static void processes_lose_no_update(void **state)
{
    struct fixture *f = *state;
    pid_t pids[WRITERS];
    for (int n = 0; n < WRITERS; n++) {
        pids[n] = start_child(increment_in_child, f, 0);
    }
    for (int n = 0; n < WRITERS; n++) {
        assert_int_equal(child_end(pids[n]), 0);
    }
    assert_int_equal(instance_get(&f->store, "k"), AQ_OK);
    assert_int_equal(atoi(f->store.value), WRITERS * INCREMENTS);
}

static void make_one(const struct fixture *f)
{
    struct instance i;
    char path[700], key[32];
    const struct plugin_setting settings[] = { { "path", path }, { NULL, NULL } };
    snprintf(path, sizeof(path), "%s/new/data.sqlite3", f->dir);
    snprintf(key, sizeof(key), "%ld", (long)getpid());
    instance_open(&i, "store-sqlite", settings);
    REQUIRE(instance_swap(&i, key, NULL, "v") == AQ_OK);
    instance_close(&i);
}

static void processes_that_make_the_database_at_once_all_succeed(void **state)
{
    struct fixture *f = *state;
    struct instance other;
    pid_t pids[WRITERS];
    char path[700];
    for (int n = 0; n < WRITERS; n++) {
        pids[n] = start_child(make_one, f, 0);
    }
    for (int n = 0; n < WRITERS; n++) {
        assert_int_equal(child_end(pids[n]), 0);
    }
    snprintf(path, sizeof(path), "%s/new/data.sqlite3", f->dir);
    instance_open_sqlite(&other, path);
    assert_int_equal(instance_list(&other), AQ_OK);
    assert_int_equal(other.key_count, WRITERS);
    instance_close(&other);
}

/* forks */

static void use_inherited(const struct fixture *f)
{
    struct instance inherited = f->store;
    struct instance fresh;
    inherited.host.table.ctx = &inherited.host;
    REQUIRE(instance_get(&inherited, "k") == AQ_E_FORKED);
    REQUIRE(instance_list(&inherited) == AQ_E_FORKED);
    REQUIRE(instance_put(&inherited, "k", "1") == AQ_E_FORKED);
    REQUIRE(inherited.ops->lock(inherited.self, &inherited.err) == AQ_E_FORKED);
    REQUIRE(inherited.ops->can_save(inherited.self, &inherited.err) == AQ_E_FORKED);
    inherited.ops->unlock(inherited.self);
    inherited.ops->close(inherited.self);

    instance_open_sqlite(&fresh, f->path);
    REQUIRE(fresh.ops->lock(fresh.self, &fresh.err) == AQ_AGAIN);
    REQUIRE(instance_swap(&fresh, "k", "0", "1") == AQ_OK);
    instance_close(&fresh);
}

static void a_forked_child_starts_afresh_and_leaves_its_parent_alone(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(f->store.ops->lock(f->store.self, &f->store.err), AQ_OK);
    assert_int_equal(child_end(start_child(use_inherited, f, 0)), 0);
    assert_int_equal(instance_swap(&f->store, "k", "1", "2"), AQ_OK);
    f->store.ops->unlock(f->store.self);
}

static int born[2], test_over[2]; /* pipes */

static void lock_and_have_a_child(const struct fixture *f)
{
    struct instance i;
    char byte = 'x';
    close(test_over[1]);
    instance_open_sqlite(&i, f->path);
    REQUIRE(i.ops->lock(i.self, &i.err) == AQ_OK);
    pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        REQUIRE(write(born[1], &byte, 1) == 1);
        REQUIRE(read(test_over[0], &byte, 1) == 0);
        _exit(0);
    }
    for (;;) {
        pause();
    }
}

static void the_lock_of_a_killed_process_is_free_even_if_it_left_a_child(void **state)
{
    struct fixture *f = *state;
    char byte;
    assert_int_equal(pipe(born), 0);
    assert_int_equal(pipe(test_over), 0);
    pid_t holder = start_child(lock_and_have_a_child, f, 0);
    assert_int_equal(read(born[0], &byte, 1), 1);
    assert_int_equal(f->store.ops->lock(f->store.self, &f->store.err), AQ_AGAIN);
    assert_int_equal(kill(holder, SIGKILL), 0);
    assert_int_equal(child_end(holder), -SIGKILL);
    assert_int_equal(f->store.ops->lock(f->store.self, &f->store.err), AQ_OK);
    f->store.ops->unlock(f->store.self);
    for (int n = 0; n < 2; n++) {
        close(test_over[n]); /* the grandchild ends */
        close(born[n]);
    }
}

static void open_in_wal_mode(const struct fixture *f)
{
    struct instance fresh;
    instance_open_sqlite(&fresh, f->path);
    REQUIRE(instance_get(&fresh, "k") == AQ_E_FORKED);
    REQUIRE(instance_says(&fresh, "WAL"));
    instance_close(&fresh);
}

static void a_wal_database_is_not_shared_with_a_forked_child(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(sql_elsewhere(f->path, "PRAGMA journal_mode=WAL"), SQLITE_OK);
    assert_int_equal(instance_get(&f->store, "k"), AQ_OK);
    assert_int_equal(child_end(start_child(open_in_wal_mode, f, 0)), 0);
    assert_int_equal(instance_put(&f->store, "k", "1"), AQ_OK);
}

/* crashes */

static int acknowledged[2]; /* a pipe */

static void count_up(const struct fixture *f)
{
    struct instance i;
    instance_open_sqlite(&i, f->path);
    REQUIRE(instance_get(&i, "k") == AQ_OK);
    for (int n = atoi(i.value) + 1;; n++) {
        char text[32];
        snprintf(text, sizeof(text), "%d", n);
        REQUIRE(instance_put(&i, "k", text) == AQ_OK);
        REQUIRE(write(acknowledged[1], &n, sizeof(n)) == sizeof(n));
    }
}

static void what_was_acknowledged_survives_kill_9(void **state)
{
    struct fixture *f = *state;
    srand(1);
    int kills = rounds(30, 1000);
    for (int round = 0; round < kills; round++) {
        int last = 0, n;
        assert_int_equal(pipe(acknowledged), 0);
        pid_t writer = start_child(count_up, f, 0);
        for (int seen = rand() % 4; seen >= 0; seen--) {
            assert_int_equal(read(acknowledged[0], &last, sizeof(last)), sizeof(last));
        }
        for (volatile int spin = rand() % 2000000; spin > 0; spin--) {
        }
        assert_int_equal(kill(writer, SIGKILL), 0);
        assert_int_equal(child_end(writer), -SIGKILL);
        close(acknowledged[1]);
        while (read(acknowledged[0], &n, sizeof(n)) == sizeof(n)) {
            last = n;
        }
        close(acknowledged[0]);
        assert_int_equal(instance_get(&f->store, "k"), AQ_OK);
        assert_in_range(atoi(f->store.value), last, last + 1);
        assert_true(is_sound(f->path));
    }
    rounds_report("S3", "writer killed at a random moment", (unsigned)kills);
}

static void an_interrupted_save_of_another_program_is_undone(void **state)
{
    struct fixture *f = *state;
    int count = rounds(2, 100);
    assert_int_equal(instance_get(&f->store, "k"), AQ_OK);
    for (int n = 0; n < count; n++) {
        interrupt_a_save(f->path);
        assert_int_equal(instance_get(&f->store, "k"), AQ_OK);
        assert_string_equal(f->store.value, "0");
        assert_string_equal(dir_names(f->dir), "data.sqlite3 ");
    }
    rounds_report("S7", "journal of an interrupted save", (unsigned)count);
}

static void a_journal_in_a_directory_opened_up_since_is_not_believed(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(instance_get(&f->store, "k"), AQ_OK);
    interrupt_a_save(f->path);
    assert_int_equal(chmod(f->dir, 0777), 0);
    assert_int_equal(instance_get(&f->store, "k"), AQ_E_DENIED);
    assert_non_null(strstr(f->store.err.text, "chmod o-w"));
    assert_int_equal(chmod(f->dir, 0700), 0);
    assert_int_equal(instance_get(&f->store, "k"), AQ_OK);
    assert_string_equal(f->store.value, "0");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(a_lock_of_another_sqlite_in_the_process_survives_our_reading_and_closing),
        TEST(another_sqlite_in_the_process_sees_our_locks),
        TEST(while_another_thread_saves_a_call_that_cannot_wait_says_busy),
        TEST(threads_lose_no_update),
        TEST(processes_lose_no_update),
        TEST(processes_that_make_the_database_at_once_all_succeed),
        TEST(a_forked_child_starts_afresh_and_leaves_its_parent_alone),
        TEST(the_lock_of_a_killed_process_is_free_even_if_it_left_a_child),
        TEST(a_wal_database_is_not_shared_with_a_forked_child),
        TEST(what_was_acknowledged_survives_kill_9),
        TEST(an_interrupted_save_of_another_program_is_undone),
        TEST(a_journal_in_a_directory_opened_up_since_is_not_believed),
    };
    be_elsewhere(argc, argv);
    return cmocka_run_group_tests_name("store-sqlite in company", tests, NULL, NULL);
}
