/* SPDX-License-Identifier: Apache-2.0 */
#include "cmocka_all.h"

#include "base/str.h"
#include "wire/aws_reply.h"

static void assert_key(const struct aws_key *key, const char *token, int64_t expires_at_s)
{
    struct aq_access_key view;
    aws_key_view(key, AQ_STR("here"), &view);
    assert_true(str_eq(view.access_key_id, AQ_STR("AKIDEXAMPLE")));
    assert_true(str_eq(view.secret_access_key, AQ_STR("canary-secret")));
    assert_true(str_eq(view.session_token, str_from(token)));
    assert_true(str_eq(view.source, AQ_STR("here")));
    assert_int_equal(view.expires_at_s, expires_at_s);
}

static void what_a_program_prints_is_read(void **state)
{
    struct aws_key key = { 0 };
    struct aq_error err;
    (void)state;
    assert_int_equal(aws_reply_json("program",
                                    AQ_STR("{\"Version\": 1, \"AccessKeyId\": \"AKIDEXAMPLE\","
                                           "\"SecretAccessKey\": \"canary-secret\"}\n"),
                                    true, &key, &err),
                     AQ_OK);
    assert_key(&key, "", 0);
    aws_key_done(&key);
}

static void what_a_container_or_an_instance_answers_is_read(void **state)
{
    struct aws_key key = { 0 };
    struct aq_error err;
    (void)state;
    assert_int_equal(aws_reply_json("container",
                                    AQ_STR("{\"Code\":\"Success\",\"Type\":\"AWS-HMAC\","
                                           "\"AccessKeyId\":\"AKIDEXAMPLE\",\"Token\":\"a\\/b\","
                                           "\"SecretAccessKey\":\"canary-secret\","
                                           "\"Expiration\":\"2015-08-30T12:36:00Z\"}"),
                                    false, &key, &err),
                     AQ_OK);
    assert_key(&key, "a/b", 1440938160);
    aws_key_done(&key);
}

static void what_a_writer_has_escaped_is_read(void **state)
{
    struct aws_key key = { 0 };
    struct aq_access_key view;
    struct aq_error err;
    (void)state;
    assert_int_equal(aws_reply_json("program",
                                    AQ_STR("{\"Version\":1,\"AccessKeyId\":\"AKID\\u0045\","
                                           "\"SecretAccessKey\":\"canary\\/secret\\u002B\","
                                           "\"SessionToken\":\"a\\/b\\u003d\","
                                           "\"Expiration\":\"2015-08-30T12\\u003a36:00Z\"}"),
                                    true, &key, &err),
                     AQ_OK);
    aws_key_view(&key, AQ_STR("here"), &view);
    assert_true(str_eq(view.access_key_id, AQ_STR("AKIDE")));
    assert_true(str_eq(view.secret_access_key, AQ_STR("canary/secret+")));
    assert_true(str_eq(view.session_token, AQ_STR("a/b=")));
    assert_int_equal(view.expires_at_s, 1440938160);
    aws_key_done(&key);
}

static void what_sts_answers_is_read(void **state)
{
    struct aws_key key = { 0 };
    struct aq_error err;
    (void)state;
    assert_int_equal(
        aws_reply_sts(AQ_STR("<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts/\">\n"
                             "<AssumeRoleWithWebIdentityResult><Credentials>\n"
                             "<SessionToken>token</SessionToken>"
                             "<SecretAccessKey>canary-secret</SecretAccessKey>\n"
                             "<Expiration>2015-08-30T12:36:00Z</Expiration>\n"
                             "<AccessKeyId>AKIDEXAMPLE</AccessKeyId>\n"
                             "</Credentials></AssumeRoleWithWebIdentityResult>"),
                      &key, &err),
        AQ_OK);
    assert_key(&key, "token", 1440938160);
    aws_key_done(&key);
}

static void an_answer_that_is_no_key_is_damaged_and_not_shown(void **state)
{
    static const char *const texts[] = {
        "",
        "canary",
        "[]",
        "{}",
        "{\"Version\":2,\"AccessKeyId\":\"canary\",\"SecretAccessKey\":\"canary\"}",
        "{\"Version\":1,\"AccessKeyId\":\"canary\"}",
        "{\"Version\":1,\"AccessKeyId\":\"\",\"SecretAccessKey\":\"canary\"}",
        "{\"Version\":1,\"AccessKeyId\":\"canary\",\"SecretAccessKey\":[\"canary\"]}",
        "{\"Version\":1,\"AccessKeyId\":\"a\",\"SecretAccessKey\":\"s\",\"Expiration\":\"canary\"}",
        "{\"Version\":1,\"AccessKeyId\":\"canary\",\"SecretAccessKey\":\"canary\"} canary",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct aws_key key = { 0 };
        struct aq_error err = { 0 };
        assert_int_equal(aws_reply_json("program", str_from(texts[i]), true, &key, &err),
                         AQ_E_CORRUPT);
        assert_null(strstr(err.text, "canary"));
        assert_int_equal(aws_reply_sts(str_from(texts[i]), &key, &err), AQ_E_CORRUPT);
        aws_key_done(&key);
    }
}

static void assert_problem(const char *text, const char *expected)
{
    struct buf problem = BUF(0);
    aws_reply_problem(str_from(text), &problem);
    assert_true(str_eq(buf_str(&problem), str_from(expected)));
    buf_done(&problem);
}

static void what_is_wrong_is_said_in_its_own_word(void **state)
{
    (void)state;
    assert_problem("<ErrorResponse><Error><Code>InvalidIdentityToken</Code></Error>",
                   "InvalidIdentityToken");
    assert_problem("{\"code\":\"AccessDenied\",\"message\":\"m\"}", "AccessDenied");
    assert_problem("{\"Code\":\"Assume\\u0041\"}", "");
    assert_problem("<Code>a\x1b[2J</Code>", "a?[2J");
    assert_problem("<Code", "");
    assert_problem("nothing", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_program_prints_is_read),
        cmocka_unit_test(what_a_container_or_an_instance_answers_is_read),
        cmocka_unit_test(what_a_writer_has_escaped_is_read),
        cmocka_unit_test(what_sts_answers_is_read),
        cmocka_unit_test(an_answer_that_is_no_key_is_damaged_and_not_shown),
        cmocka_unit_test(what_is_wrong_is_said_in_its_own_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
