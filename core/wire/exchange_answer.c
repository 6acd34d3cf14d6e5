/* SPDX-License-Identifier: Apache-2.0 */
/* What an answer leads to, as its parts come in: a stream or a reply, another attempt, the end.
 * What the service's words mean is in head.c and fault.c, how frames are cut in eventstream.c. */
#include "base/error.h"
#include "base/json.h"
#include "base/str.h"
#include "wire/exchange.h"
#include "wire/head.h"

enum {
    ERROR_BODY_MAX = 64 * 1024, /* bytes; the rest of a longer one is ignored */
    REPLY_MAX = 16 * 1024 * 1024,
};

/* --- what follows from an answer --- */

/* Take what was said first for what was said last, and the other way round. */
static void swap_refusal(struct aq_exchange *x)
{
    const struct failure last = x->failure;
    x->failure = x->refusal;
    x->refusal = last;
}

aq_status exchange_give_up(struct aq_exchange *x)
{
    if (x->elsewhere) {
        swap_refusal(x);
    }
    x->phase = EXCHANGE_FAILED;
    return x->failure.error.status;
}

/* End because the head or the body of the answer is not what it must be. */
static void fail_answer(struct aq_exchange *x, aq_status status, const char *problem)
{
    error_set(&x->failure.error, status, "service: %s", problem);
    x->failure.error.http = x->http;
    exchange_give_up(x);
}

/* Repeat the request, or fail with x->failure. */
static void retry_or_fail(struct aq_exchange *x, enum fault_repeat repeat, bool names_delay)
{
    if (retry_again(&x->retry, repeat, names_delay, &x->random, &x->delay_ms)) {
        x->phase = EXCHANGE_RETRY_DUE;
    } else {
        exchange_give_up(x);
    }
}

/* This site does not take the login: ask the next one, if there is one. */
static bool ask_elsewhere(struct aq_exchange *x)
{
    if (!request_elsewhere(&x->request)) {
        return false;
    }
    if (!x->elsewhere) {
        swap_refusal(x);
    }
    x->elsewhere = true;
    x->phase = EXCHANGE_ELSEWHERE_DUE;
    return true;
}

/* The body of a refusal is here, as far as it came: decide what to do. */
static void decide(struct aq_exchange *x)
{
    struct fault fault = { .http = x->http,
                           .model_named = x->request.model_named,
                           .is_signed = signer_is_set(&x->request.signer) };
    fault_read(&fault, buf_str(&x->error_type), buf_str(&x->collected), &x->scratch);
    if (buf_status(&x->scratch) != AQ_OK) {
        fail_answer(x, AQ_E_NOMEM, "out of memory for the answer");
        return;
    }
    aq_status st = failure_explain(&x->failure, &fault, &x->request, buf_str(&x->request_id));
    if (st == AQ_E_AUTH && !x->token_renewed && !x->elsewhere && !fault.is_signed) {
        x->phase = EXCHANGE_TOKEN_DUE;
        return;
    }
    if (st == AQ_E_AUTH && fault.is_signed && x->date_s &&
        signer_correct(&x->request.signer, x->date_s)) {
        x->delay_ms = 0;
        x->phase = EXCHANGE_RETRY_DUE;
        return;
    }
    bool refused = fault_refuses_login(&fault);
    if (refused && ask_elsewhere(x)) {
        return;
    }
    x->elsewhere = x->elsewhere && refused; /* it is taken here, and something else is wrong */
    retry_or_fail(x, st == AQ_E_AUTH ? FAULT_RETRY_NEVER : fault_retry(&fault),
                  fault_names_delay(&fault));
}

aq_status exchange_except(struct aq_exchange *x, const struct eventstream_message *m)
{
    struct fault fault = { .model_named = x->request.model_named,
                           .is_signed = signer_is_set(&x->request.signer) };
    if (m->kind == EVENTSTREAM_ERROR) {
        fault.code = m->error_code;
        fault.message = m->error_message;
    } else {
        fault_read(&fault, AQ_STR(""), str_of_bytes(m->payload), &x->scratch);
        fault.code = fault.code.len ? fault.code : m->exception_type;
    }
    if (buf_status(&x->scratch) != AQ_OK) {
        fail_answer(x, AQ_E_NOMEM, "out of memory for the answer");
        return x->failure.error.status;
    }
    failure_explain(&x->failure, &fault, &x->request, buf_str(&x->request_id));
    return exchange_give_up(x);
}

/* --- the answer --- */

/* Keep what is needed later. */
static void keep_head(struct aq_exchange *x, const struct head *head)
{
    buf_clear(&x->request_id);
    buf_add(&x->request_id, head->request_id);
    buf_clear(&x->error_type);
    buf_add(&x->error_type, head->error_type);
    retry_heed(&x->retry, head);
}

/* A 2xx answer: the exchange is decided, nothing is repeated from here on. */
static void accept(struct aq_exchange *x, const struct head *head)
{
    if (head_is_compressed(head)) {
        fail_answer(x, AQ_E_PROTOCOL,
                    "the answer is compressed, which nobody asked for; check the proxy");
        return;
    }
    if (x->request.call->streams && head_is_no_stream(head)) {
        fail_answer(x, AQ_E_PROTOCOL,
                    "the answer is not an event stream; check the endpoint and the proxy");
        return;
    }
    x->elsewhere = false;
    x->phase = x->request.call->streams ? EXCHANGE_STREAM : EXCHANGE_REPLY;
    request_accepted(&x->request);
    x->collected.max = REPLY_MAX;
    x->response_due = true;
}

static void redirect(struct aq_exchange *x, const struct head *head)
{
    struct aq_str host = head_redirect_host(head);
    bool hidden = host.len == 0 || request_reveals_token(&x->request, head->location);
    error_set(&x->failure.error, AQ_E_PROTOCOL,
              "service: redirect to %.*s refused (HTTP %d), check the endpoint and the proxy",
              AQ_STR_ARG(hidden ? AQ_STR("another place") : host), (int)x->http);
    x->failure.error.http = x->http;
    exchange_give_up(x);
}

/* Calls that do not fit the phase. After a failure nobody has heard of, they are ignored: the
 * caller is still handing over the answer. */
static aq_status refuse_call(const struct aq_exchange *x, struct aq_error *err)
{
    if (x->phase == EXCHANGE_FAILED && !x->failure_reported) {
        return AQ_OK;
    }
    return error_set(err, AQ_E_STATE, "exchange: no answer is expected now, see aq_exchange_next");
}

aq_status aq_exchange_response(struct aq_exchange *x, int32_t status,
                               const struct aq_exchange_header *headers, uint32_t count,
                               uint32_t stride, struct aq_error *err)
{
    struct head head;
    if (x->phase != EXCHANGE_SENT) {
        return refuse_call(x, err);
    }
    x->http = status;
    buf_clear(&x->collected);
    head_read(headers, count, stride, &head);
    keep_head(x, &head);
    x->date_s = head.date_s;

    if (buf_status(&x->request_id) != AQ_OK || buf_status(&x->error_type) != AQ_OK) {
        fail_answer(x, AQ_E_NOMEM, "out of memory for the answer");
    } else if (status >= 200 && status <= 299) {
        accept(x, &head);
    } else if (status >= 300 && status <= 399) {
        redirect(x, &head);
    } else {
        x->phase = EXCHANGE_REFUSED;
        x->collected.max = ERROR_BODY_MAX;
    }
    return AQ_OK;
}

static void collect(struct aq_exchange *x, struct aq_bytes data)
{
    if (x->phase == EXCHANGE_REFUSED && data.len > ERROR_BODY_MAX - x->collected.len) {
        data.len = ERROR_BODY_MAX - x->collected.len;
    }
    buf_add_bytes(&x->collected, data);
    if (buf_status(&x->collected) == AQ_E_LIMIT) {
        fail_answer(x, AQ_E_LIMIT, "the answer is longer than 16 MiB, ask for less");
    } else if (buf_status(&x->collected) != AQ_OK) {
        fail_answer(x, AQ_E_NOMEM, "out of memory for the answer");
    } else if (x->phase == EXCHANGE_REFUSED && x->collected.len == ERROR_BODY_MAX) {
        decide(x); /* enough was said; the rest may never end */
    }
}

aq_status aq_exchange_feed(struct aq_exchange *x, const uint8_t *data, size_t len,
                           struct aq_error *err)
{
    struct aq_bytes bytes = { data, len };
    if (x->phase == EXCHANGE_STREAM && !x->broken) {
        return eventstream_feed(&x->decoder, bytes, err);
    }
    if (x->phase == EXCHANGE_REFUSED || x->phase == EXCHANGE_REPLY) {
        collect(x, bytes);
        return AQ_OK;
    }
    return refuse_call(x, err);
}

static void finish_reply(struct aq_exchange *x)
{
    struct json_reader r = json_reader(buf_str(&x->collected));
    if (json_object(&r) && json_finish(&r)) {
        x->phase = EXCHANGE_REPLY_DUE;
        return;
    }
    fail_answer(x, AQ_E_PROTOCOL,
                "the answer is not a JSON object; check the endpoint and the proxy");
}

aq_status aq_exchange_finish(struct aq_exchange *x, struct aq_error *err)
{
    switch (x->phase) {
    case EXCHANGE_REFUSED:
        decide(x);
        return AQ_OK;
    case EXCHANGE_STREAM:
        eventstream_finish(&x->decoder);
        return AQ_OK;
    case EXCHANGE_REPLY:
        finish_reply(x);
        return AQ_OK;
    default:
        return refuse_call(x, err);
    }
}

aq_status aq_exchange_fail(struct aq_exchange *x, const struct aq_error *why, struct aq_error *err)
{
    switch (x->phase) {
    case EXCHANGE_SENT:
        x->http = 0;
        retry_heed(&x->retry, NULL);
        failure_break(&x->failure, why);
        retry_or_fail(x, retry_of_break(&x->failure.error), false);
        return AQ_OK;
    case EXCHANGE_REFUSED: /* the status says enough */
        decide(x);
        return AQ_OK;
    case EXCHANGE_STREAM: /* after the events that are here */
        failure_break(&x->failure, why);
        x->broken = true;
        return AQ_OK;
    case EXCHANGE_REPLY:
        failure_break(&x->failure, why);
        exchange_give_up(x);
        return AQ_OK;
    default:
        return refuse_call(x, err);
    }
}
