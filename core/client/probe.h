/* SPDX-License-Identifier: Apache-2.0 */
/* One request that finds out about a host: with a token the service is asked what it can do,
 * without one any answer will do. */
#ifndef AQ_CLIENT_PROBE_H
#define AQ_CLIENT_PROBE_H

#include "client/feed.h"

struct probe {
    struct feed feed;
    struct aq_exchange *exchange; /* NULL: without a token */
    bool active;
    bool answered;          /* there was a head */
    bool accepted;          /* with a token: the service took it */
    int64_t sent_s, skew_s; /* by how much its clock is ahead of ours, if has_date */
    bool has_date;
    struct aq_str protocol; /* "HTTP/2"; static */
    struct aq_error error;  /* why it failed, or was refused */
    struct aq_facts facts;  /* valid until probe_done */
};

/* Start it. Without a token nothing of the login is sent. On failure error says why. */
aq_status probe_start(struct probe *p, struct aq_op *op, struct aq_str url, struct aq_str token,
                      struct aq_str token_kind, struct aq_str profile_arn);

/* AQ_AGAIN, or AQ_END: answered, accepted, error and facts tell. */
aq_status probe_run(struct probe *p);

void probe_done(struct probe *p, bool forked);

#endif
