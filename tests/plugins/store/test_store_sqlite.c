/* SPDX-License-Identifier: Apache-2.0 */
/* What store-sqlite promises about the values in a database that it finds, changes or makes. */
#include "prepared.h"

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
        TEST(a_new_database_has_every_table_and_all_eight_migrations),
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
