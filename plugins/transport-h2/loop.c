/* SPDX-License-Identifier: Apache-2.0 */
#include "loop.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "fault.h"

static void clear_wake(struct watch *watch, uint32_t events)
{
    uint64_t count;
    struct loop *loop = (struct loop *)((char *)watch - offsetof(struct loop, wake));
    (void)events;
    loop->woken = read(watch->fd, &count, sizeof(count)) < 0;
}

aq_status loop_init(struct loop *loop, const struct aq_host *host, struct aq_error *err)
{
    *loop = (struct loop){ .host = host, .wake.on_event = clear_wake };
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    loop->wake.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (loop->epoll_fd < 0 || loop->wake.fd < 0 || !loop_watch(loop, &loop->wake, EPOLLIN)) {
        int sys = errno;
        loop_done(loop);
        fault_set(err, AQ_E_NETWORK, "transport-h2",
                  "no more file descriptors, raise the limit (ulimit -n)");
        err->sys = sys;
        return AQ_E_NETWORK;
    }
    return AQ_OK;
}

void loop_done(struct loop *loop)
{
    if (loop->epoll_fd >= 0) {
        close(loop->epoll_fd);
    }
    if (loop->wake.fd >= 0) {
        close(loop->wake.fd);
    }
}

bool loop_watch(struct loop *loop, struct watch *watch, uint32_t events)
{
    struct epoll_event event = { .events = events, .data.ptr = watch };
    if (watch->events == events) {
        return true;
    }
    if (epoll_ctl(loop->epoll_fd, watch->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, watch->fd,
                  &event) < 0) {
        return false;
    }
    if (!watch->events) {
        loop->count++;
        loop->newest = watch;
    }
    watch->events = events;
    return true;
}

void loop_unwatch(struct loop *loop, struct watch *watch)
{
    if (!watch->events) {
        return;
    }
    if (!loop->abandoned) {
        epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
    }
    watch->events = 0;
    loop->count--;
    if (loop->newest == watch) {
        loop->newest = NULL;
    }
    for (int i = 0; i < loop->batch_len; i++) {
        if (loop->batch[i].data.ptr == watch) {
            loop->batch[i].data.ptr = NULL;
        }
    }
}

void loop_wake(struct loop *loop)
{
    const uint64_t one = 1;
    if (!loop->woken) {
        loop->woken = write(loop->wake.fd, &one, sizeof(one)) == sizeof(one);
    }
}

/* With one connection alone, whoever calls knows what has happened: ask it, and save a system
 * call for each event. */
static bool run_only(struct loop *loop)
{
    struct watch *only = loop->newest;
    if (loop->woken || loop->count != 2 || !only || only->events != EPOLLIN) {
        return false;
    }
    only->on_event(only, EPOLLIN);
    return true;
}

/* Returns true if there may be more. */
static bool run_batch(struct loop *loop)
{
    loop->batch_len = epoll_wait(loop->epoll_fd, loop->batch, LOOP_EVENTS, 0);
    const bool is_full = loop->batch_len == LOOP_EVENTS;
    for (int i = 0; i < loop->batch_len; i++) {
        struct watch *watch = loop->batch[i].data.ptr;
        if (watch) {
            watch->on_event(watch, loop->batch[i].events);
        }
    }
    loop->batch_len = 0;
    return is_full;
}

void loop_run(struct loop *loop)
{
    if (run_only(loop)) {
        return;
    }
    /* Each watch once: the system hands out first what has waited longest. */
    for (unsigned more = loop->count / LOOP_EVENTS; run_batch(loop) && more; more--) {
    }
}
