/* SPDX-License-Identifier: Apache-2.0 */
#include "client/save.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/str.h"
#include "host/spill.h"

enum {
    SAVE_POLL_US = 250 * 1000,       /* how often a failed save is tried again */
    SAVE_WATCH_US = 2 * 1000 * 1000, /* how long a row that was put back may turn out to be wrong */
};

/* ---- life ---- */

aq_status save_begin(struct save *s, struct source_login *login,
                     const struct registration *registration, struct log *log, int64_t min_valid_s,
                     uint64_t until_us, struct aq_error *err)
{
    *s = (struct save){
        .login = login,
        .registration = registration,
        .log = log,
        .min_valid_s = min_valid_s,
        .until_us = until_us,
        .base = BUF(AQ_STORE_VALUE_MAX),
        .spent = BUF(AQ_STORE_VALUE_MAX),
        .fresh = BUF(AQ_STORE_VALUE_MAX),
        .spill = BUF(SPILL_PATH_MAX),
    };
    buf_add(&s->base, buf_str(&login->json));
    buf_add(&s->spent, login->token.refresh_token);
    buf_reserve(&s->spill, SPILL_PATH_MAX);
    return buf_status(&s->base) == AQ_OK && buf_status(&s->spent) == AQ_OK &&
                   buf_status(&s->spill) == AQ_OK
               ? AQ_OK
               : error_nomem(err, "login");
}

void save_done(struct save *s)
{
    buf_done(&s->base);
    buf_done(&s->spent);
    oidc_tokens_done(&s->answer);
    buf_done(&s->fresh);
    buf_done(&s->spill);
}

/* ---- what is to be saved ---- */

/* Make `row`, with the tokens of the answer in it, what is to be saved in its place; *row is empty
 * then. On failure everything is as it was: half a row must not be saved by the next try. */
static aq_status save_rebase(struct save *s, struct buf *row, struct aq_error *err)
{
    const struct token_update update = {
        .access_token = s->answer.access_token,
        .refresh_token = s->answer.refresh_token,
        .profile_arn = s->answer.profile_arn,
        .expires_at_s = s->expires_at_s,
    };
    struct buf fresh = BUF(AQ_STORE_VALUE_MAX);
    aq_status st = token_apply(buf_str(row), &update, &fresh, err);
    if (st != AQ_OK) {
        buf_done(&fresh);
        return st;
    }
    struct buf base = *row;
    *row = (struct buf)BUF(AQ_STORE_VALUE_MAX);
    buf_done(&s->base);
    buf_done(&s->fresh);
    s->base = base;
    s->fresh = fresh;
    return AQ_OK;
}

aq_status save_take(struct save *s, struct oidc_tokens *answer, int64_t answered_s,
                    struct aq_error *err)
{
    oidc_tokens_done(&s->answer);
    s->answer = *answer;
    *answer = (struct oidc_tokens){ 0 };
    s->expires_at_s = answered_s + s->answer.expires_in_s;
    return save_rebase(s, &s->base, err);
}

/* ---- the row is not the one that was read ---- */

aq_status save_removed(struct aq_error *err)
{
    return error_set(err, AQ_E_NOT_LOGGED_IN,
                     "login: was removed while it was being refreshed, sign in again");
}

aq_status save_replaced(struct aq_error *err)
{
    return error_set(
        err, AQ_E_REFRESH,
        "login: was changed by another program while it was being refreshed, try again");
}

/* Put the new row where none is any more, as long as this registration is there. */
static aq_status save_restore(const struct save *s, struct aq_str registration,
                              struct aq_error *err)
{
    const struct aq_change changes[] = {
        {
            .key = s->login->source->token_key,
            .expect = AQ_EXPECT_ABSENT,
            .action = AQ_CHANGE_PUT,
            .value = buf_bytes(&s->fresh),
        },
        {
            .key = s->login->source->registration_key,
            .expect = AQ_EXPECT_VALUE,
            .expected = str_bytes(registration),
            .action = AQ_CHANGE_KEEP,
        },
    };
    return store_commit(s->login->store, changes, sizeof(changes) / sizeof(changes[0]), err);
}

/* The row is gone. A logout takes the registration along; a program that removes a login because
 * its own refresh failed leaves it, and then ours is put back. Of a login that has none nobody can
 * tell: then it was a logout. */
static aq_status save_into_gap(struct save *s, struct aq_error *err)
{
    AUTO(registration) struct registration now = { 0 };
    AUTO(buf) struct buf json = BUF(AQ_STORE_VALUE_MAX);
    struct aq_str key = s->login->source->registration_key;
    aq_status st = key.len ? store_get(s->login->store, key, &json, err) : AQ_E_NOTFOUND;
    if (st == AQ_E_NOTFOUND) {
        return save_removed(err);
    }
    if (st != AQ_OK) {
        return st;
    }
    st = registration_parse(key, buf_str(&json), &now, err);
    if (st == AQ_E_NOMEM) {
        return st;
    }
    if (st != AQ_OK || !str_eq(now.client_id, s->registration->client_id) ||
        !str_eq_secret(now.client_secret, s->registration->client_secret)) {
        return save_removed(err); /* another login is on its way */
    }
    uint64_t now_us = clock_now_us();
    if (s->gone_us == 0) {
        s->gone_us = now_us;
    }
    if (now_us < s->gone_us + SAVE_POLL_US) { /* a logout removes two rows, one by one */
        s->again_us = s->gone_us + SAVE_POLL_US;
        return AQ_AGAIN;
    }
    st = save_restore(s, buf_str(&json), err);
    if (st != AQ_OK) {
        return st;
    }
    s->restored_us = now_us;
    s->again_us = now_us + SAVE_POLL_US;
    return AQ_AGAIN;
}

/* The row was put back. If the registration goes now, too, it was a slow logout after all, and what
 * was put back goes with it, unless somebody else has changed it. */
static aq_status save_watch(struct save *s, struct aq_error *err)
{
    AUTO(buf) struct buf json = BUF(AQ_STORE_VALUE_MAX);
    const struct source *source = s->login->source;
    const struct aq_change change = {
        .key = source->token_key,
        .expect = AQ_EXPECT_VALUE,
        .expected = buf_bytes(&s->fresh),
        .action = AQ_CHANGE_REMOVE,
    };
    uint64_t now_us = clock_now_us();
    bool is_over = now_us >= s->restored_us + SAVE_WATCH_US;
    s->again_us = now_us + SAVE_POLL_US;
    if (store_get(s->login->store, source->registration_key, &json, err) != AQ_E_NOTFOUND) {
        return is_over ? AQ_OK : AQ_AGAIN;
    }
    aq_status st = store_commit(s->login->store, &change, 1, err);
    if (st == AQ_E_CHANGED) {
        return save_replaced(err);
    }
    return st == AQ_OK || is_over ? save_removed(err) : AQ_AGAIN;
}

/*
 * There is another row than the one that was read. If it still holds the refresh token that was
 * spent, ours is its successor, and what the other program changed beside it is kept. Any other
 * row is not ours to touch; *ret_theirs: it is good, and login holds it.
 */
static aq_status save_beside(struct save *s, struct buf *row, bool *ret_theirs,
                             struct aq_error *err)
{
    AUTO(token) struct token token = { 0 };
    aq_status st = token_parse(s->login->source->token_key, buf_str(row), &token, err);
    if (st == AQ_OK && str_eq_secret(token.refresh_token, buf_str(&s->spent))) {
        st = save_rebase(s, row, err);
        return st == AQ_OK ? source_replace(s->login, buf_str(&s->base), buf_str(&s->fresh), err)
                           : st;
    }
    if (st == AQ_OK) {
        st = source_take(s->login, row, err);
    }
    if (st == AQ_E_NOMEM) {
        return st;
    }
    if (st != AQ_OK || source_remaining_s(s->login) <= s->min_valid_s) {
        return save_replaced(err);
    }
    *ret_theirs = true;
    return AQ_OK;
}

/* A commit failed. Look what is there, before believing that nothing was saved. */
static aq_status save_look(struct save *s, bool *ret_theirs, struct aq_error *err)
{
    AUTO(buf) struct buf row = BUF(AQ_STORE_VALUE_MAX);
    const struct aq_error why = *err;
    aq_status st = store_get(s->login->store, s->login->source->token_key, &row, err);
    if (st == AQ_E_NOTFOUND) {
        return save_into_gap(s, err);
    }
    if (st != AQ_OK) {
        return st;
    }
    if (str_eq(buf_str(&row), buf_str(&s->fresh))) {
        return AQ_OK; /* saved after all */
    }
    if (!str_eq(buf_str(&row), buf_str(&s->base))) {
        return save_beside(s, &row, ret_theirs, err);
    }
    return error_copy(err, &why); /* as it was: the store could not */
}

/* ---- trying ---- */

bool save_has_time(struct save *s)
{
    uint64_t now_us = clock_now_us();
    s->again_us = now_us + SAVE_POLL_US;
    return now_us < s->until_us;
}

/* Put the new row where it outlives us. */
static void save_spill(struct save *s)
{
    struct aq_error why;
    if (s->spill.len == 0 && spill_write(s->login->source->token_key, buf_str(&s->spent),
                                         buf_str(&s->fresh), &s->spill, &why) != AQ_OK) {
        log_add(s->log, LOG_ERROR, str_from(why.text));
    }
}

static void save_unspill(struct save *s)
{
    if (s->spill.len) {
        spill_remove(s->login->source->token_key, buf_str(&s->spent));
        buf_clear(&s->spill);
    }
}

/* No try is left: say where the login is. */
static void save_give_up(struct save *s, const struct aq_error *why)
{
    if (s->spill.len) {
        error_set(&s->unsaved, why->status,
                  "login: refreshed, but kept in %s because it cannot be saved, %s",
                  (const char *)s->spill.ptr, why->text);
    } else {
        error_set(&s->unsaved, why->status,
                  "login: refreshed but NOT saved, %s; the next refresh may need a new login",
                  why->text);
    }
    log_add(s->log, LOG_ERROR, str_from(s->unsaved.text));
}

static aq_status save_try(struct save *s, bool *ret_theirs, struct aq_error *err)
{
    if (s->restored_us) {
        return save_watch(s, err);
    }
    aq_status st = source_replace(s->login, buf_str(&s->base), buf_str(&s->fresh), err);
    return st == AQ_OK ? st : save_look(s, ret_theirs, err);
}

aq_status save_run(struct save *s, struct aq_error *err)
{
    bool theirs = false;
    aq_status st = save_try(s, &theirs, err);
    if (st == AQ_AGAIN) {
        return AQ_AGAIN;
    }
    if (st == AQ_OK || st == AQ_E_NOT_LOGGED_IN || st == AQ_E_REFRESH) { /* waiting helps nobody */
        save_unspill(s);
        return st == AQ_OK && !theirs ? source_take(s->login, &s->fresh, err) : st;
    }
    save_spill(s); /* before anything else happens */
    if (save_has_time(s)) {
        return AQ_AGAIN;
    }
    save_give_up(s, err);
    return source_take(s->login, &s->fresh, err);
}
