/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The token operation: find the login, decide whether it must be refreshed, hand out a token. How a
 * refresh is done without losing anything is in refresh.c.
 */
#include "client/token.h"

#include "base/error.h"
#include "base/options.h"
#include "base/str.h"
#include "client/refresh.h"

#include <stdio.h>

enum {
    MIN_VALID_S = 60,              /* a token this close to its end counts as expired */
    ADVISORY_S = 15 * 60,          /* refresh in good time, if it costs nobody anything */
    ADVISORY_US = 3 * 1000 * 1000, /* how long a caller with a valid token is kept waiting */
    GRANT_US = 30 * 1000 * 1000,   /* how long a token server is given */
    SHORTFALL_MAX = 96,            /* bytes of a text */
};

enum token_state {
    TOKEN_LOAD,    /* find the login, decide */
    TOKEN_REFRESH, /* until there is a new one */
    TOKEN_READY,   /* hand out what we have */
    TOKEN_HANDED,  /* handed out; a refresh may still be going on */
};

struct token_op {
    struct aq_op op;
    struct aq_token_options options;
    enum token_state state;
    bool advisory; /* the caller has a valid token already: hurry, and fail in silence */
    bool warned;   /* AQ_EVENT_WARNING is pending in `warning` */
    bool insisted; /* a token server was told to replace the token that was refused */
    uint64_t hurry_until_us;
    uint64_t granted_until_us; /* when a token server has had its time; 0: it was not asked yet */

    struct buf rejected; /* the access token that was refused; empty: none was */
    struct source_login login;
    struct refresh refresh;
    struct buf profile_arn;
    struct token shown; /* what `view` points to, if a refresh is still going on */
    struct aq_token view;
    struct aq_error warning;
};

static int64_t token_needed_s(const struct token_op *t)
{
    return t->options.min_valid_s > 0 ? t->options.min_valid_s : MIN_VALID_S;
}

static bool token_expiry_is_known(const struct token_op *t)
{
    return t->login.token.expires_at.len > 0;
}

static bool token_is_enough(const struct token_op *t)
{
    return token_expiry_is_known(t) ? source_remaining_s(&t->login) > token_needed_s(t)
                                    : t->options.min_valid_s == 0;
}

/* Why it is not; for an error. */
static void token_shortfall(const struct token_op *t, char ret[SHORTFALL_MAX])
{
    long long remaining_s = source_remaining_s(&t->login);
    long long needed_s = token_needed_s(t);
    if (!token_expiry_is_known(t)) {
        snprintf(ret, SHORTFALL_MAX, "without an expiry, %lld s are needed", needed_s);
    } else if (remaining_s <= 0) {
        struct aq_str at = t->login.token.expires_at;
        snprintf(ret, SHORTFALL_MAX, "expired at %.*s", at.len < 40 ? (int)at.len : 40, at.ptr);
    } else {
        snprintf(ret, SHORTFALL_MAX, "valid for %lld s, %lld s are needed", remaining_s, needed_s);
    }
}

/* ---- token servers ---- */

/* A token that was refused may have been replaced long ago: force comes second. */
static struct aq_token_wish token_wish(const struct token_op *t)
{
    bool force = (t->options.flags & AQ_TOKEN_FORCE_REFRESH) && (!t->rejected.len || t->insisted);
    bool stay = t->options.flags & (AQ_TOKEN_NO_REFRESH | AQ_TOKEN_AS_STORED);
    return (struct aq_token_wish){
        .struct_size = sizeof(struct aq_token_wish),
        .flags = (force ? AQ_WISH_FORCE : 0) | (stay ? AQ_WISH_NO_REFRESH : 0),
        .min_valid_s = t->options.min_valid_s,
    };
}

static aq_status token_await_grant(struct token_op *t, struct aq_error *err)
{
    uint64_t now_us = clock_now_us();
    if (t->granted_until_us == 0) {
        t->granted_until_us = now_us + GRANT_US;
    }
    if (now_us >= t->granted_until_us) {
        return error_set(err, AQ_E_REFRESH,
                         "login: the store did not hand a token over within 30 s, try again");
    }
    op_wake_at(&t->op, now_us);
    return AQ_AGAIN;
}

/* The server has done what it could; whether that is enough for the caller is seen at the end. */
static aq_status token_granted(struct token_op *t, struct aq_error *err)
{
    if (t->rejected.len && !t->insisted && (t->options.flags & AQ_TOKEN_FORCE_REFRESH)) {
        t->insisted = true;
        return AQ_OK;
    }
    if (source_remaining_s(&t->login) <= 0) {
        return error_set(err, AQ_E_EXPIRED,
                         "store '%s': handed a token over that has expired, compare the clocks",
                         t->login.store->plugin->info.name);
    }
    t->state = TOKEN_READY;
    return AQ_OK;
}

/* ---- load ---- */

/* It will not do as it is, and only others can refresh it. */
static aq_status token_refuse(const struct token_op *t, struct aq_error *err)
{
    char why[SHORTFALL_MAX];
    struct store *store = t->login.store;
    if (!(t->options.flags & AQ_TOKEN_FORCE_REFRESH)) {
        token_shortfall(t, why);
        return store_refuse_refresh(store, AQ_E_EXPIRED, why, err);
    }
    return t->rejected.len
               ? store_refuse_refresh(store, AQ_E_AUTH, "the service has rejected its token", err)
               : store_refuse_refresh(store, AQ_E_REFRESH, "another one was asked for", err);
}

/* It could be refreshed, and the caller has forbidden it. */
static aq_status token_leave_alone(struct token_op *t, struct aq_error *err)
{
    char why[SHORTFALL_MAX];
    if (token_is_enough(t)) {
        t->state = TOKEN_READY;
        return AQ_OK;
    }
    bool over = token_expiry_is_known(t) && source_remaining_s(&t->login) <= 0;
    if (over && !store_grants(t->login.store) && t->login.token.refresh_token.len == 0) {
        return refresh_needs_login(err, REFRESH_WITHOUT_TOKEN);
    }
    token_shortfall(t, why);
    return error_set(err, AQ_E_EXPIRED,
                     "token: %s and refreshing was forbidden, allow it or ask for less", why);
}

/* What becomes of the login that was found (docs/refresh.md). */
static aq_status token_decide(struct token_op *t, struct aq_error *err)
{
    bool refreshable = store_can_refresh(t->login.store);
    if (t->options.flags & AQ_TOKEN_AS_STORED) {
        t->state = TOKEN_READY;
        return AQ_OK;
    }
    if (refreshable && (t->options.flags & AQ_TOKEN_NO_REFRESH)) {
        return token_leave_alone(t, err);
    }
    if (t->rejected.len && !str_eq_secret(t->login.token.access_token, buf_str(&t->rejected))) {
        t->options.flags &= ~AQ_TOKEN_FORCE_REFRESH; /* somebody else has seen to it */
    }
    if (store_grants(t->login.store)) {
        return token_granted(t, err);
    }
    t->advisory = token_is_enough(t) && !(t->options.flags & AQ_TOKEN_FORCE_REFRESH);
    bool early = source_remaining_s(&t->login) > ADVISORY_S;
    if (t->advisory && (early || t->login.token.refresh_token.len == 0)) {
        t->state = TOKEN_READY;
        return AQ_OK;
    }
    if (!refreshable) {
        return token_refuse(t, err);
    }
    refresh_begin(&t->refresh, &t->op, &t->login, token_needed_s(t), !t->advisory);
    t->hurry_until_us = clock_now_us() + ADVISORY_US;
    t->state = TOKEN_REFRESH;
    return AQ_OK;
}

/* Without it the service may refuse an organisation's login, and say nothing of a profile. */
static void token_tell_odd_profile(const struct token_op *t)
{
    const struct aq_str key = t->login.source->profile_key; /* it has one, so there is a row */
    if (client_tell_once(t->op.client, CLIENT_PROFILE_ROW)) {
        log_printf(&t->op.client->log, LOG_WARN,
                   "login: its row '%.*s' is no object with a text arn, so no profile is used; "
                   "choose one (q profile use ARN), or log out and in again",
                   (int)key.len, key.ptr);
    }
}

static aq_status token_load(struct token_op *t, struct aq_error *err)
{
    const struct aq_token_wish wish = token_wish(t);
    bool odd = false;
    source_login_done(&t->login);
    buf_clear(&t->profile_arn);
    aq_status st = source_find(t->op.client, &wish, &t->login, err);
    if (st == AQ_AGAIN) {
        return token_await_grant(t, err);
    }
    op_wake_at(&t->op, CLOCK_NEVER);
    if (st == AQ_OK) {
        st = source_profile(&t->login, &t->profile_arn, &odd, err);
    }
    if (odd) {
        token_tell_odd_profile(t);
    }
    return st == AQ_OK ? token_decide(t, err) : st;
}

/* ---- refresh ---- */

/*
 * It failed for now. Whoever can do with the token that is there gets it: in silence if the refresh
 * was our own idea, else with a warning. Otherwise the failure is the answer.
 */
static aq_status token_fall_back(struct token_op *t, const struct aq_error *why)
{
    int64_t remaining_s = source_remaining_s(&t->login);
    bool usable = remaining_s > 0 && t->options.min_valid_s == 0 &&
                  !(t->options.flags & AQ_TOKEN_FORCE_REFRESH);
    log_printf(&t->op.client->log, LOG_INFO, "refresh: %s", why->text);
    if (why->status == AQ_E_NOT_LOGGED_IN || (!t->advisory && !usable)) {
        return why->status; /* after a logout even a valid token is nobody's any more */
    }
    if (!t->advisory) {
        t->warned = true;
        error_set(&t->warning, why->status, "login: valid for %lld s only, and not refreshed: %s",
                  (long long)remaining_s, why->text);
    }
    t->state = TOKEN_READY;
    return AQ_OK;
}

/* The answer is still awaited. Whoever has a valid token waits for it three seconds, and gets that
 * token then; the refresh goes on in the background. */
static aq_status token_wait(struct token_op *t)
{
    if (t->advisory && clock_now_us() >= t->hurry_until_us) {
        t->advisory = token_is_enough(t); /* it may have stopped to be, in three seconds */
        t->state = t->advisory ? TOKEN_READY : TOKEN_REFRESH;
        return t->advisory ? AQ_OK : AQ_AGAIN;
    }
    if (t->advisory && t->hurry_until_us < t->op.deadline_us) {
        op_wake_at(&t->op, t->hurry_until_us);
    }
    return AQ_AGAIN;
}

static aq_status token_refresh(struct token_op *t, struct aq_error *err)
{
    aq_status st = refresh_run(&t->refresh, err);
    if (st == AQ_AGAIN) {
        return token_wait(t);
    }
    if (st != AQ_OK) {
        return token_fall_back(t, err);
    }
    t->warned = t->refresh.unsaved.status != AQ_OK;
    t->warning = t->refresh.unsaved;
    t->state = TOKEN_READY;
    return AQ_OK;
}

/* ---- hand out ---- */

/* While a refresh goes on in the background the caller must be able to keep what it was shown. */
static aq_status token_to_show(struct token_op *t, const struct token **ret, struct aq_error *err)
{
    if (!refresh_is_active(&t->refresh)) {
        *ret = &t->login.token;
        return AQ_OK;
    }
    *ret = &t->shown;
    return token_parse(t->login.source->token_key, buf_str(&t->login.json), &t->shown, err);
}

static const struct aq_event *token_warning(struct token_op *t)
{
    struct aq_event *event = op_event(&t->op, AQ_EVENT_WARNING);
    event->text = str_from(t->warning.text);
    t->warned = false;
    return event;
}

static const struct aq_event *token_event(struct token_op *t, const struct token *token)
{
    struct aq_event *event = op_event(&t->op, AQ_EVENT_TOKEN);
    source_view(t->op.client, t->login.source, t->login.store, token, buf_str(&t->profile_arn),
                &t->view);
    event->token = &t->view;
    t->state = TOKEN_HANDED;
    return event;
}

static aq_status token_hand_out(struct token_op *t, const struct aq_event **ret,
                                struct aq_error *err)
{
    if (t->warned) {
        *ret = token_warning(t);
        return AQ_OK;
    }
    if (t->options.min_valid_s > 0 && !token_is_enough(t)) {
        return error_set(err, AQ_E_EXPIRED,
                         "token: refreshed, but valid for %lld s only and %lld s are needed, ask "
                         "for less",
                         (long long)source_remaining_s(&t->login), (long long)token_needed_s(t));
    }
    const struct token *token;
    aq_status st = token_to_show(t, &token, err);
    if (st == AQ_OK) {
        *ret = token_event(t, token);
    }
    return st;
}

/* ---- the operation ---- */

static bool token_must_finish(const struct aq_op *op)
{
    return refresh_must_finish(&((const struct token_op *)op)->refresh);
}

/* Go on until there is something to hand out, or to wait for, or it has failed. */
static aq_status token_run(struct token_op *t, struct aq_error *err)
{
    aq_status st = AQ_OK;
    while (st == AQ_OK && (t->state == TOKEN_LOAD || t->state == TOKEN_REFRESH)) {
        st = t->state == TOKEN_LOAD ? token_load(t, err) : token_refresh(t, err);
    }
    return st < 0 ? op_end(&t->op, st, err) : st;
}

/* What must be finished goes on although nobody asks; once a token was handed out, to no effect but
 * on the store. */
static void token_work(struct aq_op *op)
{
    struct token_op *t = (struct token_op *)op;
    struct aq_error err;
    if (t->state == TOKEN_REFRESH) {
        token_run(t, &err);
    } else {
        refresh_run(&t->refresh, &err);
    }
}

static aq_status token_next(struct aq_op *op, const struct aq_event **ret, struct aq_error *err)
{
    struct token_op *t = (struct token_op *)op;
    aq_status st = token_run(t, err);
    if (st != AQ_OK) {
        return st;
    }
    if (t->state == TOKEN_HANDED) {
        return AQ_END;
    }
    st = token_hand_out(t, ret, err);
    return st < 0 ? op_end(op, st, err) : st;
}

static void token_op_done(struct aq_op *op, bool forked)
{
    struct token_op *t = (struct token_op *)op;
    refresh_done(&t->refresh, forked);
    source_login_done(&t->login);
    token_done(&t->shown);
    buf_done(&t->profile_arn);
    buf_done(&t->rejected);
}

static const struct op_class token_class = {
    .may_block = true,
    .next = token_next,
    .must_finish = token_must_finish,
    .work = token_work,
    .done = token_op_done,
    .size = sizeof(struct token_op),
};

aq_status token_start(struct aq_client *client, const struct aq_token_options *options,
                      struct aq_str rejected, struct aq_op *parent, struct aq_op **ret,
                      struct aq_error *err)
{
    struct token_op *t = (struct token_op *)op_new(client, &token_class, parent);
    if (!t) {
        return error_nomem(err, "token operation");
    }
    t->options = *options;
    buf_add(&t->rejected, rejected);
    if (buf_status(&t->rejected) != AQ_OK) {
        op_destroy(&t->op, false);
        return error_nomem(err, "token operation");
    }
    *ret = &t->op;
    return AQ_OK;
}

const struct source_login *token_login(const struct aq_op *op)
{
    return &((const struct token_op *)op)->login;
}

static aq_status token_check_options(const struct aq_token_options *options, struct aq_error *err)
{
    bool force = options->flags & AQ_TOKEN_FORCE_REFRESH;
    bool stay = options->flags & AQ_TOKEN_NO_REFRESH;
    bool as_stored = options->flags & AQ_TOKEN_AS_STORED;
    if (options->min_valid_s < 0 || (force && stay)) {
        return error_set(err, AQ_E_INVALID,
                         "token options: min_valid_s is negative, or a refresh is both forced and "
                         "forbidden");
    }
    return as_stored && (force || stay || options->min_valid_s > 0)
               ? error_set(err, AQ_E_INVALID,
                           "token options: a login as it is stored cannot be wanted otherwise")
               : AQ_OK;
}

aq_status aq_token_start(struct aq_client *client, const struct aq_token_options *options,
                         struct aq_op **ret, struct aq_error *err)
{
    struct aq_token_options known = AQ_TOKEN_OPTIONS_INIT;
    aq_status st = client_usable(client, err);
    if (st != AQ_OK) {
        return st;
    }
    if (options && !options_copy(&known, sizeof(known), options)) {
        return error_set(err, AQ_E_INVALID, "token options: struct_size is not set");
    }
    st = token_check_options(&known, err);
    if (st != AQ_OK) {
        return st;
    }
    st = token_start(client, &known, AQ_STR(""), NULL, ret, err);
    if (st == AQ_OK) {
        op_ready(*ret);
    }
    return st;
}
