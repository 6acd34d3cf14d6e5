/* SPDX-License-Identifier: Apache-2.0 */
#include "client/loopback.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/str.h"
#include "wire/signin.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    PEER_US = 5 * 1000 * 1000, /* for one request */
    BACKLOG = 128,
    ACCEPT_MAX = 64, /* in one go, so that a flood does not keep the rest of the client waiting */
    PIECE = 4096,    /* bytes */
};

/* ---- peers ---- */

static bool peer_is_there(const struct loopback_peer *p)
{
    return p->request.max > 0;
}

static void peer_drop(struct loopback_peer *p)
{
    if (peer_is_there(p)) {
        close(p->fd); /* which takes it out of the epoll set */
        buf_done(&p->request);
        p->request.max = 0;
    }
}

/* A free place, or that of whoever has been here longest. */
static struct loopback_peer *loopback_place(struct loopback *l)
{
    struct loopback_peer *oldest = &l->peers[0];
    for (size_t i = 0; i < LOOPBACK_PEERS; i++) {
        if (!peer_is_there(&l->peers[i])) {
            return &l->peers[i];
        }
        if (l->peers[i].until_us < oldest->until_us) {
            oldest = &l->peers[i];
        }
    }
    peer_drop(oldest);
    return oldest;
}

static void peer_answer(const struct loopback_peer *p, enum callback_verdict verdict)
{
    AUTO(buf) struct buf answer = BUF(PIECE);
    callback_answer(verdict, &answer);
    if (buf_status(&answer) == AQ_OK) { /* small: it fits into the socket, or they get nothing */
        ssize_t ignored = send(p->fd, answer.ptr, answer.len, MSG_NOSIGNAL | MSG_DONTWAIT);
        (void)ignored;
    }
}

/* Read what there is. False when there will be no more. */
static bool peer_read(struct loopback_peer *p)
{
    while (p->request.len < CALLBACK_REQUEST_MAX) {
        size_t room = CALLBACK_REQUEST_MAX - p->request.len;
        room = room < PIECE ? room : PIECE;
        if (!buf_reserve(&p->request, room)) {
            return false;
        }
        ssize_t n = recv(p->fd, p->request.ptr + p->request.len, room, MSG_DONTWAIT);
        if (n <= 0) {
            return n < 0 && (errno == EAGAIN || errno == EINTR);
        }
        p->request.len += (size_t)n;
    }
    return true;
}

/* Go on with one; it is gone when it has been answered. */
static enum callback_verdict peer_run(struct loopback_peer *p, const struct callback *want,
                                      struct buf *ret)
{
    bool open = peer_read(p);
    enum callback_verdict verdict = callback_judge(want, buf_str(&p->request), ret);
    if (verdict != CALLBACK_MORE) {
        peer_answer(p, verdict);
    }
    if (verdict != CALLBACK_MORE || !open || clock_now_us() >= p->until_us) {
        peer_drop(p);
    }
    return verdict;
}

/* ---- the listener ---- */

static aq_status loopback_listen(struct loopback *l, struct aq_error *err)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof(address);
    struct epoll_event want = { .events = EPOLLIN };
    if (l->listen_fd < 0 || l->epoll_fd < 0 ||
        bind(l->listen_fd, (struct sockaddr *)&address, size) != 0 ||
        listen(l->listen_fd, BACKLOG) != 0 ||
        getsockname(l->listen_fd, (struct sockaddr *)&address, &size) != 0 ||
        epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, l->listen_fd, &want) != 0) {
        return error_sys(err, AQ_E_IO, errno,
                         "login: cannot listen on 127.0.0.1, use a code (--use-device-flow)");
    }
    l->redirect_uri = (struct buf)BUF(PIECE);
    buf_printf(&l->redirect_uri, "http://127.0.0.1:%u" CALLBACK_PATH,
               (unsigned)ntohs(address.sin_port));
    return buf_status(&l->redirect_uri) == AQ_OK ? AQ_OK : error_nomem(err, "login");
}

aq_status loopback_open(struct loopback *l, struct aq_error *err)
{
    l->is_open = true;
    l->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    aq_status st = loopback_listen(l, err);
    if (st != AQ_OK) {
        loopback_done(l);
    }
    return st;
}

struct aq_str loopback_host(const struct loopback *l)
{
    struct aq_str host = str_from_offset(buf_str(&l->redirect_uri), sizeof("http://") - 1);
    return str_cut(&host, '/');
}

static bool loopback_take(struct loopback *l, int fd, struct loopback_peer **ret)
{
    struct loopback_peer *p = loopback_place(l);
    struct epoll_event want = { .events = EPOLLIN };
    if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &want) != 0) {
        close(fd);
        return false;
    }
    p->fd = fd;
    p->until_us = clock_now_us() + PEER_US;
    p->request = (struct buf)BUF(CALLBACK_REQUEST_MAX);
    *ret = p;
    return true;
}

/* Nobody can be let in for want of descriptors: whoever is here has to leave. False if nobody is.
 */
static bool loopback_make_room(struct loopback *l)
{
    bool any = false;
    for (size_t i = 0; i < LOOPBACK_PEERS; i++) {
        any = any || peer_is_there(&l->peers[i]);
        peer_drop(&l->peers[i]);
    }
    return any;
}

/* What a verdict means for whoever waits. */
static aq_status loopback_result(enum callback_verdict verdict, struct buf *code,
                                 struct aq_error *err)
{
    if (verdict == CALLBACK_DENIED) {
        aq_status st = signin_denied(buf_str(code), err);
        buf_clear(code);
        return st;
    }
    if (verdict == CALLBACK_CODE) {
        return buf_status(code) == AQ_OK ? AQ_OK : error_nomem(err, "login");
    }
    return AQ_AGAIN;
}

/* Let them in, each looked at at once, so that the one we wait for is not pushed out by others. */
static aq_status loopback_accept(struct loopback *l, const struct callback *want, struct buf *code,
                                 struct aq_error *err)
{
    for (int i = 0; i < ACCEPT_MAX; i++) {
        struct loopback_peer *p = NULL;
        int fd = accept4(l->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0) {
            int sys = errno;
            bool full = sys == EMFILE || sys == ENFILE || sys == ENOBUFS || sys == ENOMEM;
            return full && !loopback_make_room(l)
                       ? error_sys(err, AQ_E_IO, sys, "login: cannot accept a connection")
                       : AQ_AGAIN;
        }
        enum callback_verdict verdict =
            loopback_take(l, fd, &p) ? peer_run(p, want, code) : CALLBACK_JUNK;
        aq_status st = loopback_result(verdict, code, err);
        if (st != AQ_AGAIN) {
            return st;
        }
    }
    return AQ_AGAIN;
}

aq_status loopback_run(struct loopback *l, struct aq_str state, struct buf *ret_code,
                       struct aq_error *err)
{
    const struct callback want = { loopback_host(l), state };
    for (size_t i = 0; i < LOOPBACK_PEERS; i++) {
        if (peer_is_there(&l->peers[i])) {
            aq_status st = loopback_result(peer_run(&l->peers[i], &want, ret_code), ret_code, err);
            if (st != AQ_AGAIN) {
                return st;
            }
        }
    }
    return loopback_accept(l, &want, ret_code, err);
}

uint64_t loopback_deadline(const struct loopback *l)
{
    uint64_t first_us = CLOCK_NEVER;
    for (size_t i = 0; i < LOOPBACK_PEERS; i++) {
        if (peer_is_there(&l->peers[i]) && l->peers[i].until_us < first_us) {
            first_us = l->peers[i].until_us;
        }
    }
    return first_us;
}

void loopback_close(struct loopback *l)
{
    if (!l->is_open) {
        return;
    }
    for (size_t i = 0; i < LOOPBACK_PEERS; i++) {
        peer_drop(&l->peers[i]);
    }
    if (l->listen_fd >= 0) {
        close(l->listen_fd);
    }
    if (l->epoll_fd >= 0) {
        close(l->epoll_fd);
    }
    l->is_open = false;
}

void loopback_done(struct loopback *l)
{
    loopback_close(l);
    buf_done(&l->redirect_uri);
    *l = (struct loopback){ 0 };
}
