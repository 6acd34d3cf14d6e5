/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole exchange whose caller, clock, memory and service do what the input says: first what to
 * ask, then one step after the other. Whatever they do, events come in their order, it ends once,
 * texts are UTF-8, errors repeat no token, memory follows what arrived, and all of it is given
 * back.
 */
#include "base/alloc.h"
#include "base/json.h"
#include "base/str.h"
#include "fuzz/stream.h"
#include "wire/endpoint.h"

#include <amazonq/exchange.h>
#include <malloc.h>

enum {
    CALLS = 9,
    ATTEMPTS_MOST = 4,
    DELAY_MOST_MS = 10 * 1000,
    HEADERS_MOST = 6,
    MEMORY_BASE = 16 * 1024, /* an exchange and its request */
    MEMORY_FACTOR = 8,       /* buffers grow in steps, and some bytes are held twice */
};

#define TOKEN AQ_STR("canary-token-0123456789abcdef")
#define RENEWED AQ_STR("canary-renewed-0123456789abcdef")
#define ARN AQ_STR("arn:aws:codewhisperer:eu-central-1:1:profile/P")

/* --- memory that is counted and can run out: these take the place of base/alloc.c --- */

static size_t live;
static int allocations_left; /* negative: no end */
static bool ran_out;

void *alloc_array(size_t count, size_t size)
{
    if (allocations_left == 0) {
        ran_out = true;
        return NULL;
    }
    allocations_left -= allocations_left > 0;
    void *ptr = calloc(count ? count : 1, size ? size : 1);
    live += malloc_usable_size(ptr);
    return ptr;
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
    live -= ptr ? malloc_usable_size(ptr) : 0;
    free(ptr);
}

/* --- what must hold --- */

struct run {
    struct script script;
    struct aq_exchange *x;
    bool streams;
    uint32_t max_attempts;
    uint64_t now_us;
    size_t arrived;         /* the input, and what was fed: frames are longer than their script */
    uint8_t *piece;         /* of the body, lent to x */
    struct aq_str secret;   /* how the token begins */
    struct aq_str rejected; /* how the one before it began */

    unsigned sends, retries, sites, tokens, responses, replies;
    int32_t last_event;
    aq_status over;
    struct aq_error why;
};

static void give_back(struct run *run)
{
    free(run->piece);
    run->piece = NULL;
}

static void error_check(const struct run *run, const struct aq_error *err, aq_status st)
{
    PROMISE(err->status == st);
    error_text_check(err);
    PROMISE(st != AQ_E_NOMEM || ran_out);
    PROMISE(!run->secret.len || !str_contains(str_from(err->text), run->secret));
    PROMISE(!run->rejected.len || !str_contains(str_from(err->text), run->rejected));
}

static void request_check(struct run *run)
{
    struct aq_exchange_request request = { .struct_size = sizeof(request) };
    unsigned with_token = 0;

    PROMISE(aq_exchange_request(run->x, &request, NULL) == AQ_OK);
    PROMISE(str_starts(request.url, AQ_STR("https://")) ||
            str_starts(request.url, AQ_STR("http://")));
    for (size_t i = 0; i < request.url.len; i++) {
        PROMISE(request.url.ptr[i] > 0x20 && request.url.ptr[i] < 0x7f);
    }
    for (uint32_t i = 0; i < request.header_count; i++) {
        struct aq_str value = request.headers[i].value;
        with_token += str_starts(value, AQ_STR("Bearer "));
        for (size_t k = 0; k < value.len; k++) {
            PROMISE(value.ptr[k] >= 0x20 && value.ptr[k] < 0x7f);
        }
    }
    PROMISE(with_token == 1);
    PROMISE(json_valid(str_of_bytes(request.body)));
}

static void event_check(struct run *run, const struct aq_event *event)
{
    PROMISE(event->struct_size == sizeof(*event));
    bool begun = event->type == AQ_EVENT_MESSAGE || event->type == AQ_EVENT_REPLY;
    PROMISE(run->responses == begun);
    PROMISE(run->replies == 0);
    switch (event->type) {
    case AQ_EVENT_SEND:
        PROMISE(++run->sends <= (1 + run->sites) * run->max_attempts + 1); /* and a new token */
        request_check(run);
        break;
    case AQ_EVENT_RETRY:
        run->retries++;
        PROMISE(event->attempt == run->retries && event->delay_ms <= DELAY_MOST_MS);
        if (event->name.len) { /* another site, where attempts are counted anew */
            PROMISE(event->delay_ms == 0 && ++run->sites < ENDPOINT_SITES);
            PROMISE(run->retries <= run->max_attempts);
            run->retries = 0;
        } else {
            PROMISE(run->retries < run->max_attempts);
        }
        break;
    case AQ_EVENT_NEED_TOKEN:
        PROMISE(++run->tokens == 1);
        break;
    case AQ_EVENT_RESPONSE:
        run->responses++;
        PROMISE(event->http >= 200 && event->http <= 299);
        PROMISE(event->request_id.len == 0 || str_is_token(event->request_id));
        break;
    case AQ_EVENT_MESSAGE:
        PROMISE(run->streams);
        text_check(event->name);
        text_check(event->text);
        PROMISE(event->text.len <= event->payload.len);
        break;
    case AQ_EVENT_REPLY:
        PROMISE(!run->streams);
        PROMISE(json_valid(str_of_bytes(event->payload)));
        run->replies++;
        break;
    default:
        abort(); /* not an event of an exchange */
    }
    run->last_event = event->type;
}

/* The next result; whatever ends the exchange is its last. */
static aq_status next(struct run *run)
{
    const struct aq_event *event = NULL;
    struct aq_error err;
    aq_status st = aq_exchange_next(run->x, run->now_us, &event, &err);
    PROMISE((st == AQ_OK) == (event != NULL));
    PROMISE(run->over == AQ_OK || st == run->over);
    PROMISE(live <= MEMORY_BASE + MEMORY_FACTOR * run->arrived);
    if (st == AQ_OK) {
        event_check(run, event);
    } else if (st == AQ_AGAIN) {
        PROMISE(aq_exchange_deadline(run->x) > run->now_us);
        give_back(run);
    } else {
        PROMISE(st < 0 || st == AQ_END);
        if (st < 0) {
            error_check(run, &err, st);
            PROMISE(run->over == AQ_OK || strcmp(run->why.text, err.text) == 0);
            run->why = err;
        }
        PROMISE(st < 0 || (run->responses == 1 && run->replies == !run->streams));
        run->over = st;
        give_back(run);
    }
    return st;
}

static aq_status drain(struct run *run)
{
    aq_status st;
    while ((st = next(run)) == AQ_OK) {
    }
    return st;
}

/* The attempt is over and reported as such: x knows how it goes on, or whom it asks. */
static void outcome_check(struct run *run)
{
    unsigned sends = run->sends;
    if (drain(run) == AQ_AGAIN) {
        PROMISE(run->last_event == AQ_EVENT_NEED_TOKEN || run->last_event == AQ_EVENT_RETRY ||
                run->sends == sends + 1); /* the delay may be none */
    }
}

/* A call that fits or does not; only after the end it is known that it does not. */
static bool call_check(const struct run *run, aq_status st)
{
    PROMISE(st == AQ_OK || st == AQ_E_STATE);
    PROMISE(run->over == AQ_OK || st == AQ_E_STATE);
    return st == AQ_OK;
}

/* --- steps --- */

static void step_response(struct run *run)
{
    static const int16_t codes[] = { 200, 200, 202, 204, 301, 400, 401, 403, 404,
                                     407, 408, 409, 413, 429, 500, 502, 503, 504 };
    static const struct aq_str names[] = {
        AQ_STR_INIT("x-amzn-RequestId"), AQ_STR_INIT("x-amz-request-id"),
        AQ_STR_INIT("x-amzn-errortype"), AQ_STR_INIT("X-Amz-Retry-After"),
        AQ_STR_INIT("Content-Type"),     AQ_STR_INIT("content-encoding"),
        AQ_STR_INIT("location"),         AQ_STR_INIT("date"),
    };
    const size_t code_count = sizeof(codes) / sizeof(codes[0]);
    struct aq_exchange_header headers[HEADERS_MOST];
    uint8_t code = script_byte(&run->script);
    int32_t status = code < code_count ? codes[code] : (int32_t)(code - 128) * 7;
    uint32_t count = script_byte(&run->script) % (HEADERS_MOST + 1);

    for (uint32_t i = 0; i < count; i++) {
        headers[i].name = names[script_byte(&run->script) % (sizeof(names) / sizeof(names[0]))];
        headers[i].value = str_of_bytes(script_piece(&run->script));
    }
    call_check(run, aq_exchange_response(run->x, status, headers, count, 0, NULL));
}

/* Lend x a piece in memory of its own, after it has given the last one back. */
static void feed(struct run *run, struct aq_bytes bytes)
{
    drain(run);
    run->arrived += bytes.len;
    run->piece = malloc(bytes.len + !bytes.len);
    if (bytes.len) {
        memcpy(run->piece, bytes.ptr, bytes.len);
    }
    if (!call_check(run, aq_exchange_feed(run->x, run->piece, bytes.len, NULL))) {
        give_back(run);
    }
}

/* A frame with right lengths and checksums, made in memory that never runs out. */
static void feed_frame(struct run *run, struct aq_str front, struct aq_bytes more,
                       struct aq_bytes payload)
{
    AUTO(buf) struct buf headers = BUF(0);
    AUTO(buf) struct buf frame = BUF(0);
    int left = allocations_left;
    allocations_left = -1;
    buf_add(&headers, front);
    buf_add_bytes(&headers, more);
    stream_add(&frame, buf_bytes(&headers), payload);
    allocations_left = left;
    feed(run, buf_bytes(&frame));
}

static void step_frame(struct run *run)
{
    struct aq_bytes headers = script_piece(&run->script);
    feed_frame(run, AQ_STR(""), headers, script_piece(&run->script));
}

/* A frame that is an event or an exception; its payload is what the input says. */
static void step_message(struct run *run)
{
#define EVENT(type) \
    AQ_STR_INIT("\x0d:message-type\x07\x00\x05" \
                "event\x0b:event-type\x07" type)
    static const struct aq_str fronts[] = {
        EVENT("\x00\x16"
              "assistantResponseEvent"),
        EVENT("\x00\x0c"
              "toolUseEvent"),
        EVENT("\x00\x0d"
              "meteringEvent"),
        EVENT("\x00\x08"
              "newEvent"),
        AQ_STR_INIT("\x0d:message-type\x07\x00\x09"
                    "exception"
                    "\x0f:exception-type\x07\x00\x13"
                    "throttlingException"),
        AQ_STR_INIT("\x0d:message-type\x07\x00\x09"
                    "exception"
                    "\x0f:exception-type\x07\x00\x13"
                    "validationException"),
        AQ_STR_INIT("\x0d:message-type\x07\x00\x05"
                    "error"
                    "\x0b:error-code\x07\x00\x04"
                    "Oops"),
    };
    size_t which = script_byte(&run->script) % (sizeof(fronts) / sizeof(fronts[0]));
    feed_frame(run, fronts[which], str_bytes(AQ_STR("")), script_piece(&run->script));
}

static void step_finish(struct run *run)
{
    if (call_check(run, aq_exchange_finish(run->x, NULL))) {
        outcome_check(run);
    }
}

static void step_fail(struct run *run)
{
    uint8_t choice = script_byte(&run->script);
    struct aq_error why = { .status = AQ_E_NETWORK - choice % 6,
                            .flags = choice & 0x80 ? AQ_ERROR_NOT_SENT : 0,
                            .text = "connection: broke, try again" };
    if (call_check(run, aq_exchange_fail(run->x, choice & 0x40 ? NULL : &why, NULL))) {
        outcome_check(run);
    }
}

static void step_give_token(struct run *run)
{
    struct aq_str given = str_of_bytes(script_piece(&run->script));
    struct aq_str token = given.len ? given : RENEWED;
    aq_status st = aq_exchange_give_token(run->x, token, NULL);
    bool wanted = run->over == AQ_OK && run->last_event == AQ_EVENT_NEED_TOKEN;
    PROMISE(st == AQ_OK || st == AQ_E_INVALID || st == AQ_E_STATE || ran_out);
    PROMISE(st == AQ_E_STATE || wanted);
    PROMISE(st != AQ_OK || str_is_token(token));
    if (st == AQ_OK) { /* one from the input may be a word of ours */
        run->rejected = run->secret;
        run->secret = given.len ? AQ_STR("") : AQ_STR("canary-renewed-0");
    }
}

static void step_wait(struct run *run)
{
    uint64_t deadline_us = aq_exchange_deadline(run->x);
    run->now_us = deadline_us != UINT64_MAX && deadline_us > run->now_us ? deadline_us
                                                                         : run->now_us + 1000000;
}

static void step(struct run *run)
{
    switch (script_byte(&run->script) % 10) {
    case 0:
        drain(run);
        break;
    case 1:
        step_response(run);
        break;
    case 2:
        feed(run, script_piece(&run->script));
        break;
    case 3:
        step_frame(run);
        break;
    case 4:
        step_message(run);
        break;
    case 5:
        step_finish(run);
        break;
    case 6:
        step_fail(run);
        break;
    case 7:
        step_give_token(run);
        break;
    case 8:
        step_wait(run);
        break;
    default:
        next(run);
    }
}

/* --- the exchange --- */

/* Ask what the input says; x stays NULL if nobody can ask that. */
static void begin(struct run *run)
{
    struct aq_stream_options request = AQ_STREAM_OPTIONS_INIT;
    struct aq_exchange_options options = { .struct_size = sizeof(options), .request = &request };
    struct aq_error err;
    uint8_t call = script_byte(&run->script);
    uint8_t choice = script_byte(&run->script);
    uint8_t memory = script_byte(&run->script);

    request.call = call % (CALLS + 1);
    request.access_token = TOKEN;
    request.profile_arn = choice & 0x1 ? ARN : AQ_STR("");
    if (choice & 0x2) {
        request.body = script_piece(&run->script);
    } else if (request.call <= AQ_CALL_SEND_MESSAGE) {
        request.prompt = choice & 0x4 ? str_of_bytes(script_piece(&run->script)) : AQ_STR("hello");
    } else if (request.call <= AQ_CALL_EXPORT_RESULT_ARCHIVE) {
        request.body = str_bytes(AQ_STR("{}"));
    }
    if (choice & 0x8) {
        options.endpoint = str_of_bytes(script_piece(&run->script));
        options.flags = AQ_EXCHANGE_ENDPOINT_NAMED;
    }
    options.max_attempts = choice >> 6;
    options.seed[0] = memory;
    run->streams = request.call <= AQ_CALL_EXPORT_RESULT_ARCHIVE;
    run->max_attempts = options.max_attempts ? options.max_attempts : 3;
    allocations_left = memory & 0x80 ? memory & 0x7f : -1;
    ran_out = false;

    aq_status st = aq_exchange_new(&options, &run->x, &err);
    PROMISE((st == AQ_OK) == (run->x != NULL));
    if (st != AQ_OK) {
        PROMISE(st == AQ_E_INVALID || st == AQ_E_NOMEM);
        error_check(run, &err, st); /* may repeat the endpoint, which is the caller's word */
    }
    run->secret = AQ_STR("canary-token-012");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct run run = { .script = { data, size }, .arrived = size };
    live = 0;
    begin(&run);
    while (run.x && run.script.len) {
        step(&run);
    }
    if (run.over != AQ_OK) { /* it stays over */
        step_response(&run);
        feed(&run, str_bytes(AQ_STR("{}")));
        step_finish(&run);
        step_fail(&run);
        step_give_token(&run);
        PROMISE(next(&run) == run.over);
    }
    aq_exchange_free(run.x);
    give_back(&run);
    PROMISE(live == 0);
    return 0;
}
