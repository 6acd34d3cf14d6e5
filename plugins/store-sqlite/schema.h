/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of the existing CLI's database (docs/protocol.md, section 11). */
#ifndef STORE_SQLITE_SCHEMA_H
#define STORE_SQLITE_SCHEMA_H

#include "place.h"

#include <amazonq/plugin.h>
#include <sqlite3.h>
#include <stdbool.h>

/* A table that holds keys and values, and how to use it. ?1 is a key, ?2 a value. */
struct schema_table {
    const char *name;
    const char *columns;        /* what kind of column each is */
    const char *find;           /* whether there is anything of that name */
    const char *find_migration; /* whether the migration that makes it was applied */
    const char *get;
    const char *list;
    const char *put;
    const char *pad;
    const char *remove;
    const char *check; /* "ok", unless its pages are damaged */
};

/* All of them; schema_table_count elements. */
extern const struct schema_table schema_tables[];
extern const unsigned schema_table_count;

/* The table a key belongs to. */
const struct schema_table *schema_table_of(struct aq_str key);

/* Inside a transaction: make all tables if there is none, with the eight migrations. */
aq_status schema_ensure(sqlite3 *db, const struct place *place, struct aq_error *err);

/* Why a statement on the table cannot be prepared: AQ_E_NOTFOUND if the table is still to be made,
 * AQ_E_CORRUPT if it should be there or is something else, or an error of SQLite. */
aq_status schema_explain(sqlite3 *db, const struct place *place, const struct schema_table *table,
                         struct aq_error *err);

/* Whether no column of the table is calculated: that could take any time. A code of SQLite. */
int schema_check_columns(sqlite3 *db, const struct schema_table *table, bool *ret);

#endif
