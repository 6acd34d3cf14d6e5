/* SPDX-License-Identifier: Apache-2.0 */
#include "call.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "curl_fault.h"
#include "fault.h"
#include "loop.h"
#include "request.h"
#include "transport.h"

/* libcurl's own limit comes after ours and only serves to share the time between addresses. */
#define CURL_CONNECT_SLACK_MS 1000L
#define CURL_CONNECT_MAX_MS (24L * 3600L * 1000L)

/* Most that is held for one call; then its connection is not read any more. Less would stop libcurl
 * in the middle of what it has read, and then it copies the rest. */
#define BODY_MAX_BYTES (1024u * 1024u)

static void enter(struct call *call, enum call_phase phase)
{
    timing_enter(&call->timing, phase, transport_now_us(call->transport));
    transport_watch(call->transport, call->timing.phase_deadline_us);
}

/* There is something to read: report it, once, at the end of the step. */
static void announce(struct call *call)
{
    if (call->awaited && !call->in_ready && !call->forgotten) {
        call->awaited = false;
        call->in_ready = true;
        TAILQ_INSERT_TAIL(&call->transport->ready, call, ready_link);
    }
}

/* True if no byte of the request has left. libcurl counts what it gave to the system. */
static bool is_unsent(struct call *call)
{
    long size = 0;
    if (!call->attempted) {
        return true;
    }
    return curl_easy_getinfo(call->easy, CURLINFO_REQUEST_SIZE, &size) == CURLE_OK &&
           size == call->size_before;
}

/* The error is in call->error. */
static void end(struct call *call)
{
    if (call->error.status != AQ_OK && is_unsent(call)) {
        call->error.flags |= AQ_ERROR_NOT_SENT;
    }
    enter(call, CALL_OVER);
    announce(call);
}

static void leave_resume(struct call *call)
{
    if (call->in_resume) {
        call->in_resume = false;
        TAILQ_REMOVE(&call->transport->resume, call, resume_link);
    }
}

/* Take it away from libcurl, which closes the connection; at once, unless it is resolving. */
static void stop(struct call *call)
{
    leave_resume(call);
    if (!call->in_multi) {
        return;
    }
    call->refused = true;
    if (!call->resolving) {
        curl_easy_setopt(call->easy, CURLOPT_FORBID_REUSE, 1L);
        curl_multi_remove_handle(call->transport->loop.multi, call->easy);
        call->in_multi = false;
    }
}

/* A connection is being made: libcurl resolves the name, or knows it and opens a socket. */
static void begin_connecting(struct call *call)
{
    if (call->timing.phase == CALL_WAITING) {
        enter(call, CALL_CONNECTING);
    }
}

/* Callbacks of libcurl, in the order in which they come. */

static int on_resolve(void *resolver, void *reserved, void *clientp)
{
    struct call *call = clientp;
    (void)resolver;
    (void)reserved;
    call->resolving = true;
    begin_connecting(call);
    return call->refused;
}

/* The address is as long as its family says. */
static bool is_loopback(const struct curl_sockaddr *address)
{
    const void *at = &address->addr;
    const struct sockaddr_in *v4 = at;
    const struct sockaddr_in6 *v6 = at;
    return address->family == AF_INET6
               ? IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr)
               : ntohl(v4->sin_addr.s_addr) >> IN_CLASSA_NSHIFT == IN_LOOPBACKNET;
}

/* Where clouds hand out access keys; link-local of IPv6 needs an interface, which a URL cannot say.
 */
static bool is_link_local(const struct curl_sockaddr *address)
{
    static const uint8_t cloud[] = { 0xfd, 0x00, 0x0e, 0xc2 };
    const void *at = &address->addr;
    const struct sockaddr_in *v4 = at;
    const struct sockaddr_in6 *v6 = at;
    return address->family == AF_INET6 ? memcmp(&v6->sin6_addr, cloud, sizeof(cloud)) == 0
                                       : ntohl(v4->sin_addr.s_addr) >> 16 == 0xa9fe;
}

static curl_socket_t on_open_socket(void *clientp, curlsocktype purpose,
                                    struct curl_sockaddr *address)
{
    struct call *call = clientp;
    call->resolving = false;
    if (call->refused) {
        return CURL_SOCKET_BAD;
    }
    if (!call->outgoing.https && !is_loopback(address) &&
        !(call->link_local && is_link_local(address))) {
        call->elsewhere = true;
        return CURL_SOCKET_BAD;
    }
    begin_connecting(call);
    curl_socket_t fd = loop_open_socket(&call->transport->loop, purpose, address);
    if (fd == CURL_SOCKET_BAD && errno == ENOMEM) {
        fault_set(&call->error, AQ_E_NOMEM, call->outgoing.origin, "out of memory");
        call->refused = true; /* no other address */
    }
    return fd;
}

/* Just before the request is sent. libcurl sends it a second time when a connection that was used
 * before closes without an answer; whether to repeat a request is not for us to decide. */
static int on_connected(void *clientp, char *remote_ip, char *local_ip, int remote_port,
                        int local_port)
{
    struct call *call = clientp;
    (void)remote_ip;
    (void)local_ip;
    (void)remote_port;
    call->resolving = false;
    if (call->refused || call->attempted) {
        return CURL_PREREQFUNC_ABORT;
    }
    if (call->timing.phase == CALL_WAITING && /* the connection was used before */
        loop_peer_is_gone(&call->transport->loop, local_port)) {
        call->stale = true;
        return CURL_PREREQFUNC_ABORT;
    }
    call->attempted = true;
    curl_easy_getinfo(call->easy, CURLINFO_REQUEST_SIZE, &call->size_before);
    enter(call, CALL_SENDING);
    return CURL_PREREQFUNC_OK;
}

/* The deadline of the first byte moves on with every piece that is sent. */
static size_t on_send(char *buf, size_t size, size_t count, void *clientp)
{
    struct call *call = clientp;
    timing_sent_some(&call->timing, transport_now_us(call->transport));
    return upload_read(&call->outgoing.body, buf, size * count);
}

static size_t on_header(char *line, size_t size, size_t count, void *clientp)
{
    struct call *call = clientp;
    const char *what = NULL;
    bool was_complete = call->head.complete;
    aq_status st = head_add(&call->head, line, size * count, &what);
    if (st != AQ_OK) {
        if (st == AQ_E_NOMEM) {
            fault_set(&call->error, st, call->outgoing.origin, what);
        } else {
            fault_in_answer(&call->error, st, call->outgoing.origin, what);
        }
        return 0;
    }
    if (call->head.complete && !was_complete) {
        enter(call, CALL_RECEIVING); /* the idle time begins when the host waits */
        announce(call);
    }
    return size * count;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *clientp)
{
    struct call *call = clientp;
    aq_status st = body_put(&call->body, bytes, size * count);
    if (st == AQ_AGAIN) {
        call->paused = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    if (st != AQ_OK) {
        fault_set(&call->error, st, call->outgoing.origin, "out of memory");
        return CURL_WRITEFUNC_ERROR;
    }
    timing_hold(&call->timing);
    announce(call);
    return size * count;
}

static CURLcode set_callbacks(struct call *call)
{
    CURL *easy = call->easy;
    struct loop *loop = &call->transport->loop;
    curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->said);
    curl_easy_setopt(easy, CURLOPT_SHARE, loop->share);
    curl_easy_setopt(easy, CURLOPT_RESOLVER_START_FUNCTION, on_resolve);
    curl_easy_setopt(easy, CURLOPT_RESOLVER_START_DATA, call);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, call);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, loop_close_socket);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, loop);
    curl_easy_setopt(easy, CURLOPT_PREREQDATA, call);
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_send);
    curl_easy_setopt(easy, CURLOPT_READDATA, call);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, call);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
    return curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_connected);
}

static CURLcode set_connect_timeout(struct call *call)
{
    long timeout_ms = CURL_CONNECT_MAX_MS;
    if (call->timing.connect_timeout_ms && call->timing.connect_timeout_ms < CURL_CONNECT_MAX_MS) {
        timeout_ms = (long)call->timing.connect_timeout_ms + CURL_CONNECT_SLACK_MS;
    }
    return curl_easy_setopt(call->easy, CURLOPT_CONNECTTIMEOUT_MS, timeout_ms);
}

/* Give the call to libcurl, which sends nothing before the next step. */
static bool set_up(struct call *call)
{
    call->easy = curl_easy_init();
    if (!call->easy || set_callbacks(call) != CURLE_OK || set_connect_timeout(call) != CURLE_OK ||
        !options_apply(&call->transport->options, call->easy, call->outgoing.https,
                       call->outgoing.proxy) ||
        outgoing_apply(&call->outgoing, call->easy) != CURLE_OK) {
        return false;
    }
    call->in_multi = curl_multi_add_handle(call->transport->loop.multi, call->easy) == CURLM_OK;
    return call->in_multi;
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
    call->body.max = BODY_MAX_BYTES;
    call->head.max = request->max_header_bytes ? request->max_header_bytes : HEAD_DEFAULT_MAX_BYTES;
    timing_init(&call->timing, request, transport_now_us(transport));
    TAILQ_INSERT_TAIL(&transport->calls, call, link);
    return call;
}

aq_status call_start(struct transport *transport, const struct aq_request *request, void *cookie,
                     struct call **ret_call, struct aq_error *err)
{
    struct call *call = call_new(transport, request, cookie);
    if (!call) {
        return fault_set(err, AQ_E_NOMEM, "request", "out of memory");
    }
    aq_status st = outgoing_init(&call->outgoing, request, &transport->options, err);
    call->link_local = request->flags & AQ_REQUEST_LINK_LOCAL;
    bool asked = request->flags & AQ_REQUEST_FACTS;
    if (st == AQ_OK && (!set_up(call) || (asked && !facts_prepare(&call->facts, call->easy)))) {
        st = fault_set(err, AQ_E_NOMEM, call->outgoing.origin, "out of memory");
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
        .protocol = call->head.http2 ? AQ_STR("HTTP/2") : AQ_STR("HTTP/1.1"),
    };
    request_give_response(ret, &response);
    return AQ_OK;
}

static void plan_resume(struct call *call)
{
    if (call->paused && !call->in_resume && body_len(&call->body) <= call->body.max / 2) {
        call->in_resume = true;
        TAILQ_INSERT_TAIL(&call->transport->resume, call, resume_link);
        loop_wake(&call->transport->loop);
    }
}

aq_status call_read(struct call *call, uint8_t *buf, size_t cap, size_t *ret_len,
                    struct aq_error *err)
{
    size_t len = body_take(&call->body, buf, cap);
    if (len) {
        *ret_len = len;
        plan_resume(call);
        return AQ_OK;
    }
    if (call->error.status != AQ_OK) {
        return give_error(call, err);
    }
    return call->timing.phase == CALL_OVER ? AQ_END : again(call);
}

/* A callback of ours that failed has said why; otherwise libcurl's result does. */
static void set_fault(struct call *call, CURLcode code)
{
    if (code == CURLE_OUT_OF_MEMORY && call->timing.phase == CALL_SENDING) {
        code =
            CURL_FAULT_TOO_LARGE; /* what libcurl before 8.6 says of a line beyond its own limit */
    }
    if (call->error.status == AQ_OK && code == CURLE_COULDNT_CONNECT && call->elsewhere) {
        fault_set(&call->error, AQ_E_INVALID, call->outgoing.origin, FAULT_NOT_HERE);
    } else if (call->error.status == AQ_OK && code != CURLE_OK) {
        const struct curl_failure failure = {
            .easy = call->easy,
            .code = code,
            .said = call->said,
            .has_head = call->head.complete,
            .is_proxied = call->outgoing.proxy != NULL,
        };
        curl_fault(&call->error, &call->transport->options, &failure, call->outgoing.origin);
    }
}

/* Nothing of it has been sent: begin again, with a connection of its own. */
static bool begin_again(struct call *call)
{
    call->in_multi = call->stale && !call->attempted &&
                     curl_easy_setopt(call->easy, CURLOPT_FRESH_CONNECT, 1L) == CURLE_OK &&
                     curl_multi_add_handle(call->transport->loop.multi, call->easy) == CURLM_OK;
    return call->in_multi;
}

void call_complete(struct call *call, CURLcode code)
{
    curl_multi_remove_handle(call->transport->loop.multi, call->easy);
    call->in_multi = false;
    call->resolving = false;
    leave_resume(call);
    if (call->forgotten) {
        call_free(call);
        return;
    }
    if (call->timing.phase == CALL_OVER) {
        return; /* ended while its name was being resolved */
    }
    if (code == CURLE_ABORTED_BY_CALLBACK && begin_again(call)) {
        return;
    }
    set_fault(call, code);
    if (call->error.status == AQ_OK && !call->head.complete) {
        fault_in_answer(&call->error, AQ_E_PROTOCOL, call->outgoing.origin,
                        "the answer is not valid HTTP");
    }
    end(call);
}

void call_resume(struct call *call)
{
    leave_resume(call);
    call->paused = false;
    CURLcode code = curl_easy_pause(call->easy, CURLPAUSE_CONT);
    if (code != CURLE_OK) { /* what was held back is lost */
        set_fault(call, code);
        stop(call);
        end(call);
    }
}

uint64_t call_expire(struct call *call, uint64_t now_us)
{
    const uint64_t deadline_us = timing_deadline_us(&call->timing);
    if (now_us < deadline_us) {
        return deadline_us;
    }
    fault_set(&call->error, AQ_E_TIMEOUT, call->outgoing.origin,
              timing_missed(&call->timing, call->outgoing.proxy != NULL));
    stop(call);
    end(call);
    return LOOP_NEVER;
}

void call_fail(struct call *call, const struct aq_error *error)
{
    if (call->timing.phase != CALL_OVER) {
        call->error = *error;
        end(call);
    }
}

void call_free(struct call *call)
{
    struct transport *transport = call->transport;
    leave_resume(call);
    if (call->in_ready) {
        TAILQ_REMOVE(&transport->ready, call, ready_link);
    }
    TAILQ_REMOVE(&transport->calls, call, link);
    if (!transport_is_forked(transport)) {
        curl_easy_cleanup(call->easy);
    }
    outgoing_done(&call->outgoing);
    head_done(&call->head);
    body_done(&call->body);
    free(call->facts);
    free(call);
}

void call_finish(struct call *call)
{
    if (transport_is_forked(call->transport)) {
        call_free(call);
        return;
    }
    stop(call);
    if (!call->in_multi) {
        call_free(call);
        return;
    }
    call->forgotten = true; /* call_complete frees it */
    enter(call, CALL_OVER);
    if (call->in_ready) {
        call->in_ready = false;
        TAILQ_REMOVE(&call->transport->ready, call, ready_link);
    }
}
