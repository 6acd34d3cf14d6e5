/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeping a new login: all its rows in one commit, under the store's lock; and, for as long as the
 * store does not take them, in a private file (host/spill.h), from where the next login in the same
 * place gets them. A place (a store, and a database, a collection or a name in it) has one login,
 * so it has one such file.
 */
#ifndef AQ_CLIENT_KEEP_H
#define AQ_CLIENT_KEEP_H

#include "client/source.h"

enum { KEEP_LOCK_US = 30 * 1000 * 1000 }; /* how long somebody else's lock is waited for */

struct keep {
    struct aq_op *op; /* holds the lock, if client->refreshing says so */
    const struct source *source;
    struct store *store;
    uint64_t until_us; /* no wait is longer; set by the caller */
    uint64_t again_us; /* after AQ_AGAIN: when to go on */

    /* One JSON object; its members are rows, null for one that has to go. */
    struct buf rows;
    struct buf spill; /* path of the file they are in meanwhile; empty: none */
};

/* op, source and store stay where they are until keep_done. */
void keep_begin(struct keep *k, struct aq_op *op, const struct source *source, struct store *store);
void keep_done(struct keep *k, bool forked);

/* Prove, under the lock, that a login could be saved. AQ_AGAIN while somebody else has the lock. */
aq_status keep_prove(struct keep *k, struct aq_error *err);

/* Begin the rows anew, with one that is JSON already (empty: it has to go), or a text. */
void keep_clear(struct keep *k);
void keep_add(struct keep *k, struct aq_str key, struct aq_str json);
void keep_add_text(struct keep *k, struct aq_str key, struct aq_str text);

/* Try to save the rows; they are in a file before another try. AQ_OK; AQ_AGAIN to be called again
 * at again_us, until until_us; or why they are not saved, and where they are. */
aq_status keep_run(struct keep *k, struct aq_error *err);

/* The rows that an earlier process could not save become ours. AQ_E_NOTFOUND: there are none. */
aq_status keep_recover(struct keep *k, struct aq_error *err);

/* After a logout: what could not be saved here is not saved any more. */
void keep_forget(struct aq_client *client, const struct source *source);

/* One of the rows; empty if it is not there. */
struct aq_str keep_row(const struct keep *k, struct aq_str key);

#endif
