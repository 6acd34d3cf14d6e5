/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random traces of an exchange, each compared step by step with a model that knows what was put
 * into them: whatever the service, the network, the clock and the caller do, every event comes when
 * its last byte is there and in its order, nothing is repeated once an answer began, there is one
 * end, and nothing comes after it.
 *
 *     AQ_TEST_TRACES=100000 AQ_TEST_SEED=7 test_wire_exchange_model
 *
 * The first trace has that seed, the next one the next seed. What fails names its own.
 */
#include "base/str.h"
#include "wire/eventstream.h"
#include "wire/exchange_model.h"

#include <stdio.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { TRACES = 5000, EVENTS_MAX = 6 };

/* --- what the caller does out of turn --- */

static void disturb(struct trace *t)
{
    struct aq_exchange_request request = { .struct_size = sizeof(request) };
    switch (below(t, 6)) {
    case 0:
        CHECK(t,
              aq_exchange_request(t->x, &request, NULL) == (t->phase == SENT ? AQ_OK : AQ_E_STATE));
        break;
    case 1:
        if (t->phase != ASKING) {
            CHECK(t, aq_exchange_give_token(t->x, AQ_STR("token-3"), NULL) == AQ_E_STATE);
        }
        break;
    case 2:
        if (t->phase != SENT) {
            check_refused(t, aq_exchange_response(t->x, 200, NULL, 0, 0, NULL));
        }
        break;
    case 3:
        if (t->phase != ANSWERING) {
            check_refused(t, aq_exchange_feed(t->x, (const uint8_t *)"{}", 2, NULL));
        }
        break;
    case 4:
        if (t->phase != ANSWERING) {
            check_refused(t, aq_exchange_finish(t->x, NULL));
        }
        break;
    default:
        if (t->phase != ANSWERING && t->phase != SENT) {
            check_refused(t, aq_exchange_fail(t->x, NULL, NULL));
        }
    }
}

/* Between two steps the caller asks, does what does not fit, or neither. */
static void idle(struct trace *t)
{
    t->now_us += below(t, 3);
    while (one_in(t, 3)) {
        disturb(t);
    }
    if (one_in(t, 2)) {
        hear(t);
    }
}

/* --- what the service and the network do --- */

static void respond(struct trace *t, int32_t http, const char *name, const char *value,
                    const char *retry_after)
{
    const struct aq_exchange_header headers[] = {
        { AQ_STR("x-amzn-RequestId"), AQ_STR("request-1") },
        { str_from(name), str_from(value) },
        { AQ_STR("X-Amz-Retry-After"), str_from(retry_after) },
    };
    t->phase = ANSWERING;
    CHECK(t, aq_exchange_response(t->x, http, headers, COUNT(headers), 0, NULL) == AQ_OK);
}

/* The body, cut anywhere; each piece in memory of its own, until it is given back. */
static void feed(struct trace *t, struct aq_bytes body)
{
    while (body.len && t->phase == ANSWERING) {
        size_t len = one_in(t, 8) ? body.len : below(t, body.len < 40 ? body.len + 1 : 40);
        hear(t); /* what was lent before is given back */
        if (t->phase != ANSWERING) {
            break;
        }
        t->lent = malloc(len + 1);
        memcpy(t->lent, body.ptr, len);
        CHECK(t, aq_exchange_feed(t->x, t->lent, len, NULL) == AQ_OK);
        t->fed += len;
        body = (struct aq_bytes){ body.ptr + len, body.len - len };
        idle(t);
    }
    if (t->phase == OVER) {
        CHECK(t, aq_exchange_feed(t->x, body.ptr, body.len, NULL) == AQ_E_STATE);
    }
}

static struct aq_error broken(struct trace *t, bool not_sent)
{
    return (struct aq_error){ .status = one_in(t, 2) ? AQ_E_NETWORK : AQ_E_TIMEOUT,
                              .flags = not_sent ? AQ_ERROR_NOT_SENT : 0,
                              .text = "connection: broke, try again" };
}

static void no_answer(struct trace *t)
{
    bool not_sent = one_in(t, 2);
    struct aq_error why = broken(t, not_sent);
    CHECK(t, aq_exchange_fail(t->x, &why, NULL) == AQ_OK);
    expect_repetition(t, why.status, 0, not_sent ? SOON : NEVER, -1);
}

/* docs/protocol.md, sections 7 and 8 */
static const struct refusal {
    const char *code;
    const char *more; /* members of the body */
    int32_t http;
    aq_status status;
    enum repeat repeat;
    bool names_delay;
} refusals[] = {
    { "InternalServerException", "", 500, AQ_E_SERVICE, SOON, false },
    { "", "", 502, AQ_E_SERVICE, SOON, false },
    { "ServiceUnavailableException", "", 503, AQ_E_SERVICE, SOON, false },
    { "", "", 504, AQ_E_SERVICE, SOON, false },
    { "", "", 501, AQ_E_SERVICE, NEVER, false },
    { "RequestTimeoutException", "", 408, AQ_E_SERVICE, SOON, true },
    { "ThrottlingException", "", 429, AQ_E_THROTTLED, THROTTLED, true },
    { "SlowDown", "", 400, AQ_E_THROTTLED, THROTTLED, true },
    { "", "", 429, AQ_E_THROTTLED, NEVER, false },
    { "ServiceQuotaExceededException", "", 402, AQ_E_QUOTA, NEVER, false },
    { "ThrottlingException", ",\"reason\":\"MONTHLY_REQUEST_COUNT\"", 400, AQ_E_QUOTA, NEVER,
      false },
    { "", ",\"reason\":\"INSUFFICIENT_MODEL_CAPACITY\"", 500, AQ_E_OVERLOADED, SOON, false },
    { "ValidationException", "", 400, AQ_E_VALIDATION, NEVER, false },
    { "ValidationException", ",\"message\":\"Input is too long.\"", 400, AQ_E_TOO_LONG, NEVER,
      false },
    { "AccessDeniedException", "", 403, AQ_E_ACCESS, NEVER, false },
    { "ConflictException", "", 409, AQ_E_CONFLICT, NEVER, false },
};

static void refused(struct trace *t)
{
    static const char *const delays[] = { "", "0", "1500", "99999", "-1", "soon" };
    static const int64_t delays_ms[] = { -1, 0, 1500, 99999, -1, -1 };
    const struct refusal *r = &refusals[below(t, COUNT(refusals))];
    size_t delay = below(t, COUNT(delays));
    char body[160];
    int len = snprintf(body, sizeof(body), "{\"__type\":\"x#%s\"%s}", r->code, r->more);

    respond(t, r->http, "content-type", "application/json", delays[delay]);
    feed(t, (struct aq_bytes){ (const uint8_t *)body, (size_t)len });
    struct aq_error why = broken(t, true);
    aq_status st =
        one_in(t, 4) ? aq_exchange_fail(t->x, &why, NULL) : aq_exchange_finish(t->x, NULL);
    CHECK(t, st == AQ_OK);
    expect_repetition(t, r->status, r->http, r->repeat, r->names_delay ? delays_ms[delay] : -1);
}

static void token_rejected(struct trace *t)
{
    int32_t http = one_in(t, 2) ? 401 : 403;
    respond(t, http, "x-amzn-errortype", "ExpiredTokenException:", "");
    feed(t, str_bytes(AQ_STR("{\"message\":\"no\"}")));
    CHECK(t, aq_exchange_finish(t->x, NULL) == AQ_OK);
    expect_token_wish(t, http);
}

/* The head alone ends it; the rest of the answer may follow all the same. */
static void unusable_head(struct trace *t)
{
    switch (below(t, 3)) {
    case 0:
        respond(t, 307, "location", "https://evil.example/", "");
        break;
    case 1:
        respond(t, 200, "Content-Encoding", "gzip", "");
        break;
    default:
        respond(t, 300 + (int32_t)below(t, 100), "location", "", "");
    }
    expect_repetition(t, AQ_E_PROTOCOL, 0, NEVER, -1);
    if (one_in(t, 2)) {
        CHECK(t, aq_exchange_feed(t->x, (const uint8_t *)"rest", 4, NULL) == AQ_OK);
        CHECK(t, aq_exchange_finish(t->x, NULL) == AQ_OK);
    }
}

static void add_frame(struct trace *t, const char *kind, const char *name, const char *value,
                      const char *payload)
{
    const struct eventstream_header headers[] = {
        { .name = AQ_STR(":message-type"),
          .type = EVENTSTREAM_STRING,
          .bytes = str_bytes(str_from(kind)) },
        { .name = str_from(name), .type = EVENTSTREAM_STRING, .bytes = str_bytes(str_from(value)) },
    };
    CHECK(t, eventstream_encode(headers, COUNT(headers), str_bytes(str_from(payload)), &t->body,
                                NULL) == AQ_OK);
}

/* An event that will be told, if nothing comes before it. */
static void add_event(struct trace *t, unsigned serial, bool is_text, char text[TEXT_MAX])
{
    snprintf(text, TEXT_MAX, is_text ? "{\"content\":\"%u\"}" : "whatever %u", serial);
    add_frame(t, "event", ":event-type", is_text ? "assistantResponseEvent" : "newEvent", text);
}

static void add_events(struct trace *t)
{
    size_t count = below(t, EVENTS_MAX + 1);
    for (size_t i = 0; i < count; i++) {
        struct outcome *o = expect_event(t, 0, AQ_EVENT_MESSAGE);
        o->is_text = !one_in(t, 3);
        add_event(t, t->serial + (unsigned)i + 1, o->is_text, o->text);
        o->at = t->body.len;
    }
}

static const struct {
    const char *type;
    aq_status status;
} exceptions[] = {
    { "throttlingException", AQ_E_THROTTLED }, { "validationException", AQ_E_VALIDATION },
    { "accessDeniedException", AQ_E_ACCESS },  { "expiredTokenException", AQ_E_AUTH },
    { "conflictException", AQ_E_CONFLICT },    { "internalServerException", AQ_E_SERVICE },
    { "newException", AQ_E_SERVICE },
};

/* A frame of which one bit is wrong: in the prelude that is seen before the rest is here. */
static void add_corrupt_frame(struct trace *t)
{
    enum { PRELUDE_LEN = 12 };
    char text[TEXT_MAX];
    size_t start = t->body.len;
    add_event(t, 0, true, text);
    size_t at = below(t, t->body.len - start);
    t->body.ptr[start + at] ^= (uint8_t)(1u << below(t, 8));
    expect_end(t, at < PRELUDE_LEN ? start + PRELUDE_LEN : t->body.len, AQ_E_PROTOCOL);
}

/* What ends a stream from within; true if there was something. */
static bool add_end(struct trace *t)
{
    size_t which = below(t, COUNT(exceptions));
    switch (below(t, 8)) {
    case 0:
        add_frame(t, "exception", ":exception-type", exceptions[which].type, "{}");
        expect_end(t, t->body.len, exceptions[which].status);
        return true;
    case 1:
        add_frame(t, "error", ":error-code", "InternalServerError", "");
        expect_end(t, t->body.len, AQ_E_SERVICE);
        return true;
    case 2:
        add_corrupt_frame(t);
        return true;
    case 3:
        add_frame(t, "event", ":event-type", "assistantResponseEvent", "{\"content\":");
        expect_end(t, t->body.len, AQ_E_PROTOCOL);
        return true;
    default:
        return false;
    }
}

/* Part of a frame, which will never be whole. */
static bool add_part(struct trace *t)
{
    char text[TEXT_MAX];
    size_t start = t->body.len;
    add_event(t, 0, true, text);
    t->body.len = start + below(t, t->body.len - start);
    return t->body.len > start;
}

static void stream(struct trace *t)
{
    char text[TEXT_MAX];
    buf_clear(&t->body);
    t->fed = 0;
    t->begun = true;
    respond(t, 200, "content-type", "application/vnd.amazon.eventstream", "");
    expect_event(t, AT_ONCE, AQ_EVENT_RESPONSE)->http = 200;
    add_events(t);
    bool ended = add_end(t);
    if (ended) { /* and the service goes on all the same */
        add_event(t, 0, one_in(t, 2), text);
    }
    bool cut = one_in(t, 3) && !ended && add_part(t);
    feed(t, buf_bytes(&t->body));
    if (t->phase == OVER) {
        CHECK(t, aq_exchange_finish(t->x, NULL) == AQ_E_STATE);
        return;
    }
    if (one_in(t, 4)) {
        struct aq_error why = broken(t, one_in(t, 2));
        CHECK(t, aq_exchange_fail(t->x, &why, NULL) == AQ_OK);
        if (!ended) {
            expect_end(t, t->fed, why.status);
        }
    } else {
        CHECK(t, aq_exchange_finish(t->x, NULL) == AQ_OK);
        if (!ended) {
            expect_end(t, t->fed, cut ? AQ_E_TRUNCATED : AQ_END);
        }
    }
}

static void reply(struct trace *t)
{
    static const char *const bodies[] = { "{}", "{\"a\":[1,{\"b\":null}]}", "[1]", "{\"a\":", "" };
    size_t which = below(t, COUNT(bodies));
    struct aq_error why = broken(t, one_in(t, 2));

    t->fed = 0;
    t->begun = true;
    respond(t, 200, "content-type", "application/json", "");
    expect_event(t, AT_ONCE, AQ_EVENT_RESPONSE)->http = 200;
    feed(t, str_bytes(str_from(bodies[which])));
    t->phase = DECIDED;
    if (one_in(t, 5)) {
        CHECK(t, aq_exchange_fail(t->x, &why, NULL) == AQ_OK);
        expect_end(t, AT_ONCE, why.status);
        return;
    }
    CHECK(t, aq_exchange_finish(t->x, NULL) == AQ_OK);
    if (which < 2) {
        struct outcome *o = expect_event(t, AT_ONCE, AQ_EVENT_REPLY);
        snprintf(o->text, sizeof(o->text), "%s", bodies[which]);
        expect_end(t, AT_ONCE, AQ_END);
    } else {
        expect_end(t, AT_ONCE, AQ_E_PROTOCOL);
    }
}

/* --- traces --- */

static void begin(struct trace *t)
{
    struct aq_stream_options request = AQ_STREAM_OPTIONS_INIT;
    struct aq_exchange_options options = {
        .struct_size = sizeof(options),
        .request = &request,
        .endpoint = AQ_STR_INIT("https://q.us-east-1.amazonaws.com"), /* and no other */
    };
    t->streams = !one_in(t, 5);
    t->max_attempts = (uint32_t)below(t, 8);
    request.call = t->streams ? AQ_CALL_GENERATE_ASSISTANT_RESPONSE : AQ_CALL_LIST_AVAILABLE_MODELS;
    request.prompt = t->streams ? AQ_STR("hello") : AQ_STR("");
    request.access_token = AQ_STR("token-1");
    options.max_attempts = t->max_attempts;
    for (size_t i = 0; i < sizeof(options.seed); i++) {
        options.seed[i] = (uint8_t)next_random(t);
    }
    CHECK(t, aq_exchange_new(&options, &t->x, NULL) == AQ_OK);
    t->max_attempts = t->max_attempts ? t->max_attempts : 3;
    t->attempt = 1;
    t->now_us = next_random(t) >> 8;
    expect_event(t, AT_ONCE, AQ_EVENT_SEND);
    hear(t);
}

static void answer(struct trace *t)
{
    idle(t);
    size_t chance = below(t, 20);
    if (chance < 4) {
        no_answer(t);
    } else if (chance < 9) {
        refused(t);
    } else if (chance < 12) {
        token_rejected(t);
    } else if (chance < 13) {
        unusable_head(t);
    } else if (t->streams) {
        stream(t);
    } else {
        reply(t);
    }
    idle(t);
    hear(t);
    idle(t);
}

static void wait_for_the_time(struct trace *t)
{
    while (t->phase == WAITING) {
        uint64_t left = t->deadline_us > t->now_us ? t->deadline_us - t->now_us : 0;
        CHECK(t, aq_exchange_deadline(t->x) == t->deadline_us);
        disturb(t);
        t->now_us += one_in(t, 2) ? left : below(t, left + 1);
        hear(t);
    }
}

static void give_token(struct trace *t)
{
    while (one_in(t, 2)) {
        CHECK(t, aq_exchange_give_token(t->x, AQ_STR("a b"), NULL) == AQ_E_INVALID);
        idle(t);
    }
    CHECK(t, aq_exchange_give_token(t->x, AQ_STR("token-2"), NULL) == AQ_OK);
    t->renewed = true;
    t->phase = TO_SEND;
    expect_event(t, AT_ONCE, AQ_EVENT_SEND);
    hear(t);
}

static void run(uint64_t seed)
{
    struct trace t = { .seed = seed, .random = seed };
    begin(&t);
    while (t.phase != OVER) {
        CHECK(&t, t.phase == SENT || t.phase == WAITING || t.phase == ASKING);
        if (t.phase == SENT) {
            answer(&t);
        } else if (t.phase == WAITING) {
            wait_for_the_time(&t);
        } else {
            give_token(&t);
        }
    }
    for (int i = 0; i < 4; i++) {
        disturb(&t);
        check_over(&t);
    }
    aq_exchange_free(t.x);
    buf_done(&t.body);
    give_back(&t);
}

static uint64_t setting(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 10) : otherwise;
}

static void whatever_happens_it_is_told_in_order_and_ends_once(void **state)
{
    static const aq_status all[] = { AQ_END,         AQ_E_NETWORK,    AQ_E_TIMEOUT,  AQ_E_PROTOCOL,
                                     AQ_E_TRUNCATED, AQ_E_AUTH,       AQ_E_ACCESS,   AQ_E_THROTTLED,
                                     AQ_E_QUOTA,     AQ_E_OVERLOADED, AQ_E_TOO_LONG, AQ_E_SERVICE,
                                     AQ_E_CONFLICT,  AQ_E_VALIDATION };
    uint64_t count = setting("AQ_TEST_TRACES", TRACES);
    uint64_t seed = setting("AQ_TEST_SEED", 1);
    (void)state;
    print_message("%llu traces, AQ_TEST_SEED=%llu\n", (unsigned long long)count,
                  (unsigned long long)seed);
    for (uint64_t i = 0; i < count; i++) {
        run(seed + i);
    }
    for (size_t i = 0; i < COUNT(all) && count >= TRACES; i++) {
        assert_true(ends[all[i] == AQ_END ? 0 : -all[i]] > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_happens_it_is_told_in_order_and_ends_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
