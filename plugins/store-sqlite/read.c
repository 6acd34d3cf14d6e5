/* SPDX-License-Identifier: Apache-2.0 */
#include "fail.h"
#include "store.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#define AUTO(type) __attribute__((cleanup(type##_done)))

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

aq_status read_check_wal(const struct store *s, struct aq_error *err)
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

aq_status read_check_alone(struct store *s, struct pool_file *file, struct aq_error *err)
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
    return status == AQ_OK && pool_is_wal(file) ? read_check_wal(s, err) : status;
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
        aq_status doubt = read_check_wal(s, err);
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

aq_status read_value(void *self, struct aq_str key, void *sink, struct aq_error *err)
{
    struct store *s = self;
    AUTO(value) struct value value = { 0 };
    struct reading r = { rows_get, key, &value };

    aq_status status = rows_check_key(key, err);
    if (status == AQ_OK && s->locked && !s->renewed.ptr) {
        status = rows_copy_key(key, &s->renewed, err);
    }
    if (status == AQ_OK) {
        status = wait_patiently(s, read_step, &r, err);
    }
    if (status != AQ_OK) {
        return status;
    }
    warn_if_exposed(s);
    return s->host->put(s->host->ctx, sink, key,
                        (struct aq_bytes){ (const uint8_t *)value.ptr, value.len });
}

aq_status read_keys(void *self, void *sink, struct aq_error *err)
{
    struct store *s = self;
    AUTO(value) struct value keys = { 0 };
    struct reading r = { rows_list, { NULL, 0 }, &keys };

    aq_status status = wait_patiently(s, read_step, &r, err);
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
