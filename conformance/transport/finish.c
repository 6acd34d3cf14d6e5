/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that end early: at any point, and without waiting. That finish and close return at once is
 * watched over wherever they are called; here they are called at the bad moments. */
#include "exchange.h"
#include "stall.h"
#include "suite.h"

#include <stdio.h>

enum { POINTS = 24, STEP_WAIT_MS = 20 };

static const struct lab_answer answers[] = {
    { .path = "/silent", .fate = LAB_HANGS, .fate_at = LAB_BEFORE_HEAD },
    { .path = "/stalls", .body_len = 1000, .fate = LAB_HANGS, .fate_at = 5 },
    { .path = "/big", .body_len = 4 * 1024 * 1024 },
    { .path = NULL },
};

static void expect_quiet(struct trial *t, const struct scene *s, const char *when)
{
    if (!scene_is_quiet(s)) {
        trial_fail(t, "%s, %u of its connections are still open; finish cancels, close closes",
                   when, lab_open_connections(&s->lab));
    }
}

/* Make so many steps, as far as there is something to do. */
static void drive(struct exchange *e, unsigned steps)
{
    while (steps-- > 0 && !e->over && client_wait(e->client, STEP_WAIT_MS)) {
        if (e->news) {
            exchange_pull(e);
        }
    }
}

static void can_end_at_any_point(struct trial *t)
{
    static const char *const paths[] = { "/", "/big" };
    struct scene s;
    struct client c;
    scene_open(&s, t, answers);
    client_open(&c, &s);
    for (const struct way *w = scene_next(&s, NULL); w; w = scene_next(&s, w)) {
        for (unsigned point = 0; point < POINTS; point++) {
            struct exchange e;
            exchange_start(&e, &c, w, paths[point % 2], NULL);
            drive(&e, point / 2);
            exchange_finish(&e);
            exchange_run(&e, &c, w, "/", NULL); /* the next one notices nothing of it */
            exchange_expect_text(&e, "ok");
            exchange_finish(&e);
        }
    }
    client_close(&c);
    expect_quiet(t, &s, "after close");
    scene_close(&s);
}

/* While the host has not read what ready said, and before it steps again. */
static void can_end_unread(struct trial *t)
{
    struct scene s;
    struct client c;
    scene_open(&s, t, answers);
    client_open(&c, &s);
    for (const struct way *w = scene_next(&s, NULL); w; w = scene_next(&s, w)) {
        struct exchange e;
        struct exchange other;
        exchange_start(&e, &c, w, "/big", NULL);
        exchange_start(&other, &c, w, "/", NULL);
        while (!e.news) {
            client_wait(&c, 1000);
        }
        exchange_finish(&e);
        exchange_until_over(&other);
        exchange_expect_text(&other, "ok");
        exchange_finish(&other);
    }
    exchange_expect_well(&c);
    client_close(&c);
    scene_close(&s);
}

/* A call to a peer that does nothing: the handshake, the answer, the rest of a body. */
static void stall(struct exchange *e, struct client *c, const struct way *way, int phase)
{
    struct scene *s = c->scene;
    const unsigned before = atomic_load(&s->lab.record->accepted[LAB_SILENT]);
    switch (phase) {
    case 0:
        exchange_start_url(e, c, lab_url(&s->lab, LAB_SILENT, "/"), NULL);
        while (atomic_load(&s->lab.record->accepted[LAB_SILENT]) == before) {
            client_wait(c, 5);
        }
        break;
    case 1:
        exchange_start(e, c, way, "/silent", NULL);
        exchange_until_seen(e, "/silent");
        break;
    default:
        exchange_start(e, c, way, "/stalls", NULL);
        exchange_until_bytes(e, 5);
    }
}

static void can_end_while_a_peer_stalls(struct trial *t)
{
    struct scene s;
    scene_open(&s, t, answers);
    for (const struct way *w = scene_next(&s, NULL); w; w = scene_next(&s, w)) {
        for (int phase = 0; phase < 3; phase++) {
            struct client c;
            struct exchange e;
            struct exchange other;
            client_open(&c, &s);
            stall(&e, &c, w, phase);
            exchange_run(&other, &c, w, "/", NULL); /* others go on */
            exchange_expect_text(&other, "ok");
            exchange_finish(&other);
            exchange_finish(&e);
            client_settle(&c, 5);
            exchange_expect_well(&c);
            client_close(&c);
            expect_quiet(t, &s, "after a peer stalled, and close");
        }
    }
    scene_close(&s);
}

/* All at once, without a step in between. */
static void can_be_closed_in_the_middle(struct trial *t)
{
    enum { CALLS = 12, LAST = 32 };
    struct scene s;
    scene_open(&s, t, answers);
    for (unsigned steps = 0; steps <= LAST; steps += 8) {
        struct client c;
        struct exchange calls[CALLS];
        size_t count = 0;
        client_open(&c, &s);
        for (const struct way *w = scene_next(&s, NULL); w; w = scene_next(&s, w)) {
            exchange_start(&calls[count++], &c, w, "/big", NULL);
            exchange_start(&calls[count++], &c, w, "/silent", NULL);
            exchange_start(&calls[count++], &c, w, "/", NULL);
        }
        for (unsigned i = 0; i < steps && client_wait(&c, STEP_WAIT_MS); i++) {
        }
        if (steps == LAST) { /* at least then, however busy the machine is */
            exchange_until_seen(&calls[1], "/silent");
        }
        while (count) {
            exchange_finish(&calls[--count]);
        }
        client_close(&c);
        expect_quiet(t, &s, "after calls were finished and the instance closed at once");
    }
    scene_close(&s);
}

static void does_not_wait_for_names(struct trial *t)
{
    struct scene s;
    struct client c;
    struct exchange e;
    struct exchange other;
    int name_server = stall_names(t);
    scene_open(&s, t, answers);
    client_open(&c, &s);
    exchange_start_url(&e, &c, "https://hangs.example/", NULL);
    for (int i = 0; !stall_was_asked(name_server); i++) {
        if (i == 1000) {
            trial_skip(t, "it did not ask the name server of /etc/resolv.conf");
        }
        client_wait(&c, 10);
    }
    exchange_run(&other, &c, scene_next(&s, NULL), "/", NULL);
    exchange_expect_text(&other, "ok");
    exchange_finish(&other);
    exchange_finish(&e);
    client_settle(&c, 5);
    exchange_expect_well(&c);
    client_close(&c);
    scene_close(&s);
}

const struct clause transport_finish_clauses[] = {
    { "transport.finish.any-point", "A call can be finished at any point.", can_end_at_any_point, 0,
      120 },
    { "transport.finish.unread", "A call that has something to read can be finished unread.",
      can_end_unread, 0, 0 },
    { "transport.finish.stalled", "A call whose peer stalls can be finished, and others go on.",
      can_end_while_a_peer_stalls, 0, 0 },
    { "transport.finish.name", "A call whose name is being resolved can be finished.",
      does_not_wait_for_names, 0, 0 },
    { "transport.close.in-the-middle", "The last finish and close need no step between them.",
      can_be_closed_in_the_middle, 0, 0 },
    CLAUSES_END,
};
