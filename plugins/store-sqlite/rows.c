/* SPDX-License-Identifier: Apache-2.0 */
#include "rows.h"

#include "fail.h"
#include "schema.h"

#include <stdlib.h>
#include <string.h>

enum { KEY_MAX = 1024 };

/* For %.*s; rows_check_key has seen it. */
#define KEY_ARG(key) (int)(key).len, (key).ptr

#define AUTO_STATEMENT __attribute__((cleanup(statement_done)))

static void statement_done(sqlite3_stmt **stmt)
{
    sqlite3_finalize(*stmt);
}

void value_done(struct value *v)
{
    if (v->ptr) {
        explicit_bzero(v->ptr, v->cap);
        free(v->ptr);
    }
    *v = (struct value){ 0 };
}

static bool value_add(struct value *v, const char *bytes, size_t len)
{
    if (len + 1 > v->cap - v->len) {
        size_t cap = 2 * v->cap + len + 1;
        char *ptr = malloc(cap);
        if (!ptr) {
            return false;
        }
        if (v->len) {
            memcpy(ptr, v->ptr, v->len);
        }
        size_t kept = v->len;
        value_done(v);
        *v = (struct value){ ptr, kept, cap };
    }
    if (len) {
        memcpy(v->ptr + v->len, bytes, len);
    }
    v->len += len;
    v->ptr[v->len] = '\0';
    return true;
}

static aq_status out_of_memory(struct aq_error *err)
{
    return fail(err, AQ_E_NOMEM, "store sqlite: out of memory");
}

aq_status rows_check_key(struct aq_str key, struct aq_error *err)
{
    if (key.len == 0 || key.len > KEY_MAX || memchr(key.ptr, '\0', key.len)) {
        return fail(err, AQ_E_INVALID, "key: not 1 to %d bytes without NUL, use another one",
                    KEY_MAX);
    }
    return AQ_OK;
}

aq_status rows_check_change(const struct aq_change *change, struct aq_error *err)
{
    aq_status status = rows_check_key(change->key, err);
    if (status != AQ_OK) {
        return status;
    }
    if ((uint32_t)change->expect > AQ_EXPECT_VALUE || (uint32_t)change->action > AQ_CHANGE_PUT) {
        return fail(err, AQ_E_INVALID, "change of '%.*s': unknown expectation or action",
                    KEY_ARG(change->key));
    }
    if (change->action == AQ_CHANGE_PUT && change->value.len > AQ_STORE_VALUE_MAX) {
        return fail(err, AQ_E_INVALID, "value of '%.*s': larger than 1 MiB, store less",
                    KEY_ARG(change->key));
    }
    return AQ_OK;
}

aq_status rows_copy_key(struct aq_str key, struct value *ret, struct aq_error *err)
{
    return value_add(ret, key.ptr, key.len) ? AQ_OK : out_of_memory(err);
}

static aq_status prepare(sqlite3 *db, const struct place *place, const struct schema_table *table,
                         const char *sql, struct aq_str key, sqlite3_stmt **ret,
                         struct aq_error *err)
{
    bool plain = true;
    int rc = sqlite3_prepare_v2(db, sql, -1, ret, NULL);
    if (rc == SQLITE_OK) {
        rc = schema_check_columns(db, table, &plain);
    }
    if (rc == SQLITE_ERROR || !plain) {
        return schema_explain(db, place, table, err);
    }
    if (rc == SQLITE_OK && key.ptr) {
        rc = sqlite3_bind_text(*ret, 1, key.ptr, (int)key.len, SQLITE_STATIC);
    }
    return rc == SQLITE_OK ? AQ_OK : fail_sqlite(err, rc, db, place->path);
}

/* Find the row of a key; AQ_OK means that *ret stands on it. */
static aq_status find(sqlite3 *db, const struct place *place, struct aq_str key, sqlite3_stmt **ret,
                      struct aq_error *err)
{
    const struct schema_table *table = schema_table_of(key);
    aq_status status = prepare(db, place, table, table->get, key, ret, err);
    if (status != AQ_OK) {
        return status;
    }
    int rc = sqlite3_step(*ret);
    if (rc == SQLITE_DONE) {
        return fail(err, AQ_E_NOTFOUND, "%s: no '%.*s' in table %s", place->path, KEY_ARG(key),
                    table->name);
    }
    return rc == SQLITE_ROW ? AQ_OK : fail_sqlite(err, rc, db, place->path);
}

static size_t length_without_blanks(const void *text, size_t len)
{
    while (len > 0 && ((const char *)text)[len - 1] == ' ') {
        len--;
    }
    return len;
}

aq_status rows_get(sqlite3 *db, const struct place *place, struct aq_str key, struct value *ret,
                   struct aq_error *err)
{
    AUTO_STATEMENT sqlite3_stmt *stmt = NULL;
    aq_status status = find(db, place, key, &stmt, err);
    if (status != AQ_OK) {
        return status;
    }
    if (sqlite3_column_type(stmt, 0) != SQLITE_TEXT) {
        return fail(err, AQ_E_CORRUPT, "%s: '%.*s' in table %s is not text, log in again",
                    place->path, KEY_ARG(key), schema_table_of(key)->name);
    }
    const unsigned char *text = sqlite3_column_text(stmt, 0);
    if (!text) {
        return out_of_memory(err);
    }
    size_t len = length_without_blanks(text, (size_t)sqlite3_column_bytes(stmt, 0));
    return value_add(ret, (const char *)text, len) ? AQ_OK : out_of_memory(err);
}

/* Keys of one table. One that get would look for elsewhere, or refuse, is not ours. */
static aq_status list_table(sqlite3 *db, const struct place *place,
                            const struct schema_table *table, struct value *ret,
                            struct aq_error *err)
{
    AUTO_STATEMENT sqlite3_stmt *stmt = NULL;
    const struct aq_str none = { NULL, 0 };
    aq_status status = prepare(db, place, table, table->list, none, &stmt, err);
    if (status != AQ_OK) {
        return status == AQ_E_NOTFOUND ? AQ_OK : status;
    }
    int rc;
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        if (sqlite3_column_type(stmt, 0) != SQLITE_TEXT) {
            continue;
        }
        struct aq_str key = { (const char *)sqlite3_column_text(stmt, 0), 0 };
        key.len = (size_t)sqlite3_column_bytes(stmt, 0);
        if (!key.ptr) {
            return out_of_memory(err);
        }
        if (rows_check_key(key, NULL) == AQ_OK && schema_table_of(key) == table &&
            !value_add(ret, key.ptr, key.len + 1)) {
            return out_of_memory(err);
        }
    }
    return rc == SQLITE_DONE ? AQ_OK : fail_sqlite(err, rc, db, place->path);
}

aq_status rows_list(sqlite3 *db, const struct place *place, struct aq_str unused, struct value *ret,
                    struct aq_error *err)
{
    (void)unused;
    for (unsigned i = 0; i < schema_table_count; i++) {
        aq_status status = list_table(db, place, &schema_tables[i], ret, err);
        if (status != AQ_OK) {
            return status;
        }
    }
    return AQ_OK;
}

aq_status rows_check_table(sqlite3 *db, const struct place *place, const struct aq_change *change,
                           struct aq_error *err)
{
    AUTO_STATEMENT sqlite3_stmt *stmt = NULL;
    const struct schema_table *table = schema_table_of(change->key);
    aq_status status = prepare(db, place, table, table->get, change->key, &stmt, err);
    return status == AQ_E_NOTFOUND ? AQ_OK : status; /* what that means depends on the change */
}

/* Whether the row that was found has this value; that may take memory, to convert it. */
static aq_status compare(sqlite3_stmt *stmt, struct aq_bytes expected, bool *ret,
                         struct aq_error *err)
{
    if (sqlite3_column_type(stmt, 0) != SQLITE_TEXT) {
        *ret = false;
        return AQ_OK;
    }
    const unsigned char *text = sqlite3_column_text(stmt, 0);
    if (!text) {
        return out_of_memory(err);
    }
    size_t len = length_without_blanks(text, (size_t)sqlite3_column_bytes(stmt, 0));
    size_t expected_len = length_without_blanks(expected.ptr, expected.len);
    *ret = len == expected_len && (len == 0 || memcmp(text, expected.ptr, len) == 0);
    return AQ_OK;
}

aq_status rows_expect(sqlite3 *db, const struct place *place, const struct aq_change *change,
                      struct aq_error *err)
{
    AUTO_STATEMENT sqlite3_stmt *stmt = NULL;
    if (change->expect == AQ_EXPECT_ANY) {
        return AQ_OK;
    }
    aq_status status = find(db, place, change->key, &stmt, err);
    if (status != AQ_OK && status != AQ_E_NOTFOUND) {
        return status;
    }
    bool met = change->expect == AQ_EXPECT_ABSENT && status == AQ_E_NOTFOUND;
    if (change->expect == AQ_EXPECT_VALUE && status == AQ_OK) {
        status = compare(stmt, change->expected, &met, err);
        if (status != AQ_OK) {
            return status;
        }
    }
    return met ? AQ_OK
               : fail(err, AQ_E_CHANGED, "%s: '%.*s' was changed by another program, read it again",
                      place->path, KEY_ARG(change->key));
}

aq_status rows_pad(sqlite3 *db, const struct place *place, struct aq_str key, struct aq_error *err)
{
    AUTO_STATEMENT sqlite3_stmt *stmt = NULL;
    const struct schema_table *table = schema_table_of(key);
    aq_status status = prepare(db, place, table, table->pad, key, &stmt, err);
    if (status != AQ_OK) {
        return status;
    }
    int rc = sqlite3_step(stmt);
    return rc == SQLITE_DONE ? AQ_OK : fail_sqlite(err, rc, db, place->path);
}

static int bind_value(sqlite3_stmt *stmt, struct aq_bytes value)
{
    const char *text = value.len ? (const char *)value.ptr : "";
    return sqlite3_bind_text(stmt, 2, text, (int)value.len, SQLITE_STATIC);
}

aq_status rows_apply(sqlite3 *db, const struct place *place, const struct aq_change *change,
                     struct aq_error *err)
{
    AUTO_STATEMENT sqlite3_stmt *stmt = NULL;
    const struct schema_table *table = schema_table_of(change->key);
    bool put = change->action == AQ_CHANGE_PUT;

    if (change->action == AQ_CHANGE_KEEP) {
        return AQ_OK;
    }
    aq_status status =
        prepare(db, place, table, put ? table->put : table->remove, change->key, &stmt, err);
    if (status == AQ_E_NOTFOUND && put) {
        return fail(err, AQ_E_READONLY,
                    "%s: has no table %s yet, start the Q CLI once so that it migrates it",
                    place->path, table->name);
    }
    if (status != AQ_OK) {
        return status == AQ_E_NOTFOUND ? AQ_OK : status; /* nothing to remove */
    }
    int rc = put ? bind_value(stmt, change->value) : SQLITE_OK;
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(stmt);
    }
    return rc == SQLITE_DONE ? AQ_OK : fail_sqlite(err, rc, db, place->path);
}

aq_status rows_check_pages(sqlite3 *db, const struct place *place, const struct aq_change *change,
                           struct aq_error *err)
{
    AUTO_STATEMENT sqlite3_stmt *stmt = NULL;
    const struct schema_table *table = schema_table_of(change->key);
    const struct aq_str none = { NULL, 0 };

    aq_status status = prepare(db, place, table, table->check, none, &stmt, err);
    if (status != AQ_OK) {
        return status == AQ_E_NOTFOUND ? AQ_OK : status; /* nothing was changed */
    }
    int rc = sqlite3_step(stmt);
    if (rc != SQLITE_ROW) {
        return fail_sqlite(err, rc, db, place->path);
    }
    const char *said = (const char *)sqlite3_column_text(stmt, 0);
    if (!said) {
        return out_of_memory(err);
    }
    return strcmp(said, "ok") == 0 ? AQ_OK : fail_sqlite(err, SQLITE_CORRUPT, db, place->path);
}
