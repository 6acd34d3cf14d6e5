/* SPDX-License-Identifier: Apache-2.0 */
#include "call.h"

#include <stdlib.h>
#include <string.h>

#include "fault.h"
#include "pool.h"
#include "request.h"
#include "transport.h"

static void enter(struct call *call, enum call_phase phase)
{
    timing_enter(&call->timing, phase, transport_now_us(call->transport));
    transport_watch(call->transport, call->timing.phase_deadline_us);
}

/* There is something to read: report it, once, at the end of the step. */
static void announce(struct call *call)
{
    if (call->awaited && !call->in_ready) {
        call->awaited = false;
        call->in_ready = true;
        TAILQ_INSERT_TAIL(&call->transport->ready, call, ready_link);
    }
}

/* True if no byte of the request has left, or ever will. */
static bool is_unsent(const struct call *call)
{
    const struct connection *connection = call->connection;
    return !call->attempted ||
           (connection && connection->failed && connection->socket.sent <= call->mark);
}

/* The error is in call->error. */
static void end(struct call *call)
{
    enter(call, CALL_OVER);
    facts_leave(call);
    pool_leave(call);
    announce(call);
}

void call_connecting(struct call *call)
{
    if (call->timing.phase == CALL_WAITING) {
        enter(call, CALL_CONNECTING);
    }
}

void call_sending(struct call *call, uint64_t mark)
{
    call->attempted = true;
    call->mark = mark;
    facts_connected(call);
    outgoing_forget_fields(&call->outgoing); /* nghttp2 has its own copy, as long as it needs it */
    enter(call, CALL_SENDING);
}

/* The deadline of the first byte moves on with every piece that is sent. */
void call_sent_some(struct call *call)
{
    timing_sent_some(&call->timing, transport_now_us(call->transport));
}

static void fail_in_answer(struct call *call, aq_status status, const char *what)
{
    if (status == AQ_E_NOMEM) {
        fault_set(&call->error, status, call->outgoing.origin.text, what);
    } else {
        fault_in_answer(&call->error, status, call->outgoing.origin.text, what);
    }
    end(call);
}

bool call_take_field(struct call *call, struct aq_str name, struct aq_str value)
{
    const char *what = NULL;
    aq_status st = head_add(&call->head, name, value, &what);
    if (st != AQ_OK) {
        fail_in_answer(call, st, what);
    }
    return st == AQ_OK;
}

bool call_take_head_end(struct call *call)
{
    const char *what = NULL;
    const bool was_complete = call->head.complete;
    aq_status st = head_end(&call->head, &what);
    if (st != AQ_OK) {
        fail_in_answer(call, st, what);
        return false;
    }
    if (call->head.complete && !was_complete) {
        enter(call, CALL_RECEIVING); /* the idle time begins when the host waits */
        facts_answered(call);
        announce(call);
    }
    return true;
}

bool call_take_body(struct call *call, const void *bytes, size_t len)
{
    aq_status st = body_put(&call->body, bytes, len);
    if (st != AQ_OK) {
        fail_in_answer(call, st == AQ_AGAIN ? AQ_E_PROTOCOL : st,
                       st == AQ_AGAIN ? FAULT_BROKEN_HTTP2 : "out of memory");
        return false;
    }
    timing_hold(&call->timing);
    announce(call);
    return true;
}

void call_complete(struct call *call)
{
    end(call);
}

void call_fail_as(struct call *call, const struct aq_error *error)
{
    if (call->timing.phase == CALL_OVER) {
        return;
    }
    const char *origin = call->outgoing.origin.text;
    const bool unsent = is_unsent(call);
    if (call->head.complete && error->status == AQ_E_NETWORK) {
        fault_set(&call->error, AQ_E_TRUNCATED, origin, FAULT_CUT_OFF);
        call->error.sys = error->sys;
    } else {
        call->error = *error;
    }
    if (unsent) {
        call->error.flags |= AQ_ERROR_NOT_SENT;
    }
    end(call);
}

void call_fail(struct call *call, aq_status status, const char *what, int sys)
{
    struct aq_error error;
    const char *origin = call->outgoing.origin.text;
    if (status == AQ_E_PROTOCOL || status == AQ_E_LIMIT) {
        fault_in_answer(&error, status, origin, what);
    } else {
        fault_set(&error, status, origin, what);
    }
    error.sys = sys;
    call_fail_as(call, &error);
}

void call_refuse(struct call *call, const char *what)
{
    struct aq_error error;
    fault_set(&error, AQ_E_NETWORK, call->outgoing.origin.text, what);
    if (!call->head.complete) { /* it answers what it says it did not process? */
        error.flags = AQ_ERROR_NOT_SENT;
    }
    call_fail_as(call, &error);
}

static struct call *call_new(struct transport *transport, const struct aq_request *request,
                             void *cookie)
{
    struct call *call = calloc(1, sizeof(*call));
    if (!call) {
        return NULL;
    }
    call->transport = transport;
    call->cookie = cookie;
    call->awaited = true;
    call->body.max = CALL_WINDOW_BYTES;
    call->head.max = request->max_header_bytes ? request->max_header_bytes : HEAD_DEFAULT_MAX_BYTES;
    timing_init(&call->timing, request, transport_now_us(transport));
    TAILQ_INSERT_TAIL(&transport->calls, call, link);
    pool_join(call);
    return call;
}

aq_status call_start(struct transport *transport, const struct aq_request *request, void *cookie,
                     struct call **ret_call, struct aq_error *err)
{
    struct call *call = call_new(transport, request, cookie);
    if (!call) {
        return fault_set(err, AQ_E_NOMEM, "request", "out of memory");
    }
    aq_status st = outgoing_init(&call->outgoing, request, err);
    if (st == AQ_OK && request->flags & AQ_REQUEST_FACTS && !facts_begin(call)) {
        st = fault_set(err, AQ_E_NOMEM, "request", "out of memory");
    }
    if (st != AQ_OK) {
        call_finish(call);
        return st;
    }
    transport_watch(transport, call->timing.total_deadline_us);
    loop_wake(&transport->loop);
    *ret_call = call;
    return AQ_OK;
}

/* The host is told to wait. */
static aq_status again(struct call *call)
{
    if (!call->awaited) {
        call->awaited = true;
        timing_wait(&call->timing, transport_now_us(call->transport));
        transport_watch(call->transport, call->timing.phase_deadline_us);
    }
    return AQ_AGAIN;
}

static aq_status give_error(struct call *call, struct aq_error *err)
{
    call->error_given = true;
    if (err) {
        *err = call->error;
    }
    return call->error.status;
}

aq_status call_response(struct call *call, struct aq_response *ret, struct aq_error *err)
{
    if (call->error_given || (call->error.status != AQ_OK && !call->head.complete)) {
        return give_error(call, err);
    }
    if (!call->head.complete) {
        return again(call);
    }
    const struct aq_response response = {
        .status = call->head.status,
        .header_count = call->head.count,
        .header_stride = sizeof(*call->head.fields),
        .headers = call->head.fields,
        .protocol = AQ_STR("HTTP/2"),
    };
    request_give_response(ret, &response);
    return AQ_OK;
}

aq_status call_read(struct call *call, uint8_t *buf, size_t cap, size_t *ret_len,
                    struct aq_error *err)
{
    size_t len = body_take(&call->body, buf, cap);
    if (len) {
        *ret_len = len;
        if (call->connection) {
            connection_consumed(call->connection, call, len);
        }
        return AQ_OK;
    }
    if (call->error.status != AQ_OK) {
        return give_error(call, err);
    }
    return call->timing.phase == CALL_OVER ? AQ_END : again(call);
}

static void doubt_connection(const struct call *call, uint64_t now_us)
{
    const uint32_t timeout_ms = call->timing.phase == CALL_SENDING
                                    ? call->timing.first_byte_timeout_ms
                                    : call->timing.idle_timeout_ms;
    const uint64_t timeout_us = (uint64_t)timeout_ms * 1000u;
    if (call->connection && call->timing.phase_deadline_us <= now_us && now_us > timeout_us) {
        connection_doubt(call->connection, now_us - timeout_us);
    }
}

uint64_t call_expire(struct call *call, uint64_t now_us)
{
    const uint64_t deadline_us = timing_deadline_us(&call->timing);
    if (now_us < deadline_us) {
        return deadline_us;
    }
    const bool proxied = call->connection && call->connection->proxied;
    doubt_connection(call, now_us);
    call_fail(call, AQ_E_TIMEOUT, timing_missed(&call->timing, proxied), 0);
    return LOOP_NEVER;
}

void call_free(struct call *call)
{
    if (call->in_ready) {
        TAILQ_REMOVE(&call->transport->ready, call, ready_link);
    }
    TAILQ_REMOVE(&call->transport->calls, call, link);
    outgoing_done(&call->outgoing);
    head_done(&call->head);
    body_done(&call->body);
    free(call->facts);
    free(call);
}

void call_finish(struct call *call)
{
    if (!transport_is_forked(call->transport)) {
        pool_leave(call);
    }
    call_free(call);
}
