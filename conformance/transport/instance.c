/* SPDX-License-Identifier: Apache-2.0 */
/* Instances, and what they speak. */
#include "exchange.h"
#include "suite.h"

#include <stdio.h>
#include <string.h>

enum { SEQUENCE = 6 };

static void opens(struct trial *t)
{
    struct scene s;
    struct client c;
    scene_open_unknown(&s, t, NULL);
    client_open(&c, &s);
    client_interest(&c);
    client_close(&c);
    scene_close(&s);
}

static void opens_quietly(struct trial *t)
{
    struct scene s;
    struct client c;
    scene_open_unknown(&s, t, NULL);
    client_open(&c, &s);
    client_interest(&c);
    if (client_is_readable(&c) || c.deadline_us != UINT64_MAX) {
        trial_fail(t, "a new instance wants to be stepped; without a call it has nothing to do");
    }
    client_close(&c);
    scene_close(&s);
}

static void takes_null(struct trial *t)
{
    struct scene s;
    struct client c;
    scene_open_unknown(&s, t, NULL);
    client_open(&c, &s);
    trial_enter(t, "finish(NULL)", 0, NULL);
    c.ops->finish(NULL);
    trial_leave(t, "finish(NULL)");
    trial_enter(t, "close(NULL)", 0, NULL);
    c.ops->close(NULL);
    trial_leave(t, "close(NULL)");
    client_close(&c);
    scene_close(&s);
}

static void check_protocol(struct client *c, const struct way *way)
{
    struct exchange e;
    exchange_run(&e, c, way, "/", NULL);
    exchange_expect_text(&e, "ok");
    const struct aq_str said = e.response.protocol;
    if (said.len != strlen(way->protocol) || memcmp(said.ptr, way->protocol, said.len) != 0) {
        trial_fail(c->trial, "%s: the protocol was said to be \"%.*s\"; this was %s", e.url,
                   AQ_STR_ARG(said), way->protocol);
    }
    exchange_finish(&e);
}

static void speaks(struct trial *t)
{
    struct scene s;
    struct client c;
    scene_open_unknown(&s, t, NULL);
    if (!scene_find_ways(&s) || !scene_with_tls(&s)) {
        trial_fail(t,
                   "it speaks neither HTTP/1.1 over TLS (%s) nor HTTP/2 over TLS (%s) with the "
                   "lab%s",
                   s.refusal[2], s.refusal[3],
                   trial_declares(t, "ca_bundle")
                       ? ""
                       : "; it declares no setting 'ca_bundle', by which a user, and the lab, "
                         "names an authority to trust");
    }
    if (!s.speaks[0] && !s.speaks[1]) {
        trial_fail(t,
                   "it speaks neither plain HTTP/1.1 (%s) nor plain HTTP/2 (%s) with this machine",
                   s.refusal[0], s.refusal[1]);
    }
    client_open(&c, &s);
    for (const struct way *w = scene_next(&s, NULL); w; w = scene_next(&s, w)) {
        check_protocol(&c, w);
    }
    client_close(&c);
    for (int i = 0; i < WAYS; i++) {
        if (!s.speaks[i]) {
            trial_note(t, "does not speak %s: %s", ways[i].name, s.refusal[i]);
        }
    }
    scene_close(&s);
}

static void reuses_connections(struct trial *t)
{
    struct scene s;
    struct client c;
    scene_open(&s, t, NULL);
    client_open(&c, &s);
    for (const struct way *w = scene_next(&s, NULL); w; w = scene_next(&s, w)) {
        const unsigned before = atomic_load(&s.lab.record->accepted[w->listener]);
        for (int i = 0; i < SEQUENCE; i++) {
            struct exchange e;
            exchange_run(&e, &c, w, "/", NULL);
            exchange_expect_text(&e, "ok");
            exchange_finish(&e);
        }
        if (atomic_load(&s.lab.record->accepted[w->listener]) - before == SEQUENCE) {
            trial_fail(t, "%s: %d calls, one after the other, each opened a connection of its own",
                       w->name, SEQUENCE);
        }
    }
    client_close(&c);
    scene_close(&s);
}

static const struct lab_answer last[] = { { .path = "/last", .text = "ok", .closes = true },
                                          { .path = NULL } };

/* Until the lab has no connection any more, and then some: the transport hears of it. */
static void let_go(struct client *c)
{
    do {
        client_settle(c, 10);
    } while (lab_open_connections(&c->scene->lab) > 0 && trial_now_us() < c->trial->deadline_us);
    client_settle(c, 10);
}

static void forgets_connections(struct trial *t)
{
    struct scene s;
    struct client c;
    struct exchange e;
    scene_open(&s, t, last);
    client_open(&c, &s);
    for (const struct way *w = scene_next(&s, NULL); w; w = scene_next(&s, w)) {
        for (int i = 0; i < 3; i++) {
            exchange_run(&e, &c, w, "/last", NULL);
            exchange_expect_text(&e, "ok");
            exchange_finish(&e);
            let_go(&c);
        }
    }
    client_close(&c);
    scene_close(&s);
}

static const struct lab_answer paced[] = { { .path = "/paced", .body_len = 10, .piece_len = 5 },
                                           { .path = NULL } };

static void instances_are_apart(struct trial *t)
{
    struct scene s;
    struct client one;
    struct client two;
    struct exchange e1;
    struct exchange e2;
    scene_open(&s, t, paced);
    const struct way *way = scene_next(&s, NULL);
    client_open(&one, &s);
    client_open(&two, &s);
    exchange_start(&e1, &one, way, "/paced", NULL);
    exchange_until_head(&e1);
    exchange_run(&e2, &two, way, "/", NULL);
    exchange_expect_text(&e2, "ok");
    exchange_finish(&e2);
    client_close(&two);
    lab_go(&s.lab);
    lab_go(&s.lab);
    exchange_until_over(&e1);
    exchange_expect_pattern(&e1, 10);
    exchange_finish(&e1);
    client_close(&one);
    scene_close(&s);
}

const struct clause transport_instance_clauses[] = {
    { "transport.open", "An instance can be opened, and closed again.", opens, CLAUSE_GATE, 0 },
    { "transport.open.quiet", "open connects to nobody: a new instance has nothing to do.",
      opens_quietly, 0, 0 },
    { "transport.null", "finish and close accept NULL.", takes_null, CLAUSE_RETURNS, 0 },
    { "transport.protocols",
      "HTTP/1.1 or HTTP/2, over TLS and in plain to this machine; the response names which.",
      speaks, 0, 0 },
    { "transport.connections.reused", "A connection is used again.", reuses_connections, 0, 0 },
    { "transport.connections.closed",
      "An idle connection that its peer has closed is forgotten, and not used.",
      forgets_connections, 0, 0 },
    { "transport.instances.apart", "Two instances know nothing of each other.", instances_are_apart,
      0, 0 },
    CLAUSES_END,
};
