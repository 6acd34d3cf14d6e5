/* SPDX-License-Identifier: Apache-2.0 */
#include "client/probe.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/str.h"
#include "wire/timestamp.h"

enum {
    CONNECT_TIMEOUT_MS = 5 * 1000,
    ANSWER_TIMEOUT_MS = 10 * 1000,
    TOTAL_TIMEOUT_MS = 20 * 1000, /* also for a body that never ends */
};

/* Facts stay valid as long as the call, so it is kept until probe_done. */
void probe_done(struct probe *p, bool forked)
{
    if (p->active) {
        feed_done(&p->feed, forked);
    }
    aq_exchange_free(p->exchange);
    *p = (struct probe){ 0 };
}

static aq_status start(struct probe *p, struct aq_op *op, const struct aq_request *request)
{
    struct aq_request own = *request;
    own.flags = AQ_REQUEST_FACTS;
    own.connect_timeout_ms = CONNECT_TIMEOUT_MS;
    own.first_byte_timeout_ms = own.idle_timeout_ms = ANSWER_TIMEOUT_MS;
    own.total_timeout_ms = TOTAL_TIMEOUT_MS;
    p->feed.client = op->client;
    p->active = true;
    p->sent_s = clock_wall_s();
    return client_send(op, &own, &p->feed.call, &p->error);
}

/* What the service can do is the cheapest question that it answers to those it knows. */
static aq_status start_exchange(struct probe *p, struct aq_op *op, struct aq_str url,
                                struct aq_str token, struct aq_str token_kind,
                                struct aq_str profile_arn)
{
    struct aq_stream_options request = AQ_STREAM_OPTIONS_INIT;
    struct aq_exchange_options options = { .struct_size = sizeof(options), .request = &request };
    struct aq_request send;
    const struct aq_event *event;
    request.call = AQ_CALL_LIST_AVAILABLE_MODELS;
    request.access_token = token;
    request.token_kind = token_kind;
    request.profile_arn = profile_arn;
    options.endpoint = url;
    options.max_attempts = 1;
    aq_status st = aq_exchange_new_for(op->client, &options, &p->exchange, &p->error);
    if (st == AQ_OK) {
        st = aq_exchange_next(p->exchange, clock_now_us(), &event, &p->error); /* SEND */
    }
    if (st == AQ_OK) {
        st = feed_request(p->exchange, &send, &p->error);
    }
    return st == AQ_OK ? start(p, op, &send) : st;
}

aq_status probe_start(struct probe *p, struct aq_op *op, struct aq_str url, struct aq_str token,
                      struct aq_str token_kind, struct aq_str profile_arn)
{
    if (token.len) {
        return start_exchange(p, op, url, token, token_kind, profile_arn);
    }
    const struct aq_request send = { .method = AQ_STR("GET"), .url = url };
    return start(p, op, &send);
}

static void read_date(struct probe *p, const struct aq_response *response)
{
    int64_t theirs_s;
    p->has_date = timestamp_parse_http(transport_header(response, AQ_STR("date")), &theirs_s);
    if (p->has_date) { /* ours at some time between sending and now */
        const int64_t now_s = clock_wall_s();
        p->skew_s = theirs_s > now_s       ? theirs_s - now_s
                    : theirs_s < p->sent_s ? theirs_s - p->sent_s
                                           : 0;
    }
}

static aq_status read_head(struct probe *p)
{
    struct aq_response response;
    aq_status st = transport_response(&p->feed.call, &response, &p->error);
    if (st != AQ_OK) {
        return st;
    }
    p->answered = true;
    p->protocol =
        str_eq(response.protocol, AQ_STR("HTTP/2")) ? AQ_STR("HTTP/2") : AQ_STR("HTTP/1.1");
    read_date(p, &response);
    return p->exchange ? aq_exchange_response(
                             p->exchange, response.status,
                             (const struct aq_exchange_header *)(const void *)response.headers,
                             response.header_count, response.header_stride, &p->error)
                       : AQ_END;
}

/* The body goes by hand: feed_pull would end the call, and the facts with it. */
static aq_status read_body(struct probe *p)
{
    struct aq_bytes bytes = { NULL, 0 };
    struct aq_error why;
    aq_status st = feed_read(&p->feed, &bytes, &why);
    if (st == AQ_OK) {
        return aq_exchange_feed(p->exchange, bytes.ptr, bytes.len, &p->error);
    }
    return st == AQ_AGAIN ? AQ_AGAIN
           : st == AQ_END ? aq_exchange_finish(p->exchange, &p->error)
                          : aq_exchange_fail(p->exchange, &why, &p->error);
}

/* What the exchange makes of it. AQ_OK: it wants more. */
static aq_status judge(struct probe *p)
{
    const struct aq_event *event;
    aq_status st;
    while ((st = aq_exchange_next(p->exchange, clock_now_us(), &event, &p->error)) == AQ_OK) {
        if (event->type == AQ_EVENT_RESPONSE) {
            p->accepted = true;
            return AQ_END;
        }
        if (event->type == AQ_EVENT_NEED_TOKEN) {
            error_set(&p->error, AQ_E_AUTH, "service: the access token was rejected (HTTP %d)",
                      (int)event->http);
            return AQ_END;
        }
    }
    return st == AQ_AGAIN ? AQ_OK : AQ_END;
}

aq_status probe_run(struct probe *p)
{
    aq_status st = AQ_OK;
    while (st == AQ_OK) {
        st = !p->answered ? read_head(p) : read_body(p);
        if (st == AQ_OK) {
            st = judge(p);
        }
    }
    if (st == AQ_AGAIN) {
        return AQ_AGAIN;
    }
    transport_facts(&p->feed.call, &p->facts);
    return AQ_END;
}
