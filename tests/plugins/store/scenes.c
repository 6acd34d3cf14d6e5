/* SPDX-License-Identifier: Apache-2.0 */
#include "scenes.h"

#include "child.h"
#include "sql.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

char new_value[NEW_LEN + 1];

static bool proc_is_hidden;

bool is_in_proc(const struct call *c)
{
    return c->kind == CALL_OPEN && strncmp(c->path, "/proc/", 6) == 0;
}

bool scene_hides(const struct call *c)
{
    return proc_is_hidden && is_in_proc(c);
}

void scene_open_store(struct fixture *f)
{
    const struct plugin_setting settings[] = { { "path", f->path },
                                               { "busy_timeout_ms", "2" },
                                               { NULL, NULL } };
    instance_open(&f->store, "store-sqlite", settings);
}

int set_up(void **state)
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

int tear_down(void **state)
{
    struct fixture *f = *state;
    dir_remove(f->dir);
    free(f);
    return 0;
}

/* operations */

aq_status operation_get(struct fixture *f)
{
    return instance_get(&f->store, "k");
}

static aq_status list(struct fixture *f)
{
    return instance_list(&f->store);
}

aq_status operation_put(struct fixture *f)
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

aq_status operation_renew(struct fixture *f)
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

const struct operation operations[OPERATIONS] = {
    [OPERATION_GET] = { "get", operation_get, OLD },
    [OPERATION_PUT] = { "put", operation_put, new_value },
    [OPERATION_RENEW] = { "renew", operation_renew, new_value },
    [OPERATION_CAN_SAVE] = { "can_save", can_save, OLD },
    [OPERATION_LIST] = { "list", list, OLD },
    [OPERATION_SWAP] = { "swap", swap, new_value },
    [OPERATION_REMOVE] = { "remove", drop, NULL },
    [OPERATION_LOCK] = { "lock", lock, OLD },
};

/* scenes */

void scene_make_login(struct fixture *f)
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
    scene_make_login(f);
    assert_int_equal(chmod(f->path, 0644), 0);
}

static void make_in_wal_mode(struct fixture *f)
{
    scene_make_login(f);
    sql(f->path, "PRAGMA journal_mode=WAL");
}

static void make_behind_link(struct fixture *f)
{
    scene_make_login(f);
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
    scene_make_login(f);
    assert_int_equal(child_end(child_start(abandon, f)), 0);
    char journal[650];
    snprintf(journal, sizeof(journal), "%s-journal", f->path);
    assert_int_equal(access(journal, F_OK), 0);
}

static void make_again(struct fixture *f)
{
    scene_make_login(f);
    instance_open_sqlite(&f->store, f->path);
    assert_int_equal(operation_get(f), AQ_OK);
    assert_int_equal(swap(f), AQ_OK);
    assert_int_equal(instance_put(&f->store, "k", OLD), AQ_OK);
    instance_close(&f->store);
}

static void make_without_proc(struct fixture *f)
{
    scene_make_login(f);
    proc_is_hidden = true;
}

static int refuse_to_open_for_writing(const struct call *c)
{
    return c->kind == CALL_OPEN && (c->flags & O_ACCMODE) == O_RDWR ? EROFS : 0;
}

/* Its descriptor for locks has to be opened again before it can be written. */
static void make_read_only_once(struct fixture *f)
{
    scene_make_login(f);
    scene_open_store(f);
    calls_refuse = refuse_to_open_for_writing;
    assert_int_equal(operation_get(f), AQ_OK);
    calls_refuse = NULL;
    instance_close(&f->store);
}

const struct scene scenes[SCENES] = {
    [SCENE_FIRST_USE] = { "first use", scene_make_login, OLD },
    [SCENE_LATER_USE] = { "later use", make_again, OLD },
    [SCENE_NOTHING_THERE] = { "nothing there", make_nothing, NULL },
    [SCENE_READABLE] = { "readable by others", make_readable, OLD },
    [SCENE_IN_WAL_MODE] = { "in WAL mode", make_in_wal_mode, OLD },
    [SCENE_BEHIND_LINK] = { "behind a link", make_behind_link, OLD },
    [SCENE_INTERRUPTED] = { "interrupted save", make_interrupted, OLD },
    [SCENE_WITHOUT_PROC] = { "without /proc", make_without_proc, OLD },
    [SCENE_READ_ONLY_ONCE] = { "read-only once", make_read_only_once, OLD },
};

/* after it */

bool scene_holds(struct fixture *f, const char *expected)
{
    aq_status status = operation_get(f);
    if (!expected) {
        return status == AQ_E_NOTFOUND;
    }
    return status == AQ_OK && strcmp(f->store.value, expected) == 0;
}

void scene_clear(struct fixture *f)
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
    assert_int_equal(operation_get(f), AQ_E_NOTFOUND);
    instance_close(&f->store);
    assert_int_equal(unlink(f->path), 0);
}
