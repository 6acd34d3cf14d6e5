/* SPDX-License-Identifier: Apache-2.0 */
/* One request and its response; timing.h has its phases. */
#ifndef TRANSPORT_CURL_CALL_H
#define TRANSPORT_CURL_CALL_H

#include <amazonq/plugin.h>
#include <curl/curl.h>
#include <stdbool.h>
#include <sys/queue.h>

#include "body.h"
#include "facts.h"
#include "head.h"
#include "outgoing.h"
#include "timing.h"

struct transport;

struct call {
    struct transport *transport;
    TAILQ_ENTRY(call) link;
    TAILQ_ENTRY(call) ready_link;
    TAILQ_ENTRY(call) resume_link;
    void *cookie;
    CURL *easy;
    struct outgoing outgoing;
    struct head head;
    struct body body;
    struct aq_error error; /* why it ended; status is AQ_OK if it did not, or ended well */
    struct facts *facts;   /* NULL: nobody will ask */

    struct timing timing;

    char said[CURL_ERROR_SIZE]; /* what libcurl says of a failure, in its own words */
    long size_before;           /* bytes that libcurl had sent (to a proxy) before the request */
    bool attempted;             /* libcurl has begun to send the request */
    bool stale;                 /* the connection to be used again was closed: it needs a new one */
    bool in_multi;              /* libcurl works on it */
    bool resolving;             /* its resolver may be at work */
    bool refused;               /* it must not connect or send any more */
    bool link_local;            /* plain http may go there, too */
    bool elsewhere;             /* an address was not this machine's, and it is plain http */
    bool forgotten;             /* the host has finished it */
    bool paused;                /* body is full */
    bool awaited;     /* the host has seen AQ_AGAIN, or nothing yet: report the next news */
    bool error_given; /* from then on there is nothing else */
    bool in_ready;    /* is in transport->ready */
    bool in_resume;   /* is in transport->resume */
};

/* Start a request; *ret_call is owned by the transport until call_finish. */
aq_status call_start(struct transport *transport, const struct aq_request *request, void *cookie,
                     struct call **ret_call, struct aq_error *err);

aq_status call_response(struct call *call, struct aq_response *ret, struct aq_error *err);
aq_status call_read(struct call *call, uint8_t *buf, size_t cap, size_t *ret_len,
                    struct aq_error *err);
void call_finish(struct call *call);

/* libcurl is through with it. */
void call_complete(struct call *call, CURLcode code);

/* Let libcurl deliver again after a pause. */
void call_resume(struct call *call);

/* End it if a deadline has passed; else return the next one. */
uint64_t call_expire(struct call *call, uint64_t now_us);

/* End it with an error of the instance. */
void call_fail(struct call *call, const struct aq_error *error);

/* Free it without a word to libcurl or the peer. */
void call_free(struct call *call);

#endif
