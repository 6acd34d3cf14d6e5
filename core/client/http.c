/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP operation: a request as the caller made it, and the answer as it came. */
#include "base/error.h"
#include "base/options.h"
#include "client/feed.h"

#include <amazonq/http.h>

struct http_op {
    struct aq_op op;
    struct feed feed;
    struct aq_exchange *exchange; /* the caller's, once it shall understand the body */
    bool has_head, has_body;      /* reported */
};

/* ---- what is reported ---- */

static aq_status http_head(struct http_op *h, const struct aq_event **ret, struct aq_error *err)
{
    struct aq_response response;
    aq_status st = transport_response(&h->feed.call, &response, err);
    if (st == AQ_OK) {
        struct aq_event *event = op_event(&h->op, AQ_EVENT_HEAD);
        event->http = response.status;
        event->name = response.protocol;
        event->headers =
            (const struct aq_exchange_header *)(const void *)response.headers; /* same members */
        event->header_count = response.header_count;
        event->header_stride = response.header_stride;
        h->has_head = true;
        *ret = event;
    }
    return st;
}

static aq_status http_body(struct http_op *h, const struct aq_event **ret, struct aq_error *err)
{
    struct aq_bytes bytes = { NULL, 0 };
    aq_status st = feed_read(&h->feed, &bytes, err);
    if (st == AQ_OK) {
        struct aq_event *event = op_event(&h->op, AQ_EVENT_BODY);
        event->payload = bytes;
        h->has_body = true;
        *ret = event;
    }
    return st;
}

static aq_status http_message(struct http_op *h, const struct aq_event **ret, struct aq_error *err)
{
    aq_status st;
    while ((st = aq_exchange_next(h->exchange, clock_now_us(), ret, err)) == AQ_AGAIN) {
        st = transport_is_active(&h->feed.call) ? feed_pull(&h->feed, h->exchange, err) : AQ_AGAIN;
        if (st != AQ_OK) {
            return st;
        }
    }
    return st;
}

static aq_status http_next(struct aq_op *op, const struct aq_event **ret, struct aq_error *err)
{
    struct http_op *h = (struct http_op *)op;
    aq_status st = h->exchange   ? http_message(h, ret, err)
                   : h->has_head ? http_body(h, ret, err)
                                 : http_head(h, ret, err);
    if (st == AQ_OK || st == AQ_AGAIN) {
        return st;
    }
    transport_finish(&h->feed.call);
    return op_end(op, st, err);
}

static void http_done(struct aq_op *op, bool forked)
{
    feed_done(&((struct http_op *)op)->feed, forked);
}

static const struct op_class http_class = {
    .next = http_next,
    .done = http_done,
    .size = sizeof(struct http_op),
};

/* ---- starting one ---- */

static aq_status http_send(struct http_op *h, const struct aq_http_options *options,
                           struct aq_error *err)
{
    const struct aq_request request = {
        .method = options->method.len ? options->method
                  : options->body.len ? AQ_STR("POST")
                                      : AQ_STR("GET"),
        .url = options->url,
        .headers = (const struct aq_header *)(const void *)options->headers, /* same members */
        .header_count = options->header_count,
        .header_stride = options->header_stride,
        .body = options->body,
        .connect_timeout_ms = options->connect_timeout_ms,
        .first_byte_timeout_ms = options->first_byte_timeout_ms,
        .idle_timeout_ms = options->idle_timeout_ms,
    };
    return client_send(&h->op, &request, &h->feed.call, err);
}

aq_status aq_http_start(struct aq_client *client, const struct aq_http_options *options,
                        struct aq_op **ret, struct aq_error *err)
{
    struct aq_http_options known = AQ_HTTP_OPTIONS_INIT;
    struct aq_error local;
    err = err ? err : &local;
    aq_status st = client_usable(client, err);
    if (st != AQ_OK) {
        return st;
    }
    if (!options_copy(&known, sizeof(known), options)) {
        return error_set(err, AQ_E_INVALID, "http options: struct_size is not set");
    }
    struct http_op *h = (struct http_op *)op_new(client, &http_class, NULL);
    if (!h) {
        return error_nomem(err, "http operation");
    }
    h->feed.client = client;
    st = http_send(h, &known, err);
    if (st != AQ_OK) {
        op_destroy(&h->op, false);
        return st;
    }
    op_ready(&h->op);
    *ret = &h->op;
    return AQ_OK;
}

aq_status aq_http_feed(struct aq_op *op, struct aq_exchange *x, struct aq_error *err)
{
    struct http_op *h = (struct http_op *)op;
    aq_status st = client_check(op->client, err);
    if (st != AQ_OK) {
        return st;
    }
    if (op->class != &http_class || !h->has_head || h->has_body || h->exchange) {
        return error_set(err, AQ_E_STATE,
                         "http operation: its body can be fed to an exchange once, after the head");
    }
    h->exchange = x;
    op_ready(op);
    return AQ_OK;
}
