/* SPDX-License-Identifier: Apache-2.0 */
/* What is inside an exchange; <amazonq/exchange.h> is its face. The order of things is in
 * exchange.c, what an answer leads to in exchange_answer.c. */
#ifndef AQ_WIRE_EXCHANGE_H
#define AQ_WIRE_EXCHANGE_H

#include "wire/eventstream.h"
#include "wire/failure.h"
#include "wire/request.h"
#include "wire/retry.h"

#include <amazonq/exchange.h>

/* Where an exchange is. "Due" means that the next call of aq_exchange_next reports it. */
enum exchange_phase {
    EXCHANGE_SEND_DUE,
    EXCHANGE_SENT,    /* until the head of the answer is here */
    EXCHANGE_REFUSED, /* until the body that says why is here */
    EXCHANGE_TOKEN_DUE,
    EXCHANGE_TOKEN_WAIT,
    EXCHANGE_RETRY_DUE,
    EXCHANGE_RETRY_WAIT,
    EXCHANGE_ELSEWHERE_DUE, /* another site is asked */
    EXCHANGE_STREAM,
    EXCHANGE_REPLY, /* until the whole body is here */
    EXCHANGE_REPLY_DUE,
    EXCHANGE_ENDED,
    EXCHANGE_FAILED,
};

struct aq_exchange {
    enum exchange_phase phase;
    struct request request;

    /* the attempts */
    struct random random;
    struct retry retry;
    uint32_t delay_ms;
    uint64_t deadline_us;
    bool token_renewed;
    int64_t made_s;    /* on the wall clock */
    uint64_t begun_us; /* when it was sent first; 0: not yet */

    /* the answer */
    int64_t date_s; /* 0: not said */
    int32_t http;
    bool response_due;
    struct buf request_id;
    struct buf error_type;
    struct buf collected; /* body of an error or a reply */
    struct eventstream_decoder decoder;
    struct buf scratch; /* text of the event last reported, if it had escapes */

    struct failure failure;
    bool broken; /* as failure says, but events are still to be read */
    bool failure_reported;

    /* what the site that was asked first said; it counts unless another one takes the login */
    bool elsewhere;
    struct failure refusal;

    struct aq_event event;
};

/* End with x->failure, which was filled before. Returns its status. */
__attribute__((cold)) aq_status exchange_give_up(struct aq_exchange *x);

/* End as an exception inside the stream says: nothing is repeated once events came. */
__attribute__((cold)) aq_status exchange_except(struct aq_exchange *x,
                                                const struct eventstream_message *m);

#endif
