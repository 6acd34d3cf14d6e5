/* SPDX-License-Identifier: Apache-2.0 */
#include "client/source.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/json.h"
#include "base/str.h"
#include "client/place.h"

#include <limits.h>
#include <string.h>

#define Q_CLI \
    .name = AQ_STR_INIT("q-cli"), .slot = CLIENT_STORE_Q, .app = AQ_STR_INIT("amazon-q"), \
    .profile_key = AQ_STR_INIT("api.codewhisperer.profile")
#define KIRO_CLI \
    .name = AQ_STR_INIT("kiro-cli"), .slot = CLIENT_STORE_KIRO, .app = AQ_STR_INIT("kiro-cli"), \
    .profile_key = AQ_STR_INIT("api.codewhisperer.profile")

/* docs/sources.md has it for people. Old names come last: rows under them may be copies. */
static const struct source sources[] = {
    { Q_CLI, .kind = TOKEN_OIDC, .token_key = AQ_STR_INIT("codewhisperer:odic:token"),
      .registration_key = AQ_STR_INIT("codewhisperer:odic:device-registration"),
      .takes_login = true },
    { KIRO_CLI, .kind = TOKEN_OIDC, .token_key = AQ_STR_INIT("kirocli:odic:token"),
      .registration_key = AQ_STR_INIT("kirocli:odic:device-registration") },
    { KIRO_CLI, .kind = TOKEN_SOCIAL, .token_key = AQ_STR_INIT("kirocli:social:token") },
    { KIRO_CLI, .kind = TOKEN_EXTERNAL_IDP,
      .token_key = AQ_STR_INIT("kirocli:external-idp:token") },
    { KIRO_CLI, .kind = TOKEN_OIDC, .token_key = AQ_STR_INIT("kirocli:oidc:token"),
      .registration_key = AQ_STR_INIT("kirocli:oidc:device-registration") },
    { KIRO_CLI, .kind = TOKEN_OIDC, .token_key = AQ_STR_INIT("codewhisperer:odic:token"),
      .registration_key = AQ_STR_INIT("codewhisperer:odic:device-registration") },
    { .name = AQ_STR_INIT("kiro-ide"),
      .slot = CLIENT_STORE_BORROWED,
      .token_key = AQ_STR_INIT("kiro-ide:token"),
      .place = AQ_STR_INIT("~/.aws/sso/cache/kiro-auth-token.json"),
      .sign_in = AQ_STR_INIT("sign in with the Kiro IDE") },
    { .name = AQ_STR_INIT("sso-cache"),
      .kind = TOKEN_OIDC,
      .slot = CLIENT_STORE_BORROWED,
      .token_key = AQ_STR_INIT("sso-cache:token"),
      .place = AQ_STR_INIT("~/.aws/sso/cache"),
      .sign_in = AQ_STR_INIT("sign in with the AWS command line (aws sso login)") },
    { .name = AQ_STR_INIT("kiro-api-key"),
      .kind = TOKEN_API_KEY,
      .slot = CLIENT_STORE_BORROWED,
      .token_key = AQ_STR_INIT("kiro-api-key:token"),
      .place = AQ_STR_INIT("KIRO_API_KEY"),
      .sign_in = AQ_STR_INIT("set that variable to an API key of Kiro") },
};

enum { SOURCE_COUNT = sizeof(sources) / sizeof(sources[0]) };

const struct source *source_at(size_t i)
{
    return i < SOURCE_COUNT ? &sources[i] : NULL;
}

bool source_is_borrowed(const struct source *source)
{
    return source->slot == CLIENT_STORE_BORROWED;
}

bool source_is_wanted(const struct aq_client *client, const struct source *source)
{
    struct aq_str wanted = settings_get(&client->settings, SETTINGS_SOURCE).text;
    return str_eq(wanted, source->name) ||
           (str_eq(wanted, AQ_STR("auto")) && !source_is_borrowed(source));
}

/* The next one that is, from this one on; NULL: there is none. */
static const struct source *source_wanted(const struct aq_client *client,
                                          const struct source *source)
{
    while (source < sources + SOURCE_COUNT && !source_is_wanted(client, source)) {
        source++;
    }
    return source < sources + SOURCE_COUNT ? source : NULL;
}

void source_login_done(struct source_login *login)
{
    token_done(&login->token);
    buf_done(&login->json);
    *login = (struct source_login){ 0 };
}

/* ---- opening ---- */

/* Where the client has the logins of sources. All that the settings may mean have the same one:
 * either all of them are borrowed, or none is. */
struct shelf {
    const struct plugin *plugin;
    bool shared; /* by all sources: one place, one store */
};

static aq_status shelf_find(struct aq_client *client, const struct source *source,
                            struct shelf *ret, struct aq_error *err)
{
    bool borrowed = source_is_borrowed(source);
    aq_status st = borrowed ? client_borrowed_plugin(client, &ret->plugin, err)
                            : client_store_plugin(client, &ret->plugin, err);
    ret->shared = st == AQ_OK && !borrowed && place_is_shared(client, ret->plugin);
    return st;
}

static enum client_store shelf_slot(const struct shelf *shelf, const struct source *source)
{
    return shelf->shared ? CLIENT_STORE_Q : source->slot;
}

/* Where all sources share one place, a name of old that another source has is that one's. */
static bool source_is_others(const struct source *source)
{
    const struct source *s = sources;
    while (!str_eq(s->token_key, source->token_key)) {
        s++;
    }
    return s != source;
}

static aq_status shelf_open(const struct shelf *shelf, struct aq_client *client,
                            const struct source *source, bool must_exist, struct store *store,
                            struct aq_error *err)
{
    AUTO(place) struct place place = { .plugin = shelf->plugin, .exists = true };
    aq_status st = source_is_borrowed(source)
                       ? AQ_OK
                       : place_find(client, shelf->plugin, source->app, &place, err);
    if (st == AQ_OK && must_exist && !place.exists) {
        return AQ_E_NOTFOUND;
    }
    return st == AQ_OK ? place_open(client, &place, store, err) : st;
}

static aq_status shelf_store(const struct shelf *shelf, struct aq_client *client,
                             const struct source *source, bool must_exist, struct store **ret,
                             struct aq_error *err)
{
    struct store *store = &client->stores[shelf_slot(shelf, source)];
    if (must_exist && shelf->shared && source_is_others(source)) {
        return AQ_E_NOTFOUND;
    }
    aq_status st =
        store_is_open(store) ? AQ_OK : shelf_open(shelf, client, source, must_exist, store, err);
    if (st == AQ_OK) {
        *ret = store;
    }
    return st;
}

aq_status source_store(struct aq_client *client, const struct source *source, bool must_exist,
                       struct store **ret, struct aq_error *err)
{
    struct shelf shelf;
    aq_status st = shelf_find(client, source, &shelf, err);
    return st == AQ_OK ? shelf_store(&shelf, client, source, must_exist, ret, err) : st;
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

/* Where was looked: the databases by name; nothing if the store has none. */
static void source_add_places(const struct aq_client *client, struct buf *out)
{
    for (const struct source *source = sources; source < sources + SOURCE_COUNT; source++) {
        AUTO(place) struct place place = { 0 };
        struct aq_error ignored;
        if (!source_is_wanted(client, source) ||
            place_find(client, &client->store_plugin, source->app, &place, &ignored) != AQ_OK ||
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

static aq_status source_none_borrowed(const struct source *source, struct aq_error *err)
{
    return error_set(err, AQ_E_NOT_LOGGED_IN, "login: none in %s, %s", source->place.ptr,
                     source->sign_in.ptr);
}

static aq_status source_not_logged_in(const struct aq_client *client, struct aq_error *err)
{
    AUTO(buf) struct buf places = BUF(2 * PATH_MAX);
    for (const struct source *source = sources; source < sources + SOURCE_COUNT; source++) {
        if (source_is_borrowed(source) && source_is_wanted(client, source)) {
            return source_none_borrowed(source, err);
        }
    }
    source_add_places(client, &places);
    if (buf_status(&places) != AQ_OK) {
        return error_nomem(err, "login");
    }
    const struct plugin *plugin = &client->store_plugin;
    struct aq_str name = place_login(client, plugin);
    const char *option = name.len ? " --login " : "";
    if (places.len == 0) {
        return error_set(err, AQ_E_NOT_LOGGED_IN,
                         "login: none in store '%s', log in %s(q login%s%.*s)", plugin->info.name,
                         plugin->store.lock ? "" : "where it gets its tokens from ", option,
                         AQ_STR_ARG(name));
    }
    return error_set(err, AQ_E_NOT_LOGGED_IN, "login: none in %s, log in (q login%s%.*s)",
                     (const char *)places.ptr, option, AQ_STR_ARG(name));
}

/* The best so far, and the first thing that stood in the way of another. */
struct choice {
    struct shelf shelf; /* of all that are wanted */
    struct source_login best;
    bool found;
    struct aq_error problem;
    bool closed[CLIENT_STORES]; /* not to be waited for again */
};

/* The better of two is the one that expires later; of equals, the one that came first. */
static void choice_take(struct choice *c, struct source_login *candidate)
{
    if (c->found && candidate->token.expires_at_s <= c->best.token.expires_at_s) {
        source_login_done(candidate);
        return;
    }
    source_login_done(&c->best);
    c->best = *candidate;
    c->found = true;
}

/* A row that makes no sense says nothing of the next one in the same store. */
static void choice_note(struct choice *c, enum client_store slot, const struct aq_error *problem)
{
    c->closed[slot] = problem->status != AQ_E_CORRUPT;
    c->problem = c->problem.status ? c->problem : *problem;
}

/* Look at one more source. AQ_OK: go on; else that is the end, AQ_END a good one. */
static aq_status choice_look(struct choice *c, struct aq_client *client,
                             const struct source *source, const struct aq_token_wish *wish,
                             struct aq_error *err)
{
    struct source_login candidate;
    struct store *store;
    enum client_store slot = shelf_slot(&c->shelf, source);
    if (c->closed[slot]) {
        return AQ_OK;
    }
    aq_status st = shelf_store(&c->shelf, client, source, true, &store, err);
    if (st == AQ_OK) {
        st = source_load(source, store, wish, &candidate, err);
    }
    if (st == AQ_E_NOTFOUND) { /* perhaps there is no such file, and need not be looked for again */
        c->closed[slot] = !store_is_open(&client->stores[slot]);
        return AQ_OK;
    }
    if (st == AQ_OK) {
        choice_take(c, &candidate);
    }
    if (c->shelf.plugin->store
            .grant) { /* it is not made to do twice what it did, or could not do */
        return st == AQ_OK ? AQ_END : st;
    }
    if (st != AQ_OK) {
        choice_note(c, slot, err);
    }
    return AQ_OK;
}

/* Problems count only if there is no login at all. */
static aq_status choice_end(struct choice *c, struct aq_client *client, struct source_login *ret,
                            struct aq_error *err)
{
    if (!c->found) {
        return c->problem.status ? error_copy(err, &c->problem) : source_not_logged_in(client, err);
    }
    if (c->problem.status) { /* the other login may be the better one */
        log_add(&client->log, LOG_WARN, str_from(c->problem.text));
    }
    *ret = c->best;
    return AQ_OK;
}

static aq_status source_unknown(const struct aq_client *client, struct aq_error *err)
{
    return error_set(
        err, AQ_E_INVALID,
        "setting 'source': '%s' is none of auto, q-cli, kiro-cli, kiro-ide, sso-cache, "
        "kiro-api-key",
        settings_get(&client->settings, SETTINGS_SOURCE).text.ptr);
}

aq_status source_find(struct aq_client *client, const struct aq_token_wish *wish,
                      struct source_login *ret, struct aq_error *err)
{
    struct choice choice = { 0 };
    const struct source *source = source_wanted(client, sources);
    if (!source) {
        return source_unknown(client, err);
    }
    aq_status st = shelf_find(client, source, &choice.shelf, err);
    for (; st == AQ_OK && source; source = source_wanted(client, source + 1)) {
        st = choice_look(&choice, client, source, wish, err);
    }
    if (st != AQ_OK && st != AQ_END) {
        source_login_done(&choice.best);
        return st;
    }
    return choice_end(&choice, client, ret, err);
}

aq_status source_for_login(struct aq_client *client, const struct source **ret,
                           struct store **ret_store, struct aq_error *err)
{
    const struct source *source = source_wanted(client, sources);
    const struct plugin *plugin;
    aq_status st = client_store_plugin(client, &plugin, err);
    if (st != AQ_OK) {
        return st;
    }
    if (plugin->store.grant || (!plugin->store.lock && plugin->store.traits & AQ_STORE_SHARED)) {
        return error_set(err, AQ_E_UNSUPPORTED,
                         "store '%s': keeps no login of yours, name another one (--store sqlite)",
                         plugin->info.name);
    }
    if (!source) {
        return source_unknown(client, err);
    }
    if (!source->takes_login) {
        return error_set(err, AQ_E_UNSUPPORTED,
                         "source '%s': another program makes its logins, sign in there or name "
                         "another one (--source %s)",
                         settings_get(&client->settings, SETTINGS_SOURCE).text.ptr,
                         sources[0].name.ptr);
    }
    *ret = source;
    return source_store(client, source, false, ret_store, err);
}

struct aq_str source_endpoint(const struct aq_client *client, enum token_kind kind)
{
    return settings_get(&client->settings,
                        kind == TOKEN_SOCIAL ? SETTINGS_SOCIAL_ENDPOINT : SETTINGS_OIDC_ENDPOINT)
        .text;
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

/* The token's own, or the one that was chosen for all logins of the store. */
aq_status source_profile(const struct source_login *login, struct buf *out, struct aq_error *err)
{
    AUTO(buf) struct buf json = BUF(AQ_STORE_VALUE_MAX);
    struct json_member arn;
    aq_status st = AQ_E_NOTFOUND;
    if (login->token.profile_arn.len) {
        buf_add(out, login->token.profile_arn);
    } else if (login->source->profile_key.len) {
        st = store_get(login->store, login->source->profile_key, &json, err);
    }
    if (st != AQ_OK && st != AQ_E_NOTFOUND) {
        return st;
    }
    if (st == AQ_OK && json_find(buf_str(&json), AQ_STR("arn"), &arn) && arn.type == JSON_STRING &&
        buf_reserve(out, arn.value.len)) {
        out->len += json_string_decode(&arn, (char *)out->ptr + out->len);
        out->ptr[out->len] = '\0';
    }
    return buf_status(out) == AQ_OK ? AQ_OK : error_nomem(err, "profile");
}
