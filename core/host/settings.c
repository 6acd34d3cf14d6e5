/* SPDX-License-Identifier: Apache-2.0 */
#include "host/settings.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"
#include "base/str.h"
#include "host/settings_file.h"
#include "host/trust.h"

#include <errno.h>
#include <json-c/json.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { SETTINGS_NAME_MAX = 160 }; /* "transport.", a name and a key of 64 bytes, and then some */

struct settings_entry {
    struct aq_str key, value;
};

static const struct {
    const char *key, *env, *default_value;
} known[] = {
    [SETTINGS_STORE] = { "store", "Q_STORE", "sqlite" },
    [SETTINGS_TRANSPORT] = { "transport", "Q_TRANSPORT", "curl" },
    [SETTINGS_SOURCE] = { "source", "Q_SOURCE", "auto" },
    [SETTINGS_DB] = { "db", "Q_DB", NULL },
    [SETTINGS_PLUGIN_PATH] = { "plugin.path", "Q_PLUGIN_PATH", NULL },
    [SETTINGS_ENDPOINT] = { "endpoint", "Q_ENDPOINT_URL", NULL },
    [SETTINGS_OIDC_ENDPOINT] = { "oidc.endpoint", "AWS_ENDPOINT_URL_SSO_OIDC", NULL },
    [SETTINGS_CA_BUNDLE] = { "ca_bundle", NULL, NULL },
    [SETTINGS_API_TIMEOUT] = { "api.timeout", NULL, NULL },
    [SETTINGS_SHARE_CONTENT] = { "codeWhisperer.shareCodeWhispererContentWithAWS", NULL, NULL },
};

#define KNOWN_COUNT (sizeof(known) / sizeof(known[0]))

/* ---- explicit settings ---- */

static bool settings_key_is_known(struct aq_str key)
{
    for (size_t i = 0; i < KNOWN_COUNT; i++) {
        if (str_eq(key, str_from(known[i].key))) {
            return true;
        }
    }
    /* KIND.NAME.KEY: the plugin's own declaration decides when the plugin is loaded */
    struct aq_str rest = key;
    struct aq_str kind = str_cut(&rest, '.');
    struct aq_str name = str_cut(&rest, '.');
    return (str_eq(kind, AQ_STR("store")) || str_eq(kind, AQ_STR("transport"))) && name.len &&
           rest.len;
}

static aq_status settings_copy(struct settings *s, const struct aq_client_options *options,
                               struct aq_error *err)
{
    uint32_t stride = options->setting_stride ? options->setting_stride
                                              : (uint32_t)sizeof(struct aq_client_setting);
    const char *at = (const char *)options->settings;
    if (options->setting_count == 0) {
        return AQ_OK;
    }
    if (!at || stride < sizeof(struct aq_client_setting)) {
        return error_set(err, AQ_E_INVALID,
                         "client options: settings are not readable, set "
                         "settings and setting_stride");
    }
    s->entries = alloc_array(options->setting_count, sizeof(*s->entries));
    if (!s->entries) {
        return error_nomem(err, "settings");
    }
    s->entry_count = options->setting_count;
    size_t total = 0;
    for (uint32_t i = 0; i < options->setting_count; i++) {
        struct aq_client_setting setting;
        memcpy(&setting, at + (size_t)i * stride, sizeof(setting));
        if (!settings_key_is_known(setting.key)) {
            return error_set(err, AQ_E_INVALID,
                             "setting '%.*s': no such setting, see docs/settings.md",
                             AQ_STR_ARG(setting.key));
        }
        total += setting.key.len + setting.value.len + 2;
    }
    if (!buf_reserve(&s->explicit_texts, total)) { /* once: the entries point into it */
        return error_nomem(err, "settings");
    }
    for (uint32_t i = 0; i < options->setting_count; i++) {
        struct aq_client_setting setting;
        memcpy(&setting, at + (size_t)i * stride, sizeof(setting));
        const char *copy = (const char *)s->explicit_texts.ptr + s->explicit_texts.len;
        buf_add(&s->explicit_texts, setting.key);
        buf_add_char(&s->explicit_texts, '\0');
        buf_add(&s->explicit_texts, setting.value);
        buf_add_char(&s->explicit_texts, '\0');
        s->entries[i].key = (struct aq_str){ copy, setting.key.len };
        s->entries[i].value = (struct aq_str){ copy + setting.key.len + 1, setting.value.len };
    }
    return AQ_OK;
}

/* ---- settings.json ---- */

/* White space as JSON has it (RFC 8259, section 2). */
static bool settings_is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Parse the text, which must be one JSON object. Returns NULL, or what is wrong at byte *ret_at. */
static const char *settings_parse(struct aq_str text, struct json_tokener *tokener,
                                  struct json_object **ret, size_t *ret_at)
{
    *ret = json_tokener_parse_ex(tokener, text.ptr, (int)text.len);
    enum json_tokener_error problem = json_tokener_get_error(tokener);
    *ret_at = json_tokener_get_parse_end(tokener);
    if (problem != json_tokener_success) {
        return problem == json_tokener_continue ? "it ends too early"
                                                : json_tokener_error_desc(problem);
    }
    if (!json_object_is_type(*ret, json_type_object)) {
        return "it is something else";
    }
    while (*ret_at < text.len && settings_is_space(text.ptr[*ret_at])) {
        (*ret_at)++;
    }
    return *ret_at == text.len ? NULL : "there is more behind its end";
}

static aq_status settings_parse_file(struct settings *s, const char *path, struct aq_str text,
                                     struct aq_error *err)
{
    struct json_tokener *tokener = json_tokener_new();
    if (!tokener) {
        return error_nomem(err, path);
    }
    size_t at = 0;
    const char *problem = settings_parse(text, tokener, &s->file, &at);
    json_tokener_free(tokener);
    if (problem) {
        return error_set(err, AQ_E_INVALID,
                         "%s: not a JSON object (byte %zu: %s), correct it or move it away", path,
                         at, problem);
    }
    return AQ_OK;
}

static aq_status settings_read_file(struct settings *s, struct aq_error *err)
{
    AUTO(buf) struct buf text = BUF(SETTINGS_FILE_MAX);
    aq_status st = settings_file_path(&s->file_path, err);
    if (st != AQ_OK) {
        return st == AQ_E_NOMEM ? st : AQ_OK; /* no home directory, hence no file */
    }
    const char *path = (const char *)s->file_path.ptr;
    st = settings_file_read(path, &text, err);
    if (st != AQ_OK || text.len == 0) { /* not there, or just created by somebody */
        return st;
    }
    return settings_parse_file(s, path, buf_str(&text), err);
}

static struct json_object *settings_file_member(const struct settings *s, const char *key)
{
    struct json_object *member = NULL;
    if (s->file) {
        json_object_object_get_ex(s->file, key, &member);
    }
    return member;
}

static struct aq_str settings_file_text(const struct settings *s, const char *key)
{
    struct json_object *member = settings_file_member(s, key);
    switch (json_object_get_type(member)) {
    case json_type_string:
    case json_type_int:
    case json_type_boolean:
        return str_from(json_object_get_string(member)); /* lives as long as the member */
    default:
        return (struct aq_str){ NULL, 0 };
    }
}

/* ---- the face ---- */

aq_status settings_init(struct settings *s, const struct aq_client_options *options,
                        struct aq_error *err)
{
    s->flags = options->flags;
    if (trust_is_privileged()) {
        s->flags |= AQ_CLIENT_NO_ENV | AQ_CLIENT_NO_SETTINGS;
    }
    aq_status st = settings_copy(s, options, err);
    if (st == AQ_OK && !(s->flags & AQ_CLIENT_NO_SETTINGS)) {
        st = settings_read_file(s, err);
    }
    return st;
}

void settings_done(struct settings *s)
{
    buf_done(&s->explicit_texts);
    buf_done(&s->file_path);
    alloc_free(s->entries, s->entry_count * sizeof(*s->entries));
    json_object_put(s->file);
    *s = (struct settings){ 0 };
}

/* First of the comma-separated variables that is set and not empty. */
static struct aq_str settings_env(const struct settings *s, const char *names)
{
    struct aq_str rest = str_from(names);
    while (rest.ptr && !(s->flags & AQ_CLIENT_NO_ENV)) {
        char name[SETTINGS_NAME_MAX];
        struct aq_str one = str_cut(&rest, ',');
        if (one.len == 0 || one.len >= sizeof(name)) {
            continue;
        }
        memcpy(name, one.ptr, one.len);
        name[one.len] = '\0';
        const char *value = secure_getenv(name);
        if (value && value[0] != '\0') {
            return str_from(value);
        }
    }
    return (struct aq_str){ NULL, 0 };
}

static struct settings_value settings_find(const struct settings *s, const char *key,
                                           const char *env, const char *default_value)
{
    struct aq_str text;
    for (uint32_t i = s->entry_count; i > 0; i--) { /* the last one given wins */
        if (str_eq(s->entries[i - 1].key, str_from(key))) {
            return (struct settings_value){ s->entries[i - 1].value, SETTINGS_EXPLICIT };
        }
    }
    text = settings_env(s, env);
    if (text.ptr) {
        return (struct settings_value){ text, SETTINGS_ENV };
    }
    text = settings_file_text(s, key);
    if (text.ptr) {
        return (struct settings_value){ text, SETTINGS_FILE };
    }
    if (default_value) {
        return (struct settings_value){ str_from(default_value), SETTINGS_DEFAULT };
    }
    return (struct settings_value){ { NULL, 0 }, SETTINGS_NOWHERE };
}

/* The service manager's directory of credentials has one for us; what cannot be looked at counts,
 * too: reading it will say what is wrong. */
static bool settings_has_credential(const struct settings *s)
{
    char path[PATH_MAX];
    struct stat info;
    struct aq_str dir = settings_env(s, "CREDENTIALS_DIRECTORY");
    int len = str_starts(dir, AQ_STR("/"))
                  ? snprintf(path, sizeof(path), "%s/amazonq-token", dir.ptr)
                  : 0;
    return len > 0 && (size_t)len < sizeof(path) &&
           (stat(path, &info) == 0 || (errno != ENOENT && errno != ENOTDIR));
}

/* Somebody handed a token in, in one of the ways that store-token-file knows. */
static bool settings_has_token(const struct settings *s)
{
    return settings_env(s, "Q_TOKEN_FD,Q_TOKEN_FILE").ptr || settings_has_credential(s);
}

struct settings_value settings_get(const struct settings *s, enum settings_id id)
{
    struct settings_value value =
        settings_find(s, known[id].key, known[id].env, known[id].default_value);
    if (id == SETTINGS_STORE && value.origin < SETTINGS_ENV &&
        settings_get(s, SETTINGS_DB).origin < SETTINGS_ENV && settings_has_token(s)) {
        return (struct settings_value){ AQ_STR("token-file"), SETTINGS_ENV };
    }
    return value;
}

struct settings_value settings_get_plugin(const struct settings *s, const char *kind,
                                          const char *name, const struct aq_setting *declared)
{
    char key[SETTINGS_NAME_MAX];
    snprintf(key, sizeof(key), "%s.%s.%s", kind, name, declared->key); /* fits: see loader.c */
    return settings_find(s, key, declared->env, declared->default_value);
}

struct aq_str settings_explicit_key(const struct settings *s, uint32_t i)
{
    return i < s->entry_count ? s->entries[i].key : AQ_STR("");
}

bool settings_has_service(const struct settings *s, struct aq_str *ret_endpoint)
{
    struct json_object *service = NULL;
    struct json_object *endpoint = NULL;
    struct json_object *region = NULL;
    *ret_endpoint = (struct aq_str){ NULL, 0 };
    if (!s->file || !json_object_object_get_ex(s->file, "api.codewhisperer.service", &service)) {
        return false;
    }
    if (json_object_is_type(service, json_type_object) &&
        json_object_object_get_ex(service, "endpoint", &endpoint) &&
        json_object_object_get_ex(service, "region", &region) &&
        json_object_is_type(endpoint, json_type_string) &&
        json_object_is_type(region, json_type_string)) {
        *ret_endpoint = str_from(json_object_get_string(endpoint));
    }
    return true;
}
