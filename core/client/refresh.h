/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Refreshing a login so that it cannot be lost (docs/refresh.md): lock, read again, prove that a
 * save will work, ask, compare and save, unlock. No lock of the database is held while the network
 * is waited for, and nothing here ever removes a login.
 */
#ifndef AQ_CLIENT_REFRESH_H
#define AQ_CLIENT_REFRESH_H

#include "client/answer.h"
#include "client/save.h"
#include "client/source.h"

enum refresh_state {
    REFRESH_IDLE,
    REFRESH_LOCK,  /* become the one that refreshes */
    REFRESH_SEND,  /* look again under the lock, then ask */
    REFRESH_WAIT,  /* sent: from here on the answer must not be lost */
    REFRESH_JUDGE, /* answered: what does it mean? */
    REFRESH_SAVE,  /* a new token: save it */
};

struct refresh {
    enum refresh_state state;
    struct aq_op *op;           /* woken when there is something to go on with */
    struct source_login *login; /* refreshed in place */
    int64_t min_valid_s;        /* somebody else's token is good enough if valid this long */
    bool patient;               /* wait for somebody else's refresh */
    uint64_t started_us;

    struct registration registration; /* the one the token was issued to, if any */
    struct answer answer;
    int64_t answered_s; /* wall clock when it came */
    struct save save;
    struct aq_error unsaved; /* why the new token is not in the store; status 0 if it is */
};

/*
 * Begin. op and login stay where they are until refresh_done.
 *
 * min_valid_s  a token that somebody else put there meanwhile is taken if it is valid this long
 * patient      wait up to 30 s for somebody else's refresh; else give way at once
 */
void refresh_begin(struct refresh *r, struct aq_op *op, struct source_login *login,
                   int64_t min_valid_s, bool patient);

/*
 * Go on as far as possible.
 *
 * Returns AQ_OK when login holds a new token (look at r->unsaved); AQ_AGAIN (op is woken, also at
 * op->deadline_us); or the reason why there is none, with the login as it was: AQ_E_REFRESH,
 * AQ_E_LOGIN_NEEDED, AQ_E_NOT_LOGGED_IN, AQ_E_NOT_SAVED, or the store's error. A row that
 * somebody else put there meanwhile is never written over, unless it holds the same refresh token.
 */
aq_status refresh_run(struct refresh *r, struct aq_error *err);

/* True from sending to saving: whatever happens, go on. No try to save begins later than 15 s after
 * sending. */
bool refresh_must_finish(const struct refresh *r);

/* True while there is something to run. */
bool refresh_is_active(const struct refresh *r);

/* Say that it takes a new login, and why: AQ_E_LOGIN_NEEDED. */
aq_status refresh_needs_login(struct aq_error *err, const char *why);

#define REFRESH_WITHOUT_TOKEN "it has no refresh token"

/* End it, release the lock, wipe everything. */
void refresh_done(struct refresh *r, bool forked);

#endif
