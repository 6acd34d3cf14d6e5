/* SPDX-License-Identifier: Apache-2.0 */
#include "caller.h"
#include "fault.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void caller_begin(struct caller *c, int fd, struct peer peer, uint64_t now_us)
{
    *c = (struct caller){ .fd = fd, .peer = peer };
    caller_turn(c, CALLER_READING, now_us);
}

void caller_end(struct caller *c)
{
    if (c->state != CALLER_FREE) {
        (void)close(c->fd);
        text_done(&c->out);
        c->state = CALLER_FREE;
    }
}

void caller_turn(struct caller *c, enum caller_state state, uint64_t now_us)
{
    c->state = state;
    c->since_us = now_us;
}

short caller_events(const struct caller *c)
{
    switch (c->state) {
    case CALLER_READING:
        return POLLIN;
    case CALLER_WRITING:
        return POLLOUT;
    default:
        return 0; /* that it has gone is always told */
    }
}

/* Take a whole line out of what was read. */
static aq_status next_line(struct caller *c, struct aq_error *err)
{
    char *end = memchr(c->in, '\n', c->in_len);
    if (!end) {
        return AQ_AGAIN;
    }
    size_t len = (size_t)(end - c->in);
    aq_status st = request_parse((struct aq_str){ c->in, len }, &c->request, err);
    c->in_len -= len + 1;
    memmove(c->in, end + 1, c->in_len);
    return st;
}

aq_status caller_read(struct caller *c, struct aq_error *err)
{
    aq_status st = next_line(c, err);
    while (st == AQ_AGAIN) {
        if (c->in_len == sizeof(c->in)) {
            c->last = true;
            return fault_set(err, AQ_E_INVALID, "request: a line has at most %d bytes",
                             REQUEST_MAX);
        }
        ssize_t n = recv(c->fd, c->in + c->in_len, sizeof(c->in) - c->in_len, 0);
        if (n <= 0) {
            bool later = n < 0 && (errno == EAGAIN || errno == EINTR);
            return later ? AQ_AGAIN : AQ_END;
        }
        c->in_len += (size_t)n;
        st = next_line(c, err);
    }
    return st;
}

bool caller_is_ahead(const struct caller *c)
{
    return c->state == CALLER_READING && memchr(c->in, '\n', c->in_len);
}

aq_status caller_write(struct caller *c)
{
    while (c->written < c->out.len) {
        ssize_t n = send(c->fd, c->out.ptr + c->written, c->out.len - c->written, MSG_NOSIGNAL);
        if (n < 0) {
            return errno == EAGAIN || errno == EINTR ? AQ_AGAIN : AQ_END;
        }
        c->written += (size_t)n;
    }
    text_clear(&c->out);
    c->written = 0;
    return AQ_OK;
}
