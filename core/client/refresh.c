/* SPDX-License-Identifier: Apache-2.0 */
#include "client/refresh.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/str.h"
#include "host/spill.h"
#include "wire/endpoint.h"

enum {
    LOCK_POLL_US = 50 * 1000,        /* how often a held lock is tried again */
    LOCK_WAIT_US = 30 * 1000 * 1000, /* and for how long */
    TIMEOUT_MS = 12 * 1000,          /* of the request */
    SAVE_POLL_US = 250 * 1000,       /* how often a failed save is tried again */
    FINISH_US = 15 * 1000 * 1000,    /* from sending to the last try to save the answer */
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
        .base = BUF(AQ_STORE_VALUE_MAX),
        .spent = BUF(AQ_STORE_VALUE_MAX),
        .body = BUF(OIDC_REPLY_MAX),
        .fresh_json = BUF(AQ_STORE_VALUE_MAX),
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
    call_finish(&r->call, forked);
    r->state = REFRESH_IDLE;
    r->op->deadline_us = CLOCK_NEVER;
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
    buf_done(&r->base);
    buf_done(&r->spent);
    buf_done(&r->spill);
    buf_done(&r->error_type);
    buf_done(&r->body);
    oidc_tokens_done(&r->answer);
    buf_done(&r->fresh_json);
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
    r->op->deadline_us = now_us + LOCK_POLL_US;
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

static aq_status refresh_without_lock(struct refresh *r, struct aq_error *err);

static aq_status refresh_lock(struct refresh *r, struct aq_error *err)
{
    struct aq_client *client = r->op->client;
    if (client->refreshing && client->refreshing != r->op) {
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
        return error_set(err, AQ_E_NOT_LOGGED_IN, "login: was removed, sign in again");
    }
    return refresh_is_forbidden(st) ? refresh_without_lock(r, err) : st;
}

/* ---- send ---- */

static aq_status refresh_was_removed(struct aq_error *err)
{
    return error_set(err, AQ_E_NOT_LOGGED_IN,
                     "login: was removed while it was being refreshed, sign in again");
}

static bool refresh_is_good(const struct refresh *r)
{
    return source_remaining_s(r->login) > r->min_valid_s;
}

/* Somebody else may have refreshed it, or logged out, since it was read. *ret_good: there is a
 * token of somebody else that is good enough. */
static aq_status refresh_look_again(struct refresh *r, bool *ret_good, struct aq_error *err)
{
    AUTO(buf) struct buf before = BUF(AQ_STORE_VALUE_MAX);
    buf_add(&before, buf_str(&r->login->json));
    aq_status st = source_reload(r->login, err);
    *ret_good = st == AQ_OK && buf_status(&before) == AQ_OK &&
                !str_eq(buf_str(&before), buf_str(&r->login->json)) && refresh_is_good(r);
    return st == AQ_E_NOTFOUND ? refresh_was_removed(err) : st;
}

static aq_status refresh_needs_login(struct aq_error *err, const char *why)
{
    return error_set(err, AQ_E_LOGIN_NEEDED, "login: cannot be refreshed, %s, sign in again", why);
}

/* The registration must be the one the token was issued to. */
static aq_status refresh_load_registration(struct refresh *r, struct aq_error *err)
{
    AUTO(buf) struct buf json = BUF(AQ_STORE_VALUE_MAX);
    const struct source *source = r->login->source;
    const struct token *token = &r->login->token;
    registration_done(&r->registration);
    aq_status st = store_get(r->login->store, source->registration_key, &json, err);
    if (st == AQ_OK) {
        st = registration_parse(source->registration_key, buf_str(&json), &r->registration, err);
    }
    if (st == AQ_E_NOTFOUND) { /* unless the token is gone by now, too: then it was a logout */
        return source_reload(r->login, err) == AQ_E_NOTFOUND
                   ? refresh_was_removed(err)
                   : refresh_needs_login(err, "its client registration is missing");
    }
    if (st != AQ_OK) {
        return st;
    }
    if (token->refresh_token.len == 0) {
        return refresh_needs_login(err, "it has no refresh token");
    }
    if (r->registration.expires_at_s - REGISTRATION_MARGIN_S <= clock_wall_s()) {
        return refresh_needs_login(err, "its client registration has expired");
    }
    if (r->registration.flow != token->flow ||
        (token->region.len && !str_eq(r->registration.region, token->region))) {
        return refresh_needs_login(err, "its client registration is of another login");
    }
    return AQ_OK;
}

static aq_status refresh_url(const struct refresh *r, struct buf *url, struct aq_error *err)
{
    struct settings_value named = settings_get(&r->op->client->settings, SETTINGS_OIDC_ENDPOINT);
    struct aq_str region = r->login->token.region;
    aq_status st = named.text.len
                       ? endpoint_check(AQ_STR("sign-in endpoint"), named.text, true, url, err)
                       : endpoint_oidc(r->login->source->token_key,
                                       region.len ? region : r->registration.region, url, err);
    if (st == AQ_OK) {
        buf_add(url, AQ_STR(OIDC_TOKEN_PATH));
        st = buf_status(url) == AQ_OK ? AQ_OK : error_nomem(err, "sign-in endpoint");
    }
    return st;
}

static aq_status refresh_ask(struct refresh *r, struct aq_error *err)
{
    AUTO(buf) struct buf url = BUF(4096);
    AUTO(buf) struct buf body = BUF(AQ_STORE_VALUE_MAX);
    aq_status st = refresh_url(r, &url, err);
    if (st == AQ_OK) {
        st = oidc_refresh_body(&r->registration, r->login->token.refresh_token, &body, err);
    }
    if (st != AQ_OK) {
        return st;
    }
    const struct aq_header headers[] = {
        { AQ_STR_INIT("content-type"), AQ_STR_INIT(OIDC_CONTENT_TYPE) },
        { AQ_STR_INIT("user-agent"), buf_str(&r->op->client->user_agent) },
    };
    const struct aq_request request = {
        .method = AQ_STR_INIT("POST"),
        .url = buf_str(&url),
        .headers = headers,
        .header_count = sizeof(headers) / sizeof(headers[0]),
        .body = buf_bytes(&body),
        .total_timeout_ms = TIMEOUT_MS,
    };
    return call_start(&r->call, r->op, &request, err);
}

/* Replace the content of a buffer, and do not believe it before it is there. */
static aq_status refresh_keep(struct buf *b, struct aq_str content, struct aq_error *err)
{
    buf_clear(b);
    buf_add(b, content);
    return buf_status(b) == AQ_OK ? AQ_OK : error_nomem(err, "login");
}

/* Put fresh_json where the row `expected` is. */
static aq_status refresh_replace(struct refresh *r, struct aq_str expected, struct aq_error *err)
{
    const struct aq_change change = {
        .key = r->login->source->token_key,
        .expect = AQ_EXPECT_VALUE,
        .expected = str_bytes(expected),
        .action = AQ_CHANGE_PUT,
        .value = buf_bytes(&r->fresh_json),
    };
    return store_commit(r->login->store, &change, 1, err);
}

/* Put fresh_json where no row is any more, as long as this registration is there. */
static aq_status refresh_restore(struct refresh *r, struct aq_str registration,
                                 struct aq_error *err)
{
    const struct aq_change changes[] = {
        {
            .key = r->login->source->token_key,
            .expect = AQ_EXPECT_ABSENT,
            .action = AQ_CHANGE_PUT,
            .value = buf_bytes(&r->fresh_json),
        },
        {
            .key = r->login->source->registration_key,
            .expect = AQ_EXPECT_VALUE,
            .expected = str_bytes(registration),
            .action = AQ_CHANGE_KEEP,
        },
    };
    return store_commit(r->login->store, changes, sizeof(changes) / sizeof(changes[0]), err);
}

/* ---- what an earlier process could not save ---- */

/*
 * Find the successor of the stored refresh token, if an earlier process left one behind, and make
 * it what is to be saved: the row as it is now with that token in it.
 *
 * Returns AQ_OK; AQ_E_NOTFOUND if there is none that is newer than the row; or why that is not
 * known.
 */
static aq_status refresh_find_spilled(struct refresh *r, struct aq_error *err)
{
    AUTO(buf) struct buf json = BUF(AQ_STORE_VALUE_MAX);
    AUTO(token) struct token token = { 0 };
    struct aq_str key = r->login->source->token_key;
    struct aq_str spent = r->login->token.refresh_token;
    if (spent.len == 0) {
        return AQ_E_NOTFOUND;
    }
    aq_status st = spill_read(key, spent, &json, err);
    if (st == AQ_OK) {
        st = token_parse(key, buf_str(&json), &token, err);
    }
    if (st == AQ_E_CORRUPT || (st == AQ_OK && token.expires_at_s <= r->login->token.expires_at_s)) {
        spill_remove(key, spent); /* somebody has refreshed since, or it never was one */
        return AQ_E_NOTFOUND;
    }
    if (st != AQ_OK) {
        return st;
    }
    const struct token_update update = { token.access_token, token.refresh_token,
                                         token.expires_at_s };
    buf_clear(&r->fresh_json);
    return token_apply(buf_str(&r->login->json), &update, &r->fresh_json, err);
}

/* It cannot be saved this time either: use it as it is, and say so. */
static aq_status refresh_borrow(struct refresh *r, const struct aq_error *why, struct aq_error *err)
{
    AUTO(buf) struct buf json = BUF(AQ_STORE_VALUE_MAX);
    aq_status st = refresh_keep(&json, buf_str(&r->fresh_json), err);
    if (st == AQ_OK) {
        st = source_take(r->login, &json, err);
    }
    if (st != AQ_OK) {
        return st;
    }
    if (!refresh_is_good(r)) { /* expired too */
        return error_set(err, AQ_E_NOT_SAVED, "login: not refreshed because it cannot be saved, %s",
                         why->text);
    }
    error_set(&r->unsaved, why->status,
              "login: kept in a file of its own because it cannot be saved, %s", why->text);
    return AQ_OK;
}

/*
 * Save what an earlier process could not. *ret_done: there is nothing more to do now; else go on
 * with the login as it is then (or look at it again, if *ret_again).
 */
static aq_status refresh_import(struct refresh *r, bool *ret_done, bool *ret_again,
                                struct aq_error *err)
{
    AUTO(buf) struct buf spent = BUF(AQ_STORE_VALUE_MAX);
    struct aq_str key = r->login->source->token_key;
    aq_status st = refresh_find_spilled(r, err);
    if (st == AQ_E_NOTFOUND) {
        return AQ_OK;
    }
    if (st == AQ_OK) {
        st = refresh_keep(&spent, r->login->token.refresh_token, err);
    }
    if (st != AQ_OK) {
        return st; /* without knowing the successor, the token must not be spent again */
    }
    st = refresh_replace(r, buf_str(&r->login->json), err);
    *ret_again = st == AQ_OK || st == AQ_E_CHANGED;
    if (st == AQ_OK) {
        spill_remove(key, buf_str(&spent));
        log_add(&r->op->client->log, LOG_INFO,
                AQ_STR("refresh: saved what an earlier process could not"));
    }
    if (*ret_again) {
        return AQ_OK; /* saved: it may have a successor itself; changed: somebody was here */
    }
    const struct aq_error why = *err;
    *ret_done = true;
    return refresh_borrow(r, &why, err);
}

/* The store cannot even be locked, so nothing can be saved; but what an earlier process kept may
 * do. */
static aq_status refresh_without_lock(struct refresh *r, struct aq_error *err)
{
    const struct aq_error why = *err;
    if (refresh_find_spilled(r, err) == AQ_OK) {
        aq_status st = refresh_borrow(r, &why, err);
        if (st == AQ_OK) {
            refresh_release(r, false);
            return AQ_OK;
        }
    }
    error_copy(err, &why);
    return refresh_cannot_save(err);
}

/* Everything that could fail for want of memory later is had before the token is spent. */
static aq_status refresh_prepare(struct refresh *r, struct aq_error *err)
{
    aq_status st = refresh_keep(&r->base, buf_str(&r->login->json), err);
    if (st == AQ_OK) {
        st = refresh_keep(&r->spent, r->login->token.refresh_token, err);
    }
    buf_clear(&r->body);
    buf_clear(&r->error_type);
    r->http = 0;
    return st == AQ_OK && !buf_reserve(&r->body, OIDC_REPLY_MAX) ? error_nomem(err, "login") : st;
}

static aq_status refresh_ask_at_last(struct refresh *r, struct aq_error *err)
{
    aq_status st = refresh_load_registration(r, err);
    if (st != AQ_OK) {
        return st;
    }
    st = store_can_save(r->login->store, err);
    if (st != AQ_OK) {
        return refresh_is_forbidden(st) ? refresh_cannot_save(err) : st;
    }
    st = refresh_prepare(r, err);
    if (st == AQ_OK) {
        st = refresh_ask(r, err);
    }
    if (st == AQ_OK) {
        r->sent_us = clock_now_us();
        r->state = REFRESH_WAIT;
    }
    return st;
}

static aq_status refresh_send(struct refresh *r, struct aq_error *err)
{
    bool done = false;
    bool again = false;
    aq_status st = refresh_look_again(r, &done, err);
    if (st == AQ_OK && !done) {
        st = refresh_import(r, &done, &again, err);
    }
    if (st != AQ_OK || again) {
        return st;
    }
    if (done) { /* also what a forced refresh wanted */
        refresh_release(r, false);
        return AQ_OK;
    }
    return refresh_ask_at_last(r, err);
}

/* ---- wait ---- */

/* The request broke. Unless nothing was sent, the service may have acted on it all the same. */
static aq_status refresh_call_failed(struct aq_error *err)
{
    const struct aq_error why = *err;
    error_set(err, AQ_E_REFRESH, "login: not refreshed, %s; %s, try again", why.text,
              why.flags & AQ_ERROR_NOT_SENT
                  ? "nothing is lost"
                  : "the login is kept, but its refresh token may be spent");
    err->sys = why.sys;
    return AQ_E_REFRESH;
}

/* The transport has its own timeout; this one holds even if it forgets. */
static aq_status refresh_keep_waiting(struct refresh *r, struct aq_error *err)
{
    if (clock_now_us() >= r->sent_us + FINISH_US) {
        error_set(err, AQ_E_TIMEOUT, "sign-in service: did not answer in time");
        return refresh_call_failed(err);
    }
    r->op->deadline_us = r->sent_us + FINISH_US;
    return AQ_AGAIN;
}

static aq_status refresh_receive(struct refresh *r, struct aq_error *err)
{
    aq_status st;
    if (r->http == 0) {
        struct aq_response response;
        st = call_response(&r->call, &response, err);
        if (st != AQ_OK) {
            return st;
        }
        r->http = response.status;
        buf_add(&r->error_type, call_header(&response, AQ_STR("x-amzn-errortype")));
    }
    do {
        size_t len = 0;
        if (r->body.len == OIDC_REPLY_MAX) {
            return error_set(err, AQ_E_LIMIT, "sign-in service: answered more than %d bytes",
                             OIDC_REPLY_MAX);
        }
        st =
            call_read(&r->call, r->body.ptr + r->body.len, OIDC_REPLY_MAX - r->body.len, &len, err);
        r->body.len += st == AQ_OK ? len : 0;
    } while (st == AQ_OK);
    return st;
}

static aq_status refresh_was_replaced(struct aq_error *err)
{
    return error_set(
        err, AQ_E_REFRESH,
        "login: was changed by another program while it was being refreshed, try again");
}

/* invalid_grant may only mean that somebody else was faster. */
static aq_status refresh_spent(struct refresh *r, struct aq_error *err)
{
    const struct aq_error why = *err;
    aq_status st = source_reload(r->login, err);
    if (st == AQ_E_NOTFOUND) {
        return refresh_was_removed(err);
    }
    if (st != AQ_OK || str_eq_secret(r->login->token.refresh_token, buf_str(&r->spent))) {
        return error_copy(err, &why); /* believed; the row stays as it was read */
    }
    if (!refresh_is_good(r)) {
        return refresh_was_replaced(err);
    }
    refresh_release(r, false);
    return AQ_OK;
}

/* What is to be saved: this row with the answer's token in it. */
static aq_status refresh_make(struct refresh *r, struct aq_str row, struct aq_error *err)
{
    const struct token_update update = {
        .access_token = r->answer.access_token,
        .refresh_token = r->answer.refresh_token,
        .expires_at_s = r->expires_at_s,
    };
    return token_apply(row, &update, &r->fresh_json, err);
}

static aq_status refresh_wait(struct refresh *r, struct aq_error *err)
{
    aq_status st = refresh_receive(r, err);
    if (st == AQ_AGAIN) {
        return refresh_keep_waiting(r, err);
    }
    if (st != AQ_END) {
        return refresh_call_failed(err);
    }
    call_finish(&r->call, false);
    r->answered_s = clock_wall_s();
    r->state = REFRESH_JUDGE;
    return AQ_OK;
}

/* ---- judge ---- */

/* What the answer means. Out of memory here must not lose it, so that is tried again. */
static aq_status refresh_judge(struct refresh *r, struct aq_error *err)
{
    oidc_tokens_done(&r->answer);
    enum oidc_outcome outcome =
        oidc_refresh_reply(r->http, buf_str(&r->error_type), buf_str(&r->body), &r->answer, err);
    aq_status st = outcome == OIDC_OK ? AQ_OK : err->status;
    if (outcome == OIDC_GRANT_SPENT) {
        return refresh_spent(r, err);
    }
    if (st == AQ_OK) {
        r->expires_at_s = r->answered_s + r->answer.expires_in_s;
        buf_clear(&r->fresh_json);
        st = refresh_make(r, buf_str(&r->base), err);
    }
    if (st == AQ_E_NOMEM && clock_now_us() < r->sent_us + FINISH_US) {
        r->op->deadline_us = clock_now_us() + SAVE_POLL_US;
        return AQ_AGAIN;
    }
    if (st == AQ_OK) {
        r->state = REFRESH_SAVE;
    }
    return st;
}

/* ---- save ---- */

/* Take over what was made, without asking the store again. */
static aq_status refresh_adopt(struct refresh *r, struct aq_error *err)
{
    AUTO(buf) struct buf json = BUF(AQ_STORE_VALUE_MAX);
    aq_status st = refresh_keep(&json, buf_str(&r->fresh_json), err);
    refresh_release(r, false);
    return st == AQ_OK ? source_take(r->login, &json, err) : st;
}

/* The row is gone. A logout takes the registration along; a program that removes a login because
 * its own refresh failed leaves it, and then ours is put back. */
static aq_status refresh_return(struct refresh *r, struct aq_error *err)
{
    AUTO(registration) struct registration now = { 0 };
    AUTO(buf) struct buf json = BUF(AQ_STORE_VALUE_MAX);
    struct aq_str key = r->login->source->registration_key;
    aq_status st = store_get(r->login->store, key, &json, err);
    if (st == AQ_E_NOTFOUND) {
        return refresh_was_removed(err);
    }
    if (st != AQ_OK) {
        return st;
    }
    st = registration_parse(key, buf_str(&json), &now, err);
    if (st == AQ_E_NOMEM) {
        return st;
    }
    if (st != AQ_OK || !str_eq(now.client_id, r->registration.client_id) ||
        !str_eq_secret(now.client_secret, r->registration.client_secret)) {
        return refresh_was_removed(err); /* another login is on its way */
    }
    if (r->gone_us == 0) {
        r->gone_us = clock_now_us();
    }
    if (clock_now_us() < r->gone_us + SAVE_POLL_US) { /* a logout removes two rows, one by one */
        r->op->deadline_us = r->gone_us + SAVE_POLL_US;
        return AQ_AGAIN;
    }
    return refresh_restore(r, buf_str(&json), err);
}

/*
 * There is another row than the one the refresh began with. If it still holds the refresh token
 * that was spent, ours is its successor, and what the other program changed beside it is kept. Any
 * other row is not ours to touch.
 */
static aq_status refresh_meet(struct refresh *r, struct buf *theirs, struct aq_error *err)
{
    AUTO(token) struct token token = { 0 };
    aq_status st = token_parse(r->login->source->token_key, buf_str(theirs), &token, err);
    if (st == AQ_E_NOMEM) {
        return st;
    }
    if (st == AQ_OK && str_eq_secret(token.refresh_token, buf_str(&r->spent))) {
        st = refresh_keep(&r->base, buf_str(theirs), err);
        buf_clear(&r->fresh_json);
        if (st == AQ_OK) {
            st = refresh_make(r, buf_str(&r->base), err);
        }
        return st == AQ_OK ? refresh_replace(r, buf_str(&r->base), err) : st;
    }
    if (st != AQ_OK || source_take(r->login, theirs, err) != AQ_OK || !refresh_is_good(r)) {
        return refresh_was_replaced(err);
    }
    r->state = REFRESH_IDLE; /* theirs is good */
    return AQ_OK;
}

/* The first try failed. Look what is there, before believing that nothing was saved. */
static aq_status refresh_save_again(struct refresh *r, struct aq_error *err)
{
    AUTO(buf) struct buf theirs = BUF(AQ_STORE_VALUE_MAX);
    const struct aq_error why = *err;
    aq_status st = store_get(r->login->store, r->login->source->token_key, &theirs, err);
    if (st == AQ_E_NOTFOUND) {
        return refresh_return(r, err);
    }
    if (st != AQ_OK) {
        return st;
    }
    if (str_eq(buf_str(&theirs), buf_str(&r->fresh_json))) {
        return AQ_OK; /* saved after all */
    }
    if (!str_eq(buf_str(&theirs), buf_str(&r->base))) {
        return refresh_meet(r, &theirs, err);
    }
    return error_copy(err, &why); /* as it was: the store could not */
}

/* True if waiting and trying again may help. */
static bool refresh_save_may_pass(aq_status st)
{
    return st != AQ_E_NOT_LOGGED_IN && st != AQ_E_REFRESH;
}

/* Before trying on, put the answer where it outlives us. */
static void refresh_spill(struct refresh *r)
{
    struct aq_error why;
    if (r->spill.len == 0 && spill_write(r->login->source->token_key, buf_str(&r->spent),
                                         buf_str(&r->fresh_json), &r->spill, &why) != AQ_OK) {
        log_add(&r->op->client->log, LOG_ERROR, str_from(why.text));
    }
}

static void refresh_unspill(struct refresh *r)
{
    if (r->spill.len) {
        spill_remove(r->login->source->token_key, buf_str(&r->spent));
        buf_clear(&r->spill);
    }
}

static aq_status refresh_save(struct refresh *r, struct aq_error *err)
{
    aq_status st = refresh_replace(r, buf_str(&r->base), err);
    if (st != AQ_OK) {
        st = refresh_save_again(r, err);
    }
    if (st == AQ_AGAIN) {
        return AQ_AGAIN;
    }
    if (st == AQ_OK || !refresh_save_may_pass(st)) {
        refresh_unspill(r);
        return st == AQ_OK && r->state == REFRESH_SAVE ? refresh_adopt(r, err) : st;
    }
    refresh_spill(r);
    uint64_t now_us = clock_now_us();
    if (now_us < r->sent_us + FINISH_US) {
        r->op->deadline_us = now_us + SAVE_POLL_US;
        return AQ_AGAIN;
    }
    if (r->spill.len) {
        error_set(&r->unsaved, st,
                  "login: refreshed, but kept in %.*s because it cannot be saved, %s",
                  AQ_STR_ARG(buf_str(&r->spill)), err->text);
    } else {
        error_set(&r->unsaved, st,
                  "login: refreshed but NOT saved, %s; the next refresh may need a new login",
                  err->text);
    }
    log_add(&r->op->client->log, LOG_ERROR, str_from(r->unsaved.text));
    return refresh_adopt(r, err);
}

/* ---- all of it ---- */

aq_status refresh_run(struct refresh *r, struct aq_error *err)
{
    aq_status st = AQ_OK;
    while (st == AQ_OK && r->state != REFRESH_IDLE) {
        switch (r->state) {
        case REFRESH_LOCK:
            st = refresh_lock(r, err);
            break;
        case REFRESH_SEND:
            st = refresh_send(r, err);
            break;
        case REFRESH_WAIT:
            st = refresh_wait(r, err);
            break;
        case REFRESH_JUDGE:
            st = refresh_judge(r, err);
            break;
        case REFRESH_SAVE:
            st = refresh_save(r, err);
            break;
        case REFRESH_IDLE:
            break;
        }
    }
    if (st != AQ_AGAIN) {
        refresh_release(r, false);
    }
    return st;
}
