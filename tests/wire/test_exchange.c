/* SPDX-License-Identifier: Apache-2.0 */
/* One request as a state machine: what is sent, and which call fits when. */
#include "base/alloc.h"
#include "base/json.h"
#include "base/str.h"
#include "wire/exchange_support.h"

/* --- memory that can run out: these take the place of base/alloc.c --- */

static long allocations_left = -1; /* negative: no end */

void *alloc_array(size_t count, size_t size)
{
    if (allocations_left == 0) {
        return NULL;
    }
    allocations_left -= allocations_left > 0;
    return calloc(count ? count : 1, size ? size : 1);
}

void alloc_wipe(void *ptr, size_t len)
{
    if (ptr && len) {
        explicit_bzero(ptr, len);
    }
}

void alloc_free(void *ptr, size_t len)
{
    alloc_wipe(ptr, len);
    free(ptr);
}

static void assert_refused(const struct aq_exchange_options *options, const char *object)
{
    struct aq_exchange *x = NULL;
    struct aq_error err = { 0 };
    assert_int_equal(aq_exchange_new(options, &x, &err), AQ_E_INVALID);
    assert_null(x);
    assert_non_null(strstr(err.text, object));
    assert_null(strstr(err.text, "canary"));
}

/* --- the request --- */

static void the_request_is_what_the_service_expects(void **state)
{
    (void)state;
    struct aq_exchange *x = ask();
    expect(x, 0, AQ_EVENT_SEND);
    struct aq_exchange_request r = request_of(x);
    assert_text(r.method, "POST");
    assert_text(r.url, "https://q.us-east-1.amazonaws.com/");
    assert_int_equal(r.header_stride, sizeof(struct aq_exchange_header));
    assert_int_equal(r.header_count, 8);
    assert_text(header_of(&r, "content-type"), "application/x-amz-json-1.0");
    assert_text(header_of(&r, "x-amz-target"),
                "AmazonCodeWhispererStreamingService.GenerateAssistantResponse");
    assert_text(header_of(&r, "authorization"), "Bearer " CANARY);
    assert_text(header_of(&r, "x-amzn-codewhisperer-optout"), "false");
    assert_text(header_of(&r, "amz-sdk-request"), "attempt=1; max=3");
    assert_true(str_starts(header_of(&r, "user-agent"), AQ_STR("libamazonq/")));
    assert_true(str_eq(header_of(&r, "user-agent"), header_of(&r, "x-amz-user-agent")));
    assert_true(str_contains(str_of_bytes(r.body), AQ_STR("\"content\":\"hello\"")));
    assert_true(json_valid(str_of_bytes(r.body)));
    aq_exchange_free(x);
}

static void the_service_is_told_of_the_tokens_it_wants_to_know(void **state)
{
    (void)state;
    static const struct {
        const char *kind, *type;
    } cases[] = {
        { "api-key", "API_KEY" }, { "external-idp", "EXTERNAL_IDP" }, { "oidc", NULL },
        { "social", NULL },       { "something newer", NULL },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct aq_stream_options request = AQ_STREAM_OPTIONS_INIT;
        struct aq_exchange_options options = { .struct_size = sizeof(options),
                                               .request = &request };
        struct aq_exchange *x;
        request.access_token = AQ_STR("token");
        request.prompt = AQ_STR("hello");
        request.token_kind = str_from(cases[i].kind);
        assert_int_equal(aq_exchange_new(&options, &x, NULL), AQ_OK);
        expect(x, 0, AQ_EVENT_SEND);
        struct aq_exchange_request r = request_of(x);
        assert_int_equal(r.header_count, cases[i].type ? 9 : 8);
        assert_text(header_of(&r, "tokentype"), cases[i].type ? cases[i].type : "");
        aq_exchange_free(x);
    }
}

static bool is_uuid_v4(struct aq_str s)
{
    bool good = s.len == 36 && s.ptr[14] == '4' && strchr("89ab", s.ptr[19]);
    for (size_t i = 0; i < s.len && good; i++) {
        good = i == 8 || i == 13 || i == 18 || i == 23
                   ? s.ptr[i] == '-'
                   : strchr("0123456789abcdef", s.ptr[i]) != NULL;
    }
    return good;
}

static void ids_are_uuids_made_from_the_seed(void **state)
{
    (void)state;
    struct aq_stream_options request = question();
    struct aq_exchange_options options = options_of(&request);
    struct aq_exchange *x[3];
    struct aq_str id[3];
    for (size_t i = 0; i < 3; i++) {
        options.seed[0] = i == 2; /* the first two are equal */
        x[i] = make(&options);
        expect(x[i], 0, AQ_EVENT_SEND);
        struct aq_exchange_request r = request_of(x[i]);
        id[i] = header_of(&r, "amz-sdk-invocation-id");
        assert_true(is_uuid_v4(id[i]));
        struct json_member m;
        assert_true(json_find(str_of_bytes(r.body), AQ_STR("conversationState"), &m));
        assert_true(json_find(m.value, AQ_STR("conversationId"), &m));
        assert_true(is_uuid_v4(json_string_plain(&m)));
        assert_false(str_eq(json_string_plain(&m), id[i]));
    }
    assert_true(str_eq(id[0], id[1]));
    assert_false(str_eq(id[0], id[2]));
    for (size_t i = 0; i < 3; i++) {
        aq_exchange_free(x[i]);
    }
}

static void the_options_decide_headers_endpoint_and_profile(void **state)
{
    (void)state;
    struct aq_stream_options request = question();
    request.profile_arn = AQ_STR(ARN);
    request.conversation_id = AQ_STR("my-conversation");
    struct aq_exchange_options options = options_of(&request);
    options.endpoint = AQ_STR("");
    options.flags = AQ_EXCHANGE_OPT_OUT;
    options.user_agent = AQ_STR("q/0.1 (test)");
    options.max_attempts = 5;
    struct aq_exchange *x = make(&options);
    expect(x, 0, AQ_EVENT_SEND);
    struct aq_exchange_request r = request_of(x);
    assert_text(r.url, "https://q.eu-central-1.amazonaws.com/");
    assert_text(header_of(&r, "x-amzn-codewhisperer-optout"), "true");
    assert_text(header_of(&r, "amz-sdk-request"), "attempt=1; max=5");
    assert_text(header_of(&r, "user-agent"), "q/0.1 (test)");
    assert_true(str_contains(str_of_bytes(r.body), AQ_STR("\"profileArn\":\"" ARN "\"")));
    assert_true(str_contains(str_of_bytes(r.body), AQ_STR("\"my-conversation\"")));
    aq_exchange_free(x);

    options.flags = AQ_EXCHANGE_NO_PROFILE;
    x = make(&options);
    expect(x, 0, AQ_EVENT_SEND);
    r = request_of(x);
    assert_false(str_contains(str_of_bytes(r.body), AQ_STR("profileArn")));
    aq_exchange_free(x);
}

static void a_profile_in_a_region_without_endpoint_uses_the_default(void **state)
{
    (void)state;
    struct aq_stream_options request = question();
    request.profile_arn = AQ_STR("arn:aws:codewhisperer:ap-south-1:1:profile/P");
    struct aq_exchange_options options = options_of(&request);
    options.endpoint = AQ_STR("");
    struct aq_exchange *x = make(&options);
    expect(x, 0, AQ_EVENT_SEND);
    assert_text(request_of(x).url, "https://q.us-east-1.amazonaws.com/");
    aq_exchange_free(x);
}

static void the_token_goes_to_a_named_endpoint_only_if_the_user_named_it(void **state)
{
    (void)state;
    struct aq_stream_options request = question();
    request.call = AQ_CALL_LIST_AVAILABLE_MODELS;
    request.prompt = AQ_STR("");
    struct aq_exchange_options options = options_of(&request);
    options.endpoint = AQ_STR("http://127.0.0.1:8080/base/");
    assert_refused(&options, "endpoint");
    options.flags = AQ_EXCHANGE_ENDPOINT_NAMED;
    struct aq_exchange *x = make(&options);
    expect(x, 0, AQ_EVENT_SEND);
    assert_text(request_of(x).url, "http://127.0.0.1:8080/base/?origin=CLI");
    aq_exchange_free(x);
    options.endpoint = AQ_STR("http://evil.example");
    assert_refused(&options, "endpoint");
}

static void a_token_that_no_header_can_carry_is_refused_and_not_repeated(void **state)
{
    (void)state;
    static char longest[16385];
    memset(longest, 'a', sizeof(longest));
    const struct aq_str tokens[] = {
        AQ_STR(""),         AQ_STR("canary\r\nx: y"), AQ_STR("canary\n"),       AQ_STR("canary x"),
        AQ_STR("canary\0"), AQ_STR("canary\x7f"),     AQ_STR("canary\xc3\xa9"), { longest, 16385 },
    };
    struct aq_stream_options request = question();
    struct aq_exchange_options options = options_of(&request);
    for (size_t i = 0; i < COUNT(tokens); i++) {
        request.access_token = tokens[i];
        assert_refused(&options, "access token");
    }
    request.access_token.len = 16384;
    aq_exchange_free(make(&options));
}

static void what_cannot_be_a_request_is_refused(void **state)
{
    (void)state;
    struct aq_stream_options request = question();
    struct aq_exchange_options options = options_of(&request);
    options.user_agent = AQ_STR("evil\r\nx: y");
    assert_refused(&options, "user agent");

    options = options_of(&request);
    options.struct_size = 0;
    assert_refused(&options, "struct_size");
    options = options_of(NULL);
    assert_refused(&options, "options");
    assert_refused(NULL, "options");

    options = options_of(&request);
    request.call = 99;
    assert_refused(&options, "request");
    request = question();
    request.prompt = AQ_STR("");
    assert_refused(&options, "request");
    request.body = str_bytes(AQ_STR("[1]"));
    assert_refused(&options, "request");
    request = question();
    request.struct_size = 4;
    assert_refused(&options, "options");
}

static void a_caller_with_an_older_request_struct_gets_what_fits(void **state)
{
    (void)state;
    struct aq_exchange *x = ask();
    struct aq_exchange_request r;
    memset(&r, 0x5a, sizeof(r));
    r.struct_size = offsetof(struct aq_exchange_request, headers);
    expect(x, 0, AQ_EVENT_SEND);
    assert_int_equal(aq_exchange_request(x, &r, NULL), AQ_OK);
    assert_int_equal(r.struct_size, offsetof(struct aq_exchange_request, headers));
    assert_text(r.method, "POST");
    assert_int_equal(((const uint8_t *)&r.body)[0], 0x5a);
    aq_exchange_free(x);
}

/* --- the order of calls --- */

static void assert_only_next_is_allowed(struct aq_exchange *x)
{
    const struct aq_error why = { .status = AQ_E_NETWORK, .text = "x: y" };
    struct aq_exchange_request r = { .struct_size = sizeof(r) };
    assert_int_equal(aq_exchange_request(x, &r, NULL), AQ_E_STATE);
    assert_int_equal(aq_exchange_response(x, 200, NULL, 0, 0, NULL), AQ_E_STATE);
    assert_int_equal(aq_exchange_feed(x, (const uint8_t *)"x", 1, NULL), AQ_E_STATE);
    assert_int_equal(aq_exchange_finish(x, NULL), AQ_E_STATE);
    assert_int_equal(aq_exchange_fail(x, &why, NULL), AQ_E_STATE);
}

static void calls_out_of_order_are_refused_and_change_nothing(void **state)
{
    (void)state;
    struct aq_exchange *x = ask();
    assert_int_equal(aq_exchange_deadline(x), 0); /* there is something to report */
    assert_only_next_is_allowed(x);
    throttle(x);
    assert_only_next_is_allowed(x);
    expect(x, 0, AQ_EVENT_RETRY);
    assert_only_next_is_allowed(x);
    expect(x, 60 * SECOND, AQ_EVENT_SEND);
    answer(x, 401, "", "");
    assert_only_next_is_allowed(x);
    expect(x, 0, AQ_EVENT_NEED_TOKEN);
    assert_only_next_is_allowed(x);
    assert_int_equal(aq_exchange_give_token(x, AQ_STR(RENEWED), NULL), AQ_OK);
    expect(x, 0, AQ_EVENT_SEND);
    respond(x, 200, EVENT_STREAM);
    assert_int_equal(aq_exchange_response(x, 200, NULL, 0, 0, NULL), AQ_E_STATE);
    assert_int_equal(aq_exchange_finish(x, NULL), AQ_OK);
    expect(x, 0, AQ_EVENT_RESPONSE);
    expect_status(x, 0, AQ_END);
    assert_only_next_is_allowed(x);
    aq_exchange_free(x);

    x = ask();
    expect(x, 0, AQ_EVENT_SEND);
    answer(x, 400, "", "");
    expect_error(x, AQ_E_VALIDATION);
    assert_only_next_is_allowed(x);
    aq_exchange_free(x);
}

static void bytes_are_lent_until_the_events_in_them_are_read(void **state)
{
    (void)state;
    AUTO(buf) struct buf body = BUF(0);
    add_event(&body, "assistantResponseEvent", "{\"content\":\"x\"}");
    struct aq_exchange *x = ask();
    expect(x, 0, AQ_EVENT_SEND);
    respond(x, 200, EVENT_STREAM);
    feed(x, buf_str(&body));
    assert_int_equal(aq_exchange_feed(x, body.ptr, body.len, NULL), AQ_E_STATE);
    expect(x, 0, AQ_EVENT_RESPONSE);
    const struct aq_event *event = expect(x, 0, AQ_EVENT_MESSAGE);
    assert_true(event->text.ptr > (const char *)body.ptr); /* a view of what was fed */
    assert_true(event->text.ptr < (const char *)body.ptr + body.len);
    expect_status(x, 0, AQ_AGAIN);
    feed(x, buf_str(&body));
    aq_exchange_free(x);
}

static void an_exchange_can_be_freed_in_every_phase(void **state)
{
    (void)state;
    for (int phase = 0; phase < 6; phase++) {
        struct aq_exchange *x = ask();
        if (phase >= 1) {
            expect(x, 0, AQ_EVENT_SEND);
        }
        if (phase == 2) {
            respond(x, 500, "");
            feed(x, AQ_STR("{"));
        } else if (phase == 3) {
            respond(x, 200, EVENT_STREAM);
            feed(x, AQ_STR("\0\0\0"));
        } else if (phase == 4) {
            answer(x, 401, "", "");
            expect(x, 0, AQ_EVENT_NEED_TOKEN);
        } else if (phase == 5) {
            answer(x, 500, "", "");
            expect(x, 0, AQ_EVENT_RETRY);
        }
        aq_exchange_free(x);
    }
    aq_exchange_free(NULL);
}

/* A failure, a rejected token, then a stream in two pieces; to its end or first error. */
static aq_status drive(struct aq_exchange *x, struct aq_str body)
{
    int sent = 0;
    size_t half = body.len / 2;
    uint64_t now_us = 0;
    const struct aq_event *event;
    for (;;) {
        aq_status st = aq_exchange_next(x, now_us, &event, NULL);
        if (st == AQ_AGAIN && aq_exchange_deadline(x) != UINT64_MAX) {
            now_us = aq_exchange_deadline(x);
        } else if (st == AQ_AGAIN && body.len) {
            feed(x, (struct aq_str){ body.ptr, half });
            body = str_from_offset(body, half);
            half = body.len;
        } else if (st == AQ_AGAIN) {
            assert_int_equal(aq_exchange_finish(x, NULL), AQ_OK);
        } else if (st != AQ_OK) {
            return st;
        } else if (event->type == AQ_EVENT_SEND && ++sent == 1) {
            answer(x, 503, "x-amzn-requestid: r-1\n", "{}");
        } else if (event->type == AQ_EVENT_SEND && sent == 2) {
            answer(x, 403, "x-amzn-errortype: AccessDeniedException\n",
                   "{\"message\":\"bearer token is \\u0069nvalid\"}");
        } else if (event->type == AQ_EVENT_SEND) {
            respond(x, 200, EVENT_STREAM "x-amzn-requestid: r-3\n");
        } else if (event->type == AQ_EVENT_NEED_TOKEN) {
            st = aq_exchange_give_token(x, AQ_STR(RENEWED), NULL);
            if (st != AQ_OK) {
                return st;
            }
        }
    }
}

static void running_out_of_memory_anywhere_is_an_ordinary_error(void **state)
{
    (void)state;
    AUTO(buf) struct buf body = BUF(0);
    add_answer(&body);
    struct aq_stream_options request = question();
    struct aq_exchange_options options = options_of(&request);
    aq_status st = AQ_E_NOMEM;
    long tried = 0;
    for (; st != AQ_END; tried++) {
        struct aq_exchange *x = NULL;
        allocations_left = tried;
        st = aq_exchange_new(&options, &x, NULL);
        if (st == AQ_OK) {
            st = drive(x, buf_str(&body));
        }
        if (st != AQ_END && st != AQ_E_NOMEM) {
            allocations_left = -1;
            fail_msg("allocation %ld failed: status %d", tried + 1, st);
        }
        aq_exchange_free(x);
    }
    allocations_left = -1;
    assert_in_range(tried, 8, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_request_is_what_the_service_expects),
        cmocka_unit_test(the_service_is_told_of_the_tokens_it_wants_to_know),
        cmocka_unit_test(ids_are_uuids_made_from_the_seed),
        cmocka_unit_test(the_options_decide_headers_endpoint_and_profile),
        cmocka_unit_test(a_profile_in_a_region_without_endpoint_uses_the_default),
        cmocka_unit_test(the_token_goes_to_a_named_endpoint_only_if_the_user_named_it),
        cmocka_unit_test(a_token_that_no_header_can_carry_is_refused_and_not_repeated),
        cmocka_unit_test(what_cannot_be_a_request_is_refused),
        cmocka_unit_test(a_caller_with_an_older_request_struct_gets_what_fits),
        cmocka_unit_test(calls_out_of_order_are_refused_and_change_nothing),
        cmocka_unit_test(bytes_are_lent_until_the_events_in_them_are_read),
        cmocka_unit_test(an_exchange_can_be_freed_in_every_phase),
        cmocka_unit_test(running_out_of_memory_anywhere_is_an_ordinary_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
