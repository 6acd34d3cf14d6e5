/* SPDX-License-Identifier: Apache-2.0 */
/* What store-sqlite promises in bad company and bad places: writers that upgrade a transaction, a
 * path that changes hands, any umask, a disk with just so much room. */
#include "child.h"
#include "database.h"
#include "rounds.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    READERS = 8,
    WRITERS = 4,
    UPGRADERS = 4,
    CREATIONS_MAX = 1000,
    PAGE = 4096,
    ROOM_MAX = 40, /* pages free on a nearly full disk */
};

static int keep_text(void *ret, int count, char **values, char **names)
{
    (void)count;
    (void)names;
    snprintf(ret, 64, "%s", values[0]);
    return 0;
}

static void assert_sound(const char *path)
{
    sqlite3 *db;
    char text[64] = "";
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "PRAGMA integrity_check", keep_text, text, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    assert_string_equal(text, "ok");
}

static int number_in(const char *path)
{
    struct instance i;
    instance_open_sqlite(&i, path);
    assert_int_equal(instance_get(&i, "k"), AQ_OK);
    int number = atoi(i.value);
    instance_close(&i);
    return number;
}

/* company */

static int increments(void)
{
    return rounds(10, 500);
}

static int reads(void)
{
    return rounds(100, 5000);
}

static void open_patient(struct instance *i, const char *path)
{
    const struct plugin_setting settings[] = { { "path", path }, { NULL, NULL } };
    instance_open(i, "store-sqlite", settings);
}

/* Writers that never rest may keep others from the file for as long as these wait; where a disk is
 * slow, they do. Then it is tried again. */
static void read_often(void *arg)
{
    const struct fixture *f = arg;
    struct instance i;
    int last = 0;
    open_patient(&i, f->path);
    for (int n = 0; n < reads();) {
        aq_status status = instance_get(&i, "k");
        REQUIRE(status == AQ_OK || status == AQ_E_BUSY);
        if (status == AQ_OK) {
            REQUIRE(atoi(i.value) >= last);
            last = atoi(i.value);
            n++;
        }
    }
    instance_close(&i);
}

static void increment(void *arg)
{
    const struct fixture *f = arg;
    struct instance i;
    open_patient(&i, f->path);
    for (int done = 0; done < increments();) {
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

/* As programs do that begin by reading: the lock to write is asked for in the middle. */
static void increment_by_upgrading(void *arg)
{
    static const char transaction[] =
        "BEGIN DEFERRED; SELECT value FROM auth_kv WHERE key = 'k';"
        "UPDATE auth_kv SET value = CAST(value + 1 AS TEXT) WHERE key = 'k'; COMMIT";
    const struct fixture *f = arg;
    for (int done = 0; done < increments();) {
        sqlite3 *db;
        REQUIRE(sqlite3_open(f->path, &db) == SQLITE_OK);
        REQUIRE(sqlite3_busy_timeout(db, 5000) == SQLITE_OK);
        int rc = sqlite3_exec(db, transaction, NULL, NULL, NULL);
        REQUIRE(rc == SQLITE_OK || rc == SQLITE_BUSY); /* two that upgrade: one has to give way */
        done += rc == SQLITE_OK;
        REQUIRE(sqlite3_close(db) == SQLITE_OK);
    }
}

static void writers_that_upgrade_block_nobody_for_good_and_nothing_is_lost(void **state)
{
    struct fixture *f = *state;
    pid_t pids[READERS + WRITERS + UPGRADERS];
    int count = 0;
    for (int n = 0; n < READERS; n++) {
        pids[count++] = child_start(read_often, f);
    }
    for (int n = 0; n < WRITERS; n++) {
        pids[count++] = child_start(increment, f);
    }
    for (int n = 0; n < UPGRADERS; n++) {
        pids[count++] = child_start(increment_by_upgrading, f);
    }
    while (count > 0) {
        assert_int_equal(child_end(pids[--count]), 0);
    }
    assert_int_equal(number_in(f->path), (WRITERS + UPGRADERS) * increments());
    assert_sound(f->path);
    rounds_report("S5", "saves of 4 writers and 4 that upgrade, beside 8 readers",
                  (unsigned)((WRITERS + UPGRADERS) * increments()));
}

/* a path that changes hands */

static int swaps(void)
{
    return rounds(1000, 10000);
}

static void exchange_forever(void *arg)
{
    const struct fixture *f = arg;
    char other[700];
    snprintf(other, sizeof(other), "%s/other", f->dir);
    for (;;) {
        REQUIRE(renameat2(AT_FDCWD, f->path, AT_FDCWD, other, RENAME_EXCHANGE) == 0);
    }
}

static void end_swapper(pid_t pid)
{
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(child_end(pid), -SIGKILL);
}

/* Name what is at the path now "other", and what is at "other" by the path, if that is a link. */
static void put_back(const struct fixture *f, const char *other)
{
    struct stat st;
    assert_int_equal(lstat(f->path, &st), 0);
    if (S_ISLNK(st.st_mode)) {
        assert_int_equal(renameat2(AT_FDCWD, f->path, AT_FDCWD, other, RENAME_EXCHANGE), 0);
    }
}

/* Done, or refused for the reason that can be expected; or what it is about was just exchanged. */
static bool is_expected(aq_status status, aq_status reason)
{
    return status == AQ_OK || status == reason || status == AQ_E_BUSY || status == AQ_E_IO;
}

static aq_status add_one(struct instance *i)
{
    char now[32], next[32];
    assert_int_equal(instance_get(i, "k"), AQ_OK);
    snprintf(now, sizeof(now), "%d", atoi(i->value));
    snprintf(next, sizeof(next), "%d", atoi(i->value) + 1);
    return instance_swap(i, "k", now, next);
}

static void a_path_swapped_with_a_link_is_never_saved_through(void **state)
{
    struct fixture *f = *state;
    struct instance i;
    char evil[700], link_path[700], text[32];
    int read = 0, refused = 0;

    snprintf(evil, sizeof(evil), "%s/evil.sqlite3", f->dir);
    snprintf(link_path, sizeof(link_path), "%s/other", f->dir);
    instance_open_sqlite(&i, evil);
    assert_int_equal(instance_put(&i, "k", "evil"), AQ_OK);
    instance_close(&i);
    assert_int_equal(symlink(evil, link_path), 0);

    pid_t swapper = child_start(exchange_forever, f);
    instance_open_sqlite(&i, f->path);
    /* On a busy machine one of the two may run alone for a while. */
    for (int n = 1; n <= swaps() || !read || !refused; n++) {
        aq_status status = instance_get(&i, "k");
        assert_true(status == AQ_E_DENIED || (status == AQ_OK && strcmp(i.value, "evil") != 0));
        read += status == AQ_OK;
        refused += status != AQ_OK;
        snprintf(text, sizeof(text), "%d", n);
        status = instance_put(&i, "k", text);
        assert_true(is_expected(status, AQ_E_DENIED));
        refused += status != AQ_OK;
    }
    end_swapper(swapper);
    put_back(f, link_path);
    assert_int_equal(instance_put(&i, "k", "undisturbed"), AQ_OK);
    instance_close(&i);
    instance_open_sqlite(&i, evil);
    assert_int_equal(instance_get(&i, "k"), AQ_OK);
    assert_string_equal(i.value, "evil");
    instance_close(&i);
    assert_sound(f->path);
    rounds_report("S10", "path swapped with a symbolic link, again and again; reads and saves",
                  2 * (unsigned)swaps());
}

static void a_path_swapped_with_another_database_loses_no_acknowledged_save(void **state)
{
    struct fixture *f = *state;
    struct instance i;
    char other[700];
    int acknowledged = 0, doubtful = 0;

    snprintf(other, sizeof(other), "%s/other", f->dir);
    instance_open_sqlite(&i, other);
    assert_int_equal(instance_put(&i, "k", "0"), AQ_OK);
    instance_close(&i);

    pid_t swapper = child_start(exchange_forever, f);
    instance_open_sqlite(&i, f->path);
    for (int n = 0; n < swaps(); n++) {
        aq_status status = add_one(&i);
        assert_true(is_expected(status, AQ_E_CHANGED));
        acknowledged += status == AQ_OK;
        doubtful += status == AQ_E_IO;
    }
    end_swapper(swapper);
    assert_int_equal(add_one(&i), AQ_OK);
    acknowledged++;
    instance_close(&i);
    int sum = number_in(f->path) + number_in(other);
    assert_in_range(sum, acknowledged, acknowledged + doubtful);
    assert_sound(f->path);
    assert_sound(other);
    rounds_report("S13", "path swapped with another database, again and again; saves",
                  (unsigned)swaps());
}

/* umasks */

static int creations(void)
{
    int count = rounds(20, 500);
    return count < CREATIONS_MAX ? count : CREATIONS_MAX;
}

static void create_with_umask(const struct fixture *f, mode_t mask, int n)
{
    struct instance i;
    char path[700];
    snprintf(path, sizeof(path), "%s/new-%03o-%d/deep/data.sqlite3", f->dir, (unsigned)mask, n);
    umask(mask);
    instance_open_sqlite(&i, path);
    REQUIRE(instance_put(&i, "k", "v") == AQ_OK);
    REQUIRE(instance_put(&i, "k", "w") == AQ_OK);
    instance_close(&i);
}

static void create_many(void *arg)
{
    for (int n = 0; n < creations(); n++) {
        create_with_umask(arg, 0000, n);
        create_with_umask(arg, 0077, n);
    }
}

struct watched {
    int wd;
    char dir[800];
};

/* What appears in a watched directory is looked at, and watched as well. Returns how much of it. */
static int look_at(int fd, const struct inotify_event *e, struct watched *list, int *count, int max)
{
    char path[1200];
    struct stat st;
    int n = 0;
    while (n < *count && list[n].wd != e->wd) {
        n++;
    }
    assert_true(n < *count);
    snprintf(path, sizeof(path), "%s/%s", list[n].dir, e->name);
    if (lstat(path, &st) != 0) {
        return 0;
    }
    assert_int_equal(st.st_mode & 0777, S_ISDIR(st.st_mode) ? 0700 : 0600);
    if (S_ISDIR(st.st_mode) && *count < max) {
        struct watched *w = &list[(*count)++];
        snprintf(w->dir, sizeof(w->dir), "%.790s", path);
        w->wd = inotify_add_watch(fd, path, IN_CREATE | IN_ATTRIB | IN_MODIFY);
        assert_true(w->wd >= 0);
    }
    return 1;
}

/* At all that has been told of by now, however much that is. */
static int look(int fd, struct watched *list, int *count, int max)
{
    _Alignas(struct inotify_event) char events[8192];
    int seen = 0;
    ssize_t len;
    while ((len = read(fd, events, sizeof(events))) > 0) {
        for (ssize_t at = 0; at < len;) {
            const struct inotify_event *e = (const void *)(events + at);
            seen += look_at(fd, e, list, count, max);
            at += (ssize_t)(sizeof(*e) + e->len);
        }
    }
    return seen;
}

static void what_is_made_is_private_at_every_moment_whatever_the_umask(void **state)
{
    struct fixture *f = *state;
    static struct watched list[4 * CREATIONS_MAX * 2];
    int count = 1, seen = 0, status;
    int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    assert_true(fd >= 0);
    snprintf(list[0].dir, sizeof(list[0].dir), "%s", f->dir);
    list[0].wd = inotify_add_watch(fd, f->dir, IN_CREATE);
    pid_t pid = child_start(create_many, f);
    while (waitpid(pid, &status, WNOHANG) == 0) {
        seen += look(fd, list, &count, 4 * CREATIONS_MAX * 2);
    }
    assert_int_equal(status, 0);
    seen += look(fd, list, &count, 4 * CREATIONS_MAX * 2);
    close(fd);
    assert_true(seen >= 2 * creations());
    rounds_report("S9", "database made with umask 000 and 077, modes watched",
                  2 * (unsigned)creations());
}

/* a disk with just so much room */

/* Fill the disk, then leave that many pages of it. */
static void leave_room(const struct fixture *f, int pages)
{
    static const char page[PAGE];
    char path[700];
    struct stat st;
    snprintf(path, sizeof(path), "%s/fill", f->dir);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    REQUIRE(fd >= 0);
    while (write(fd, page, sizeof(page)) == sizeof(page)) {
    }
    REQUIRE(errno == ENOSPC && fstat(fd, &st) == 0 && st.st_size >= (off_t)pages * PAGE);
    REQUIRE(ftruncate(fd, st.st_size - (off_t)pages * PAGE) == 0);
    close(fd);
}

static void mount_small_disk(const struct fixture *f)
{
    REQUIRE(mount("none", f->dir, "tmpfs", 0, "size=512k,mode=0700") == 0);
}

static void sweep(void *arg)
{
    struct fixture *f = arg;
    struct instance i;
    char now[16], next[3900];
    int saved = 0, refused = 0;
    mount_small_disk(f);
    instance_open_sqlite(&i, f->path);
    for (int round = 0; round < 2 * ROOM_MAX; round++) {
        bool asked = round % 2;
        bool promised = false;
        memset(next, 'a' + round % 26, sizeof(next) - 1);
        next[sizeof(next) - 1] = '\0';
        snprintf(now, sizeof(now), "%s", round % 4 < 2 ? "short" : "other");
        leave_room(f, ROOM_MAX);
        REQUIRE(instance_put(&i, "k", now) == AQ_OK);
        leave_room(f, round / 2);
        if (asked) {
            promised = i.ops->can_save(i.self, &i.err) == AQ_OK;
            REQUIRE(promised || i.err.sys == ENOSPC);
        }
        aq_status status = instance_put(&i, "k", next);
        REQUIRE(status == AQ_OK || (status == AQ_E_IO && i.err.sys == ENOSPC && !promised));
        saved += status == AQ_OK;
        refused += status != AQ_OK;
        REQUIRE(instance_get(&i, "k") == AQ_OK);
        REQUIRE(strcmp(i.value, status == AQ_OK ? next : now) == 0);
    }
    REQUIRE(saved > 0 && refused > 0);
    instance_close(&i);
}

static void on_a_disk_that_fills_up_a_save_is_done_or_the_old_value_stays(void **state)
{
    child_run_in_namespace(sweep, *state);
    rounds_report("S12", "save on a disk with 0, 1, 2, ... free pages", 2 * ROOM_MAX);
}

static void sweep_without_database(void *arg)
{
    struct fixture *f = arg;
    int kept = 0, broken = 0;
    mount_small_disk(f);
    for (int pages = 0; pages < ROOM_MAX; pages++) {
        struct instance i;
        leave_room(f, pages);
        instance_open_sqlite(&i, f->path);
        bool promised = i.ops->can_save(i.self, &i.err) == AQ_OK;
        aq_status status = instance_put(&i, "k", "v");
        REQUIRE(status == AQ_OK || (status == AQ_E_IO && i.err.sys == ENOSPC));
        kept += promised && status == AQ_OK;
        broken += promised && status != AQ_OK;
        instance_close(&i);
        unlink(f->path);
    }
    REQUIRE(kept > 0 && broken == 0);
}

static void where_a_database_is_still_to_be_made_can_save_looks_for_room_too(void **state)
{
    child_run_in_namespace(sweep_without_database, *state);
    rounds_report("S12", "database made on a disk with 0, 1, 2, ... free pages", ROOM_MAX);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(writers_that_upgrade_block_nobody_for_good_and_nothing_is_lost),
        TEST(a_path_swapped_with_a_link_is_never_saved_through),
        TEST(a_path_swapped_with_another_database_loses_no_acknowledged_save),
        TEST(what_is_made_is_private_at_every_moment_whatever_the_umask),
        TEST(on_a_disk_that_fills_up_a_save_is_done_or_the_old_value_stays),
        TEST(where_a_database_is_still_to_be_made_can_save_looks_for_room_too),
    };
    return cmocka_run_group_tests_name("store-sqlite-faults", tests, NULL, NULL);
}
