/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request and what came of it: started, driven, read when it was reported ready, and finished.
 *
 *     scene_open(&s, t, answers);
 *     client_open(&c, &s);
 *     exchange_run(&e, &c, way, "/ok", NULL);
 *     exchange_expect_end(&e);
 *     exchange_finish(&e);
 *     client_close(&c);
 *     scene_close(&s);
 */
#ifndef CONFORMANCE_EXCHANGE_H
#define CONFORMANCE_EXCHANGE_H

#include "client.h"

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
    bool is_lent;   /* the plugin is given these very bytes, which will change */
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
void exchange_expect_well(struct client *c);

#endif
