/* SPDX-License-Identifier: Apache-2.0 */
/* What store-sqlite promises about who else may read or write: what it makes is private, and what
 * others could have a hand in is refused. */
#include "prepared.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* what is private */

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

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_save_makes_directories_and_file_private_whatever_the_umask),
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
    };
    return cmocka_run_group_tests_name("store-sqlite and others' hands", tests, NULL, NULL);
}
