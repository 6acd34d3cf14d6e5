/* SPDX-License-Identifier: Apache-2.0 */
#include "client/support.h"

#include "base/clock.h"

#include <string.h>

static struct aq_op *start(struct aq_client *client, const struct aq_exchange_header *headers,
                           uint32_t count)
{
    struct aq_http_options options = AQ_HTTP_OPTIONS_INIT;
    struct aq_op *op = NULL;
    struct aq_error err;
    options.url = AQ_STR("https://q.us-east-1.amazonaws.com/");
    options.headers = headers;
    options.header_count = count;
    options.body = (struct aq_bytes){ (const uint8_t *)"{}", 2 };
    assert_int_equal(aq_http_start(client, &options, &op, &err), AQ_OK);
    assert_false(aq_op_may_block(op));
    return op;
}

static const struct aq_event *expect(struct aq_op *op, int32_t type)
{
    const struct aq_event *event = NULL;
    struct aq_error err = { 0 };
    aq_status st = aq_op_wait(op, &event, &err);
    if (st != AQ_OK || event->type != type) {
        fail_msg("wanted event %d, got status %d, event %d, %s", (int)type, (int)st,
                 st == AQ_OK ? (int)event->type : 0, err.text);
    }
    return event;
}

static void expect_end(struct aq_op *op, aq_status status)
{
    const struct aq_event *event;
    struct aq_error err;
    assert_int_equal(aq_op_wait(op, &event, &err), status);
    assert_int_equal(aq_op_next(op, &event, &err), status);
}

static struct aq_exchange *list_models(void)
{
    struct aq_stream_options request = AQ_STREAM_OPTIONS_INIT;
    struct aq_exchange_options options = { .struct_size = sizeof(options), .request = &request };
    struct aq_exchange *x = NULL;
    const struct aq_event *event;
    request.call = AQ_CALL_LIST_AVAILABLE_MODELS;
    request.access_token = AQ_STR("tok");
    assert_int_equal(aq_exchange_new(&options, &x, NULL), AQ_OK);
    assert_int_equal(aq_exchange_next(x, clock_now_us(), &event, NULL), AQ_OK);
    assert_int_equal(event->type, AQ_EVENT_SEND);
    return x;
}

/* Start a request whose answer goes into an exchange. */
static struct aq_op *start_feeding(struct aq_client *client, struct aq_exchange *x)
{
    struct aq_op *op = start(client, NULL, 0);
    struct aq_error err;
    const struct aq_event *head = expect(op, AQ_EVENT_HEAD);
    assert_int_equal(aq_exchange_response(x, head->http, head->headers, head->header_count,
                                          head->header_stride, &err),
                     AQ_OK);
    assert_int_equal(aq_http_feed(op, x, &err), AQ_OK);
    return op;
}

/* ---- the promises ---- */

static void the_answer_comes_as_it_is(void **state)
{
    const struct aq_exchange_header header = { AQ_STR("X-Mine"), AQ_STR("yes") };
    struct aq_client *client = support_client();
    (void)state;
    support_play("wait 1\nstatus 307\nheader Location: https://example.com/\nwait 2\n"
                 "body see there\n---\n");
    struct aq_op *op = start(client, &header, 1);
    const struct aq_event *event = expect(op, AQ_EVENT_HEAD);
    assert_int_equal(event->http, 307);
    assert_int_equal(event->header_count, 1);
    assert_str(event->headers[0].name, "Location");
    assert_str(event->headers[0].value, "https://example.com/");
    event = expect(op, AQ_EVENT_BODY);
    assert_int_equal(event->payload.len, strlen("see there"));
    assert_memory_equal(event->payload.ptr, "see there", event->payload.len);
    expect_end(op, AQ_END);
    char *asked = support_asked();
    assert_non_null(strstr(asked, "POST https://q.us-east-1.amazonaws.com/"));
    assert_non_null(strstr(asked, "X-Mine: yes"));
    free(asked);
    aq_op_free(op);
    aq_client_free(client);
}

static void a_batch_ends_with_the_head_so_that_its_headers_are_valid(void **state)
{
    struct aq_client *client = support_client();
    struct aq_event events[4];
    struct aq_error err;
    uint32_t len = 0;
    (void)state;
    support_play("status 200\nheader a: b\nbody x\n---\n");
    struct aq_op *op = start(client, NULL, 0);
    while (aq_op_drain(op, events, 4, sizeof(events[0]), &len, &err) == AQ_AGAIN && len == 0) {
        assert_int_equal(aq_client_step(client, &err), AQ_OK);
    }
    assert_int_equal(len, 1);
    assert_int_equal(events[0].type, AQ_EVENT_HEAD);
    assert_str(events[0].headers[0].value, "b");
    aq_op_free(op);
    aq_client_free(client);
}

static void a_body_can_go_straight_into_an_exchange(void **state)
{
    struct aq_client *client = support_client();
    struct aq_exchange *x = list_models();
    (void)state;
    support_play("status 200\nheader content-type: application/x-amz-json-1.0\n"
                 "header x-amzn-requestid: rid-1\nwait 1\nbody {\"models\":[]}\n---\n");
    struct aq_op *op = start_feeding(client, x);
    assert_str(expect(op, AQ_EVENT_RESPONSE)->request_id, "rid-1");
    const struct aq_event *reply = expect(op, AQ_EVENT_REPLY);
    assert_memory_equal(reply->payload.ptr, "{\"models\":[]}", reply->payload.len);
    expect_end(op, AQ_END);
    aq_op_free(op);
    aq_exchange_free(x);
    aq_client_free(client);
}

static void a_refusal_is_the_exchanges_to_explain(void **state)
{
    struct aq_client *client = support_client();
    struct aq_exchange *x = list_models();
    struct aq_exchange_fault fault = { .struct_size = sizeof(fault) };
    (void)state;
    support_play("status 400\nheader x-amzn-requestid: rid-2\n"
                 "header x-amzn-errortype: ValidationException:http://x/\n"
                 "body {\"message\":\"no such model\",\"reason\":\"INVALID_MODEL_ID\"}\n---\n");
    struct aq_op *op = start_feeding(client, x);
    expect_end(op, AQ_E_VALIDATION);
    aq_op_free(op);
    assert_int_equal(aq_exchange_fault(x, &fault), AQ_OK);
    assert_int_equal(fault.http, 400);
    assert_str(fault.code, "ValidationException");
    assert_str(fault.reason, "INVALID_MODEL_ID");
    assert_str(fault.message, "no such model");
    assert_str(fault.request_id, "rid-2");
    aq_exchange_free(x);
    aq_client_free(client);
}

static void a_rejected_token_hands_the_exchange_back_for_another_request(void **state)
{
    struct aq_client *client = support_client();
    struct aq_exchange *x = list_models();
    const struct aq_event *event;
    struct aq_error err;
    (void)state;
    support_play(
        "status 403\nheader x-amzn-errortype: AccessDeniedException\n"
        "body {\"message\":\"The bearer token included in the request is invalid.\"}\n---\n"
        "status 200\nheader content-type: application/json\nbody {}\n---\n");
    struct aq_op *op = start_feeding(client, x);
    expect(op, AQ_EVENT_NEED_TOKEN);
    aq_op_free(op);
    assert_int_equal(aq_exchange_give_token(x, AQ_STR("tok2"), &err), AQ_OK);
    assert_int_equal(aq_exchange_next(x, clock_now_us(), &event, &err), AQ_OK);
    assert_int_equal(event->type, AQ_EVENT_SEND);
    op = start_feeding(client, x);
    expect(op, AQ_EVENT_RESPONSE);
    expect(op, AQ_EVENT_REPLY);
    expect_end(op, AQ_END);
    aq_op_free(op);
    aq_exchange_free(x);
    aq_client_free(client);
}

static void a_cut_body_is_an_error_with_and_without_an_exchange(void **state)
{
    struct aq_client *client = support_client();
    struct aq_exchange *x = list_models();
    (void)state;
    support_play(
        "status 200\nbody abc\nerror TRUNCATED\n---\n"
        "status 200\nheader content-type: application/json\nbody {\nerror TRUNCATED\n---\n");
    struct aq_op *op = start(client, NULL, 0);
    expect(op, AQ_EVENT_HEAD);
    expect(op, AQ_EVENT_BODY);
    expect_end(op, AQ_E_TRUNCATED);
    aq_op_free(op);
    op = start_feeding(client, x);
    expect(op, AQ_EVENT_RESPONSE);
    expect_end(op, AQ_E_TRUNCATED);
    aq_op_free(op);
    aq_exchange_free(x);
    aq_client_free(client);
}

static void an_exchange_is_taken_once_and_between_head_and_body_only(void **state)
{
    struct aq_client *client = support_client();
    struct aq_exchange *x = list_models();
    struct aq_error err;
    (void)state;
    support_play("status 200\nbody abc\n---\n");
    struct aq_op *op = start(client, NULL, 0);
    assert_int_equal(aq_http_feed(op, x, &err), AQ_E_STATE);
    expect(op, AQ_EVENT_HEAD);
    expect(op, AQ_EVENT_BODY);
    assert_int_equal(aq_http_feed(op, x, &err), AQ_E_STATE);
    aq_op_free(op);
    aq_exchange_free(x);
    aq_client_free(client);
}

static struct aq_str url_of(struct aq_client *client, struct aq_exchange_options *options,
                            struct aq_exchange **x)
{
    struct aq_exchange_request request = { .struct_size = sizeof(request) };
    const struct aq_event *event;
    struct aq_error err;
    assert_int_equal(aq_exchange_new_for(client, options, x, &err), AQ_OK);
    assert_int_equal(aq_exchange_next(*x, clock_now_us(), &event, &err), AQ_OK);
    assert_int_equal(aq_exchange_request(*x, &request, &err), AQ_OK);
    return request.url;
}

static void an_exchange_can_have_a_clients_settings(void **state)
{
    const struct aq_client_setting endpoint = { AQ_STR("endpoint"),
                                                AQ_STR("https://q.example.com") };
    struct aq_client_options client_options = AQ_CLIENT_OPTIONS_INIT;
    struct aq_stream_options request = AQ_STREAM_OPTIONS_INIT;
    struct aq_exchange_options options = { .struct_size = sizeof(options), .request = &request };
    struct aq_client *client = NULL;
    struct aq_exchange *x = NULL;
    (void)state;
    request.prompt = AQ_STR("hello");
    request.access_token = AQ_STR("tok");
    client_options.flags = AQ_CLIENT_NO_ENV | AQ_CLIENT_NO_SETTINGS;
    assert_int_equal(aq_client_new(&client_options, &client, NULL), AQ_OK);
    options.region = AQ_STR("eu-central-1");
    assert_str(url_of(client, &options, &x), "https://q.eu-central-1.amazonaws.com/");
    aq_exchange_free(x);
    aq_client_free(client);

    client_options.settings = &endpoint;
    client_options.setting_count = 1;
    assert_int_equal(aq_client_new(&client_options, &client, NULL), AQ_OK);
    assert_str(url_of(client, &options, &x), "https://q.example.com/");
    aq_exchange_free(x);
    options.struct_size = 0;
    assert_int_equal(aq_exchange_new_for(client, &options, &x, NULL), AQ_E_INVALID);
    aq_client_free(client);
}

static void options_without_a_size_are_refused(void **state)
{
    struct aq_client *client = support_client();
    struct aq_http_options options = { 0 };
    struct aq_op *op = NULL;
    (void)state;
    assert_int_equal(aq_http_start(client, &options, &op, NULL), AQ_E_INVALID);
    assert_null(op);
    aq_client_free(client);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, support_setup, support_teardown)
    const struct CMUnitTest tests[] = {
        CASE(the_answer_comes_as_it_is),
        CASE(a_batch_ends_with_the_head_so_that_its_headers_are_valid),
        CASE(a_body_can_go_straight_into_an_exchange),
        CASE(a_refusal_is_the_exchanges_to_explain),
        CASE(a_rejected_token_hands_the_exchange_back_for_another_request),
        CASE(a_cut_body_is_an_error_with_and_without_an_exchange),
        CASE(an_exchange_is_taken_once_and_between_head_and_body_only),
        CASE(an_exchange_can_have_a_clients_settings),
        CASE(options_without_a_size_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
