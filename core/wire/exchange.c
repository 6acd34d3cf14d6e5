/* SPDX-License-Identifier: Apache-2.0 */
/* The order of things: which call fits when, and what the caller is told. What an answer leads to
 * is in exchange_answer.c, what is sent in request.c, when again in retry.c. */
#include "wire/exchange.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/options.h"
#include "base/str.h"
#include "wire/chat.h"

#include <string.h>

/* --- making one --- */

static aq_status exchange_init(struct aq_exchange *x, const struct aq_exchange_options *options,
                               struct aq_error *err)
{
    random_begin(&x->random, options->seed);
    retry_begin(&x->retry, options->max_attempts);
    x->made_s = options->time_s;
    return request_init(&x->request, options, &x->random, err);
}

aq_status aq_exchange_new(const struct aq_exchange_options *options, struct aq_exchange **ret,
                          struct aq_error *err)
{
    struct aq_exchange_options known = { 0 };
    struct aq_stream_options request = AQ_STREAM_OPTIONS_INIT;
    if (!options_copy(&known, sizeof(known), options) ||
        !options_copy(&request, sizeof(request), known.request)) {
        return error_set(err, AQ_E_INVALID, "exchange: options are incomplete, set struct_size");
    }
    known.request = &request;
    struct aq_exchange *x = ALLOC(struct aq_exchange);
    if (!x) {
        return error_nomem(err, "exchange");
    }
    aq_status st = exchange_init(x, &known, err);
    if (st != AQ_OK) {
        aq_exchange_free(x);
        return st;
    }
    *ret = x;
    return AQ_OK;
}

void aq_exchange_free(struct aq_exchange *x)
{
    if (!x) {
        return;
    }
    request_done(&x->request);
    buf_done(&x->request_id);
    buf_done(&x->error_type);
    buf_done(&x->collected);
    buf_done(&x->scratch);
    failure_done(&x->failure);
    failure_done(&x->refusal);
    eventstream_done(&x->decoder);
    alloc_free(x, sizeof(*x));
}

/* --- the request --- */

aq_status aq_exchange_request(struct aq_exchange *x, struct aq_exchange_request *ret,
                              struct aq_error *err)
{
    if (x->phase != EXCHANGE_SENT) {
        return error_set(err, AQ_E_STATE,
                         "exchange: nothing is to be sent now, wait for the event");
    }
    return request_show(&x->request, &x->retry, ret, err);
}

aq_status aq_exchange_fault(const struct aq_exchange *x, struct aq_exchange_fault *ret)
{
    const struct aq_exchange_fault fault = {
        .struct_size = ret->struct_size,
        .http = x->http,
        .code = buf_str(&x->failure.code),
        .reason = buf_str(&x->failure.reason),
        .message = buf_str(&x->failure.message),
        .request_id = request_reveals_token(&x->request, buf_str(&x->request_id))
                          ? AQ_STR("")
                          : buf_str(&x->request_id),
    };
    if (ret->struct_size < sizeof(ret->struct_size)) {
        return AQ_E_INVALID;
    }
    memcpy(ret, &fault, ret->struct_size < sizeof(fault) ? ret->struct_size : sizeof(fault));
    return AQ_OK;
}

aq_status aq_exchange_give_token(struct aq_exchange *x, struct aq_str access_token,
                                 struct aq_error *err)
{
    if (x->phase != EXCHANGE_TOKEN_WAIT) {
        return error_set(err, AQ_E_STATE, "exchange: no token was asked for");
    }
    aq_status st = request_renew_token(&x->request, access_token, err);
    if (st == AQ_OK) {
        x->token_renewed = true;
        x->phase = EXCHANGE_SEND_DUE;
    }
    return st;
}

/* --- events --- */

static aq_status report(struct aq_exchange *x, int32_t type)
{
    x->event.type = type;
    return AQ_OK;
}

/* A signature names its time: that of the making, and what has passed since; or the service's. */
static aq_status report_send(struct aq_exchange *x, uint64_t now_us)
{
    x->begun_us = x->begun_us ? x->begun_us : now_us;
    x->request.signer.time_s =
        x->made_s + (int64_t)((now_us - x->begun_us) / 1000000) + x->request.signer.behind_s;
    x->phase = EXCHANGE_SENT;
    return report(x, AQ_EVENT_SEND);
}

static aq_status report_retry(struct aq_exchange *x, uint64_t now_us)
{
    x->phase = EXCHANGE_RETRY_WAIT;
    x->deadline_us = now_us + (uint64_t)x->delay_ms * 1000;
    x->event.attempt = x->retry.attempt;
    x->event.delay_ms = x->delay_ms;
    x->event.http = x->http;
    return report(x, AQ_EVENT_RETRY);
}

/* Attempts are counted anew: it is another service that may fail. */
static aq_status report_elsewhere(struct aq_exchange *x, uint64_t now_us)
{
    x->delay_ms = 0;
    aq_status st = report_retry(x, now_us);
    x->event.name = request_host(&x->request);
    retry_begin(&x->retry, x->retry.max_attempts);
    x->retry.attempt = 0; /* EXCHANGE_RETRY_WAIT counts it */
    return st;
}

static aq_status report_response(struct aq_exchange *x)
{
    x->response_due = false;
    x->event.name = request_site(&x->request);
    x->event.http = x->http;
    x->event.request_id = buf_str(&x->request_id);
    return report(x, AQ_EVENT_RESPONSE);
}

static aq_status report_message(struct aq_exchange *x, const struct eventstream_message *m)
{
    const struct chat_kind *kind = chat_kind_find(m->event_type);
    if (kind) {
        x->event.kind = kind->kind;
        aq_status st = chat_text(kind, m->payload, &x->scratch, &x->event.text, &x->failure.error);
        if (st != AQ_OK) {
            return exchange_give_up(x);
        }
    }
    x->event.name = m->event_type;
    x->event.payload = m->payload;
    return report(x, AQ_EVENT_MESSAGE);
}

static aq_status next_message(struct aq_exchange *x)
{
    struct eventstream_message m;
    aq_status st = eventstream_next(&x->decoder, &m, &x->failure.error);
    if (st == AQ_OK) {
        return m.kind == EVENTSTREAM_EVENT ? report_message(x, &m) : exchange_except(x, &m);
    }
    if (st == AQ_AGAIN && x->broken) {
        return exchange_give_up(x);
    }
    if (st == AQ_END) {
        x->phase = EXCHANGE_ENDED;
    }
    return st < 0 ? exchange_give_up(x) : st;
}

static aq_status advance(struct aq_exchange *x, uint64_t now_us)
{
    if (x->response_due) {
        return report_response(x);
    }
    switch (x->phase) {
    case EXCHANGE_STREAM:
        return next_message(x);
    case EXCHANGE_SEND_DUE:
        return report_send(x, now_us);
    case EXCHANGE_TOKEN_DUE:
        x->phase = EXCHANGE_TOKEN_WAIT;
        x->event.http = x->http;
        return report(x, AQ_EVENT_NEED_TOKEN);
    case EXCHANGE_RETRY_DUE:
        return report_retry(x, now_us);
    case EXCHANGE_ELSEWHERE_DUE:
        return report_elsewhere(x, now_us);
    case EXCHANGE_RETRY_WAIT:
        if (now_us < x->deadline_us) {
            return AQ_AGAIN;
        }
        x->retry.attempt++;
        return report_send(x, now_us);
    case EXCHANGE_REPLY_DUE:
        x->phase = EXCHANGE_ENDED;
        x->event.payload = buf_bytes(&x->collected);
        return report(x, AQ_EVENT_REPLY);
    case EXCHANGE_ENDED:
        return AQ_END;
    case EXCHANGE_FAILED:
        return x->failure.error.status;
    default:
        return AQ_AGAIN;
    }
}

aq_status aq_exchange_next(struct aq_exchange *x, uint64_t now_us, const struct aq_event **ret,
                           struct aq_error *err)
{
    x->event = (struct aq_event){ .struct_size = sizeof(x->event) };
    aq_status st = advance(x, now_us);
    if (st == AQ_OK) {
        *ret = &x->event;
    } else if (st < 0) {
        x->failure_reported = true;
        error_copy(err, &x->failure.error);
    }
    return st;
}

uint64_t aq_exchange_deadline(const struct aq_exchange *x)
{
    switch (x->phase) {
    case EXCHANGE_SEND_DUE:
    case EXCHANGE_TOKEN_DUE:
    case EXCHANGE_RETRY_DUE:
    case EXCHANGE_ELSEWHERE_DUE:
    case EXCHANGE_REPLY_DUE:
        return 0;
    case EXCHANGE_RETRY_WAIT:
        return x->deadline_us;
    default:
        return UINT64_MAX;
    }
}
