/* SPDX-License-Identifier: Apache-2.0 */
#include "cmocka_all.h"

#include "base/str.h"
#include "wire/aws_config.h"

static const char config[] = "# written by hand\n"
                             "[default]\n"
                             "region = us-east-1\r\n"
                             "[profile build]\n"
                             "credential_process = /opt/bin/keys --json # every hour\n"
                             "; no value:\n"
                             "empty =\n"
                             "s3 =\n"
                             "  region = nested\n"
                             "REGION=eu-central-1\n"
                             "[build]\n"
                             "region = not a profile here\n"
                             "[sso-session build]\n"
                             "region = neither\n"
                             "[profile  spaced out ]\n"
                             "region = eu-west-1\n"
                             "[profile\ttabbed]\n"
                             "region = eu-west-2\n"
                             "[profiles]\n"
                             "region = neither\n"
                             "[default]\n"
                             "region = us-west-2";

static const char credentials[] = "[build]\n"
                                  "aws_access_key_id = AKIDEXAMPLE\n"
                                  "aws_secret_access_key=a/b+c=#;\n";

static void assert_value(const char *text, bool is_config, const char *profile, const char *key,
                         const char *expected)
{
    struct aq_str value =
        aws_config_value(str_from(text), is_config, str_from(profile), str_from(key));
    if (!str_eq(value, str_from(expected))) {
        fail_msg("%s of %s is '%.*s', not '%s'", key, profile, (int)value.len, value.ptr, expected);
    }
}

static void a_profile_is_found_under_the_name_its_file_gives_it(void **state)
{
    (void)state;
    assert_value(config, true, "build", "region", "eu-central-1");
    assert_value(config, true, "spaced out", "region", "eu-west-1");
    assert_value(config, true, "tabbed", "region", "eu-west-2");
    assert_value(config, true, "s", "region", "");
    assert_value(config, false, "build", "region", "not a profile here");
    assert_value(credentials, false, "build", "aws_access_key_id", "AKIDEXAMPLE");
    assert_value(credentials, true, "build", "aws_access_key_id", "");
    assert_true(aws_config_has(str_from(config), true, AQ_STR("build")));
    assert_false(aws_config_has(str_from(credentials), true, AQ_STR("build")));
    assert_false(aws_config_has(str_from(config), true, AQ_STR("")));
}

static void of_a_section_that_is_there_twice_the_last_value_counts(void **state)
{
    (void)state;
    assert_value(config, true, "default", "region", "us-west-2");
}

static void a_default_that_is_called_a_profile_counts_alone(void **state)
{
    static const char both[] = "[default]\nregion = before\noutput = before\n"
                               "[profile default]\nregion = called\n"
                               "[default]\nregion = behind\noutput = behind\n";
    (void)state;
    assert_value(both, true, "default", "region", "called");
    assert_value(both, true, "default", "output", "");
    assert_value(both, false, "default", "region", "behind");
}

static void comments_end_a_value_only_behind_a_blank(void **state)
{
    (void)state;
    assert_value(config, true, "build", "credential_process", "/opt/bin/keys --json");
    assert_value(credentials, false, "build", "aws_secret_access_key", "a/b+c=#;");
}

static void what_is_not_there_is_empty(void **state)
{
    (void)state;
    assert_value(config, true, "build", "empty", "");
    assert_value(config, true, "build", "nothing", "");
    assert_value(config, true, "nobody", "region", "");
    assert_value("", true, "default", "region", "");
    assert_value("[default", true, "default", "region", "");
    assert_value("[default\nregion", true, "default", "region", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_profile_is_found_under_the_name_its_file_gives_it),
        cmocka_unit_test(of_a_section_that_is_there_twice_the_last_value_counts),
        cmocka_unit_test(a_default_that_is_called_a_profile_counts_alone),
        cmocka_unit_test(comments_end_a_value_only_behind_a_blank),
        cmocka_unit_test(what_is_not_there_is_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
