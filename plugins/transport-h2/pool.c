/* SPDX-License-Identifier: Apache-2.0 */
#include "pool.h"

#include "fault.h"
#include "transport.h"

#define IDLE_MAX 16u

void pool_join(struct call *call)
{
    call->connection = NULL;
    call->stream_id = 0;
    if (call->timing.phase != CALL_OVER) {
        timing_enter(&call->timing, CALL_WAITING, call->transport->now_us);
    }
    call->queued = true;
    call->transport->moved = true;
    TAILQ_INSERT_TAIL(&call->transport->waiting, call, queue_link);
}

void pool_leave(struct call *call)
{
    if (call->connection) {
        connection_remove(call->connection, call);
    } else if (call->queued) {
        TAILQ_REMOVE(&call->transport->waiting, call, queue_link);
    }
    call->queued = false;
    call->transport->moved = true;
}

/* One with room, preferably open; closes those that are too old on the way. */
static struct connection *find_room(struct transport *transport, const struct origin *origin)
{
    struct connection *found = NULL;
    struct connection *connection = TAILQ_FIRST(&transport->connections);
    while (connection) {
        struct connection *next = TAILQ_NEXT(connection, link);
        if (connection_is_stale(connection, transport->now_us)) {
            connection_close(connection);
        } else if (origin_same(&connection->origin, origin) && connection_room(connection) &&
                   (!found || connection->state == CONNECTION_OPEN)) {
            found = connection;
            if (found->state == CONNECTION_OPEN) {
                break;
            }
        }
        connection = next;
    }
    return found;
}

/* The one that has been idle for the longest time. */
static struct connection *find_oldest_idle(struct transport *transport, unsigned *ret_count)
{
    struct connection *oldest = NULL;
    struct connection *connection;
    *ret_count = 0;
    TAILQ_FOREACH(connection, &transport->connections, link)
    {
        if (connection->call_count == 0) {
            (*ret_count)++;
            if (!oldest || connection->idle_since_us < oldest->idle_since_us) {
                oldest = connection;
            }
        }
    }
    return oldest;
}

static bool make_room(struct transport *transport)
{
    unsigned idle_count;
    if (transport->connection_count >= transport->options.max_connections) {
        struct connection *idle = find_oldest_idle(transport, &idle_count);
        if (idle) {
            connection_close(idle);
        }
    }
    return transport->connection_count < transport->options.max_connections;
}

void pool_place(struct transport *transport)
{
    struct call *call = TAILQ_FIRST(&transport->waiting);
    while (call) {
        struct call *next = TAILQ_NEXT(call, queue_link);
        struct connection *connection = find_room(transport, &call->outgoing.origin);
        if (!connection && make_room(transport)) {
            connection = connection_open(transport, &call->outgoing.origin);
            if (!connection) {
                call_fail(call, AQ_E_NOMEM, "out of memory", 0);
            }
        }
        if (connection) {
            TAILQ_REMOVE(&transport->waiting, call, queue_link);
            connection_add(connection, call);
        }
        call = next;
    }
}

void pool_trim(struct transport *transport)
{
    unsigned idle_count;
    struct connection *oldest = find_oldest_idle(transport, &idle_count);
    if (oldest && idle_count > IDLE_MAX) {
        connection_close(oldest);
    }
}
