/* SPDX-License-Identifier: Apache-2.0 */
/* A TCP connection to a host, to whichever of its addresses answers first (RFC 8305). */
#ifndef TRANSPORT_H2_DIAL_H
#define TRANSPORT_H2_DIAL_H

#include <amazonq/plugin.h>
#include <stdbool.h>

#include "loop.h"
#include "resolve.h"

#define DIAL_MAX_ATTEMPTS (2 * RESOLVE_MAX_ADDRESSES)

enum dial_state {
    DIAL_NONE,
    DIAL_BUSY,
    DIAL_DONE,     /* fd is connected */
    DIAL_NO_NAME,  /* the name has no address */
    DIAL_REFUSED,  /* no address lets us in: sys */
    DIAL_NOT_HERE, /* only addresses of other machines, and that is not wanted */
    DIAL_NO_MEMORY,
};

struct dial_attempt {
    struct watch watch;
    struct dial *dial;
};

struct dial {
    struct loop *loop;
    struct resolve resolve;
    bool loopback_only; /* connect to this machine alone */
    enum dial_state state;
    int fd;           /* DIAL_DONE: the caller's to close */
    int sys;          /* errno of the last attempt that failed */
    uint64_t name_us; /* until then IPv6 addresses are waited for */
    uint64_t next_us; /* when the next attempt starts beside those under way */
    unsigned used_v6; /* addresses that were tried */
    unsigned used_v4;
    bool skipped; /* an address of another machine */
    struct dial_attempt attempts[DIAL_MAX_ATTEMPTS];
    unsigned attempt_count;
    void (*on_change)(struct dial *dial); /* it is over, or has another deadline */
};

/* Start; on_change is not called from here. */
void dial_start(struct dial *dial, struct loop *loop, const char *host, uint16_t port,
                bool loopback_only, void (*on_change)(struct dial *dial));

/* When dial_expire wants to be called; LOOP_NEVER. */
uint64_t dial_deadline_us(const struct dial *dial);
void dial_expire(struct dial *dial, uint64_t now_us);

/* Give up, at once. Twice is fine; zero-initialised, too. */
void dial_stop(struct dial *dial);

#endif
