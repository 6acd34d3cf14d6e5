/* SPDX-License-Identifier: Apache-2.0 */
#include "dial.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <unistd.h>

/* RFC 8305, 8: how long an IPv4 address waits for its IPv6 sister, and one attempt for another. */
#define NAME_DELAY_US 50000u
#define ATTEMPT_DELAY_US 250000u
#define TCP_KEEPALIVE_SECONDS 60 /* of silence before the kernel probes the peer */

static void stop_attempts(struct dial *dial, int keep_fd)
{
    for (unsigned i = 0; i < dial->attempt_count; i++) {
        struct watch *watch = &dial->attempts[i].watch;
        if (watch->fd >= 0) {
            loop_unwatch(dial->loop, watch);
            if (watch->fd != keep_fd) {
                close(watch->fd);
            }
            watch->fd = -1;
        }
    }
}

static void end(struct dial *dial, enum dial_state state, int fd)
{
    stop_attempts(dial, fd);
    resolve_stop(&dial->resolve);
    dial->state = state;
    dial->fd = fd;
}

static bool is_loopback(const union resolve_address *address)
{
    if (address->any.sa_family == AF_INET) {
        return ntohl(address->v4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    }
    return IN6_IS_ADDR_LOOPBACK(&address->v6.sin6_addr);
}

/* The next address to try, families in turn and IPv6 first; NULL: none is known, now. */
static const union resolve_address *next_address(struct dial *dial)
{
    const struct resolve *resolve = &dial->resolve;
    const bool has_v6 = dial->used_v6 < resolve->v6.count;
    const bool has_v4 = dial->used_v4 < resolve->v4.count;
    if (has_v6 && (dial->used_v6 <= dial->used_v4 || !has_v4)) {
        return &resolve->v6.addresses[dial->used_v6++];
    }
    return has_v4 ? &resolve->v4.addresses[dial->used_v4++] : NULL;
}

static bool is_tried_out(const struct dial *dial)
{
    const struct resolve *resolve = &dial->resolve;
    return resolve->v6.done && resolve->v4.done && dial->used_v6 == resolve->v6.count &&
           dial->used_v4 == resolve->v4.count;
}

static unsigned count_attempts(const struct dial *dial)
{
    unsigned count = 0;
    for (unsigned i = 0; i < dial->attempt_count; i++) {
        count += dial->attempts[i].watch.fd >= 0;
    }
    return count;
}

static int open_socket(const union resolve_address *address)
{
    const int on = 1;
    const int idle_s = TCP_KEEPALIVE_SECONDS;
    int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
        setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
    }
    return fd;
}

static void attempt_ready(struct watch *watch, uint32_t events);

/* Begin to connect. False: this address is no use. */
static bool attempt(struct dial *dial, const union resolve_address *address)
{
    const socklen_t len =
        address->any.sa_family == AF_INET ? sizeof(address->v4) : sizeof(address->v6);
    if (dial->loopback_only && !is_loopback(address)) {
        dial->skipped = true;
        return false;
    }
    int fd = open_socket(address);
    if (fd < 0 || (connect(fd, &address->any, len) < 0 && errno != EINPROGRESS)) {
        dial->sys = errno;
        if (fd >= 0) {
            close(fd);
        }
        return false;
    }
    struct dial_attempt *new = &dial->attempts[dial->attempt_count++];
    *new = (struct dial_attempt){ .watch = { .fd = fd, .on_event = attempt_ready }, .dial = dial };
    if (!loop_watch(dial->loop, &new->watch, EPOLLOUT)) {
        dial->sys = errno;
        close(fd);
        new->watch.fd = -1;
        return false;
    }
    return true;
}

static enum dial_state failure(const struct dial *dial)
{
    if (dial->resolve.v6.count + dial->resolve.v4.count == 0) {
        return dial->resolve.v4.no_memory || dial->resolve.v6.no_memory ? DIAL_NO_MEMORY
                                                                        : DIAL_NO_NAME;
    }
    return dial->skipped && !dial->sys ? DIAL_NOT_HERE : DIAL_REFUSED;
}

/* Start what can be started now; end when nothing is left to hope for. */
static void advance(struct dial *dial, uint64_t now_us)
{
    const struct resolve *resolve = &dial->resolve;
    if (!resolve->v6.done && dial->name_us == LOOP_NEVER && resolve->v4.count) {
        dial->name_us = now_us + NAME_DELAY_US;
    }
    if (!resolve->v6.done && now_us < dial->name_us) {
        return;
    }
    while (count_attempts(dial) == 0 || now_us >= dial->next_us) {
        const union resolve_address *address = next_address(dial);
        if (!address) {
            break;
        }
        if (attempt(dial, address)) {
            dial->next_us = now_us + ATTEMPT_DELAY_US;
        }
    }
    if (count_attempts(dial) == 0 && is_tried_out(dial)) {
        end(dial, failure(dial), -1);
    }
}

static void advance_and_tell(struct dial *dial)
{
    advance(dial, loop_now_us(dial->loop));
    dial->on_change(dial);
}

static void attempt_ready(struct watch *watch, uint32_t events)
{
    struct dial *dial = ((struct dial_attempt *)watch)->dial;
    int sys = 0;
    socklen_t len = sizeof(sys);
    (void)events;
    if (getsockopt(watch->fd, SOL_SOCKET, SO_ERROR, &sys, &len) == 0 && sys == 0) {
        end(dial, DIAL_DONE, watch->fd);
        dial->on_change(dial);
        return;
    }
    dial->sys = sys;
    loop_unwatch(dial->loop, watch);
    close(watch->fd);
    watch->fd = -1;
    advance_and_tell(dial);
}

static void resolved(struct resolve *resolve)
{
    advance_and_tell((struct dial *)((char *)resolve - offsetof(struct dial, resolve)));
}

void dial_start(struct dial *dial, struct loop *loop, const char *host, uint16_t port,
                bool loopback_only, void (*on_change)(struct dial *dial))
{
    *dial = (struct dial){ .loop = loop,
                           .loopback_only = loopback_only,
                           .state = DIAL_BUSY,
                           .fd = -1,
                           .name_us = LOOP_NEVER,
                           .on_change = on_change };
    if (resolve_start(&dial->resolve, loop, host, port, resolved) != AQ_OK) {
        end(dial, DIAL_NO_MEMORY, -1);
        return;
    }
    advance(dial, loop_now_us(loop));
}

uint64_t dial_deadline_us(const struct dial *dial)
{
    const struct resolve *resolve = &dial->resolve;
    uint64_t deadline_us = resolve->channel ? resolve->deadline_us : LOOP_NEVER;
    uint64_t own_us = LOOP_NEVER;
    if (dial->state != DIAL_BUSY) {
        return LOOP_NEVER;
    }
    if (!resolve->v6.done && dial->used_v6 + dial->used_v4 == 0) {
        own_us = dial->name_us;
    } else if (dial->used_v6 < resolve->v6.count || dial->used_v4 < resolve->v4.count) {
        own_us = dial->next_us;
    }
    return own_us < deadline_us ? own_us : deadline_us;
}

void dial_expire(struct dial *dial, uint64_t now_us)
{
    resolve_expire(&dial->resolve, now_us); /* may end it, and whoever is told may start anew */
    if (dial->state == DIAL_BUSY && now_us >= dial_deadline_us(dial)) {
        advance_and_tell(dial);
    }
}

void dial_stop(struct dial *dial)
{
    if (dial->state == DIAL_BUSY) {
        end(dial, DIAL_NONE, -1);
    }
}
