/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program that streams answers with the library, measured from inside:
 *
 *     client at-once STREAMS PROMPT     all together; prints what meter_print says
 *     client in-turn REQUESTS PROMPT    one after the other; prints {"first_us": ...}, the median
 * time from the question to the first event
 *
 * Settings come from the environment, as those of any program: Q_TRANSPORT, Q_ENDPOINT_URL, ...
 */
#include <amazonq/amazonq.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../quantile.h"
#include "meter.h"
#include "wire/eventstream.h"

#define SLOTS 8192u /* more than twice the streams of any run */

struct answer {
    struct aq_op *op;
    struct meter_stream stream;
};

static struct aq_error error;

static void check(aq_status st)
{
    if (st < 0) {
        meter_fail(error.text);
    }
}

static struct aq_client *make_client(void)
{
    const struct aq_client_setting many[] = {
        { AQ_STR("transport.curl.max_connections"), AQ_STR("2000") },
        { AQ_STR("transport.h2.max_connections"), AQ_STR("2000") },
    };
    struct aq_client_options options = AQ_CLIENT_OPTIONS_INIT;
    struct aq_client *client = NULL;
    options.settings = many;
    options.setting_count = 2;
    check(aq_client_new(&options, &client, &error));
    return client;
}

static struct aq_op *ask(struct aq_client *client, const char *prompt)
{
    struct aq_stream_options options = AQ_STREAM_OPTIONS_INIT;
    struct aq_op *op = NULL;
    options.access_token = AQ_STR("token");
    options.prompt = (struct aq_str){ prompt, strlen(prompt) };
    check(aq_stream_start(client, &options, &op, &error));
    return op;
}

/* True if it is over. */
static bool read_down(struct answer *answer)
{
    const struct aq_event *event;
    aq_status st = aq_op_next(answer->op, &event, &error);
    for (; st == AQ_OK; st = aq_op_next(answer->op, &event, &error)) {
        if (event->type == AQ_EVENT_MESSAGE) {
            meter_event(&answer->stream, event->text.ptr, event->text.len);
        } else if (event->type != AQ_EVENT_RESPONSE) {
            meter_fail("the service did not answer at once");
        }
    }
    check(st);
    return st == AQ_END;
}

/* Which answer an operation belongs to, found by its address. */
static struct answer *slots[SLOTS];

static struct answer **find_slot(const struct aq_op *op)
{
    size_t i = ((uintptr_t)op >> 6) % SLOTS;
    while (slots[i] && slots[i]->op != op) {
        i = (i + 1) % SLOTS;
    }
    return &slots[i];
}

static void run_at_once(unsigned count, const char *prompt)
{
    struct aq_client *client = make_client();
    struct answer *answers = calloc(count, sizeof(*answers));
    unsigned left = count;
    if (!answers) {
        meter_fail("out of memory");
    }
    meter_expect(count);
    for (unsigned i = 0; i < count; i++) {
        answers[i].op = ask(client, prompt);
        *find_slot(answers[i].op) = &answers[i];
    }
    struct pollfd poller = { .fd = aq_client_fd(client), .events = POLLIN };
    while (left) {
        poll(&poller, 1, -1);
        check(aq_client_step(client, &error));
        for (struct aq_op *op = aq_client_ready(client); op; op = aq_client_ready(client)) {
            left -= read_down(*find_slot(op));
        }
    }
    meter_print();
    for (unsigned i = 0; i < count; i++) {
        aq_op_free(answers[i].op);
    }
    free(answers);
    aq_client_free(client);
}

static double now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static double time_first(struct aq_client *client, const char *prompt)
{
    const struct aq_event *event;
    double took = 0;
    const double start = now_us();
    struct aq_op *op = ask(client, prompt);
    aq_status st = aq_op_wait(op, &event, &error);
    for (; st == AQ_OK; st = aq_op_wait(op, &event, &error)) {
        if (event->type == AQ_EVENT_MESSAGE && took == 0) {
            took = now_us() - start;
        }
    }
    check(st);
    aq_op_free(op);
    return took;
}

static void run_in_turn(unsigned count, const char *prompt)
{
    struct aq_client *client = make_client();
    double *took = calloc(count, sizeof(*took));
    if (!took) {
        meter_fail("out of memory");
    }
    time_first(client, prompt); /* makes the connection */
    for (unsigned i = 0; i < count; i++) {
        took[i] = time_first(client, prompt);
    }
    printf("{\"first_us\": %.1f}\n", quantile(took, count, 0.5));
    free(took);
    aq_client_free(client);
}

static void decode(struct eventstream_decoder *decoder, struct meter_stream *stream,
                   struct aq_bytes bytes)
{
    struct eventstream_message message;
    check(eventstream_feed(decoder, bytes, &error));
    aq_status st = eventstream_next(decoder, &message, &error);
    for (; st == AQ_OK; st = eventstream_next(decoder, &message, &error)) {
        meter_event(stream, NULL, 0);
    }
    check(st);
}

static void run_frames(const char *url)
{
    struct aq_client *client = make_client();
    struct aq_http_options options = AQ_HTTP_OPTIONS_INIT;
    struct eventstream_decoder decoder = { 0 };
    struct meter_stream stream = { 0 };
    const struct aq_event *event;
    struct aq_op *op = NULL;
    options.method = AQ_STR("POST");
    options.url = (struct aq_str){ url, strlen(url) };
    meter_expect(1);
    check(aq_http_start(client, &options, &op, &error));
    aq_status st = aq_op_wait(op, &event, &error);
    for (; st == AQ_OK; st = aq_op_wait(op, &event, &error)) {
        if (event->type == AQ_EVENT_BODY) {
            decode(&decoder, &stream, event->payload);
        }
    }
    check(st);
    meter_print();
    aq_op_free(op);
    eventstream_done(&decoder);
    aq_client_free(client);
}

int main(int argc, char **argv)
{
    const unsigned count = argc == 4 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;
    if (count == 0 || count > SLOTS / 2) {
        meter_fail("usage: client at-once|in-turn|frames COUNT PROMPT|URL");
    }
    if (strcmp(argv[1], "at-once") == 0) {
        run_at_once(count, argv[3]);
    } else if (strcmp(argv[1], "in-turn") == 0) {
        run_in_turn(count, argv[3]);
    } else {
        run_frames(argv[3]);
    }
    return 0;
}
