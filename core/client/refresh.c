/* SPDX-License-Identifier: Apache-2.0 */
#include "client/refresh.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/sha256.h"
#include "base/str.h"
#include "client/import.h"
#include "wire/renewal.h"

#include <string.h>

enum {
    LOCK_POLL_US = 50 * 1000,        /* how often a held lock is tried again */
    LOCK_WAIT_US = 30 * 1000 * 1000, /* and for how long */
    FINISH_US = 15 * 1000 * 1000,    /* from sending to the last try to save the answer */
    PAUSE_US = 30 * 1000 * 1000,     /* after a failure the same token is not sent again so long */
    REGISTRATION_MARGIN_S = 60,      /* a registration this close to its end counts as expired */
};

/* ---- life ---- */

void refresh_begin(struct refresh *r, struct aq_op *op, struct source_login *login,
                   int64_t min_valid_s, bool patient)
{
    *r = (struct refresh){
        .state = REFRESH_LOCK,
        .op = op,
        .login = login,
        .min_valid_s = min_valid_s,
        .patient = patient,
        .started_us = clock_now_us(),
    };
}

bool refresh_is_active(const struct refresh *r)
{
    return r->state != REFRESH_IDLE;
}

bool refresh_must_finish(const struct refresh *r)
{
    return r->state == REFRESH_WAIT || r->state == REFRESH_JUDGE || r->state == REFRESH_SAVE;
}

/* It is over, one way or the other. */
static void refresh_release(struct refresh *r, bool forked)
{
    answer_done(&r->answer, forked);
    r->state = REFRESH_IDLE;
    op_wake_at(r->op, CLOCK_NEVER);
    if (r->op->client->refreshing == r->op) {
        r->op->client->refreshing = NULL;
        if (!forked) {
            store_unlock(r->login->store);
        }
    }
}

void refresh_done(struct refresh *r, bool forked)
{
    if (r->op) {
        refresh_release(r, forked);
    }
    registration_done(&r->registration);
    save_done(&r->save);
}

/* ---- lock ---- */

static aq_status refresh_lock_is_held(struct refresh *r, struct aq_error *err)
{
    uint64_t now_us = clock_now_us();
    if (!r->patient || now_us >= r->started_us + LOCK_WAIT_US) {
        return error_set(err, AQ_E_REFRESH,
                         "login: another process is refreshing it and does not come to an end, try "
                         "again");
    }
    op_wake_at(r->op, now_us + LOCK_POLL_US);
    return AQ_AGAIN;
}

/* The store will not take a save, now or later; anything else may pass. */
static bool refresh_is_forbidden(aq_status st)
{
    return st == AQ_E_READONLY || st == AQ_E_DENIED || st == AQ_E_UNSUPPORTED;
}

static aq_status refresh_cannot_save(struct aq_error *err)
{
    const struct aq_error why = *err;
    error_set(err, AQ_E_NOT_SAVED, "login: not refreshed because it could not be saved, %s",
              why.text);
    err->sys = why.sys;
    return AQ_E_NOT_SAVED;
}

/* Nothing can be saved; but what an earlier process left behind may do. */
static aq_status refresh_without_lock(struct refresh *r, struct aq_error *err)
{
    const struct aq_error why = *err;
    if (import_borrow(r->login, r->min_valid_s, &why, &r->unsaved, err) == AQ_OK) {
        r->state = REFRESH_IDLE;
        return AQ_OK;
    }
    error_copy(err, &why);
    return refresh_cannot_save(err);
}

static aq_status refresh_lock(struct refresh *r, struct aq_error *err)
{
    struct aq_client *client = r->op->client;
    if (client->refreshing) {
        return refresh_lock_is_held(r, err);
    }
    aq_status st = store_lock(r->login->store, err);
    if (st == AQ_OK) {
        client->refreshing = r->op;
        r->state = REFRESH_SEND;
        return AQ_OK;
    }
    if (st == AQ_AGAIN) {
        return refresh_lock_is_held(r, err);
    }
    if (st == AQ_E_NOTFOUND) {
        return save_removed(err);
    }
    return refresh_is_forbidden(st) ? refresh_without_lock(r, err) : st;
}

/* ---- registration ---- */

aq_status refresh_needs_login(struct aq_error *err, const char *why)
{
    return error_set(err, AQ_E_LOGIN_NEEDED, "login: cannot be refreshed, %s, sign in again", why);
}

/* The registration must be the one the token was issued to. */
static aq_status refresh_check_registration(const struct refresh *r, struct aq_error *err)
{
    const struct token *token = &r->login->token;
    if (r->registration.expires_at_s - REGISTRATION_MARGIN_S <= clock_wall_s()) {
        return refresh_needs_login(err, "its client registration has expired");
    }
    if (r->registration.flow != token->flow ||
        (token->region.len && !str_eq(r->registration.region, token->region))) {
        return refresh_needs_login(err, "its client registration is of another login");
    }
    return AQ_OK;
}

static aq_status refresh_read_registration(struct refresh *r, struct aq_error *err)
{
    AUTO(buf) struct buf json = BUF(AQ_STORE_VALUE_MAX);
    struct aq_str key = r->login->source->registration_key;
    aq_status st = store_get(r->login->store, key, &json, err);
    if (st == AQ_OK) {
        st = registration_parse(key, buf_str(&json), &r->registration, err);
        if (st == AQ_E_CORRUPT) {
            const struct aq_error why = *err;
            error_set(err, st, "%s, log in again", why.text);
        }
    }
    if (st == AQ_E_NOTFOUND) { /* unless the token is gone by now, too: then it was a logout */
        bool changed;
        return source_reload(r->login, &changed, err) == AQ_E_NOTFOUND
                   ? save_removed(err)
                   : refresh_needs_login(err, "its client registration is missing");
    }
    return st;
}

/* Get all that the request needs beside the token. */
static aq_status refresh_load_registration(struct refresh *r, struct aq_error *err)
{
    bool registered = r->login->source->registration_key.len;
    aq_status st = registered ? refresh_read_registration(r, err) : AQ_OK;
    if (st == AQ_OK && r->login->token.refresh_token.len == 0) {
        return refresh_needs_login(err, REFRESH_WITHOUT_TOKEN);
    }
    return st == AQ_OK && registered ? refresh_check_registration(r, err) : st;
}

/* ---- pause ---- */

static void refresh_digest(struct aq_str refresh_token, uint8_t ret[SHA256_LEN])
{
    struct sha256 h;
    sha256_init(&h);
    sha256_add(&h, str_bytes(refresh_token));
    sha256_done(&h, ret);
}

/* It was sent, to no effect. */
static void refresh_note_failure(const struct refresh *r, const struct aq_error *why)
{
    struct client_failure *failed = &r->op->client->failed_refresh;
    refresh_digest(buf_str(&r->save.spent), failed->token);
    failed->until_us = clock_now_us() + PAUSE_US;
    failed->why = *why;
}

/* A failure that is this fresh is the answer again: neither a service in trouble nor one that has
 * refused the token is pressed by whoever asks us in a loop. */
static aq_status refresh_pause(const struct refresh *r, struct aq_error *err)
{
    struct aq_client *client = r->op->client;
    uint8_t token[SHA256_LEN];
    refresh_digest(r->login->token.refresh_token, token);
    if (clock_now_us() >= client->failed_refresh.until_us ||
        memcmp(token, client->failed_refresh.token, sizeof(token)) != 0) {
        return AQ_OK;
    }
    log_add(&client->log, LOG_INFO, AQ_STR("refresh: has just failed, not asked for again yet"));
    return error_copy(err, &client->failed_refresh.why);
}

/* ---- send ---- */

/* Somebody else may have refreshed it, or logged out, since it was read. *ret_good: there is a
 * token of somebody else that is good enough. */
static aq_status refresh_look_again(struct refresh *r, bool *ret_good, struct aq_error *err)
{
    bool changed = false;
    aq_status st = source_reload(r->login, &changed, err);
    *ret_good = changed && source_remaining_s(r->login) > r->min_valid_s;
    return st == AQ_E_NOTFOUND ? save_removed(err) : st;
}

/* Whatever can be known to be in the way is known before the refresh token is spent, and what a
 * save needs is there. */
static aq_status refresh_prepare(struct refresh *r, struct aq_error *err)
{
    aq_status st = refresh_load_registration(r, err);
    if (st == AQ_OK) {
        st = refresh_pause(r, err);
    }
    if (st != AQ_OK) {
        return st;
    }
    st = store_can_save(r->login->store, err);
    if (st != AQ_OK) {
        return refresh_is_forbidden(st) ? refresh_cannot_save(err) : st;
    }
    return save_begin(&r->save, r->login, &r->registration, &r->op->client->log, r->min_valid_s,
                      clock_now_us() + FINISH_US, err);
}

static aq_status refresh_ask(struct refresh *r, struct aq_error *err)
{
    AUTO(renewal) struct renewal renewal = { 0 };
    const struct source *source = r->login->source;
    struct aq_str endpoint = source_endpoint(r->op->client, source->kind);
    aq_status st = renewal_write(source->token_key, source->kind, &r->login->token,
                                 &r->registration, endpoint, &renewal, err);
    return st == AQ_OK ? answer_post(&r->answer, r->op, "sign-in service", buf_str(&renewal.url),
                                     renewal.content_type, buf_bytes(&renewal.body), err)
                       : st;
}

static aq_status refresh_send(struct refresh *r, struct aq_error *err)
{
    enum import_outcome imported = IMPORT_NONE;
    bool good = false;
    aq_status st = refresh_look_again(r, &good, err);
    if (st == AQ_OK && !good) {
        st = import_run(r->login, r->min_valid_s, &r->op->client->log, &imported, &r->unsaved, err);
    }
    if (st != AQ_OK || imported == IMPORT_RELOAD) {
        return st;
    }
    if (good || imported == IMPORT_BORROWED) { /* also what a forced refresh wanted */
        r->state = REFRESH_IDLE;
        return AQ_OK;
    }
    st = refresh_prepare(r, err);
    if (st == AQ_OK) {
        st = refresh_ask(r, err);
    }
    if (st == AQ_OK) {
        r->state = REFRESH_WAIT;
    }
    return st;
}

/* ---- wait ---- */

/* The request broke. Unless nothing was sent, the service may have acted on it all the same. */
static aq_status refresh_call_failed(const struct refresh *r, struct aq_error *err)
{
    const struct aq_error why = *err;
    bool sent = !(why.flags & AQ_ERROR_NOT_SENT);
    error_set(err, AQ_E_REFRESH, "login: not refreshed, %s; %s, try again", why.text,
              sent ? "the login is kept, but its refresh token may be spent" : "nothing is lost");
    err->sys = why.sys;
    if (sent) {
        refresh_note_failure(r, err);
    }
    return AQ_E_REFRESH;
}

static aq_status refresh_wait(struct refresh *r, struct aq_error *err)
{
    aq_status st = answer_wait(&r->answer, err);
    if (st == AQ_OK) {
        r->answered_s = clock_wall_s();
        r->state = REFRESH_JUDGE;
    }
    return st == AQ_OK || st == AQ_AGAIN ? st : refresh_call_failed(r, err);
}

/* ---- judge ---- */

/* The refresh token was refused, which may only mean that somebody else was faster. It is believed
 * when the row was read again and is still the same. */
static aq_status refresh_spent(struct refresh *r, struct aq_error *err)
{
    const struct aq_error refused = *err;
    bool changed;
    aq_status st = source_reload(r->login, &changed, err);
    if (st == AQ_E_NOTFOUND) {
        return save_removed(err);
    }
    if (st != AQ_OK) {
        const struct aq_error unread = *err;
        return error_set(err, AQ_E_REFRESH,
                         "login: its refresh token was refused, and whether it is still this one "
                         "is not known, %s",
                         unread.text);
    }
    if (str_eq_secret(r->login->token.refresh_token, buf_str(&r->save.spent))) {
        return error_copy(err, &refused);
    }
    if (source_remaining_s(r->login) <= r->min_valid_s) {
        return save_replaced(err);
    }
    r->state = REFRESH_IDLE;
    return AQ_OK;
}

/* What the answer means. Out of memory here must not lose it, so that is tried again. */
static aq_status refresh_judge(struct refresh *r, struct aq_error *err)
{
    AUTO(oidc_tokens) struct oidc_tokens tokens = { 0 };
    enum oidc_outcome outcome =
        renewal_reply(r->login->source->kind, r->answer.http, buf_str(&r->answer.error_type),
                      buf_str(&r->answer.body), &tokens, err);
    aq_status st = outcome == OIDC_OK            ? save_take(&r->save, &tokens, r->answered_s, err)
                   : outcome == OIDC_GRANT_SPENT ? refresh_spent(r, err)
                                                 : err->status;
    if (st == AQ_E_NOMEM && save_has_time(&r->save)) {
        op_wake_at(r->op, r->save.again_us);
        return AQ_AGAIN;
    }
    if (st != AQ_OK) {
        refresh_note_failure(r, err);
    } else if (outcome == OIDC_OK) {
        r->state = REFRESH_SAVE;
    }
    return st;
}

/* ---- save ---- */

static aq_status refresh_save(struct refresh *r, struct aq_error *err)
{
    aq_status st = save_run(&r->save, err);
    if (st == AQ_AGAIN) {
        op_wake_at(r->op, r->save.again_us);
    } else {
        r->unsaved = r->save.unsaved;
        r->state = REFRESH_IDLE;
    }
    return st;
}

/* ---- all of it ---- */

aq_status refresh_run(struct refresh *r, struct aq_error *err)
{
    static aq_status (*const steps[])(struct refresh *, struct aq_error *) = {
        [REFRESH_LOCK] = refresh_lock, [REFRESH_SEND] = refresh_send,
        [REFRESH_WAIT] = refresh_wait, [REFRESH_JUDGE] = refresh_judge,
        [REFRESH_SAVE] = refresh_save,
    };
    aq_status st = AQ_OK;
    while (st == AQ_OK && r->state != REFRESH_IDLE) {
        st = steps[r->state](r, err);
    }
    if (st != AQ_AGAIN) {
        refresh_release(r, false);
    }
    return st;
}
