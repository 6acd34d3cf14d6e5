/* SPDX-License-Identifier: Apache-2.0 */
#include "flow.h"

#include <string.h>

#include "fault.h"
#include "transport.h"

#define RECORD_BYTES (16u * 1024u) /* of plaintext in one TLS record */
#define RECEIVE_BYTES \
    (128u * 1024u) /* of one connection in one step: what is read while it is in the cache */

static bool is_encrypted(const struct connection *connection)
{
    return connection->channel.ssl != NULL;
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

/* Move what the session has to say to the socket's queue, as far as it takes more; with the
 * requests that wait, or without. */
static aq_status fill_queue(struct connection *connection, bool with_requests)
{
    struct record record;
    aq_status st = AQ_OK;
    record.len = 0;
    while (socket_waiting(&connection->socket) < SOCKET_QUEUE_BYTES) {
        const uint8_t *bytes;
        size_t len = 0;
        aq_status submitted = with_requests ? submit_next(connection) : AQ_AGAIN;
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

aq_status flow_send(struct connection *connection)
{
    aq_status st;
    uint64_t before;
    do {
        before = connection->socket.queued;
        st = fill_queue(connection, true);
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
    if (!is_encrypted(connection)) {
        return socket_receive(&connection->socket, buf, TRANSPORT_BUFFER_BYTES, ret_len);
    }
    aq_status st = tls_receive(&connection->channel, buf, TRANSPORT_BUFFER_BYTES, ret_len);
    return session_bear(&connection->session, tls_take_messages(&connection->channel)) ? st
                                                                                       : AQ_E_LIMIT;
}

static void take(struct connection *connection, size_t len)
{
    const char *what = NULL;
    struct aq_error error;
    struct transport *transport = connection->transport;
    transport->buffer_used = len > transport->buffer_used ? len : transport->buffer_used;
    connection->heard_us = transport->now_us;
    connection->asked_us = 0;
    aq_status st = session_receive(&connection->session, transport->buffer, len, &what);
    if (st == AQ_OK) {
        return;
    }
    if (!what) {
        fault_set(&error, st, connection->origin.text, FAULT_NO_HTTP2);
        connection_fail_as(connection, &error);
    } else {
        connection_fail(connection, st, what, 0);
    }
}

void flow_receive(struct connection *connection)
{
    connection->unread = false;
    for (size_t received = 0; received < RECEIVE_BYTES;) {
        size_t len = 0;
        aq_status st = receive(connection, &len);
        received += len;
        switch (st) {
        case AQ_OK:
            take(connection, len);
            break;
        case AQ_AGAIN:
            connection_want_work(connection); /* there may be something to answer */
            return;
        case AQ_END:
            connection_fail(connection, AQ_E_NETWORK, FAULT_LOST, 0);
            break;
        case AQ_E_NETWORK:
            connection_fail(connection, AQ_E_NETWORK, FAULT_LOST, connection->socket.sys);
            break;
        case AQ_E_LIMIT:
            connection_fail(connection, AQ_E_LIMIT, SESSION_FLOODED, 0);
            break;
        default:
            connection_fail(connection, AQ_E_NETWORK, "broken TLS from the peer, try again", 0);
            break;
        }
        if (connection->state == CONNECTION_CLOSED) {
            return;
        }
    }
    /* What is in the socket wakes the loop by itself. */
    connection->unread = is_encrypted(connection) && tls_holds_more(&connection->channel);
    connection_want_work(connection);
}

void flow_cancel(struct connection *connection)
{
    if (fill_queue(connection, false) != AQ_OK) {
        connection_fail(connection, AQ_E_NOMEM, "out of memory", 0);
        return;
    }
    socket_flush(&connection->socket); /* what fails here fails again at the next step */
}

void flow_end(struct connection *connection)
{
    session_terminate(&connection->session);
    if (fill_queue(connection, false) == AQ_OK) {
        if (is_encrypted(connection)) {
            tls_say_goodbye(&connection->channel);
        }
        socket_flush(&connection->socket); /* as far as that goes without waiting */
    }
}
