/* SPDX-License-Identifier: Apache-2.0 */
/* What store-sqlite promises about a file that is no database, is damaged, or was made to harm. */
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
    assert_text_has(f, "data.sqlite3: is not an SQLite database, check the path, or move it away "
                       "and log in again");
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
    assert_text_has(f, "data.sqlite3: is not an SQLite database, check the path, or move it away "
                       "and log in again");
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_view_or_a_virtual_table_in_place_of_the_table_is_refused),
        TEST(a_trigger_in_the_database_does_not_run),
        TEST(a_schema_that_calculates_does_no_harm),
        TEST(a_file_that_is_no_database_is_corrupt_and_stays_as_it_is),
        TEST(a_file_too_short_for_a_database_is_called_none),
        TEST(only_what_begins_as_a_database_is_called_damaged),
        TEST(nothing_is_saved_to_damaged_pages),
        TEST(nothing_is_saved_beside_damaged_pages),
        TEST(a_database_cut_or_damaged_anywhere_gives_an_error_or_the_value),
    };
    return cmocka_run_group_tests_name("store-sqlite with damaged databases", tests, NULL, NULL);
}
