/* SPDX-License-Identifier: Apache-2.0 */
#include "host/settings.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "host/settings_file.h"
#include "host/trust.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
    SETTINGS_NAME_MAX = 160,  /* "transport.", a name and a key of 64 bytes, and then some */
    SETTINGS_SHOWN_MAX = 160, /* of a value in a message */
};

/* The existing CLI's; it counts as a whole. */
#define SERVICE_KEY "api.codewhisperer.service"

struct settings_entry {
    struct aq_str key, value;
};

/* A member of settings.json. */
struct settings_member {
    struct aq_str key;
    struct aq_str value; /* as written */
    struct aq_str text;  /* of a scalar, decoded; NUL-terminated */
    enum json_type type;
};

static const struct {
    const char *key, *env, *default_value;
} known[] = {
    [SETTINGS_STORE] = { "store", "Q_STORE", "sqlite" },
    [SETTINGS_TRANSPORT] = { "transport", "Q_TRANSPORT", AQ_DEFAULT_TRANSPORT },
    [SETTINGS_SOURCE] = { "source", "Q_SOURCE", "auto" },
    [SETTINGS_LOGIN] = { "login", "Q_LOGIN", "default" },
    [SETTINGS_DB] = { "db", "Q_DB", NULL },
    [SETTINGS_PLUGIN_PATH] = { "plugin.path", "Q_PLUGIN_PATH", NULL },
    [SETTINGS_ENDPOINT] = { "endpoint", "Q_ENDPOINT_URL", NULL },
    [SETTINGS_OIDC_ENDPOINT] = { "oidc.endpoint", "AWS_ENDPOINT_URL_SSO_OIDC", NULL },
    [SETTINGS_SOCIAL_ENDPOINT] = { "social.endpoint", "Q_SOCIAL_ENDPOINT_URL", NULL },
    [SETTINGS_CA_BUNDLE] = { "ca_bundle", NULL, NULL },
    [SETTINGS_API_TIMEOUT] = { "api.timeout", NULL, NULL },
    [SETTINGS_SIGV4] = { "sigv4", "AMAZON_Q_SIGV4", NULL },
    [SETTINGS_SHARE_CONTENT] = { "codeWhisperer.shareCodeWhispererContentWithAWS", NULL, NULL },
};

#define KNOWN_COUNT (sizeof(known) / sizeof(known[0]))

/* ---- explicit settings ---- */

bool settings_key_is_known(struct aq_str key)
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

/* Of a key that is there twice the later one counts. */
static const struct settings_member *settings_file_member(const struct settings *s, const char *key)
{
    for (uint32_t i = s->member_count; i > 0; i--) {
        if (str_eq(s->members[i - 1].key, str_from(key))) {
            return &s->members[i - 1];
        }
    }
    return NULL;
}

static uint32_t settings_count_members(struct aq_str text)
{
    struct json_reader reader = json_reader(text);
    struct json_member member;
    uint32_t count = 0;
    json_object(&reader);
    while (json_next(&reader, &member)) {
        count++;
    }
    return count;
}

/* Append a decoded string and a NUL; there is room, for it stood there with its quotes. */
static struct aq_str settings_keep(struct buf *texts, const struct json_member *string)
{
    char *at = (char *)texts->ptr + texts->len;
    size_t len = json_string_decode(string, at);
    at[len] = '\0';
    texts->len += len + 1;
    return (struct aq_str){ at, len };
}

static void settings_take_member(struct settings *s, const struct json_member *found,
                                 struct settings_member *ret)
{
    const struct json_member key = {
        .value = { found->key.ptr - 1, found->key.len + 2 }, /* with its quotes */
        .type = JSON_STRING,
        .escaped = true,
    };
    ret->key = settings_keep(&s->file_texts, &key);
    ret->type = found->type;
    ret->value = found->value;
    if (found->type == JSON_STRING) {
        ret->text = settings_keep(&s->file_texts, found);
    } else {
        ret->text =
            (struct aq_str){ (char *)s->file_texts.ptr + s->file_texts.len, found->value.len };
        buf_add(&s->file_texts, found->value);
        buf_add_char(&s->file_texts, '\0'); /* in place of the comma or brace behind it */
    }
}

/* The endpoint of the existing CLI's setting, if it is what it must be to name one. */
static void settings_take_service(struct settings *s, struct aq_str service)
{
    struct json_member endpoint;
    struct json_member region;
    bool named = json_find(service, AQ_STR("endpoint"), &endpoint) &&
                 json_find(service, AQ_STR("region"), &region) && endpoint.type == JSON_STRING &&
                 region.type == JSON_STRING;
    if (named) {
        s->service_endpoint = settings_keep(&s->file_texts, &endpoint);
        s->service_region = settings_keep(&s->file_texts, &region);
    }
}

static aq_status settings_parse(struct settings *s, struct aq_error *err)
{
    const char *path = (const char *)s->file_path.ptr;
    struct aq_str text = buf_str(&s->file);
    struct json_member member;
    aq_status st = settings_check_text(path, text, err);
    if (st != AQ_OK) {
        return st;
    }
    s->member_count = settings_count_members(text);
    s->members = alloc_array(s->member_count, sizeof(*s->members));
    if (!s->members || !buf_reserve(&s->file_texts, 2 * text.len)) { /* once: they point into it */
        return error_nomem(err, path);
    }
    struct json_reader reader = json_reader(text);
    json_object(&reader);
    for (uint32_t i = 0; json_next(&reader, &member); i++) {
        settings_take_member(s, &member, &s->members[i]);
    }
    const struct settings_member *service = settings_file_member(s, SERVICE_KEY);
    if (service) {
        settings_take_service(s, service->value);
    }
    return AQ_OK;
}

static aq_status settings_read_file(struct settings *s, struct aq_error *err)
{
    aq_status st = settings_file_path(&s->file_path, err);
    if (st != AQ_OK) {
        return st == AQ_E_NOMEM ? st : AQ_OK; /* no home directory, hence no file */
    }
    s->file.max = SETTINGS_FILE_MAX;
    st = settings_file_read((const char *)s->file_path.ptr, &s->file, err);
    if (st != AQ_OK || s->file.len == 0) { /* not there, or just created by somebody */
        return st;
    }
    return settings_parse(s, err);
}

/* What a value is that no setting can have. */
static const char *settings_misfit(const struct settings_member *member)
{
    int64_t ignored;
    switch (member->type) {
    case JSON_ARRAY:
        return "a list";
    case JSON_OBJECT:
        return "an object";
    case JSON_NUMBER:
        return str_to_i64(member->text, &ignored) ? NULL : "no whole number";
    case JSON_STRING: /* whoever reads it up to the NUL sees another one */
        return strlen(member->text.ptr) == member->text.len ? NULL : "a text with a NUL in it";
    default:
        return NULL;
    }
}

/* null is the same as not there. */
static struct settings_value settings_in_file(const struct settings *s, const char *key)
{
    const struct settings_member *member = settings_file_member(s, key);
    if (!member || member->type == JSON_NULL) {
        return (struct settings_value){ .origin = SETTINGS_NOWHERE };
    }
    return (struct settings_value){
        .text = str_from(member->text.ptr),
        .origin = SETTINGS_FILE,
        .misfit = settings_misfit(member),
    };
}

/* ---- the face ---- */

void settings_done(struct settings *s)
{
    buf_done(&s->explicit_texts);
    buf_done(&s->file_path);
    buf_done(&s->file_texts);
    buf_done(&s->file);
    alloc_free(s->entries, s->entry_count * sizeof(*s->entries));
    alloc_free(s->members, s->member_count * sizeof(*s->members));
    *s = (struct settings){ 0 };
}

/* Value of a variable; NULL if it is not set, or empty. */
static const char *settings_variable(struct aq_str name)
{
    char copy[SETTINGS_NAME_MAX];
    if (name.len == 0 || name.len >= sizeof(copy)) {
        return NULL;
    }
    memcpy(copy, name.ptr, name.len);
    copy[name.len] = '\0';
    const char *value = secure_getenv(copy);
    return value && value[0] != '\0' ? value : NULL;
}

void settings_add_set(const char *variables, struct buf *out)
{
    struct aq_str rest = str_from(variables);
    while (rest.len) {
        struct aq_str name = str_cut(&rest, ',');
        if (settings_variable(name)) {
            buf_printf(out, "%s%.*s", out->len ? ", " : "", AQ_STR_ARG(name));
        }
    }
}

/* First of the comma-separated variables that is set and not empty. */
static struct settings_value settings_env(const struct settings *s, const char *names)
{
    struct aq_str rest = str_from(names);
    while (rest.ptr && !(s->flags & AQ_CLIENT_NO_ENV)) {
        struct aq_str name = str_cut(&rest, ',');
        const char *value = settings_variable(name);
        if (value) {
            return (struct settings_value){ str_from(value), SETTINGS_ENV, name, NULL };
        }
    }
    return (struct settings_value){ .origin = SETTINGS_NOWHERE };
}

static struct settings_value settings_find(const struct settings *s, const char *key,
                                           const char *env, const char *default_value)
{
    struct settings_value value;
    for (uint32_t i = s->entry_count; i > 0; i--) { /* the last one given wins */
        if (str_eq(s->entries[i - 1].key, str_from(key))) {
            return (struct settings_value){ .text = s->entries[i - 1].value,
                                            .origin = SETTINGS_EXPLICIT };
        }
    }
    value = settings_env(s, env);
    if (!value.text.ptr) {
        value = settings_in_file(s, key);
    }
    if (!value.text.ptr && default_value) {
        value.text = str_from(default_value);
        value.origin = SETTINGS_DEFAULT;
    }
    return value;
}

/* The service manager's directory of credentials has one for us; what cannot be looked at counts,
 * too: reading it will say what is wrong. */
static bool settings_has_credential(const struct settings *s)
{
    char path[PATH_MAX];
    struct stat info;
    struct aq_str dir = settings_env(s, "CREDENTIALS_DIRECTORY").text;
    int len = str_starts(dir, AQ_STR("/"))
                  ? snprintf(path, sizeof(path), "%s/amazonq-token", dir.ptr)
                  : 0;
    return len > 0 && (size_t)len < sizeof(path) &&
           (stat(path, &info) == 0 || (errno != ENOENT && errno != ENOTDIR));
}

/* Somebody handed a token in, in one of the ways that store-token-file knows. */
static bool settings_has_token(const struct settings *s)
{
    return settings_env(s, "Q_TOKEN_FD,Q_TOKEN_FILE").text.ptr || settings_has_credential(s);
}

struct settings_value settings_get(const struct settings *s, enum settings_id id)
{
    struct settings_value value =
        settings_find(s, known[id].key, known[id].env, known[id].default_value);
    if (id == SETTINGS_STORE && value.origin < SETTINGS_ENV &&
        settings_get(s, SETTINGS_DB).origin < SETTINGS_ENV &&
        settings_get(s, SETTINGS_LOGIN).origin < SETTINGS_ENV && settings_has_token(s)) {
        return (struct settings_value){ .text = AQ_STR("token-file"), .origin = SETTINGS_ENV };
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
    *ret_endpoint = s->service_endpoint;
    return settings_file_member(s, SERVICE_KEY) != NULL;
}

const char *settings_key(enum settings_id id)
{
    return known[id].key;
}

const char *settings_variables(enum settings_id id)
{
    return known[id].env;
}

struct aq_str settings_file_key(const struct settings *s, uint32_t i)
{
    return i < s->member_count ? s->members[i].key : AQ_STR("");
}

/* ---- making them ---- */

void settings_place(const struct settings *s, const struct settings_value *value, struct buf *out)
{
    switch (value->origin) {
    case SETTINGS_EXPLICIT:
        buf_add(out, AQ_STR("as an option"));
        break;
    case SETTINGS_ENV:
        buf_printf(out, "from %.*s", AQ_STR_ARG(value->variable));
        break;
    case SETTINGS_FILE:
        buf_printf(out, "in %s", (const char *)s->file_path.ptr);
        break;
    default:
        buf_add(out, AQ_STR("by default"));
    }
}

aq_status settings_refuse(const struct settings *s, const char *key,
                          const struct settings_value *value, bool secret, const char *wanted,
                          struct aq_error *err)
{
    AUTO(buf) struct buf is = BUF(SETTINGS_SHOWN_MAX);
    AUTO(buf) struct buf place = BUF(PATH_MAX);
    bool in_file = value->origin == SETTINGS_FILE;
    settings_place(s, value, &place);
    if (value->misfit) {
        buf_printf(&is, ", is %s", value->misfit);
    } else if (!secret && value->text.len < SETTINGS_SHOWN_MAX / 2) {
        buf_printf(&is, ", is '%.*s'", AQ_STR_ARG(value->text));
    }
    return error_set(err, AQ_E_INVALID, "setting '%s': must be %s%.*s (%.*s); correct it%s%s", key,
                     wanted, AQ_STR_ARG(buf_str(&is)), AQ_STR_ARG(buf_str(&place)),
                     in_file ? ", or run: q settings --delete " : "", in_file ? key : "");
}

/* A path that is relative would count only if the plugin is nowhere else, and be missed then. */
static bool settings_paths_are_absolute(struct aq_str paths)
{
    while (paths.len) {
        struct aq_str one = str_cut(&paths, ':');
        if (one.len && !str_starts(one, AQ_STR("/")) && !str_starts(one, AQ_STR("~/"))) {
            return false;
        }
    }
    return true;
}

/* In the environment it is mostly 1. */
static bool settings_is_truth(struct aq_str text, bool *ret)
{
    *ret = str_eq(text, AQ_STR("true")) || str_eq(text, AQ_STR("1"));
    return *ret || text.len == 0 || str_eq(text, AQ_STR("false")) || str_eq(text, AQ_STR("0"));
}

bool settings_sign(const struct settings *s)
{
    bool sign = false;
    return settings_is_truth(settings_get(s, SETTINGS_SIGV4).text, &sign) && sign;
}

/* Milliseconds; none is as usual. */
static bool settings_is_time(struct aq_str text)
{
    int64_t ms = 1;
    return text.len == 0 || (str_to_i64(text, &ms) && ms > 0 && ms <= INT32_MAX);
}

/* What is wrong with a value now may count for nothing later, so it is said at once. */
static aq_status settings_check(const struct settings *s, struct aq_error *err)
{
    for (enum settings_id id = 0; id < KNOWN_COUNT; id++) {
        struct settings_value value = settings_get(s, id);
        const char *wanted = NULL;
        bool ignored;
        if (id == SETTINGS_SHARE_CONTENT) {
            bool truth = str_eq(value.text, AQ_STR("true")) || str_eq(value.text, AQ_STR("false"));
            wanted = value.text.ptr && !truth ? "true or false" : NULL;
        } else if (id == SETTINGS_SIGV4) {
            wanted = settings_is_truth(value.text, &ignored) ? NULL : "true or 1, false or 0";
        } else if (id == SETTINGS_PLUGIN_PATH && !settings_paths_are_absolute(value.text)) {
            wanted = "absolute directories, separated by ':'";
        } else if (id == SETTINGS_API_TIMEOUT) {
            bool time = !value.misfit && settings_is_time(value.text);
            wanted = time ? NULL : "a whole number of milliseconds above 0";
        } else if (value.misfit) {
            wanted = "a string";
        }
        if (wanted) {
            return settings_refuse(s, known[id].key, &value, false, wanted, err);
        }
    }
    return AQ_OK;
}

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
    return st == AQ_OK ? settings_check(s, err) : st;
}
