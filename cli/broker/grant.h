/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tokens that are being fetched: one operation of the library for all who wish the same. What
 * callers wish is kept from becoming more requests to the service than its owner would make: within
 * half a minute of a refresh there is no second one.
 */
#ifndef Q_GRANT_H
#define Q_GRANT_H

#include "ahead.h"
#include "request.h"
#include "session.h"

struct grant {
    struct grant *next;
    struct aq_op *op;
    struct aq_token_options wish;
    bool limited; /* so soon after a refresh that nothing but the token that is there is given */
    bool forced;
    char warning[sizeof(((struct aq_error *)NULL)->text)];
};

struct grants {
    struct session *session;
    struct ahead ahead;
    struct grant *running;
    uint64_t refreshed_us; /* when a new token was seen last; 0: never */
};

/* A token that fits this request: the grant that is running already, or a new one. NULL: err. */
struct grant *grants_ask(struct grants *g, const struct request *request, uint64_t now_us,
                         struct aq_error *err);

/*
 * Go on. AQ_OK: *ret_token is there, until the next call; AQ_AGAIN; AQ_END: it is over, end it; or
 * why there is no token.
 */
aq_status grants_next(struct grants *g, struct grant *grant, uint64_t now_us,
                      const struct aq_token **ret_token, struct aq_error *err);

/* End one, whatever its state; a refresh that was sent is saved in the background. */
void grants_end(struct grants *g, struct grant *grant);

#endif
