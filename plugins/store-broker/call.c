/* SPDX-License-Identifier: Apache-2.0 */
#include "call.h"
#include "peer.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    ALONE_US = 1000 * 1000, /* a broker that is started again is back by then */
    PAUSE_US = 20 * 1000,
};

static uint64_t now_us(const struct call *c)
{
    return c->host->now_us(c->host->ctx);
}

static void disconnect(struct call *c)
{
    if (c->fd >= 0) {
        (void)close(c->fd);
    }
    c->fd = -1;
    c->sent = 0;
    explicit_bzero(c->reply, c->reply_len);
    c->reply_len = 0;
}

void call_init(struct call *c, const struct aq_host *host)
{
    c->host = host;
    c->fd = -1;
    c->sent = c->request_len = c->reply_len = 0;
}

void call_end(struct call *c)
{
    disconnect(c);
    c->request_len = 0;
}

void call_begin(struct call *c, const char *request)
{
    disconnect(c);
    c->alone_us = 0;
    c->request_len = strlen(request);
    memcpy(c->request, request, c->request_len);
}

/* ---- connecting ---- */

static aq_status refused(const struct sockaddr_un *where, int number, struct aq_error *err)
{
    err->sys = number;
    if (number == EACCES || number == EPERM) {
        return fail(err, AQ_E_DENIED,
                    "user %u may not use %s, start it on the host with: q broker --allow-uid %u",
                    (unsigned)geteuid(), where->sun_path, (unsigned)geteuid());
    }
    if (number == ENOENT || number == ECONNREFUSED) {
        return fail(err, AQ_E_UNAVAILABLE,
                    "nobody listens on %s, start it on the host with: q broker", where->sun_path);
    }
    if (number == EAGAIN) {
        return fail(err, AQ_E_BUSY, "too many wait on %s already, try again", where->sun_path);
    }
    return fail(err, AQ_E_IO, "cannot connect to %s: %s", where->sun_path, strerror(number));
}

/* AQ_AGAIN: nobody is there, but somebody may come. */
static aq_status connect_once(struct call *c, const struct sockaddr_un *where, struct aq_error *err)
{
    c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (c->fd < 0) {
        return fail(err, AQ_E_IO, "no socket: %s", strerror(errno));
    }
    if (connect(c->fd, (const struct sockaddr *)where, sizeof(*where)) == 0) {
        aq_status st = peer_check(c->fd, where, err);
        if (st != AQ_OK) {
            disconnect(c);
        }
        return st;
    }
    int number = errno;
    disconnect(c);
    c->alone_us = c->alone_us ? c->alone_us : now_us(c);
    bool may_come = number == ENOENT || number == ECONNREFUSED || number == EAGAIN;
    return may_come && now_us(c) < c->alone_us + ALONE_US ? AQ_AGAIN : refused(where, number, err);
}

/* ---- sending and receiving ---- */

/* AQ_END: the broker has gone. */
static aq_status send_rest(struct call *c)
{
    while (c->sent < c->request_len) {
        ssize_t n = send(c->fd, c->request + c->sent, c->request_len - c->sent, MSG_NOSIGNAL);
        if (n < 0) { /* it may have said why before it went: that is read next */
            return errno == EAGAIN ? AQ_AGAIN : AQ_OK;
        }
        c->sent += (size_t)n;
    }
    return AQ_OK;
}

static aq_status receive(struct call *c, struct aq_str *ret_line, struct aq_error *err)
{
    for (;;) {
        size_t room = sizeof(c->reply) - c->reply_len;
        if (room == 0) {
            return fail(err, AQ_E_PROTOCOL, "its reply is longer than %d bytes, update it or q",
                        CALL_REPLY_MAX);
        }
        ssize_t n = recv(c->fd, c->reply + c->reply_len, room, 0);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
            return AQ_AGAIN;
        }
        if (n <= 0) {
            return AQ_END;
        }
        char *end = memchr(c->reply + c->reply_len, '\n', (size_t)n);
        c->reply_len += (size_t)n;
        if (end) {
            *ret_line = (struct aq_str){ c->reply, (size_t)(end - c->reply) };
            return AQ_OK;
        }
    }
}

static aq_status advance(struct call *c, const struct sockaddr_un *where, struct aq_str *ret_line,
                         struct aq_error *err)
{
    aq_status st = c->fd < 0 ? connect_once(c, where, err) : AQ_OK;
    if (st == AQ_OK) {
        st = send_rest(c);
    }
    if (st == AQ_OK) {
        st = receive(c, ret_line, err);
    }
    if (st == AQ_END) { /* it ended before it answered: the next one will */
        disconnect(c);
        c->alone_us = now_us(c);
        st = AQ_AGAIN;
    }
    return st;
}

/* False when a signal came. */
static bool wait_for(const struct call *c, uint64_t until_us)
{
    uint64_t now = now_us(c);
    uint64_t left_us = until_us > now ? until_us - now : 0;
    if (c->fd < 0 && left_us > PAUSE_US) {
        left_us = PAUSE_US;
    }
    struct pollfd fd = { .fd = c->fd,
                         .events = c->sent < c->request_len ? POLLIN | POLLOUT : POLLIN };
    return poll(&fd, 1, (int)((left_us + 999) / 1000)) >= 0;
}

aq_status call_run(struct call *c, const struct sockaddr_un *where, uint64_t until_us,
                   struct aq_str *ret_line, struct aq_error *err)
{
    aq_status st;
    while ((st = advance(c, where, ret_line, err)) == AQ_AGAIN) {
        if (now_us(c) >= until_us || !wait_for(c, until_us)) {
            return AQ_AGAIN;
        }
    }
    return st;
}
