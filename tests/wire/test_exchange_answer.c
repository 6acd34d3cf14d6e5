/* SPDX-License-Identifier: Apache-2.0 */
/* Answers that the service accepts: streams of events, and replies that come whole. */
#include "base/str.h"
#include "wire/exchange_support.h"

/* --- the stream --- */

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

int main(void)
{
    const struct CMUnitTest tests[] = {
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
