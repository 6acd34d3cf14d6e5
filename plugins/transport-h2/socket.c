/* SPDX-License-Identifier: Apache-2.0 */
#include "socket.h"

#include <errno.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "memory.h"

#define FIRST_SIZE 4096u
#define KEPT_SIZE (16u * 1024u) /* of an empty queue */

bool socket_open(struct socket *socket, struct loop *loop, int fd,
                 void (*on_event)(struct watch *watch, uint32_t events))
{
    *socket = (struct socket){
        .loop = loop,
        .watch = { .fd = fd, .on_event = on_event },
        .drained = true, /* the loop says when something comes */
    };
    return loop_watch(loop, &socket->watch, EPOLLIN);
}

static void drop_queue(struct socket *socket)
{
    memory_free(socket->out, socket->size);
    socket->out = NULL;
    socket->begin = socket->end = socket->size = 0;
}

void socket_close(struct socket *socket)
{
    if (socket->watch.fd >= 0) {
        loop_unwatch(socket->loop, &socket->watch);
        close(socket->watch.fd);
        socket->watch.fd = -1;
    }
    drop_queue(socket);
}

static bool grow(struct socket *socket, size_t len)
{
    const size_t waiting = socket_waiting(socket);
    size_t size = socket->size ? socket->size : FIRST_SIZE;
    if (waiting + len > SOCKET_QUEUE_MAX_BYTES) {
        return false;
    }
    if (socket->begin) {
        memmove(socket->out, socket->out + socket->begin, waiting);
        socket->begin = 0;
        socket->end = waiting;
    }
    while (size - waiting < len) {
        size *= 2;
    }
    if (size == socket->size) {
        return true;
    }
    uint8_t *grown = memory_grow(socket->out, waiting, socket->size, size);
    if (!grown) {
        return false;
    }
    socket->out = grown;
    socket->size = size;
    return true;
}

bool socket_put(struct socket *socket, const void *bytes, size_t len)
{
    if (socket->size - socket->end < len && !grow(socket, len)) {
        return false;
    }
    memcpy(socket->out + socket->end, bytes, len);
    socket->end += len;
    socket->queued += len;
    return true;
}

static aq_status wait_for_room(struct socket *socket)
{
    if (!loop_watch(socket->loop, &socket->watch, EPOLLIN | EPOLLOUT)) {
        socket->sys = errno;
        return AQ_E_NETWORK;
    }
    return AQ_AGAIN;
}

aq_status socket_flush(struct socket *socket)
{
    while (socket_waiting(socket)) {
        ssize_t len = send(socket->watch.fd, socket->out + socket->begin, socket_waiting(socket),
                           MSG_NOSIGNAL);
        if (len < 0 && errno == EINTR) {
            continue;
        }
        if (len < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            return wait_for_room(socket);
        }
        if (len < 0) {
            socket->sys = errno;
            return AQ_E_NETWORK;
        }
        socket->begin += (size_t)len;
        socket->sent += (uint64_t)len;
    }
    socket->begin = socket->end = 0;
    if (socket->size > KEPT_SIZE) {
        drop_queue(socket);
    }
    loop_watch(socket->loop, &socket->watch, EPOLLIN); /* only ever takes away: cannot fail */
    return AQ_OK;
}

uint64_t socket_delivered(const struct socket *socket)
{
    int on_its_way = 0;
    return ioctl(socket->watch.fd, SIOCOUTQ, &on_its_way) == 0 ? socket->sent - (uint64_t)on_its_way
                                                               : socket->sent;
}

aq_status socket_receive(struct socket *socket, void *buf, size_t cap, size_t *ret_len)
{
    ssize_t len;
    if (socket->drained) {
        return AQ_AGAIN;
    }
    do {
        len = recv(socket->watch.fd, buf, cap, 0);
    } while (len < 0 && errno == EINTR);
    if (len == 0) {
        return AQ_END;
    }
    if (len < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
        socket->sys = errno;
        return AQ_E_NETWORK;
    }
    socket->drained = len < (ssize_t)cap; /* the loop says when there is more */
    if (len < 0) {
        return AQ_AGAIN;
    }
    *ret_len = (size_t)len;
    return AQ_OK;
}
