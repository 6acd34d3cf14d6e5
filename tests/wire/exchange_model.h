/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A model of an exchange: what must be told, and when. Whoever drives the exchange says what was
 * put into it with expect...(), and lets hear() compare.
 */
#ifndef AQ_TESTS_WIRE_EXCHANGE_MODEL_H
#define AQ_TESTS_WIRE_EXCHANGE_MODEL_H

#include "base/buf.h"
#include "cmocka_all.h"

#include <amazonq/exchange.h>
#include <stdbool.h>

#define AT_ONCE 0 /* an outcome that waits for no byte of the body */

enum { OUTCOMES_MAX = 16, TEXT_MAX = 48, ENDS = 64 };

/* What aq_exchange_next must say when so many bytes of the body were fed and this time has come. */
struct outcome {
    size_t at;
    uint64_t not_before_us;
    aq_status status; /* AQ_OK: an event of this type */
    int32_t type;
    int32_t http;
    uint32_t attempt, least_ms, most_ms; /* of AQ_EVENT_RETRY */
    bool is_text;                        /* of AQ_EVENT_MESSAGE: a known type, or a new one */
    char text[TEXT_MAX];                 /* payload of a message or a reply */
};

enum phase {
    TO_SEND,
    SENT,      /* the answer may come */
    ANSWERING, /* its head is here */
    DECIDED,   /* how it goes on is known, and not yet told */
    WAITING,   /* for the time of the next attempt */
    ASKING,    /* for a token */
    OVER,
};

struct trace {
    uint64_t seed;
    uint64_t random;
    struct aq_exchange *x;
    bool streams;
    enum phase phase;
    aq_status end; /* once it was told; AQ_OK before */

    uint64_t now_us;
    uint64_t deadline_us;
    uint32_t attempt, max_attempts;
    bool renewed;
    bool begun; /* the answer was accepted */

    struct outcome outcomes[OUTCOMES_MAX];
    size_t outcome_count, outcomes_told;
    struct buf body;
    size_t fed;
    uint8_t *lent;
    unsigned serial; /* of the last message */
};

#define CHECK(t, condition) \
    do { \
        if (!(condition)) { \
            fail_msg("AQ_TEST_SEED=%llu AQ_TEST_TRACES=1: %s", (unsigned long long)(t)->seed, \
                     #condition); \
        } \
    } while (0)

enum repeat { NEVER, SOON, THROTTLED };

/* A number below the limit, which is not 0; true once in n times. */
size_t below(struct trace *t, size_t limit);
bool one_in(struct trace *t, size_t n);
uint64_t next_random(struct trace *t);

/* An event of this type comes next, when so many bytes were fed; or the end. */
struct outcome *expect_event(struct trace *t, size_t at, int32_t type);
void expect_end(struct trace *t, size_t at, aq_status status);

/* The attempt came to nothing: it is repeated, if that can help, or it was the last.
 * named_delay_ms: what the service wishes, or -1. */
void expect_repetition(struct trace *t, aq_status status, int32_t http, enum repeat repeat,
                       int64_t named_delay_ms);

/* The token was rejected: another one is asked for, once. */
void expect_token_wish(struct trace *t, int32_t http);

/* Hear all that there is to be told now, and no more; then what was lent is given back. */
void hear(struct trace *t);

/* After the end there is only the end. */
void check_over(struct trace *t);

/* A call that does not fit is refused; while the caller has not heard of a failure, it is ignored.
 */
void check_refused(struct trace *t, aq_status st);

void give_back(struct trace *t);

/* How often each end was met, by its status without the sign; AQ_END is 0. */
extern unsigned ends[ENDS];

#endif
