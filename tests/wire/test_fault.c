/* SPDX-License-Identifier: Apache-2.0 */
/* The vocabulary of the service: operations, bodies, events, and what its errors mean. */
#include "base/alloc.h"
#include "base/json.h"
#include "base/str.h"
#include "base/utf8.h"
#include "wire/fault.h"

#include <amazonq/client.h>
#include <amazonq/stream.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ARN "arn:aws:codewhisperer:us-east-1:1:profile/P"

static void assert_text(struct aq_str got, const char *want)
{
    if (got.len != strlen(want) || (got.len && memcmp(got.ptr, want, got.len) != 0)) {
        fail_msg("'%.*s' is not '%s'", AQ_STR_ARG(got), want);
    }
}

/* --- operations and bodies --- */

static void the_code_is_looked_for_in_three_places_and_cut(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        const char *body;
        const char *want;
    } rows[] = {
        { "A", "{\"code\":\"B\",\"__type\":\"C\"}", "A" },
        { "", "{\"code\":\"B\",\"__type\":\"C\"}", "B" },
        { "", "{\"__type\":\"C\"}", "C" },
        { "", "{\"code\":7,\"__type\":\"C\"}", "C" },
        { "", "{\"code\":null}", "" },
        { "", "{}", "" },
        { "", "", "" },
        { "", "<html>", "" },
        { "", "{\"code\":\"B\"} trailing", "" },
        { "", "[{\"code\":\"B\"}]", "" },
        { "", "{\"nested\":{\"code\":\"B\"}}", "" },
        { "com.example#Foo:http://internal/", "", "Foo" },
        { "Foo:http://internal/#frag", "", "Foo" },
        { "ns#Foo", "", "Foo" },
        { "", "{\"__type\":\"com.example#Foo:x\"}", "Foo" },
        { "ns#", "", "" },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_text(fault_code(str_from(rows[i].header), str_from(rows[i].body)), rows[i].want);
    }
}

/* One refusal of the service and what must follow from it. */
static const struct {
    int32_t http;
    const char *type;
    const char *body;
    aq_status want;
    enum fault_repeat retry;
} faults[] = {
    /* the token */
    { 403, "AccessDeniedException",
      "{\"message\":\"The bearer token included in the request is invalid.\"}", AQ_E_AUTH,
      FAULT_RETRY_NEVER },
    { 403, "AccessDeniedError", "{\"Message\":\"The Bearer Token is expired\"}", AQ_E_AUTH,
      FAULT_RETRY_NEVER },
    { 403, "", "{\"message\":\"bearer token is invalid\"}", AQ_E_AUTH, FAULT_RETRY_NEVER },
    { 403, "ExpiredTokenException", "", AQ_E_AUTH, FAULT_RETRY_NEVER },
    { 400, "ExpiredTokenException", "{}", AQ_E_AUTH, FAULT_RETRY_NEVER },
    { 403, "UnrecognizedClientException", "{}", AQ_E_AUTH, FAULT_RETRY_NEVER },
    { 401, "", "", AQ_E_AUTH, FAULT_RETRY_NEVER },

    /* the account */
    { 403, "AccessDeniedException", "{\"message\":\"no\",\"reason\":\"FEATURE_NOT_SUPPORTED\"}",
      AQ_E_ACCESS, FAULT_RETRY_NEVER },
    { 400, "AccessDeniedError", "{\"message\":\"User is not authorized\"}", AQ_E_ACCESS,
      FAULT_RETRY_NEVER },
    { 403, "", "<html>forbidden</html>", AQ_E_ACCESS, FAULT_RETRY_NEVER },

    /* limits; the order of these phrases is the Q CLI's */
    { 400, "ValidationException", "{\"message\":\"Input is too long.\"}", AQ_E_TOO_LONG,
      FAULT_RETRY_NEVER },
    { 429, "ThrottlingException",
      "{\"message\":\"Input is too long. INSUFFICIENT_MODEL_CAPACITY MONTHLY_REQUEST_COUNT\"}",
      AQ_E_TOO_LONG, FAULT_RETRY_NEVER },
    { 400, "ValidationException", "{\"reason\":\"CONTENT_LENGTH_EXCEEDS_THRESHOLD\"}",
      AQ_E_TOO_LONG, FAULT_RETRY_NEVER },
    { 429, "ThrottlingException", "{\"reason\":\"INSUFFICIENT_MODEL_CAPACITY\"}", AQ_E_OVERLOADED,
      FAULT_RETRY_THROTTLED },
    { 500, "InternalServerException", "{\"reason\":\"MODEL_TEMPORARILY_UNAVAILABLE\"}",
      AQ_E_OVERLOADED, FAULT_RETRY_SOON },
    { 429, "ThrottlingException", "{\"reason\":\"MONTHLY_REQUEST_COUNT\"}", AQ_E_THROTTLED,
      FAULT_RETRY_NEVER },
    { 400, "ThrottlingException", "{\"reason\":\"MONTHLY_REQUEST_COUNT\"}", AQ_E_QUOTA,
      FAULT_RETRY_NEVER },
    { 402, "ServiceQuotaExceededException", "{\"reason\":\"MONTHLY_REQUEST_COUNT\"}", AQ_E_QUOTA,
      FAULT_RETRY_NEVER },
    { 400, "ServiceQuotaExceededError", "{\"reason\":\"CONVERSATION_LIMIT_EXCEEDED\"}", AQ_E_QUOTA,
      FAULT_RETRY_NEVER },
    { 400, "ThrottlingException", "{\"message\":\"Rate exceeded\"}", AQ_E_THROTTLED,
      FAULT_RETRY_THROTTLED },
    { 429, "ThrottlingError", "{\"reason\":\"DAILY_REQUEST_COUNT\"}", AQ_E_THROTTLED,
      FAULT_RETRY_THROTTLED },
    { 400, "TooManyRequestsException", "", AQ_E_THROTTLED, FAULT_RETRY_THROTTLED },
    { 400, "SlowDown", "", AQ_E_THROTTLED, FAULT_RETRY_THROTTLED },
    { 429, "", "", AQ_E_THROTTLED, FAULT_RETRY_NEVER },
    { 429, "SomethingNew", "{}", AQ_E_THROTTLED, FAULT_RETRY_NEVER },

    /* the request */
    { 400, "ValidationException", "{\"message\":\"bad\",\"reason\":\"INVALID_MODEL_ID\"}",
      AQ_E_VALIDATION, FAULT_RETRY_NEVER },
    { 400, "", "{\"__type\":\"com.amazon#ValidationError\"}", AQ_E_VALIDATION, FAULT_RETRY_NEVER },
    { 404, "ResourceNotFoundException", "", AQ_E_VALIDATION, FAULT_RETRY_NEVER },
    { 404, "", "<html>", AQ_E_VALIDATION, FAULT_RETRY_NEVER },
    { 400, "ConflictException", "{\"reason\":\"MISMATCHED_KMS_KEY\"}", AQ_E_CONFLICT,
      FAULT_RETRY_NEVER },
    { 413, "", "", AQ_E_TOO_LONG, FAULT_RETRY_NEVER },
    { 407, "", "", AQ_E_NETWORK, FAULT_RETRY_NEVER },
    { 408, "RequestTimeout", "", AQ_E_SERVICE, FAULT_RETRY_SOON },

    /* the service */
    { 500, "InternalServerException", "{}", AQ_E_SERVICE, FAULT_RETRY_SOON },
    { 400, "InternalServerError", "{}", AQ_E_SERVICE, FAULT_RETRY_SOON },
    { 500, "",
      "{\"message\":\"Encountered unexpectedly high load when processing the request, please try "
      "again.\"}",
      AQ_E_SERVICE, FAULT_RETRY_THROTTLED },
    { 500, "", "{\"__type\":\"ServiceUnavailableException\"}", AQ_E_SERVICE,
      FAULT_RETRY_THROTTLED },
    { 503, "ServiceUnavailableException", "", AQ_E_SERVICE, FAULT_RETRY_SOON },
    { 502, "", "<html>bad gateway</html>", AQ_E_SERVICE, FAULT_RETRY_SOON },
    { 504, "", "", AQ_E_SERVICE, FAULT_RETRY_SOON },
    { 501, "", "", AQ_E_SERVICE, FAULT_RETRY_NEVER },
    { 500, "", "{\"message\":\"MONTHLY_REQUEST_COUNT\"}", AQ_E_QUOTA, FAULT_RETRY_NEVER },
    { 100, "", "", AQ_E_SERVICE, FAULT_RETRY_NEVER },
};

static void every_refusal_has_its_class_and_its_right_to_be_repeated(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(faults); i++) {
        AUTO(buf) struct buf scratch = BUF(0);
        struct fault fault = { .http = faults[i].http };
        struct aq_error err = { 0 };
        fault_read(&fault, str_from(faults[i].type), str_from(faults[i].body), &scratch);
        aq_status st = fault_status(&fault);
        if (st != faults[i].want || fault_retry(&fault) != faults[i].retry) {
            fail_msg("HTTP %d '%s' %s: status %d, retry %d", (int)faults[i].http, faults[i].type,
                     faults[i].body, st, (int)fault_retry(&fault));
        }
        assert_int_equal(fault_error(&fault, AQ_STR("r-1"), AQ_STR(""), &err), st);
        assert_int_equal(err.status, st);
        assert_int_equal(err.http, faults[i].http);
        assert_non_null(strstr(err.text, ", request id r-1), "));
    }
}

static void high_load_counts_as_overload_if_a_model_was_chosen(void **state)
{
    (void)state;
    struct fault fault = {
        .http = 500,
        .model_named = true,
        .body = AQ_STR("Encountered unexpectedly high load when processing the request, please "
                       "try again."),
    };
    assert_int_equal(fault_status(&fault), AQ_E_OVERLOADED);
    fault.http = 503;
    assert_int_equal(fault_status(&fault), AQ_E_SERVICE);
}

static void a_delay_counts_with_a_listed_code_only(void **state)
{
    (void)state;
    const struct fault listed = { .code = AQ_STR("ThrottlingException") };
    const struct fault modeled = { .code = AQ_STR("ThrottlingError") };
    const struct fault none = { .http = 503 };
    assert_true(fault_names_delay(&listed));
    assert_false(fault_names_delay(&modeled));
    assert_false(fault_names_delay(&none));
}

static void the_last_message_counts_whatever_its_spelling(void **state)
{
    (void)state;
    AUTO(buf) struct buf scratch = BUF(0);
    struct fault fault = { 0 };
    fault_read(&fault, AQ_STR(""),
               AQ_STR("{\"message\":\"\\u0061\",\"Message\":\"b\",\"errorMessage\":\"\\u0063\","
                      "\"reason\":\"R\",\"message\":null}"),
               &scratch);
    assert_text(fault.message, "c");
    assert_text(fault.reason, "R");
}

static void assert_error_text(const struct fault *fault, const char *request_id, const char *secret,
                              const char *want)
{
    struct aq_error err = { 0 };
    fault_error(fault, str_from(request_id), str_from(secret), &err);
    assert_string_equal(err.text, want);
}

static void an_error_says_what_who_and_what_next(void **state)
{
    (void)state;
    struct fault fault = {
        .http = 400,
        .code = AQ_STR("ThrottlingException"),
        .message = AQ_STR("Rate exceeded."),
    };
    assert_error_text(&fault, "r-1", "",
                      "service: too many requests (HTTP 400 ThrottlingException: Rate exceeded, "
                      "request id r-1), wait a moment and try again");
    fault = (struct fault){ .http = 502 };
    assert_error_text(&fault, "", "", "service: could not answer (HTTP 502), try again later");
    fault = (struct fault){ .code = AQ_STR("InternalServerException") };
    assert_error_text(&fault, "", "",
                      "service: could not answer (during the answer InternalServerException), try "
                      "again later");
    fault = (struct fault){ .http = 429, .body = AQ_STR("MONTHLY_REQUEST_COUNT") };
    assert_error_text(&fault, "", "",
                      "service: too many requests (HTTP 429), the monthly limit resets on the 1st "
                      "(UTC)");
    fault = (struct fault){ .http = 429, .body = AQ_STR("{\"reason\":\"DAILY_REQUEST_COUNT\"}") };
    assert_error_text(&fault, "", "",
                      "service: too many requests (HTTP 429), the limit of the day is used up, go "
                      "on tomorrow");
    fault = (struct fault){ .http = 407 };
    assert_error_text(&fault, "", "",
                      "proxy: wants a user name and password (HTTP 407), add them to the proxy "
                      "setting");
}

static void what_a_terminal_could_obey_is_replaced(void **state)
{
    (void)state;
    const struct fault fault = {
        .http = 500,
        .code = AQ_STR("E\x1b[31m"),
        .message = AQ_STR("a\nb\r\x07\x7f\xc2\x9b" /* CSI */ "\xe2\x80\xae" /* RLO */
                          "\xff\xc3\xa9\xf3\xa0\x81\x81" /* tag A */ "z"),
    };
    assert_error_text(&fault, "i\x1b", "",
                      "service: could not answer (HTTP 500 E?[31m: a?b??????\xc3\xa9?z, request id "
                      "i?), try again later");
}

static void long_words_are_cut_between_characters(void **state)
{
    (void)state;
    char words[4000];
    for (size_t i = 0; i + 2 < sizeof(words); i += 3) {
        memcpy(words + i, "\xe2\x82\xac", 3);
    }
    struct aq_str all = { words, sizeof(words) / 3 * 3 };
    const struct fault fault = { .http = 500, .code = all, .message = all };
    struct aq_error err = { 0 };
    fault_error(&fault, all, AQ_STR(""), &err);
    assert_true(utf8_valid((const uint8_t *)err.text, strlen(err.text)));
    assert_non_null(strstr(err.text, "...), try again later"));
}

static void a_token_that_the_service_repeats_is_left_out(void **state)
{
    (void)state;
    static const char token[] = "canary-0123456789-abcdefghijklmnopqrstuvwxyz";
    char front[20] = "x canary-012345678";
    const struct fault whole = {
        .http = 400,
        .code = AQ_STR("Code"),
        .message = AQ_STR("bad: canary-0123456789-abcdefghijklmnopqrstuvwxyz"),
    };
    const struct fault part = { .http = 400, .message = str_from(front) };
    assert_error_text(
        &whole, token, token,
        "service: the request was refused (HTTP 400 Code), check it and the endpoint");
    assert_error_text(&part, "", token,
                      "service: the request was refused (HTTP 400), check it and the endpoint");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_code_is_looked_for_in_three_places_and_cut),
        cmocka_unit_test(every_refusal_has_its_class_and_its_right_to_be_repeated),
        cmocka_unit_test(high_load_counts_as_overload_if_a_model_was_chosen),
        cmocka_unit_test(a_delay_counts_with_a_listed_code_only),
        cmocka_unit_test(the_last_message_counts_whatever_its_spelling),
        cmocka_unit_test(an_error_says_what_who_and_what_next),
        cmocka_unit_test(what_a_terminal_could_obey_is_replaced),
        cmocka_unit_test(long_words_are_cut_between_characters),
        cmocka_unit_test(a_token_that_the_service_repeats_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
