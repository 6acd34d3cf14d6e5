/* SPDX-License-Identifier: Apache-2.0 */
/* What store-sqlite promises about the database it finds, changes or makes. Databases are prepared
 * and inspected with the system's SQLite: as the existing CLI would, and beside the plugin's own.
 */
#include "instance.h"

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

struct fixture {
    char *dir;
    char path[600];
    struct instance store;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    f->dir = dir_make();
    snprintf(f->path, sizeof(f->path), "%s/data.sqlite3", f->dir);
    instance_open_sqlite(&f->store, f->path);
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

/* Run SQL with the system's SQLite. */
static void sql(const char *path, const char *text)
{
    sqlite3 *db;
    char *message = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, text, NULL, NULL, &message) != SQLITE_OK) {
        fail_msg("%s: %s", text, message);
    }
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static int keep_text(void *ret, int count, char **values, char **names)
{
    (void)count;
    (void)names;
    snprintf(ret, 1024, "%s", values[0] ? values[0] : "NULL");
    return 0;
}

/* The one text that a query answers with; "" when there is no row. */
static const char *ask(const char *path, const char *query)
{
    static char answer[1024];
    sqlite3 *db;
    answer[0] = '\0';
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, query, keep_text, answer, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    return answer;
}

static void make(const struct fixture *f, const char *more)
{
    sql(f->path, STORE_SCHEMA);
    assert_int_equal(chmod(f->path, 0600), 0);
    if (more) {
        sql(f->path, more);
    }
}

static unsigned mode_of(const char *path)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return st.st_mode & 07777;
}

static void put_file(const char *path, const char *bytes, size_t len)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, 0600), 0);
}

static void assert_text_has(const struct fixture *f, const char *part)
{
    if (!strstr(f->store.err.text, part)) {
        fail_msg("'%s' is not in '%s'", part, f->store.err.text);
    }
}

/* reading */

static void every_variant_the_existing_cli_writes_is_read_byte_for_byte(void **state)
{
    static const char *const variants[] = {
        ("{\"access_token\":\"a\",\"expires_at\":\"2030-01-01T00:00:00.123456789Z\","
         "\"refresh_token\":null,\"region\":null,\"start_url\":null,\"oauth_flow\":\"Pkce\","
         "\"scopes\":null}"),
        ("{\"access_token\":\"a\",\"expires_at\":\"2030-01-01T02:00:00+02:00\","
         "\"oauth_flow\":\"PKCE\",\"new_member\":[1,2.50,{\"x\":\"\xc3\xa9\"}]}"),
        "{\"access_token\":\"\\u00e9\",\"expires_at\":\"2030-01-01 00:00:00z\"}\n",
        "",
    };
    struct fixture *f = *state;
    make(f, NULL);
    for (size_t i = 0; i < sizeof(variants) / sizeof(variants[0]); i++) {
        char *text =
            sqlite3_mprintf("REPLACE INTO auth_kv VALUES ('%q', '%q')", TOKEN_KEY, variants[i]);
        sql(f->path, text);
        sqlite3_free(text);
        assert_int_equal(instance_get(&f->store, TOKEN_KEY), AQ_OK);
        assert_string_equal(f->store.value, variants[i]);
    }
}

static void a_database_in_utf16_is_read_as_utf8(void **state)
{
    struct fixture *f = *state;
    sql(f->path, "PRAGMA encoding='UTF-16le';" STORE_SCHEMA
                 "INSERT INTO auth_kv VALUES ('k', '\xc3\xa9\xf0\x9f\x98\x80')");
    assert_int_equal(chmod(f->path, 0600), 0);
    assert_int_equal(instance_get(&f->store, "k"), AQ_OK);
    assert_string_equal(f->store.value, "\xc3\xa9\xf0\x9f\x98\x80");
}

static void profile_and_start_url_live_in_the_state_table(void **state)
{
    struct fixture *f = *state;
    make(f, "INSERT INTO state VALUES ('" PROFILE_KEY "', '{\"arn\":\"x\"}'),"
            "('auth.idc.start-url', '\"https://example.com\"'), ('profile.Migrated', 1);"
            "INSERT INTO auth_kv VALUES ('" PROFILE_KEY "', 'wrong'), ('" TOKEN_KEY "', 'T')");
    assert_int_equal(instance_get(&f->store, PROFILE_KEY), AQ_OK);
    assert_string_equal(f->store.value, "{\"arn\":\"x\"}");
    assert_int_equal(instance_get(&f->store, "auth.idc.start-url"), AQ_OK);
    assert_string_equal(f->store.value, "\"https://example.com\"");
    assert_int_equal(instance_get(&f->store, "profile.Migrated"), AQ_E_NOTFOUND);
    assert_int_equal(instance_get(&f->store, "api.selectedCustomization"), AQ_E_NOTFOUND);
    assert_text_has(f, "table state");

    assert_int_equal(instance_list(&f->store), AQ_OK);
    assert_non_null(strstr(f->store.keys, PROFILE_KEY " "));
    assert_non_null(strstr(f->store.keys, TOKEN_KEY " "));
    assert_non_null(strstr(f->store.keys, "auth.idc.start-url "));
    assert_null(strstr(f->store.keys, "profile.Migrated"));
    assert_int_equal(f->store.key_count, 3);
}

static void without_a_database_nothing_is_found_and_nothing_is_made(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(instance_get(&f->store, TOKEN_KEY), AQ_E_NOTFOUND);
    assert_int_equal(instance_list(&f->store), AQ_OK);
    assert_string_equal(f->store.keys, "");
    assert_int_equal(f->store.ops->lock(f->store.self, &f->store.err), AQ_E_NOTFOUND);
    assert_int_equal(f->store.ops->can_save(f->store.self, &f->store.err), AQ_OK);
    assert_int_equal(instance_remove(&f->store, TOKEN_KEY), AQ_OK);
    assert_int_equal(instance_swap(&f->store, TOKEN_KEY, "old", "new"), AQ_E_CHANGED);
    assert_string_equal(dir_names(f->dir), "");
}

static void without_a_directory_nothing_is_found_and_nothing_is_made(void **state)
{
    struct fixture *f = *state;
    struct instance other;
    char path[700];
    snprintf(path, sizeof(path), "%s/a/b/data.sqlite3", f->dir);
    instance_open_sqlite(&other, path);
    assert_int_equal(instance_get(&other, TOKEN_KEY), AQ_E_NOTFOUND);
    assert_int_equal(instance_list(&other), AQ_OK);
    assert_int_equal(other.ops->can_save(other.self, &other.err), AQ_OK);
    instance_close(&other);
    assert_string_equal(dir_names(f->dir), "");
}

static void reading_leaves_no_file_behind_and_changes_none(void **state)
{
    struct fixture *f = *state;
    struct stat before, after;
    make(f, "INSERT INTO auth_kv VALUES ('" TOKEN_KEY "', 'T')");
    assert_int_equal(chmod(f->path, 0640), 0);
    assert_int_equal(stat(f->path, &before), 0);
    assert_int_equal(instance_get(&f->store, TOKEN_KEY), AQ_OK);
    assert_int_equal(instance_get(&f->store, "absent"), AQ_E_NOTFOUND);
    assert_int_equal(instance_list(&f->store), AQ_OK);
    assert_int_equal(stat(f->path, &after), 0);
    assert_string_equal(dir_names(f->dir), "data.sqlite3 ");
    assert_memory_equal(&before.st_mtim, &after.st_mtim, sizeof(before.st_mtim));
    assert_memory_equal(&before.st_ctim, &after.st_ctim, sizeof(before.st_ctim));
    assert_int_equal(before.st_mode, after.st_mode);
}

static void an_empty_file_holds_nothing_and_becomes_a_database_by_a_save(void **state)
{
    struct fixture *f = *state;
    put_file(f->path, "", 0);
    assert_int_equal(instance_get(&f->store, TOKEN_KEY), AQ_E_NOTFOUND);
    assert_int_equal(instance_list(&f->store), AQ_OK);
    assert_int_equal(f->store.ops->can_save(f->store.self, &f->store.err), AQ_OK);
    assert_int_equal(instance_put(&f->store, TOKEN_KEY, "T"), AQ_OK);
    assert_string_equal(ask(f->path, "SELECT count(*) FROM migrations"), "8");
}

static void an_older_schema_can_be_read_but_not_written(void **state)
{
    struct fixture *f = *state;
    sql(f->path, "CREATE TABLE migrations (id INTEGER PRIMARY KEY, version INTEGER NOT NULL,"
                 " migration_time INTEGER NOT NULL);"
                 "CREATE TABLE state (key TEXT PRIMARY KEY, value BLOB);"
                 "INSERT INTO migrations (version, migration_time) VALUES (0,1),(1,1),(2,1),(3,1),"
                 "(4,1); INSERT INTO state VALUES ('auth.idc.region', '\"eu-west-1\"')");
    assert_int_equal(chmod(f->path, 0600), 0);
    assert_int_equal(instance_get(&f->store, "auth.idc.region"), AQ_OK);
    assert_int_equal(instance_get(&f->store, TOKEN_KEY), AQ_E_NOTFOUND);
    assert_int_equal(instance_list(&f->store), AQ_OK);
    assert_string_equal(f->store.keys, "auth.idc.region ");
    assert_int_equal(f->store.ops->can_save(f->store.self, &f->store.err), AQ_E_READONLY);
    assert_int_equal(instance_put(&f->store, TOKEN_KEY, "T"), AQ_E_READONLY);
    assert_text_has(f, "auth_kv");
    assert_text_has(f, "migrates");
    assert_int_equal(instance_remove(&f->store, TOKEN_KEY), AQ_OK);
    assert_string_equal(ask(f->path, "SELECT count(*) FROM sqlite_master WHERE type='table'"), "2");
}

static void the_database_of_another_program_is_refused(void **state)
{
    struct fixture *f = *state;
    sql(f->path, "CREATE TABLE bookmarks (url TEXT)");
    assert_int_equal(chmod(f->path, 0600), 0);
    assert_int_equal(instance_get(&f->store, TOKEN_KEY), AQ_E_CORRUPT);
    assert_text_has(f, "auth_kv");
    assert_int_equal(chmod(f->path, 0644), 0);
    assert_int_equal(instance_put(&f->store, TOKEN_KEY, "T"), AQ_E_CORRUPT);
    assert_string_equal(ask(f->path, "SELECT count(*) FROM sqlite_master"), "1");
    assert_int_equal(mode_of(f->path), 0644);
}

static void a_migrated_database_without_its_table_is_corrupt(void **state)
{
    struct fixture *f = *state;
    make(f, "DROP TABLE auth_kv");
    assert_int_equal(instance_get(&f->store, TOKEN_KEY), AQ_E_CORRUPT);
    assert_int_equal(instance_list(&f->store), AQ_E_CORRUPT);
}

static void values_that_are_not_text_are_corrupt_and_the_error_says_which(void **state)
{
    static const char *const values[] = { "x'7b7d'", "1", "1.5", "NULL" };
    struct fixture *f = *state;
    make(f, NULL);
    for (size_t i = 0; i < 4; i++) {
        char *text =
            sqlite3_mprintf("REPLACE INTO state VALUES ('%q', %s)", PROFILE_KEY, values[i]);
        sql(f->path, text);
        sqlite3_free(text);
        assert_int_equal(instance_get(&f->store, PROFILE_KEY), AQ_E_CORRUPT);
        assert_text_has(f, f->path);
        assert_text_has(f, "table state");
        assert_text_has(f, PROFILE_KEY);
    }
}

static void a_value_of_one_mebibyte_fits_and_a_larger_one_is_refused(void **state)
{
    struct fixture *f = *state;
    char *value = malloc(AQ_STORE_VALUE_MAX + 2);
    assert_non_null(value);
    memset(value, 'x', AQ_STORE_VALUE_MAX + 1);
    value[AQ_STORE_VALUE_MAX + 1] = '\0';
    make(f, NULL);
    assert_int_equal(instance_put(&f->store, "k", value), AQ_E_INVALID);
    assert_int_equal(instance_get(&f->store, "k"), AQ_E_NOTFOUND);
    value[AQ_STORE_VALUE_MAX] = '\0';
    assert_int_equal(instance_put(&f->store, "k", value), AQ_OK);
    assert_int_equal(instance_get(&f->store, "k"), AQ_OK);
    assert_string_equal(ask(f->path, "SELECT length(value) FROM auth_kv"), "1048576");
    assert_int_equal(instance_swap(&f->store, "k", value, "small"), AQ_OK);
    free(value);

    sql(f->path, "UPDATE auth_kv SET value = hex(zeroblob(2000000))");
    assert_int_equal(instance_get(&f->store, "k"), AQ_E_CORRUPT);
    assert_text_has(f, "1 MiB");
}

/* hostile databases */

static void a_view_or_a_virtual_table_in_place_of_the_table_is_refused(void **state)
{
    struct fixture *f = *state;
    make(f, "DROP TABLE auth_kv; CREATE VIEW auth_kv AS SELECT '" TOKEN_KEY
            "' AS key, 'evil' AS value");
    assert_int_equal(instance_get(&f->store, TOKEN_KEY), AQ_E_CORRUPT);
    assert_text_has(f, "not a plain table");
    assert_int_equal(instance_put(&f->store, TOKEN_KEY, "T"), AQ_E_CORRUPT);

    sql(f->path, "DROP VIEW auth_kv; CREATE VIRTUAL TABLE auth_kv USING fts4(key, value);"
                 "INSERT INTO auth_kv VALUES ('" TOKEN_KEY "', 'evil')");
    assert_int_equal(instance_get(&f->store, TOKEN_KEY), AQ_E_CORRUPT);
    assert_text_has(f, "not a plain table");
}

static void a_trigger_in_the_database_does_not_run(void **state)
{
    struct fixture *f = *state;
    make(f, "CREATE TRIGGER t AFTER INSERT ON auth_kv BEGIN INSERT INTO conversations VALUES "
            "('stolen', NEW.value); END");
    assert_int_equal(instance_put(&f->store, TOKEN_KEY, "T"), AQ_OK);
    assert_string_equal(ask(f->path, "SELECT count(*) FROM conversations"), "0");
}

static void a_schema_that_calculates_does_no_harm(void **state)
{
    struct fixture *f = *state;
    if (!sqlite3_compileoption_used("ENABLE_MATH_FUNCTIONS")) {
        skip();
    }
    make(f, "CREATE INDEX i ON auth_kv (sqrt(length(value)), pow(length(key), 2));"
            "INSERT INTO auth_kv VALUES ('k', 'v')");
    assert_int_equal(instance_get(&f->store, "k"), AQ_OK);
    assert_string_equal(f->store.value, "v");
    aq_status status = instance_put(&f->store, "k", "w");
    assert_true(status == AQ_OK || status == AQ_E_CORRUPT);
    assert_int_equal(instance_get(&f->store, "k"), AQ_OK);
    assert_string_equal(f->store.value, status == AQ_OK ? "w" : "v");
}

static void a_file_that_is_no_database_is_corrupt_and_stays_as_it_is(void **state)
{
    struct fixture *f = *state;
    char junk[8192], now[8192];
    memset(junk, 'j', sizeof(junk));
    put_file(f->path, junk, sizeof(junk));
    assert_int_equal(chmod(f->path, 0644), 0);
    assert_int_equal(instance_get(&f->store, TOKEN_KEY), AQ_E_CORRUPT);
    assert_text_has(f, "data.sqlite3: is not an SQLite database, check the path");
    assert_int_equal(instance_put(&f->store, TOKEN_KEY, "T"), AQ_E_CORRUPT);
    assert_int_equal(f->store.ops->can_save(f->store.self, &f->store.err), AQ_E_CORRUPT);
    FILE *file = fopen(f->path, "rb");
    assert_non_null(file);
    assert_int_equal(fread(now, 1, sizeof(now), file), sizeof(now));
    assert_int_equal(fclose(file), 0);
    assert_memory_equal(junk, now, sizeof(junk));
    assert_int_equal(mode_of(f->path), 0644);
}

static void a_file_too_short_for_a_database_is_called_none(void **state)
{
    struct fixture *f = *state;
    put_file(f->path, "SQLite for", 10);
    assert_int_equal(instance_get(&f->store, TOKEN_KEY), AQ_E_CORRUPT);
    assert_text_has(f, "data.sqlite3: is not an SQLite database, check the path");
}

static void only_what_begins_as_a_database_is_called_damaged(void **state)
{
    static const char too_new = 9; /* a version of the file format that does not exist */
    struct fixture *f = *state;
    make(f, NULL);
    int fd = open(f->path, O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, &too_new, 1, 19), 1);
    close(fd);
    assert_int_equal(instance_get(&f->store, TOKEN_KEY), AQ_E_CORRUPT);
    assert_text_has(f, "damaged, restore a copy, or move it away and log in again");
}

/* In such a page SQLite finds what it reads, saves, and then may find nothing any more. */
static void nothing_is_saved_to_damaged_pages(void **state)
{
    enum { FRAGMENTED = 7 }; /* where a page says how many bytes of it are lost between rows */
    static const char wrong = 60;
    struct fixture *f = *state;
    make(f, "INSERT INTO auth_kv VALUES ('" TOKEN_KEY "', 'T')");
    long page = strtol(ask(f->path, "PRAGMA page_size"), NULL, 10);
    long root =
        strtol(ask(f->path, "SELECT rootpage FROM sqlite_master WHERE name = 'auth_kv'"), NULL, 10);
    int fd = open(f->path, O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, &wrong, 1, (root - 1) * page + FRAGMENTED), 1);
    close(fd);
    assert_int_equal(instance_get(&f->store, TOKEN_KEY), AQ_OK);
    assert_int_equal(f->store.ops->can_save(f->store.self, &f->store.err), AQ_E_CORRUPT);
    assert_text_has(f, "damaged, restore a copy, or move it away and log in again");
    assert_int_equal(instance_put(&f->store, TOKEN_KEY, "new"), AQ_E_CORRUPT);
    assert_int_equal(instance_get(&f->store, TOKEN_KEY), AQ_OK);
    assert_string_equal(f->store.value, "T");
}

/* In a page of the same table that the save itself does not come to: that of y. */
static void nothing_is_saved_beside_damaged_pages(void **state)
{
    static const char wrong[16] = { 0 };
    struct fixture *f = *state;
    make(f, "INSERT INTO auth_kv VALUES ('" TOKEN_KEY "', 'T'),"
            " ('x', hex(zeroblob(1500))), ('y', hex(zeroblob(1500))), ('z', hex(zeroblob(1500)))");
    long page = strtol(ask(f->path, "PRAGMA page_size"), NULL, 10);
    long last = strtol(ask(f->path, "PRAGMA page_count"), NULL, 10);
    int fd = open(f->path, O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, wrong, sizeof(wrong), (last - 2) * page), sizeof(wrong));
    close(fd);
    assert_int_equal(instance_put(&f->store, TOKEN_KEY, "U"), AQ_E_CORRUPT);
    assert_text_has(f, "damaged, restore a copy, or move it away and log in again");
    assert_int_equal(instance_get(&f->store, TOKEN_KEY), AQ_OK);
    assert_string_equal(f->store.value, "T");
}

static void a_database_cut_or_damaged_anywhere_gives_an_error_or_the_value(void **state)
{
    struct fixture *f = *state;
    char page[65536], copy[65536], path[700];
    make(f, "INSERT INTO auth_kv VALUES ('" TOKEN_KEY "', 'T')");
    FILE *file = fopen(f->path, "rb");
    assert_non_null(file);
    size_t len = fread(page, 1, sizeof(page), file);
    assert_int_equal(fclose(file), 0);
    srand(1);
    for (int round = 0; round < 200; round++) {
        struct instance other;
        size_t kept = round % 2 ? len : (size_t)rand() % len;
        memcpy(copy, page, len);
        for (int n = 0; n < 40 && round % 2; n++) {
            copy[(size_t)rand() % len] = (char)rand();
        }
        snprintf(path, sizeof(path), "%s/damaged-%d", f->dir, round);
        put_file(path, copy, kept);
        instance_open_sqlite(&other, path);
        aq_status status = instance_get(&other, TOKEN_KEY);
        if (status == AQ_OK) {
            assert_int_equal(strlen(other.value), 1);
        } else {
            assert_true(status == AQ_E_CORRUPT || status == AQ_E_NOTFOUND || status == AQ_E_IO ||
                        status == AQ_E_DENIED);
        }
        instance_close(&other);
        unlink(path);
    }
}

/* changing */

static void what_is_put_is_text_in_the_right_table(void **state)
{
    struct fixture *f = *state;
    make(f, NULL);
    assert_int_equal(instance_put(&f->store, TOKEN_KEY, "{\"a\":1}"), AQ_OK);
    assert_int_equal(instance_put(&f->store, PROFILE_KEY, "{\"arn\":2}"), AQ_OK);
    assert_string_equal(
        ask(f->path, "SELECT typeof(value) || value FROM auth_kv WHERE key='" TOKEN_KEY "'"),
        "text{\"a\":1}");
    assert_string_equal(
        ask(f->path, "SELECT typeof(value) || value FROM state WHERE key='" PROFILE_KEY "'"),
        "text{\"arn\":2}");
    assert_string_equal(dir_names(f->dir), "data.sqlite3 ");
}

static void removing_removes_and_removing_nothing_is_no_error(void **state)
{
    struct fixture *f = *state;
    make(f, "INSERT INTO auth_kv VALUES ('k', 'v')");
    assert_int_equal(instance_remove(&f->store, "k"), AQ_OK);
    assert_int_equal(instance_get(&f->store, "k"), AQ_E_NOTFOUND);
    assert_int_equal(instance_remove(&f->store, "k"), AQ_OK);
}

static void a_failed_expectation_writes_nothing(void **state)
{
    struct fixture *f = *state;
    struct stat before, after;
    make(f, "INSERT INTO auth_kv VALUES ('a', '1'), ('b', '2')");
    const struct aq_change changes[] = {
        { .key = str_of("a"), .action = AQ_CHANGE_PUT, .value = bytes_of("new") },
        { .key = str_of("c"), .action = AQ_CHANGE_PUT, .value = bytes_of("new") },
        { .key = str_of("b"), .expect = AQ_EXPECT_VALUE, .expected = bytes_of("20") },
    };
    assert_int_equal(stat(f->path, &before), 0);
    assert_int_equal(instance_commit(&f->store, changes, 3), AQ_E_CHANGED);
    assert_int_equal(instance_swap(&f->store, "a", NULL, "new"), AQ_E_CHANGED);
    assert_int_equal(instance_swap(&f->store, "c", "", "new"), AQ_E_CHANGED);
    assert_int_equal(stat(f->path, &after), 0);
    assert_memory_equal(&before.st_mtim, &after.st_mtim, sizeof(before.st_mtim));
    assert_string_equal(ask(f->path, "SELECT group_concat(key || value) FROM auth_kv"), "a1,b2");
}

static void all_changes_of_a_commit_are_applied_together(void **state)
{
    struct fixture *f = *state;
    make(f, "INSERT INTO auth_kv VALUES ('a', '1'), ('b', '2'), ('d', x'00')");
    const struct aq_change changes[] = {
        { .key = str_of("a"), .expect = AQ_EXPECT_VALUE, .expected = bytes_of("1") },
        { .key = str_of("b"), .action = AQ_CHANGE_REMOVE },
        { .key = str_of("c"),
          .expect = AQ_EXPECT_ABSENT,
          .action = AQ_CHANGE_PUT,
          .value = bytes_of("") },
        { .key = str_of("d"), .action = AQ_CHANGE_PUT, .value = bytes_of("4") },
        { .key = str_of(PROFILE_KEY), .action = AQ_CHANGE_PUT, .value = bytes_of("5") },
    };
    assert_int_equal(instance_commit(&f->store, changes, 5), AQ_OK);
    assert_string_equal(ask(f->path, "SELECT group_concat(key || typeof(value) || value) FROM "
                                     "(SELECT * FROM auth_kv ORDER BY key)"),
                        "atext1,ctext,dtext4");
    assert_string_equal(ask(f->path, "SELECT value FROM state"), "5");
}

static void changes_are_read_with_the_callers_stride(void **state)
{
    struct fixture *f = *state;
    struct newer_change {
        struct aq_change change;
        char appended[24];
    } changes[2] = {
        { .change = { .key = str_of("a"), .action = AQ_CHANGE_PUT, .value = bytes_of("1") } },
        { .change = { .key = str_of("b"), .action = AQ_CHANGE_PUT, .value = bytes_of("2") } },
    };
    make(f, NULL);
    assert_int_equal(f->store.ops->commit(f->store.self, &changes[0].change, 2, sizeof(changes[0]),
                                          &f->store.err),
                     AQ_OK);
    assert_int_equal(instance_get(&f->store, "b"), AQ_OK);
    assert_string_equal(f->store.value, "2");
}

static void keys_nobody_could_look_up_are_refused(void **state)
{
    struct fixture *f = *state;
    char long_key[2000];
    memset(long_key, 'k', sizeof(long_key));
    long_key[sizeof(long_key) - 1] = '\0';
    make(f, NULL);
    assert_int_equal(instance_get(&f->store, ""), AQ_E_INVALID);
    assert_int_equal(instance_put(&f->store, long_key, "v"), AQ_E_INVALID);
    struct aq_change change = { .key = { "a\0b", 3 }, .action = AQ_CHANGE_PUT };
    assert_int_equal(instance_commit(&f->store, &change, 1), AQ_E_INVALID);
}

static void changes_of_a_kind_nobody_knows_are_refused(void **state)
{
    const struct aq_change changes[] = { { .key = AQ_STR("k"), .action = 7 },
                                         { .key = AQ_STR("k"), .action = -1 },
                                         { .key = AQ_STR("k"), .expect = 7 },
                                         { .key = AQ_STR("k"), .expect = -1 } };
    struct fixture *f = *state;
    make(f, NULL);
    for (int n = 0; n < 4; n++) {
        assert_int_equal(instance_commit(&f->store, &changes[n], 1), AQ_E_INVALID);
        assert_text_has(f, "unknown");
    }
}

static void keys_nobody_could_look_up_are_not_listed(void **state)
{
    struct fixture *f = *state;
    make(f, "INSERT INTO auth_kv VALUES ('', 'v'), (hex(zeroblob(600)), 'v'), (NULL, 'v'),"
            " ('a' || char(0) || 'b', 'v'), ('as.long.as.the.profile...', 'v')");
    assert_int_equal(instance_list(&f->store), AQ_OK);
    assert_string_equal(f->store.keys, "as.long.as.the.profile... ");
}

static void an_expected_value_is_compared_whole_and_as_text(void **state)
{
    struct fixture *f = *state;
    make(f, "INSERT INTO auth_kv VALUES ('blob', x'61'), ('text', 'ab'), ('empty', '')");
    assert_int_equal(instance_swap(&f->store, "blob", "a", "new"), AQ_E_CHANGED);
    assert_int_equal(instance_swap(&f->store, "text", "a", "new"), AQ_E_CHANGED);
    assert_int_equal(instance_swap(&f->store, "text", "ac", "new"), AQ_E_CHANGED);
    assert_int_equal(instance_swap(&f->store, "empty", "", "new"), AQ_OK);
    assert_int_equal(instance_swap(&f->store, "text", "ab", "new"), AQ_OK);
}

static void the_journal_mode_of_the_owner_is_kept(void **state)
{
    struct fixture *f = *state;
    make(f, "PRAGMA journal_mode=WAL; INSERT INTO auth_kv VALUES ('k', '1')");
    assert_int_equal(instance_get(&f->store, "k"), AQ_OK);
    assert_string_equal(f->store.value, "1");
    assert_int_equal(instance_swap(&f->store, "k", "1", "2"), AQ_OK);
    assert_string_equal(ask(f->path, "SELECT value FROM auth_kv"), "2");
    sql(f->path, "UPDATE auth_kv SET value = '3'");
    assert_int_equal(instance_get(&f->store, "k"), AQ_OK);
    assert_string_equal(f->store.value, "3");
    assert_string_equal(ask(f->path, "PRAGMA journal_mode"), "wal");
}

/* making one */

static void a_save_makes_directories_and_file_private_whatever_the_umask(void **state)
{
    struct fixture *f = *state;
    struct instance other;
    char path[700], dir[700];
    snprintf(path, sizeof(path), "%s/a/b/data.sqlite3", f->dir);
    instance_open_sqlite(&other, path);
    mode_t old = umask(0);
    assert_int_equal(instance_swap(&other, TOKEN_KEY, NULL, "T"), AQ_OK);
    umask(old);
    assert_int_equal(mode_of(path), 0600);
    snprintf(dir, sizeof(dir), "%s/a", f->dir);
    assert_int_equal(mode_of(dir), 0700);
    snprintf(dir, sizeof(dir), "%s/a/b", f->dir);
    assert_int_equal(mode_of(dir), 0700);
    assert_string_equal(dir_names(dir), "data.sqlite3 ");
    assert_int_equal(instance_get(&other, TOKEN_KEY), AQ_OK);
    assert_string_equal(other.value, "T");
    instance_close(&other);
}

static void a_new_database_has_every_table_and_all_eight_migrations(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(instance_put(&f->store, TOKEN_KEY, "T"), AQ_OK);
    assert_string_equal(ask(f->path,
                            "SELECT group_concat(name) FROM (SELECT name FROM sqlite_master "
                            "WHERE type='table' ORDER BY name)"),
                        "auth_kv,conversations,history,migrations,state");
    assert_string_equal(ask(f->path, "SELECT group_concat(version) FROM migrations"),
                        "0,1,2,3,4,5,6,7");
    assert_string_equal(ask(f->path, "SELECT count(*) FROM migrations WHERE "
                                     "typeof(migration_time)='integer' AND "
                                     "abs(migration_time - strftime('%s','now')) < 60"),
                        "8");
    static const char *const columns[][2] = {
        { "migrations", "id INTEGER 0 1,version INTEGER 1 0,migration_time INTEGER 1 0" },
        { "history", "id INTEGER 0 1,command TEXT 0 0,shell TEXT 0 0,pid INTEGER 0 0,"
                     "session_id TEXT 0 0,cwd TEXT 0 0,start_time INTEGER 0 0,hostname TEXT 0 0,"
                     "exit_code INTEGER 0 0,end_time INTEGER 0 0,duration INTEGER 0 0" },
        { "auth_kv", "key TEXT 0 1,value TEXT 0 0" },
        { "conversations", "key TEXT 0 1,value TEXT 0 0" },
        { "state", "key TEXT 0 1,value BLOB 0 0" },
    };
    for (size_t i = 0; i < 5; i++) {
        char *query = sqlite3_mprintf("SELECT group_concat(name || ' ' || type || ' ' || "
                                      "\"notnull\" || ' ' || pk) FROM pragma_table_info('%q')",
                                      columns[i][0]);
        assert_string_equal(ask(f->path, query), columns[i][1]);
        sqlite3_free(query);
    }
    assert_string_equal(ask(f->path, "PRAGMA journal_mode"), "delete");
}

static void a_file_others_could_read_is_made_private_by_a_save(void **state)
{
    struct fixture *f = *state;
    make(f, NULL);
    assert_int_equal(chmod(f->path, 0644), 0);
    assert_int_equal(instance_put(&f->store, "k", "v"), AQ_OK);
    assert_int_equal(mode_of(f->path), 0600);
}

static void a_save_makes_the_file_of_wal_mode_private_too(void **state)
{
    struct fixture *f = *state;
    sqlite3 *db;
    char wal[700];
    make(f, "PRAGMA journal_mode=WAL");
    assert_int_equal(chmod(f->path, 0644), 0);
    snprintf(wal, sizeof(wal), "%s-wal", f->path);
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK); /* keeps the file there */
    assert_int_equal(sqlite3_exec(db, "INSERT INTO auth_kv VALUES ('a', 'b')", NULL, NULL, NULL),
                     SQLITE_OK);
    assert_int_equal(mode_of(wal), 0644);
    assert_int_equal(instance_put(&f->store, "k", "v"), AQ_OK);
    assert_int_equal(mode_of(f->path), 0600);
    assert_int_equal(mode_of(wal), 0600);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static char warnings[1024];

static void keep_warning(void *ctx, int32_t level, struct aq_str line)
{
    size_t len = strlen(warnings);
    (void)ctx;
    assert_int_equal(level, AQ_LOG_WARN);
    snprintf(warnings + len, sizeof(warnings) - len, "%.*s\n", (int)line.len, line.ptr);
}

static void reading_a_file_others_can_read_warns_once(void **state)
{
    struct fixture *f = *state;
    char expected[1400];
    warnings[0] = '\0';
    f->store.host.table.log = keep_warning;
    make(f, "INSERT INTO auth_kv VALUES ('k', 'v')");
    assert_int_equal(instance_get(&f->store, "k"), AQ_OK);
    assert_string_equal(warnings, "");
    assert_int_equal(chmod(f->path, 0644), 0);
    assert_int_equal(instance_get(&f->store, "absent"), AQ_E_NOTFOUND);
    assert_string_equal(warnings, "");
    assert_int_equal(instance_get(&f->store, "k"), AQ_OK);
    assert_int_equal(instance_get(&f->store, "k"), AQ_OK);
    snprintf(expected, sizeof(expected), "%s: other users can read it, run: chmod 600 %s\n",
             f->path, f->path);
    assert_string_equal(warnings, expected);
}

static void reading_a_file_another_group_can_read_warns_too(void **state)
{
    struct fixture *f = *state;
    warnings[0] = '\0';
    f->store.host.table.log = keep_warning;
    make(f, "INSERT INTO auth_kv VALUES ('k', 'v')");
    assert_int_equal(chmod(f->path, 0640), 0);
    assert_int_equal(instance_get(&f->store, "k"), AQ_OK);
    assert_string_equal(warnings, ""); /* the user's own */
    if (chown(f->path, (uid_t)-1, 12345) == 0) {
        assert_int_equal(instance_get(&f->store, "k"), AQ_OK);
        assert_non_null(strstr(warnings, "other users can read it"));
    }
}

/* places that cannot be trusted */

static void assert_refused(struct fixture *f, const char *reason)
{
    assert_int_equal(instance_get(&f->store, TOKEN_KEY), AQ_E_DENIED);
    assert_text_has(f, reason);
    assert_int_equal(instance_list(&f->store), AQ_E_DENIED);
    assert_int_equal(instance_put(&f->store, TOKEN_KEY, "T"), AQ_E_DENIED);
    assert_int_equal(f->store.ops->can_save(f->store.self, &f->store.err), AQ_E_DENIED);
    assert_int_equal(f->store.ops->lock(f->store.self, &f->store.err), AQ_E_DENIED);
    assert_text_has(f, reason);
}

static void a_symbolic_link_as_database_is_refused(void **state)
{
    struct fixture *f = *state;
    char target[700];
    snprintf(target, sizeof(target), "%s/target", f->dir);
    sql(target, STORE_SCHEMA);
    assert_int_equal(symlink(target, f->path), 0);
    assert_refused(f, "symbolic link");
    assert_int_equal(unlink(target), 0); /* a dangling one is not followed into being either */
    assert_refused(f, "symbolic link");
    assert_string_equal(dir_names(f->dir), "data.sqlite3 ");
}

static void a_second_name_of_the_file_is_refused(void **state)
{
    struct fixture *f = *state;
    char second[700];
    make(f, NULL);
    snprintf(second, sizeof(second), "%s/second", f->dir);
    assert_int_equal(link(f->path, second), 0);
    assert_refused(f, "hard links");
}

static void a_pipe_as_database_is_refused_without_waiting(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(mkfifo(f->path, 0600), 0);
    assert_refused(f, "not a regular file");
}

static void a_directory_as_database_is_refused(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(mkdir(f->path, 0700), 0);
    assert_refused(f, "is a directory, name the file (");
    assert_refused(f, "/data.sqlite3/data.sqlite3)");
}

static void a_path_that_ends_in_a_slash_is_refused(void **state)
{
    struct fixture *f = *state;
    void *self = NULL;
    struct aq_setting_value values[2] = { { .text = str_of("/tmp/") } };
    struct aq_open_args args = f->store.host.args;
    args.values = values;
    assert_int_equal(f->store.ops->open(&args, &self, &f->store.err), AQ_E_INVALID);
    assert_text_has(f, "/tmp/: is a directory, name the file (/tmp/data.sqlite3)");
}

static void a_file_that_everybody_can_write_is_refused(void **state)
{
    struct fixture *f = *state;
    make(f, NULL);
    assert_int_equal(chmod(f->path, 0666), 0);
    assert_refused(f, "chmod 600");
}

/* Sticky or not: whoever can create files there can put a journal beside the database. */
static void a_directory_that_others_can_write_is_refused(void **state)
{
    struct fixture *f = *state;
    make(f, "INSERT INTO auth_kv VALUES ('" TOKEN_KEY "', 'T')");
    assert_int_equal(chmod(f->dir, 0777), 0);
    assert_refused(f, "chmod o-w");
    assert_int_equal(chmod(f->dir, 01777), 0);
    assert_refused(f, "chmod o-w");
    assert_int_equal(chmod(f->dir, 0775), 0);
    if (chown(f->dir, (uid_t)-1, 12345) == 0) {
        assert_refused(f, "chmod g-w");
        assert_int_equal(chown(f->dir, (uid_t)-1, getegid()), 0);
    }
    assert_int_equal(instance_get(&f->store, TOKEN_KEY), AQ_OK); /* the user's own group */
    if (chown(f->dir, 12345, (gid_t)-1) == 0) { /* whoever owns it: root in a container */
        assert_int_equal(instance_put(&f->store, TOKEN_KEY, "U"), AQ_OK);
        assert_int_equal(chown(f->dir, geteuid(), (gid_t)-1), 0);
    }
}

/* What is open stays open; what others could have put beside it is not believed. */
static void a_directory_opened_up_later_is_refused_for_all_but_the_file_itself(void **state)
{
    struct fixture *f = *state;
    make(f, "INSERT INTO auth_kv VALUES ('" TOKEN_KEY "', 'T')");
    assert_int_equal(instance_get(&f->store, TOKEN_KEY), AQ_OK);
    assert_int_equal(chmod(f->dir, 0777), 0);
    assert_int_equal(instance_get(&f->store, TOKEN_KEY), AQ_OK);
    assert_int_equal(instance_put(&f->store, TOKEN_KEY, "U"), AQ_E_DENIED);
    assert_int_equal(f->store.ops->can_save(f->store.self, &f->store.err), AQ_E_DENIED);
    assert_int_equal(f->store.ops->lock(f->store.self, &f->store.err), AQ_E_DENIED);
    sql(f->path, "PRAGMA journal_mode=WAL; UPDATE auth_kv SET value = 'planted'");
    assert_int_equal(instance_get(&f->store, TOKEN_KEY), AQ_E_DENIED);
    assert_int_equal(instance_get(&f->store, "absent"), AQ_E_DENIED);
    assert_text_has(f, "chmod o-w");
}

static void a_link_among_the_directories_is_followed(void **state)
{
    struct fixture *f = *state;
    struct instance other;
    char link_path[700], path[800];
    make(f, NULL);
    snprintf(link_path, sizeof(link_path), "%s/link", f->dir);
    snprintf(path, sizeof(path), "%s//./data.sqlite3", link_path);
    assert_int_equal(symlink(f->dir, link_path), 0);
    instance_open_sqlite(&other, path);
    assert_int_equal(instance_put(&other, "k", "v"), AQ_OK);
    assert_int_equal(instance_get(&other, "k"), AQ_OK);
    assert_int_equal(instance_get(&f->store, "k"), AQ_OK);
    instance_close(&other);
}

static void a_path_that_is_not_absolute_is_an_invalid_setting(void **state)
{
    char endless[5000];
    const struct aq_str paths[] = { AQ_STR(""),       AQ_STR("data.sqlite3"),
                                    AQ_STR("/tmp/"),  AQ_STR("/tmp/.."),
                                    AQ_STR("/tmp/."), AQ_STR("./x"),
                                    { "/a\0b", 4 },   { endless, sizeof(endless) } };
    struct fixture *f = *state;
    memset(endless, '/', sizeof(endless));
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        void *self = NULL;
        struct aq_setting_value values[2] = { { .text = paths[i] } };
        struct aq_open_args args = f->store.host.args;
        args.values = values;
        assert_int_equal(f->store.ops->open(&args, &self, &f->store.err), AQ_E_INVALID);
        assert_null(self);
    }
}

static void a_path_below_a_file_is_refused(void **state)
{
    struct fixture *f = *state;
    struct instance other;
    char path[700];
    make(f, NULL);
    snprintf(path, sizeof(path), "%s/data.sqlite3", f->path);
    instance_open_sqlite(&other, path);
    assert_int_equal(instance_get(&other, "k"), AQ_E_DENIED);
    assert_non_null(strstr(other.err.text, "not a directory"));
    assert_int_equal(instance_put(&other, "k", "v"), AQ_E_DENIED);
    instance_close(&other);
}

static void what_is_missing_up_to_the_root_would_be_made_there(void **state)
{
    struct instance other;
    char path[100];
    (void)state;
    snprintf(path, sizeof(path), "/aq-absent-%ld/a/data.sqlite3", (long)getpid());
    instance_open_sqlite(&other, path);
    assert_int_equal(instance_get(&other, "k"), AQ_E_NOTFOUND);
    aq_status status = other.ops->can_save(other.self, &other.err);
    assert_int_equal(status, access("/", W_OK) == 0 ? AQ_OK
                             : errno == EROFS       ? AQ_E_READONLY
                                                    : AQ_E_DENIED);
    instance_close(&other);
    snprintf(path, sizeof(path), "/aq-absent-%ld", (long)getpid());
    instance_open_sqlite(&other, path);
    assert_int_equal(instance_get(&other, "k"), AQ_E_NOTFOUND);
    instance_close(&other);
}

static void a_path_in_an_error_is_made_safe_to_print(void **state)
{
    struct fixture *f = *state;
    struct instance other;
    char path[700];
    snprintf(path, sizeof(path), "%s/\033[31m\x7f", f->dir);
    instance_open_sqlite(&other, path);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(instance_get(&other, "k"), AQ_E_DENIED);
    assert_non_null(strstr(other.err.text, "/?[31m?: is a directory"));
    instance_close(&other);
}

static void a_file_that_the_users_own_group_shares_is_used(void **state)
{
    struct fixture *f = *state;
    make(f, "INSERT INTO auth_kv VALUES ('" TOKEN_KEY "', 'T')");
    assert_int_equal(chmod(f->path, 0660), 0);
    assert_int_equal(instance_get(&f->store, TOKEN_KEY), AQ_OK);
    if (chown(f->path, (uid_t)-1, 12345) == 0) {
        assert_refused(f, "chmod 600");
    }
}

/* other programs */

static void a_reader_waits_for_a_writer_and_then_says_busy(void **state)
{
    struct fixture *f = *state;
    sqlite3 *db;
    make(f, "INSERT INTO auth_kv VALUES ('k', 'v')");
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(instance_get(&f->store, "k"), AQ_E_BUSY);
    assert_int_equal(instance_list(&f->store), AQ_E_BUSY);
    assert_int_equal(instance_put(&f->store, "k", "w"), AQ_E_BUSY);
    assert_int_equal(f->store.ops->can_save(f->store.self, &f->store.err), AQ_E_BUSY);
    assert_int_equal(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    assert_int_equal(instance_get(&f->store, "k"), AQ_OK);
    assert_string_equal(f->store.value, "v");
}

static void a_reader_that_stays_makes_a_save_busy_and_undone(void **state)
{
    struct fixture *f = *state;
    sqlite3 *db;
    make(f, "INSERT INTO auth_kv VALUES ('k', 'v')");
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN; SELECT * FROM auth_kv", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(instance_put(&f->store, "k", "w"), AQ_E_BUSY);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    assert_int_equal(instance_get(&f->store, "k"), AQ_OK);
    assert_string_equal(f->store.value, "v");
    assert_string_equal(dir_names(f->dir), "data.sqlite3 ");
}

static void can_save_leaves_everything_as_it_was(void **state)
{
    struct fixture *f = *state;
    make(f, "INSERT INTO auth_kv VALUES ('k', 'v')");
    assert_int_equal(f->store.ops->can_save(f->store.self, &f->store.err), AQ_OK);
    assert_int_equal(f->store.ops->can_save(f->store.self, &f->store.err), AQ_OK);
    assert_string_equal(dir_names(f->dir), "data.sqlite3 ");
    assert_string_equal(ask(f->path, "SELECT count(*) FROM auth_kv"), "1");
    assert_int_equal(instance_swap(&f->store, "k", "v", "w"), AQ_OK);
}

static void a_file_replaced_between_two_calls_is_noticed(void **state)
{
    struct fixture *f = *state;
    char path[700];
    make(f, "INSERT INTO auth_kv VALUES ('k', 'old')");
    assert_int_equal(instance_get(&f->store, "k"), AQ_OK);
    assert_int_equal(instance_put(&f->store, "mine", "1"), AQ_OK);
    snprintf(path, sizeof(path), "%s/new", f->dir);
    sql(path, STORE_SCHEMA "INSERT INTO auth_kv VALUES ('k', 'new')");
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(rename(path, f->path), 0);
    assert_int_equal(instance_swap(&f->store, "k", "old", "x"), AQ_E_CHANGED);
    assert_int_equal(instance_get(&f->store, "k"), AQ_OK);
    assert_string_equal(f->store.value, "new");
    assert_int_equal(instance_swap(&f->store, "k", "new", "newer"), AQ_OK);
    assert_string_equal(ask(f->path, "SELECT value FROM auth_kv WHERE key='k'"), "newer");
}

static void a_file_deleted_between_two_calls_is_not_found_any_more(void **state)
{
    struct fixture *f = *state;
    make(f, "INSERT INTO auth_kv VALUES ('k', 'v')");
    assert_int_equal(instance_get(&f->store, "k"), AQ_OK);
    assert_int_equal(unlink(f->path), 0);
    assert_int_equal(instance_get(&f->store, "k"), AQ_E_NOTFOUND);
    assert_int_equal(instance_swap(&f->store, "k", "v", "w"), AQ_E_CHANGED);
    assert_int_equal(instance_swap(&f->store, "k", NULL, "w"), AQ_OK);
    assert_string_equal(ask(f->path, "SELECT value FROM auth_kv"), "w");
}

/* the lock */

static void a_lock_on_a_file_that_was_deleted_is_kept_until_it_is_released(void **state)
{
    struct fixture *f = *state;
    struct instance other;
    make(f, NULL);
    assert_int_equal(f->store.ops->lock(f->store.self, &f->store.err), AQ_OK);
    assert_int_equal(unlink(f->path), 0);
    make(f, NULL);
    instance_open_sqlite(&other, f->path);
    assert_int_equal(other.ops->lock(other.self, &other.err), AQ_OK);
    f->store.ops->unlock(f->store.self);
    assert_int_equal(f->store.ops->lock(f->store.self, &f->store.err), AQ_AGAIN);
    instance_close(&other);
    assert_int_equal(f->store.ops->lock(f->store.self, &f->store.err), AQ_OK);
}

static void the_lock_excludes_another_instance_of_the_process(void **state)
{
    struct fixture *f = *state;
    struct instance other;
    make(f, NULL);
    instance_open_sqlite(&other, f->path);
    assert_int_equal(f->store.ops->lock(f->store.self, &f->store.err), AQ_OK);
    assert_int_equal(other.ops->lock(other.self, &other.err), AQ_AGAIN);
    other.ops->unlock(other.self); /* not held: nothing happens */
    assert_int_equal(other.ops->lock(other.self, &other.err), AQ_AGAIN);
    assert_int_equal(f->store.ops->lock(f->store.self, &f->store.err), AQ_AGAIN);
    f->store.ops->unlock(f->store.self);
    assert_int_equal(other.ops->lock(other.self, &other.err), AQ_OK);
    instance_close(&other); /* releases */
    assert_int_equal(f->store.ops->lock(f->store.self, &f->store.err), AQ_OK);
    f->store.ops->unlock(f->store.self);
}

static void the_lock_is_still_held_after_reading_and_saving(void **state)
{
    struct fixture *f = *state;
    make(f, NULL);
    assert_int_equal(f->store.ops->lock(f->store.self, &f->store.err), AQ_OK);
    assert_int_equal(instance_put(&f->store, "k", "v"), AQ_OK);
    assert_int_equal(instance_get(&f->store, "k"), AQ_OK);
    int fd = open(f->path, O_RDWR | O_CLOEXEC);
    struct flock lock = { .l_type = F_WRLCK, .l_start = 0x6000000000000000, .l_len = 1 };
    assert_int_equal(fcntl(fd, F_OFD_GETLK, &lock), 0);
    assert_int_equal(lock.l_type, F_WRLCK);
    f->store.ops->unlock(f->store.self);
    lock.l_pid = 0;
    assert_int_equal(fcntl(fd, F_OFD_GETLK, &lock), 0);
    assert_int_equal(lock.l_type, F_UNLCK);
    close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_variant_the_existing_cli_writes_is_read_byte_for_byte),
        TEST(a_database_in_utf16_is_read_as_utf8),
        TEST(profile_and_start_url_live_in_the_state_table),
        TEST(without_a_database_nothing_is_found_and_nothing_is_made),
        TEST(without_a_directory_nothing_is_found_and_nothing_is_made),
        TEST(reading_leaves_no_file_behind_and_changes_none),
        TEST(an_empty_file_holds_nothing_and_becomes_a_database_by_a_save),
        TEST(an_older_schema_can_be_read_but_not_written),
        TEST(the_database_of_another_program_is_refused),
        TEST(a_migrated_database_without_its_table_is_corrupt),
        TEST(values_that_are_not_text_are_corrupt_and_the_error_says_which),
        TEST(a_value_of_one_mebibyte_fits_and_a_larger_one_is_refused),
        TEST(a_view_or_a_virtual_table_in_place_of_the_table_is_refused),
        TEST(a_trigger_in_the_database_does_not_run),
        TEST(a_schema_that_calculates_does_no_harm),
        TEST(a_file_that_is_no_database_is_corrupt_and_stays_as_it_is),
        TEST(a_file_too_short_for_a_database_is_called_none),
        TEST(only_what_begins_as_a_database_is_called_damaged),
        TEST(nothing_is_saved_to_damaged_pages),
        TEST(nothing_is_saved_beside_damaged_pages),
        TEST(a_database_cut_or_damaged_anywhere_gives_an_error_or_the_value),
        TEST(what_is_put_is_text_in_the_right_table),
        TEST(removing_removes_and_removing_nothing_is_no_error),
        TEST(a_failed_expectation_writes_nothing),
        TEST(all_changes_of_a_commit_are_applied_together),
        TEST(changes_are_read_with_the_callers_stride),
        TEST(keys_nobody_could_look_up_are_refused),
        TEST(keys_nobody_could_look_up_are_not_listed),
        TEST(changes_of_a_kind_nobody_knows_are_refused),
        TEST(an_expected_value_is_compared_whole_and_as_text),
        TEST(the_journal_mode_of_the_owner_is_kept),
        TEST(a_save_makes_directories_and_file_private_whatever_the_umask),
        TEST(a_new_database_has_every_table_and_all_eight_migrations),
        TEST(a_file_others_could_read_is_made_private_by_a_save),
        TEST(a_save_makes_the_file_of_wal_mode_private_too),
        TEST(reading_a_file_others_can_read_warns_once),
        TEST(reading_a_file_another_group_can_read_warns_too),
        TEST(a_symbolic_link_as_database_is_refused),
        TEST(a_second_name_of_the_file_is_refused),
        TEST(a_pipe_as_database_is_refused_without_waiting),
        TEST(a_directory_as_database_is_refused),
        TEST(a_path_that_ends_in_a_slash_is_refused),
        TEST(a_file_that_everybody_can_write_is_refused),
        TEST(a_directory_that_others_can_write_is_refused),
        TEST(a_directory_opened_up_later_is_refused_for_all_but_the_file_itself),
        TEST(a_link_among_the_directories_is_followed),
        TEST(a_path_that_is_not_absolute_is_an_invalid_setting),
        TEST(a_path_below_a_file_is_refused),
        TEST(what_is_missing_up_to_the_root_would_be_made_there),
        TEST(a_path_in_an_error_is_made_safe_to_print),
        TEST(a_file_that_the_users_own_group_shares_is_used),
        TEST(a_reader_waits_for_a_writer_and_then_says_busy),
        TEST(a_reader_that_stays_makes_a_save_busy_and_undone),
        TEST(can_save_leaves_everything_as_it_was),
        TEST(a_file_replaced_between_two_calls_is_noticed),
        TEST(a_file_deleted_between_two_calls_is_not_found_any_more),
        TEST(a_lock_on_a_file_that_was_deleted_is_kept_until_it_is_released),
        TEST(the_lock_excludes_another_instance_of_the_process),
        TEST(the_lock_is_still_held_after_reading_and_saving),
    };
    return cmocka_run_group_tests_name("store-sqlite", tests, NULL, NULL);
}
