/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Saving the answer to a refresh. The refresh token in the store is spent, so the answer must get
 * there, but not over a row that is not its predecessor: compare, commit, look, try again, and keep
 * it in a private file (host/spill.h) for as long as the store does not take it.
 */
#ifndef AQ_CLIENT_SAVE_H
#define AQ_CLIENT_SAVE_H

#include "client/source.h"
#include "wire/oidc.h"

struct save {
    struct source_login *login; /* as it was read under the lock; then what was saved */
    const struct registration *registration; /* the refresh was asked for with this one */
    struct log *log;
    int64_t min_valid_s; /* somebody else's token is good enough if valid longer */
    uint64_t until_us;   /* no try begins later */

    struct buf base;  /* the row that is to be replaced, byte for byte */
    struct buf spent; /* the refresh token in it that was sent */
    struct oidc_tokens answer;
    int64_t expires_at_s; /* of the answer */
    struct buf fresh;     /* the new row */
    struct buf spill;     /* path of the file the new row is in meanwhile; empty: none */
    uint64_t gone_us;     /* when the row was first missed; 0: it was not */
    uint64_t restored_us; /* when it was put back; 0: it was not */
    uint64_t again_us;    /* after AQ_AGAIN: when to go on */
    struct aq_error unsaved;
};

/*
 * Note what is about to be replaced, before its refresh token is sent, and get the memory that
 * saving must not lack. login, registration and log stay where they are until save_done.
 */
aq_status save_begin(struct save *s, struct source_login *login,
                     const struct registration *registration, struct log *log, int64_t min_valid_s,
                     uint64_t until_us, struct aq_error *err);

/* This answer, which came at answered_s (wall clock), is to be saved; *answer is empty then. After
 * a failure (AQ_E_NOMEM) it may be given again. */
aq_status save_take(struct save *s, struct oidc_tokens *answer, int64_t answered_s,
                    struct aq_error *err);

/* True if there is time for one more try, at s->again_us. */
bool save_has_time(struct save *s);

/*
 * Try to save it.
 *
 * Returns AQ_OK when login holds a new token: ours (in the store, or not, then s->unsaved says why)
 * or that of somebody else, who replaced the row; AQ_AGAIN to be called again at s->again_us;
 * AQ_E_NOT_LOGGED_IN after a logout; AQ_E_REFRESH if there is a row by now that is neither the
 * predecessor nor good enough; AQ_E_NOMEM.
 */
aq_status save_run(struct save *s, struct aq_error *err);

void save_done(struct save *s);

/* Errors of a login that is not the one any more that was read. */
aq_status save_removed(struct aq_error *err);
aq_status save_replaced(struct aq_error *err);

#endif
