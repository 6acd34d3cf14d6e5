/* SPDX-License-Identifier: Apache-2.0 */
/* Variables and files of the AWS tools. */
#include "cmocka_all.h"

#include "base/str.h"
#include "host/aws.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

static void variables_name_the_files_unless_the_environment_is_not_to_count(void **state)
{
    struct settings settings = { 0 };
    struct buf path = BUF(0);
    struct aq_error err;
    (void)state;
    setenv("HOME", "/home/somebody", 1);
    setenv("AWS_CONFIG_FILE", "~/other", 1);
    unsetenv("AWS_SHARED_CREDENTIALS_FILE");
    assert_int_equal(aws_file_path(&settings, true, &path, &err), AQ_OK);
    assert_true(str_eq(buf_str(&path), AQ_STR("/home/somebody/other")));
    buf_clear(&path);
    assert_int_equal(aws_file_path(&settings, false, &path, &err), AQ_OK);
    assert_true(str_eq(buf_str(&path), AQ_STR("/home/somebody/.aws/credentials")));
    buf_clear(&path);
    settings.flags = AQ_CLIENT_NO_ENV;
    assert_int_equal(aws_file_path(&settings, true, &path, &err), AQ_OK);
    assert_true(str_eq(buf_str(&path), AQ_STR("/home/somebody/.aws/config")));
    unsetenv("AWS_CONFIG_FILE");
    buf_done(&path);
}

static void what_is_no_file_of_settings_is_said_to_be_that(void **state)
{
    struct buf text = BUF(0);
    struct aq_error err;
    (void)state;
    assert_int_equal(aws_file_read("/nowhere/config", &text, &err), AQ_E_NOTFOUND);
    assert_int_equal(aws_file_read("/dev/null/config", &text, &err), AQ_E_NOTFOUND);
    assert_int_equal(aws_file_read("/", &text, &err), AQ_E_IO);
    assert_int_equal(err.sys, EISDIR);
    assert_int_equal(aws_file_read("/dev/zero", &text, &err), AQ_E_LIMIT);
    assert_non_null(strstr(err.text, "larger than 1 MiB"));
    buf_done(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(variables_name_the_files_unless_the_environment_is_not_to_count),
        cmocka_unit_test(what_is_no_file_of_settings_is_said_to_be_that),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
