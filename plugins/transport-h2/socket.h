/* SPDX-License-Identifier: Apache-2.0 */
/* A connected socket, and the bytes that wait to be sent on it. */
#ifndef TRANSPORT_H2_SOCKET_H
#define TRANSPORT_H2_SOCKET_H

#include <amazonq/plugin.h>
#include <stdbool.h>

#include "loop.h"

#define SOCKET_QUEUE_BYTES (64u * 1024u)       /* enough for now: whoever can wait does */
#define SOCKET_QUEUE_MAX_BYTES (1024u * 1024u) /* a peer that makes us answer but does not read */

struct socket {
    struct loop *loop;
    struct watch watch;
    uint8_t *out; /* out[begin] ... out[end - 1] wait to be sent */
    size_t begin;
    size_t end;
    size_t size;
    uint64_t queued; /* bytes so far, and how many of them the system has taken */
    uint64_t sent;
    bool drained; /* nothing to receive before the next event */
    int sys;      /* errno of what went wrong */
};

/* Take over fd, which is connected, and wait for input. False: no memory; fd is closed by
 * socket_close all the same. */
bool socket_open(struct socket *socket, struct loop *loop, int fd,
                 void (*on_event)(struct watch *watch, uint32_t events));

/* Close it; what waits is lost. Twice is fine; zero-initialised with watch.fd -1, too. */
void socket_close(struct socket *socket);

/* Queue bytes. False: no memory, or far too much waits already. */
bool socket_put(struct socket *socket, const void *bytes, size_t len);

/* Send what waits. AQ_OK: all is sent; AQ_AGAIN: the rest when there is room, the loop watches for
 * it; AQ_E_NETWORK: see sys. Never raises SIGPIPE. */
aq_status socket_flush(struct socket *socket);

/* Receive at most cap bytes. AQ_OK, AQ_AGAIN, AQ_END when the peer has closed, or AQ_E_NETWORK. */
aq_status socket_receive(struct socket *socket, void *buf, size_t cap, size_t *ret_len);

/* Bytes that have arrived at the peer's system, of those that were queued. */
uint64_t socket_delivered(const struct socket *socket);

static inline size_t socket_waiting(const struct socket *socket)
{
    return socket->end - socket->begin;
}

#endif
