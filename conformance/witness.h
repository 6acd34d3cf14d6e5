/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host of one instance: finished settings, a full host table, and eyes. Between enter and leave
 * it watches what the plugin does with the table, how long it takes, and what it says; breaches are
 * reported under the clauses that hold at all times (plugin/always.c).
 *
 *     static const struct call get = { "get", 5000, "store.get.in-time", AQ_OK, AQ_E_LIMIT };
 *     witness_enter(w, &get);
 *     st = witness_leave(w, &get, ops->get(self, key, &sink, &w->err));
 */
#ifndef CONFORMANCE_WITNESS_H
#define CONFORMANCE_WITNESS_H

#include "host/host_table.h"
#include "trial.h"

#include <pthread.h>

/* What a function of a plugin may do. */
struct call {
    const char *function;
    uint32_t limit_ms;        /* 0: none of its own */
    const char *limit_clause; /* broken when it takes longer */
    aq_status most;           /* the greatest status it may return */
    aq_status least;          /* the smallest group of statuses: AQ_E_LIMIT, AQ_E_NOT_SAVED */
    aq_status silent;         /* the status that needs no text; AQ_OK if there is none */
};

struct witness_table;

struct witness {
    struct trial *trial;
    struct witness_table *table; /* the host table: still there when the instance is not */
    struct aq_open_args args;    /* for open */
    struct aq_error err;         /* for the call that goes on; cleared by enter */

    /* What put and ready do; NULL: to call them is a breach. */
    aq_status (*on_put)(struct witness *w, void *sink, struct aq_str key, struct aq_bytes value);
    void (*on_ready)(struct witness *w, void *cookie);
    void *user;
    uint64_t ahead_us; /* the host's clock is so much ahead of this machine's */

    const struct call *inside; /* NULL between calls */
    pthread_t thread;          /* that made the call */
    struct settings settings;
    struct host_table values;
};

/* Finish the settings for one instance; a value that is missing ends the trial. */
void witness_init(struct witness *w, struct trial *t);

/* After close: who calls the host for this instance from now on breaks a clause. */
void witness_done(struct witness *w);

void witness_enter(struct witness *w, const struct call *call);

/* Judge what the function returned, and return it. */
aq_status witness_leave(struct witness *w, const struct call *call, aq_status st);

/* For functions that return nothing. */
void witness_leave_void(struct witness *w, const struct call *call);

#endif
