/* SPDX-License-Identifier: Apache-2.0 */
/* One instance of the plugin: its calls, its connections, and what is to be done for them at the
 * next step. */
#ifndef TRANSPORT_H2_TRANSPORT_H
#define TRANSPORT_H2_TRANSPORT_H

#include <amazonq/plugin.h>
#include <stdbool.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "call.h"
#include "connection.h"
#include "loop.h"
#include "options.h"
#include "session.h"
#include "tls.h"

#define TRANSPORT_BUFFER_BYTES (64u * 1024u)

struct transport {
    const struct aq_host *host;
    uint32_t forks; /* when it was opened; a forked child must not touch its connections */
    struct options options;
    struct loop loop;
    struct tls tls;
    struct protocol protocol;
    struct call_list calls;             /* all that the host knows */
    struct call_list waiting;           /* those without a connection */
    struct call_list ready;             /* to be reported to the host */
    struct connection_list connections; /* all that are not closed */
    struct connection_list work;        /* those with something to send or to decide */
    struct connection_list closed;      /* freed at the end of the step */
    uint32_t connection_count;
    uint64_t next_deadline_us; /* no deadline is earlier; LOOP_NEVER */
    uint64_t now_us;           /* when this step began */
    bool stepping;
    bool moved;         /* calls or connections have come or gone since calls were placed */
    uint8_t *buffer;    /* TRANSPORT_BUFFER_BYTES: what is being received */
    size_t buffer_used; /* by the longest piece so far; what is beyond has never been touched */
};

static inline uint64_t transport_now_us(const struct transport *transport)
{
    return transport->stepping ? transport->now_us : loop_now_us(&transport->loop);
}

/* There is a new deadline. */
static inline void transport_watch(struct transport *transport, uint64_t deadline_us)
{
    if (deadline_us < transport->next_deadline_us) {
        transport->next_deadline_us = deadline_us;
    }
}

/* There is work for a step. */
static inline void transport_wake(struct transport *transport)
{
    if (!transport->stepping) {
        loop_wake(&transport->loop);
    }
}

bool transport_is_forked(const struct transport *transport);

extern const struct aq_transport_ops transport_ops;

#endif
