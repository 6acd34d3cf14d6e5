/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tokens that are being fetched: one operation of the library for all who wish the same. What
 * callers wish is kept from becoming more requests to the service than its owner would make: first
 * the token that is there is looked at; only if it will not do there is a refresh, one at a time,
 * which comes to its end even if all who waited for it have gone, and after one that brought a new
 * token nobody gets another for half a minute.
 */
#ifndef Q_GRANT_H
#define Q_GRANT_H

#include "ahead.h"
#include "request.h"
#include "session.h"

struct grant {
    struct grant *next;
    struct aq_op *op; /* NULL: waits for the refresh that is going on */
    struct request request;
    bool looks;   /* op refreshes nothing; if the token will not do, a refresh is next */
    bool limited; /* so soon after a refresh that nothing but the token that is there is given */
    char warning[sizeof(((struct aq_error *)NULL)->text)];
};

struct grants {
    struct session *session;
    struct ahead ahead;
    struct grant *running;
    struct grant *refresh; /* the one of them that may refresh; NULL: none */
    struct aq_error why;   /* the last refresh failed; status is AQ_OK if it did not */
    uint64_t refreshed_us; /* when a new token was seen last; 0: never */
    bool external; /* the last token is renewed by somebody else: nobody refreshes it here */
};

/* A token that fits this request: the grant that is running already, or a new one. NULL: err. */
struct grant *grants_ask(struct grants *g, const struct request *request, uint64_t now_us,
                         struct aq_error *err);

/* True if one can go on at once: the client's descriptor does not tell of it. */
bool grants_are_ahead(const struct grants *g);

/*
 * Go on. AQ_OK: *ret_token is there, until the next call; AQ_AGAIN; AQ_END: it is over, end it; or
 * why there is no token.
 */
aq_status grants_next(struct grants *g, struct grant *grant, uint64_t now_us,
                      const struct aq_token **ret_token, struct aq_error *err);

/* End one, whatever its state; a refresh that was sent is saved in the background. */
void grants_end(struct grants *g, struct grant *grant);

#endif
