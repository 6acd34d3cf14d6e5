/* SPDX-License-Identifier: Apache-2.0 */
/* store-sqlite: the login in the existing CLI's own database, both ways compatible. */
#include "fail.h"
#include "in_place.h"
#include "place.h"
#include "pool.h"
#include "rows.h"
#include "schema.h"

#include <amazonq/plugin.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define AUTO(type) __attribute__((cleanup(type##_done)))

/* Pauses between two tries while another program holds the database. */
enum { PAUSE_FIRST_US = 1000, PAUSE_MAX_US = 25000 };

/* How long lock, which must not block, waits for another thread to leave the pool. */
enum { LOCK_WAIT_US = 100000 };

struct store {
    const struct aq_host *host;
    struct place place;
    uint64_t busy_us;    /* how long to wait for other programs */
    unsigned generation; /* of the process that opened it */
    int reserve_fd;      /* disk space put aside by can_save; -1 when there is none */
    bool exposed;        /* others could read the file in the last call */
    bool warned;         /* of that */
    bool locked;
    struct value renewed; /* key that was looked up first since then: what is to be replaced */
};

/* waiting */

static uint64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static uint64_t us_until(uint64_t deadline_us)
{
    uint64_t now = now_us();
    return now < deadline_us ? deadline_us - now : 0;
}

/* Wait a little; false when the deadline has passed. */
static bool pause_until(uint64_t deadline_us, uint64_t *pause_us)
{
    uint64_t left = us_until(deadline_us);
    uint64_t us = *pause_us < left ? *pause_us : left;
    if (left == 0) {
        return false;
    }
    nanosleep(&(struct timespec){ .tv_nsec = (long)us * 1000 }, NULL);
    *pause_us = *pause_us * 2 < PAUSE_MAX_US ? *pause_us * 2 : PAUSE_MAX_US;
    return true;
}

typedef aq_status step_fn(struct store *s, void *arg, struct aq_error *err);

/* Take a step inside the pool, again and again while others are in the way; wait outside. */
static aq_status patiently(struct store *s, step_fn *step, void *arg, struct aq_error *err)
{
    uint64_t deadline = now_us() + s->busy_us;
    uint64_t pause = PAUSE_FIRST_US;
    aq_status status;

    do {
        status = pool_enter(s->generation, us_until(deadline), err);
        if (status == AQ_OK) {
            status = step(s, arg, err);
            pool_leave();
        }
    } while (status == AQ_E_BUSY && pause_until(deadline, &pause));
    return status;
}

/* reading */

struct reading {
    aq_status (*read)(sqlite3 *, const struct place *, struct aq_str, struct value *,
                      struct aq_error *);
    struct aq_str key;
    struct value *ret;
};

/* Whether a reader found the work of an interrupted writer, which only a writer may undo. */
static bool needs_recovery(int code)
{
    return (code & 0xff) == SQLITE_READONLY || (code & 0xff) == SQLITE_CANTOPEN;
}

/* One transaction, so one round of locks, for the schema and for everything that is asked. BEGIN
 * alone takes no lock; the first statement must be one that needs no schema. */
static aq_status begin_reading(struct store *s, struct pool_file *file, sqlite3 *db,
                               struct aq_error *err)
{
    int rc = pool_begin(file, db, "BEGIN; PRAGMA schema_version");
    return rc == SQLITE_OK ? AQ_OK : fail_sqlite(err, rc, db, s->place.path);
}

static aq_status read_once(struct store *s, struct pool_file *file, enum pool_access access,
                           const struct reading *r, int *ret_code, struct aq_error *err)
{
    sqlite3 *db;
    aq_status status = pool_connect(file, &s->place, access, &db, err);
    if (status != AQ_OK) {
        return status;
    }
    value_done(r->ret);
    status = begin_reading(s, file, db, err);
    if (status == AQ_OK) {
        status = r->read(db, &s->place, r->key, r->ret, err);
    }
    *ret_code = sqlite3_extended_errcode(db);
    pool_relax(file, db);
    return status;
}

/* Beside a file that is mounted by itself lies a journal of its own, with an older state. */
static aq_status fail_interrupted(const struct store *s, struct aq_error *err)
{
    return fail(err, AQ_E_DENIED,
                "%s: an interrupted save cannot be repaired in a file mounted by itself, mount its "
                "directory instead (-v HOST_DIR:%s)",
                s->place.path, s->place.dir);
}

/* Let SQLite repair what an interrupted writer left, as it does for every program that may write.
 */
static aq_status read_repaired(struct store *s, struct pool_file *file, const struct reading *r,
                               struct aq_error *err)
{
    struct aq_error refusal;
    int code = SQLITE_OK;

    if (pool_find(&s->place, POOL_WRITE, &file, &refusal) != AQ_OK) {
        *err = refusal; /* the journal may be anybody's */
        return err->status;
    }
    bool alone = false;
    aq_status status = place_is_mount_point(&s->place, &alone, &refusal);
    if (status != AQ_OK) {
        *err = refusal;
        return status;
    }
    if (alone) {
        return fail_interrupted(s, err);
    }
    if (place_check_mount(&s->place, &alone, &refusal) == AQ_E_READONLY) {
        return fail(
            err, AQ_E_DENIED,
            "%s: an interrupted save, or one that goes on elsewhere, cannot be repaired on this "
            "file system, use it where it belongs",
            s->place.path);
    }
    status = read_once(s, file, POOL_WRITER, r, &code, &refusal);
    if (status == AQ_E_READONLY || status == AQ_E_DENIED) {
        return err->status; /* the reader's own error says more */
    }
    if (status != AQ_OK) {
        *err = refusal;
    }
    return status;
}

/* In WAL mode a file beside the database was read as well: it has to be the right one. */
static aq_status check_wal(const struct store *s, struct aq_error *err)
{
    struct stat st;
    bool alone = false;
    aq_status status = place_inspect(&s->place, &st, err);
    if (status == AQ_OK) {
        status = place_is_mount_point(&s->place, &alone, err);
    }
    if (status == AQ_OK && alone) {
        status = fail(err, AQ_E_DENIED,
                      "%s: in WAL mode and mounted as a single file, so what it holds may be old, "
                      "mount its directory instead (-v HOST_DIR:%s)",
                      s->place.path, s->place.dir);
    }
    return status;
}

static aq_status read_step(struct store *s, void *arg, struct aq_error *err)
{
    const struct reading *r = arg;
    struct pool_file *file;
    int code = SQLITE_OK;

    aq_status status = pool_find(&s->place, POOL_READ, &file, err);
    if (status != AQ_OK) {
        return status;
    }
    s->exposed = pool_is_exposed(file);
    status = read_once(s, file, POOL_READER, r, &code, err);
    if (status != AQ_OK && needs_recovery(code)) {
        status = read_repaired(s, file, r, err);
    }
    if ((status == AQ_OK || status == AQ_E_NOTFOUND) && pool_is_wal(file)) {
        aq_status doubt = check_wal(s, err);
        status = doubt == AQ_OK ? status : doubt;
    }
    return status;
}

/* Once is enough; and not in the pool, where a host that takes its time would hold up others. */
static void warn_if_exposed(struct store *s)
{
    char line[PATH_MAX * 2 + 64];
    if (!s->exposed || s->warned) {
        return;
    }
    s->warned = true;
    snprintf(line, sizeof(line), "%s: other users can read it, run: chmod 600 %s", s->place.path,
             s->place.path);
    fail_make_printable(line);
    s->host->log(s->host->ctx, AQ_LOG_WARN, (struct aq_str){ line, strlen(line) });
}

static aq_status store_get(void *self, struct aq_str key, void *sink, struct aq_error *err)
{
    struct store *s = self;
    AUTO(value) struct value value = { 0 };
    struct reading r = { rows_get, key, &value };

    aq_status status = rows_check_key(key, err);
    if (status == AQ_OK && s->locked && !s->renewed.ptr) {
        status = rows_copy_key(key, &s->renewed, err);
    }
    if (status == AQ_OK) {
        status = patiently(s, read_step, &r, err);
    }
    if (status != AQ_OK) {
        return status;
    }
    warn_if_exposed(s);
    return s->host->put(s->host->ctx, sink, key,
                        (struct aq_bytes){ (const uint8_t *)value.ptr, value.len });
}

static aq_status store_list(void *self, void *sink, struct aq_error *err)
{
    struct store *s = self;
    AUTO(value) struct value keys = { 0 };
    struct reading r = { rows_list, { NULL, 0 }, &keys };

    aq_status status = patiently(s, read_step, &r, err);
    if (status == AQ_E_NOTFOUND) {
        return AQ_OK;
    }
    for (size_t at = 0; status == AQ_OK && at < keys.len;) {
        struct aq_str key = { keys.ptr + at, strlen(keys.ptr + at) };
        status = s->host->put(s->host->ctx, sink, key, (struct aq_bytes){ NULL, 0 });
        at += key.len + 1;
    }
    return status;
}

/* writing */

struct writing {
    const struct aq_change *changes;
    uint32_t count;
    uint32_t stride;
};

static const struct aq_change *change_at(const struct writing *w, uint32_t i)
{
    return (const void *)((const char *)w->changes + (size_t)i * w->stride);
}

/* A connection to write through. */
struct writer {
    struct pool_file *file;
    sqlite3 *db;
    bool in_place;
};

/* An error of a statement that writes: a journal that cannot be made means "read-only". */
static aq_status fail_write(struct store *s, sqlite3 *db, int rc, struct aq_error *err)
{
    if ((rc & 0xff) == SQLITE_CANTOPEN) {
        rc = SQLITE_READONLY_DIRECTORY;
    }
    return fail_sqlite(err, rc, db, s->place.path);
}

/* EXTRA also syncs the directory once the journal is gone: a power cut cannot bring it back. */
static aq_status begin(struct store *s, const struct writer *to, struct aq_error *err)
{
    int rc = sqlite3_exec(to->db, "PRAGMA synchronous=EXTRA", NULL, NULL, NULL);
    if (rc == SQLITE_OK) {
        rc = pool_begin(to->file, to->db, "BEGIN IMMEDIATE");
    }
    return rc == SQLITE_OK ? AQ_OK : fail_write(s, to->db, rc, err);
}

/* Whether this is a database of ours in the expected state; an empty file becomes one. */
static aq_status check_all(struct store *s, sqlite3 *db, const struct writing *w,
                           struct aq_error *err)
{
    aq_status status = schema_ensure(db, &s->place, err);
    for (uint32_t i = 0; status == AQ_OK && i < w->count; i++) {
        status = rows_check_table(db, &s->place, change_at(w, i), err);
    }
    for (uint32_t i = 0; status == AQ_OK && i < w->count; i++) {
        status = rows_expect(db, &s->place, change_at(w, i), err);
    }
    return status;
}

static aq_status apply_all(struct store *s, sqlite3 *db, const struct writing *w,
                           struct aq_error *err)
{
    aq_status status = AQ_OK;
    for (uint32_t i = 0; status == AQ_OK && i < w->count; i++) {
        status = rows_apply(db, &s->place, change_at(w, i), err);
    }
    for (uint32_t i = 0; status == AQ_OK && i < w->count; i++) {
        status = rows_check_pages(db, &s->place, change_at(w, i), err);
    }
    return status;
}

/* An error inside the transaction: a journal that cannot be made means "read-only". */
static aq_status explain_write(struct store *s, sqlite3 *db, aq_status status, struct aq_error *err)
{
    return status == AQ_E_DENIED ? fail_write(s, db, SQLITE_CANTOPEN, err) : status;
}

/* Readers may be inside for a moment. The transaction stays open, so this waits in the pool. */
static int commit_patiently(struct store *s, sqlite3 *db)
{
    uint64_t deadline = now_us() + s->busy_us;
    uint64_t pause = PAUSE_FIRST_US;
    int rc;

    do {
        rc = sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
    } while ((rc & 0xff) == SQLITE_BUSY && pause_until(deadline, &pause));
    return rc;
}

static aq_status fail_no_room(const struct store *s, struct aq_error *err)
{
    return fail(err, AQ_E_READONLY,
                "%s: mounted as a single file, where this could be lost while it is saved, mount its "
                "directory instead (-v HOST_DIR:%s)",
                s->place.path, s->place.dir);
}

static aq_status commit(struct store *s, const struct writer *to, struct aq_error *err)
{
    enum in_place_outcome outcome = IN_PLACE_NOTHING;
    if (to->in_place) {
        in_place_begin(false);
    }
    int rc = commit_patiently(s, to->db);
    if (to->in_place) {
        outcome = in_place_end();
    }
    if (outcome == IN_PLACE_NO_ROOM) {
        return fail_no_room(s, err);
    }
    return rc == SQLITE_OK ? AQ_OK : fail_write(s, to->db, rc, err);
}

static aq_status write_once(struct store *s, const struct writer *to, const struct writing *w,
                            struct aq_error *err)
{
    aq_status status = begin(s, to, err);
    if (status == AQ_OK) {
        status = explain_write(s, to->db, check_all(s, to->db, w, err), err);
    }
    if (status == AQ_OK) {
        status = pool_tighten(to->file, &s->place, err);
    }
    if (status == AQ_OK) {
        status = explain_write(s, to->db, apply_all(s, to->db, w, err), err);
    }
    if (status == AQ_OK && !pool_is_current(to->file, &s->place)) {
        /* busy, so that it is tried again with the file that is there now */
        status = fail(err, AQ_E_BUSY, "%s: replaced by another program, try again", s->place.path);
    }
    if (status == AQ_OK) {
        status = commit(s, to, err);
    }
    if (status == AQ_OK && !pool_is_current(to->file, &s->place)) {
        status = fail(err, AQ_E_IO, "%s: replaced by another program during a save, read it again",
                      s->place.path);
    }
    return status;
}

/* What forbids every save in this place. */
static aq_status check_place(struct store *s, const struct pool_file *file, bool *ret_alone,
                             struct aq_error *err)
{
    aq_status status = place_check_mount(&s->place, ret_alone, err);
    if (status == AQ_OK && *ret_alone && pool_is_orphan(file)) {
        status = fail(err, AQ_E_READONLY,
                      "%s: mounted as a single file, and replaced since where it comes from, mount "
                      "its directory instead (-v HOST_DIR:%s)",
                      s->place.path, s->place.dir);
    }
    return status;
}

/* Whether there is nothing beside a file that is mounted by itself which a writer would believe. A
 * reader sees it, too, and changes nothing. */
static aq_status check_alone(struct store *s, struct pool_file *file, struct aq_error *err)
{
    sqlite3 *db;
    aq_status status = pool_connect(file, &s->place, POOL_READER, &db, err);
    if (status != AQ_OK) {
        return status;
    }
    status = begin_reading(s, file, db, err);
    if (status != AQ_OK && needs_recovery(sqlite3_extended_errcode(db))) {
        status = fail_interrupted(s, err);
    }
    pool_relax(file, db);
    return status == AQ_OK && pool_is_wal(file) ? check_wal(s, err) : status;
}

/* A connection that may write, after everything that forbids it was looked at. */
static aq_status connect_writer(struct store *s, struct pool_file *file, struct writer *ret,
                                struct aq_error *err)
{
    *ret = (struct writer){ .file = file };
    aq_status status = check_place(s, file, &ret->in_place, err);
    if (status == AQ_OK && ret->in_place) {
        status = check_alone(s, file, err);
    }
    return status == AQ_OK ? pool_connect(file, &s->place,
                                          ret->in_place ? POOL_IN_PLACE : POOL_WRITER, &ret->db, err)
                           : status;
}

/* Nothing is there: that may be all the changes ask for, or not what they expect. */
static aq_status check_absent(const struct store *s, const struct writing *w, bool *ret_done,
                              struct aq_error *err)
{
    *ret_done = true;
    for (uint32_t i = 0; i < w->count; i++) {
        const struct aq_change *change = change_at(w, i);
        if (change->expect == AQ_EXPECT_VALUE) {
            return fail(err, AQ_E_CHANGED, "%s: the database is gone, log in again", s->place.path);
        }
        *ret_done &= change->action != AQ_CHANGE_PUT;
    }
    return AQ_OK;
}

static aq_status commit_step(struct store *s, void *arg, struct aq_error *err)
{
    const struct writing *w = arg;
    struct pool_file *file;
    struct writer to;
    bool done = false;

    aq_status status = pool_find(&s->place, POOL_WRITE, &file, err);
    if (status == AQ_E_NOTFOUND) {
        status = check_absent(s, w, &done, err);
        if (status != AQ_OK || done) {
            return status;
        }
        status = pool_find(&s->place, POOL_MAKE, &file, err);
    }
    if (status == AQ_OK) {
        status = connect_writer(s, file, &to, err);
    }
    if (status == AQ_OK) {
        status = write_once(s, &to, w, err);
        pool_relax(file, to.db);
    }
    return status;
}

static aq_status reserve(struct store *s, struct aq_error *err)
{
    return s->reserve_fd < 0 ? place_reserve(&s->place, &s->reserve_fd, err) : AQ_OK;
}

static void release_reserve(struct store *s)
{
    if (s->reserve_fd >= 0) {
        close(s->reserve_fd);
        s->reserve_fd = -1;
    }
}

static aq_status store_commit(void *self, const struct aq_change *changes, uint32_t count,
                              uint32_t stride, struct aq_error *err)
{
    struct writing w = { changes, count, stride };
    for (uint32_t i = 0; i < count; i++) {
        aq_status status = rows_check_change(change_at(&w, i), err);
        if (status != AQ_OK) {
            return status;
        }
    }
    release_reserve(self);
    return patiently(self, commit_step, &w, err);
}

/* Do everything a commit does, except committing. */
static aq_status rehearse(struct store *s, const struct writer *to, struct aq_error *err)
{
    const struct aq_change probe = { .key = AQ_STR("amazonq.can-save"), .action = AQ_CHANGE_PUT };
    const struct writing w = { &probe, 1, sizeof(probe) };

    aq_status status = reserve(s, err);
    if (status == AQ_OK) {
        status = begin(s, to, err);
    }
    if (status == AQ_OK) {
        status = check_all(s, to->db, &w, err);
        status = status == AQ_OK ? apply_all(s, to->db, &w, err) : status;
        status = explain_write(s, to->db, status, err);
    }
    return status;
}

/* The same in place: the value that is to be replaced could be a little longer. */
static aq_status rehearse_in_place(struct store *s, const struct writer *to, struct aq_error *err)
{
    const struct aq_str key = { s->renewed.ptr, s->renewed.len };
    aq_status status = begin(s, to, err);
    if (status == AQ_OK) {
        status = rows_lengthen(to->db, &s->place, key, err);
    }
    if (status != AQ_OK) {
        return status;
    }
    in_place_begin(true);
    int rc = commit_patiently(s, to->db);
    enum in_place_outcome outcome = in_place_end();
    if (outcome == IN_PLACE_FITS) {
        return AQ_OK;
    }
    return outcome == IN_PLACE_NO_ROOM || rc == SQLITE_OK ? fail_no_room(s, err)
                                                          : fail_write(s, to->db, rc, err);
}

static aq_status can_save_step(struct store *s, void *arg, struct aq_error *err)
{
    struct pool_file *file;
    struct writer to;
    (void)arg;

    aq_status status = pool_find(&s->place, POOL_WRITE, &file, err);
    if (status == AQ_E_NOTFOUND) {
        status = place_can_create(&s->place, err);
        return status == AQ_OK ? reserve(s, err) : status;
    }
    if (status == AQ_OK) {
        status = connect_writer(s, file, &to, err);
    }
    if (status == AQ_OK) {
        status = to.in_place ? rehearse_in_place(s, &to, err) : rehearse(s, &to, err);
        pool_relax(file, to.db);
    }
    return status;
}

static aq_status store_can_save(void *self, struct aq_error *err)
{
    return patiently(self, can_save_step, NULL, err);
}

/* the lock between refreshers */

static aq_status store_lock(void *self, struct aq_error *err)
{
    struct store *s = self;
    struct pool_file *file;
    bool alone;

    aq_status status = pool_enter(s->generation, LOCK_WAIT_US, err);
    if (status == AQ_E_BUSY) {
        return AQ_AGAIN;
    }
    if (status == AQ_OK) {
        status = pool_find(&s->place, POOL_WRITE, &file, err);
        if (status == AQ_OK) { /* who cannot save need not lock */
            status = check_place(s, file, &alone, err);
        }
        if (status == AQ_OK) {
            status = pool_lock(file, &s->place, s, err);
        }
        pool_leave();
    }
    s->locked |= status == AQ_OK;
    return status;
}

static void store_unlock(void *self)
{
    struct store *s = self;
    release_reserve(s);
    value_done(&s->renewed);
    s->locked = false;
    if (pool_enter(s->generation, POOL_FOREVER, NULL) == AQ_OK) {
        pool_unlock(s);
        pool_leave();
    }
}

/* life */

enum { SETTING_PATH, SETTING_BUSY_TIMEOUT_MS };

static const struct aq_setting settings[] = {
    [SETTING_PATH] = { .key = "path",
                       .help = "database file",
                       .type = AQ_SETTING_PATH,
                       .flags = AQ_SETTING_REQUIRED },
    [SETTING_BUSY_TIMEOUT_MS] = { .key = "busy_timeout_ms",
                                  .default_value = "5000",
                                  .help = "how long to wait for a program that is saving, in ms",
                                  .type = AQ_SETTING_INTEGER,
                                  .min = 0,
                                  .max = 5000 },
};

static const struct aq_setting_value *value_at(const struct aq_open_args *args, uint32_t i)
{
    return (const void *)((const char *)args->values + (size_t)i * args->value_stride);
}

static aq_status store_open(const struct aq_open_args *args, void **ret_self, struct aq_error *err)
{
    struct store *s = calloc(1, sizeof(*s));
    if (!s) {
        return fail(err, AQ_E_NOMEM, "store sqlite: out of memory");
    }
    aq_status status = place_init(&s->place, value_at(args, SETTING_PATH)->text, err);
    if (status != AQ_OK) {
        free(s);
        return status;
    }
    s->host = args->host;
    s->busy_us = (uint64_t)value_at(args, SETTING_BUSY_TIMEOUT_MS)->number * 1000;
    s->generation = pool_generation();
    s->reserve_fd = -1;
    *ret_self = s;
    return AQ_OK;
}

static void store_close(void *self)
{
    struct store *s = self;
    if (s) {
        store_unlock(s);
        place_done(&s->place);
        free(s);
    }
}

static const struct aq_store_ops ops = {
    AQ_STORE_OPS,           .traits = AQ_STORE_PERSISTENT | AQ_STORE_SHARED,
    .open = store_open,     .close = store_close,
    .get = store_get,       .list = store_list,
    .commit = store_commit, .lock = store_lock,
    .unlock = store_unlock, .can_save = store_can_save,
};

static const struct aq_plugin plugin = {
    AQ_PLUGIN_INFO,
    .kind = AQ_PLUGIN_STORE,
    .name = "sqlite",
    .version = "1.0",
    .summary = "the Q CLI's own database, data.sqlite3",
    AQ_PLUGIN_SETTINGS(settings),
    .store = &ops,
};
AQ_PLUGIN(plugin)
