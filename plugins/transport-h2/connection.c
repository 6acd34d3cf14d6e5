/* SPDX-License-Identifier: Apache-2.0 */
#include "connection.h"

#include <stdlib.h>

#include "fault.h"
#include "flow.h"
#include "opening.h"
#include "pool.h"
#include "transport.h"

#define WINDOW_STEP_BYTES \
    (64u * 1024u)         /* nghttp2 gives a window back by halves: no need to ask it \
                           * with every piece */
#define PONG_US 15000000u /* how long a sign of life may take */

void connection_want_work(struct connection *connection)
{
    if (!connection->in_work && connection->state != CONNECTION_CLOSED) {
        connection->in_work = true;
        TAILQ_INSERT_TAIL(&connection->transport->work, connection, work_link);
    }
    transport_wake(connection->transport);
}

/* Its end, good or bad. */

/* Calls that have not been sent go elsewhere. */
static void requeue_pending(struct connection *connection)
{
    struct call *call = TAILQ_FIRST(&connection->pending);
    while (call) {
        struct call *next = TAILQ_NEXT(call, queue_link);
        TAILQ_REMOVE(&connection->pending, call, queue_link);
        connection->call_count--;
        pool_join(call);
        call = next;
    }
    transport_wake(connection->transport);
}

void connection_drain(struct connection *connection)
{
    connection->draining = true;
    requeue_pending(connection);
    connection_want_work(connection);
}

static void fail_calls(struct call_list *calls, const struct aq_error *error)
{
    struct call *call = TAILQ_FIRST(calls);
    while (call) {
        struct call *next = TAILQ_NEXT(call, queue_link);
        call_fail_as(call, error);
        call = next;
    }
}

void connection_fail_as(struct connection *connection, const struct aq_error *error)
{
    connection->draining = true;
    connection->failed = true;
    if (connection->state == CONNECTION_OPEN) {
        requeue_pending(connection);
    }
    fail_calls(&connection->streams, error);
    fail_calls(&connection->pending, error);
    connection_close(connection);
}

void connection_fail(struct connection *connection, aq_status status, const char *what, int sys)
{
    struct aq_error error;
    if (status == AQ_E_PROTOCOL || status == AQ_E_LIMIT) {
        fault_in_answer(&error, status, connection->origin.text, what);
    } else {
        fault_set(&error, status, connection->origin.text, what);
    }
    error.sys = sys;
    connection_fail_as(connection, &error);
}

/* Its beginning. */

/* What the peer has said on another connection, or a guess. */
static uint32_t guess_streams(const struct transport *transport, const struct origin *origin)
{
    uint32_t streams = CONNECTION_STREAMS_AT_FIRST;
    const struct connection *other;
    TAILQ_FOREACH(other, &transport->connections, link)
    {
        if (other->state == CONNECTION_OPEN && origin_same(&other->origin, origin)) {
            const uint32_t max = session_max_streams(&other->session);
            streams = max && max < streams ? max : streams;
        }
    }
    return streams;
}

struct connection *connection_open(struct transport *transport, const struct origin *origin)
{
    struct connection *connection = calloc(1, sizeof(*connection));
    if (!connection) {
        return NULL;
    }
    connection->transport = transport;
    connection->origin = *origin;
    connection->streams_at_first = guess_streams(transport, origin);
    connection->proxied = proxy_is_for(&transport->options.proxy, origin);
    connection->socket.watch.fd = -1;
    TAILQ_INIT(&connection->pending);
    TAILQ_INIT(&connection->streams);
    TAILQ_INSERT_TAIL(&transport->connections, connection, link);
    transport->connection_count++;
    return connection;
}

/* Calls. */

uint32_t connection_room(const struct connection *connection)
{
    if (connection->draining || connection->state == CONNECTION_CLOSED) {
        return 0;
    }
    const uint32_t max = connection->state == CONNECTION_OPEN
                             ? session_max_streams(&connection->session)
                             : connection->streams_at_first;
    return max > connection->call_count ? max - connection->call_count : 0;
}

bool connection_is_stale(const struct connection *connection, uint64_t now_us)
{
    return connection->state == CONNECTION_OPEN && connection->call_count == 0 &&
           now_us - connection->idle_since_us > connection->transport->options.keepalive_us;
}

void connection_add(struct connection *connection, struct call *call)
{
    call->connection = connection;
    TAILQ_INSERT_TAIL(&connection->pending, call, queue_link);
    connection->call_count++;
    if (connection->state == CONNECTION_OPEN) {
        connection_want_work(connection);
        return;
    }
    call_connecting(call);
    if (connection->dial.state == DIAL_NONE) {
        opening_begin(connection);
    }
}

/* True if both sides have said all they had to say, or the stream is gone anyway. */
static bool is_through(const struct call *call)
{
    return call->closed || (call->timing.phase == CALL_OVER && call->error.status == AQ_OK &&
                            upload_is_sent(&call->outgoing.body));
}

void connection_remove(struct connection *connection, struct call *call)
{
    const bool was_cancelled = call->stream_id != 0 && !is_through(call);
    call->connection = NULL;
    connection->call_count--;
    if (call->stream_id == 0) {
        TAILQ_REMOVE(&connection->pending, call, queue_link);
    } else {
        TAILQ_REMOVE(&connection->streams, call, queue_link);
        connection->stream_count--;
        session_cancel(&connection->session, call, !was_cancelled);
    }
    if (connection->call_count == 0 && connection->state != CONNECTION_OPEN) {
        connection_close(connection); /* nobody waits for it any more */
        return;
    }
    if (connection->call_count == 0) {
        connection->idle_since_us = transport_now_us(connection->transport);
        connection->draining =
            connection->draining || connection->transport->options.keepalive_us == 0;
    }
    connection_want_work(connection);
    if (was_cancelled && !connection->failed && !connection->transport->stepping) {
        flow_cancel(connection);
    }
}

void connection_consumed(struct connection *connection, struct call *call, size_t len)
{
    session_consumed(&connection->session, call, len);
    call->consumed += len;
    if (call->consumed >= WINDOW_STEP_BYTES) {
        call->consumed = 0;
        if (session_wants_to_send(&connection->session)) {
            connection_want_work(connection);
        }
    }
}

void connection_doubt(struct connection *connection, uint64_t since_us)
{
    if (connection->state == CONNECTION_OPEN && connection->heard_us <= since_us) {
        connection_drain(connection);
    }
}

struct call *connection_find(const struct connection *connection, int32_t stream_id)
{
    struct call *call;
    TAILQ_FOREACH_REVERSE(call, &connection->streams, call_list, queue_link)
    {
        if (call->stream_id == stream_id) {
            return call;
        }
    }
    return NULL;
}

/* Time. */

void connection_work(struct connection *connection)
{
    connection->in_work = false;
    TAILQ_REMOVE(&connection->transport->work, connection, work_link);
    if (connection->unread) {
        flow_receive(connection);
    }
    if (connection->state == CONNECTION_OPEN) {
        aq_status st = flow_send(connection);
        if (st == AQ_E_NETWORK) {
            connection_fail(connection, st, FAULT_LOST, connection->socket.sys);
        } else if (st < 0) {
            connection_fail(connection, st, "out of memory", 0);
        } else if (session_is_over(&connection->session)) {
            connection_fail(connection, AQ_E_PROTOCOL, FAULT_BROKEN_HTTP2, 0);
        } else if (connection->stream_count &&
                   connection->stream_count >= session_max_streams(&connection->session)) {
            requeue_pending(connection); /* it takes fewer than was hoped for */
        }
    }
    if (connection->draining && connection->call_count == 0) {
        connection_close(connection);
    } else if (connection->call_count == 0) {
        pool_trim(connection->transport);
    }
}

static uint64_t ping_deadline_us(const struct connection *connection)
{
    const uint64_t ping_us = connection->transport->options.ping_us;
    if (connection->state != CONNECTION_OPEN || connection->stream_count == 0 || ping_us == 0) {
        return LOOP_NEVER;
    }
    return connection->asked_us ? connection->asked_us + PONG_US : connection->heard_us + ping_us;
}

/* True if the peer takes what is sent: it lives, and a ping waits behind the rest. Looked at when
 * something is due, not with every piece. */
static bool is_uploading(struct connection *connection)
{
    const uint64_t delivered = socket_delivered(&connection->socket);
    const bool moved = delivered > connection->delivered;
    const bool was_undelivered = connection->undelivered;
    connection->delivered = delivered;
    connection->undelivered = connection->socket.queued > delivered;
    return moved && (was_undelivered || connection->undelivered);
}

uint64_t connection_expire(struct connection *connection, uint64_t now_us)
{
    if (connection->state == CONNECTION_DIALING) {
        dial_expire(&connection->dial, now_us);
    }
    if (now_us >= ping_deadline_us(connection)) {
        if (is_uploading(connection)) {
            connection->heard_us = now_us;
            connection->asked_us = connection->asked_us ? now_us : 0;
        } else if (connection->asked_us) {
            connection_fail(connection, AQ_E_NETWORK, "the peer has fallen silent, try again", 0);
        } else {
            connection->asked_us = now_us;
            session_ping(&connection->session);
            connection_want_work(connection);
        }
    }
    return connection->state == CONNECTION_DIALING ? dial_deadline_us(&connection->dial)
                                                   : ping_deadline_us(connection);
}

static void release(struct connection *connection)
{
    dial_stop(&connection->dial);
    tunnel_done(&connection->tunnel);
    tls_close(&connection->channel);
    session_close(&connection->session);
    socket_close(&connection->socket);
}

void connection_close(struct connection *connection)
{
    struct transport *transport = connection->transport;
    if (connection->state == CONNECTION_CLOSED) {
        return;
    }
    if (connection->state == CONNECTION_OPEN && !connection->failed) {
        flow_end(connection);
    }
    release(connection);
    connection->state = CONNECTION_CLOSED;
    if (connection->in_work) {
        connection->in_work = false;
        TAILQ_REMOVE(&transport->work, connection, work_link);
    }
    TAILQ_REMOVE(&transport->connections, connection, link);
    TAILQ_INSERT_TAIL(&transport->closed, connection, link);
    transport->connection_count--;
    transport->moved = true;
    transport_wake(transport);
}

void connection_free(struct connection *connection)
{
    release(connection);
    free(connection);
}
