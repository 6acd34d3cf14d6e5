/* SPDX-License-Identifier: Apache-2.0 */
#include "client/fixture.h"

#include "wire/eventstream.h"

#include <poll.h>
#include <stdio.h>
#include <unistd.h>

/* ---- an answer, as a file the transport plays ---- */

static char answer_path[96];

static void add_frame(struct buf *out, const char *type, const char *payload)
{
    const struct eventstream_header headers[] = {
        { .name = AQ_STR_INIT(":message-type"),
          .type = EVENTSTREAM_STRING,
          .bytes = { (const uint8_t *)"event", 5 } },
        { .name = AQ_STR_INIT(":event-type"),
          .type = EVENTSTREAM_STRING,
          .bytes = { (const uint8_t *)type, strlen(type) } },
    };
    struct aq_error err;
    assert_int_equal(
        eventstream_encode(
            headers, 2, (struct aq_bytes){ (const uint8_t *)payload, strlen(payload) }, out, &err),
        AQ_OK);
}

/* Writes an answer of `count` pieces and returns its length. */
static size_t write_answer(int count)
{
    struct buf out = BUF(0);
    char payload[64];
    add_frame(&out, "messageMetadataEvent", "{\"conversationId\":\"c\"}");
    for (int i = 0; i < count; i++) {
        snprintf(payload, sizeof(payload), "{\"content\":\"piece\\n%d \"}", i);
        add_frame(&out, "assistantResponseEvent", payload);
    }
    add_frame(&out, "brandNewEvent", "{\"x\":1}");
    snprintf(answer_path, sizeof(answer_path), "%s/answer", getenv("XDG_DATA_HOME"));
    FILE *file = fopen(answer_path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(out.ptr, 1, out.len, file), out.len);
    fclose(file);
    size_t len = out.len;
    buf_done(&out);
    return len;
}

static void play_answer(const char *before)
{
    char script[1024];
    snprintf(script, sizeof(script),
             "%swait 2\nstatus 200\nheader content-type: application/vnd.amazon.eventstream\n"
             "header x-amzn-requestid: rid-1\nwait 3\nfile %s\n---\n",
             before, answer_path);
    support_play(script);
}

static struct aq_op *start(struct aq_client *client, const char *token)
{
    struct aq_stream_options options = AQ_STREAM_OPTIONS_INIT;
    struct aq_op *op = NULL;
    struct aq_error err;
    options.prompt = AQ_STR("hello");
    options.access_token = (struct aq_str){ token, strlen(token) };
    aq_status st = token[0] ? aq_stream_start(client, &options, &op, &err)
                            : aq_chat_start(client, &options, &op, &err);
    if (st != AQ_OK) {
        print_error("%s\n", err.text);
    }
    assert_int_equal(st, AQ_OK);
    return op;
}

/* ---- the promises ---- */

static void an_answer_arrives_as_typed_events_in_order(void **state)
{
    struct fixture *f = *state;
    char expected[32];
    write_answer(3);
    play_answer("");
    f->op = start(f->client, "tok");
    assert_false(aq_op_may_block(f->op));
    assert_int_equal(aq_op_wait(f->op, &f->event, &f->err), AQ_OK);
    assert_int_equal(f->event->type, AQ_EVENT_RESPONSE);
    assert_str(f->event->request_id, "rid-1");
    assert_int_equal(aq_op_wait(f->op, &f->event, &f->err), AQ_OK);
    assert_int_equal(f->event->kind, AQ_MESSAGE_MESSAGE_METADATA);
    assert_str(f->event->name, "messageMetadataEvent");
    for (int i = 0; i < 3; i++) {
        snprintf(expected, sizeof(expected), "piece\n%d ", i);
        assert_int_equal(aq_op_wait(f->op, &f->event, &f->err), AQ_OK);
        assert_int_equal(f->event->kind, AQ_MESSAGE_ASSISTANT_RESPONSE);
        assert_str(f->event->text, expected);
    }
    assert_int_equal(aq_op_wait(f->op, &f->event, &f->err), AQ_OK);
    assert_int_equal(f->event->kind, AQ_MESSAGE_UNKNOWN);
    assert_str(f->event->name, "brandNewEvent");
    assert_int_equal(aq_op_wait(f->op, &f->event, &f->err), AQ_END);
    assert_int_equal(aq_op_next(f->op, &f->event, &f->err), AQ_END);
}

static void a_batch_has_the_same_events_and_all_of_them_stay_readable(void **state)
{
    struct fixture *f = *state;
    struct aq_event events[8];
    uint32_t len;
    int seen = 0;
    aq_status st;
    char expected[32];
    write_answer(100);
    play_answer("");
    f->op = start(f->client, "tok");
    while ((st = aq_op_drain(f->op, events, 8, sizeof(events[0]), &len, &f->err)) == AQ_OK ||
           st == AQ_AGAIN || len > 0) {
        for (uint32_t i = 0; i < len; i++) {
            if (events[i].kind == AQ_MESSAGE_ASSISTANT_RESPONSE) {
                snprintf(expected, sizeof(expected), "piece\n%d ", seen++);
                assert_str(events[i].text, expected);
                assert_str(events[i].name, "assistantResponseEvent");
            }
        }
        if (st == AQ_AGAIN) {
            struct pollfd wait = { .fd = aq_client_fd(f->client), .events = POLLIN };
            assert_int_equal(poll(&wait, 1, 60000), 1);
            assert_int_equal(aq_client_step(f->client, &f->err), AQ_OK);
        } else if (st != AQ_OK) {
            break;
        }
    }
    assert_int_equal(st, AQ_END);
    assert_int_equal(seen, 100);
}

static void one_watcher_serves_many_streams(void **state)
{
    struct fixture *f = *state;
    enum { STREAMS = 20 };
    struct aq_op *ops[STREAMS];
    char script[STREAMS * 300] = "";
    char part[300];
    int pieces = 0, ended = 0;
    write_answer(5);
    for (int i = 0; i < STREAMS; i++) {
        snprintf(part, sizeof(part),
                 "wait %d\nstatus 200\nheader content-type: application/vnd.amazon.eventstream\n"
                 "wait %d\nfile %s\n---\n",
                 i % 3, i, answer_path);
        strcat(script, part);
    }
    support_play(script);
    for (int i = 0; i < STREAMS; i++) {
        ops[i] = start(f->client, "tok");
        aq_op_set_userdata(ops[i], &ops[i]);
    }
    while (ended < STREAMS) {
        struct aq_op *op;
        struct aq_error err;
        while ((op = aq_client_ready(f->client))) {
            const struct aq_event *event;
            aq_status st;
            while ((st = aq_op_next(op, &event, &err)) == AQ_OK) {
                pieces += event->kind == AQ_MESSAGE_ASSISTANT_RESPONSE;
            }
            if (st != AQ_AGAIN) {
                assert_int_equal(st, AQ_END);
                ended++;
                *(struct aq_op **)aq_op_userdata(op) = NULL;
                aq_op_free(op);
            }
        }
        if (ended < STREAMS) {
            struct pollfd wait = { .fd = aq_client_fd(f->client), .events = POLLIN };
            assert_int_equal(poll(&wait, 1, 60000), 1);
            assert_int_equal(aq_client_step(f->client, &err), AQ_OK);
        }
    }
    assert_int_equal(pieces, STREAMS * 5);
    assert_null(aq_client_ready(f->client));
}

static void waiting_for_one_operation_does_not_hide_that_another_is_ready(void **state)
{
    struct fixture *f = *state;
    write_answer(1);
    play_answer("");
    struct aq_op *first = start(f->client, "tok");
    struct aq_op *second = start(f->client, "tok");
    while (aq_op_wait(first, &f->event, &f->err) == AQ_OK) {
    }
    struct pollfd wait = { .fd = aq_client_fd(f->client), .events = POLLIN };
    assert_int_equal(poll(&wait, 1, 0), 1);
    assert_int_equal(aq_client_step(f->client, &f->err), AQ_OK);
    bool named = false;
    for (struct aq_op *op; (op = aq_client_ready(f->client));) {
        named = named || op == second;
    }
    assert_true(named);
    aq_op_free(first);
    aq_op_free(second);
}

static void the_descriptor_is_silent_when_there_is_nothing_to_do(void **state)
{
    struct fixture *f = *state;
    struct pollfd wait = { .fd = aq_client_fd(f->client), .events = POLLIN };
    assert_int_equal(poll(&wait, 1, 0), 0);
    write_answer(1);
    play_answer("");
    f->op = start(f->client, "tok");
    assert_int_equal(poll(&wait, 1, 0), 1); /* a start is work */
    while (aq_op_wait(f->op, &f->event, &f->err) == AQ_OK) {
    }
    fixture_drop(f);
    assert_int_equal(aq_client_step(f->client, &f->err), AQ_OK);
    assert_int_equal(poll(&wait, 1, 0), 0);
}

static void a_rejected_token_is_asked_for_once_and_the_request_repeated(void **state)
{
    struct fixture *f = *state;
    write_answer(1);
    play_answer("status 403\nheader x-amzn-errortype: AccessDeniedException\nbody "
                "{\"message\":\"The bearer token included in the request is invalid.\"}\n---\n");
    f->op = start(f->client, "old");
    assert_int_equal(aq_op_give_token(f->op, AQ_STR("early"), &f->err), AQ_E_STATE);
    assert_int_equal(aq_op_wait(f->op, &f->event, &f->err), AQ_OK);
    assert_int_equal(f->event->type, AQ_EVENT_NEED_TOKEN);
    assert_int_equal(aq_op_next(f->op, &f->event, &f->err), AQ_AGAIN);
    assert_int_equal(aq_op_wait(f->op, &f->event, &f->err),
                     AQ_E_AUTH); /* nothing would ever come */
    assert_int_equal(aq_op_give_token(f->op, AQ_STR("new"), &f->err), AQ_OK);
    assert_int_equal(aq_op_wait(f->op, &f->event, &f->err), AQ_OK);
    assert_int_equal(f->event->type, AQ_EVENT_RESPONSE);
    char *asked = support_asked();
    assert_contains(asked, "authorization: Bearer old");
    assert_contains(asked, "authorization: Bearer new");
    free(asked);
}

static void a_temporary_failure_is_retried_after_a_delay_that_is_announced(void **state)
{
    struct fixture *f = *state;
    write_answer(1);
    play_answer("status 503\nbody {}\n---\n");
    f->op = start(f->client, "tok");
    assert_int_equal(aq_op_wait(f->op, &f->event, &f->err), AQ_OK);
    assert_int_equal(f->event->type, AQ_EVENT_RETRY);
    assert_int_equal(f->event->attempt, 1);
    assert_int_equal(aq_op_wait(f->op, &f->event, &f->err), AQ_OK);
    assert_int_equal(f->event->type, AQ_EVENT_RESPONSE);
    assert_int_equal(support_requests(), 2);
}

static void a_refusal_that_never_ends_does_not_hold_up_the_next_attempt(void **state)
{
    struct fixture *f = *state;
    char script[512];
    write_answer(1);
    snprintf(script, sizeof(script), "%s.much", answer_path);
    FILE *file = fopen(script, "wb");
    assert_non_null(file);
    for (int i = 0; i < 64 * 1024; i++) {
        fputc('x', file);
    }
    fclose(file);
    snprintf(script, sizeof(script), "status 503\nfile %s.much\nsleep 600000\n---\n", answer_path);
    play_answer(script);
    f->op = start(f->client, "tok");
    assert_int_equal(aq_op_wait(f->op, &f->event, &f->err), AQ_OK);
    assert_int_equal(f->event->type, AQ_EVENT_RETRY);
    assert_int_equal(aq_op_wait(f->op, &f->event, &f->err), AQ_OK);
    assert_int_equal(f->event->type, AQ_EVENT_RESPONSE);
}

static void a_cut_inside_a_frame_is_an_error_never_an_end(void **state)
{
    struct fixture *f = *state;
    aq_status st;
    size_t len = write_answer(2);
    assert_int_equal(truncate(answer_path, (off_t)len - 3), 0);
    play_answer("");
    f->op = start(f->client, "tok");
    while ((st = aq_op_wait(f->op, &f->event, &f->err)) == AQ_OK) {
    }
    assert_int_equal(st, AQ_E_TRUNCATED);
    assert_int_equal(aq_op_next(f->op, &f->event, &f->err), AQ_E_TRUNCATED);
}

static void a_stream_can_be_freed_at_any_point(void **state)
{
    struct fixture *f = *state;
    write_answer(3);
    for (int steps = 0; steps < 12; steps++) {
        fixture_play(f, "");
        play_answer("");
        f->op = start(f->client, "tok");
        for (int i = 0; i < steps; i++) {
            if (aq_op_next(f->op, &f->event, &f->err) == AQ_AGAIN) {
                aq_client_step(f->client, NULL);
            }
        }
        if (steps % 2) {
            f->op = NULL; /* the client frees it itself */
        }
    }
}

static void chat_asks_with_the_stored_login_and_its_profile(void **state)
{
    struct fixture *f = *state;
    support_login(3600, 1);
    support_put(
        "api.codewhisperer.profile",
        "{\"arn\":\"arn:aws:codewhisperer:eu-central-1:1:profile/X\",\"profile_name\":\"x\"}");
    write_answer(1);
    play_answer("");
    f->op = start(f->client, "");
    assert_true(aq_op_may_block(f->op));
    assert_int_equal(aq_op_wait(f->op, &f->event, &f->err), AQ_OK);
    assert_int_equal(f->event->type, AQ_EVENT_RESPONSE);
    char *asked = support_asked();
    assert_contains(asked, "POST https://q.eu-central-1.amazonaws.com");
    assert_contains(asked, "authorization: Bearer access-1");
    assert_contains(asked, "\"profileArn\":\"arn:aws:codewhisperer:eu-central-1:1:profile/X\"");
    assert_contains(asked, "x-amzn-codewhisperer-optout: false");
    free(asked);
}

static void chat_refreshes_a_rejected_token_once(void **state)
{
    struct fixture *f = *state;
    support_login(3600, 1);
    write_answer(1);
    play_answer(
        "status 403\nheader x-amzn-errortype: AccessDeniedException\nbody "
        "{\"message\":\"The bearer token included in the request is invalid.\"}\n---\n" REFRESH_OK);
    f->op = start(f->client, "");
    assert_int_equal(aq_op_wait(f->op, &f->event, &f->err), AQ_OK);
    assert_int_equal(f->event->type, AQ_EVENT_RESPONSE);
    char *asked = support_asked();
    assert_contains(asked, "authorization: Bearer access-1");
    assert_contains(asked, "authorization: Bearer access-2");
    free(asked);
    fixture_assert_row("access-2");
}

static void chat_takes_the_token_that_somebody_else_refreshed_meanwhile(void **state)
{
    struct fixture *f = *state;
    support_login(3600, 1);
    write_answer(1);
    play_answer("wait 3\nstatus 403\nheader x-amzn-errortype: AccessDeniedException\nbody "
                "{\"message\":\"The bearer token included in the request is invalid.\"}\n---\n");
    f->op = start(f->client, "");
    assert_int_equal(aq_op_next(f->op, &f->event, &f->err), AQ_AGAIN);
    support_login(3600, 7); /* by another process, between our request and its answer */
    assert_int_equal(aq_op_wait(f->op, &f->event, &f->err), AQ_OK);
    assert_int_equal(f->event->type, AQ_EVENT_RESPONSE);
    char *asked = support_asked();
    assert_contains(asked, "authorization: Bearer access-7");
    assert_null(strstr(asked, "/token"));
    free(asked);
}

static void chat_without_a_login_asks_nobody(void **state)
{
    struct fixture *f = *state;
    f->op = start(f->client, "");
    assert_int_equal(aq_op_wait(f->op, &f->event, &f->err), AQ_E_NOT_LOGGED_IN);
    assert_int_equal(support_requests(), 0);
}

static void wrong_options_are_refused_at_once(void **state)
{
    struct fixture *f = *state;
    struct aq_stream_options options = AQ_STREAM_OPTIONS_INIT;
    struct aq_op *op = NULL;
    options.prompt = AQ_STR("hello");
    options.access_token = AQ_STR("with\r\nnewline");
    assert_int_equal(aq_stream_start(f->client, &options, &op, &f->err), AQ_E_INVALID);
    assert_null(strstr(f->err.text, "newline"));
    options.access_token = AQ_STR("");
    options.prompt = AQ_STR("");
    assert_int_equal(aq_chat_start(f->client, &options, &op, &f->err), AQ_E_INVALID);
    options.prompt = AQ_STR("hello");
    options.access_token = AQ_STR("tok");
    assert_int_equal(aq_chat_start(f->client, &options, &op, &f->err), AQ_E_INVALID);
    options.body = (struct aq_bytes){ (const uint8_t *)"[1]", 3 };
    options.prompt = AQ_STR("");
    assert_int_equal(aq_stream_start(f->client, &options, &op, &f->err), AQ_E_INVALID);
    options.struct_size = 0;
    assert_int_equal(aq_stream_start(f->client, &options, &op, &f->err), AQ_E_INVALID);
    assert_null(op);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(an_answer_arrives_as_typed_events_in_order),
        CASE(a_batch_has_the_same_events_and_all_of_them_stay_readable),
        CASE(one_watcher_serves_many_streams),
        CASE(waiting_for_one_operation_does_not_hide_that_another_is_ready),
        CASE(the_descriptor_is_silent_when_there_is_nothing_to_do),
        CASE(a_rejected_token_is_asked_for_once_and_the_request_repeated),
        CASE(a_temporary_failure_is_retried_after_a_delay_that_is_announced),
        CASE(a_refusal_that_never_ends_does_not_hold_up_the_next_attempt),
        CASE(a_cut_inside_a_frame_is_an_error_never_an_end),
        CASE(a_stream_can_be_freed_at_any_point),
        CASE(chat_asks_with_the_stored_login_and_its_profile),
        CASE(chat_refreshes_a_rejected_token_once),
        CASE(chat_takes_the_token_that_somebody_else_refreshed_meanwhile),
        CASE(chat_without_a_login_asks_nobody),
        CASE(wrong_options_are_refused_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
