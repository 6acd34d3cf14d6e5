/* SPDX-License-Identifier: Apache-2.0 */
/* One instance of the plugin: its calls, and what is to be done for them at the next step. */
#ifndef TRANSPORT_CURL_TRANSPORT_H
#define TRANSPORT_CURL_TRANSPORT_H

#include <amazonq/plugin.h>
#include <stdbool.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "call.h"
#include "loop.h"
#include "options.h"

TAILQ_HEAD(call_list, call);

struct transport {
    const struct aq_host *host;
    uint32_t forks; /* when it was opened; a forked child must not touch its connections */
    struct options options;
    struct loop loop;
    struct call_list calls;    /* all that libcurl or the host knows */
    struct call_list ready;    /* to be reported to the host */
    struct call_list resume;   /* paused, and read since */
    uint64_t next_deadline_us; /* no call's deadline is earlier; LOOP_NEVER */
    aq_status failed;          /* of a step that went wrong; AQ_OK */
};

static inline uint64_t transport_now_us(const struct transport *transport)
{
    return transport->host->now_us(transport->host->ctx);
}

/* A call has a new deadline. */
static inline void transport_watch(struct transport *transport, uint64_t deadline_us)
{
    if (deadline_us < transport->next_deadline_us) {
        transport->next_deadline_us = deadline_us;
    }
}

bool transport_is_forked(const struct transport *transport);

extern const struct aq_transport_ops transport_ops;

#endif
