/* SPDX-License-Identifier: Apache-2.0 */
/* Which site is asked, and what happens where a login is not taken. */
#include "base/str.h"
#include "wire/exchange_support.h"

#define REFUSED "{\"__type\":\"AccessDeniedException\",\"message\":\"not here\"}"
#define NO_PROFILE "{\"__type\":\"ValidationException\",\"message\":\"profileArn is required\"}"

/* No endpoint is named. */
static struct aq_exchange *ask_at(const char *site, int32_t call)
{
    struct aq_stream_options request = question();
    struct aq_exchange_options options = options_of(&request);
    request.call = call;
    if (call != AQ_CALL_GENERATE_ASSISTANT_RESPONSE) {
        request.prompt = AQ_STR("");
    }
    options.endpoint = AQ_STR("");
    options.site = str_from(site);
    return make(&options);
}

static void expect_host(struct aq_exchange *x, const char *host)
{
    expect(x, 0, AQ_EVENT_SEND);
    struct aq_str rest = str_from_offset(request_of(x).url, sizeof("https://") - 1);
    assert_text(str_cut(&rest, '/'), host);
}

/* The site that was asked has refused; the next one is asked at once. */
static void expect_elsewhere(struct aq_exchange *x, int32_t http, const char *host)
{
    const struct aq_event *event = expect(x, 0, AQ_EVENT_RETRY);
    assert_int_equal(event->http, http);
    assert_int_equal(event->delay_ms, 0);
    assert_text(event->name, host);
    assert_int_equal(aq_exchange_deadline(x), 0);
    expect_host(x, host);
}

static void expect_accepted(struct aq_exchange *x, const char *site)
{
    AUTO(buf) struct buf body = BUF(0);
    add_answer(&body);
    respond(x, 200, EVENT_STREAM);
    assert_text(expect(x, 0, AQ_EVENT_RESPONSE)->name, site);
    feed(x, buf_str(&body));
    assert_int_equal(aq_exchange_finish(x, NULL), AQ_OK);
    expect(x, 0, AQ_EVENT_MESSAGE);
}

static void a_site_that_takes_the_login_is_the_only_one_asked(void **state)
{
    (void)state;
    struct aq_exchange *x = ask_at("", AQ_CALL_GENERATE_ASSISTANT_RESPONSE);
    expect_host(x, "q.us-east-1.amazonaws.com");
    expect_accepted(x, "q");
    aq_exchange_free(x);
}

static void a_login_that_is_refused_is_shown_to_the_next_site(void **state)
{
    static const struct {
        int32_t http;
        const char *body;
    } refusals[] = { { 403, REFUSED }, { 400, NO_PROFILE }, { 403, "" }, { 404, "" }, { 421, "" } };
    (void)state;
    for (size_t i = 0; i < COUNT(refusals); i++) {
        struct aq_exchange *x = ask_at("", AQ_CALL_GENERATE_ASSISTANT_RESPONSE);
        expect_host(x, "q.us-east-1.amazonaws.com");
        answer(x, refusals[i].http, "", refusals[i].body);
        expect_elsewhere(x, refusals[i].http, "runtime.us-east-1.kiro.dev");
        expect_accepted(x, "kiro");
        aq_exchange_free(x);
    }
}

static void what_does_not_stream_has_a_host_of_its_own(void **state)
{
    (void)state;
    struct aq_exchange *x = ask_at("", AQ_CALL_LIST_AVAILABLE_MODELS);
    expect_host(x, "q.us-east-1.amazonaws.com");
    answer(x, 403, "", REFUSED);
    expect_elsewhere(x, 403, "management.us-east-1.kiro.dev");
    assert_true(str_ends(request_of(x).url, AQ_STR("/?origin=CLI")));
    aq_exchange_free(x);
}

static void the_site_that_took_it_before_is_asked_first(void **state)
{
    (void)state;
    struct aq_exchange *x = ask_at("kiro", AQ_CALL_GENERATE_ASSISTANT_RESPONSE);
    expect_host(x, "runtime.us-east-1.kiro.dev");
    answer(x, 403, "", REFUSED);
    expect_elsewhere(x, 403, "q.us-east-1.amazonaws.com");
    expect_accepted(x, "q");
    aq_exchange_free(x);
}

static void a_site_that_nobody_knows_counts_as_none(void **state)
{
    (void)state;
    struct aq_exchange *x = ask_at("evil.example", AQ_CALL_GENERATE_ASSISTANT_RESPONSE);
    expect_host(x, "q.us-east-1.amazonaws.com");
    aq_exchange_free(x);
}

static void refused_everywhere_it_fails_with_what_the_first_site_said(void **state)
{
    struct aq_exchange_fault fault = { .struct_size = sizeof(fault) };
    (void)state;
    struct aq_exchange *x = ask_at("", AQ_CALL_GENERATE_ASSISTANT_RESPONSE);
    expect_host(x, "q.us-east-1.amazonaws.com");
    answer(x, 403, "", REFUSED);
    expect_elsewhere(x, 403, "runtime.us-east-1.kiro.dev");
    answer(x, 400, "", NO_PROFILE);
    assert_non_null(strstr(expect_error(x, AQ_E_ACCESS).text, "not here"));
    assert_int_equal(aq_exchange_fault(x, &fault), AQ_OK);
    assert_text(fault.message, "not here");
    aq_exchange_free(x);
}

static void a_next_site_that_cannot_be_reached_does_not_hide_the_refusal(void **state)
{
    const struct aq_error why = { .status = AQ_E_NETWORK, .text = "runtime: no such name" };
    (void)state;
    struct aq_exchange *x = ask_at("", AQ_CALL_GENERATE_ASSISTANT_RESPONSE);
    expect_host(x, "q.us-east-1.amazonaws.com");
    answer(x, 403, "", REFUSED);
    expect_elsewhere(x, 403, "runtime.us-east-1.kiro.dev");
    assert_int_equal(aq_exchange_fail(x, &why, NULL), AQ_OK);
    expect_error(x, AQ_E_ACCESS);
    aq_exchange_free(x);
}

static void a_next_site_that_takes_the_login_has_the_last_word(void **state)
{
    (void)state;
    struct aq_exchange *x = ask_at("", AQ_CALL_GENERATE_ASSISTANT_RESPONSE);
    expect_host(x, "q.us-east-1.amazonaws.com");
    answer(x, 403, "", REFUSED);
    expect_elsewhere(x, 403, "runtime.us-east-1.kiro.dev");
    answer(x, 400, "", "{\"__type\":\"ServiceQuotaExceededException\",\"message\":\"used up\"}");
    expect_error(x, AQ_E_QUOTA);
    aq_exchange_free(x);
}

static void attempts_are_counted_anew_at_the_next_site(void **state)
{
    (void)state;
    struct aq_exchange *x = ask_at("", AQ_CALL_GENERATE_ASSISTANT_RESPONSE);
    expect_host(x, "q.us-east-1.amazonaws.com");
    answer(x, 403, "", REFUSED);
    expect_elsewhere(x, 403, "runtime.us-east-1.kiro.dev");
    struct aq_exchange_request request = request_of(x);
    assert_text(header_of(&request, "amz-sdk-request"), "attempt=1; max=3");
    answer(x, 429, "x-amzn-errortype: ThrottlingException\n", "{}");
    assert_int_equal(expect(x, 0, AQ_EVENT_RETRY)->attempt, 1);
    aq_exchange_free(x);
}

/* A token that is refused may have expired: that is found out before another site sees it. */
static void a_rejected_token_is_renewed_before_it_is_shown_to_the_next_site(void **state)
{
    static const char body[] = "{\"message\":\"The bearer token included is invalid.\"}";
    (void)state;
    struct aq_exchange *x = ask_at("", AQ_CALL_GENERATE_ASSISTANT_RESPONSE);
    expect_host(x, "q.us-east-1.amazonaws.com");
    answer(x, 403, "", body);
    expect(x, 0, AQ_EVENT_NEED_TOKEN);
    assert_int_equal(aq_exchange_give_token(x, AQ_STR(RENEWED), NULL), AQ_OK);
    expect_host(x, "q.us-east-1.amazonaws.com");
    answer(x, 403, "", body);
    expect_elsewhere(x, 403, "runtime.us-east-1.kiro.dev");
    struct aq_exchange_request request = request_of(x);
    assert_text(header_of(&request, "authorization"), "Bearer " RENEWED);
    answer(x, 403, "", body); /* and not renewed once more */
    expect_error(x, AQ_E_AUTH);
    aq_exchange_free(x);
}

static void a_decision_about_the_account_is_final(void **state)
{
    static const char *const bodies[] = {
        "{\"__type\":\"AccessDeniedException\",\"reason\":\"TEMPORARILY_SUSPENDED\"}",
        "{\"__type\":\"ValidationException\",\"message\":\"Improperly formed request.\"}",
        "{\"__type\":\"ServiceQuotaExceededException\",\"message\":\"used up\"}",
    };
    (void)state;
    for (size_t i = 0; i < COUNT(bodies); i++) {
        struct aq_exchange *x = ask_at("", AQ_CALL_GENERATE_ASSISTANT_RESPONSE);
        const struct aq_event *event = NULL;
        expect_host(x, "q.us-east-1.amazonaws.com");
        answer(x, i == 0 ? 403 : 400, "", bodies[i]);
        assert_true(aq_exchange_next(x, 0, &event, NULL) < 0);
        aq_exchange_free(x);
    }
}

static void an_endpoint_that_was_named_is_the_only_one(void **state)
{
    (void)state;
    struct aq_exchange *x = ask();
    expect(x, 0, AQ_EVENT_SEND);
    answer(x, 403, "", REFUSED);
    expect_error(x, AQ_E_ACCESS);
    aq_exchange_free(x);
}

static void the_region_is_that_of_the_profile_or_the_one_named(void **state)
{
    struct aq_stream_options request = question();
    struct aq_exchange_options options = options_of(&request);
    (void)state;
    options.endpoint = AQ_STR("");
    request.profile_arn = AQ_STR(ARN);
    struct aq_exchange *x = make(&options);
    expect_host(x, "q.eu-central-1.amazonaws.com");
    answer(x, 403, "", REFUSED);
    expect_elsewhere(x, 403, "runtime.eu-central-1.kiro.dev");
    aq_exchange_free(x);

    options.region = AQ_STR("ap-southeast-1"); /* which has the first site only, if any */
    options.site = AQ_STR("kiro");
    x = make(&options);
    expect_host(x, "q.ap-southeast-1.amazonaws.com");
    answer(x, 403, "", REFUSED);
    expect_error(x, AQ_E_ACCESS);
    aq_exchange_free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_site_that_takes_the_login_is_the_only_one_asked),
        cmocka_unit_test(a_login_that_is_refused_is_shown_to_the_next_site),
        cmocka_unit_test(what_does_not_stream_has_a_host_of_its_own),
        cmocka_unit_test(the_site_that_took_it_before_is_asked_first),
        cmocka_unit_test(a_site_that_nobody_knows_counts_as_none),
        cmocka_unit_test(refused_everywhere_it_fails_with_what_the_first_site_said),
        cmocka_unit_test(a_next_site_that_cannot_be_reached_does_not_hide_the_refusal),
        cmocka_unit_test(a_next_site_that_takes_the_login_has_the_last_word),
        cmocka_unit_test(attempts_are_counted_anew_at_the_next_site),
        cmocka_unit_test(a_rejected_token_is_renewed_before_it_is_shown_to_the_next_site),
        cmocka_unit_test(a_decision_about_the_account_is_final),
        cmocka_unit_test(an_endpoint_that_was_named_is_the_only_one),
        cmocka_unit_test(the_region_is_that_of_the_profile_or_the_one_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
