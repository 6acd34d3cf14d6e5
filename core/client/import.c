/* SPDX-License-Identifier: Apache-2.0 */
#include "client/import.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/str.h"
#include "host/spill.h"

/*
 * What is kept under a refresh token was answered to it, so it succeeds the row that still holds
 * that token, whichever of them expires later. Only if the service let the refresh token stay as it
 * was may somebody else have been given a later access token since.
 */
static bool import_is_successor(const struct token *kept, const struct token *row)
{
    return !str_eq_secret(kept->refresh_token, row->refresh_token) ||
           kept->expires_at_s > row->expires_at_s;
}

/*
 * Find the successor and append to `out` what is to be saved: the row as it is now, with the
 * successor's tokens in it.
 *
 * Returns AQ_OK; AQ_E_NOTFOUND if there is none; or why that is not known.
 */
static aq_status import_find(const struct source_login *login, struct buf *out,
                             struct aq_error *err)
{
    AUTO(buf) struct buf json = BUF(AQ_STORE_VALUE_MAX);
    AUTO(token) struct token token = { 0 };
    struct aq_str key = login->source->token_key;
    struct aq_str spent = login->token.refresh_token;
    if (spent.len == 0) {
        return AQ_E_NOTFOUND;
    }
    aq_status st = spill_read(key, spent, &json, err);
    if (st == AQ_OK) {
        st = token_parse(key, buf_str(&json), &token, err);
    }
    if (st == AQ_E_CORRUPT || (st == AQ_OK && !import_is_successor(&token, &login->token))) {
        spill_remove(key, spent);
        return AQ_E_NOTFOUND;
    }
    if (st != AQ_OK) {
        return st;
    }
    const struct token_update update = {
        .access_token = token.access_token,
        .refresh_token = token.refresh_token,
        .profile_arn = token.profile_arn,
        .expires_at_s = token.expires_at_s,
    };
    return token_apply(buf_str(&login->json), &update, out, err);
}

/* Make `fresh` the login without saving it, and say so. */
static aq_status import_use(struct source_login *login, struct buf *fresh, int64_t min_valid_s,
                            const struct aq_error *why, struct aq_error *ret_unsaved,
                            struct aq_error *err)
{
    aq_status st = source_take(login, fresh, err);
    if (st != AQ_OK) {
        return st;
    }
    if (source_remaining_s(login) <= min_valid_s) { /* and it must not be spent without a save */
        return error_set(err, AQ_E_NOT_SAVED, "login: not refreshed because it cannot be saved, %s",
                         why->text);
    }
    error_set(ret_unsaved, why->status,
              "login: kept in a file of its own because it cannot be saved, %s", why->text);
    return AQ_OK;
}

aq_status import_run(struct source_login *login, int64_t min_valid_s, struct log *log,
                     enum import_outcome *ret, struct aq_error *ret_unsaved, struct aq_error *err)
{
    AUTO(buf) struct buf fresh = BUF(AQ_STORE_VALUE_MAX);
    aq_status st = import_find(login, &fresh, err);
    if (st == AQ_E_NOTFOUND) {
        *ret = IMPORT_NONE;
        return AQ_OK;
    }
    if (st != AQ_OK) {
        return st;
    }
    st = source_replace(login, buf_str(&login->json), buf_str(&fresh), err);
    if (st == AQ_OK) {
        spill_remove(login->source->token_key, login->token.refresh_token);
        log_add(log, LOG_INFO, AQ_STR("refresh: saved what an earlier process could not"));
    }
    if (st == AQ_OK || st == AQ_E_CHANGED) { /* what was saved may have a successor itself */
        *ret = IMPORT_RELOAD;
        return AQ_OK;
    }
    const struct aq_error why = *err;
    st = import_use(login, &fresh, min_valid_s, &why, ret_unsaved, err);
    if (st == AQ_OK) {
        *ret = IMPORT_BORROWED;
    }
    return st;
}

aq_status import_borrow(struct source_login *login, int64_t min_valid_s, const struct aq_error *why,
                        struct aq_error *ret_unsaved, struct aq_error *err)
{
    AUTO(buf) struct buf fresh = BUF(AQ_STORE_VALUE_MAX);
    aq_status st = import_find(login, &fresh, err);
    return st == AQ_OK ? import_use(login, &fresh, min_valid_s, why, ret_unsaved, err) : st;
}
