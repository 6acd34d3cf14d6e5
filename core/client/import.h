/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an earlier process could not save: the successor of the stored refresh token, which it left
 * in a file of its own (host/spill.h). It is saved now, or used as it is; what matters is that the
 * token it replaces is not spent twice.
 */
#ifndef AQ_CLIENT_IMPORT_H
#define AQ_CLIENT_IMPORT_H

#include "client/source.h"

enum import_outcome {
    IMPORT_NONE,     /* nothing was left behind that succeeds the row */
    IMPORT_RELOAD,   /* it is in the store now, or somebody else changed the row: read it again */
    IMPORT_BORROWED, /* it cannot be saved now either, but login holds it */
};

/*
 * Look for a successor, with the store's lock held, and save it.
 *
 * min_valid_s  a borrowed token must be valid longer than this
 * ret_unsaved  why the store did not take it; written with IMPORT_BORROWED
 *
 * Returns AQ_OK; AQ_E_NOT_SAVED if it is neither saved nor valid long enough; or why it is not
 * known whether there is one: then the refresh token must not be spent.
 */
aq_status import_run(struct source_login *login, int64_t min_valid_s, struct log *log,
                     enum import_outcome *ret, struct aq_error *ret_unsaved, struct aq_error *err);

/* The same for a store that cannot even be locked, which is `why`: AQ_OK when login holds the
 * successor, else there is none that would do. */
aq_status import_borrow(struct source_login *login, int64_t min_valid_s, const struct aq_error *why,
                        struct aq_error *ret_unsaved, struct aq_error *err);

#endif
