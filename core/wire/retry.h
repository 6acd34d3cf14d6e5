/* SPDX-License-Identifier: Apache-2.0 */
/* How often a request is sent, and how long is waited before it is sent again. */
#ifndef AQ_WIRE_RETRY_H
#define AQ_WIRE_RETRY_H

#include "wire/fault.h"
#include "wire/head.h"
#include "wire/random.h"

struct retry {
    uint32_t attempt;      /* the one that is under way, from 1 */
    uint32_t max_attempts; /* no more than these */
    int64_t after_ms;      /* when the answer's head wants the next one; -1: not said */
    int64_t not_before_s;  /* when it may come at the earliest; -1: not said */
};

/* max_attempts 0: as many as is usual. */
void retry_begin(struct retry *r, uint32_t max_attempts);

/* What the head of an answer says about it; NULL: there was no answer. */
void retry_heed(struct retry *r, const struct head *head);

/*
 * May it be sent once more after this attempt, and when.
 *
 * names_delay  the fault is one with which after_ms counts
 */
bool retry_again(const struct retry *r, enum fault_repeat repeat, bool names_delay,
                 struct random *random, uint32_t *ret_delay_ms);

/* How an attempt that broke may be repeated: only if the service cannot have acted on it. */
enum fault_repeat retry_of_break(const struct aq_error *why);

#endif
