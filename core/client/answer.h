/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request of an operation, and the whole of its answer in memory: for services whose answers
 * are small and of use only when they are complete. What is long, or looked at while it comes, goes
 * through feed.h.
 *
 * Both size and time are bounded: ANSWER_MAX bytes of body, which are had before anything is sent,
 * so that no answer is lost for want of memory; the total timeout of the request, or else 12 s, and
 * 2 s more for a transport that forgets it. Nothing is sent twice; whoever asks again does so on
 * purpose.
 */
#ifndef AQ_CLIENT_ANSWER_H
#define AQ_CLIENT_ANSWER_H

#include "client/client.h"

enum { ANSWER_MAX = 64 * 1024 };

/* Zeroed before first use; does not move while it is awaited. */
struct answer {
    struct aq_op *op; /* woken when there is something to go on with */
    const char *from; /* who is asked, for errors: "sign-in service" */
    struct transport_call call;
    int32_t http;          /* status; 0 before it came */
    struct buf error_type; /* header x-amzn-errortype, or empty */
    struct buf body;
    uint64_t until_us; /* not awaited any longer */
};

/*
 * Send a request and await its answer in the place of an earlier one, which is wiped.
 *
 * from     static
 * request  as for client_send
 *
 * AQ_OK, or why it was not sent.
 */
aq_status answer_ask(struct answer *a, struct aq_op *op, const char *from,
                     const struct aq_request *request, struct aq_error *err);

/* The same for a POST of this body, with our user agent. */
aq_status answer_post(struct answer *a, struct aq_op *op, const char *from, struct aq_str url,
                      struct aq_str content_type, struct aq_bytes body, struct aq_error *err);

/* Sent, and not over yet. */
bool answer_is_awaited(const struct answer *a);

/*
 * AQ_OK: http, error_type and body are all of it, whatever the status, until it is asked again or
 * done. AQ_AGAIN: op is woken, at until_us at the latest. Else why there is none: AQ_E_TIMEOUT,
 * AQ_E_LIMIT, or what the transport says; without AQ_ERROR_NOT_SENT in its flags the request may
 * have had its effect all the same. Unless AQ_AGAIN the call is over.
 */
aq_status answer_wait(struct answer *a, struct aq_error *err);

/* End the call if need be, wipe and give back everything. forked: touch nothing but memory. */
void answer_done(struct answer *a, bool forked);

#endif
