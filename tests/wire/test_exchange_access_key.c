/* SPDX-License-Identifier: Apache-2.0 */
/* An exchange with an access key: what is sent is signed, and the key stays here. */
#include "wire/exchange_support.h"

#include "base/str.h"
#include "wire/sigv4.h"

#include <stdio.h>

#define KEY_ID "AKIDEXAMPLE"
#define SECRET "canary-secret-0123456789abcdef"
#define SESSION "canary-session-0123456789abcdef"

enum { AUGUST = 1440938160 }; /* 2015-08-30T12:36:00Z */

static const struct aq_access_key key = {
    .struct_size = sizeof(key),
    .access_key_id = AQ_STR_INIT(KEY_ID),
    .secret_access_key = AQ_STR_INIT(SECRET),
    .session_token = AQ_STR_INIT(SESSION),
};

static struct aq_stream_options signed_question(void)
{
    struct aq_stream_options request = question();
    request.access_token = AQ_STR("");
    request.call = AQ_CALL_SEND_MESSAGE;
    request.access_key = &key;
    return request;
}

static struct aq_exchange_options signed_options(const struct aq_stream_options *request)
{
    struct aq_exchange_options options = options_of(request);
    options.endpoint = AQ_STR("");
    options.region = AQ_STR("eu-central-1");
    options.time_s = AUGUST;
    return options;
}

static struct aq_exchange *ask_signed(void)
{
    struct aq_stream_options request = signed_question();
    struct aq_exchange_options options = signed_options(&request);
    return make(&options);
}

/* What the published algorithm makes of a request, all of whose headers but two are signed. */
static void assert_is_signed(const struct aq_exchange_request *request, const char *host,
                             int64_t time_s)
{
    struct sigv4_header headers[16] = { { AQ_STR("Host"), str_from(host) } };
    struct buf expected = BUF(0);
    uint32_t count = 1;
    for (uint32_t i = 0; i < request->header_count; i++) {
        struct aq_str name = request->headers[i].name;
        if (!str_eq(name, AQ_STR("authorization")) && !str_eq(name, AQ_STR("user-agent"))) {
            headers[count++] = (struct sigv4_header){ name, request->headers[i].value };
        }
    }
    const struct sigv4_request signed_request = { request->method, AQ_STR("/"), headers, count,
                                                  request->body };
    const struct sigv4_credentials credentials = { AQ_STR(KEY_ID), AQ_STR(SECRET) };
    const struct sigv4_scope scope = { AQ_STR("eu-central-1"), AQ_STR("q"), time_s, true };
    assert_int_equal(sigv4_authorization(&signed_request, &credentials, &scope, &expected), AQ_OK);
    assert_true(str_eq(header_of(request, "authorization"), buf_str(&expected)));
    buf_done(&expected);
}

static void the_request_is_signed_for_the_region_of_its_endpoint(void **state)
{
    struct aq_exchange *x = ask_signed();
    (void)state;
    expect(x, SECOND, AQ_EVENT_SEND);
    struct aq_exchange_request request = request_of(x);
    assert_text(request.url, "https://q.eu-central-1.amazonaws.com/");
    assert_text(header_of(&request, "x-amz-target"),
                "AmazonQDeveloperStreamingService.SendMessage");
    assert_text(header_of(&request, "x-amz-date"), "20150830T123600Z");
    assert_text(header_of(&request, "x-amz-security-token"), SESSION);
    assert_is_signed(&request, "q.eu-central-1.amazonaws.com", AUGUST);
    aq_exchange_free(x);
}

/* A signature for `region` and `host` is what comes of this endpoint. */
static void assert_signed_at(const char *endpoint, const char *region, const char *host)
{
    struct aq_stream_options request = signed_question();
    struct aq_exchange_options options = signed_options(&request);
    options.region = str_from(region);
    options.endpoint = str_from(endpoint);
    options.flags |= AQ_EXCHANGE_ENDPOINT_NAMED;
    struct aq_exchange *x = make(&options);
    expect(x, SECOND, AQ_EVENT_SEND);
    struct aq_exchange_request shown = request_of(x);
    assert_is_signed(&shown, host, AUGUST);
    aq_exchange_free(x);
}

static void a_signature_is_for_the_region_that_the_endpoint_has_in_its_name(void **state)
{
    (void)state;
    assert_signed_at("https://q.eu-central-1.amazonaws.com", "", "q.eu-central-1.amazonaws.com");
    assert_signed_at("https://q.test", "eu-central-1", "q.test");
}

static void a_port_that_everybody_expects_is_not_signed_as_it_is_not_sent(void **state)
{
    (void)state;
    assert_signed_at("https://q.test:443", "eu-central-1", "q.test");
    assert_signed_at("https://q.test:8443", "eu-central-1", "q.test:8443");
    assert_signed_at("http://127.0.0.1:80", "eu-central-1", "127.0.0.1");
    assert_signed_at("http://127.0.0.1:443", "eu-central-1", "127.0.0.1:443");
}

static void it_says_that_it_is_the_command_and_names_no_profile(void **state)
{
    struct aq_stream_options question = signed_question();
    question.profile_arn = AQ_STR(ARN);
    struct aq_exchange_options options = signed_options(&question);
    struct aq_exchange *x = make(&options);
    (void)state;
    expect(x, SECOND, AQ_EVENT_SEND);
    struct aq_exchange_request request = request_of(x);
    assert_true(str_contains(str_of_bytes(request.body), AQ_STR("\"source\":\"CLI\"")));
    assert_false(str_contains(str_of_bytes(request.body), AQ_STR("profileArn")));
    aq_exchange_free(x);
}

static void each_attempt_is_signed_at_its_own_time(void **state)
{
    struct aq_exchange *x = ask_signed();
    (void)state;
    expect(x, 7 * SECOND, AQ_EVENT_SEND);
    answer(x, 429, "x-amzn-errortype: ThrottlingException\n", "{}");
    expect(x, 8 * SECOND, AQ_EVENT_RETRY);
    expect(x, 100 * SECOND, AQ_EVENT_SEND);
    struct aq_exchange_request request = request_of(x);
    assert_text(header_of(&request, "x-amz-date"), "20150830T123733Z");
    assert_is_signed(&request, "q.eu-central-1.amazonaws.com", AUGUST + 93);
    aq_exchange_free(x);
}

#define REFUSED_AT(time) \
    "x-amzn-errortype: InvalidSignatureException\ndate: Sun, 30 Aug 2015 " time " GMT\n"

static void a_clock_that_is_wrong_is_corrected_by_that_of_the_service_once(void **state)
{
    struct aq_exchange *x = ask_signed();
    (void)state;
    expect(x, 7 * SECOND, AQ_EVENT_SEND);
    answer(x, 403, REFUSED_AT("11:06:02"), "{}");
    assert_int_equal(expect(x, 9 * SECOND, AQ_EVENT_RETRY)->delay_ms, 0);
    expect(x, 10 * SECOND, AQ_EVENT_SEND);
    struct aq_exchange_request request = request_of(x);
    assert_text(header_of(&request, "x-amz-date"), "20150830T110605Z");
    assert_is_signed(&request, "q.eu-central-1.amazonaws.com", AUGUST - 5395);
    answer(x, 403, REFUSED_AT("12:36:02"), "{}");
    expect_error(x, AQ_E_AUTH);
    aq_exchange_free(x);
}

static void a_clock_that_is_right_is_not_why_a_key_is_refused(void **state)
{
    struct aq_exchange *x = ask_signed();
    (void)state;
    expect(x, 7 * SECOND, AQ_EVENT_SEND);
    answer(x, 403, REFUSED_AT("12:39:59"), "{}");
    expect_error(x, AQ_E_AUTH);
    aq_exchange_free(x);
}

static void a_key_without_a_session_token_sends_none(void **state)
{
    struct aq_access_key plain = key;
    plain.session_token = AQ_STR("");
    struct aq_stream_options question = signed_question();
    question.access_key = &plain;
    struct aq_exchange_options options = signed_options(&question);
    struct aq_exchange *x = make(&options);
    (void)state;
    expect(x, SECOND, AQ_EVENT_SEND);
    struct aq_exchange_request request = request_of(x);
    for (uint32_t i = 0; i < request.header_count; i++) {
        assert_false(str_eq(request.headers[i].name, AQ_STR("x-amz-security-token")));
    }
    assert_is_signed(&request, "q.eu-central-1.amazonaws.com", AUGUST);
    aq_exchange_free(x);
}

static void a_key_that_is_refused_ends_it_and_no_token_is_asked_for(void **state)
{
    static const char *const codes[] = { "UnrecognizedClientException", "ExpiredTokenException",
                                         "InvalidSignatureException", "IncompleteSignature" };
    (void)state;
    for (size_t i = 0; i < COUNT(codes); i++) {
        char lines[80];
        struct aq_exchange *x = ask_signed();
        expect(x, SECOND, AQ_EVENT_SEND);
        snprintf(lines, sizeof(lines), "x-amzn-errortype: %s\n", codes[i]);
        answer(x, 403, lines, "{\"message\":\"no\"}");
        struct aq_error err = expect_error(x, AQ_E_AUTH);
        assert_non_null(strstr(err.text, "access key was rejected"));
        aq_exchange_free(x);
    }
}

static void what_the_service_repeats_of_the_key_is_left_out(void **state)
{
    static const char *const secrets[] = { SECRET, SESSION };
    (void)state;
    for (size_t i = 0; i < COUNT(secrets); i++) {
        char body[128];
        struct aq_exchange *x = ask_signed();
        struct aq_exchange_fault fault = { .struct_size = sizeof(fault) };
        expect(x, SECOND, AQ_EVENT_SEND);
        snprintf(body, sizeof(body), "{\"message\":\"not %s\"}", secrets[i]);
        answer(x, 403, "", body);
        struct aq_error err = expect_error(x, AQ_E_ACCESS);
        assert_null(strstr(err.text, "canary"));
        assert_int_equal(aq_exchange_fault(x, &fault), AQ_OK);
        assert_int_equal(fault.message.len, 0);
        aq_exchange_free(x);
    }
}

static void refused(struct aq_stream_options request, int64_t time_s, const char *text)
{
    struct aq_exchange_options options = signed_options(&request);
    struct aq_exchange *x = NULL;
    struct aq_error err = { 0 };
    options.time_s = time_s;
    assert_int_equal(aq_exchange_new(&options, &x, &err), AQ_E_INVALID);
    assert_non_null(strstr(err.text, text));
    assert_null(strstr(err.text, "canary"));
}

static void what_cannot_be_signed_is_refused_and_said(void **state)
{
    struct aq_access_key other = key;
    struct aq_stream_options request = signed_question();
    (void)state;
    request.access_token = AQ_STR(CANARY);
    refused(request, AUGUST, "an access token and an access key");
    request = signed_question();
    request.call = AQ_CALL_GENERATE_ASSISTANT_RESPONSE;
    refused(request, AUGUST, "only SendMessage");
    refused(signed_question(), INT64_MAX, "time_s");

    request = signed_question();
    request.access_key = &other;
    other.struct_size = 0;
    refused(request, AUGUST, "struct_size");
    other = key;
    other.access_key_id = AQ_STR("");
    refused(request, AUGUST, "its id is not");
    other = key;
    other.secret_access_key = AQ_STR("canary\n");
    refused(request, AUGUST, "its secret is not");
    other = key;
    other.session_token = AQ_STR("canary canary");
    refused(request, AUGUST, "its session token is not");
}

static void no_other_site_gets_a_signature_whatever_is_remembered(void **state)
{
    struct aq_stream_options request = signed_question();
    struct aq_exchange_options options = signed_options(&request);
    (void)state;
    options.site = AQ_STR("kiro");
    struct aq_exchange *x = make(&options);
    expect(x, 0, AQ_EVENT_SEND);
    assert_text(request_of(x).url, "https://q.eu-central-1.amazonaws.com/");
    answer(x, 403, "", "{\"__type\":\"AccessDeniedException\",\"message\":\"no\"}");
    expect_error(x, AQ_E_ACCESS);
    aq_exchange_free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_request_is_signed_for_the_region_of_its_endpoint),
        cmocka_unit_test(a_signature_is_for_the_region_that_the_endpoint_has_in_its_name),
        cmocka_unit_test(a_port_that_everybody_expects_is_not_signed_as_it_is_not_sent),
        cmocka_unit_test(it_says_that_it_is_the_command_and_names_no_profile),
        cmocka_unit_test(each_attempt_is_signed_at_its_own_time),
        cmocka_unit_test(a_clock_that_is_wrong_is_corrected_by_that_of_the_service_once),
        cmocka_unit_test(a_clock_that_is_right_is_not_why_a_key_is_refused),
        cmocka_unit_test(a_key_without_a_session_token_sends_none),
        cmocka_unit_test(a_key_that_is_refused_ends_it_and_no_token_is_asked_for),
        cmocka_unit_test(what_the_service_repeats_of_the_key_is_left_out),
        cmocka_unit_test(what_cannot_be_signed_is_refused_and_said),
        cmocka_unit_test(no_other_site_gets_a_signature_whatever_is_remembered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
