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
    READ_SIZE = 4096,
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
        .registration_json = BUF(AQ_STORE_VALUE_MAX),
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
    return r->state == REFRESH_WAIT || r->state == REFRESH_SAVE;
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
    buf_done(&r->registration_json);
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
    return refresh_is_forbidden(st) ? refresh_cannot_save(err) : st;
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
    *ret_good =
        st == AQ_OK && !str_eq(buf_str(&before), buf_str(&r->login->json)) && refresh_is_good(r);
    return st == AQ_E_NOTFOUND ? refresh_was_removed(err) : st;
}

static aq_status refresh_needs_login(struct aq_error *err, const char *why)
{
    return error_set(err, AQ_E_LOGIN_NEEDED, "login: cannot be refreshed, %s, sign in again", why);
}

/* The registration must be the one the token was issued to. */
static aq_status refresh_load_registration(struct refresh *r, struct aq_error *err)
{
    const struct source *source = r->login->source;
    const struct token *token = &r->login->token;
    registration_done(&r->registration);
    aq_status st = store_get(r->login->store, source->registration_key, &r->registration_json, err);
    if (st == AQ_OK) {
        st = registration_parse(source->registration_key, buf_str(&r->registration_json),
                                &r->registration, err);
    }
    if (st == AQ_E_NOTFOUND) {
        return refresh_needs_login(err, "its client registration is missing");
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

/* One try: put the new token where `expected` is (empty: where nothing is), as long as the
 * registration it was made with is there. */
static aq_status refresh_commit(struct refresh *r, struct aq_str expected, struct aq_error *err)
{
    const struct aq_change changes[] = {
        {
            .key = r->login->source->token_key,
            .expect = expected.len ? AQ_EXPECT_VALUE : AQ_EXPECT_ABSENT,
            .expected = str_bytes(expected),
            .action = AQ_CHANGE_PUT,
            .value = buf_bytes(&r->fresh_json),
        },
        {
            .key = r->login->source->registration_key, /* gone: the user has logged out */
            .expect = AQ_EXPECT_VALUE,
            .expected = buf_bytes(&r->registration_json),
            .action = AQ_CHANGE_KEEP,
        },
    };
    return store_commit(r->login->store, changes, sizeof(changes) / sizeof(changes[0]), err);
}

/* ---- what an earlier process could not save ---- */

/* It cannot be saved this time either: use it as it is, and say so. */
static aq_status refresh_borrow(struct refresh *r, struct buf *json, const struct aq_error *why,
                                struct aq_error *err)
{
    aq_status st = source_take(r->login, json, err);
    if (st == AQ_OK) {
        error_set(&r->unsaved, why->status,
                  "login: kept in a file of its own because it cannot be saved, %s", why->text);
    }
    return st;
}

/* Import the successor of the stored refresh token, if an earlier process left one behind. After
 * this the login is what it would be had that process saved it. */
static aq_status refresh_import(struct refresh *r, bool *ret_imported, struct aq_error *err)
{
    AUTO(buf) struct buf json = BUF(AQ_STORE_VALUE_MAX);
    AUTO(buf) struct buf spent = BUF(AQ_STORE_VALUE_MAX);
    AUTO(token) struct token token = { 0 };
    struct aq_str key = r->login->source->token_key;
    struct aq_error ignored;
    buf_add(&spent, r->login->token.refresh_token);
    if (spill_read(key, buf_str(&spent), &json) != AQ_OK ||
        token_parse(key, buf_str(&json), &token, &ignored) != AQ_OK) {
        return AQ_OK; /* none, or none that could be used */
    }
    *ret_imported = true;
    buf_clear(&r->fresh_json);
    buf_add(&r->fresh_json, buf_str(&json));
    aq_status st = refresh_commit(r, buf_str(&r->login->json), err);
    if (st != AQ_OK) {
        const struct aq_error why = *err;
        return refresh_borrow(r, &json, &why, err);
    }
    spill_remove(key, buf_str(&spent));
    log_add(&r->op->client->log, LOG_INFO,
            AQ_STR("refresh: saved what an earlier process could not"));
    return source_take(r->login, &json, err);
}

static aq_status refresh_imported(struct refresh *r, struct aq_error *err)
{
    if (refresh_is_good(r)) {
        refresh_release(r, false);
        return AQ_OK;
    }
    if (r->unsaved.status != AQ_OK) { /* expired too, and its successor could not be saved either */
        return error_set(err, AQ_E_NOT_SAVED, "%s", r->unsaved.text);
    }
    return AQ_OK; /* look again: it may have a successor itself */
}

static aq_status refresh_send(struct refresh *r, struct aq_error *err)
{
    bool good;
    aq_status st = refresh_look_again(r, &good, err);
    if (st != AQ_OK) {
        return st;
    }
    if (good) { /* the work is done; also what a forced refresh wanted */
        refresh_release(r, false);
        return AQ_OK;
    }
    bool imported = false;
    st = refresh_load_registration(r, err);
    if (st == AQ_OK) {
        st = refresh_import(r, &imported, err);
    }
    if (st != AQ_OK) {
        return st;
    }
    if (imported) {
        return refresh_imported(r, err);
    }
    st = store_can_save(r->login->store, err);
    if (st != AQ_OK) {
        return refresh_is_forbidden(st) ? refresh_cannot_save(err) : st;
    }
    buf_clear(&r->base);
    buf_add(&r->base, buf_str(&r->login->json));
    buf_clear(&r->spent);
    buf_add(&r->spent, r->login->token.refresh_token);
    st = refresh_ask(r, err);
    if (st == AQ_OK) {
        r->sent_us = clock_now_us();
        r->state = REFRESH_WAIT;
    }
    return st;
}

/* ---- wait ---- */

static aq_status refresh_call_failed(struct aq_error *err)
{
    const struct aq_error why = *err;
    error_set(err, AQ_E_REFRESH, "login: not refreshed, %s; nothing is lost, try again", why.text);
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
        if (!buf_reserve(&r->body, READ_SIZE)) {
            return error_set(err, AQ_E_LIMIT, "sign-in service: answered more than %d bytes",
                             OIDC_REPLY_MAX);
        }
        st = call_read(&r->call, r->body.ptr + r->body.len, READ_SIZE, &len, err);
        r->body.len += st == AQ_OK ? len : 0;
    } while (st == AQ_OK);
    return st;
}

/* invalid_grant may only mean that somebody else was faster. */
static aq_status refresh_spent(struct refresh *r, struct aq_error *err)
{
    const struct aq_error why = *err;
    bool good = false;
    aq_status st = refresh_look_again(r, &good, err);
    if (st == AQ_OK && good) {
        refresh_release(r, false);
        return AQ_OK;
    }
    return st == AQ_E_NOT_LOGGED_IN ? st : error_copy(err, &why); /* the row as it was read */
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
    enum oidc_outcome outcome =
        oidc_refresh_reply(r->http, buf_str(&r->error_type), buf_str(&r->body), &r->answer, err);
    if (outcome == OIDC_GRANT_SPENT) {
        return refresh_spent(r, err);
    }
    if (outcome != OIDC_OK) {
        return err->status;
    }
    r->expires_at_s = clock_wall_s() + r->answer.expires_in_s;
    st = refresh_make(r, buf_str(&r->base), err);
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
    buf_add(&json, buf_str(&r->fresh_json));
    refresh_release(r, false);
    return source_take(r->login, &json, err);
}

static aq_status refresh_was_replaced(struct aq_error *err)
{
    return error_set(
        err, AQ_E_REFRESH,
        "login: was changed by another program while it was being refreshed, try again");
}

/* The registration may have been written anew meanwhile. AQ_OK: it is still the same client, and
 * the next commit expects it as it is now. */
static aq_status refresh_follow_registration(struct refresh *r, struct aq_error *err)
{
    AUTO(registration) struct registration now = { 0 };
    AUTO(buf) struct buf json = BUF(AQ_STORE_VALUE_MAX);
    struct aq_str key = r->login->source->registration_key;
    aq_status st = store_get(r->login->store, key, &json, err);
    if (st == AQ_E_NOTFOUND) {
        return refresh_was_removed(err);
    }
    if (st == AQ_OK) {
        st = registration_parse(key, buf_str(&json), &now, err);
    }
    if (st != AQ_OK) {
        return st == AQ_E_CORRUPT ? refresh_was_replaced(err) : st;
    }
    if (!str_eq(now.client_id, r->registration.client_id) ||
        !str_eq_secret(now.client_secret, r->registration.client_secret)) {
        return refresh_was_replaced(err);
    }
    buf_clear(&r->registration_json);
    buf_add(&r->registration_json, buf_str(&json));
    return AQ_OK;
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
        buf_clear(&r->fresh_json);
        st = refresh_make(r, buf_str(theirs), err);
        return st == AQ_OK ? refresh_commit(r, buf_str(theirs), err) : st;
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
    aq_status st = store_get(r->login->store, r->login->source->token_key, &theirs, err);
    if (st != AQ_OK && st != AQ_E_NOTFOUND) {
        return st;
    }
    if (st == AQ_OK && str_eq(buf_str(&theirs), buf_str(&r->fresh_json))) {
        return AQ_OK; /* saved after all */
    }
    if (st == AQ_OK && !str_eq(buf_str(&theirs), buf_str(&r->base))) {
        return refresh_meet(r, &theirs, err);
    }
    /* as it was; or removed by a program whose own refresh failed, for then the registration stays
     */
    st = refresh_follow_registration(r, err);
    return st == AQ_OK ? refresh_commit(r, buf_str(&theirs), err) : st;
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
    aq_status st = refresh_commit(r, buf_str(&r->base), err);
    if (st != AQ_OK) {
        st = refresh_save_again(r, err);
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
