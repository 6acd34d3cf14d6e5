/* SPDX-License-Identifier: Apache-2.0 */
/* Every phase has a deadline, on the host's clock: only that is moved, and nobody waits. */
#include "exchange.h"
#include "suite.h"

#include <stdio.h>

#define MINUTE_MS 60000u
#define TENTH_MS (MINUTE_MS / 10)
#define BIG (20u * 1024 * 1024) /* more than the kernel holds */
#define LATER_MS (10 * MINUTE_MS)

static const struct lab_answer answers[] = {
    { .path = "/silent", .fate = LAB_HANGS, .fate_at = LAB_BEFORE_HEAD },
    { .path = "/stalls", .body_len = 1000, .fate = LAB_HANGS, .fate_at = 5 },
    { .path = "/big", .body_len = BIG },
    { .path = NULL },
};

/* Nothing of a deadline shows before, and at its time the call ends. */
static void miss(struct exchange *e, const char *what, bool may_have_been_sent)
{
    struct client *c = e->client;
    client_advance(c, MINUTE_MS - TENTH_MS);
    if (e->over) {
        trial_fail(c->trial, "%s: ended after nine tenths of the %s: %s", e->url, what,
                   e->status < 0 ? e->error.text : "AQ_END");
    }
    client_advance(c, 2 * TENTH_MS);
    if (!e->over) {
        trial_fail(c->trial, "%s: goes on after its %s has passed on the host's clock", e->url,
                   what);
    }
    exchange_expect_error(e, AQ_E_TIMEOUT, "a deadline had passed");
    if (may_have_been_sent && (e->error.flags & AQ_ERROR_NOT_SENT)) {
        trial_breach(c->trial, "transport.error.not-sent",
                     "%s: AQ_ERROR_NOT_SENT was set, though the peer had the whole request",
                     e->url);
    }
}

static void ends_connecting(struct trial *t)
{
    const struct ask ask = { .connect_ms = MINUTE_MS,
                             .first_byte_ms = LATER_MS,
                             .total_ms = LATER_MS };
    struct scene s;
    struct client c;
    struct exchange e;
    scene_open(&s, t, answers);
    if (!scene_with_tls(&s)) {
        trial_skip(t, "it speaks nothing over TLS, see transport.protocols");
    }
    client_open(&c, &s);
    exchange_start_url(&e, &c, lab_url(&s.lab, LAB_SILENT, "/"), &ask);
    while (atomic_load(&s.lab.record->heard[LAB_SILENT]) == 0) {
        client_wait(&c, 5);
    }
    miss(&e, "connect timeout, in the handshake", false);
    client_close(&c);
    scene_close(&s);
}

static void wait_for_answer(struct trial *t, const struct ask *ask, const char *path,
                            const char *what)
{
    struct scene s;
    scene_open(&s, t, answers);
    for (const struct way *w = scene_next(&s, NULL); w; w = scene_next(&s, w)) {
        struct client c;
        struct exchange e;
        client_open(&c, &s);
        exchange_start(&e, &c, w, path, ask);
        exchange_until_seen(&e, path);
        if (path[2] == 't') {
            exchange_until_bytes(&e, 5);
        }
        client_settle(&c, 5);
        miss(&e, what, true);
        client_close(&c);
    }
    scene_close(&s);
}

static void ends_waiting_for_the_head(struct trial *t)
{
    const struct ask ask = { .connect_ms = LATER_MS,
                             .first_byte_ms = MINUTE_MS,
                             .idle_ms = LATER_MS,
                             .total_ms = LATER_MS };
    wait_for_answer(t, &ask, "/silent", "first byte timeout");
}

static void ends_waiting_for_more(struct trial *t)
{
    const struct ask ask = { .connect_ms = LATER_MS,
                             .first_byte_ms = LATER_MS,
                             .idle_ms = MINUTE_MS,
                             .total_ms = LATER_MS };
    wait_for_answer(t, &ask, "/stalls", "idle timeout");
}

static void ends_when_it_takes_too_long(struct trial *t)
{
    const struct ask ask = { .connect_ms = LATER_MS,
                             .first_byte_ms = LATER_MS,
                             .idle_ms = LATER_MS,
                             .total_ms = MINUTE_MS };
    wait_for_answer(t, &ask, "/stalls", "total timeout");
    wait_for_answer(t, &ask, "/silent", "total timeout");
}

static void does_not_count_while_nobody_reads(struct trial *t)
{
    const struct ask ask = { .idle_ms = MINUTE_MS };
    struct scene s;
    scene_open(&s, t, answers);
    for (const struct way *w = scene_next(&s, NULL); w; w = scene_next(&s, w)) {
        struct client c;
        struct exchange e;
        client_open(&c, &s);
        exchange_start(&e, &c, w, "/big", &ask);
        e.stop_reading = true;
        exchange_until_head(&e);
        client_settle_both(&c);
        client_advance(&c, 2 * MINUTE_MS);
        e.stop_reading = false;
        exchange_pull(&e);
        exchange_until_over(&e);
        exchange_expect_pattern(&e, BIG);
        client_close(&c);
    }
    scene_close(&s);
}

const struct clause transport_timeout_clauses[] = {
    { "transport.timeout.connect", "connect_timeout_ms covers the connection and TLS.",
      ends_connecting, 0, 0 },
    { "transport.timeout.first-byte", "first_byte_timeout_ms ends a wait for the head.",
      ends_waiting_for_the_head, 0, 0 },
    { "transport.timeout.idle", "idle_timeout_ms ends a wait for more of the body.",
      ends_waiting_for_more, 0, 0 },
    { "transport.timeout.total", "total_timeout_ms counts from the start.",
      ends_when_it_takes_too_long, 0, 0 },
    { "transport.timeout.unread", "The idle time stands still while the host does not read.",
      does_not_count_while_nobody_reads, 0, 0 },
    CLAUSES_END,
};
