/* SPDX-License-Identifier: Apache-2.0 */
/* One request to the sign-in service, and its answer as a whole. */
#ifndef AQ_CLIENT_SIGNIN_CALL_H
#define AQ_CLIENT_SIGNIN_CALL_H

#include "client/client.h"
#include "wire/signin.h"

struct signin_call {
    struct transport_call call;
    int32_t http; /* status of the answer; 0 before it came */
    struct buf error_type;
    struct buf body;
    uint64_t until_us; /* no answer is waited for any longer */
};

/* Append the URL of the service in this region, or the one the user named. `object` is what the
 * region belongs to, for an error. */
aq_status signin_url(const struct aq_client *client, struct aq_str object, struct aq_str region,
                     struct buf *out, struct aq_error *err);

/* POST a body, for this operation. */
aq_status signin_call_send(struct signin_call *c, struct aq_op *op, struct aq_str url,
                           struct aq_str body, struct aq_error *err);

bool signin_call_is_active(const struct signin_call *c);

/* AQ_OK: ret are views of the answer, valid until signin_call_end; AQ_AGAIN: op is woken, at
 * until_us at the latest if it asks for that; or why there is no answer. */
aq_status signin_call_wait(struct signin_call *c, struct signin_answer *ret, struct aq_error *err);

/* End it, wipe the answer. */
void signin_call_end(struct signin_call *c, bool forked);

#endif
