/* SPDX-License-Identifier: Apache-2.0 */
#include "connection.h"

#include <stdlib.h>
#include <string.h>

#include "fault.h"
#include "pool.h"
#include "transport.h"

#define RECORD_BYTES (16u * 1024u) /* of plaintext in one TLS record */
#define RECEIVES_PER_STEP 4        /* of one connection; then others, and what it may send again */
#define PONG_US 15000000u          /* how long a sign of life may take */

static bool is_encrypted(const struct connection *connection)
{
    return connection->channel.ssl != NULL;
}

/* It has something to send or to decide. */
static void want_work(struct connection *connection)
{
    if (!connection->in_work && connection->state != CONNECTION_CLOSED) {
        connection->in_work = true;
        TAILQ_INSERT_TAIL(&connection->transport->work, connection, work_link);
    }
    transport_wake(connection->transport);
}

/* Ends. */

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
    want_work(connection);
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

/* End every call with this error, and close. */
static void fail_as(struct connection *connection, const struct aq_error *error)
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

static void fail(struct connection *connection, aq_status status, const char *what, int sys)
{
    struct aq_error error;
    if (status == AQ_E_PROTOCOL || status == AQ_E_LIMIT) {
        fault_in_answer(&error, status, connection->origin.text, what);
    } else {
        fault_set(&error, status, connection->origin.text, what);
    }
    error.sys = sys;
    fail_as(connection, &error);
}

/* Sending. */

static bool put(struct connection *connection, const void *bytes, size_t len)
{
    return len == 0 || (is_encrypted(connection) ? tls_put(&connection->channel, bytes, len)
                                                 : socket_put(&connection->socket, bytes, len));
}

/* Small frames share a record. */
struct record {
    uint8_t bytes[RECORD_BYTES];
    size_t len;
};

static bool put_in_record(struct connection *connection, struct record *record,
                          const uint8_t *bytes, size_t len)
{
    if (!is_encrypted(connection)) {
        return put(connection, bytes, len);
    }
    if (len > sizeof(record->bytes) - record->len) {
        if (!put(connection, record->bytes, record->len)) {
            return false;
        }
        record->len = 0;
    }
    if (len > sizeof(record->bytes)) {
        return put(connection, bytes, len);
    }
    memcpy(record->bytes + record->len, bytes, len);
    record->len += len;
    return true;
}

/* Make a stream for the next call that waits, if the peer allows one more. */
static aq_status submit_next(struct connection *connection)
{
    struct call *call = TAILQ_FIRST(&connection->pending);
    if (!call || connection->stream_count >= session_max_streams(&connection->session)) {
        return AQ_AGAIN;
    }
    aq_status st = session_submit(&connection->session, call);
    if (st == AQ_E_STATE) {
        connection_drain(connection);
        return AQ_AGAIN;
    }
    if (st == AQ_OK) {
        TAILQ_REMOVE(&connection->pending, call, queue_link);
        TAILQ_INSERT_TAIL(&connection->streams, call, queue_link);
        if (connection->stream_count++ == 0) {
            connection->heard_us = transport_now_us(connection->transport);
            connection->asked_us = 0;
        }
        if (connection->transport->options.ping_us) {
            transport_watch(connection->transport,
                            connection->heard_us + connection->transport->options.ping_us);
        }
    }
    return st;
}

/* Move what the session has to say to the socket's queue, as far as it takes more. */
static aq_status fill_queue(struct connection *connection)
{
    struct record record;
    aq_status st = AQ_OK;
    record.len = 0;
    while (socket_waiting(&connection->socket) < SOCKET_QUEUE_BYTES) {
        const uint8_t *bytes;
        size_t len = 0;
        aq_status submitted = submit_next(connection);
        st = submitted < 0 ? submitted : session_send(&connection->session, &bytes, &len);
        if (st == AQ_OK && len && !put_in_record(connection, &record, bytes, len)) {
            st = AQ_E_NOMEM;
        }
        if (st != AQ_OK || (len == 0 && submitted != AQ_OK)) {
            break;
        }
    }
    if (st == AQ_OK && !put(connection, record.bytes, record.len)) {
        st = AQ_E_NOMEM;
    }
    explicit_bzero(record.bytes, record.len);
    return st;
}

/* Send until the session has nothing more to say, or the socket has no room. */
static aq_status send_all(struct connection *connection)
{
    aq_status st;
    uint64_t before;
    do {
        before = connection->socket.queued;
        st = fill_queue(connection);
        if (st == AQ_OK) {
            st = socket_flush(&connection->socket);
        }
    } while (st == AQ_OK && connection->socket.queued != before);
    return st;
}

/* Receiving. */

static aq_status receive(struct connection *connection, size_t *ret_len)
{
    uint8_t *buf = connection->transport->buffer;
    return is_encrypted(connection)
               ? tls_receive(&connection->channel, buf, TRANSPORT_BUFFER_BYTES, ret_len)
               : socket_receive(&connection->socket, buf, TRANSPORT_BUFFER_BYTES, ret_len);
}

static void take(struct connection *connection, size_t len)
{
    const char *what = NULL;
    struct aq_error error;
    connection->heard_us = connection->transport->now_us;
    connection->asked_us = 0;
    aq_status st = session_receive(&connection->session, connection->transport->buffer, len, &what);
    if (st == AQ_OK) {
        return;
    }
    if (!what) {
        fault_set(&error, st, connection->origin.text, FAULT_NO_HTTP2);
        fail_as(connection, &error);
    } else {
        fail(connection, st, what, 0);
    }
}

static void read_frames(struct connection *connection)
{
    connection->unread = false;
    for (int i = 0; i < RECEIVES_PER_STEP; i++) {
        size_t len = 0;
        aq_status st = receive(connection, &len);
        switch (st) {
        case AQ_OK:
            take(connection, len);
            break;
        case AQ_AGAIN:
            want_work(connection); /* there may be something to answer */
            return;
        case AQ_END:
            fail(connection, AQ_E_NETWORK, FAULT_CLOSED, 0);
            break;
        case AQ_E_NETWORK:
            fail(connection, AQ_E_NETWORK, FAULT_LOST, connection->socket.sys);
            break;
        default:
            fail(connection, AQ_E_NETWORK, "broken TLS from the peer, try again", 0);
            break;
        }
        if (connection->state == CONNECTION_CLOSED) {
            return;
        }
    }
    connection->unread = true;
    want_work(connection);
}

/* Becoming open. */

static void open_session(struct connection *connection)
{
    tunnel_done(&connection->tunnel);
    if (session_open(&connection->session, &connection->transport->protocol, connection) != AQ_OK) {
        fail(connection, AQ_E_NOMEM, "out of memory", 0);
        return;
    }
    connection->state = CONNECTION_OPEN;
    connection->heard_us = connection->transport->now_us;
    want_work(connection);
}

static void shake_hands(struct connection *connection)
{
    struct aq_error error;
    aq_status st = tls_handshake(&connection->channel, &error);
    if (st == AQ_OK) {
        open_session(connection);
        return;
    }
    socket_flush(&connection->socket); /* an alert, too; if that fails, so does the next receive */
    if (st != AQ_AGAIN) {
        fail_as(connection, &error);
    }
}

static void begin_handshake(struct connection *connection)
{
    struct aq_error error;
    if (!connection->origin.https) {
        open_session(connection);
        return;
    }
    connection->state = CONNECTION_HANDSHAKE;
    if (tls_open(&connection->transport->tls, &connection->channel, &connection->origin,
                 &connection->socket, &error) != AQ_OK) {
        fail_as(connection, &error);
        return;
    }
    shake_hands(connection);
}

static void read_tunnel(struct connection *connection)
{
    struct aq_error error;
    aq_status st =
        tunnel_receive(&connection->tunnel, &connection->socket, &connection->origin, &error);
    if (st == AQ_OK) {
        begin_handshake(connection);
    } else if (st != AQ_AGAIN) {
        fail_as(connection, &error);
    }
}

static void begin_tunnel(struct connection *connection)
{
    connection->state = CONNECTION_TUNNELING;
    if (tunnel_start(&connection->tunnel, &connection->socket,
                     &connection->transport->options.proxy, &connection->origin) != AQ_OK) {
        fail(connection, AQ_E_NOMEM, "out of memory", 0);
    } else if (socket_flush(&connection->socket) == AQ_E_NETWORK) {
        fail(connection, AQ_E_NETWORK, FAULT_PROXY, connection->socket.sys);
    }
}

static void socket_ready(struct watch *watch, uint32_t events)
{
    struct connection *connection =
        (struct connection *)((char *)watch - offsetof(struct connection, socket.watch));
    connection->socket.drained = false;
    if ((events & EPOLLOUT) && connection->state != CONNECTION_OPEN) {
        socket_flush(&connection->socket); /* what fails here fails again when receiving */
    }
    switch (connection->state) {
    case CONNECTION_TUNNELING:
        read_tunnel(connection);
        break;
    case CONNECTION_HANDSHAKE:
        shake_hands(connection);
        break;
    default:
        read_frames(connection);
        break;
    }
}

static void fail_dial(struct connection *connection)
{
    const struct dial *dial = &connection->dial;
    switch (dial->state) {
    case DIAL_NO_NAME:
        fail(connection, AQ_E_NETWORK, connection->proxied ? FAULT_NO_PROXY_NAME : FAULT_NO_NAME,
             0);
        break;
    case DIAL_NOT_HERE:
        fail(connection, AQ_E_INVALID, "plain http is for this machine alone, use https", 0);
        break;
    case DIAL_NO_MEMORY:
        fail(connection, AQ_E_NOMEM, "out of memory", 0);
        break;
    default:
        fail(connection, AQ_E_NETWORK, FAULT_NO_CONNECTION, dial->sys);
        break;
    }
}

static void dial_changed(struct dial *dial)
{
    struct connection *connection =
        (struct connection *)((char *)dial - offsetof(struct connection, dial));
    if (dial->state == DIAL_BUSY) {
        transport_watch(connection->transport, dial_deadline_us(dial));
    } else if (dial->state != DIAL_DONE) {
        fail_dial(connection);
    } else if (!socket_open(&connection->socket, &connection->transport->loop, dial->fd,
                            socket_ready)) {
        fail(connection, AQ_E_NOMEM, "out of memory", 0);
    } else if (connection->proxied) {
        begin_tunnel(connection);
    } else {
        begin_handshake(connection);
    }
}

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

/* Not before its first call is there to be told how it ends. */
static void begin_dial(struct connection *connection)
{
    const struct proxy *proxy = &connection->transport->options.proxy;
    struct dial *dial = &connection->dial;
    dial_start(dial, &connection->transport->loop,
               connection->proxied ? proxy->host : connection->origin.host,
               connection->proxied ? proxy->port : connection->origin.port,
               !connection->origin.https, dial_changed);
    dial_changed(dial);
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
        want_work(connection);
        return;
    }
    call_connecting(call);
    if (connection->dial.state == DIAL_NONE) {
        begin_dial(connection);
    }
}

/* True if both sides have said all they had to say, or the stream is gone anyway. */
static bool is_through(const struct call *call)
{
    return call->closed || (call->phase == CALL_OVER && call->error.status == AQ_OK &&
                            call->outgoing.body_sent == call->outgoing.body_len);
}

void connection_remove(struct connection *connection, struct call *call)
{
    call->connection = NULL;
    connection->call_count--;
    if (call->stream_id == 0) {
        TAILQ_REMOVE(&connection->pending, call, queue_link);
    } else {
        TAILQ_REMOVE(&connection->streams, call, queue_link);
        connection->stream_count--;
        session_cancel(&connection->session, call, is_through(call));
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
    want_work(connection);
}

void connection_consumed(struct connection *connection, struct call *call, size_t len)
{
    session_consumed(&connection->session, call, len);
    if (session_wants_to_send(&connection->session)) {
        want_work(connection);
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
        read_frames(connection);
    }
    if (connection->state == CONNECTION_OPEN) {
        aq_status st = send_all(connection);
        if (st == AQ_E_NETWORK) {
            fail(connection, st, "connection lost while sending, try again",
                 connection->socket.sys);
        } else if (st < 0) {
            fail(connection, st, "out of memory", 0);
        } else if (session_is_over(&connection->session)) {
            fail(connection, AQ_E_PROTOCOL, FAULT_BROKEN_HTTP2, 0);
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

uint64_t connection_expire(struct connection *connection, uint64_t now_us)
{
    if (connection->state == CONNECTION_DIALING) {
        dial_expire(&connection->dial, now_us);
    }
    if (now_us >= ping_deadline_us(connection)) {
        if (connection->asked_us) {
            fail(connection, AQ_E_NETWORK, "the peer has fallen silent, try again", 0);
        } else {
            connection->asked_us = now_us;
            session_ping(&connection->session);
            want_work(connection);
        }
    }
    return connection->state == CONNECTION_DIALING ? dial_deadline_us(&connection->dial)
                                                   : ping_deadline_us(connection);
}

static void say_goodbye(struct connection *connection)
{
    session_terminate(&connection->session);
    if (fill_queue(connection) == AQ_OK) {
        if (is_encrypted(connection)) {
            tls_say_goodbye(&connection->channel);
        }
        socket_flush(&connection->socket); /* as far as that goes without waiting */
    }
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
        say_goodbye(connection);
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
