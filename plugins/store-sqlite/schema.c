/* SPDX-License-Identifier: Apache-2.0 */
#include "schema.h"

#include "fail.h"

#include <string.h>

#define TABLE(table_name, migration) \
    { \
        .name = (table_name), .columns = "PRAGMA table_xinfo(" table_name ")", \
        .get = "SELECT value FROM " table_name " WHERE key = ?1", \
        .list = "SELECT key FROM " table_name, \
        .find = "SELECT 1 FROM sqlite_master WHERE name = '" table_name "' COLLATE NOCASE", \
        .find_migration = "SELECT 1 FROM migrations WHERE version >= " #migration " LIMIT 1", \
        .put = "INSERT INTO " table_name " (key, value) VALUES (?1, ?2) " \
               "ON CONFLICT (key) DO UPDATE SET value = excluded.value", \
        .pad = "UPDATE " table_name " SET value = rtrim(value) || printf('%1024s', '')" \
               " WHERE key = ?1 AND typeof(value) = 'text'", \
        .remove = "DELETE FROM " table_name " WHERE key = ?1", \
        .check = "PRAGMA quick_check(" table_name ")", \
    }

enum { AUTH_KV, STATE };

const struct schema_table schema_tables[] = {
    [AUTH_KV] = TABLE("auth_kv", 5),
    [STATE] = TABLE("state", 4),
};
const unsigned schema_table_count = sizeof(schema_tables) / sizeof(schema_tables[0]);

/* What the existing CLI's migrations 0 to 7 leave behind, and the rows that say they were applied;
 * without those it would apply them again, and fail. */
static const char create_all[] =
    "CREATE TABLE migrations (id INTEGER PRIMARY KEY, version INTEGER NOT NULL,"
    " migration_time INTEGER NOT NULL);"
    "CREATE TABLE history (id INTEGER PRIMARY KEY, command TEXT, shell TEXT, pid INTEGER,"
    " session_id TEXT, cwd TEXT, start_time INTEGER, hostname TEXT, exit_code INTEGER,"
    " end_time INTEGER, duration INTEGER);"
    "CREATE TABLE state (key TEXT PRIMARY KEY, value BLOB);"
    "CREATE TABLE auth_kv (key TEXT PRIMARY KEY, value TEXT);"
    "CREATE TABLE conversations (key TEXT PRIMARY KEY, value TEXT);"
    "INSERT INTO migrations (version, migration_time)"
    " SELECT column1, CAST(strftime('%s', 'now') AS INTEGER)"
    " FROM (VALUES (0), (1), (2), (3), (4), (5), (6), (7));";

static bool starts_with(struct aq_str key, const char *prefix)
{
    size_t len = strlen(prefix);
    return key.len >= len && memcmp(key.ptr, prefix, len) == 0;
}

static bool equals(struct aq_str key, const char *text)
{
    return key.len == strlen(text) && memcmp(key.ptr, text, key.len) == 0;
}

const struct schema_table *schema_table_of(struct aq_str key)
{
    bool state = equals(key, "api.codewhisperer.profile") ||
                 equals(key, "api.selectedCustomization") || starts_with(key, "auth.idc.");
    return &schema_tables[state ? STATE : AUTH_KV];
}

static const char find_any[] = "SELECT 1 FROM sqlite_master LIMIT 1";

/* Whether a query finds anything: SQLITE_ROW, SQLITE_DONE or an error. */
static int ask(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(stmt);
    }
    sqlite3_finalize(stmt);
    return rc;
}

aq_status schema_ensure(sqlite3 *db, const struct place *place, struct aq_error *err)
{
    int rc = ask(db, find_any);
    if (rc == SQLITE_ROW) {
        return AQ_OK;
    }
    if (rc == SQLITE_DONE) {
        rc = sqlite3_exec(db, create_all, NULL, NULL, NULL);
    }
    return rc == SQLITE_OK ? AQ_OK : fail_sqlite(err, rc, db, place->path);
}

/* Whether the migration that makes the table is still to come; the file may be empty as well. */
static int is_unmigrated(sqlite3 *db, const struct schema_table *table, bool *ret)
{
    int rc = ask(db, find_any);
    if (rc == SQLITE_DONE) {
        *ret = true;
        return SQLITE_OK;
    }
    if (rc == SQLITE_ROW) {
        rc = ask(db, table->find_migration);
        *ret = rc == SQLITE_DONE;
    }
    /* SQLITE_ERROR: no table of migrations, so this is some other program's database */
    return rc == SQLITE_ROW || rc == SQLITE_DONE || rc == SQLITE_ERROR ? SQLITE_OK : rc;
}

aq_status schema_explain(sqlite3 *db, const struct place *place, const struct schema_table *table,
                         struct aq_error *err)
{
    bool unmigrated = false;

    int rc = ask(db, table->find);
    if (rc == SQLITE_ROW) {
        return fail(err, AQ_E_CORRUPT,
                    "%s: %s is not a plain table with key and value, restore a copy of the file",
                    place->path, table->name);
    }
    if (rc == SQLITE_DONE) {
        rc = is_unmigrated(db, table, &unmigrated);
    }
    if (rc != SQLITE_OK) {
        return fail_sqlite(err, rc, db, place->path);
    }
    if (unmigrated) {
        return fail(err, AQ_E_NOTFOUND, "%s: table %s is not there yet", place->path, table->name);
    }
    return fail(err, AQ_E_CORRUPT, "%s: has no table %s, not a database of the Q CLI", place->path,
                table->name);
}

int schema_check_columns(sqlite3 *db, const struct schema_table *table, bool *ret)
{
    enum { HIDDEN = 6 }; /* 0 in all columns that hold what was put there */
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(db, table->columns, -1, &stmt, NULL);
    bool plain = true;

    while (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        plain &= sqlite3_column_int(stmt, HIDDEN) == 0;
        rc = SQLITE_OK;
    }
    sqlite3_finalize(stmt);
    *ret = plain;
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}
