/* SPDX-License-Identifier: Apache-2.0 */
/* Every descriptor of an instance behind one, and one reading of the clock for each step. */
#ifndef TRANSPORT_H2_LOOP_H
#define TRANSPORT_H2_LOOP_H

#include <amazonq/plugin.h>
#include <stdbool.h>
#include <sys/epoll.h>

#define LOOP_NEVER UINT64_MAX
#define LOOP_EVENTS 64 /* at once */

/* One descriptor in the loop; part of the object that owns it. */
struct watch {
    int fd;
    uint32_t events; /* EPOLLIN, EPOLLOUT; 0: not in the loop */
    void (*on_event)(struct watch *watch, uint32_t events); /* EPOLLIN may be a guess */
};

struct loop {
    const struct aq_host *host;
    int epoll_fd;         /* what the host waits on */
    struct watch wake;    /* an eventfd inside it: work that did not come from the network */
    bool woken;           /* the eventfd is readable */
    unsigned count;       /* of watches, with this one */
    struct watch *newest; /* the last one that came, if it is still there */
    bool abandoned;       /* in a forked child: the epoll set belongs to the parent */
    struct epoll_event batch[LOOP_EVENTS]; /* being handed out by loop_run */
    int batch_len;
};

/* Make a loop in *loop. On failure nothing is left behind. */
aq_status loop_init(struct loop *loop, const struct aq_host *host, struct aq_error *err);
void loop_done(struct loop *loop);

/* Wait for events on watch->fd from now on, in place of those before. False: no memory. */
bool loop_watch(struct loop *loop, struct watch *watch, uint32_t events);

/* Forget it; on_event is not called any more, not even for what has happened already. Before its
 * descriptor is closed. */
void loop_unwatch(struct loop *loop, struct watch *watch);

/* Make the descriptor readable, so that the host calls step. */
void loop_wake(struct loop *loop);

/* Hand out what has happened, to each watch once, without waiting: what has come in time must not
 * meet a deadline that has passed since. */
void loop_run(struct loop *loop);

static inline uint64_t loop_now_us(const struct loop *loop)
{
    return loop->host->now_us(loop->host->ctx);
}

#endif
