/* SPDX-License-Identifier: Apache-2.0 */
#include "fail.h"
#include "in_place.h"
#include "schema.h"
#include "store.h"

#include <unistd.h>

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

static aq_status fail_no_room(const struct store *s, struct aq_error *err)
{
    return fail(
        err, AQ_E_READONLY,
        "%s: mounted as a single file, where this could be lost while it is saved, mount its "
        "directory instead (-v HOST_DIR:%s)",
        s->place.path, s->place.dir);
}

/* EXTRA also syncs the directory once the journal is gone: a power cut cannot bring it back. */
static aq_status begin(struct store *s, const struct writer *to, struct aq_error *err)
{
    int rc = sqlite3_exec(to->db, "PRAGMA synchronous=EXTRA", NULL, NULL, NULL);
    if (rc == SQLITE_OK) {
        rc = pool_begin(to->file, to->db, "BEGIN IMMEDIATE");
    }
    if ((rc & 0xff) == SQLITE_CANTOPEN && to->in_place) {
        return fail_no_room(s, err); /* it was put into WAL mode since that was looked at */
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
    uint64_t deadline = wait_deadline(s);
    uint64_t pause = 0;
    int rc;

    do {
        rc = sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
    } while ((rc & 0xff) == SQLITE_BUSY && wait_until(deadline, &pause));
    return rc;
}

static aq_status commit(struct store *s, const struct writer *to, struct aq_error *err)
{
    bool has_no_room = false;
    if (to->in_place) {
        in_place_begin();
    }
    int rc = commit_patiently(s, to->db);
    if (to->in_place) {
        has_no_room = in_place_end();
    }
    if (has_no_room) {
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

aq_status write_check_place(struct store *s, const struct pool_file *file, bool *ret_alone,
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

/* A connection that may write, after everything that forbids it was looked at. */
static aq_status connect_writer(struct store *s, struct pool_file *file, struct writer *ret,
                                struct aq_error *err)
{
    *ret = (struct writer){ .file = file };
    aq_status status = write_check_place(s, file, &ret->in_place, err);
    if (status == AQ_OK && ret->in_place) {
        status = read_check_alone(s, file, err);
    }
    return status == AQ_OK
               ? pool_connect(file, &s->place, ret->in_place ? POOL_IN_PLACE : POOL_WRITER,
                              &ret->db, err)
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

void write_release_reserve(struct store *s)
{
    if (s->reserve_fd >= 0) {
        close(s->reserve_fd);
        s->reserve_fd = -1;
    }
}

aq_status write_changes(void *self, const struct aq_change *changes, uint32_t count,
                        uint32_t stride, struct aq_error *err)
{
    struct writing w = { changes, count, stride };
    for (uint32_t i = 0; i < count; i++) {
        aq_status status = rows_check_change(change_at(&w, i), err);
        if (status != AQ_OK) {
            return status;
        }
    }
    write_release_reserve(self);
    return wait_patiently(self, commit_step, &w, err);
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
        status = explain_write(s, to->db, check_all(s, to->db, &w, err), err);
    }
    if (status == AQ_OK) {
        status = pool_tighten(to->file, &s->place, err);
    }
    if (status == AQ_OK) {
        status = explain_write(s, to->db, apply_all(s, to->db, &w, err), err);
    }
    return status;
}

/* The same in place, where it is not only tried: the value that is to be replaced gets the room
 * that its successor may need, so that nobody else takes it before the answer is there. */
static aq_status make_room(struct store *s, const struct writer *to, struct aq_error *err)
{
    const struct aq_str key = { s->renewed.ptr, s->renewed.len };
    const struct aq_change change = { .key = key };
    aq_status status = begin(s, to, err);
    if (status == AQ_OK) {
        status = rows_pad(to->db, &s->place, key, err);
    }
    if (status == AQ_OK) {
        status = pool_tighten(to->file, &s->place, err);
    }
    if (status == AQ_OK) {
        status = rows_check_pages(to->db, &s->place, &change, err);
    }
    if (status == AQ_OK && sqlite3_changes(to->db) == 0) {
        status = fail_no_room(s, err); /* for a row that is still to be made */
    }
    return status == AQ_OK ? commit(s, to, err) : status;
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
        status = to.in_place ? make_room(s, &to, err) : rehearse(s, &to, err);
        pool_relax(file, to.db);
    }
    return status;
}

aq_status write_can_save(void *self, struct aq_error *err)
{
    return wait_patiently(self, can_save_step, NULL, err);
}
