/* SPDX-License-Identifier: Apache-2.0 */
/* The body: every byte, in time, and no more than is read. */
#include "exchange.h"
#include "suite.h"

#include <stdio.h>
#include <string.h>

#define KIBIBYTE UINT64_C(1024)
#define MEBIBYTE (KIBIBYTE * 1024)
#define ENDLESS (24 * MEBIBYTE)
#define TAKEN_MAX (16 * MEBIBYTE) /* what the kernel holds beside what the transport does */

enum { CALLS = 50, PIECES = 5, PIECE = 7 };

static const struct lab_answer bodies[] = {
    { .path = "/0", .body_len = 0 },
    { .path = "/1", .body_len = 1 },
    { .path = "/64k", .body_len = 64 * KIBIBYTE },
    { .path = "/8m", .body_len = 8 * MEBIBYTE },
    { .path = "/chunked-0", .body_len = 0, .chunked = true },
    { .path = "/chunked-1", .body_len = 1, .chunked = true },
    { .path = "/chunked-64k", .body_len = 64 * KIBIBYTE, .chunked = true },
    { .path = "/pieces", .body_len = PIECES * PIECE, .piece_len = PIECE },
    { .path = "/endless", .body_len = ENDLESS },
    { .path = NULL },
};

static void read_all(struct client *c, const struct way *way, const struct lab_answer *a,
                     size_t cap)
{
    struct exchange e;
    exchange_start(&e, c, way, a->path, NULL);
    e.read_cap = cap;
    exchange_until_over(&e);
    exchange_expect_pattern(&e, a->body_len);
    exchange_finish(&e);
}

static void is_exact(struct trial *t)
{
    struct scene s;
    struct client c;
    scene_open(&s, t, bodies);
    client_open(&c, &s);
    for (const struct way *w = scene_next(&s, NULL); w; w = scene_next(&s, w)) {
        for (const struct lab_answer *a = bodies; !a->piece_len; a++) {
            read_all(&c, w, a, 0);
            if (a->body_len <= 64 * KIBIBYTE) {
                read_all(&c, w, a, 1);
            }
        }
    }
    client_close(&c);
    scene_close(&s);
}

static void comes_as_it_is_sent(struct trial *t)
{
    struct scene s;
    struct client c;
    scene_open(&s, t, bodies);
    client_open(&c, &s);
    for (const struct way *w = scene_next(&s, NULL); w; w = scene_next(&s, w)) {
        struct exchange e;
        exchange_start(&e, &c, w, "/pieces", NULL);
        exchange_until_head(&e);
        for (unsigned i = 1; i <= PIECES; i++) {
            lab_go(&s.lab);
            exchange_until_bytes(&e, (uint64_t)i * PIECE); /* the next is not sent before */
        }
        exchange_until_over(&e);
        exchange_expect_pattern(&e, PIECES * PIECE);
        exchange_finish(&e);
    }
    client_close(&c);
    scene_close(&s);
}

static void stops_the_peer(struct trial *t)
{
    struct scene s;
    scene_open(&s, t, bodies);
    for (const struct way *w = scene_next(&s, NULL); w; w = scene_next(&s, w)) {
        struct client c;
        struct exchange e;
        client_open(&c, &s);
        const unsigned long long before = atomic_load(&s.lab.record->said[w->listener]);
        exchange_start(&e, &c, w, "/endless", NULL);
        e.stop_reading = true;
        exchange_until_head(&e);
        client_settle_both(&c); /* until nothing is taken from the peer any more */
        const uint64_t taken = atomic_load(&s.lab.record->said[w->listener]) - before;
        if (taken > TAKEN_MAX) {
            trial_fail(t,
                       "%s: the peer could send %llu MiB to a call that nobody reads; stop "
                       "reading from it when about 1 MiB is held",
                       w->name, (unsigned long long)(taken / MEBIBYTE));
        }
        e.stop_reading = false;
        exchange_pull(&e);
        exchange_until_bytes(&e, taken + 2 * MEBIBYTE); /* and goes on when it is read */
        exchange_finish(&e);
        client_close(&c);
    }
    scene_close(&s);
}

static void holds_up_no_other(struct trial *t)
{
    struct scene s;
    scene_open(&s, t, bodies);
    for (const struct way *w = scene_next(&s, NULL); w; w = scene_next(&s, w)) {
        struct client c;
        struct exchange unread;
        struct exchange e;
        client_open(&c, &s);
        exchange_start(&unread, &c, w, "/endless", NULL);
        unread.stop_reading = true;
        exchange_until_head(&unread);
        client_settle_both(&c); /* until nothing is taken from the peer any more */
        for (int i = 0; i < 3; i++) {
            exchange_run(&e, &c, w, "/64k", NULL);
            exchange_expect_pattern(&e, 64 * KIBIBYTE);
            exchange_finish(&e);
        }
        exchange_finish(&unread);
        client_close(&c);
    }
    scene_close(&s);
}

static void runs_many_calls_at_once(struct trial *t)
{
    static struct exchange calls[CALLS];
    const struct ask ask = { .method = "POST", .body = "x", .body_len = 1 };
    struct scene s;
    struct client c;
    scene_open(&s, t, bodies);
    client_open(&c, &s);
    for (const struct way *w = scene_next(&s, NULL); w; w = scene_next(&s, w)) {
        for (size_t i = 0; i < CALLS; i++) {
            exchange_start(&calls[i], &c, w, i % 2 ? "/64k" : "/pieces", &ask);
        }
        for (size_t i = 0; i < CALLS; i++) {
            exchange_until_head(&calls[i]);
        }
        for (size_t i = 0; i < PIECES; i++) {
            lab_go(&s.lab);
        }
        for (size_t i = 0; i < CALLS; i++) {
            exchange_until_over(&calls[i]);
            exchange_expect_pattern(&calls[i], i % 2 ? 64 * KIBIBYTE : PIECES * PIECE);
        }
        for (size_t i = 0; i < CALLS; i++) {
            exchange_finish(&calls[i]);
        }
    }
    client_close(&c);
    scene_close(&s);
}

const struct clause transport_body_clauses[] = {
    { "transport.body.exact", "Every byte of a body is given, once and in order, then AQ_END.",
      is_exact, 0, 0 },
    { "transport.body.in-time", "What a peer has sent is given before it sends more.",
      comes_as_it_is_sent, 0, 0 },
    { "transport.body.backpressure", "A call that is not read stops reading from its peer.",
      stops_the_peer, 0, 0 },
    { "transport.calls.independent", "A call that is not read holds up no other.",
      holds_up_no_other, 0, 0 },
    { "transport.calls.many", "Fifty calls run at once.", runs_many_calls_at_once, 0, 0 },
    CLAUSES_END,
};
