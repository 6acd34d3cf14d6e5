/* SPDX-License-Identifier: Apache-2.0 */
#include "loop.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fault.h"

#define EVENTS_PER_STEP 64 /* more are still there at the next step */
#define IDLE_CONNECTIONS 16L

static uint64_t now_us(const struct loop *loop)
{
    return loop->host->now_us(loop->host->ctx);
}

static int socket_changed(CURL *easy, curl_socket_t fd, int what, void *clientp, void *known)
{
    struct loop *loop = clientp;
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
        return 0;
    }
    struct epoll_event event = { .data.fd = fd };
    event.events = (what & CURL_POLL_IN ? EPOLLIN : 0u) | (what & CURL_POLL_OUT ? EPOLLOUT : 0u);
    if (epoll_ctl(loop->epoll_fd, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event) < 0) {
        return -1;
    }
    if (!known) {
        curl_multi_assign(loop->multi, fd, loop); /* any pointer: "it is in the epoll set" */
    }
    return 0;
}

static void set_timer(struct loop *loop, long timeout_ms)
{
    loop->timer_us = timeout_ms < 0 ? LOOP_NEVER : now_us(loop) + (uint64_t)timeout_ms * 1000u;
}

static int timer_changed(CURLM *multi, long timeout_ms, void *clientp)
{
    struct loop *loop = clientp;
    (void)multi;
    set_timer(loop, timeout_ms);
    if (timeout_ms == 0) {
        loop_wake(loop);
    }
    return 0;
}

curl_socket_t loop_open_socket(void *clientp, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct loop *loop = clientp;
    (void)purpose;
    if (loop->open_count == loop->open_size) {
        size_t size = loop->open_size ? loop->open_size * 2 : 16;
        curl_socket_t *grown = reallocarray(loop->open, size, sizeof(*grown));
        if (!grown) {
            return CURL_SOCKET_BAD;
        }
        loop->open = grown;
        loop->open_size = size;
    }
    int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    if (fd < 0) {
        return CURL_SOCKET_BAD;
    }
    loop->open[loop->open_count++] = fd;
    return fd;
}

int loop_close_socket(void *clientp, curl_socket_t fd)
{
    struct loop *loop = clientp;
    for (size_t i = 0; i < loop->open_count; i++) {
        if (loop->open[i] == fd) {
            loop->open[i] = loop->open[--loop->open_count];
            break;
        }
    }
    return close(fd);
}

static int local_port_of(int fd)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } at = { .v6 = { .sin6_family = AF_UNSPEC } };
    socklen_t len = sizeof(at);
    if (getsockname(fd, &at.any, &len) != 0) {
        return -1;
    }
    return ntohs(at.any.sa_family == AF_INET6 ? at.v6.sin6_port : at.v4.sin_port);
}

bool loop_peer_is_gone(const struct loop *loop, int local_port)
{
    for (size_t i = 0; i < loop->open_count; i++) {
        struct pollfd poller = { .fd = loop->open[i], .events = POLLRDHUP };
        if (poll(&poller, 1, 0) > 0 && local_port_of(loop->open[i]) == local_port) {
            return true;
        }
    }
    return false;
}

/* Several streams on one connection are not used: libcurl reads a connection as a whole, so what
 * comes for a call that nobody reads would pile up, by its 32 MiB window, or stop the others. */
static bool init_multi(struct loop *loop)
{
    loop->multi = curl_multi_init();
    loop->share = curl_share_init();
    return loop->multi && loop->share &&
           curl_share_setopt(loop->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION) ==
               CURLSHE_OK &&
           curl_multi_setopt(loop->multi, CURLMOPT_SOCKETFUNCTION, socket_changed) == CURLM_OK &&
           curl_multi_setopt(loop->multi, CURLMOPT_SOCKETDATA, loop) == CURLM_OK &&
           curl_multi_setopt(loop->multi, CURLMOPT_TIMERFUNCTION, timer_changed) == CURLM_OK &&
           curl_multi_setopt(loop->multi, CURLMOPT_TIMERDATA, loop) == CURLM_OK &&
           curl_multi_setopt(loop->multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING) == CURLM_OK &&
           curl_multi_setopt(loop->multi, CURLMOPT_MAXCONNECTS, IDLE_CONNECTIONS) == CURLM_OK;
}

static bool init_epoll(struct loop *loop)
{
    struct epoll_event event = { .events = EPOLLIN };
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    event.data.fd = loop->wake_fd;
    return loop->epoll_fd >= 0 && loop->wake_fd >= 0 &&
           epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, loop->wake_fd, &event) == 0;
}

static void close_descriptors(struct loop *loop)
{
    if (loop->epoll_fd >= 0) {
        close(loop->epoll_fd);
    }
    if (loop->wake_fd >= 0) {
        close(loop->wake_fd);
    }
    free(loop->open);
}

aq_status loop_init(struct loop *loop, const struct aq_host *host, struct aq_error *err)
{
    *loop = (struct loop){ .host = host, .epoll_fd = -1, .wake_fd = -1, .timer_us = LOOP_NEVER };
    if (!init_epoll(loop)) {
        int sys = errno;
        close_descriptors(loop);
        fault_set(err, AQ_E_NETWORK, "transport-curl",
                  "no more file descriptors, raise the limit (ulimit -n)");
        err->sys = sys;
        return AQ_E_NETWORK;
    }
    if (!init_multi(loop)) {
        loop_done(loop);
        return fault_set(err, AQ_E_NOMEM, "transport-curl", "out of memory");
    }
    return AQ_OK;
}

void loop_done(struct loop *loop)
{
    curl_multi_cleanup(loop->multi);
    curl_share_cleanup(loop->share);
    close_descriptors(loop);
}

void loop_abandon(struct loop *loop)
{
    for (size_t i = 0; i < loop->open_count; i++) {
        close(loop->open[i]);
    }
    close_descriptors(loop);
}

void loop_wake(struct loop *loop)
{
    const uint64_t one = 1;
    if (!loop->woken) {
        loop->woken = write(loop->wake_fd, &one, sizeof(one)) == sizeof(one);
    }
}

static void clear_wake(struct loop *loop)
{
    uint64_t count;
    if (loop->woken) {
        loop->woken = read(loop->wake_fd, &count, sizeof(count)) < 0;
    }
}

static CURLMcode run_sockets(struct loop *loop)
{
    struct epoll_event events[EVENTS_PER_STEP];
    int running;
    int count = epoll_wait(loop->epoll_fd, events, EVENTS_PER_STEP, 0);
    for (int i = 0; i < count; i++) {
        uint32_t is = events[i].events;
        int what = (is & (EPOLLIN | EPOLLHUP) ? CURL_CSELECT_IN : 0) |
                   (is & EPOLLOUT ? CURL_CSELECT_OUT : 0) | (is & EPOLLERR ? CURL_CSELECT_ERR : 0);
        if (events[i].data.fd == loop->wake_fd) {
            continue;
        }
        CURLMcode code = curl_multi_socket_action(loop->multi, events[i].data.fd, what, &running);
        if (code != CURLM_OK) {
            return code;
        }
    }
    return CURLM_OK;
}

static CURLMcode run_timer(struct loop *loop)
{
    int running;
    long timeout_ms = -1;
    if (now_us(loop) < loop->timer_us) {
        return CURLM_OK;
    }
    loop->timer_us = LOOP_NEVER;
    CURLMcode code = curl_multi_socket_action(loop->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    if (code == CURLM_OK && loop->timer_us == LOOP_NEVER) {
        /* The host's clock may be ahead of libcurl's, which then saw nothing due. */
        code = curl_multi_timeout(loop->multi, &timeout_ms);
        set_timer(loop, timeout_ms);
    }
    return code;
}

CURLMcode loop_run(struct loop *loop)
{
    clear_wake(loop);
    CURLMcode code = run_sockets(loop);
    return code == CURLM_OK ? run_timer(loop) : code;
}
