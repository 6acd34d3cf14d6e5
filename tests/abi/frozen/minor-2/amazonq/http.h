/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AMAZONQ_HTTP_H
#define AMAZONQ_HTTP_H

/*
 * One HTTP request over the client's transport, for programs and bindings that make requests of
 * their own. What the service expects is not known here: an exchange (amazonq/exchange.h) makes the
 * request and understands the answer. Both join without the answer's bytes passing the caller:
 *
 *     aq_http_start(client, the exchange's request, &op)
 *     AQ_EVENT_HEAD           aq_exchange_response(x, ...), then aq_http_feed(op, x)
 *     from now on             events of the exchange come from aq_op_next(op)
 *     AQ_EVENT_RETRY or
 *     AQ_EVENT_NEED_TOKEN     free the op; go on with aq_exchange_next(x)
 */

#include <amazonq/client.h>
#include <amazonq/exchange.h>

#ifdef __cplusplus
extern "C" {
#endif

/** An HTTP request. Zero-initialise, then set struct_size. Everything is borrowed for the call. */
struct aq_http_options {
    uint32_t struct_size;
    uint32_t header_count;
    uint32_t header_stride; /* bytes from one header to the next; 0 means sizeof(*headers) */
    uint32_t reserved;
    struct aq_str method; /* empty means GET, or POST if there is a body */
    struct aq_str url;    /* absolute; https, or http to a loopback address */
    const struct aq_exchange_header *headers;
    struct aq_bytes body;

    /* Deadlines in milliseconds; 0 means the default. */
    uint32_t connect_timeout_ms;    /* name, connection and TLS together; 10 s */
    uint32_t first_byte_timeout_ms; /* from the last byte sent to the head of the answer; 60 s */
    uint32_t idle_timeout_ms;       /* between two pieces of the body while it is read; 60 s */
    uint32_t reserved2;
};

#define AQ_HTTP_OPTIONS_INIT \
    { \
        sizeof(struct aq_http_options), 0, 0, 0, { NULL, 0 }, { NULL, 0 }, NULL, { NULL, 0 }, 0, \
            0, 0, 0 \
    }

/**
 * Start a request. Reports AQ_EVENT_HEAD once (any status: a redirect is not followed, nothing is
 * repeated or decompressed), then AQ_EVENT_BODY for each piece of the body, then AQ_END. Never
 * blocks.
 *
 * The operation fails with the network's errors (AQ_E_NETWORK ... AQ_E_LIMIT); AQ_ERROR_NOT_SENT in
 * the error's flags says that the peer cannot have acted on the request.
 *
 * @return AQ_OK, AQ_E_INVALID, AQ_E_NOMEM, AQ_E_FORKED, or the transport's or plugin's own error
 * Threads: the client's.  Since: 0.1
 */
AQ_API aq_status aq_http_start(struct aq_client *client, const struct aq_http_options *options,
                               struct aq_op **ret, struct aq_error *err);

/**
 * Give the body to an exchange from now on: aq_op_next(op) reports the exchange's events in place
 * of AQ_EVENT_BODY, and ends as the exchange ends. Allowed once, after AQ_EVENT_HEAD and before the
 * first AQ_EVENT_BODY.
 *
 * @param x  has been told the head of the answer; borrowed until op is freed, and to be used
 *           through op only until then. If op is freed before AQ_EVENT_RETRY, AQ_EVENT_NEED_TOKEN
 *           or the end, the rest of the answer is gone: ask x for its fault or free it, no more.
 * @return AQ_OK, AQ_E_STATE, AQ_E_NOMEM
 * Threads: the client's.  Since: 0.1
 */
AQ_API aq_status aq_http_feed(struct aq_op *op, struct aq_exchange *x, struct aq_error *err);

#ifdef __cplusplus
}
#endif

#endif
