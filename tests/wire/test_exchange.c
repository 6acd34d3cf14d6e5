/* SPDX-License-Identifier: Apache-2.0 */
/* One request and its answer as a state machine: driven by hand, with hand-made frames. */
#include "base/alloc.h"
#include "base/json.h"
#include "base/str.h"
#include "wire/eventstream.h"

#include <amazonq/exchange.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define CANARY "canary-token-0123456789abcdef"
#define RENEWED "canary-renewed-0123456789abcdef"
#define ARN "arn:aws:codewhisperer:eu-central-1:1:profile/P"
#define SECOND UINT64_C(1000000)

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

/* --- helpers --- */

static void assert_text(struct aq_str got, const char *want)
{
    if (got.len != strlen(want) || (got.len && memcmp(got.ptr, want, got.len) != 0)) {
        fail_msg("'%.*s' is not '%s'", AQ_STR_ARG(got), want);
    }
}

static struct aq_stream_options question(void)
{
    struct aq_stream_options request = AQ_STREAM_OPTIONS_INIT;
    request.access_token = AQ_STR(CANARY);
    request.prompt = AQ_STR("hello");
    return request;
}

static struct aq_exchange_options options_of(const struct aq_stream_options *request)
{
    struct aq_exchange_options options = { .struct_size = sizeof(options), .request = request };
    for (size_t i = 0; i < sizeof(options.seed); i++) {
        options.seed[i] = (uint8_t)(i * 37 + 11);
    }
    return options;
}

static struct aq_exchange *make(const struct aq_exchange_options *options)
{
    struct aq_exchange *x = NULL;
    struct aq_error err = { 0 };
    if (aq_exchange_new(options, &x, &err) != AQ_OK) {
        fail_msg("%s", err.text);
    }
    return x;
}

static struct aq_exchange *ask(void)
{
    struct aq_stream_options request = question();
    struct aq_exchange_options options = options_of(&request);
    return make(&options);
}

static struct aq_exchange *ask_for(int32_t call)
{
    struct aq_stream_options request = question();
    request.prompt = AQ_STR("");
    request.call = call;
    struct aq_exchange_options options = options_of(&request);
    return make(&options);
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

static const struct aq_event *expect(struct aq_exchange *x, uint64_t now_us, int32_t type)
{
    const struct aq_event *event = NULL;
    struct aq_error err = { 0 };
    aq_status st = aq_exchange_next(x, now_us, &event, &err);
    if (st != AQ_OK || event->type != type) {
        fail_msg("wanted event %d, got status %d event %d %s", type, st,
                 st == AQ_OK ? event->type : 0, err.text);
    }
    assert_int_equal(event->struct_size, sizeof(*event));
    return event;
}

static void expect_status(struct aq_exchange *x, uint64_t now_us, aq_status want)
{
    const struct aq_event *event = NULL;
    struct aq_error err = { 0 };
    aq_status st = aq_exchange_next(x, now_us, &event, &err);
    if (st != want) {
        fail_msg("wanted status %d, got %d %s", want, st, err.text);
    }
    assert_null(event);
}

/* The error that ends x; the same however often one asks, and never with a token in it. */
static struct aq_error expect_error(struct aq_exchange *x, aq_status want)
{
    const struct aq_event *event = NULL;
    struct aq_error err = { 0 };
    for (int i = 0; i < 2; i++) {
        aq_status st = aq_exchange_next(x, 0, &event, &err);
        if (st != want || err.status != want) {
            fail_msg("wanted status %d, got %d %s", want, st, err.text);
        }
        assert_null(strstr(err.text, "canary"));
        assert_non_null(strstr(err.text, ": "));
    }
    assert_int_equal(aq_exchange_deadline(x), UINT64_MAX);
    return err;
}

/* Headers as one line of "name: value" pairs, ended by newlines. */
static void respond(struct aq_exchange *x, int32_t status, const char *lines)
{
    struct aq_exchange_header headers[8];
    uint32_t count = 0;
    struct aq_str rest = str_from(lines);
    while (rest.len) {
        struct aq_str line = str_cut(&rest, '\n');
        headers[count].name = str_cut(&line, ':');
        headers[count++].value = str_from_offset(line, 1);
    }
    assert_int_equal(aq_exchange_response(x, status, headers, count, sizeof(headers[0]), NULL),
                     AQ_OK);
}

static void feed(struct aq_exchange *x, struct aq_str data)
{
    assert_int_equal(aq_exchange_feed(x, (const uint8_t *)data.ptr, data.len, NULL), AQ_OK);
}

/* One whole answer that is no stream. */
static void answer(struct aq_exchange *x, int32_t status, const char *lines, const char *body)
{
    respond(x, status, lines);
    feed(x, str_from(body));
    assert_int_equal(aq_exchange_finish(x, NULL), AQ_OK);
}

static struct eventstream_header text_header(const char *name, const char *value)
{
    return (struct eventstream_header){ .name = str_from(name),
                                        .type = EVENTSTREAM_STRING,
                                        .bytes = str_bytes(str_from(value)) };
}

/* Append a frame with :message-type and one more header. */
static void add_frame(struct buf *out, const char *message_type, const char *name,
                      const char *value, const char *payload)
{
    const struct eventstream_header headers[] = {
        text_header(":message-type", message_type),
        text_header(name, value),
    };
    assert_int_equal(
        eventstream_encode(headers, COUNT(headers), str_bytes(str_from(payload)), out, NULL),
        AQ_OK);
}

static void add_event(struct buf *out, const char *type, const char *payload)
{
    add_frame(out, "event", ":event-type", type, payload);
}

static struct aq_exchange_request request_of(struct aq_exchange *x)
{
    struct aq_exchange_request request = { .struct_size = sizeof(request) };
    assert_int_equal(aq_exchange_request(x, &request, NULL), AQ_OK);
    return request;
}

static struct aq_str header_of(const struct aq_exchange_request *request, const char *name)
{
    struct aq_str found = { NULL, 0 };
    for (uint32_t i = 0; i < request->header_count; i++) {
        if (str_eq(request->headers[i].name, str_from(name))) {
            assert_null(found.ptr); /* once only */
            found = request->headers[i].value;
        }
    }
    return found;
}

#define EVENT_STREAM "content-type: application/vnd.amazon.eventstream\n"

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

/* --- the stream --- */

/* What an answer amounted to: one line per event. */
static void collect(struct aq_exchange *x, struct buf *log)
{
    const struct aq_event *event;
    struct aq_error err = { 0 };
    aq_status st;
    while ((st = aq_exchange_next(x, 0, &event, &err)) == AQ_OK) {
        buf_printf(log, "%d %d '%.*s' '%.*s' '%.*s' '%.*s'\n", event->type, event->kind,
                   AQ_STR_ARG(event->name), AQ_STR_ARG(str_of_bytes(event->payload)),
                   AQ_STR_ARG(event->text), AQ_STR_ARG(event->request_id));
    }
    if (st == AQ_END) {
        buf_add(log, AQ_STR("end\n"));
    } else if (st < 0) {
        buf_printf(log, "error %d %s\n", st, err.text);
    }
}

/* Feed body in two pieces (or whole) and log what comes out. */
static void stream(struct aq_str body, size_t split, struct buf *log)
{
    struct aq_exchange *x = ask();
    expect(x, 0, AQ_EVENT_SEND);
    respond(x, 200, EVENT_STREAM "X-Amzn-RequestId: r-1\n");
    feed(x, (struct aq_str){ body.ptr, split });
    collect(x, log);
    feed(x, str_from_offset(body, split));
    collect(x, log);
    assert_int_equal(aq_exchange_finish(x, NULL), AQ_OK);
    collect(x, log);
    aq_exchange_free(x);
}

static void add_answer(struct buf *body)
{
    add_event(body, "messageMetadataEvent", "{\"conversationId\":\"c\"}");
    add_event(body, "assistantResponseEvent", "{\"content\":\"Hel\"}");
    add_event(body, "assistantResponseEvent", "{\"content\":\"lo\\n\"}");
    add_event(body, "somethingNewEvent", "\x01\x02");
    add_event(body, "toolUseEvent", "{\"toolUseId\":\"t\",\"name\":\"n\",\"input\":\"{}\"}");
    add_event(body, "assistantResponseEvent", "");
}

static const char answer_log[] =
    "5 0 '' '' '' 'r-1'\n"
    "6 6 'messageMetadataEvent' '{\"conversationId\":\"c\"}' '' ''\n"
    "6 1 'assistantResponseEvent' '{\"content\":\"Hel\"}' 'Hel' ''\n"
    "6 1 'assistantResponseEvent' '{\"content\":\"lo\\n\"}' 'lo\n' ''\n"
    "6 0 'somethingNewEvent' '\x01\x02' '' ''\n"
    "6 2 'toolUseEvent' '{\"toolUseId\":\"t\",\"name\":\"n\",\"input\":\"{}\"}' '{}' ''\n"
    "6 1 'assistantResponseEvent' '' '' ''\n"
    "end\n";

static void an_answer_split_at_every_byte_gives_the_same_events(void **state)
{
    (void)state;
    AUTO(buf) struct buf body = BUF(0);
    add_answer(&body);
    for (size_t split = 0; split <= body.len; split++) {
        AUTO(buf) struct buf log = BUF(0);
        stream(buf_str(&body), split, &log);
        assert_text(buf_str(&log), answer_log);
    }
}

static void an_answer_in_single_bytes_gives_the_same_events(void **state)
{
    (void)state;
    AUTO(buf) struct buf body = BUF(0);
    AUTO(buf) struct buf log = BUF(0);
    add_answer(&body);
    struct aq_exchange *x = ask();
    expect(x, 0, AQ_EVENT_SEND);
    respond(x, 200, EVENT_STREAM "x-amz-request-id: r-1\n");
    for (size_t i = 0; i < body.len; i++) {
        feed(x, (struct aq_str){ (const char *)body.ptr + i, 1 });
        collect(x, &log);
    }
    assert_int_equal(aq_exchange_finish(x, NULL), AQ_OK);
    collect(x, &log);
    assert_text(buf_str(&log), answer_log);
    aq_exchange_free(x);
}

static void a_cut_inside_a_frame_is_never_an_end(void **state)
{
    (void)state;
    AUTO(buf) struct buf body = BUF(0);
    add_event(&body, "assistantResponseEvent", "{\"content\":\"x\"}");
    for (size_t len = 1; len < body.len; len++) {
        struct aq_exchange *x = ask();
        expect(x, 0, AQ_EVENT_SEND);
        respond(x, 200, EVENT_STREAM);
        feed(x, (struct aq_str){ (const char *)body.ptr, len });
        expect(x, 0, AQ_EVENT_RESPONSE);
        expect_status(x, 0, AQ_AGAIN);
        assert_int_equal(aq_exchange_finish(x, NULL), AQ_OK);
        expect_error(x, AQ_E_TRUNCATED);
        aq_exchange_free(x);
    }
}

static void a_flipped_bit_is_a_protocol_error(void **state)
{
    (void)state;
    AUTO(buf) struct buf body = BUF(0);
    add_event(&body, "assistantResponseEvent", "{\"content\":\"x\"}");
    body.ptr[body.len - 6] ^= 1;
    struct aq_exchange *x = ask();
    expect(x, 0, AQ_EVENT_SEND);
    respond(x, 200, "");
    feed(x, buf_str(&body));
    expect(x, 0, AQ_EVENT_RESPONSE);
    expect_error(x, AQ_E_PROTOCOL);
    aq_exchange_free(x);
}

static void a_text_event_that_is_not_json_is_a_protocol_error(void **state)
{
    (void)state;
    AUTO(buf) struct buf body = BUF(0);
    add_event(&body, "assistantResponseEvent", "oops");
    struct aq_exchange *x = ask();
    expect(x, 0, AQ_EVENT_SEND);
    respond(x, 200, EVENT_STREAM);
    feed(x, buf_str(&body));
    expect(x, 0, AQ_EVENT_RESPONSE);
    expect_error(x, AQ_E_PROTOCOL);
    aq_exchange_free(x);
}

static void an_empty_stream_ends_well(void **state)
{
    (void)state;
    struct aq_exchange *x = ask();
    expect(x, 0, AQ_EVENT_SEND);
    respond(x, 200, EVENT_STREAM);
    assert_int_equal(aq_exchange_finish(x, NULL), AQ_OK);
    const struct aq_event *event = expect(x, 0, AQ_EVENT_RESPONSE);
    assert_int_equal(event->http, 200);
    assert_int_equal(event->request_id.len, 0);
    expect_status(x, 0, AQ_END);
    expect_status(x, 0, AQ_END);
    aq_exchange_free(x);
}

/* Exceptions inside a stream: :message-type, name and value of its header, payload. */
static const struct {
    const char *message_type;
    const char *name;
    const char *value;
    const char *payload;
    aq_status want;
} exceptions[] = {
    { "exception", ":exception-type", "error", "{\"message\":\"boom\"}", AQ_E_SERVICE },
    { "exception", ":exception-type", "error",
      "{\"__type\":\"ns#ThrottlingException\",\"message\":\"boom\"}", AQ_E_THROTTLED },
    { "exception", ":exception-type", "throttlingException", "{\"message\":\"boom\"}",
      AQ_E_THROTTLED },
    { "exception", ":exception-type", "internalServerException", "boom", AQ_E_SERVICE },
    { "exception", ":exception-type", "ValidationError", "{\"message\":\"Input is too long.\"}",
      AQ_E_TOO_LONG },
    { "exception", ":exception-type", "AccessDeniedException",
      "{\"message\":\"The bearer token " CANARY " is invalid\"}", AQ_E_AUTH },
    { "error", ":error-code", "ServiceUnavailableException", "", AQ_E_SERVICE },
    { "error", ":error-code", "ServiceQuotaExceededException", "", AQ_E_QUOTA },
    { "error", ":error-message", "INSUFFICIENT_MODEL_CAPACITY", "", AQ_E_OVERLOADED },
};

static void an_exception_in_the_stream_ends_it_with_its_class(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(exceptions); i++) {
        AUTO(buf) struct buf body = BUF(0);
        add_event(&body, "assistantResponseEvent", "{\"content\":\"x\"}");
        add_frame(&body, exceptions[i].message_type, exceptions[i].name, exceptions[i].value,
                  exceptions[i].payload);
        add_event(&body, "assistantResponseEvent", "{\"content\":\"never seen\"}");
        struct aq_exchange *x = ask();
        expect(x, 0, AQ_EVENT_SEND);
        respond(x, 200, EVENT_STREAM "x-amzn-requestid: r-9\n");
        feed(x, buf_str(&body));
        expect(x, 0, AQ_EVENT_RESPONSE);
        expect(x, 0, AQ_EVENT_MESSAGE);
        struct aq_error err = expect_error(x, exceptions[i].want);
        assert_non_null(strstr(err.text, "request id r-9"));
        assert_int_equal(err.http, 0);
        aq_exchange_free(x);
    }
}

static void a_connection_lost_in_the_stream_is_reported_after_the_events_before_it(void **state)
{
    (void)state;
    AUTO(buf) struct buf body = BUF(0);
    add_event(&body, "assistantResponseEvent", "{\"content\":\"x\"}");
    const struct aq_error why = { .status = AQ_E_TIMEOUT,
                                  .flags = AQ_ERROR_NOT_SENT, /* does not matter any more */
                                  .text = "connection: stalled, try again" };
    struct aq_exchange *x = ask();
    expect(x, 0, AQ_EVENT_SEND);
    respond(x, 200, EVENT_STREAM);
    feed(x, buf_str(&body));
    assert_int_equal(aq_exchange_fail(x, &why, NULL), AQ_OK);
    expect(x, 0, AQ_EVENT_RESPONSE);
    expect(x, 0, AQ_EVENT_MESSAGE);
    struct aq_error err = expect_error(x, AQ_E_TIMEOUT);
    assert_string_equal(err.text, why.text);
    aq_exchange_free(x);
}

static void another_media_type_is_named_instead_of_decoded(void **state)
{
    (void)state;
    const char *const heads[] = {
        "content-type: application/json\n",
        "Content-Type: Application/JSON; charset=utf-8\n",
        "content-type: application/x-amz-json-1.0\n",
        "content-type: text/html\n",
        EVENT_STREAM "content-encoding: gzip\n",
    };
    for (size_t i = 0; i < COUNT(heads); i++) {
        struct aq_exchange *x = ask();
        expect(x, 0, AQ_EVENT_SEND);
        answer(x, 200, heads[i], "{\"a\":1}"); /* handing it over does no harm */
        struct aq_error err = expect_error(x, AQ_E_PROTOCOL);
        assert_int_equal(err.http, 200);
        aq_exchange_free(x);
    }
}

/* --- operations that do not stream --- */

static void a_reply_is_collected_and_handed_out_whole(void **state)
{
    (void)state;
    static const char body[] = "{\"models\":[{\"modelId\":\"m\"}]}";
    struct aq_exchange *x = ask_for(AQ_CALL_LIST_AVAILABLE_MODELS);
    expect(x, 0, AQ_EVENT_SEND);
    respond(x, 200, "content-type: application/x-amz-json-1.0\nx-amzn-requestid: r-1\n");
    for (size_t i = 0; i < sizeof(body) - 1; i++) {
        feed(x, (struct aq_str){ body + i, 1 });
    }
    const struct aq_event *event = expect(x, 0, AQ_EVENT_RESPONSE);
    assert_text(event->request_id, "r-1");
    expect_status(x, 0, AQ_AGAIN);
    assert_int_equal(aq_exchange_finish(x, NULL), AQ_OK);
    event = expect(x, 0, AQ_EVENT_REPLY);
    assert_text(str_of_bytes(event->payload), body);
    expect_status(x, 0, AQ_END);
    aq_exchange_free(x);
}

static void a_reply_that_is_not_a_json_object_is_a_protocol_error(void **state)
{
    (void)state;
    const char *const bodies[] = { "", "[]", "null", "{", "{}x", "<html>" };
    for (size_t i = 0; i < COUNT(bodies); i++) {
        struct aq_exchange *x = ask_for(AQ_CALL_GET_USAGE_LIMITS);
        expect(x, 0, AQ_EVENT_SEND);
        answer(x, 200, "", bodies[i]);
        expect(x, 0, AQ_EVENT_RESPONSE);
        expect_error(x, AQ_E_PROTOCOL);
        aq_exchange_free(x);
    }
}

static void a_reply_of_more_than_16_mib_is_refused(void **state)
{
    (void)state;
    enum { PIECE = 1024 * 1024 };
    char *piece = calloc(1, PIECE);
    assert_non_null(piece);
    struct aq_exchange *x = ask_for(AQ_CALL_GET_PROFILE);
    expect(x, 0, AQ_EVENT_SEND);
    respond(x, 200, "");
    expect(x, 0, AQ_EVENT_RESPONSE);
    for (int i = 0; i < 16; i++) {
        feed(x, (struct aq_str){ piece, PIECE });
    }
    expect_status(x, 0, AQ_AGAIN);
    feed(x, (struct aq_str){ piece, 1 });
    expect_error(x, AQ_E_LIMIT);
    aq_exchange_free(x);
    free(piece);
}

static void a_reply_cut_off_is_the_networks_error(void **state)
{
    (void)state;
    const struct aq_error why = { .status = AQ_E_TRUNCATED, .text = "connection: cut, try again" };
    struct aq_exchange *x = ask_for(AQ_CALL_GET_PROFILE);
    expect(x, 0, AQ_EVENT_SEND);
    respond(x, 200, "");
    feed(x, AQ_STR("{}"));
    assert_int_equal(aq_exchange_fail(x, &why, NULL), AQ_OK);
    expect(x, 0, AQ_EVENT_RESPONSE);
    expect_error(x, AQ_E_TRUNCATED);
    aq_exchange_free(x);
}

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

static void throttle(struct aq_exchange *x)
{
    expect(x, 0, AQ_EVENT_SEND);
    answer(x, 429, "x-amzn-errortype: ThrottlingException\n", "{\"message\":\"Rate exceeded\"}");
}

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
        cmocka_unit_test(ids_are_uuids_made_from_the_seed),
        cmocka_unit_test(the_options_decide_headers_endpoint_and_profile),
        cmocka_unit_test(a_profile_in_a_region_without_endpoint_uses_the_default),
        cmocka_unit_test(the_token_goes_to_a_named_endpoint_only_if_the_user_named_it),
        cmocka_unit_test(a_token_that_no_header_can_carry_is_refused_and_not_repeated),
        cmocka_unit_test(what_cannot_be_a_request_is_refused),
        cmocka_unit_test(a_caller_with_an_older_request_struct_gets_what_fits),
        cmocka_unit_test(an_answer_split_at_every_byte_gives_the_same_events),
        cmocka_unit_test(an_answer_in_single_bytes_gives_the_same_events),
        cmocka_unit_test(a_cut_inside_a_frame_is_never_an_end),
        cmocka_unit_test(a_flipped_bit_is_a_protocol_error),
        cmocka_unit_test(a_text_event_that_is_not_json_is_a_protocol_error),
        cmocka_unit_test(an_empty_stream_ends_well),
        cmocka_unit_test(an_exception_in_the_stream_ends_it_with_its_class),
        cmocka_unit_test(a_connection_lost_in_the_stream_is_reported_after_the_events_before_it),
        cmocka_unit_test(another_media_type_is_named_instead_of_decoded),
        cmocka_unit_test(a_reply_is_collected_and_handed_out_whole),
        cmocka_unit_test(a_reply_that_is_not_a_json_object_is_a_protocol_error),
        cmocka_unit_test(a_reply_of_more_than_16_mib_is_refused),
        cmocka_unit_test(a_reply_cut_off_is_the_networks_error),
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
        cmocka_unit_test(what_cannot_pass_is_not_repeated),
        cmocka_unit_test(a_request_that_was_not_sent_is_repeated_and_any_other_is_not),
        cmocka_unit_test(a_failure_without_a_reason_is_a_failure),
        cmocka_unit_test(calls_out_of_order_are_refused_and_change_nothing),
        cmocka_unit_test(bytes_are_lent_until_the_events_in_them_are_read),
        cmocka_unit_test(an_exchange_can_be_freed_in_every_phase),
        cmocka_unit_test(running_out_of_memory_anywhere_is_an_ordinary_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
