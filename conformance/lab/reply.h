/* SPDX-License-Identifier: Apache-2.0 */
/* The body of an answer, as far as its fate and its pace allow. */
#ifndef CONFORMANCE_REPLY_H
#define CONFORMANCE_REPLY_H

#include "lab.h"

struct reply {
    const struct lab_answer *answer;
    uint64_t made;   /* bytes so far */
    uint64_t let_go; /* pieces */
    bool headless;   /* no body belongs to it: HEAD, 204, 304 */
};

enum reply_state {
    REPLY_MORE,
    REPLY_WAITS,
    REPLY_ENDS,
    REPLY_BREAKS, /* now its fate comes */
};

uint64_t reply_length(const struct reply *reply);
bool reply_breaks_before_head(const struct reply *reply);
enum reply_state reply_state(const struct reply *reply);

/* The next bytes; 0 unless its state is REPLY_MORE. */
size_t reply_take(struct reply *reply, uint8_t *buf, size_t cap);

#endif
