/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One instance of the transport, used as the host uses it: it waits on the descriptor and the
 * deadline and on nothing else, steps, and reads what was reported ready. Meanwhile it watches over
 * what holds at all times (always.c), and forgives it, so that each clause judges its own matter.
 *
 *     struct scene s;
 *     struct client c;
 *     struct exchange e;
 *     scene_open(&s, t, answers);
 *     client_open(&c, &s);
 *     exchange_run(&e, &c, way->listener, "/ok", NULL);
 *     exchange_expect_end(&e);
 *     exchange_finish(&e);
 *     client_close(&c);
 *     scene_close(&s);
 */
#ifndef CONFORMANCE_CLIENT_H
#define CONFORMANCE_CLIENT_H

#include "lab/lab.h"
#include "witness.h"

/* ---- the lab, and which of its protocols the transport speaks ---- */

enum { WAYS = 4 };

struct way {
    enum lab_listener listener;
    bool tls, http2;
    const char *protocol; /* as a response names it */
    const char *name;     /* "HTTP/2 over TLS" */
};

extern const struct way ways[WAYS];

struct scene {
    struct trial *trial;
    struct lab lab;
    bool speaks[WAYS];
    char refusal[WAYS][200]; /* what it said of those that it does not speak */
};

/* Start the lab and find out. Skips the trial if the transport speaks nothing at all. "/" is
 * answered with "ok" if the table does not say otherwise. */
void scene_open(struct scene *s, struct trial *t, const struct lab_answer *answers);
void scene_close(struct scene *s);

/* The same in two steps: start the lab; find out. False: nothing at all. */
void scene_open_unknown(struct scene *s, struct trial *t, const struct lab_answer *answers);
bool scene_find_ways(struct scene *s);

/* The ways that it speaks, one after the other: for (w = scene_next(s, NULL); w; w = ...) */
const struct way *scene_next(const struct scene *s, const struct way *before);

/* The first that is or is not so; NULL if there is none. */
const struct way *scene_with_tls(const struct scene *s);
const struct way *scene_with_http2(const struct scene *s, bool http2);

/* Wait until nobody has a connection to the lab any more. False: some stay. */
bool scene_is_quiet(const struct scene *s);

/* ---- an instance ---- */

struct client {
    struct trial *trial;
    struct scene *scene;
    struct witness witness;
    const struct aq_transport_ops *ops;
    void *self;
    int32_t fd; /* as interest said */
    uint64_t deadline_us;
    uint64_t stepped_us; /* when the last step began */
    unsigned overdue;    /* steps in a row that were due before the one before */
    unsigned steps;
    unsigned said;              /* times that ready was called */
    struct exchange *exchanges; /* under way */
    bool is_probe;              /* finding out what it speaks */
    bool may_fail;              /* a step that fails ends the calls, not the clause */
};

void client_open(struct client *c, struct scene *s);
aq_status client_try_open(struct client *c, struct scene *s);
void client_close(struct client *c);

/* Ask what to wait for. */
void client_interest(struct client *c);
bool client_is_readable(const struct client *c);

/* Wait for at most so long, then step if it is due. False: it was not. */
bool client_wait(struct client *c, int timeout_ms);
aq_status client_step(struct client *c);

/* Go on until nothing was due for so long. */
void client_settle(struct client *c, int quiet_ms);

/* Let the host's clock, and no other, move on. */
void client_advance(struct client *c, uint32_t ms);

/* ---- a request and what came of it ---- */

struct exchange {
    struct client *client;
    struct exchange *next;
    void *call;
    uintptr_t cookie;
    unsigned seen_before; /* requests that the lab had seen at its start */
    char url[256];
    bool news; /* ready was said, and not read down since */
    bool head;
    bool stop_reading; /* leave the body where it is */
    bool over;
    aq_status status; /* AQ_OK until it is over; then AQ_END, or an error: */
    struct aq_error error;
    struct aq_response response;
    size_t read_cap; /* bytes asked for at a time; 0: 64 KiB */
    uint64_t body_len;
    uint64_t body_sum;
    bool differs; /* from the lab's pattern, first here: */
    uint64_t differs_at;
    char text[64]; /* the first bytes of the body */
};

/* Options of a request; zero: GET, no deadlines. */
struct ask {
    const char *method;
    const char *fields; /* "name: value\n" ... */
    const void *body;
    size_t body_len;
    uint32_t connect_ms, first_byte_ms, idle_ms, total_ms;
    uint32_t max_header_bytes;
    uint32_t flags; /* AQ_REQUEST_... */
};

aq_status exchange_try_start(struct exchange *e, struct client *c, const char *url,
                             const struct ask *ask);
void exchange_start(struct exchange *e, struct client *c, const struct way *way, const char *path,
                    const struct ask *ask);
void exchange_start_url(struct exchange *e, struct client *c, const char *url,
                        const struct ask *ask);

/* Drive the client until it is so; the clause fails when nothing happens for ten seconds. */
void exchange_until_over(struct exchange *e);
void exchange_until_head(struct exchange *e);
void exchange_until_bytes(struct exchange *e, uint64_t len);

/* Until the lab has seen the whole of this request; path is that of its URL. */
void exchange_until_seen(struct exchange *e, const char *path);

/* Read what is there, as the host does after ready. */
void exchange_pull(struct exchange *e);
void exchange_finish(struct exchange *e);

/* From start to end, without finish. */
void exchange_run(struct exchange *e, struct client *c, const struct way *way, const char *path,
                  const struct ask *ask);

/* Fail the clause unless it ended like this. */
void exchange_expect_end(const struct exchange *e);
void exchange_expect_text(const struct exchange *e, const char *text);
void exchange_expect_pattern(const struct exchange *e, uint64_t len);
void exchange_expect_error(const struct exchange *e, aq_status status, const char *why);

/* The value of a response's field, the n-th of that name; {NULL, 0} if there is none. */
struct aq_str exchange_field(const struct exchange *e, const char *name, unsigned n);

/* What the transport tells of it: zeroed before, as the host does. */
aq_status exchange_facts(struct exchange *e, struct aq_facts *ret);

/* A GET of "/" on every way works, as it did before. */
void client_expect_well(struct client *c);

#endif
