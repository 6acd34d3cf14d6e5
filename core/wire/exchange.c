/* SPDX-License-Identifier: Apache-2.0 */
/* The order of things: which call fits when, what is repeated, what the caller is told. What is
 * sent is in request.c, when again in retry.c; what the service's words mean is in head.c, fault.c
 * and chat.c, how frames are cut in eventstream.c. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/json.h"
#include "base/options.h"
#include "base/str.h"
#include "wire/chat.h"
#include "wire/eventstream.h"
#include "wire/fault.h"
#include "wire/head.h"
#include "wire/request.h"
#include "wire/retry.h"

#include <amazonq/exchange.h>
#include <string.h>

enum {
    ERROR_BODY_MAX = 64 * 1024, /* bytes; the rest of a longer one is ignored */
    REPLY_MAX = 16 * 1024 * 1024,
};

/* Where an exchange is. "Due" means that the next call of aq_exchange_next reports it. */
enum phase {
    SEND_DUE,
    SENT,    /* until the head of the answer is here */
    REFUSED, /* until the body that says why is here */
    TOKEN_DUE,
    TOKEN_WAIT,
    RETRY_DUE,
    RETRY_WAIT,
    ELSEWHERE_DUE, /* another site is asked */
    STREAM,
    REPLY, /* until the whole body is here */
    REPLY_DUE,
    ENDED,
    FAILED,
};

enum fault_part { FAULT_CODE, FAULT_REASON, FAULT_MESSAGE, FAULT_PARTS };

struct aq_exchange {
    enum phase phase;
    struct request request;

    /* the attempts */
    struct random random;
    struct retry retry;
    uint32_t delay_ms;
    uint64_t deadline_us;
    bool token_renewed;
    int64_t made_s;    /* on the wall clock */
    uint64_t begun_us; /* when it was sent first; 0: not yet */

    /* the answer */
    int64_t date_s; /* 0: not said */
    int32_t http;
    bool response_due;
    struct buf request_id;
    struct buf error_type;
    struct buf collected; /* body of an error or a reply */
    struct eventstream_decoder decoder;
    struct buf scratch;            /* text of the event last reported, if it had escapes */
    struct buf fault[FAULT_PARTS]; /* what aq_exchange_fault tells */

    /* what the site that was asked first said; it counts unless another one takes the login */
    bool elsewhere;
    struct aq_error refusal;
    struct buf refusal_fault[FAULT_PARTS];

    struct aq_event event;
    struct aq_error error;
    bool broken; /* as error says, but events are still to be read */
    bool error_reported;
};

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
    for (size_t i = 0; i < FAULT_PARTS; i++) {
        buf_done(&x->fault[i]);
        buf_done(&x->refusal_fault[i]);
    }
    eventstream_done(&x->decoder);
    alloc_free(x, sizeof(*x));
}

/* --- the request --- */

aq_status aq_exchange_request(struct aq_exchange *x, struct aq_exchange_request *ret,
                              struct aq_error *err)
{
    if (x->phase != SENT) {
        return error_set(err, AQ_E_STATE,
                         "exchange: nothing is to be sent now, wait for the event");
    }
    return request_show(&x->request, &x->retry, ret, err);
}

/* --- what follows from an answer --- */

/* Exchange what was said last for what was said first. */
static void swap_refusal(struct aq_exchange *x)
{
    const struct aq_error error = x->error;
    x->error = x->refusal;
    x->refusal = error;
    for (size_t i = 0; i < FAULT_PARTS; i++) {
        const struct buf part = x->fault[i];
        x->fault[i] = x->refusal_fault[i];
        x->refusal_fault[i] = part;
    }
}

/* End with x->error, which was filled before. */
static aq_status fail(struct aq_exchange *x)
{
    if (x->elsewhere) {
        swap_refusal(x);
    }
    x->phase = FAILED;
    return x->error.status;
}

/* End because the head or the body of the answer is not what it must be. */
static void fail_answer(struct aq_exchange *x, aq_status status, const char *problem)
{
    error_set(&x->error, status, "service: %s", problem);
    x->error.http = x->http;
    fail(x);
}

/* Repeat the request, or fail with x->error. */
static void retry_or_fail(struct aq_exchange *x, enum fault_repeat repeat, bool names_delay)
{
    if (retry_again(&x->retry, repeat, names_delay, &x->random, &x->delay_ms)) {
        x->phase = RETRY_DUE;
    } else {
        fail(x);
    }
}

/* Fill x->error and x->fault. The service may repeat what it was sent: parts that do are left out.
 */
static aq_status explain(struct aq_exchange *x, const struct fault *fault)
{
    struct fault shown = *fault;
    struct aq_str request_id = buf_str(&x->request_id);
    struct aq_str *parts[] = { &shown.code, &shown.reason, &shown.message, &request_id };
    aq_status st = fault_status(fault);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (request_reveals_token(&x->request, *parts[i])) {
            *parts[i] = AQ_STR("");
        }
    }
    for (size_t i = 0; i < FAULT_PARTS; i++) { /* out of memory: the part is missing, no more */
        buf_clear(&x->fault[i]);
        buf_add(&x->fault[i], *parts[i]);
    }
    fault_error(&shown, request_id, request_token(&x->request), &x->error);
    x->error.status = st; /* the class of what was said, not of what is shown */
    return st;
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
    x->phase = ELSEWHERE_DUE;
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
    aq_status st = explain(x, &fault);
    if (st == AQ_E_AUTH && !x->token_renewed && !x->elsewhere && !fault.is_signed) {
        x->phase = TOKEN_DUE;
        return;
    }
    if (st == AQ_E_AUTH && fault.is_signed && x->date_s &&
        signer_correct(&x->request.signer, x->date_s)) {
        x->delay_ms = 0;
        x->phase = RETRY_DUE;
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

/* An exception inside the stream. It ends the exchange: nothing is repeated once events came. */
static aq_status exception(struct aq_exchange *x, const struct eventstream_message *m)
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
        return x->error.status;
    }
    explain(x, &fault);
    return fail(x);
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
    x->phase = x->request.call->streams ? STREAM : REPLY;
    request_accepted(&x->request);
    x->collected.max = REPLY_MAX;
    x->response_due = true;
}

static void redirect(struct aq_exchange *x, const struct head *head)
{
    struct aq_str host = head_redirect_host(head);
    bool hidden = host.len == 0 || request_reveals_token(&x->request, head->location);
    error_set(&x->error, AQ_E_PROTOCOL,
              "service: redirect to %.*s refused (HTTP %d), check the endpoint and the proxy",
              AQ_STR_ARG(hidden ? AQ_STR("another place") : host), (int)x->http);
    x->error.http = x->http;
    fail(x);
}

/* Calls that do not fit the phase. After a failure nobody has heard of, they are ignored: the
 * caller is still handing over the answer. */
static aq_status refuse_call(const struct aq_exchange *x, struct aq_error *err)
{
    if (x->phase == FAILED && !x->error_reported) {
        return AQ_OK;
    }
    return error_set(err, AQ_E_STATE, "exchange: no answer is expected now, see aq_exchange_next");
}

aq_status aq_exchange_response(struct aq_exchange *x, int32_t status,
                               const struct aq_exchange_header *headers, uint32_t count,
                               uint32_t stride, struct aq_error *err)
{
    struct head head;
    if (x->phase != SENT) {
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
        x->phase = REFUSED;
        x->collected.max = ERROR_BODY_MAX;
    }
    return AQ_OK;
}

static void collect(struct aq_exchange *x, struct aq_bytes data)
{
    if (x->phase == REFUSED && data.len > ERROR_BODY_MAX - x->collected.len) {
        data.len = ERROR_BODY_MAX - x->collected.len;
    }
    buf_add_bytes(&x->collected, data);
    if (buf_status(&x->collected) == AQ_E_LIMIT) {
        fail_answer(x, AQ_E_LIMIT, "the answer is longer than 16 MiB, ask for less");
    } else if (buf_status(&x->collected) != AQ_OK) {
        fail_answer(x, AQ_E_NOMEM, "out of memory for the answer");
    } else if (x->phase == REFUSED && x->collected.len == ERROR_BODY_MAX) {
        decide(x); /* enough was said; the rest may never end */
    }
}

aq_status aq_exchange_feed(struct aq_exchange *x, const uint8_t *data, size_t len,
                           struct aq_error *err)
{
    struct aq_bytes bytes = { data, len };
    if (x->phase == STREAM && !x->broken) {
        return eventstream_feed(&x->decoder, bytes, err);
    }
    if (x->phase == REFUSED || x->phase == REPLY) {
        collect(x, bytes);
        return AQ_OK;
    }
    return refuse_call(x, err);
}

static void finish_reply(struct aq_exchange *x)
{
    struct json_reader r = json_reader(buf_str(&x->collected));
    if (json_object(&r) && json_finish(&r)) {
        x->phase = REPLY_DUE;
        return;
    }
    fail_answer(x, AQ_E_PROTOCOL,
                "the answer is not a JSON object; check the endpoint and the proxy");
}

aq_status aq_exchange_finish(struct aq_exchange *x, struct aq_error *err)
{
    switch (x->phase) {
    case REFUSED:
        decide(x);
        return AQ_OK;
    case STREAM:
        eventstream_finish(&x->decoder);
        return AQ_OK;
    case REPLY:
        finish_reply(x);
        return AQ_OK;
    default:
        return refuse_call(x, err);
    }
}

/* Copy what the caller says about a broken attempt, as an error in any case. */
static void take_reason(struct aq_error *ret, const struct aq_error *why)
{
    if (why && why->status < 0) {
        error_copy(ret, why);
    } else {
        error_set(ret, AQ_E_NETWORK, "connection: broke for an unknown reason, try again");
    }
}

aq_status aq_exchange_fail(struct aq_exchange *x, const struct aq_error *why, struct aq_error *err)
{
    switch (x->phase) {
    case SENT:
        x->http = 0;
        retry_heed(&x->retry, NULL);
        take_reason(&x->error, why);
        retry_or_fail(x, retry_of_break(&x->error), false);
        return AQ_OK;
    case REFUSED: /* the status says enough */
        decide(x);
        return AQ_OK;
    case STREAM: /* after the events that are here */
        take_reason(&x->error, why);
        x->broken = true;
        return AQ_OK;
    case REPLY:
        take_reason(&x->error, why);
        fail(x);
        return AQ_OK;
    default:
        return refuse_call(x, err);
    }
}

aq_status aq_exchange_fault(const struct aq_exchange *x, struct aq_exchange_fault *ret)
{
    const struct aq_exchange_fault fault = {
        .struct_size = ret->struct_size,
        .http = x->http,
        .code = buf_str(&x->fault[FAULT_CODE]),
        .reason = buf_str(&x->fault[FAULT_REASON]),
        .message = buf_str(&x->fault[FAULT_MESSAGE]),
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
    if (x->phase != TOKEN_WAIT) {
        return error_set(err, AQ_E_STATE, "exchange: no token was asked for");
    }
    aq_status st = request_renew_token(&x->request, access_token, err);
    if (st == AQ_OK) {
        x->token_renewed = true;
        x->phase = SEND_DUE;
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
    x->phase = SENT;
    return report(x, AQ_EVENT_SEND);
}

static aq_status report_retry(struct aq_exchange *x, uint64_t now_us)
{
    x->phase = RETRY_WAIT;
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
    x->retry.attempt = 0; /* RETRY_WAIT counts it */
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
        aq_status st = chat_text(kind, m->payload, &x->scratch, &x->event.text, &x->error);
        if (st != AQ_OK) {
            return fail(x);
        }
    }
    x->event.name = m->event_type;
    x->event.payload = m->payload;
    return report(x, AQ_EVENT_MESSAGE);
}

static aq_status next_message(struct aq_exchange *x)
{
    struct eventstream_message m;
    aq_status st = eventstream_next(&x->decoder, &m, &x->error);
    if (st == AQ_OK) {
        return m.kind == EVENTSTREAM_EVENT ? report_message(x, &m) : exception(x, &m);
    }
    if (st == AQ_AGAIN && x->broken) {
        return fail(x);
    }
    if (st == AQ_END) {
        x->phase = ENDED;
    }
    return st < 0 ? fail(x) : st;
}

static aq_status advance(struct aq_exchange *x, uint64_t now_us)
{
    if (x->response_due) {
        return report_response(x);
    }
    switch (x->phase) {
    case STREAM:
        return next_message(x);
    case SEND_DUE:
        return report_send(x, now_us);
    case TOKEN_DUE:
        x->phase = TOKEN_WAIT;
        x->event.http = x->http;
        return report(x, AQ_EVENT_NEED_TOKEN);
    case RETRY_DUE:
        return report_retry(x, now_us);
    case ELSEWHERE_DUE:
        return report_elsewhere(x, now_us);
    case RETRY_WAIT:
        if (now_us < x->deadline_us) {
            return AQ_AGAIN;
        }
        x->retry.attempt++;
        return report_send(x, now_us);
    case REPLY_DUE:
        x->phase = ENDED;
        x->event.payload = buf_bytes(&x->collected);
        return report(x, AQ_EVENT_REPLY);
    case ENDED:
        return AQ_END;
    case FAILED:
        return x->error.status;
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
        x->error_reported = true;
        error_copy(err, &x->error);
    }
    return st;
}

uint64_t aq_exchange_deadline(const struct aq_exchange *x)
{
    switch (x->phase) {
    case SEND_DUE:
    case TOKEN_DUE:
    case RETRY_DUE:
    case ELSEWHERE_DUE:
    case REPLY_DUE:
        return 0;
    case RETRY_WAIT:
        return x->deadline_us;
    default:
        return UINT64_MAX;
    }
}
