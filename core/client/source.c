/* SPDX-License-Identifier: Apache-2.0 */
#include "client/source.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/json.h"
#include "base/str.h"
#include "client/place.h"

#include <limits.h>
#include <string.h>

static const struct source sources[CLIENT_STORES] = {
    {
        .name = AQ_STR_INIT("q-cli"),
        .app = AQ_STR_INIT("amazon-q"),
        .token_key = AQ_STR_INIT("codewhisperer:odic:token"),
        .registration_key = AQ_STR_INIT("codewhisperer:odic:device-registration"),
        .profile_key = AQ_STR_INIT("api.codewhisperer.profile"),
    },
    {
        .name = AQ_STR_INIT("kiro-cli"),
        .app = AQ_STR_INIT("kiro-cli"),
        .token_key = AQ_STR_INIT("kirocli:odic:token"),
        .registration_key = AQ_STR_INIT("kirocli:odic:device-registration"),
        .profile_key = AQ_STR_INIT("api.codewhisperer.profile"),
    },
};

const struct source *source_at(size_t i)
{
    return &sources[i];
}

bool source_is_wanted(const struct aq_client *client, const struct source *source)
{
    struct aq_str wanted = settings_get(&client->settings, SETTINGS_SOURCE).text;
    return str_eq(wanted, AQ_STR("auto")) || str_eq(wanted, source->name);
}

void source_login_done(struct source_login *login)
{
    token_done(&login->token);
    buf_done(&login->json);
    *login = (struct source_login){ 0 };
}

/* ---- opening ---- */

static aq_status source_open(struct aq_client *client, const struct plugin *plugin,
                             const struct source *source, bool must_exist, struct store *store,
                             struct aq_error *err)
{
    AUTO(place) struct place place = { 0 };
    aq_status st = place_find(client, plugin, source->app, &place, err);
    if (st == AQ_OK && must_exist && !place.exists) {
        return AQ_E_NOTFOUND;
    }
    return st == AQ_OK ? place_open(client, &place, store, err) : st;
}

aq_status source_store(struct aq_client *client, const struct source *source, bool must_exist,
                       struct store **ret, struct aq_error *err)
{
    const struct plugin *plugin;
    aq_status st = client_store_plugin(client, &plugin, err);
    if (st != AQ_OK) {
        return st;
    }
    struct store *store = &client->stores[place_is_shared(client, plugin) ? 0 : source - sources];
    if (!store_is_open(store)) {
        st = source_open(client, plugin, source, must_exist, store, err);
    }
    if (st == AQ_OK) {
        *ret = store;
    }
    return st;
}

/* ---- finding ---- */

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
    const char *what = strstr(why.text, "': "); /* behind the name of a row, which it has none */
    return store_refuse_value(login->store, what ? what + 3 : why.text, err);
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

static aq_status source_load(struct aq_client *client, const struct source *source,
                             const struct aq_token_wish *wish, struct source_login *ret,
                             struct aq_error *err)
{
    *ret = (struct source_login){ .source = source, .json = BUF(AQ_STORE_VALUE_MAX) };
    aq_status st = source_store(client, source, true, &ret->store, err);
    if (st == AQ_OK) {
        st = source_read(ret, wish, err);
    }
    if (st != AQ_OK) {
        source_login_done(ret);
    }
    return st;
}

/* Where was looked: the databases by name; nothing if the store has none. */
static void source_add_places(const struct aq_client *client, struct aq_str wanted, struct buf *out)
{
    const struct plugin *plugin = &client->store_plugin;
    for (size_t i = 0; i < CLIENT_STORES; i++) {
        AUTO(place) struct place place = { 0 };
        struct aq_error ignored;
        bool looked = str_eq(wanted, AQ_STR("auto")) || str_eq(wanted, sources[i].name);
        if (!looked || place_find(client, plugin, sources[i].app, &place, &ignored) != AQ_OK ||
            place.path.text.len == 0 || str_contains(buf_str(out), place.path.text)) {
            continue;
        }
        buf_add(out, out->len ? AQ_STR(" or ") : AQ_STR(""));
        buf_add(out, place.path.text);
        if (place_is_absent(&place.text)) {
            buf_add(out, AQ_STR(" (no such file)"));
        }
    }
}

static aq_status source_not_logged_in(const struct aq_client *client, struct aq_str wanted,
                                      struct aq_error *err)
{
    AUTO(buf) struct buf places = BUF(2 * PATH_MAX);
    source_add_places(client, wanted, &places);
    if (buf_status(&places) != AQ_OK) {
        return error_nomem(err, "login");
    }
    const struct plugin *plugin = &client->store_plugin;
    if (places.len == 0) {
        if (plugin->store.lock) { /* a login can be moved to it, which takes the lock */
            return error_set(err, AQ_E_NOT_LOGGED_IN,
                             "login: none in store '%s', sign in with the Amazon Q command line (q "
                             "login), then move it there (q user migrate --to %s)",
                             plugin->info.name, plugin->info.name);
        }
        return error_set(err, AQ_E_NOT_LOGGED_IN,
                         "login: none in store '%s', sign in with the Amazon Q command line (q "
                         "login)",
                         plugin->info.name);
    }
    return error_set(err, AQ_E_NOT_LOGGED_IN,
                     "login: none in %s, sign in with the Amazon Q command line (q login)",
                     (const char *)places.ptr);
}

/* The better of two: the one that expires later. Problems count only if there is no login at all.
 * Of a token server's the first one is good enough. */
static aq_status source_choose(struct aq_client *client, const struct aq_token_wish *wish,
                               struct source_login *ret, struct aq_error *err)
{
    struct aq_error problem = { 0 };
    const struct plugin *plugin;
    bool found = false;
    aq_status loaded = client_store_plugin(client, &plugin, err);
    if (loaded != AQ_OK) {
        return loaded;
    }
    for (size_t i = 0; i < CLIENT_STORES; i++) {
        struct source_login candidate;
        if (problem.status == AQ_E_UNAVAILABLE) {
            break; /* nobody is there: we would wait again, for the same answer */
        }
        aq_status st = source_load(client, &sources[i], wish, &candidate, err);
        if (plugin->store.grant && st != AQ_E_NOTFOUND) {
            *ret = candidate;
            return st; /* a token server is not made to do twice what it did, or could not do */
        }
        if (st == AQ_OK && found && candidate.token.expires_at_s <= ret->token.expires_at_s) {
            source_login_done(&candidate);
        } else if (st == AQ_OK) {
            source_login_done(ret);
            *ret = candidate;
            found = true;
        } else if (st != AQ_E_NOTFOUND) {
            problem = problem.status ? problem : *err;
        }
    }
    if (found && problem.status) { /* the other login may be the better one */
        log_add(&client->log, LOG_WARN, str_from(problem.text));
    }
    if (found) {
        return AQ_OK;
    }
    return problem.status ? error_copy(err, &problem)
                          : source_not_logged_in(client, AQ_STR("auto"), err);
}

aq_status source_find(struct aq_client *client, const struct aq_token_wish *wish,
                      struct source_login *ret, struct aq_error *err)
{
    struct aq_str wanted = settings_get(&client->settings, SETTINGS_SOURCE).text;
    if (str_eq(wanted, AQ_STR("auto"))) {
        return source_choose(client, wish, ret, err);
    }
    for (size_t i = 0; i < CLIENT_STORES; i++) {
        if (str_eq(wanted, sources[i].name)) {
            aq_status st = source_load(client, &sources[i], wish, ret, err);
            return st == AQ_E_NOTFOUND ? source_not_logged_in(client, wanted, err) : st;
        }
    }
    return error_set(err, AQ_E_INVALID, "setting 'source': '%s' is none of auto, q-cli, kiro-cli",
                     wanted.ptr);
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
    };
}

aq_status source_profile(const struct source_login *login, struct buf *out, struct aq_error *err)
{
    AUTO(buf) struct buf json = BUF(AQ_STORE_VALUE_MAX);
    struct json_member arn;
    aq_status st = store_get(login->store, login->source->profile_key, &json, err);
    if (st != AQ_OK && st != AQ_E_NOTFOUND) {
        return st;
    }
    bool found = st == AQ_OK ? json_find(buf_str(&json), AQ_STR("arn"), &arn)
                             : json_find(buf_str(&login->json), AQ_STR("profile_arn"), &arn);
    if (!found || arn.type != JSON_STRING) {
        return AQ_OK; /* no profile that we could name; the service decides */
    }
    if (buf_reserve(out, arn.value.len)) {
        out->len += json_string_decode(&arn, (char *)out->ptr + out->len);
        out->ptr[out->len] = '\0';
    }
    return buf_status(out) == AQ_OK ? AQ_OK : error_nomem(err, "profile");
}
