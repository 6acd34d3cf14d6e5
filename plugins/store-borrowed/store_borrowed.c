/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store-borrowed: logins that other programs keep in ways of their own. They are read and never
 * written, and whoever keeps one refreshes it: these programs do not expect anybody else to, and
 * some cut the refresh token off on purpose. What is in a file is handed on as it is.
 */
#include "cache.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SETTING_DIR, SETTING_SESSION, SETTING_API_KEY, SETTING_COUNT };

enum borrowed {
    KIRO_IDE,
    SSO_CACHE,
    API_KEY,
    BORROWED_COUNT,
};

static const struct {
    const char *key;
    const char *object; /* of an error */
    const char *advice; /* when it has expired */
} logins[BORROWED_COUNT] = {
    [KIRO_IDE] = { "kiro-ide:token", "login of the Kiro IDE",
                   "only the IDE refreshes it, open it, and sign in if it asks" },
    [SSO_CACHE] = { "sso-cache:token", "AWS SSO cache",
                    "only the program that signed in refreshes it, run it again (aws sso login)" },
    [API_KEY] = { "kiro-api-key:token", "KIRO_API_KEY",
                  "an API key is never refreshed, put another one there" },
};

enum { API_KEY_MAX = 16384 }; /* bytes, as any token that may travel in a header */

struct store {
    const struct aq_host *host;
    char dir[PATH_MAX];
    struct aq_str session; /* the last two are valid while the instance is open */
    struct aq_str api_key;
    enum borrowed last; /* the one that was looked up last */
};

static aq_status fail(aq_status status, enum borrowed which, const char *text, struct aq_error *err)
{
    return intake_fail(err, status, 0, logins[which].object, "%s", text);
}

static aq_status store_open(const struct aq_open_args *args, void **ret_self, struct aq_error *err)
{
    struct store *s = calloc(1, sizeof(*s));
    if (!s) {
        return intake_fail(err, AQ_E_NOMEM, 0, "store 'borrowed'", "out of memory");
    }
    struct aq_str dir = args->values[SETTING_DIR].text;
    if (dir.len >= sizeof(s->dir)) {
        free(s);
        return intake_fail(err, AQ_E_INVALID, 0, "store 'borrowed'", "the path is too long");
    }
    memcpy(s->dir, dir.ptr, dir.len + 1);
    s->host = args->host;
    s->session = args->values[SETTING_SESSION].text;
    s->api_key = args->values[SETTING_API_KEY].text;
    *ret_self = s;
    return AQ_OK;
}

static void store_close(void *self)
{
    free(self);
}

/* ---- values ---- */

static aq_status put(const struct store *s, void *sink, struct aq_str key, const char *text,
                     size_t len)
{
    return s->host->put(s->host->ctx, sink, key, (struct aq_bytes){ (const uint8_t *)text, len });
}

/* As a stored login has it. What could not travel in a header is refused by whoever reads it. */
static aq_status put_api_key(const struct store *s, void *sink, struct aq_str key,
                             struct aq_error *err)
{
    static const char before[] = "{\"access_token\":\"";
    char json[sizeof(before) + 2 * API_KEY_MAX + 2];
    size_t len = sizeof(before) - 1;
    if (s->api_key.len == 0) {
        return AQ_E_NOTFOUND;
    }
    if (s->api_key.len > API_KEY_MAX) {
        return fail(AQ_E_CORRUPT, API_KEY, "longer than 16,384 bytes, it holds no API key", err);
    }
    memcpy(json, before, len);
    for (size_t i = 0; i < s->api_key.len; i++) {
        char c = s->api_key.ptr[i];
        if (c < 0x21 || c > 0x7e) {
            explicit_bzero(json, len);
            return fail(AQ_E_CORRUPT, API_KEY, "not printable ASCII, it holds no API key", err);
        }
        if (c == '"' || c == '\\') {
            json[len++] = '\\';
        }
        json[len++] = c;
    }
    json[len++] = '"';
    json[len++] = '}';
    aq_status status = put(s, sink, key, json, len);
    explicit_bzero(json, len);
    return status;
}

static aq_status read_login(const struct store *s, enum borrowed which, struct intake *ret,
                            struct aq_error *err)
{
    return which == KIRO_IDE ? cache_read(s->dir, "kiro-auth-token.json", ret, err)
                             : cache_read_session(s->dir, s->session, ret, err);
}

static aq_status put_file(const struct store *s, void *sink, struct aq_str key, enum borrowed which,
                          struct aq_error *err)
{
    struct intake in = { 0 };
    aq_status status = read_login(s, which, &in, err);
    if (status != AQ_OK) {
        return status;
    }
    status = put(s, sink, key, in.ptr, in.len);
    intake_done(&in);
    return status;
}

/* True also if it is there and cannot be read: get says why. */
static bool is_there(const struct store *s, enum borrowed which)
{
    struct intake in = { 0 };
    struct aq_error err;
    if (which == API_KEY) {
        return s->api_key.len > 0;
    }
    aq_status status = read_login(s, which, &in, &err);
    if (status == AQ_OK) {
        intake_done(&in);
    }
    return status != AQ_E_NOTFOUND;
}

/* ---- the table ---- */

static bool find_login(struct aq_str key, enum borrowed *ret)
{
    for (enum borrowed i = 0; i < BORROWED_COUNT; i++) {
        if (key.len == strlen(logins[i].key) && memcmp(key.ptr, logins[i].key, key.len) == 0) {
            *ret = i;
            return true;
        }
    }
    return false;
}

static aq_status store_get(void *self, struct aq_str key, void *sink, struct aq_error *err)
{
    struct store *s = self;
    if (!find_login(key, &s->last)) {
        return AQ_E_NOTFOUND;
    }
    return s->last == API_KEY ? put_api_key(s, sink, key, err)
                              : put_file(s, sink, key, s->last, err);
}

static aq_status store_list(void *self, void *sink, struct aq_error *err)
{
    (void)err;
    const struct store *s = self;
    aq_status status = AQ_OK;
    for (enum borrowed i = 0; i < BORROWED_COUNT && status == AQ_OK; i++) {
        struct aq_str key = { logins[i].key, strlen(logins[i].key) };
        status = is_there(s, i) ? put(s, sink, key, NULL, 0) : AQ_OK;
    }
    return status;
}

static aq_status store_can_save(void *self, struct aq_error *err)
{
    const struct store *s = self;
    return fail(AQ_E_READONLY, s->last, logins[s->last].advice, err);
}

static aq_status store_commit(void *self, const struct aq_change *changes, uint32_t count,
                              uint32_t stride, struct aq_error *err)
{
    const struct store *s = self;
    (void)changes, (void)count, (void)stride;
    return fail(AQ_E_READONLY, s->last, "is another program's, and never written from here", err);
}

static const struct aq_store_ops ops = {
    AQ_STORE_OPS,
    .traits = AQ_STORE_PERSISTENT | AQ_STORE_SHARED, /* and no lock: never refreshed */
    .open = store_open,
    .close = store_close,
    .get = store_get,
    .list = store_list,
    .commit = store_commit,
    .can_save = store_can_save,
};

static const struct aq_setting settings[SETTING_COUNT] = {
    [SETTING_DIR] = { .key = "dir",
                      .default_value = "~/.aws/sso/cache",
                      .help = "directory of the AWS SSO cache and of the Kiro IDE's login",
                      .type = AQ_SETTING_PATH,
                      .flags = AQ_SETTING_REQUIRED },
    [SETTING_SESSION] = { .key = "session",
                          .env = "Q_SSO_SESSION",
                          .help = "name of the session in the AWS SSO cache, or its start URL",
                          .type = AQ_SETTING_STRING },
    [SETTING_API_KEY] = { .key = "api_key",
                          .env = "KIRO_API_KEY",
                          .help = "API key of Kiro",
                          .type = AQ_SETTING_STRING,
                          .flags = AQ_SETTING_SECRET },
};

static const struct aq_plugin plugin = {
    AQ_PLUGIN_INFO,
    .kind = AQ_PLUGIN_STORE,
    .name = "borrowed",
    .version = "1.0",
    .summary = "reads logins that other programs keep and refresh",
    AQ_PLUGIN_SETTINGS(settings),
    .store = &ops,
};
AQ_PLUGIN(plugin)
