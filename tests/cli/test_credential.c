/* SPDX-License-Identifier: Apache-2.0 */
#include "credential.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct aq_token full = {
    .access_token = AQ_STR_INIT("aoaAAAA"),
    .refresh_token = AQ_STR_INIT("aorBBBB"),
    .token_type = AQ_STR_INIT("Bearer"),
    .expires_at = AQ_STR_INIT("2030-01-02T03:04:05.678Z"),
    .expires_at_s = 1893553445,
    .region = AQ_STR_INIT("us-east-1"),
    .start_url = AQ_STR_INIT("https://view.awsapps.com/start"),
    .profile_arn = AQ_STR_INIT("arn:aws:codewhisperer:us-east-1:1:profile/A"),
    .source = AQ_STR_INIT("q-cli"),
    .store = AQ_STR_INIT("sqlite"),
};

static void assert_format(const char *format, const struct credential *c, const char *expected)
{
    AUTO(text) struct text out = { 0 };
    const struct credential_format *f = credential_format_find(format);
    assert_non_null(f);
    f->write(&out, c);
    text_add_char(&out, '\0');
    assert_true(text_ok(&out));
    assert_string_equal(out.ptr, expected);
}

static void json_has_every_member_in_the_documented_order(void **state)
{
    (void)state;
    struct credential c = { &full, 1893553400, true };
    assert_format("json", &c,
                  "{\"access_token\":\"aoaAAAA\",\"refresh_token\":\"aorBBBB\","
                  "\"token_type\":\"Bearer\",\"expires_at\":\"2030-01-02T03:04:05.678Z\","
                  "\"expires_at_epoch\":1893553445,\"expires_in\":45,\"region\":\"us-east-1\","
                  "\"start_url\":\"https://view.awsapps.com/start\","
                  "\"profile_arn\":\"arn:aws:codewhisperer:us-east-1:1:profile/A\","
                  "\"source\":\"q-cli\",\"schema_version\":1}\n");
}

static void json_leaves_out_what_is_absent(void **state)
{
    (void)state;
    struct aq_token token = { .access_token = AQ_STR_INIT("aoa") };
    struct credential c = { &token, 20, true };
    assert_format("json", &c, "{\"access_token\":\"aoa\",\"schema_version\":1}\n");
}

static void json_of_an_expired_token_is_valid_for_no_more_seconds(void **state)
{
    (void)state;
    struct aq_token token = { .access_token = AQ_STR_INIT("aoa"),
                              .expires_at = AQ_STR_INIT("1970-01-01T00:00:10Z"),
                              .expires_at_s = 10 };
    struct credential c = { &token, 20, true };
    assert_format("json", &c,
                  "{\"access_token\":\"aoa\",\"expires_at\":\"1970-01-01T00:00:10Z\","
                  "\"expires_at_epoch\":10,\"expires_in\":0,\"schema_version\":1}\n");
}

static void without_an_expiry_no_format_makes_one_up(void **state)
{
    (void)state;
    struct aq_token token = { .access_token = AQ_STR_INIT("aoa") };
    struct credential c = { &token, 20, true };
    assert_format("env", &c, "export Q_ACCESS_TOKEN='aoa'\n");
    assert_format("fish", &c, "set -gx Q_ACCESS_TOKEN 'aoa'\n");
    assert_format("exec-credential", &c,
                  "{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"kind\":\"ExecCredential\","
                  "\"status\":{\"token\":\"aoa\"}}\n");
}

static void json_pretty_is_the_same_indented(void **state)
{
    (void)state;
    struct aq_token token = { .access_token = AQ_STR_INIT("aoa"),
                              .expires_at = AQ_STR_INIT("then"),
                              .expires_at_s = 10 };
    struct credential c = { &token, 5, false };
    assert_format("json-pretty", &c,
                  "{\n  \"access_token\": \"aoa\",\n  \"expires_at\": \"then\",\n"
                  "  \"expires_at_epoch\": 10,\n  \"expires_in\": 5,\n"
                  "  \"schema_version\": 1\n}\n");
}

static void json_escapes_everything_that_is_not_plain(void **state)
{
    (void)state;
    struct aq_token token = full;
    AUTO(text) struct text out = { 0 };
    token.start_url = AQ_STR("\"\\\n\x1B\x7F\xC2\x9B\xE2\x80\xAE\xF0\x9F\x98\x80\xFF\xE2\x82");
    struct credential c = { &token, 0, false };
    credential_format_find("json")->write(&out, &c);
    text_add_char(&out, '\0');
    assert_non_null(strstr(out.ptr, "\"start_url\":\"\\\"\\\\\\u000a\\u001b\\u007f\\u009b\\u202e"
                                    "\\ud83d\\ude00\\ufffd\\ufffd\""));
}

static void token_and_header_are_one_line(void **state)
{
    (void)state;
    struct credential c = { &full, 0, false };
    assert_format("token", &c, "aoaAAAA\n");
    assert_format("header", &c, "Authorization: Bearer aoaAAAA\n");
}

static void shell_forms_carry_the_refresh_token_only_when_told(void **state)
{
    (void)state;
    struct credential without = { &full, 0, false };
    struct credential with = { &full, 0, true };
    assert_format("env", &without,
                  "export Q_ACCESS_TOKEN='aoaAAAA'\n"
                  "export Q_TOKEN_EXPIRES_AT='2030-01-02T03:04:05.678Z'\n"
                  "export Q_PROFILE_ARN='arn:aws:codewhisperer:us-east-1:1:profile/A'\n");
    assert_format("env", &with,
                  "export Q_ACCESS_TOKEN='aoaAAAA'\n"
                  "export Q_REFRESH_TOKEN='aorBBBB'\n"
                  "export Q_TOKEN_EXPIRES_AT='2030-01-02T03:04:05.678Z'\n"
                  "export Q_PROFILE_ARN='arn:aws:codewhisperer:us-east-1:1:profile/A'\n");
    assert_format("fish", &without,
                  "set -gx Q_ACCESS_TOKEN 'aoaAAAA'\n"
                  "set -gx Q_TOKEN_EXPIRES_AT '2030-01-02T03:04:05.678Z'\n"
                  "set -gx Q_PROFILE_ARN 'arn:aws:codewhisperer:us-east-1:1:profile/A'\n");
}

static void quotes_in_a_value_cannot_leave_the_quotes(void **state)
{
    (void)state;
    struct aq_token token = { .access_token = AQ_STR_INIT("a'b\\c$(d)`e`") };
    struct credential c = { &token, 0, false };
    assert_format("env", &c, "export Q_ACCESS_TOKEN='a'\\''b\\c$(d)`e`'\n");
    assert_format("fish", &c, "set -gx Q_ACCESS_TOKEN 'a\\'b\\\\c$(d)`e`'\n");
}

static void exec_credential_is_what_kubectl_reads(void **state)
{
    (void)state;
    struct credential c = { &full, 0, false };
    assert_format("exec-credential", &c,
                  "{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"kind\":\"ExecCredential\","
                  "\"status\":{\"expirationTimestamp\":\"2030-01-02T03:04:05Z\","
                  "\"token\":\"aoaAAAA\"}}\n");
}

static void a_token_with_a_line_break_is_refused_by_every_format(void **state)
{
    static const char *const formats[] = { "json", "json-pretty", "token",          "header",
                                           "env",  "fish",        "exec-credential" };
    static const struct aq_str evil[] = { AQ_STR_INIT("a\nb"),  AQ_STR_INIT("a\rb"),
                                          AQ_STR_INIT("a\0b"),  AQ_STR_INIT("a b"),
                                          AQ_STR_INIT("a\x7F"), AQ_STR_INIT("a\xC2\x9B"),
                                          AQ_STR_INIT("") };
    (void)state;
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        const struct credential_format *f = credential_format_find(formats[i]);
        for (size_t j = 0; j < sizeof(evil) / sizeof(evil[0]); j++) {
            struct aq_token token = full;
            struct credential c = { &token, 0, true };
            assert_null(credential_unsafe(f, &c));
            token.access_token = evil[j];
            assert_string_equal(credential_unsafe(f, &c), "access token");
        }
    }
}

static void other_values_are_refused_where_a_line_break_would_matter(void **state)
{
    (void)state;
    struct aq_token token = full;
    struct credential c = { &token, 0, false };
    token.profile_arn = AQ_STR("arn\nrm -rf");
    assert_string_equal(credential_unsafe(credential_format_find("env"), &c), "profile");
    assert_string_equal(credential_unsafe(credential_format_find("fish"), &c), "profile");
    assert_null(credential_unsafe(credential_format_find("json"), &c)); /* escaped there */
    token.expires_at = AQ_STR("2030\n");
    assert_string_equal(credential_unsafe(credential_format_find("env"), &c), "expiry");
    token.refresh_token = AQ_STR("x\ny");
    assert_null(credential_unsafe(credential_format_find("json"), &c)); /* not printed */
    c.with_refresh = true;
    assert_string_equal(credential_unsafe(credential_format_find("json"), &c), "refresh token");
}

static void a_format_nobody_knows_is_not_found(void **state)
{
    (void)state;
    assert_null(credential_format_find("yaml"));
    assert_null(credential_format_find(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_has_every_member_in_the_documented_order),
        cmocka_unit_test(json_leaves_out_what_is_absent),
        cmocka_unit_test(json_of_an_expired_token_is_valid_for_no_more_seconds),
        cmocka_unit_test(without_an_expiry_no_format_makes_one_up),
        cmocka_unit_test(json_pretty_is_the_same_indented),
        cmocka_unit_test(json_escapes_everything_that_is_not_plain),
        cmocka_unit_test(token_and_header_are_one_line),
        cmocka_unit_test(shell_forms_carry_the_refresh_token_only_when_told),
        cmocka_unit_test(quotes_in_a_value_cannot_leave_the_quotes),
        cmocka_unit_test(exec_credential_is_what_kubectl_reads),
        cmocka_unit_test(a_token_with_a_line_break_is_refused_by_every_format),
        cmocka_unit_test(other_values_are_refused_where_a_line_break_would_matter),
        cmocka_unit_test(a_format_nobody_knows_is_not_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
