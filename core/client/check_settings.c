/* SPDX-License-Identifier: Apache-2.0 */
/* What is set, where, and what of it counts for nothing. With a value that is wrong, that is all
 * there is to tell. */
#include "base/alloc.h"
#include "base/str.h"
#include "client/check.h"

#include <string.h>

enum { LIST_MAX = 512 }; /* bytes of a list in a finding */

void check_origin(const struct aq_client *client, struct settings_value value, struct buf *out)
{
    buf_add_char(out, '(');
    settings_place(&client->settings, &value, out);
    buf_add_char(out, ')');
}

/* ---- settings.json ---- */

/* A key that is a plugin's, if the plugin is loaded and has one of that name; else nobody knows. */
static bool is_declared(const struct plugin *plugin, struct aq_str key)
{
    struct aq_str rest = key;
    struct aq_str kind = str_cut(&rest, '.');
    struct aq_str name = str_cut(&rest, '.');
    if (!str_eq(kind, str_from(loader_kind_name(plugin->info.kind))) ||
        !str_eq(name, str_from(plugin->info.name))) {
        return true;
    }
    for (uint32_t i = 0; i < plugin->info.setting_count; i++) {
        if (str_eq(rest, str_from(plugin_setting(plugin, i).key))) {
            return true;
        }
    }
    return false;
}

/* The existing CLI's keys all have a dot in them; what has none is ours, or misspelt. */
static bool is_odd(const struct aq_client *client, struct aq_str key)
{
    bool plugins = (!client->has_store_plugin || is_declared(&client->store_plugin, key)) &&
                   (!client->has_transport_plugin || is_declared(&client->transport_plugin, key));
    bool ours = !memchr(key.ptr, '.', key.len) || str_starts(key, AQ_STR("store.")) ||
                str_starts(key, AQ_STR("transport.")) || str_starts(key, AQ_STR("plugin.")) ||
                str_starts(key, AQ_STR("oidc."));
    return ours && (!settings_key_is_known(key) || !plugins);
}

static void check_keys(const struct aq_client *client, struct findings *f)
{
    const struct settings *s = &client->settings;
    const char *path = s->file_path.ptr ? (const char *)s->file_path.ptr : "settings.json";
    if (s->flags & AQ_CLIENT_NO_SETTINGS) {
        findings_add(f, AQ_FINDING_OK, "settings.file", NULL, "settings.json is not used");
        return;
    }
    findings_add(f, AQ_FINDING_OK, "settings.file", NULL, "%s: %s", path,
                 s->file.len ? "read" : "not there, which is fine");
    struct aq_str key;
    for (uint32_t i = 0; (key = settings_file_key(s, i)).len; i++) {
        if (is_odd(client, key)) {
            findings_add(f, AQ_FINDING_WARN, "settings.file",
                         "Correct its name (docs/settings.md), or remove it: q settings --delete "
                         "KEY",
                         "%s: the key '%.*s' is not known and counts for nothing", path,
                         AQ_STR_ARG(key));
        }
    }
}

static bool is_delimiter(char c)
{
    return c == ':' || c == '/' || c == '?' || c == '#';
}

/* Where the host begins, with the user before it if there is one. */
static size_t behind_scheme(struct aq_str url)
{
    size_t colon = 0;
    while (colon < url.len && !is_delimiter(url.ptr[colon])) {
        colon++;
    }
    return str_starts(str_from_offset(url, colon), AQ_STR("://")) ? colon + 3 : 0;
}

/* Whoever has put a user and a password, a query or a fragment into a URL gets "***" in its place.
 */
static void add_url(struct aq_str url, struct buf *out)
{
    const size_t start = behind_scheme(url);
    size_t user_end = start;
    for (size_t i = start; i < url.len && url.ptr[i] != '/'; i++) { /* a password may have a '?' */
        user_end = url.ptr[i] == '@' ? i : user_end;
    }
    size_t end = user_end;
    while (end < url.len && url.ptr[end] != '?' && url.ptr[end] != '#') {
        end++;
    }
    buf_add(out, (struct aq_str){ url.ptr, start });
    buf_add(out, user_end > start ? AQ_STR("***") : AQ_STR(""));
    buf_add(out, (struct aq_str){ url.ptr + user_end, end - user_end });
    if (end < url.len) {
        buf_add_char(out, url.ptr[end]);
        buf_add(out, AQ_STR("***"));
    }
}

static bool is_url(enum settings_id id)
{
    return id == SETTINGS_ENDPOINT || id == SETTINGS_OIDC_ENDPOINT ||
           id == SETTINGS_SOCIAL_ENDPOINT;
}

/* Append a value; what looks like a URL is taken for one. */
static void add_value(enum settings_id id, struct aq_str value, struct buf *out)
{
    if (is_url(id) || behind_scheme(value) > 0) {
        add_url(value, out);
    } else {
        buf_add(out, value);
    }
}

static void check_service(const struct aq_client *client, struct findings *f)
{
    struct aq_str endpoint;
    if (!settings_has_service(&client->settings, &endpoint)) {
        return;
    }
    if (endpoint.len) {
        AUTO(buf) struct buf shown = BUF(0);
        add_url(endpoint, &shown);
        findings_add(f, AQ_FINDING_OK, "settings.value", NULL,
                     "api.codewhisperer.service names the endpoint %.*s; no profile is sent",
                     AQ_STR_ARG(buf_str(&shown)));
    } else {
        findings_add(f, AQ_FINDING_WARN, "settings.value",
                     "Run: q settings --delete api.codewhisperer.service",
                     "api.codewhisperer.service is not an object with the texts endpoint and "
                     "region: it names no endpoint, and no profile is sent all the same");
    }
}

static void check_values(const struct aq_client *client, struct findings *f)
{
    for (enum settings_id id = 0; id < SETTINGS_COUNT; id++) {
        struct settings_value value = settings_get(&client->settings, id);
        AUTO(buf) struct buf shown = BUF(0);
        if (value.origin > SETTINGS_DEFAULT) {
            add_value(id, value.text, &shown);
            buf_add_char(&shown, ' ');
            check_origin(client, value, &shown);
            findings_add(f, AQ_FINDING_OK, "settings.value", NULL, "%s = %.*s", settings_key(id),
                         AQ_STR_ARG(buf_str(&shown)));
        }
    }
}

/* ---- the environment ---- */

static void check_environment(const struct aq_client *client, struct findings *f)
{
    AUTO(buf) struct buf set = BUF(LIST_MAX);
    AUTO(buf) struct buf keys = BUF(LIST_MAX);
    for (enum settings_id id = 0; id < SETTINGS_COUNT; id++) {
        settings_add_set(settings_variables(id), &set);
    }
    const struct plugin *plugins[] = {
        client->has_store_plugin ? &client->store_plugin : NULL,
        client->has_transport_plugin ? &client->transport_plugin : NULL,
    };
    for (size_t p = 0; p < sizeof(plugins) / sizeof(plugins[0]); p++) {
        for (uint32_t i = 0; plugins[p] && i < plugins[p]->info.setting_count; i++) {
            settings_add_set(plugin_setting(plugins[p], i).env, &set);
        }
    }
    settings_add_set("XDG_DATA_HOME,XDG_STATE_HOME,XDG_CACHE_HOME,SSLKEYLOGFILE", &set);
    findings_add(f, AQ_FINDING_OK, "environment", NULL, "%s%.*s",
                 set.len ? "set: " : "nothing that matters here is set", AQ_STR_ARG(buf_str(&set)));
    settings_add_set("SSLKEYLOGFILE", &keys);
    if (keys.len) {
        findings_add(f, AQ_FINDING_WARN, "environment", "Unset SSLKEYLOGFILE.",
                     "SSLKEYLOGFILE: a file gets keys that open recorded connections, tokens and "
                     "all");
    }
}

void check_wrong_settings(const struct aq_client *client, struct findings *f)
{
    findings_add(f, AQ_FINDING_FAIL, "settings.value",
                 "Correct it where it is set (docs/settings.md), then run this check again: all "
                 "else is looked at then.",
                 "%s", client->wrong_settings.text);
}

void check_settings(struct aq_client *client, struct findings *f)
{
    check_keys(client, f);
    check_service(client, f);
    check_values(client, f);
    check_environment(client, f);
}
