/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The broker: keeps the login of its user alive and hands access tokens, and nothing else, to
 * programs that come through a unix socket, such as those in a container. One thread, one loop
 * around poll(); nobody who is slow, silent or dead keeps the others waiting.
 */
#ifndef Q_BROKER_H
#define Q_BROKER_H

#include "caller.h"
#include "grant.h"
#include "listener.h"
#include "repeats.h"

enum { BROKER_CALLERS = 64 };

struct broker {
    struct session session;
    struct listener listener;
    struct peers peers;
    struct repeats refused;
    struct repeats failed;
    struct grants grants;
    struct grant *look;     /* the one that nobody asked for, see ahead.h */
    uint64_t idle_us;       /* end after this long without work; 0: never */
    uint64_t busy_us;       /* when there was some last */
    uint64_t deaf_until_us; /* no new callers before, after one could not be accepted */
    struct aq_error fatal;  /* it has asked itself: why it cannot go on; else status AQ_OK */
    int places;             /* how many of the callers there may be at once */
    struct caller callers[BROKER_CALLERS];
};

/* Serve until a signal comes or there was nothing to do for long enough. The members up to grants
 * are set. AQ_OK, or why it could go on no more. */
aq_status broker_run(struct broker *b, struct aq_error *err);

#endif
