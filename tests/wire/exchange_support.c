/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/exchange_support.h"

#include "base/str.h"
#include "wire/eventstream.h"

void assert_text(struct aq_str got, const char *want)
{
    if (got.len != strlen(want) || (got.len && memcmp(got.ptr, want, got.len) != 0)) {
        fail_msg("'%.*s' is not '%s'", AQ_STR_ARG(got), want);
    }
}

struct aq_stream_options question(void)
{
    struct aq_stream_options request = AQ_STREAM_OPTIONS_INIT;
    request.access_token = AQ_STR(CANARY);
    request.prompt = AQ_STR("hello");
    return request;
}

struct aq_exchange_options options_of(const struct aq_stream_options *request)
{
    struct aq_exchange_options options = {
        .struct_size = sizeof(options),
        .request = request,
        .endpoint = AQ_STR_INIT("https://q.us-east-1.amazonaws.com"), /* and no other */
    };
    for (size_t i = 0; i < sizeof(options.seed); i++) {
        options.seed[i] = (uint8_t)(i * 37 + 11);
    }
    return options;
}

struct aq_exchange *make(const struct aq_exchange_options *options)
{
    struct aq_exchange *x = NULL;
    struct aq_error err = { 0 };
    if (aq_exchange_new(options, &x, &err) != AQ_OK) {
        fail_msg("%s", err.text);
    }
    return x;
}

struct aq_exchange *ask(void)
{
    struct aq_stream_options request = question();
    struct aq_exchange_options options = options_of(&request);
    return make(&options);
}

struct aq_exchange *ask_for(int32_t call)
{
    struct aq_stream_options request = question();
    request.prompt = AQ_STR("");
    request.call = call;
    struct aq_exchange_options options = options_of(&request);
    return make(&options);
}

const struct aq_event *expect(struct aq_exchange *x, uint64_t now_us, int32_t type)
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

void expect_status(struct aq_exchange *x, uint64_t now_us, aq_status want)
{
    const struct aq_event *event = NULL;
    struct aq_error err = { 0 };
    aq_status st = aq_exchange_next(x, now_us, &event, &err);
    if (st != want) {
        fail_msg("wanted status %d, got %d %s", want, st, err.text);
    }
    assert_null(event);
}

struct aq_error expect_error(struct aq_exchange *x, aq_status want)
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

void respond(struct aq_exchange *x, int32_t status, const char *lines)
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

void feed(struct aq_exchange *x, struct aq_str data)
{
    assert_int_equal(aq_exchange_feed(x, (const uint8_t *)data.ptr, data.len, NULL), AQ_OK);
}

void answer(struct aq_exchange *x, int32_t status, const char *lines, const char *body)
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

void add_frame(struct buf *out, const char *message_type, const char *name, const char *value,
               const char *payload)
{
    const struct eventstream_header headers[] = {
        text_header(":message-type", message_type),
        text_header(name, value),
    };
    assert_int_equal(
        eventstream_encode(headers, COUNT(headers), str_bytes(str_from(payload)), out, NULL),
        AQ_OK);
}

void add_event(struct buf *out, const char *type, const char *payload)
{
    add_frame(out, "event", ":event-type", type, payload);
}

struct aq_exchange_request request_of(struct aq_exchange *x)
{
    struct aq_exchange_request request = { .struct_size = sizeof(request) };
    assert_int_equal(aq_exchange_request(x, &request, NULL), AQ_OK);
    return request;
}

struct aq_str header_of(const struct aq_exchange_request *request, const char *name)
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

void collect(struct aq_exchange *x, struct buf *log)
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

void add_answer(struct buf *body)
{
    add_event(body, "messageMetadataEvent", "{\"conversationId\":\"c\"}");
    add_event(body, "assistantResponseEvent", "{\"content\":\"Hel\"}");
    add_event(body, "assistantResponseEvent", "{\"content\":\"lo\\n\"}");
    add_event(body, "somethingNewEvent", "\x01\x02");
    add_event(body, "toolUseEvent", "{\"toolUseId\":\"t\",\"name\":\"n\",\"input\":\"{}\"}");
    add_event(body, "assistantResponseEvent", "");
}

const char answer_log[] =
    "5 0 '' '' '' 'r-1'\n"
    "6 6 'messageMetadataEvent' '{\"conversationId\":\"c\"}' '' ''\n"
    "6 1 'assistantResponseEvent' '{\"content\":\"Hel\"}' 'Hel' ''\n"
    "6 1 'assistantResponseEvent' '{\"content\":\"lo\\n\"}' 'lo\n' ''\n"
    "6 0 'somethingNewEvent' '\x01\x02' '' ''\n"
    "6 2 'toolUseEvent' '{\"toolUseId\":\"t\",\"name\":\"n\",\"input\":\"{}\"}' '{}' ''\n"
    "6 1 'assistantResponseEvent' '' '' ''\n"
    "end\n";

void throttle(struct aq_exchange *x)
{
    expect(x, 0, AQ_EVENT_SEND);
    answer(x, 429, "x-amzn-errortype: ThrottlingException\n", "{\"message\":\"Rate exceeded\"}");
}
