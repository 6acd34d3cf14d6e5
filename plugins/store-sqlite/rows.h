/* SPDX-License-Identifier: Apache-2.0 */
/* Keys and values in an open database. Blanks at the end of a value are none of it: they may be
 * room for the next one. Each reading runs in a transaction of its own; checking and applying run
 * inside the caller's. */
#ifndef STORE_SQLITE_ROWS_H
#define STORE_SQLITE_ROWS_H

#include "place.h"

#include <amazonq/plugin.h>
#include <sqlite3.h>

/* Memory of our own, wiped when it is given back. */
struct value {
    char *ptr;
    size_t len;
    size_t cap;
};

void value_done(struct value *v);

/* A copy of a key. */
aq_status rows_copy_key(struct aq_str key, struct value *ret, struct aq_error *err);

/* Whether the key and what is to be stored under it are acceptable. */
aq_status rows_check_key(struct aq_str key, struct aq_error *err);
aq_status rows_check_change(const struct aq_change *change, struct aq_error *err);

/* Look a key up; AQ_E_NOTFOUND, or AQ_E_CORRUPT when it is not TEXT. */
aq_status rows_get(sqlite3 *db, const struct place *place, struct aq_str key, struct value *ret,
                   struct aq_error *err);

/* Append every key that rows_get would find, each with a NUL behind it. The key is not used. */
aq_status rows_list(sqlite3 *db, const struct place *place, struct aq_str unused, struct value *ret,
                    struct aq_error *err);

/* Whether the table that a change needs can be used; AQ_OK also if it is not there yet. */
aq_status rows_check_table(sqlite3 *db, const struct place *place, const struct aq_change *change,
                           struct aq_error *err);

/* AQ_E_CHANGED when the row is not what the change expects. */
aq_status rows_expect(sqlite3 *db, const struct place *place, const struct aq_change *change,
                      struct aq_error *err);

/* Put 1024 blanks at the end of a value, as much as one refreshed may be longer than the one before
 * it; nothing happens where there is no such key. */
aq_status rows_pad(sqlite3 *db, const struct place *place, struct aq_str key, struct aq_error *err);

aq_status rows_apply(sqlite3 *db, const struct place *place, const struct aq_change *change,
                     struct aq_error *err);

/*
 * After a change was applied: AQ_E_CORRUPT when the pages of its table are damaged. SQLite writes
 * to such pages, and finds out when it reads them again.
 */
aq_status rows_check_pages(sqlite3 *db, const struct place *place, const struct aq_change *change,
                           struct aq_error *err);

#endif
