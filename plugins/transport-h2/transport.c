/* SPDX-License-Identifier: Apache-2.0 */
#include "transport.h"

#include <stdlib.h>
#include <string.h>

#include "fault.h"
#include "forks.h"
#include "memory.h"
#include "pool.h"
#include "request.h"

bool transport_is_forked(const struct transport *transport)
{
    return forks_seen() != transport->forks;
}

static void transport_free(struct transport *transport)
{
    memory_free(transport->buffer, transport->buffer_used);
    memory_free(transport, sizeof(*transport));
}

static struct transport *transport_new(const struct aq_open_args *args)
{
    struct transport *transport = calloc(1, sizeof(*transport));
    if (!transport) {
        return NULL;
    }
    transport->buffer = malloc(TRANSPORT_BUFFER_BYTES);
    if (!transport->buffer) {
        free(transport);
        return NULL;
    }
    transport->host = args->host;
    transport->forks = forks_seen();
    transport->next_deadline_us = LOOP_NEVER;
    TAILQ_INIT(&transport->calls);
    TAILQ_INIT(&transport->waiting);
    TAILQ_INIT(&transport->ready);
    TAILQ_INIT(&transport->connections);
    TAILQ_INIT(&transport->work);
    TAILQ_INIT(&transport->closed);
    return transport;
}

static aq_status transport_open(const struct aq_open_args *args, void **ret_self,
                                struct aq_error *err)
{
    struct transport *transport = transport_new(args);
    if (!transport) {
        return fault_set(err, AQ_E_NOMEM, "transport-h2", "out of memory");
    }
    aq_status st = options_init(&transport->options, args, err);
    if (st != AQ_OK) {
        transport_free(transport);
        return st;
    }
    tls_init(&transport->tls, &transport->options.trust);
    if (protocol_init(&transport->protocol) != AQ_OK) {
        st = fault_set(err, AQ_E_NOMEM, "transport-h2", "out of memory");
    } else {
        st = loop_init(&transport->loop, args->host, err);
    }
    if (st != AQ_OK) {
        protocol_done(&transport->protocol);
        options_done(&transport->options);
        transport_free(transport);
        return st;
    }
    *ret_self = transport;
    return AQ_OK;
}

static void free_connections(struct connection_list *connections)
{
    while (!TAILQ_EMPTY(connections)) {
        struct connection *connection = TAILQ_FIRST(connections);
        TAILQ_REMOVE(connections, connection, link);
        connection_free(connection);
    }
}

static void transport_close(void *self)
{
    struct transport *transport = self;
    if (!transport) {
        return;
    }
    transport->loop.abandoned = transport_is_forked(transport);
    while (!transport->loop.abandoned && !TAILQ_EMPTY(&transport->connections)) {
        connection_close(TAILQ_FIRST(&transport->connections));
    }
    free_connections(&transport->connections); /* of the parent: nothing is sent */
    free_connections(&transport->closed);
    tls_done(&transport->tls);
    protocol_done(&transport->protocol);
    loop_done(&transport->loop);
    options_done(&transport->options);
    transport_free(transport);
}

static void transport_interest(void *self, struct aq_interest *ret)
{
    const struct transport *transport = self;
    *ret = (struct aq_interest){
        .fd = transport->loop.epoll_fd,
        .deadline_us = TAILQ_EMPTY(&transport->calls) ? LOOP_NEVER : transport->next_deadline_us,
    };
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static void expire(struct transport *transport)
{
    uint64_t next_us = LOOP_NEVER;
    struct call *call;
    if (transport->now_us < transport->next_deadline_us) {
        return;
    }
    transport->next_deadline_us = LOOP_NEVER;
    TAILQ_FOREACH(call, &transport->calls, link)
    {
        next_us = earlier(next_us, call_expire(call, transport->now_us));
    }
    struct connection *connection = TAILQ_FIRST(&transport->connections);
    while (connection) {
        struct connection *next = TAILQ_NEXT(connection, link); /* it may be closed */
        next_us = earlier(next_us, connection_expire(connection, transport->now_us));
        connection = next;
    }
    transport_watch(transport, next_us);
}

/* Each connection once: what it wants again is for the next step. */
static void do_work(struct transport *transport)
{
    struct connection *connection;
    unsigned count = 0;
    TAILQ_FOREACH(connection, &transport->work, work_link)
    {
        count++;
    }
    while (count-- && !TAILQ_EMPTY(&transport->work)) {
        connection_work(TAILQ_FIRST(&transport->work));
    }
}

static void report_ready(struct transport *transport)
{
    struct call *call = TAILQ_FIRST(&transport->ready);
    while (call) {
        TAILQ_REMOVE(&transport->ready, call, ready_link);
        call->in_ready = false;
        transport->host->ready(transport->host->ctx, call->cookie);
        call = TAILQ_FIRST(&transport->ready);
    }
}

static aq_status transport_step(void *self, struct aq_error *err)
{
    struct transport *transport = self;
    if (transport_is_forked(transport)) {
        return fault_forked(err, "transport-h2");
    }
    transport->now_us = loop_now_us(&transport->loop);
    transport->stepping = true;
    loop_run(&transport->loop);
    expire(transport);
    transport->moved = false;
    pool_place(transport);
    do_work(transport);
    transport->stepping = false;
    if (!TAILQ_EMPTY(&transport->work) || (transport->moved && !TAILQ_EMPTY(&transport->waiting))) {
        loop_wake(&transport->loop);
    }
    free_connections(&transport->closed);
    report_ready(transport);
    return AQ_OK;
}

static aq_status transport_start(void *self, const struct aq_request *request, void *cookie,
                                 void **ret_call, struct aq_error *err)
{
    struct transport *transport = self;
    struct call *call = NULL;
    if (transport_is_forked(transport)) {
        return fault_forked(err, "transport-h2");
    }
    const struct aq_request known = request_known(request);
    aq_status st = call_start(transport, &known, cookie, &call, err);
    if (st == AQ_OK) {
        *ret_call = call;
    }
    return st;
}

static aq_status transport_response(void *call, struct aq_response *ret, struct aq_error *err)
{
    return call_response(call, ret, err);
}

static aq_status transport_read(void *call, uint8_t *buf, size_t cap, size_t *ret_len,
                                struct aq_error *err)
{
    const struct call *known = call;
    if (transport_is_forked(known->transport)) { /* reading tells the peer that there is room */
        return fault_forked(err, "transport-h2");
    }
    return call_read(call, buf, cap, ret_len, err);
}

static void transport_finish(void *call)
{
    if (call) {
        call_finish(call);
    }
}

static aq_status transport_facts(void *call, struct aq_facts *ret)
{
    return facts_tell(call, ret);
}

const struct aq_transport_ops transport_ops = {
    AQ_TRANSPORT_OPS,
    .open = transport_open,
    .close = transport_close,
    .interest = transport_interest,
    .step = transport_step,
    .start = transport_start,
    .response = transport_response,
    .read = transport_read,
    .finish = transport_finish,
    .facts = transport_facts,
};
