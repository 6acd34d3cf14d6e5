/* SPDX-License-Identifier: Apache-2.0 */
/* The request of an exchange: the same in every attempt but for the token, and at every site. */
#ifndef AQ_WIRE_REQUEST_H
#define AQ_WIRE_REQUEST_H

#include "base/buf.h"
#include "wire/chat.h"
#include "wire/random.h"
#include "wire/retry.h"
#include "wire/signer.h"

#include <amazonq/exchange.h>

enum {
    REQUEST_HEADERS = 9 + SIGNER_HEADERS,
    REQUEST_ATTEMPT_MAX = 48, /* "attempt=1; max=3" */
};

struct request {
    const struct chat_call *call;
    struct buf url;
    struct buf region; /* empty: the user named the endpoint, and there is no other */
    uint32_t site;     /* that is asked */
    uint32_t asked;    /* bit by bit, the sites that were */
    struct buf body;
    struct buf authorization;
    struct signer signer; /* with an access key, in place of a token */
    struct buf rejected;  /* the token before that one, if the service refused it */
    struct buf user_agent;
    char invocation_id[RANDOM_UUID_LEN + 1];
    char attempt_text[REQUEST_ATTEMPT_MAX];
    struct aq_exchange_header headers[REQUEST_HEADERS];
    struct aq_str token_type; /* static text, as the service calls it; empty: not to be told */
    bool opt_out;
    bool model_named; /* a guess for whole bodies; it only tells "overloaded" from "failed" */
};

/* Make it, in zeroed memory; request_done gives everything back either way. */
aq_status request_init(struct request *r, const struct aq_exchange_options *options,
                       struct random *random, struct aq_error *err);
void request_done(struct request *r);

/* It is not sent again: give back all but its tokens, for the answer may take long. */
void request_accepted(struct request *r);

/* Ask a site that was not asked yet from now on. False if there is none. */
bool request_elsewhere(struct request *r);

/* Name of the site that is asked; empty if the user named the endpoint. */
struct aq_str request_site(const struct request *r);

/* Host that is asked. */
struct aq_str request_host(const struct request *r);

/* Another token in place of the one that was refused. */
aq_status request_renew_token(struct request *r, struct aq_str token, struct aq_error *err);

/* True if s repeats a token that was sent, or the secret of an access key. */
bool request_reveals_token(const struct request *r, struct aq_str s);

/* The token that is sent; empty with an access key. */
struct aq_str request_token(const struct request *r);

/* What to send in this attempt: views that are valid until the next call. struct_size of *ret is
 * set, and says how much is written. AQ_E_NOMEM. */
aq_status request_show(struct request *r, const struct retry *retry,
                       struct aq_exchange_request *ret, struct aq_error *err);

#endif
