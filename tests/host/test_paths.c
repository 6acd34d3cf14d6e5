/* SPDX-License-Identifier: Apache-2.0 */
#include "cmocka_all.h"

#include "host/paths.h"

#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOBODY_KNOWS 54321 /* a user who is not in the user database */

static char dir[64];

static int make_dir(void **state)
{
    (void)state;
    snprintf(dir, sizeof(dir), "/tmp/aq-paths-XXXXXX");
    assert_non_null(mkdtemp(dir));
    setenv("HOME", dir, 1);
    unsetenv("XDG_DATA_HOME");
    unsetenv("XDG_RUNTIME_DIR");
    unsetenv("XDG_STATE_HOME");
    return 0;
}

static int remove_dir(void **state)
{
    static const char *const below[] = { "/a/b/c", "/a/b", "/a", "/file", "" };
    (void)state;
    for (size_t i = 0; i < sizeof(below) / sizeof(below[0]); i++) {
        char path[128];
        snprintf(path, sizeof(path), "%s%s", dir, below[i]);
        remove(path);
    }
    return 0;
}

static void check(const struct buf *out, const char *prefix, const char *rest)
{
    char expected[256];
    snprintf(expected, sizeof(expected), "%s%s", prefix, rest);
    assert_str(buf_str(out), expected);
}

static void directories_are_those_of_the_environment_if_they_are_absolute(void **state)
{
    static const char *const ignored[] = { "", "relative", "./x" };
    struct aq_error err;
    (void)state;
    for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++) {
        struct buf data = BUF(PATH_MAX);
        struct buf persistent = BUF(PATH_MAX);
        struct buf runtime = BUF(PATH_MAX);
        setenv("XDG_DATA_HOME", ignored[i], 1);
        setenv("XDG_STATE_HOME", ignored[i], 1);
        setenv("XDG_RUNTIME_DIR", ignored[i], 1);
        assert_int_equal(paths_data(AQ_STR("app"), &data, &err), AQ_OK);
        check(&data, dir, "/.local/share/app");
        assert_true(paths_state(&persistent));
        check(&persistent, dir, "/.local/state/amazonq");
        assert_false(paths_runtime(&runtime));
        buf_done(&data);
        buf_done(&persistent);
        buf_done(&runtime);
    }
    struct buf data = BUF(PATH_MAX);
    struct buf persistent = BUF(PATH_MAX);
    struct buf runtime = BUF(PATH_MAX);
    setenv("XDG_DATA_HOME", "/d", 1);
    setenv("XDG_STATE_HOME", "/s", 1);
    setenv("XDG_RUNTIME_DIR", "/r", 1);
    assert_int_equal(paths_data(AQ_STR("app"), &data, &err), AQ_OK);
    check(&data, "/d", "/app");
    assert_true(paths_state(&persistent));
    check(&persistent, "/s", "/amazonq");
    assert_true(paths_runtime(&runtime));
    check(&runtime, "/r", "/amazonq");
    buf_done(&data);
    buf_done(&persistent);
    buf_done(&runtime);
}

static void without_a_home_in_the_environment_the_user_database_has_it(void **state)
{
    static const char *const ignored[] = { "", "relative" };
    struct aq_error err;
    (void)state;
    for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++) {
        struct buf home = BUF(PATH_MAX);
        setenv("HOME", ignored[i], 1);
        if (paths_home(&home, &err) == AQ_OK) {
            assert_int_equal(home.ptr[0], '/');
        } else {
            assert_contains(err.text, "set HOME"); /* such a user is running this test */
        }
        buf_done(&home);
    }
}

static void who_has_no_home_at_all_is_told_so(void **state)
{
    struct buf out = BUF(PATH_MAX);
    struct aq_error err;
    (void)state;
    if (seteuid(NOBODY_KNOWS) != 0) {
        skip(); /* needs root */
    }
    unsetenv("HOME");
    aq_status home = paths_home(&out, &err);
    aq_status data = paths_data(AQ_STR("app"), &out, &err);
    aq_status expanded = paths_expand(AQ_STR("x"), AQ_STR("~/y"), &out, &err);
    bool persistent = paths_state(&out);
    assert_int_equal(seteuid(0), 0);
    assert_int_equal(home, AQ_E_INVALID);
    assert_int_equal(data, AQ_E_INVALID);
    assert_int_equal(expanded, AQ_E_INVALID);
    assert_false(persistent);
    assert_contains(err.text, "user 54321 has none, set HOME");
    buf_done(&out);
}

static void only_a_tilde_with_a_slash_stands_for_the_home_directory(void **state)
{
    static const struct {
        const char *path, *expected;
    } cases[] = { { "~/x", "/x" },     { "~/", "/" }, { "~", NULL },
                  { "~root/x", NULL }, { "x", NULL }, { "", NULL } };
    struct aq_error err;
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buf out = BUF(PATH_MAX);
        struct aq_str path = { cases[i].path, strlen(cases[i].path) };
        aq_status st = paths_expand(AQ_STR("thing"), path, &out, &err);
        assert_int_equal(st, cases[i].expected ? AQ_OK : AQ_E_INVALID);
        if (cases[i].expected) {
            check(&out, dir, cases[i].expected);
        } else {
            assert_contains(err.text, "thing: '");
            assert_contains(err.text, "is not an absolute path");
        }
        buf_done(&out);
    }
}

static void a_private_directory_is_made_with_those_above_it(void **state)
{
    char path[128];
    struct stat info;
    (void)state;
    snprintf(path, sizeof(path), "%s/a/b/c", dir);
    mode_t mask = umask(0);
    assert_true(paths_make_private(path));
    umask(mask);
    assert_true(paths_make_private(path)); /* and again */
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0700);

    snprintf(path, sizeof(path), "%s/file", dir);
    FILE *made = fopen(path, "w");
    assert_non_null(made);
    fclose(made);
    snprintf(path, sizeof(path), "%s/file/below", dir);
    assert_false(paths_make_private(path));
    assert_false(paths_make_private(""));
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, make_dir, remove_dir)
    const struct CMUnitTest tests[] = {
        CASE(directories_are_those_of_the_environment_if_they_are_absolute),
        CASE(without_a_home_in_the_environment_the_user_database_has_it),
        CASE(who_has_no_home_at_all_is_told_so),
        CASE(only_a_tilde_with_a_slash_stands_for_the_home_directory),
        CASE(a_private_directory_is_made_with_those_above_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
