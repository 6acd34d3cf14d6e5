/* SPDX-License-Identifier: Apache-2.0 */
#include "cmocka_all.h"

#include "host/trust.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64];
static char file[96];

static int make_tree(void **state)
{
    (void)state;
    snprintf(dir, sizeof(dir), "/tmp/aq-trust-XXXXXX");
    assert_non_null(mkdtemp(dir));
    snprintf(file, sizeof(file), "%s/plugin.so", dir);
    FILE *made = fopen(file, "w");
    assert_non_null(made);
    fclose(made);
    assert_int_equal(chmod(file, 0644), 0);
    return 0;
}

static int remove_tree(void **state)
{
    (void)state;
    unlink(file);
    rmdir(dir);
    return 0;
}

static void a_private_file_in_a_sticky_directory_is_trusted(void **state)
{
    struct trust_file found;
    struct stat info;
    struct aq_error err;
    (void)state;
    assert_int_equal(trust_check("x", file, &found, &err), AQ_OK);
    assert_int_equal(stat(file, &info), 0);
    assert_int_equal(found.ino, info.st_ino);
    assert_int_equal(found.dev, info.st_dev);
}

static void a_file_that_others_can_write_is_refused_and_the_text_says_how_to_mend_it(void **state)
{
    struct trust_file found;
    struct aq_error err;
    (void)state;
    chmod(file, 0666);
    assert_int_equal(trust_check("store 'x'", file, &found, &err), AQ_E_DENIED);
    assert_contains(err.text, "store 'x': ");
    assert_contains(err.text, "chmod go-w");
}

static void a_directory_that_others_can_write_is_refused(void **state)
{
    struct trust_file found;
    struct aq_error err;
    (void)state;
    chmod(dir, 0777);
    assert_int_equal(trust_check("x", file, &found, &err), AQ_E_DENIED);
    assert_contains(err.text, dir);
}

static void a_file_of_another_user_is_refused(void **state)
{
    struct trust_file found;
    struct aq_error err;
    (void)state;
    if (chown(file, 12345, (gid_t)-1) != 0) {
        skip(); /* needs root */
    }
    assert_int_equal(trust_check("x", file, &found, &err), AQ_E_DENIED);
    assert_contains(err.text, "12345");
}

static void a_file_of_the_users_own_group_may_be_writable_by_that_group(void **state)
{
    struct trust_file found;
    struct aq_error err;
    (void)state;
    chmod(file, 0664);
    assert_int_equal(trust_check("x", file, &found, &err), AQ_OK);
    if (chown(file, (uid_t)-1, 12345) == 0) {
        chmod(file, 0664);
        assert_int_equal(trust_check("x", file, &found, &err), AQ_E_DENIED);
    }
}

static void a_symbolic_link_a_directory_and_a_relative_path_are_refused(void **state)
{
    struct trust_file found;
    struct aq_error err;
    char link[128];
    (void)state;
    snprintf(link, sizeof(link), "%s/link.so", dir);
    assert_int_equal(symlink(file, link), 0);
    assert_int_equal(trust_check("x", link, &found, &err), AQ_E_DENIED);
    unlink(link);
    assert_int_equal(trust_check("x", dir, &found, &err), AQ_E_DENIED);
    assert_int_equal(trust_check("x", "plugin.so", &found, &err), AQ_E_DENIED);
}

static void a_directory_to_search_must_be_closed_to_others_even_if_it_is_sticky(void **state)
{
    char below[128];
    struct aq_error err;
    (void)state;
    snprintf(below, sizeof(below), "%s/not/there", dir);
    assert_int_equal(trust_check_directory("x", dir, &err), AQ_OK);
    assert_int_equal(trust_check_directory("x", below, &err), AQ_OK);
    assert_int_equal(trust_check_directory("x", "/", &err), AQ_OK);
    assert_int_equal(chmod(dir, 01777), 0);
    assert_int_equal(trust_check_directory("x", dir, &err), AQ_E_DENIED);
    assert_contains(err.text, "where others can put files");
    assert_int_equal(trust_check_directory("x", below, &err), AQ_E_DENIED);
    assert_int_equal(chmod(dir, 0777), 0);
    assert_int_equal(trust_check_directory("x", below, &err), AQ_E_DENIED);
    assert_contains(err.text, "chmod go-w");
}

static void a_directory_to_search_is_no_file_and_no_link_to_nothing(void **state)
{
    char link[128];
    char longer[8192];
    struct aq_error err;
    (void)state;
    assert_int_equal(trust_check_directory("x", file, &err), AQ_E_DENIED);
    assert_contains(err.text, "is not a directory");
    snprintf(link, sizeof(link), "%s/link", dir);
    assert_int_equal(symlink("nothing", link), 0);
    assert_int_equal(trust_check_directory("x", link, &err), AQ_E_DENIED);
    assert_contains(err.text, "leads nowhere");
    unlink(link);
    memset(longer, '/', sizeof(longer));
    longer[sizeof(longer) - 1] = '\0';
    assert_int_equal(trust_check_directory("x", longer, &err), AQ_E_DENIED);
    assert_int_equal(trust_check_directory("x", "", &err), AQ_E_DENIED);
    assert_int_equal(trust_check_directory("x", "no-such", &err), AQ_E_DENIED);
}

static void a_missing_file_is_not_found(void **state)
{
    struct trust_file found;
    struct aq_error err;
    (void)state;
    unlink(file);
    assert_int_equal(trust_check("x", file, &found, &err), AQ_E_NOTFOUND);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, make_tree, remove_tree)
    const struct CMUnitTest tests[] = {
        CASE(a_private_file_in_a_sticky_directory_is_trusted),
        CASE(a_file_that_others_can_write_is_refused_and_the_text_says_how_to_mend_it),
        CASE(a_directory_that_others_can_write_is_refused),
        CASE(a_file_of_another_user_is_refused),
        CASE(a_file_of_the_users_own_group_may_be_writable_by_that_group),
        CASE(a_symbolic_link_a_directory_and_a_relative_path_are_refused),
        CASE(a_directory_to_search_must_be_closed_to_others_even_if_it_is_sticky),
        CASE(a_directory_to_search_is_no_file_and_no_link_to_nothing),
        CASE(a_missing_file_is_not_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
