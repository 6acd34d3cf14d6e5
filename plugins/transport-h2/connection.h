/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection to an origin, and the calls that share it.
 *
 *     DIALING -> TUNNELING (to a proxy) -> HANDSHAKE (https) -> OPEN -> CLOSED
 */
#ifndef TRANSPORT_H2_CONNECTION_H
#define TRANSPORT_H2_CONNECTION_H

#include <amazonq/plugin.h>
#include <stdbool.h>
#include <sys/queue.h>

#include "call.h"
#include "dial.h"
#include "session.h"
#include "socket.h"
#include "tls.h"
#include "tunnel.h"
#include "url.h"

struct transport;

/* Streams that may be opened before the peer has said how many: what RFC 9113, 6.5.2 recommends as
 * the least. */
#define CONNECTION_STREAMS_AT_FIRST 100u

enum connection_state {
    CONNECTION_DIALING,
    CONNECTION_TUNNELING,
    CONNECTION_HANDSHAKE,
    CONNECTION_OPEN,
    CONNECTION_CLOSED,
};

struct connection {
    struct transport *transport;
    TAILQ_ENTRY(connection) link; /* in transport->connections or closed */
    TAILQ_ENTRY(connection) work_link;
    struct origin origin;
    bool proxied;
    enum connection_state state;
    struct dial dial;
    struct tunnel tunnel;
    struct socket socket;
    struct tls_channel channel;
    struct session session;
    struct call_list pending;  /* calls that wait for a stream, or for the connection */
    struct call_list streams;  /* calls that have one */
    uint32_t call_count;       /* in both */
    uint32_t streams_at_first; /* that are hoped for until the peer has said how many */
    uint32_t stream_count;     /* in streams */
    bool draining;             /* takes no more calls, and is closed when it has none */
    bool failed;               /* nothing is sent any more, not even what is queued */
    bool unread;               /* TLS holds what one step did not take */
    bool in_work;              /* is in transport->work */
    uint64_t idle_since_us;    /* when its last call left */
    uint64_t heard_us;         /* when the peer was last heard, or had to be */
    uint64_t asked_us;         /* when a sign of life was asked for; 0: it was not */
    uint64_t delivered;        /* bytes, when last looked at */
    bool undelivered;          /* there were more then */
};

TAILQ_HEAD(connection_list, connection);

/* Begin to connect to origin. NULL: no memory. */
struct connection *connection_open(struct transport *transport, const struct origin *origin);

/* Calls that it could take now. */
uint32_t connection_room(const struct connection *connection);

/* True if it has no calls and is too old to be used again. */
bool connection_is_stale(const struct connection *connection, uint64_t now_us);

/* Give it a call. */
void connection_add(struct connection *connection, struct call *call);

/* Take a call away, whose stream is cancelled if it is not complete. */
void connection_remove(struct connection *connection, struct call *call);

/* Give back the window for what was read of a call. */
void connection_consumed(struct connection *connection, struct call *call, size_t len);

/* The peer was silent for as long as a call waited: do not trust it with more. */
void connection_doubt(struct connection *connection, uint64_t since_us);

/* Do its work: send what can be sent, close it if that is due. */
void connection_work(struct connection *connection);

/* Let its deadlines pass; returns the next one. */
uint64_t connection_expire(struct connection *connection, uint64_t now_us);

/* Close it, in order if it can be; its calls have left. */
void connection_close(struct connection *connection);

/* Free one that is closed, or one of a parent process. */
void connection_free(struct connection *connection);

/* For its parts. */

/* It has something to send or to decide. */
void connection_want_work(struct connection *connection);

/* End its calls with this error, but for those that can go elsewhere, and close it. */
void connection_fail(struct connection *connection, aq_status status, const char *what, int sys);
void connection_fail_as(struct connection *connection, const struct aq_error *error);

/* The call that has this stream, or NULL. */
struct call *connection_find(const struct connection *connection, int32_t stream_id);

/* The peer takes no more requests; those that wait go elsewhere. */
void connection_drain(struct connection *connection);

#endif
