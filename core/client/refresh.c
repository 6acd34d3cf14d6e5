/* SPDX-License-Identifier: Apache-2.0 */
#include "client/refresh.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/str.h"
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
    switch (st) {
    case AQ_OK:
        client->refreshing = r->op;
        r->state = REFRESH_SEND;
        return AQ_OK;
    case AQ_AGAIN:
        return refresh_lock_is_held(r, err);
    case AQ_E_NOTFOUND:
        return error_set(err, AQ_E_NOT_LOGGED_IN, "login: was removed, sign in again");
    case AQ_E_READONLY:
    case AQ_E_DENIED:
    case AQ_E_UNSUPPORTED:
        return refresh_cannot_save(err);
    default:
        return st;
    }
}

/* ---- send ---- */

/* Somebody else may have refreshed it, or logged out, since it was read. *ret_good: a token of
 * somebody else that is good enough. */
static aq_status refresh_look_again(struct refresh *r, bool *ret_good, struct aq_error *err)
{
    AUTO(buf) struct buf before = BUF(AQ_STORE_VALUE_MAX);
    buf_add(&before, buf_str(&r->login->json));
    aq_status st = source_reload(r->login, err);
    if (st == AQ_E_NOTFOUND) {
        return error_set(err, AQ_E_NOT_LOGGED_IN,
                         "login: was removed while it was being refreshed");
    }
    *ret_good = st == AQ_OK && !str_eq(buf_str(&before), buf_str(&r->login->json)) &&
                source_remaining_s(r->login) > r->min_valid_s;
    return st;
}

static aq_status refresh_needs_login(struct aq_error *err, const char *why)
{
    return error_set(err, AQ_E_LOGIN_NEEDED, "login: %s, sign in again", why);
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
        return refresh_needs_login(err, "expired, and its client registration is missing");
    }
    if (st != AQ_OK) {
        return st;
    }
    if (token->refresh_token.len == 0) {
        return refresh_needs_login(err, "expired, and has no refresh token");
    }
    if (r->registration.expires_at_s - REGISTRATION_MARGIN_S <= clock_wall_s()) {
        return refresh_needs_login(err, "expired, and its client registration has expired too");
    }
    if (r->registration.flow != token->flow ||
        (token->region.len && !str_eq(r->registration.region, token->region))) {
        return refresh_needs_login(err, "expired, and its client registration is of another login");
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
    st = refresh_load_registration(r, err);
    if (st != AQ_OK) {
        return st;
    }
    st = store_can_save(r->login->store, err);
    if (st != AQ_OK) {
        return refresh_cannot_save(err);
    }
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
    return st == AQ_E_NOT_LOGGED_IN ? st : error_copy(err, &why);
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
    const struct token_update update = {
        .access_token = r->answer.access_token,
        .refresh_token = r->answer.refresh_token,
        .expires_at_s = clock_wall_s() + r->answer.expires_in_s,
    };
    st = token_apply(buf_str(&r->login->json), &update, &r->fresh_json, err);
    if (st == AQ_OK) {
        r->state = REFRESH_SAVE;
    }
    return st;
}

/* ---- save ---- */

/* Take over what was saved, without asking the store again. */
static aq_status refresh_adopt(struct refresh *r, struct aq_error *err)
{
    buf_clear(&r->login->json);
    buf_add(&r->login->json, buf_str(&r->fresh_json));
    refresh_release(r, false);
    return source_parse(r->login, err);
}

/* One try: put the new token where the one it was made from still is (or, `expected` empty, where a
 * process that does not know better removed it). */
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

/* The row is not what it was: theirs if it is good, ours if somebody's failed refresh removed it,
 * nothing if the user has logged out. */
static aq_status refresh_conflict(struct refresh *r, struct aq_error *err)
{
    AUTO(buf) struct buf theirs = BUF(AQ_STORE_VALUE_MAX);
    aq_status st = store_get(r->login->store, r->login->source->token_key, &theirs, err);
    if (st != AQ_OK && st != AQ_E_NOTFOUND) {
        return st;
    }
    if (st == AQ_OK && str_eq(buf_str(&theirs), buf_str(&r->fresh_json))) { /* saved after all */
        return refresh_adopt(r, err);
    }
    if (st == AQ_OK && !str_eq(buf_str(&theirs), buf_str(&r->login->json))) {
        bool good = false;
        st = refresh_look_again(r, &good, err);
        if (st == AQ_OK && good) {
            refresh_release(r, false);
            return AQ_OK;
        }
    }
    st = refresh_commit(r, buf_str(&theirs), err);
    if (st == AQ_E_CHANGED && theirs.len == 0) {
        return error_set(err, AQ_E_NOT_LOGGED_IN,
                         "login: was removed while it was being refreshed");
    }
    return st == AQ_OK ? refresh_adopt(r, err) : st;
}

static aq_status refresh_save(struct refresh *r, struct aq_error *err)
{
    aq_status st = refresh_commit(r, buf_str(&r->login->json), err);
    if (st == AQ_OK) {
        return refresh_adopt(r, err);
    }
    /* An error may come after the data was made durable, so look before believing it. */
    const struct aq_error why = *err;
    st = refresh_conflict(r, err);
    if (st == AQ_OK || st == AQ_E_NOT_LOGGED_IN) {
        return st;
    }
    uint64_t now_us = clock_now_us();
    if (now_us < r->sent_us + FINISH_US) {
        r->op->deadline_us = now_us + SAVE_POLL_US;
        return AQ_AGAIN;
    }
    error_set(&r->unsaved, why.status,
              "login: refreshed but NOT saved, %s; the next refresh may need a new login",
              why.text);
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
    if (st < 0) {
        refresh_release(r, false);
    }
    return st;
}
