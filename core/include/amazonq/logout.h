/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AMAZONQ_LOGOUT_H
#define AMAZONQ_LOGOUT_H

/*
 * The operation that removes a login from its store.
 *
 *     aq_logout_start(client, &options, &op, &err)
 *     aq_op_wait(op, &event, &err)     AQ_EVENT_LOGGED_OUT, then AQ_END
 *
 * Token, client registration, profile and customization go in one commit, and with them what a
 * refresh has left in a file of its own because the store did not take it (docs/refresh.md). A
 * refresh that is under way, in whatever process, does not bring the login back. Nobody is asked,
 * and no transport is loaded: the service is not told, so an access token that somebody has copied
 * is good until it expires.
 */

#include <amazonq/client.h>

#ifdef __cplusplus
extern "C" {
#endif

/** How to log out. Zero-initialise, then set struct_size. */
struct aq_logout_options {
    uint32_t struct_size;
    uint32_t flags; /* none yet: 0 */
};

#define AQ_LOGOUT_OPTIONS_INIT \
    { \
        sizeof(struct aq_logout_options), 0 \
    }

/**
 * Start to remove the login that the client's settings choose ("source"): the one that
 * aq_token_start would use, or what is left of one that cannot be read or has no token any more.
 * Reports AQ_EVENT_WARNING if there is another login, which is used from now on;
 * AQ_EVENT_LOGGED_OUT; and AQ_END. May block, see aq_op_may_block; somebody who refreshes the login
 * is waited for 1 s.
 *
 * Copies that the same program keeps in the same store under other names (the same token or the
 * same client registration) are the same login, and go with it.
 *
 * Only the login is removed that was there when the operation began, also if it is refreshed
 * meanwhile. One that was made meanwhile, with another client registration, stays: AQ_E_CHANGED.
 *
 * The operation fails with AQ_E_NOT_LOGGED_IN (nothing to remove), AQ_E_CHANGED, AQ_E_UNSUPPORTED
 * (tokens of this store are somebody else's), or the store's or plugin's own error; in all of these
 * nothing was removed.
 *
 * @param options  NULL means all defaults
 * @return AQ_OK, AQ_E_INVALID, AQ_E_NOMEM, AQ_E_FORKED
 * Threads: the client's.  Since: 0.1
 */
AQ_API aq_status aq_logout_start(struct aq_client *client, const struct aq_logout_options *options,
                                 struct aq_op **ret, struct aq_error *err);

#ifdef __cplusplus
}
#endif

#endif
