/* SPDX-License-Identifier: Apache-2.0 */
/* A login as it was found: read, read again, replaced and shown. */
#include "client/source.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/json.h"
#include "base/str.h"
#include "client/place.h"

#include <string.h>

void source_login_done(struct source_login *login)
{
    token_done(&login->token);
    buf_done(&login->json);
    *login = (struct source_login){ 0 };
}

int64_t source_remaining_s(const struct source_login *login)
{
    const struct token *token = &login->token;
    return token->expires_at.len ? token->expires_at_s - clock_wall_s() : INT64_MAX;
}

/* A row that makes no sense: who can mend it depends on the store. */
static aq_status source_unreadable(struct source_login *login, struct aq_error *err)
{
    const struct aq_error why = *err;
    if (why.status != AQ_E_CORRUPT) {
        return why.status;
    }
    if (store_can_refresh(login->store)) {
        return error_set(err, AQ_E_CORRUPT, "%s, log in again", why.text);
    }
    /* behind "stored login 'KEY': ", because it has none */
    size_t behind = AQ_STR("stored login '").len + login->source->token_key.len + strlen("': ");
    return store_refuse_value(login->store, why.text + behind, err);
}

aq_status source_take(struct source_login *login, struct buf *json, struct aq_error *err)
{
    struct token token = { 0 };
    aq_status st = token_parse(login->source->token_key, buf_str(json), &token, err);
    if (st != AQ_OK) {
        token_done(&token);
        return source_unreadable(login, err);
    }
    if (!store_can_refresh(login->store)) { /* theirs to spend */
        token.refresh_token = AQ_STR("");
    }
    token_done(&login->token);
    buf_done(&login->json);
    login->token = token;
    login->json = *json;
    *json = (struct buf)BUF(AQ_STORE_VALUE_MAX);
    return AQ_OK;
}

aq_status source_reload(struct source_login *login, bool *ret_changed, struct aq_error *err)
{
    AUTO(buf) struct buf json = BUF(AQ_STORE_VALUE_MAX);
    aq_status st = store_get(login->store, login->source->token_key, &json, err);
    bool changed = !str_eq(buf_str(&json), buf_str(&login->json));
    if (st == AQ_OK) {
        st = source_take(login, &json, err);
    }
    if (st == AQ_OK) {
        *ret_changed = changed;
    }
    return st;
}

aq_status source_replace(const struct source_login *login, struct aq_str expected,
                         struct aq_str value, struct aq_error *err)
{
    const struct aq_change change = {
        .key = login->source->token_key,
        .expect = AQ_EXPECT_VALUE,
        .expected = str_bytes(expected),
        .action = AQ_CHANGE_PUT,
        .value = str_bytes(value),
    };
    return store_commit(login->store, &change, 1, err);
}

/* A token server hands over what meets the wish; any other store is read. */
static aq_status source_read(struct source_login *login, const struct aq_token_wish *wish,
                             struct aq_error *err)
{
    AUTO(buf) struct buf json = BUF(AQ_STORE_VALUE_MAX);
    struct aq_str key = login->source->token_key;
    aq_status st = store_grants(login->store) ? store_grant(login->store, key, wish, &json, err)
                                              : store_get(login->store, key, &json, err);
    return st == AQ_OK ? source_take(login, &json, err) : st;
}

aq_status source_load(const struct source *source, struct store *store,
                      const struct aq_token_wish *wish, struct source_login *ret,
                      struct aq_error *err)
{
    *ret = (struct source_login){
        .source = source,
        .store = store,
        .json = BUF(AQ_STORE_VALUE_MAX),
    };
    aq_status st = source_read(ret, wish, err);
    if (st != AQ_OK) {
        source_login_done(ret);
    }
    return st;
}

enum token_kind source_kind(const struct source *source, const struct store *store,
                            const struct token *token)
{
    bool handed_in = store_grants(store) || !store_can_refresh(store);
    if (handed_in && token->kind != TOKEN_KIND_UNKNOWN) {
        return token->kind;
    }
    return handed_in && !source_is_borrowed(source) ? TOKEN_KIND_UNKNOWN : source->kind;
}

void source_view(const struct aq_client *client, const struct source *source,
                 const struct store *store, const struct token *token, struct aq_str profile_arn,
                 struct aq_token *ret)
{
    *ret = (struct aq_token){
        .struct_size = sizeof(*ret),
        .flags = store_can_refresh(store) ? 0 : AQ_TOKEN_EXTERNAL,
        .access_token = token->access_token,
        .refresh_token = token->refresh_token,
        .token_type = AQ_STR_INIT("Bearer"),
        .expires_at = token->expires_at,
        .expires_at_s = token->expires_at_s,
        .region = token->region,
        .start_url = token->start_url,
        .profile_arn = profile_arn,
        .source = source->name,
        .store = str_from(store->plugin->info.name),
        .login = place_login(client, store->plugin),
        .kind = token_kind_name(source_kind(source, store, token)),
    };
}

/* Append the text `arn` of a row. False if it has none; `null` stands for no row. */
static bool profile_take(struct aq_str json, struct buf *out)
{
    struct json_member arn;
    if (!json_find(json, AQ_STR("arn"), &arn) || arn.type != JSON_STRING) {
        return str_eq(json, AQ_STR("null"));
    }
    if (buf_reserve(out, arn.value.len)) {
        out->len += json_string_decode(&arn, (char *)out->ptr + out->len);
        out->ptr[out->len] = '\0';
    }
    return true;
}

/* The token's own, or the one that was chosen for all logins of the store. */
aq_status source_profile(const struct source_login *login, struct buf *out, bool *ret_odd,
                         struct aq_error *err)
{
    AUTO(buf) struct buf json = BUF(AQ_STORE_VALUE_MAX);
    aq_status st = AQ_E_NOTFOUND;
    if (login->token.profile_arn.len) {
        buf_add(out, login->token.profile_arn);
    } else if (login->source->profile_key.len) {
        st = store_get(login->store, login->source->profile_key, &json, err);
    }
    if (st != AQ_OK && st != AQ_E_NOTFOUND) {
        return st;
    }
    bool odd = st == AQ_OK && !profile_take(buf_str(&json), out);
    if (ret_odd) {
        *ret_odd = odd;
    }
    return buf_status(out) == AQ_OK ? AQ_OK : error_nomem(err, "profile");
}
