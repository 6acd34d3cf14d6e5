/* SPDX-License-Identifier: Apache-2.0 */
/* When the host is to step, and when it can sleep. */
#include "exchange.h"
#include "suite.h"

enum {
    WATCH_MS = 300,
    STEPS_MAX = 60, /* in that time, without anything to do: more than housekeeping needs */
    HOUR_MS = 3600 * 1000,
    MINUTE_MS = 60 * 1000,
};

static const struct lab_answer silence[] = {
    { .path = "/silent", .fate = LAB_HANGS, .fate_at = LAB_BEFORE_HEAD },
    { .path = "/stalls", .body_len = 1000, .fate = LAB_HANGS, .fate_at = 5 },
    { .path = NULL },
};

static void start_wakes(struct trial *t)
{
    struct scene s;
    struct client c;
    struct exchange e;
    scene_open(&s, t, NULL);
    client_open(&c, &s);
    for (const struct way *w = scene_next(&s, NULL); w; w = scene_next(&s, w)) {
        exchange_start(&e, &c, w, "/", NULL);
        client_interest(&c);
        if (!client_is_readable(&c) && c.deadline_us > trial_now_us()) {
            trial_fail(t, "after start the descriptor is not readable and no deadline has passed; "
                          "work that start makes makes it readable");
        }
        exchange_until_over(&e);
        exchange_finish(&e);
    }
    client_close(&c);
    scene_close(&s);
}

/* How often step was due in WATCH_MS. */
static unsigned count_steps(struct client *c)
{
    const uint64_t until_us = trial_now_us() + WATCH_MS * UINT64_C(1000);
    const unsigned before = c->steps;
    while (trial_now_us() < until_us) {
        client_wait(c, 20);
    }
    return c->steps - before;
}

static void judge_rest(struct client *c, const char *when)
{
    const unsigned steps = count_steps(c);
    if (steps > STEPS_MAX) {
        trial_fail(c->trial,
                   "%s, the descriptor or a deadline asked for %u steps in %d ms; make it "
                   "readable only while there is work",
                   when, steps, WATCH_MS);
    }
}

static void rests_while_a_peer_is_silent(struct trial *t)
{
    struct scene s;
    struct client c;
    scene_open(&s, t, silence);
    for (const struct way *w = scene_next(&s, NULL); w; w = scene_next(&s, w)) {
        struct exchange silent;
        struct exchange stalls;
        client_open(&c, &s);
        exchange_start(&silent, &c, w, "/silent", NULL);
        exchange_start(&stalls, &c, w, "/stalls", NULL);
        exchange_until_bytes(&stalls, 5);
        client_settle(&c, 20);
        judge_rest(&c, "while peers say nothing");
        client_close(&c);
    }
    scene_close(&s);
}

static void rests_without_calls(struct trial *t)
{
    struct scene s;
    struct client c;
    scene_open(&s, t, NULL);
    client_open(&c, &s);
    exchange_expect_well(&c);
    judge_rest(&c, "without a call");
    client_close(&c);
    scene_close(&s);
}

static void uses_the_hosts_clock(struct trial *t)
{
    const struct ask ask = { .first_byte_ms = MINUTE_MS };
    struct scene s;
    struct client c;
    struct exchange e;
    scene_open(&s, t, silence);
    client_open(&c, &s);
    c.witness.ahead_us = HOUR_MS * UINT64_C(1000);
    exchange_start(&e, &c, scene_next(&s, NULL), "/silent", &ask);
    exchange_until_seen(&e, "/silent");
    client_settle(&c, 20);
    client_interest(&c);
    const uint64_t now_us = trial_now_us() + c.witness.ahead_us;
    if (c.deadline_us > now_us + MINUTE_MS * UINT64_C(1000)) {
        trial_fail(t,
                   "with a first byte timeout of %d s, interest gave %s; deadlines are on "
                   "host->now_us, which need not be this machine's clock",
                   MINUTE_MS / 1000,
                   c.deadline_us == UINT64_MAX ? "no deadline" : "a later deadline");
    }
    if (e.over || e.news) {
        trial_fail(t, "the call ended before its deadline; deadlines are on host->now_us, which "
                      "need not be this machine's clock");
    }
    client_close(&c);
    scene_close(&s);
}

const struct clause transport_interest_clauses[] = {
    { "transport.interest.readable", "Work that start makes makes the descriptor readable.",
      start_wakes, 0, 0 },
    { "transport.interest.rests-with-calls", "The host can sleep while a peer says nothing.",
      rests_while_a_peer_is_silent, 0, 0 },
    { "transport.interest.rests-without-calls", "The host can sleep while there is no call.",
      rests_without_calls, 0, 0 },
    { "transport.interest.clock", "Deadlines are on the host's clock.", uses_the_hosts_clock, 0,
      0 },
    CLAUSES_END,
};
