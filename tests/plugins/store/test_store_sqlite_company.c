/* SPDX-License-Identifier: Apache-2.0 */
/* What store-sqlite promises when it is not alone: other threads, other processes, a second SQLite
 * in the same process, forks, crashes, and places where it may not write. */
#include "instance.h"
#include "rounds.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { OTHER_UID = 1000 };
enum { WRITERS = 8, INCREMENTS = 50 };

extern char **environ;

struct fixture {
    char *dir;
    char path[600];
    struct instance store; /* its database has one row, k = 0 */
};

/* Run SQL with the system's SQLite and return its code. */
static int sql(const char *path, const char *text)
{
    sqlite3 *db = NULL;
    int rc = sqlite3_open(path, &db);
    if (rc == SQLITE_OK) {
        rc = sqlite3_exec(db, text, NULL, NULL, NULL);
    }
    sqlite3_close(db);
    return rc;
}

static int keep_text(void *ret, int count, char **values, char **names)
{
    (void)count;
    (void)names;
    snprintf(ret, 64, "%s", values[0]);
    return 0;
}

static bool is_sound(const char *path)
{
    sqlite3 *db = NULL;
    char text[64] = "";
    int rc = sqlite3_open(path, &db);
    if (rc == SQLITE_OK) {
        rc = sqlite3_exec(db, "PRAGMA integrity_check", keep_text, text, NULL);
    }
    sqlite3_close(db);
    return rc == SQLITE_OK && strcmp(text, "ok") == 0;
}

/* The same in a process of its own, which has nothing in common with this one. */
static int sql_elsewhere(const char *path, const char *text)
{
    char self[] = "/proc/self/exe", command[] = "sql";
    char *argv[] = { self, command, (char *)path, (char *)text, NULL };
    pid_t pid;
    int status;
    assert_int_equal(posix_spawn(&pid, self, NULL, NULL, argv, environ), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    if (access("/dev/shm", W_OK | X_OK) == 0) {
        setenv("TMPDIR", "/dev/shm", 1); /* who waits here waits for others, and not for a disk */
    }
    f->dir = dir_make();
    snprintf(f->path, sizeof(f->path), "%s/data.sqlite3", f->dir);
    instance_open_sqlite(&f->store, f->path);
    assert_int_equal(instance_put(&f->store, "k", "0"), AQ_OK);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    instance_close(&f->store);
    dir_remove(f->dir);
    free(f);
    return 0;
}

/* Run a function in a forked child, as another user if uid is not 0; its failed assertions fail the
 * test. */
static pid_t start_child(void (*run)(const struct fixture *), const struct fixture *f, uid_t uid)
{
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a failed test leaves nobody behind */
        if (uid && (setresgid(uid, uid, uid) != 0 || setresuid(uid, uid, uid) != 0)) {
            _exit(99);
        }
        run(f);
        exit(0); /* with everything that looks at the end: leaks, coverage */
    }
    return pid;
}

static int end_child(pid_t pid)
{
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* In a child cmocka cannot be used: it would jump into the parent's test. */
#define REQUIRE(condition) \
    do { \
        if (!(condition)) { \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
            _exit(1); \
        } \
    } while (0)

static bool err_has(const struct instance *i, const char *part)
{
    if (!strstr(i->err.text, part)) {
        fprintf(stderr, "'%s' is not in '%s'\n", part, i->err.text);
        return false;
    }
    return true;
}

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

static void *put_one(void *arg)
{
    const struct plugin_setting settings[] = { { "path", arg }, { NULL, NULL } };
    struct instance i;
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
    assert_int_equal(sql(f->path, "BEGIN IMMEDIATE"), SQLITE_BUSY);
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
        assert_int_equal(end_child(pids[n]), 0);
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
        assert_int_equal(end_child(pids[n]), 0);
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
    assert_int_equal(end_child(start_child(use_inherited, f, 0)), 0);
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
    assert_int_equal(end_child(holder), -SIGKILL);
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
    REQUIRE(err_has(&fresh, "WAL"));
    instance_close(&fresh);
}

static void a_wal_database_is_not_shared_with_a_forked_child(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(sql_elsewhere(f->path, "PRAGMA journal_mode=WAL"), SQLITE_OK);
    assert_int_equal(instance_get(&f->store, "k"), AQ_OK);
    assert_int_equal(end_child(start_child(open_in_wal_mode, f, 0)), 0);
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
        assert_int_equal(end_child(writer), -SIGKILL);
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

/* Leave an interrupted transaction: pages are changed on disk, the journal knows the old ones. */
static void interrupt_a_save(const char *path)
{
    static const char interrupted[] =
        "PRAGMA cache_size=2; BEGIN; UPDATE auth_kv SET value = 'uncommitted' WHERE key = 'k';"
        "INSERT INTO conversations SELECT column1, hex(zeroblob(200000))"
        " FROM (VALUES (1), (2), (3))";
    char journal[700];
    struct stat st;
    assert_int_equal(sql_elsewhere(path, interrupted), SQLITE_OK);
    snprintf(journal, sizeof(journal), "%s-journal", path);
    assert_int_equal(stat(journal, &st), 0);
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

/* places where it may not write */

static void skip_unless_root(void)
{
    if (geteuid() != 0) {
        print_message("needs root\n");
        skip();
    }
}

static void give_away(const struct fixture *f, mode_t dir_mode, mode_t file_mode)
{
    assert_int_equal(chown(f->path, OTHER_UID, OTHER_UID), 0);
    assert_int_equal(chown(f->dir, OTHER_UID, OTHER_UID), 0);
    assert_int_equal(chmod(f->path, file_mode), 0);
    assert_int_equal(chmod(f->dir, dir_mode), 0);
}

static void read_but_not_write(const struct fixture *f)
{
    struct instance i;
    instance_open_sqlite(&i, f->path);
    REQUIRE(instance_get(&i, "k") == AQ_OK && strcmp(i.value, "0") == 0);
    REQUIRE(i.ops->can_save(i.self, &i.err) == AQ_E_READONLY);
    REQUIRE(err_has(&i, f->dir));
    REQUIRE(instance_put(&i, "k", "1") == AQ_E_READONLY);
    REQUIRE(err_has(&i, f->dir));
    REQUIRE(instance_get(&i, "k") == AQ_OK && strcmp(i.value, "0") == 0);
    instance_close(&i);
}

static void a_read_only_file_is_read_and_not_written(void **state)
{
    struct fixture *f = *state;
    skip_unless_root();
    give_away(f, 0700, 0400);
    assert_int_equal(end_child(start_child(read_but_not_write, f, OTHER_UID)), 0);
}

static void a_file_in_a_read_only_directory_is_read_and_not_written(void **state)
{
    struct fixture *f = *state;
    skip_unless_root();
    give_away(f, 0500, 0600);
    assert_int_equal(end_child(start_child(read_but_not_write, f, OTHER_UID)), 0);
}

static void refuse_interrupted(const struct fixture *f)
{
    struct instance i;
    instance_open_sqlite(&i, f->path);
    REQUIRE(instance_get(&i, "k") == AQ_E_DENIED);
    REQUIRE(err_has(&i, "interrupted"));
    instance_close(&i);
}

static void an_interrupted_save_in_a_read_only_place_is_an_error_not_a_wrong_value(void **state)
{
    struct fixture *f = *state;
    char journal[700];
    skip_unless_root();
    interrupt_a_save(f->path);
    snprintf(journal, sizeof(journal), "%s-journal", f->path);
    assert_int_equal(chown(journal, OTHER_UID, OTHER_UID), 0);
    give_away(f, 0500, 0400);
    assert_int_equal(end_child(start_child(refuse_interrupted, f, OTHER_UID)), 0);
    rounds_report("S7", "journal of an interrupted save in a read-only place: an error", 1);
}

static void refuse_foreign(const struct fixture *f)
{
    struct instance i;
    instance_open_sqlite(&i, f->path);
    REQUIRE(instance_get(&i, "k") == AQ_E_DENIED);
    REQUIRE(err_has(&i, "belongs to uid 0 and this is uid 1000"));
    REQUIRE(instance_put(&i, "k", "1") == AQ_E_DENIED);
    instance_close(&i);
}

static void the_file_of_another_user_is_refused(void **state)
{
    struct fixture *f = *state;
    skip_unless_root();
    assert_int_equal(chmod(f->path, 0644), 0);
    assert_int_equal(chmod(f->dir, 0755), 0);
    assert_int_equal(end_child(start_child(refuse_foreign, f, OTHER_UID)), 0);
    assert_int_equal(chown(f->dir, OTHER_UID, OTHER_UID), 0);
    assert_int_equal(end_child(start_child(refuse_foreign, f, OTHER_UID)), 0);
}

static void refuse_foreign_directory(const struct fixture *f)
{
    struct instance i;
    instance_open_sqlite(&i, f->path);
    REQUIRE(instance_get(&i, "k") == AQ_E_DENIED);
    REQUIRE(err_has(&i, "the directory belongs to uid 1001 and this is uid 1000"));
    REQUIRE(instance_put(&i, "k", "1") == AQ_E_DENIED);
    instance_close(&i);
}

static void the_directory_of_another_user_is_refused(void **state)
{
    struct fixture *f = *state;
    skip_unless_root();
    give_away(f, 0755, 0600);
    assert_int_equal(chown(f->dir, OTHER_UID + 1, OTHER_UID + 1), 0);
    assert_int_equal(end_child(start_child(refuse_foreign_directory, f, OTHER_UID)), 0);
}

static void root_in_a_container_may_use_the_file_of_a_user(void **state)
{
    struct fixture *f = *state;
    struct stat st;
    skip_unless_root();
    give_away(f, 0700, 0600);
    assert_int_equal(instance_put(&f->store, "k", "1"), AQ_OK);
    assert_int_equal(stat(f->path, &st), 0);
    assert_int_equal(st.st_uid, OTHER_UID);
}

/* paths that change */

enum { SWAPS = 100 };

static void swap_forever(const struct fixture *f)
{
    char link_path[700];
    snprintf(link_path, sizeof(link_path), "%s/link", f->dir);
    for (;;) {
        REQUIRE(renameat2(AT_FDCWD, f->path, AT_FDCWD, link_path, RENAME_EXCHANGE) == 0);
    }
}

static void read_while_swapped(const struct fixture *f)
{
    struct instance i;
    instance_open_sqlite(&i, f->path);
    aq_status status = instance_get(&i, "k");
    REQUIRE(status == AQ_E_DENIED || (status == AQ_OK && strcmp(i.value, "0") == 0));
    instance_close(&i);
}

static void a_path_swapped_with_a_link_never_leads_to_the_links_target(void **state)
{
    struct fixture *f = *state;
    struct instance evil;
    char path[700], link_path[700];
    snprintf(path, sizeof(path), "%s/evil/data.sqlite3", f->dir);
    snprintf(link_path, sizeof(link_path), "%s/link", f->dir);
    instance_open_sqlite(&evil, path);
    assert_int_equal(instance_put(&evil, "k", "evil"), AQ_OK);
    instance_close(&evil);
    assert_int_equal(symlink(path, link_path), 0);

    pid_t swapper = start_child(swap_forever, f, 0);
    for (int n = 0; n < SWAPS; n++) {
        assert_int_equal(end_child(start_child(read_while_swapped, f, 0)), 0);
    }
    assert_int_equal(kill(swapper, SIGKILL), 0);
    assert_int_equal(end_child(swapper), -SIGKILL);
}

/* secrets */

#ifdef AQ_TEST_MEMORY

/* The secret repeats two letters, so that looking for it needs no copy of it. */
enum { SECRET_REPEATS = 500, FOUND_REPEATS = 8 };

static size_t count_in(const volatile char *at, const volatile char *end)
{
    size_t count = 0;
    for (int matched = 0; at < end; at++) {
        matched = *at == (matched % 2 ? '7' : 'k') ? matched + 1 : *at == 'k';
        if (matched == 2 * FOUND_REPEATS) {
            count++;
            matched = 0;
        }
    }
    return count;
}

/* How often a part of the secret is found in what this process can write. */
static size_t count_in_memory(void)
{
    char line[512], may[8];
    unsigned long from, to;
    size_t count = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    assert_non_null(maps);
    while (fgets(line, sizeof(line), maps)) {
        if (sscanf(line, "%lx-%lx %7s", &from, &to, may) == 3 && strncmp(may, "rw", 2) == 0) {
            count += count_in((const volatile char *)from, (const volatile char *)to);
        }
    }
    fclose(maps);
    return count;
}

static aq_status keep_length(void *ctx, void *sink, struct aq_str key, struct aq_bytes value)
{
    (void)ctx;
    (void)key;
    *(size_t *)sink = value.len;
    return AQ_OK;
}

static void nothing_that_was_read_stays_in_memory(void **state)
{
    struct fixture *f = *state;
    size_t len = 0;
    assert_int_equal(sql_elsewhere(f->path, "UPDATE auth_kv SET value ="
                                            " replace(hex(zeroblob(500)), '00', 'k7')"),
                     SQLITE_OK);
    f->store.host.table.put = keep_length;
    assert_int_equal(f->store.ops->get(f->store.self, AQ_STR("k"), &len, &f->store.err), AQ_OK);
    assert_int_equal(len, 2 * SECRET_REPEATS);
    assert_int_equal(count_in_memory(), 0);

    char *copy = malloc(2 * SECRET_REPEATS); /* it can be found */
    assert_non_null(copy);
    for (int n = 0; n < 2 * SECRET_REPEATS; n++) {
        copy[n] = n % 2 ? '7' : 'k';
    }
    assert_true(count_in_memory() > 0);
    explicit_bzero(copy, 2 * SECRET_REPEATS);
    free(copy);
}

#endif

/* mounts, in a namespace of their own that ends with the child */

enum { NO_NAMESPACE = 77 };

static void enter_namespace(void)
{
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) {
        _exit(NO_NAMESPACE);
    }
}

static void in_namespace(void (*run)(const struct fixture *), const struct fixture *f)
{
    int rc = end_child(start_child(run, f, 0));
    if (rc == NO_NAMESPACE) {
        print_message("needs mount namespaces\n");
        skip();
    }
    assert_int_equal(rc, 0);
}

/* The file alone, mounted as it is into another directory. */
static void mount_file(const struct fixture *f, char *path, size_t cap)
{
    snprintf(path, cap, "%s/container", f->dir);
    REQUIRE(mkdir(path, 0700) == 0 || errno == EEXIST);
    snprintf(path, cap, "%s/container/data.sqlite3", f->dir);
    FILE *target = fopen(path, "w");
    REQUIRE(target && fclose(target) == 0);
    REQUIRE(mount(f->path, path, NULL, MS_BIND, NULL) == 0);
}

static void use_mounted_wal(const struct fixture *f)
{
    struct instance i;
    char path[700];
    enter_namespace();
    mount_file(f, path, sizeof(path));
    instance_open_sqlite(&i, path);
    REQUIRE(instance_get(&i, "k") == AQ_E_DENIED);
    REQUIRE(err_has(&i, "WAL"));
    instance_close(&i);
}

static void a_wal_file_mounted_by_itself_is_not_believed(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(sql_elsewhere(f->path, "PRAGMA journal_mode=WAL"), SQLITE_OK);
    in_namespace(use_mounted_wal, f);
}

static void use_stale_journal(const struct fixture *f)
{
    struct instance i;
    char path[700], from[700], to[750];
    enter_namespace();
    mount_file(f, path, sizeof(path));
    snprintf(from, sizeof(from), "%s-journal", f->path);
    snprintf(to, sizeof(to), "%s-journal", path);
    REQUIRE(rename(from, to) == 0);
    instance_open_sqlite(&i, path);
    REQUIRE(instance_get(&i, "k") == AQ_E_DENIED);
    REQUIRE(err_has(&i, "mount its directory"));
    instance_close(&i);
    REQUIRE(access(to, F_OK) == 0);
}

static void a_journal_beside_a_file_mounted_by_itself_is_not_played_back(void **state)
{
    struct fixture *f = *state;
    interrupt_a_save(f->path);
    in_namespace(use_stale_journal, f);
}

static void use_read_only_mount(const struct fixture *f)
{
    enter_namespace();
    REQUIRE(mount(f->dir, f->dir, NULL, MS_BIND, NULL) == 0);
    REQUIRE(mount(NULL, f->dir, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL) == 0);
    read_but_not_write(f);
}

static void a_read_only_mount_is_read_and_not_written(void **state)
{
    in_namespace(use_read_only_mount, *state);
}

static void fill_the_disk(const struct fixture *f)
{
    char block[4096] = { 0 };
    char path[700];
    snprintf(path, sizeof(path), "%s/fill", f->dir);
    FILE *file = fopen(path, "w");
    REQUIRE(file);
    setvbuf(file, NULL, _IONBF, 0);
    while (fwrite(block, 1, sizeof(block), file) == sizeof(block)) {
    }
    fclose(file);
}

static void use_full_disk(const struct fixture *f)
{
    struct instance i;
    enter_namespace();
    REQUIRE(mount("none", f->dir, "tmpfs", 0, "size=256k,mode=0700") == 0);
    instance_open_sqlite(&i, f->path);
    REQUIRE(instance_put(&i, "k", "0") == AQ_OK);
    REQUIRE(i.ops->can_save(i.self, &i.err) == AQ_OK); /* puts space aside */
    fill_the_disk(f);
    REQUIRE(instance_put(&i, "k", "1") == AQ_OK); /* and uses it */
    fill_the_disk(f);
    fill_the_disk(f);
    REQUIRE(i.ops->can_save(i.self, &i.err) == AQ_E_IO);
    REQUIRE(i.err.sys == ENOSPC);
    REQUIRE(instance_put(&i, "k", "2") == AQ_E_IO);
    REQUIRE(i.err.sys == ENOSPC);
    REQUIRE(instance_get(&i, "k") == AQ_OK && strcmp(i.value, "1") == 0);
    instance_close(&i);
}

static void a_full_disk_is_noticed_before_and_loses_nothing(void **state)
{
    in_namespace(use_full_disk, *state);
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
        TEST(a_read_only_file_is_read_and_not_written),
        TEST(a_file_in_a_read_only_directory_is_read_and_not_written),
        TEST(an_interrupted_save_in_a_read_only_place_is_an_error_not_a_wrong_value),
        TEST(the_file_of_another_user_is_refused),
        TEST(the_directory_of_another_user_is_refused),
        TEST(root_in_a_container_may_use_the_file_of_a_user),
        TEST(a_path_swapped_with_a_link_never_leads_to_the_links_target),
#ifdef AQ_TEST_MEMORY
        TEST(nothing_that_was_read_stays_in_memory),
#endif
        TEST(a_wal_file_mounted_by_itself_is_not_believed),
        TEST(a_journal_beside_a_file_mounted_by_itself_is_not_played_back),
        TEST(a_read_only_mount_is_read_and_not_written),
        TEST(a_full_disk_is_noticed_before_and_loses_nothing),
    };
    if (argc == 4 && strcmp(argv[1], "sql") == 0) { /* sql_elsewhere; what is open is abandoned */
        sqlite3 *db;
        int rc = sqlite3_open(argv[2], &db);
        _exit(rc == SQLITE_OK ? sqlite3_exec(db, argv[3], NULL, NULL, NULL) : rc);
    }
    return cmocka_run_group_tests_name("store-sqlite in company", tests, NULL, NULL);
}
