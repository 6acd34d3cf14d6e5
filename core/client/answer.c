/* SPDX-License-Identifier: Apache-2.0 */
#include "client/answer.h"

#include "base/error.h"

enum {
    TIMEOUT_MS = 12 * 1000, /* of a request that says none */
    FORGOTTEN_MS = 2000,    /* more, and the transport has forgotten it */
};

/* ---- asking ---- */

aq_status answer_ask(struct answer *a, struct aq_op *op, const char *from,
                     const struct aq_request *request, struct aq_error *err)
{
    struct aq_request bounded = *request;
    bounded.total_timeout_ms = request->total_timeout_ms ? request->total_timeout_ms : TIMEOUT_MS;
    answer_done(a, false);
    *a = (struct answer){
        .op = op,
        .from = from,
        .error_type = BUF(TRANSPORT_HEADER_BYTES),
        .body = BUF(ANSWER_MAX + 1), /* one more shows that it is too much */
        .until_us = clock_now_us() + (bounded.total_timeout_ms + FORGOTTEN_MS) * UINT64_C(1000),
    };
    if (!buf_reserve(&a->body, ANSWER_MAX + 1)) {
        return error_nomem(err, "request");
    }
    return client_send(op, &bounded, &a->call, err);
}

aq_status answer_post(struct answer *a, struct aq_op *op, const char *from, struct aq_str url,
                      struct aq_str content_type, struct aq_bytes body, struct aq_error *err)
{
    const struct aq_header headers[] = {
        { AQ_STR_INIT("content-type"), content_type },
        { AQ_STR_INIT("user-agent"), buf_str(&op->client->user_agent) },
    };
    const struct aq_request request = {
        .method = AQ_STR_INIT("POST"),
        .url = url,
        .headers = headers,
        .header_count = sizeof(headers) / sizeof(headers[0]),
        .body = body,
    };
    return answer_ask(a, op, from, &request, err);
}

/* ---- waiting ---- */

bool answer_is_awaited(const struct answer *a)
{
    return transport_is_active(&a->call);
}

static aq_status answer_head(struct answer *a, struct aq_error *err)
{
    struct aq_response response;
    aq_status st = transport_response(&a->call, &response, err);
    if (st == AQ_OK) {
        a->http = response.status;
        buf_add(&a->error_type, transport_header(&response, AQ_STR("x-amzn-errortype")));
    }
    return st;
}

/* AQ_END: all of it is here. */
static aq_status answer_body(struct answer *a, struct aq_error *err)
{
    aq_status st = AQ_OK;
    while (st == AQ_OK) {
        size_t len = 0;
        st = transport_read(&a->call, a->body.ptr + a->body.len, ANSWER_MAX + 1 - a->body.len, &len,
                            err);
        a->body.len += len;
        if (a->body.len > ANSWER_MAX) {
            return error_set(err, AQ_E_LIMIT, "%s: answered more than %d bytes", a->from,
                             ANSWER_MAX);
        }
    }
    return st;
}

aq_status answer_wait(struct answer *a, struct aq_error *err)
{
    aq_status st = a->http ? AQ_OK : answer_head(a, err);
    if (st == AQ_OK) {
        st = answer_body(a, err);
    }
    if (st == AQ_AGAIN && clock_now_us() < a->until_us) {
        op_wake_at(a->op, a->until_us);
        return AQ_AGAIN;
    }
    transport_finish(&a->call);
    return st == AQ_END ? AQ_OK
           : st == AQ_AGAIN
               ? error_set(err, AQ_E_TIMEOUT, "%s: did not answer in time, try again", a->from)
               : st;
}

void answer_done(struct answer *a, bool forked)
{
    if (forked) {
        transport_forget(&a->call);
    }
    transport_finish(&a->call);
    buf_done(&a->error_type);
    buf_done(&a->body);
}
