/* SPDX-License-Identifier: Apache-2.0 */
/* Between a transport and an exchange: the request, and the bytes of one answer after another. */
#ifndef AQ_CLIENT_FEED_H
#define AQ_CLIENT_FEED_H

#include "client/client.h"

#include <amazonq/exchange.h>

struct feed {
    struct aq_client *client;
    struct transport_call call;
    uint8_t *chunk; /* FEED_SIZE bytes, or NULL; the exchange borrows them between reads */
    size_t used;    /* of them, at most, since it was taken */
};

enum { FEED_SIZE = 64 * 1024 }; /* fewer, larger reads cost less (docs/performance.md) */

/* What the exchange wants to be sent, as a transport takes it; valid as long as the exchange is in
 * that state. */
aq_status feed_request(struct aq_exchange *x, struct aq_request *ret, struct aq_error *err);

/* Read the next piece of the body, which is valid until the next call; as transport_read. */
aq_status feed_read(struct feed *feed, struct aq_bytes *ret, struct aq_error *err);

/* Hand the next piece of the body, its end, or what broke it to the exchange. AQ_OK: look at the
 * exchange; AQ_AGAIN: nothing is here; else the exchange did not take it. */
aq_status feed_pull(struct feed *feed, struct aq_exchange *x, struct aq_error *err);

/* End the call and tell the exchange that it broke, and why: *err. */
aq_status feed_break(struct feed *feed, struct aq_exchange *x, struct aq_error *err);

/* End the call, give back the memory. forked: touch nothing but memory. */
void feed_done(struct feed *feed, bool forked);

#endif
