/* SPDX-License-Identifier: Apache-2.0 */
/* What the service refuses, and what is tried again: with another token, or later. */
#include "base/str.h"
#include "wire/exchange_support.h"

#include <stdio.h>

/* --- refusals --- */

static void a_refusal_is_told_with_class_status_and_request_id(void **state)
{
    (void)state;
    struct aq_exchange *x = ask();
    expect(x, 0, AQ_EVENT_SEND);
    answer(x, 400, "x-amzn-requestid: r-7\nx-amzn-ErrorType: ns#ValidationException:http://x\n",
           "{\"message\":\"Improperly formed request.\",\"reason\":\"INVALID_MODEL_ID\"}");
    struct aq_error err = expect_error(x, AQ_E_VALIDATION);
    assert_int_equal(err.http, 400);
    assert_string_equal(err.text, "service: the request was refused (HTTP 400 "
                                  "ValidationException: Improperly formed request, request id "
                                  "r-7), check it and the endpoint");
    aq_exchange_free(x);
}

static void a_refusal_split_at_every_byte_means_the_same(void **state)
{
    (void)state;
    static const char body[] = "{\"__type\":\"ns#AccessDeniedException\",\"message\":\"n\\u006f\"}";
    for (size_t split = 0; split < sizeof(body); split++) {
        struct aq_exchange *x = ask();
        expect(x, 0, AQ_EVENT_SEND);
        respond(x, 403, "");
        feed(x, (struct aq_str){ body, split });
        expect_status(x, 0, AQ_AGAIN);
        feed(x, (struct aq_str){ body + split, sizeof(body) - 1 - split });
        assert_int_equal(aq_exchange_finish(x, NULL), AQ_OK);
        struct aq_error err = expect_error(x, AQ_E_ACCESS);
        assert_non_null(strstr(err.text, "AccessDeniedException: no)"));
        aq_exchange_free(x);
    }
}

static void a_refusal_whose_body_never_ends_is_judged_by_what_came(void **state)
{
    (void)state;
    const struct aq_error why = { .status = AQ_E_TIMEOUT, .text = "connection: stalled" };
    struct aq_exchange *x = ask();
    expect(x, 0, AQ_EVENT_SEND);
    respond(x, 403, "");
    feed(x, AQ_STR("{\"mess"));
    assert_int_equal(aq_exchange_fail(x, &why, NULL), AQ_OK);
    assert_int_equal(expect_error(x, AQ_E_ACCESS).http, 403);
    aq_exchange_free(x);
}

static void a_refusal_of_any_length_is_read_up_to_64_kib(void **state)
{
    (void)state;
    enum { PIECE = 40 * 1024 };
    char *piece = malloc(PIECE);
    assert_non_null(piece);
    memset(piece, 'x', PIECE);
    struct aq_exchange *x = ask();
    expect(x, 0, AQ_EVENT_SEND);
    respond(x, 400, "");
    feed(x, (struct aq_str){ piece, PIECE });
    expect_status(x, 0, AQ_AGAIN);
    feed(x, (struct aq_str){ piece, PIECE });
    expect_error(x, AQ_E_VALIDATION); /* enough was said; the rest may never end */
    aq_exchange_free(x);
    free(piece);
}

static void a_redirect_is_refused_and_only_its_host_is_named(void **state)
{
    (void)state;
    static const struct {
        int32_t status;
        const char *location;
        const char *want;
    } rows[] = {
        { 301, "location: https://evil.example/steal?t=x\n", "to evil.example refused" },
        { 301, "location: https://evil.example/steal?t=" CANARY "\n", "to another place refused" },
        { 301, "location: https://" CANARY ".evil.example/\n", "to another place refused" },
        { 302, "Location: http://evil.example:81#x\n", "to evil.example:81 refused" },
        { 307, "location: https://" CANARY "@evil.example/\n", "to another place refused" },
        { 308, "location: /relative/" CANARY "\n", "to another place refused" },
        { 308, "location: https://evil\x1b[31m/\n", "to another place refused" },
        { 303, "location: https:///\n", "to another place refused" },
        { 304, "", "to another place refused" },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct aq_exchange *x = ask();
        expect(x, 0, AQ_EVENT_SEND);
        answer(x, rows[i].status, rows[i].location, "moved");
        struct aq_error err = expect_error(x, AQ_E_PROTOCOL);
        assert_int_equal(err.http, rows[i].status);
        assert_non_null(strstr(err.text, rows[i].want));
        aq_exchange_free(x);
    }
}

/* --- tokens --- */

#define BAD_TOKEN "{\"message\":\"The bearer token included in the request is invalid.\"}"

static void a_rejected_token_is_asked_for_once_and_is_no_retry(void **state)
{
    (void)state;
    struct aq_exchange *x = ask();
    expect(x, 0, AQ_EVENT_SEND);
    answer(x, 403, "x-amzn-errortype: AccessDeniedException\n", BAD_TOKEN);
    assert_int_equal(expect(x, 0, AQ_EVENT_NEED_TOKEN)->http, 403);
    expect_status(x, 0, AQ_AGAIN);
    assert_int_equal(aq_exchange_deadline(x), UINT64_MAX);
    assert_int_equal(aq_exchange_give_token(x, AQ_STR(RENEWED), NULL), AQ_OK);
    expect(x, 0, AQ_EVENT_SEND);
    struct aq_exchange_request r = request_of(x);
    assert_text(header_of(&r, "authorization"), "Bearer " RENEWED);
    assert_text(header_of(&r, "amz-sdk-request"), "attempt=1; max=3");
    answer(x, 401, "x-amzn-requestid: r-2\n", "{\"message\":\"token " RENEWED " is bad\"}");
    struct aq_error err = expect_error(x, AQ_E_AUTH);
    assert_non_null(strstr(err.text, "log in again"));
    assert_non_null(strstr(err.text, "request id r-2"));
    aq_exchange_free(x);
}

static void neither_token_turns_up_in_an_error_after_a_new_one_was_given(void **state)
{
    (void)state;
    struct aq_exchange *x = ask();
    expect(x, 0, AQ_EVENT_SEND);
    answer(x, 401, "", "");
    expect(x, 0, AQ_EVENT_NEED_TOKEN);
    assert_int_equal(aq_exchange_give_token(x, AQ_STR(RENEWED), NULL), AQ_OK);
    expect(x, 0, AQ_EVENT_SEND);
    answer(x, 400, "x-amzn-requestid: " CANARY "\nx-amzn-errortype: ValidationException\n",
           "{\"message\":\"first " CANARY "\"}");
    struct aq_error err = expect_error(x, AQ_E_VALIDATION);
    assert_null(strstr(err.text, CANARY));
    aq_exchange_free(x);
}

static void an_answer_after_a_new_token_is_as_good_as_any(void **state)
{
    (void)state;
    AUTO(buf) struct buf body = BUF(0);
    AUTO(buf) struct buf log = BUF(0);
    add_answer(&body);
    struct aq_exchange *x = ask();
    expect(x, 0, AQ_EVENT_SEND);
    answer(x, 401, "", "");
    expect(x, 0, AQ_EVENT_NEED_TOKEN);
    assert_int_equal(aq_exchange_give_token(x, AQ_STR(RENEWED), NULL), AQ_OK);
    expect(x, 0, AQ_EVENT_SEND);
    respond(x, 200, EVENT_STREAM "x-amzn-requestid: r-1\n");
    feed(x, buf_str(&body));
    assert_int_equal(aq_exchange_finish(x, NULL), AQ_OK);
    collect(x, &log);
    assert_text(buf_str(&log), answer_log);
    aq_exchange_free(x);
}

static void a_token_can_be_given_only_when_asked_for_and_only_a_legal_one(void **state)
{
    (void)state;
    struct aq_error err = { 0 };
    struct aq_exchange *x = ask();
    assert_int_equal(aq_exchange_give_token(x, AQ_STR(RENEWED), NULL), AQ_E_STATE);
    expect(x, 0, AQ_EVENT_SEND);
    answer(x, 401, "", "");
    assert_int_equal(aq_exchange_give_token(x, AQ_STR(RENEWED), NULL), AQ_E_STATE);
    expect(x, 0, AQ_EVENT_NEED_TOKEN);
    assert_int_equal(aq_exchange_give_token(x, AQ_STR("canary\n"), &err), AQ_E_INVALID);
    assert_null(strstr(err.text, "canary"));
    assert_int_equal(aq_exchange_give_token(x, AQ_STR(RENEWED), NULL), AQ_OK);
    assert_int_equal(aq_exchange_give_token(x, AQ_STR(RENEWED), NULL), AQ_E_STATE);
    aq_exchange_free(x);
}

/* --- repetitions --- */

static void a_repetition_waits_until_its_time_has_come(void **state)
{
    (void)state;
    struct aq_exchange *x = ask();
    throttle(x);
    const struct aq_event *event = expect(x, 7 * SECOND, AQ_EVENT_RETRY);
    assert_int_equal(event->attempt, 1);
    assert_int_equal(event->http, 429);
    assert_in_range(event->delay_ms, 500, 1000);
    uint64_t deadline_us = 7 * SECOND + event->delay_ms * UINT64_C(1000);
    assert_int_equal(aq_exchange_deadline(x), deadline_us);
    expect_status(x, 7 * SECOND, AQ_AGAIN);
    expect_status(x, deadline_us - 1, AQ_AGAIN);
    expect(x, deadline_us, AQ_EVENT_SEND);
    assert_int_equal(aq_exchange_deadline(x), UINT64_MAX);
    struct aq_exchange_request r = request_of(x);
    assert_text(header_of(&r, "amz-sdk-request"), "attempt=2; max=3");
    assert_text(header_of(&r, "authorization"), "Bearer " CANARY);
    aq_exchange_free(x);
}

static void three_attempts_are_all_there_are(void **state)
{
    (void)state;
    uint64_t now_us = 0;
    struct aq_exchange *x = ask();
    for (uint32_t attempt = 1; attempt <= 2; attempt++) {
        expect(x, now_us, AQ_EVENT_SEND);
        answer(x, 503, "", "");
        const struct aq_event *event = expect(x, now_us, AQ_EVENT_RETRY);
        assert_int_equal(event->attempt, attempt);
        assert_in_range(event->delay_ms, 0, attempt * 1000);
        now_us = aq_exchange_deadline(x);
    }
    expect(x, now_us, AQ_EVENT_SEND);
    answer(x, 503, "", "");
    assert_int_equal(expect_error(x, AQ_E_SERVICE).http, 503);
    aq_exchange_free(x);
}

static void an_answer_after_a_repetition_has_nothing_of_the_first(void **state)
{
    (void)state;
    AUTO(buf) struct buf body = BUF(0);
    AUTO(buf) struct buf log = BUF(0);
    add_answer(&body);
    struct aq_exchange *x = ask();
    expect(x, 0, AQ_EVENT_SEND);
    answer(x, 500, "x-amzn-requestid: r-0\nx-amz-retry-after: 5\n", "{\"message\":\"a\"}");
    expect(x, 0, AQ_EVENT_RETRY);
    expect(x, 60 * SECOND, AQ_EVENT_SEND);
    answer(x, 503, "", "");
    expect(x, 0, AQ_EVENT_RETRY);
    expect(x, 60 * SECOND, AQ_EVENT_SEND);
    respond(x, 200, EVENT_STREAM "x-amzn-requestid: r-1\n");
    feed(x, buf_str(&body));
    assert_int_equal(aq_exchange_finish(x, NULL), AQ_OK);
    collect(x, &log);
    assert_text(buf_str(&log), answer_log);
    aq_exchange_free(x);
}

/* The delay of attempt number `attempt` for one seed and one kind of refusal. */
static uint32_t delay_of(uint8_t seed, uint32_t attempt, const char *lines)
{
    struct aq_stream_options request = question();
    struct aq_exchange_options options = options_of(&request);
    options.seed[0] = seed;
    options.max_attempts = 100;
    struct aq_exchange *x = make(&options);
    uint64_t now_us = 0;
    uint32_t delay_ms = 0;
    for (uint32_t i = 1; i <= attempt; i++) {
        expect(x, now_us, AQ_EVENT_SEND);
        answer(x, 500, lines, "");
        delay_ms = expect(x, now_us, AQ_EVENT_RETRY)->delay_ms;
        now_us = aq_exchange_deadline(x);
    }
    aq_exchange_free(x);
    return delay_ms;
}

static void delays_double_up_to_ten_seconds_and_are_spread(void **state)
{
    (void)state;
    static const uint32_t most_ms[] = { 1000, 2000, 4000, 8000, 10000, 10000, 10000 };
    static const char throttled[] = "x-amzn-errortype: SlowDown\n";
    for (uint32_t attempt = 1; attempt <= COUNT(most_ms); attempt++) {
        uint32_t most = most_ms[attempt - 1];
        uint32_t low = UINT32_MAX;
        uint32_t high = 0;
        for (uint8_t seed = 0; seed < 64; seed++) {
            uint32_t delay_ms = delay_of(seed, attempt, "");
            low = delay_ms < low ? delay_ms : low;
            high = delay_ms > high ? delay_ms : high;
            assert_in_range(delay_of(seed, attempt, throttled), most / 2, most);
        }
        assert_in_range(low, 0, most / 4);
        assert_in_range(high, most - most / 4, most);
    }
}

static void the_services_own_delay_counts_with_a_listed_code_and_up_to_ten_seconds(void **state)
{
    (void)state;
    static const char code[] = "x-amzn-errortype: ThrottlingException\n";
    char lines[128];
    snprintf(lines, sizeof(lines), "%sx-amz-retry-after: 2345\n", code);
    assert_int_equal(delay_of(1, 1, lines), 2345);
    snprintf(lines, sizeof(lines), "%sx-amz-retry-after: 0\n", code);
    assert_int_equal(delay_of(1, 1, lines), 0);
    snprintf(lines, sizeof(lines), "%sx-amz-retry-after: 9223372036854775807\n", code);
    assert_int_equal(delay_of(1, 1, lines), 10000);
    const char *const ignored[] = { "-5", "soon", "99999999999999999999", "1.5", "" };
    for (size_t i = 0; i < COUNT(ignored); i++) {
        snprintf(lines, sizeof(lines), "%sx-amz-retry-after: %s\n", code, ignored[i]);
        assert_int_equal(delay_of(1, 1, lines), delay_of(1, 1, code));
    }
    assert_int_equal(delay_of(1, 1, "x-amz-retry-after: 2345\n"), delay_of(1, 1, ""));
}

static void
a_retry_is_not_sent_before_the_time_that_retry_after_names_and_ten_seconds_at_most(void **state)
{
    (void)state;
    const char *const ignored[] = { "-5", "soon", "1.5", "Wed, 21 Oct 2015 07:28:00 GMT", "" };
    char lines[128];
    assert_int_equal(delay_of(1, 1, "Retry-After: 3\n"), 3000);
    assert_int_equal(delay_of(1, 3, "retry-after: 9\n"), 9000);
    assert_int_equal(delay_of(1, 1, "retry-after: 3600\n"), 10000);
    assert_int_equal(delay_of(1, 1, "retry-after: 9223372036854775807\n"), 10000);
    assert_int_equal(delay_of(1, 1, "retry-after: 0\n"), delay_of(1, 1, ""));
    for (size_t i = 0; i < COUNT(ignored); i++) {
        snprintf(lines, sizeof(lines), "retry-after: %s\n", ignored[i]);
        assert_int_equal(delay_of(1, 1, lines), delay_of(1, 1, ""));
    }
    assert_int_equal(delay_of(1, 1,
                              "x-amzn-errortype: SlowDown\nretry-after: 9\n"
                              "x-amz-retry-after: 20\n"),
                     20);
}

static void retry_after_as_a_date_is_seen_from_the_answers_own_date(void **state)
{
    (void)state;
    static const char date[] = "date: Wed, 21 Oct 2015 07:28:00 GMT\n";
    static const struct {
        const char *until;
        uint32_t delay_ms; /* 0: as if it were not said */
    } cases[] = {
        { "Wed, 21 Oct 2015 07:28:07 GMT", 7000 }, /* the form that is sent: RFC 9110, 5.6.7 */
        { "Thu, 22 Oct 2015 07:28:00 GMT", 10000 }, { "Fri, 31 Dec 9999 23:59:59 GMT", 10000 },
        { "Wed, 21 Oct 2015 07:28:00 GMT", 0 }, /* now */
        { "Wed, 21 Oct 2015 07:00:00 GMT", 0 }, /* over */
        { "Wed, 21 Oct 2015 07:28:07 CET", 0 }, /* none */
        { "Wed, 32 Oct 2015 07:28:07 GMT", 0 },     { "2015-10-21T07:28:07Z", 0 },
    };
    char lines[128];
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint32_t usual_ms = delay_of(1, 1, date);
        snprintf(lines, sizeof(lines), "%sretry-after: %s\n", date, cases[i].until);
        assert_int_equal(delay_of(1, 1, lines), cases[i].delay_ms ? cases[i].delay_ms : usual_ms);
    }
    snprintf(lines, sizeof(lines), "%sretry-after: 3\n", date);
    assert_int_equal(delay_of(1, 1, lines), 3000);
}

static void what_cannot_pass_is_not_repeated(void **state)
{
    (void)state;
    static const struct {
        int32_t status;
        const char *body;
        aq_status want;
    } rows[] = {
        { 400, "{\"__type\":\"ValidationException\"}", AQ_E_VALIDATION },
        { 429, "", AQ_E_THROTTLED },
        { 429, "{\"__type\":\"ThrottlingException\",\"reason\":\"MONTHLY_REQUEST_COUNT\"}",
          AQ_E_THROTTLED },
        { 500, "{\"__type\":\"ThrottlingException\",\"reason\":\"MONTHLY_REQUEST_COUNT\"}",
          AQ_E_QUOTA },
        { 403, "{\"__type\":\"AccessDeniedException\"}", AQ_E_ACCESS },
        { 407, "", AQ_E_NETWORK },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct aq_exchange *x = ask();
        expect(x, 0, AQ_EVENT_SEND);
        answer(x, rows[i].status, "", rows[i].body);
        expect_error(x, rows[i].want);
        aq_exchange_free(x);
    }
}

static void a_request_that_was_not_sent_is_repeated_and_any_other_is_not(void **state)
{
    (void)state;
    static const struct {
        aq_status status;
        uint32_t flags;
        bool repeated;
    } rows[] = {
        { AQ_E_NETWORK, AQ_ERROR_NOT_SENT, true },
        { AQ_E_TIMEOUT, AQ_ERROR_NOT_SENT, true },
        { AQ_E_PROTOCOL, AQ_ERROR_NOT_SENT, true },
        { AQ_E_TRUNCATED, AQ_ERROR_NOT_SENT, true },
        { AQ_E_TLS, AQ_ERROR_NOT_SENT, false },
        { AQ_E_NOMEM, AQ_ERROR_NOT_SENT, false },
        { AQ_E_NETWORK, 0, false },
        { AQ_E_TIMEOUT, 0, false },
        { AQ_E_TRUNCATED, 0, false },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct aq_error why = { .status = rows[i].status,
                                .flags = rows[i].flags,
                                .text = "connection: refused, try again" };
        uint64_t now_us = 0;
        struct aq_exchange *x = ask();
        for (int attempt = 1; rows[i].repeated && attempt < 3; attempt++) {
            expect(x, now_us, AQ_EVENT_SEND);
            assert_int_equal(aq_exchange_fail(x, &why, NULL), AQ_OK);
            assert_int_equal(expect(x, now_us, AQ_EVENT_RETRY)->http, 0);
            now_us = aq_exchange_deadline(x);
        }
        expect(x, now_us, AQ_EVENT_SEND);
        assert_int_equal(aq_exchange_fail(x, &why, NULL), AQ_OK);
        assert_string_equal(expect_error(x, rows[i].status).text, why.text);
        aq_exchange_free(x);
    }
}

static void a_failure_without_a_reason_is_a_failure(void **state)
{
    (void)state;
    const struct aq_error nothing = { 0 };
    const struct aq_error *const reasons[] = { NULL, &nothing };
    for (size_t i = 0; i < COUNT(reasons); i++) {
        struct aq_exchange *x = ask();
        expect(x, 0, AQ_EVENT_SEND);
        assert_int_equal(aq_exchange_fail(x, reasons[i], NULL), AQ_OK);
        expect_error(x, AQ_E_NETWORK);
        aq_exchange_free(x);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_refusal_is_told_with_class_status_and_request_id),
        cmocka_unit_test(a_refusal_split_at_every_byte_means_the_same),
        cmocka_unit_test(a_refusal_whose_body_never_ends_is_judged_by_what_came),
        cmocka_unit_test(a_refusal_of_any_length_is_read_up_to_64_kib),
        cmocka_unit_test(a_redirect_is_refused_and_only_its_host_is_named),
        cmocka_unit_test(a_rejected_token_is_asked_for_once_and_is_no_retry),
        cmocka_unit_test(neither_token_turns_up_in_an_error_after_a_new_one_was_given),
        cmocka_unit_test(an_answer_after_a_new_token_is_as_good_as_any),
        cmocka_unit_test(a_token_can_be_given_only_when_asked_for_and_only_a_legal_one),
        cmocka_unit_test(a_repetition_waits_until_its_time_has_come),
        cmocka_unit_test(three_attempts_are_all_there_are),
        cmocka_unit_test(an_answer_after_a_repetition_has_nothing_of_the_first),
        cmocka_unit_test(delays_double_up_to_ten_seconds_and_are_spread),
        cmocka_unit_test(the_services_own_delay_counts_with_a_listed_code_and_up_to_ten_seconds),
        cmocka_unit_test(
            a_retry_is_not_sent_before_the_time_that_retry_after_names_and_ten_seconds_at_most),
        cmocka_unit_test(retry_after_as_a_date_is_seen_from_the_answers_own_date),
        cmocka_unit_test(what_cannot_pass_is_not_repeated),
        cmocka_unit_test(a_request_that_was_not_sent_is_repeated_and_any_other_is_not),
        cmocka_unit_test(a_failure_without_a_reason_is_a_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
