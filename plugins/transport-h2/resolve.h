/* SPDX-License-Identifier: Apache-2.0 */
/* The addresses of one host, found by c-ares without waiting. */
#ifndef TRANSPORT_H2_RESOLVE_H
#define TRANSPORT_H2_RESOLVE_H

#include <amazonq/plugin.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "loop.h"

#define RESOLVE_MAX_ADDRESSES 8 /* of each family; more are not tried */

union resolve_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* The answer to one of the two questions. */
struct resolve_answer {
    bool done;
    bool no_memory;
    unsigned count; /* 0: there is none, or nobody could tell */
    union resolve_address addresses[RESOLVE_MAX_ADDRESSES];
};

struct resolve_socket;

struct resolve {
    struct loop *loop;
    struct ares_channeldata *channel; /* NULL: nothing is being asked */
    TAILQ_HEAD(, resolve_socket) sockets;
    bool starved;         /* there was no memory for a socket */
    uint64_t deadline_us; /* when c-ares wants to be called; LOOP_NEVER */
    struct resolve_answer v6;
    struct resolve_answer v4;
    void (*on_change)(struct resolve *resolve); /* an answer may be done, or the deadline moved */
};

/* Ask for the addresses of host, a name or an address as text; answers that are known at once are
 * done on return, without a call of on_change, which may call resolve_stop. AQ_E_NOMEM. */
aq_status resolve_start(struct resolve *resolve, struct loop *loop, const char *host, uint16_t port,
                        void (*on_change)(struct resolve *resolve));

/* Ask again, or give up, when the deadline has passed. */
void resolve_expire(struct resolve *resolve, uint64_t now_us);

/* Forget the question. Twice is fine; zero-initialised, too. */
void resolve_stop(struct resolve *resolve);

#endif
