/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/exchange_model.h"

#include "base/str.h"

#include <stdio.h>

unsigned ends[ENDS];

/* --- chance --- */

/* splitmix64 */
uint64_t next_random(struct trace *t)
{
    uint64_t z = t->random += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

size_t below(struct trace *t, size_t limit)
{
    return (size_t)(next_random(t) % limit);
}

bool one_in(struct trace *t, size_t n)
{
    return below(t, n) == 0;
}

/* --- the model --- */

static struct outcome *expect(struct trace *t, size_t at, aq_status status, int32_t type)
{
    CHECK(t, t->outcome_count < OUTCOMES_MAX);
    struct outcome *o = &t->outcomes[t->outcome_count++];
    *o = (struct outcome){ .at = at, .status = status, .type = type };
    return o;
}

struct outcome *expect_event(struct trace *t, size_t at, int32_t type)
{
    return expect(t, at, AQ_OK, type);
}

void expect_end(struct trace *t, size_t at, aq_status status)
{
    expect(t, at, status, 0);
}

void expect_repetition(struct trace *t, aq_status status, int32_t http, enum repeat repeat,
                       int64_t named_delay_ms)
{
    t->phase = DECIDED;
    if (repeat == NEVER || t->attempt == t->max_attempts || t->begun) {
        expect_end(t, AT_ONCE, status);
        return;
    }
    struct outcome *o = expect_event(t, AT_ONCE, AQ_EVENT_RETRY);
    o->http = http;
    o->attempt = t->attempt;
    o->most_ms = t->attempt < 5 ? 1000u << (t->attempt - 1) : 10000;
    o->least_ms = repeat == THROTTLED ? o->most_ms / 2 : 0;
    if (named_delay_ms >= 0) {
        o->most_ms = named_delay_ms < 10000 ? (uint32_t)named_delay_ms : 10000;
        o->least_ms = o->most_ms;
    }
}

void expect_token_wish(struct trace *t, int32_t http)
{
    if (t->renewed) {
        expect_repetition(t, AQ_E_AUTH, http, NEVER, -1);
        return;
    }
    t->phase = DECIDED;
    expect_event(t, AT_ONCE, AQ_EVENT_NEED_TOKEN)->http = http;
}

static bool text_is(struct aq_str got, const char *want)
{
    return got.len == strlen(want) && (got.len == 0 || memcmp(got.ptr, want, got.len) == 0);
}

static void check_event(struct trace *t, const struct outcome *o, const struct aq_event *e)
{
    CHECK(t, e->type == o->type);
    switch (o->type) {
    case AQ_EVENT_SEND:
        t->attempt += t->phase == WAITING;
        t->phase = SENT;
        t->outcome_count = t->outcomes_told = 0;
        break;
    case AQ_EVENT_RETRY:
        CHECK(t, e->http == o->http && e->attempt == o->attempt);
        CHECK(t, e->delay_ms >= o->least_ms && e->delay_ms <= o->most_ms);
        t->deadline_us = t->now_us + UINT64_C(1000) * e->delay_ms;
        t->phase = WAITING;
        expect_event(t, AT_ONCE, AQ_EVENT_SEND)->not_before_us = t->deadline_us;
        break;
    case AQ_EVENT_NEED_TOKEN:
        CHECK(t, e->http == o->http);
        t->phase = ASKING;
        break;
    case AQ_EVENT_RESPONSE:
        CHECK(t, e->http == o->http && text_is(e->request_id, "request-1"));
        break;
    case AQ_EVENT_REPLY:
        CHECK(t, text_is(str_of_bytes(e->payload), o->text));
        break;
    default: { /* {"content":"7"} */
        char number[TEXT_MAX];
        snprintf(number, sizeof(number), "%u", ++t->serial);
        CHECK(t, text_is(str_of_bytes(e->payload), o->text));
        CHECK(t, strstr(o->text, number));
        CHECK(t, text_is(e->name, o->is_text ? "assistantResponseEvent" : "newEvent"));
        CHECK(t, text_is(e->text, o->is_text ? number : ""));
        break;
    }
    }
}

void give_back(struct trace *t)
{
    free(t->lent);
    t->lent = NULL;
}

void check_over(struct trace *t)
{
    const struct aq_event *event = NULL;
    struct aq_error err = { 0 };
    CHECK(t, aq_exchange_next(t->x, t->now_us, &event, &err) == t->end);
    CHECK(t, t->end == AQ_END || (err.status == t->end && strstr(err.text, ": ")));
    CHECK(t, event == NULL && aq_exchange_deadline(t->x) == UINT64_MAX);
}

void hear(struct trace *t)
{
    for (;;) {
        const struct outcome *o = &t->outcomes[t->outcomes_told];
        bool due =
            t->outcomes_told < t->outcome_count && o->at <= t->fed && o->not_before_us <= t->now_us;
        const struct aq_event *event = NULL;
        struct aq_error err = { 0 };
        if (t->end != AQ_OK) {
            check_over(t);
            return;
        }
        aq_status st = aq_exchange_next(t->x, t->now_us, &event, &err);
        CHECK(t, st == (due ? o->status : AQ_AGAIN));
        CHECK(t, (st == AQ_OK) == (event != NULL));
        if (st != AQ_OK) {
            give_back(t);
        }
        if (!due) {
            return;
        }
        t->outcomes_told++;
        if (st == AQ_OK) {
            check_event(t, o, event);
        } else {
            CHECK(t, t->outcomes_told == t->outcome_count);
            ends[st == AQ_END ? 0 : -st]++;
            t->end = st;
            t->phase = OVER;
        }
    }
}

void check_refused(struct trace *t, aq_status st)
{
    bool unheard = t->phase == DECIDED && t->outcomes[t->outcome_count - 1].status < 0;
    CHECK(t, st == (unheard ? AQ_OK : AQ_E_STATE));
}
