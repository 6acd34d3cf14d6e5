/* SPDX-License-Identifier: Apache-2.0 */
#include "client/source.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/str.h"
#include "client/place.h"

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

const struct source *source_next(const struct aq_client *client, const struct source *behind)
{
    const struct source *source = behind ? behind + 1 : sources;
    while (source < sources + SOURCE_COUNT && !source_is_wanted(client, source)) {
        source++;
    }
    return source < sources + SOURCE_COUNT ? source : NULL;
}

aq_status source_unknown(const struct aq_client *client, struct aq_error *err)
{
    return error_set(
        err, AQ_E_INVALID,
        "setting 'source': '%s' is none of auto, q-cli, kiro-cli, kiro-ide, sso-cache, "
        "kiro-api-key",
        settings_get(&client->settings, SETTINGS_SOURCE).text.ptr);
}

struct aq_str source_endpoint(const struct aq_client *client, enum token_kind kind)
{
    return settings_get(&client->settings,
                        kind == TOKEN_SOCIAL ? SETTINGS_SOCIAL_ENDPOINT : SETTINGS_OIDC_ENDPOINT)
        .text;
}

/* ---- their stores ---- */

aq_status shelf_find(struct aq_client *client, const struct source *source, struct shelf *ret,
                     struct aq_error *err)
{
    bool borrowed = source_is_borrowed(source);
    *ret = (struct shelf){ .client = client };
    aq_status st = borrowed ? client_borrowed_plugin(client, &ret->plugin, err)
                            : client_store_plugin(client, &ret->plugin, err);
    ret->shared = st == AQ_OK && !borrowed && place_is_shared(client, ret->plugin);
    return st;
}

enum client_store shelf_slot(const struct shelf *shelf, const struct source *source)
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

static aq_status shelf_open(const struct shelf *shelf, const struct source *source, bool must_exist,
                            struct store *store, struct aq_error *err)
{
    AUTO(place) struct place place = { .plugin = shelf->plugin, .exists = true };
    aq_status st = source_is_borrowed(source)
                       ? AQ_OK
                       : place_find(shelf->client, shelf->plugin, source->app, &place, err);
    if (st == AQ_OK && must_exist && !place.exists) {
        return AQ_E_NOTFOUND;
    }
    return st == AQ_OK ? place_open(shelf->client, &place, store, err) : st;
}

aq_status shelf_store(const struct shelf *shelf, const struct source *source, bool must_exist,
                      struct store **ret, struct aq_error *err)
{
    struct store *store = &shelf->client->stores[shelf_slot(shelf, source)];
    if (must_exist && shelf->shared && source_is_others(source)) {
        return AQ_E_NOTFOUND;
    }
    aq_status st = store_is_open(store) ? AQ_OK : shelf_open(shelf, source, must_exist, store, err);
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
    return st == AQ_OK ? shelf_store(&shelf, source, must_exist, ret, err) : st;
}

aq_status source_for_login(struct aq_client *client, const struct source **ret,
                           struct store **ret_store, struct aq_error *err)
{
    const struct source *source = source_next(client, NULL);
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
