/* SPDX-License-Identifier: Apache-2.0 */
/* One request and its response; timing.h has its phases. */
#ifndef TRANSPORT_H2_CALL_H
#define TRANSPORT_H2_CALL_H

#include <amazonq/plugin.h>
#include <stdbool.h>
#include <sys/queue.h>

#include "body.h"
#include "facts.h"
#include "head.h"
#include "outgoing.h"
#include "timing.h"

struct connection;
struct transport;

/* What is held of a response that nobody reads: the window of its stream. */
#define CALL_WINDOW_BYTES (1024u * 1024u)

struct call {
    struct transport *transport;
    TAILQ_ENTRY(call) link;       /* in transport->calls */
    TAILQ_ENTRY(call) queue_link; /* in transport->waiting, or a list of its connection */
    TAILQ_ENTRY(call) ready_link;
    void *cookie;
    struct connection *connection; /* NULL: in transport->waiting, or over */
    int32_t stream_id;             /* 0: none yet */
    struct outgoing outgoing;
    struct head head;
    struct body body;
    struct aq_error error; /* why it ended; status is AQ_OK if it did not, or ended well */
    struct facts *facts;   /* NULL: nobody will ask */

    struct timing timing;

    size_t consumed;  /* bytes read by the host since its window was looked at */
    uint64_t mark;    /* what its socket had queued before the request, once that is attempted */
    bool attempted;   /* the request was queued */
    bool closed;      /* its stream is gone */
    bool awaited;     /* the host has seen AQ_AGAIN, or nothing yet: report the next news */
    bool error_given; /* from then on there is nothing else */
    bool queued;      /* is in transport->waiting, or a list of its connection */
    bool in_ready;    /* is in transport->ready */
};

TAILQ_HEAD(call_list, call);

/* For the host. */

/* Start a request; *ret_call is owned by the transport until call_finish. */
aq_status call_start(struct transport *transport, const struct aq_request *request, void *cookie,
                     struct call **ret_call, struct aq_error *err);
aq_status call_response(struct call *call, struct aq_response *ret, struct aq_error *err);
aq_status call_read(struct call *call, uint8_t *buf, size_t cap, size_t *ret_len,
                    struct aq_error *err);
void call_finish(struct call *call);

/* For the connection, in the order in which they come. */

void call_connecting(struct call *call);
void call_sending(struct call *call, uint64_t mark);
void call_sent_some(struct call *call);

/* False: the call has failed; its stream is to be reset. */
bool call_take_field(struct call *call, struct aq_str name, struct aq_str value);
bool call_take_head_end(struct call *call);
bool call_take_body(struct call *call, const void *bytes, size_t len);

/* The response is complete. */
void call_complete(struct call *call);

/* End it with an error, if it is not over. A network error in the middle of an answer means that
 * the answer is cut off. The connection has been told, or tells. */
void call_fail(struct call *call, aq_status status, const char *what, int sys);
void call_fail_as(struct call *call, const struct aq_error *error);

/* The peer promises that it did not process the request. */
void call_refuse(struct call *call, const char *what);

/* End it if a deadline has passed; else return the next one. */
uint64_t call_expire(struct call *call, uint64_t now_us);

/* Free it without a word to its connection. */
void call_free(struct call *call);

#endif
