/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client of the library for one command: settings from the command line, waiting that can be
 * interrupted, warnings and log lines on stderr.
 */
#ifndef Q_SESSION_H
#define Q_SESSION_H

#include "options.h"

struct session {
    struct aq_client *client;
    bool check_only; /* set before session_init: wrong settings are for aq_check_start to tell */
    bool quiet;
    bool verbose;
    struct aq_error error; /* of the call that failed last */

    /* Shows and hides that something is waited for, while session_next does; NULL: nobody sees. */
    void (*busy)(void *ctx, bool shown);
    void *busy_ctx;
};

/* Zeroed memory becomes a session. On failure ask session_fail; session_done is allowed. */
aq_status session_init(struct session *s, const struct options *o);

/* Also frees the operations. Waits until a refresh that was sent is saved. */
void session_done(struct session *s);

/*
 * Wait for the next event of op; warnings and repetitions are reported here and not returned.
 * AQ_OK, AQ_END, AQ_E_CANCELLED after a signal, or what went wrong, see session_fail.
 */
aq_status session_next(struct session *s, struct aq_op *op, const struct aq_event **ret);

/* Report the error behind a status, unless a signal is behind it. Returns the exit code. */
int session_fail(const struct session *s, aq_status status);

#endif
