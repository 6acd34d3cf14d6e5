/* SPDX-License-Identifier: Apache-2.0 */
#include "client/signin_call.h"

#include "base/alloc.h"
#include "base/error.h"
#include "wire/endpoint.h"

enum {
    TIMEOUT_MS = 12 * 1000,         /* of a request */
    PATIENCE_US = 14 * 1000 * 1000, /* the same, if the transport forgets */
};

aq_status signin_url(const struct aq_client *client, struct aq_str object, struct aq_str region,
                     struct buf *out, struct aq_error *err)
{
    struct settings_value named = settings_get(&client->settings, SETTINGS_OIDC_ENDPOINT);
    return named.text.len ? endpoint_check(AQ_STR("sign-in endpoint"), named.text, true, out, err)
                          : endpoint_oidc(object, region, out, err);
}

aq_status signin_call_send(struct signin_call *c, struct aq_op *op, struct aq_str url,
                           struct aq_str body, struct aq_error *err)
{
    const struct aq_header headers[] = {
        { AQ_STR_INIT("content-type"), AQ_STR_INIT(OIDC_CONTENT_TYPE) },
        { AQ_STR_INIT("user-agent"), buf_str(&op->client->user_agent) },
    };
    const struct aq_request request = {
        .method = AQ_STR_INIT("POST"),
        .url = url,
        .headers = headers,
        .header_count = sizeof(headers) / sizeof(headers[0]),
        .body = { (const uint8_t *)body.ptr, body.len },
        .total_timeout_ms = TIMEOUT_MS,
    };
    c->http = 0;
    c->error_type = (struct buf)BUF(TRANSPORT_HEADER_BYTES);
    c->body = (struct buf)BUF(OIDC_REPLY_MAX);
    c->until_us = clock_now_us() + PATIENCE_US;
    if (!buf_reserve(&c->body, OIDC_REPLY_MAX)) { /* before anything is spent for the answer */
        return error_nomem(err, "login");
    }
    return client_send(op, &request, &c->call, err);
}

bool signin_call_is_active(const struct signin_call *c)
{
    return transport_is_active(&c->call);
}

static aq_status signin_call_receive(struct signin_call *c, struct aq_error *err)
{
    aq_status st;
    if (c->http == 0) {
        struct aq_response response;
        st = transport_response(&c->call, &response, err);
        if (st != AQ_OK) {
            return st;
        }
        c->http = response.status;
        buf_add(&c->error_type, transport_header(&response, AQ_STR("x-amzn-errortype")));
    }
    do {
        size_t len = 0;
        size_t room = OIDC_REPLY_MAX - c->body.len;
        if (room == 0) {
            return error_set(err, AQ_E_LIMIT, "sign-in service: answered more than %d bytes",
                             OIDC_REPLY_MAX);
        }
        st = transport_read(&c->call, c->body.ptr + c->body.len, room, &len, err);
        c->body.len += st == AQ_OK ? len : 0;
    } while (st == AQ_OK);
    return st;
}

aq_status signin_call_wait(struct signin_call *c, struct signin_answer *ret, struct aq_error *err)
{
    aq_status st = signin_call_receive(c, err);
    if (st == AQ_AGAIN && clock_now_us() >= c->until_us) {
        return error_set(err, AQ_E_TIMEOUT, "sign-in service: did not answer in time, try again");
    }
    if (st != AQ_END) {
        return st;
    }
    *ret = (struct signin_answer){ c->http, buf_str(&c->error_type), buf_str(&c->body) };
    return AQ_OK;
}

void signin_call_end(struct signin_call *c, bool forked)
{
    if (forked) {
        transport_forget(&c->call);
    }
    transport_finish(&c->call);
    buf_done(&c->error_type);
    buf_done(&c->body);
}
