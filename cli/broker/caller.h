/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection to the broker: requests come in line by line, one at a time is answered. Nothing
 * here waits: what a caller does not read, or does not send, is its own loss.
 */
#ifndef Q_CALLER_H
#define Q_CALLER_H

#include "peers.h"
#include "request.h"
#include "text.h"

struct grant;

enum caller_state {
    CALLER_FREE,
    CALLER_READING, /* a request is awaited */
    CALLER_WAITING, /* for its grant */
    CALLER_WRITING, /* its answer is on its way */
};

struct caller {
    enum caller_state state;
    int fd;
    struct peer peer;
    uint64_t since_us; /* when it came into this state */
    struct request request;
    struct grant *grant; /* CALLER_WAITING: what it waits for */
    bool last;           /* nothing more is read from it */
    size_t in_len;
    char in[REQUEST_MAX];
    struct text out;
    size_t written;
};

void caller_begin(struct caller *c, int fd, struct peer peer, uint64_t now_us);
void caller_end(struct caller *c);

/*
 * Read what there is and take the next line apart.
 *
 * AQ_OK: c->request is new. AQ_AGAIN: not whole yet. AQ_END: it has gone. Negative: err is to be
 * sent to it, and c->last says whether the connection ends with that.
 */
aq_status caller_read(struct caller *c, struct aq_error *err);

/* True if its next request is here already: poll() does not tell of it. */
bool caller_is_ahead(const struct caller *c);

/* Send c->out, as far as it goes. AQ_OK: all of it; AQ_AGAIN; AQ_END: it has gone. */
aq_status caller_write(struct caller *c);

/* What to wait for. */
short caller_events(const struct caller *c);

/* Into this state. */
void caller_turn(struct caller *c, enum caller_state state, uint64_t now_us);

#endif
