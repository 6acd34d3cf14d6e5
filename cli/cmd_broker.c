/* SPDX-License-Identifier: Apache-2.0 */
#include "broker.h"
#include "command.h"
#include "duration.h"
#include "exitcode.h"
#include "interrupt.h"
#include "journal.h"
#include "report.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static bool read_wishes(const struct options *o, struct broker *b)
{
    const char *idle = o->value[OPTION_IDLE_EXIT];
    int64_t idle_s = 0;
    peers_init(&b->peers);
    for (unsigned i = 0; i < o->uid_count; i++) {
        if (!peers_allow(&b->peers, o->uids[i])) {
            return false;
        }
    }
    if (idle && (!duration_parse(idle, &idle_s) || idle_s == 0)) {
        report_error("duration '%s': not understood, write it like 90s, 10m or 1h30m, at most 365d",
                     idle);
        return false;
    }
    b->idle_us = (uint64_t)idle_s * 1000 * 1000;
    return true;
}

static aq_status serve(struct broker *b, const struct options *o)
{
    struct aq_error *err = &b->session.error;
    aq_status st = session_init(&b->session, o);
    if (st == AQ_OK) {
        st = listener_open(&b->listener, o->value[OPTION_SOCKET], o->uid_count > 0, err);
    }
    if (st == AQ_OK && !ahead_init(&b->grants.ahead)) {
        *err = (struct aq_error){ .status = AQ_E_NOMEM, .text = "timer: cannot be made" };
        st = AQ_E_NOMEM;
    }
    if (st == AQ_OK) {
        if (!b->session.quiet) {
            journal("listening on %s", b->listener.handed_in ? "the socket that was handed in"
                                                             : b->listener.where.sun_path);
        }
        st = broker_run(b, err);
    }
    return st;
}

/* First the socket goes, so that nobody comes any more; a refresh that was sent is waited for. */
static void finish(struct broker *b)
{
    listener_done(&b->listener);
    ahead_done(&b->grants.ahead);
    while (b->grants.running) {
        grants_end(&b->grants, b->grants.running);
    }
    session_done(&b->session);
}

int cmd_broker(const struct options *o)
{
    struct broker *b = calloc(1, sizeof(*b)); /* too large for the stack */
    if (!b) {
        report_error("memory: there is not enough for the broker, close other programs");
        return EXITCODE_OTHER;
    }
    b->listener.fd = b->grants.ahead.timer_fd = -1;
    b->grants.session = &b->session;
    int code = EXITCODE_USAGE;
    if (read_wishes(o, b)) {
        (void)umask(077);
        aq_status st = serve(b, o);
        code = EXITCODE_OK; /* also when a signal asked it to end: that is how it ends */
        if (st != AQ_OK) {
            report_error("%s", b->session.error.text);
            code = exitcode_of(st);
        }
        if (st == AQ_OK && !b->session.quiet) {
            journal("ending, %s", interrupt_signal() ? strsignal(interrupt_signal()) : "idle");
        }
        finish(b);
    }
    free(b);
    return code;
}
