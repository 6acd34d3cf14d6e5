/* SPDX-License-Identifier: Apache-2.0 */
#include "opening.h"

#include "fault.h"
#include "flow.h"
#include "transport.h"

static void open_session(struct connection *connection)
{
    tunnel_done(&connection->tunnel);
    if (session_open(&connection->session, &connection->transport->protocol, connection) != AQ_OK) {
        connection_fail(connection, AQ_E_NOMEM, "out of memory", 0);
        return;
    }
    connection->state = CONNECTION_OPEN;
    connection->heard_us = connection->transport->now_us;
    connection_want_work(connection);
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
    if (st == AQ_AGAIN) {
        tls_collect_algorithms(&connection->transport->tls);
    } else {
        connection_fail_as(connection, &error);
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
        connection_fail_as(connection, &error);
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
        connection_fail_as(connection, &error);
    }
}

static void begin_tunnel(struct connection *connection)
{
    connection->state = CONNECTION_TUNNELING;
    if (tunnel_start(&connection->tunnel, &connection->socket,
                     &connection->transport->options.proxy, &connection->origin) != AQ_OK) {
        connection_fail(connection, AQ_E_NOMEM, "out of memory", 0);
    } else if (socket_flush(&connection->socket) == AQ_E_NETWORK) {
        connection_fail(connection, AQ_E_NETWORK, FAULT_PROXY, connection->socket.sys);
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
        flow_receive(connection);
        break;
    }
}

static void fail_dial(struct connection *connection)
{
    const struct dial *dial = &connection->dial;
    switch (dial->state) {
    case DIAL_NO_NAME:
        connection_fail(connection, AQ_E_NETWORK,
                        connection->proxied ? FAULT_NO_PROXY_NAME : FAULT_NO_NAME, 0);
        break;
    case DIAL_NOT_HERE:
        connection_fail(connection, AQ_E_INVALID, FAULT_NOT_HERE, 0);
        break;
    case DIAL_NO_MEMORY:
        connection_fail(connection, AQ_E_NOMEM, "out of memory", 0);
        break;
    default:
        connection_fail(connection, AQ_E_NETWORK,
                        connection->proxied ? FAULT_NO_CONNECTION_BY_PROXY : FAULT_NO_CONNECTION,
                        dial->sys);
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
        connection_fail(connection, AQ_E_NOMEM, "out of memory", 0);
    } else if (connection->proxied) {
        begin_tunnel(connection);
    } else {
        begin_handshake(connection);
    }
}

void opening_begin(struct connection *connection)
{
    const struct proxy *proxy = &connection->transport->options.proxy;
    struct dial *dial = &connection->dial;
    dial_start(dial, &connection->transport->loop,
               connection->proxied ? proxy->host : connection->origin.host,
               connection->proxied ? proxy->port : connection->origin.port,
               !connection->origin.https, dial_changed);
    if (dial->state == DIAL_BUSY && connection->origin.https) {
        tls_prepare(&connection->transport->tls, &connection->origin);
    }
    dial_changed(dial);
}
