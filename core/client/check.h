/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of a check, in the order in which they are made. Each adds what it finds. */
#ifndef AQ_CLIENT_CHECK_H
#define AQ_CLIENT_CHECK_H

#include "client/finding.h"
#include "client/probe.h"
#include "client/source.h"

/* The login that is looked at. */
struct check_login {
    struct source_login found; /* if has_login */
    bool has_login;
    bool usable; /* its token has not expired */
    struct buf profile_arn;
    uint64_t granted_until_us; /* when a token server has had its time; 0: it was not asked yet */
};

void check_login_done(struct check_login *login);

/* settings.json, what is set where, and the environment. */
void check_wrong_settings(const struct aq_client *client, struct findings *f);
void check_settings(struct aq_client *client, struct findings *f);

/* Store and transport. */
void check_plugins(struct aq_client *client, struct findings *f);

/* The access key, where chat is signed with one. AQ_AGAIN: a place is asked; AQ_OK. */
struct check_access_key {
    struct aq_op *op; /* while it is looked for */
};
aq_status check_access_key(struct aq_client *client, struct check_access_key *k, struct aq_op *op,
                           struct findings *f);
void check_access_key_done(struct check_access_key *k, bool forked);

/* The store, and the login in it. AQ_AGAIN: a token server is asked, again at once; AQ_OK. */
aq_status check_login(struct aq_client *client, struct check_login *login, struct findings *f);

/* Where the variable, file or option is that decided something, as "(from HTTPS_PROXY)". */
void check_origin(const struct aq_client *client, struct settings_value value, struct buf *out);

/* ---- the network: one host after the other ---- */

struct check_network {
    struct aq_client *client;
    const struct check_login *login;
    struct findings *findings;
    uint32_t next;  /* 0: sign-in; then the sites of the service */
    bool accepted;  /* a site takes the login, or the only one was asked */
    bool named;     /* the user named the endpoint */
    struct buf url; /* of the host that is asked */
    struct probe probe;
};

/* AQ_AGAIN while it waits; AQ_END. */
aq_status check_network_run(struct check_network *n, struct aq_op *op);
void check_network_done(struct check_network *n, bool forked);

#endif
