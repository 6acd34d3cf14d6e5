/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store-token-file: a token that somebody else keeps fresh, in a file, on a descriptor, or among
 * the credentials of the service manager. It is only ever read. What is JSON is handed on as it is;
 * a bare access token is put into JSON.
 */
#include "intake.h"

#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SETTING_FD, SETTING_FILE, SETTING_DIRECTORY, SETTING_COUNT };

enum {
    TOKEN_MAX = 16384, /* bytes of a token that may travel in a header */
    SHOWN_MAX = 256,   /* bytes of a path that an error shows */
    OBJECT_MAX = 320,  /* with what stands around it */
    FRAME_MAX = 32,    /* what is put around a bare token */
};

#define CREDENTIAL "amazonq-token" /* its file in the service manager's directory */

/* The file stands for the login of either program. */
static const char *const keys[] = { "codewhisperer:odic:token", "kirocli:odic:token" };

enum { KEY_COUNT = sizeof(keys) / sizeof(keys[0]) };

struct token_file {
    const struct aq_host *host;
    int fd; /* -1: path counts */
    char path[PATH_MAX];
    char object[OBJECT_MAX]; /* what an error begins with */
};

static aq_status token_file_fail(const struct token_file *t, struct aq_error *err, aq_status status,
                                 const char *text)
{
    return intake_fail(err, status, 0, t->object, "%s", text);
}

/* ---- open ---- */

/* Which of the three: the first that has a value. */
static aq_status token_file_place(struct token_file *t, const struct aq_setting_value *fd,
                                  struct aq_str file, struct aq_str directory, struct aq_error *err)
{
    t->fd = -1;
    if (fd->text.ptr) {
        t->fd = (int)fd->number;
        snprintf(t->object, sizeof(t->object), "token on descriptor %d", t->fd);
        return AQ_OK;
    }
    if (!file.ptr && !directory.ptr) {
        return intake_fail(err, AQ_E_INVALID, 0, "store 'token-file'",
                           "no token was named, set Q_TOKEN_FILE or Q_TOKEN_FD");
    }
    const char *name = file.ptr ? "" : "/" CREDENTIAL;
    struct aq_str path = file.ptr ? file : directory;
    snprintf(t->object, sizeof(t->object), "token file %.*s%s",
             path.len < SHOWN_MAX ? (int)path.len : SHOWN_MAX, path.ptr, name);
    if (path.len + strlen(name) >= sizeof(t->path)) {
        return token_file_fail(t, err, AQ_E_INVALID, "the path is too long, use a shorter one");
    }
    memcpy(t->path, path.ptr, path.len);
    memcpy(t->path + path.len, name, strlen(name) + 1);
    return AQ_OK;
}

static aq_status token_file_open(const struct aq_open_args *args, void **ret_self,
                                 struct aq_error *err)
{
    const struct aq_setting_value *values = args->values;
    struct token_file *t = calloc(1, sizeof(*t));
    if (!t) {
        return intake_fail(err, AQ_E_NOMEM, 0, "store 'token-file'", "out of memory");
    }
    t->host = args->host;
    aq_status status = token_file_place(t, &values[SETTING_FD], values[SETTING_FILE].text,
                                        values[SETTING_DIRECTORY].text, err);
    if (status != AQ_OK) {
        free(t);
        return status;
    }
    *ret_self = t;
    return AQ_OK;
}

static void token_file_close(void *self)
{
    free(self);
}

/* ---- what it says ---- */

/* Kubernetes mounts secrets readable by all; in a container of one's own that harms nobody. */
static void token_file_warn(const struct token_file *t, const struct intake *in)
{
    static atomic_flag said = ATOMIC_FLAG_INIT; /* once is enough for a process */
    char line[OBJECT_MAX + 80];
    if (in->open_to_all && !atomic_flag_test_and_set(&said)) {
        int len = snprintf(line, sizeof(line),
                           "%s: every user of this machine can read it, make it 0400 if you can",
                           t->object);
        t->host->log(t->host->ctx, AQ_LOG_WARN, (struct aq_str){ line, (size_t)len });
    }
}

/* As JSON has it, whatever the locale. */
static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct aq_str trimmed(const struct intake *in)
{
    struct aq_str text = { in->ptr, in->len };
    while (text.len && is_space(text.ptr[text.len - 1])) {
        text.len--;
    }
    while (text.len && is_space(text.ptr[0])) {
        text.ptr++;
        text.len--;
    }
    return text;
}

/* Offset of the first byte that cannot be in a token; len if there is none. */
static size_t token_end(struct aq_str text)
{
    size_t at = 0;
    while (at < text.len && text.ptr[at] >= 0x21 && text.ptr[at] <= 0x7e) {
        at++;
    }
    return at;
}

#define WHAT_TO_WRITE "write what `q user export-token` prints, or an access token alone"

static aq_status token_file_check(const struct token_file *t, struct aq_str text,
                                  struct aq_error *err)
{
    size_t end = token_end(text);
    if (text.len == 0 || (text.len == 4 && memcmp(text.ptr, "null", 4) == 0)) {
        return token_file_fail(t, err, AQ_E_CORRUPT, "holds no token, " WHAT_TO_WRITE);
    }
    if (text.ptr[0] == '"') {
        return token_file_fail(t, err, AQ_E_CORRUPT, "a token in quotes, write it without (jq -r)");
    }
    if (text.ptr[0] == '[' || text.ptr[0] == '<') {
        return token_file_fail(t, err, AQ_E_CORRUPT,
                               "a list or a page in place of a token, " WHAT_TO_WRITE);
    }
    if (end < text.len) {
        return intake_fail(err, AQ_E_CORRUPT, 0, t->object,
                           "neither JSON nor a token (byte %zu cannot be in one), " WHAT_TO_WRITE,
                           end);
    }
    return text.len <= TOKEN_MAX
               ? AQ_OK
               : token_file_fail(t, err, AQ_E_CORRUPT,
                                 "a token of more than 16,384 bytes, " WHAT_TO_WRITE);
}

/* Put a bare token into JSON, as a stored login has it. */
static aq_status token_file_put_bare(const struct token_file *t, struct aq_str key, void *sink,
                                     struct aq_str token)
{
    char json[FRAME_MAX + 2 * TOKEN_MAX];
    int len = snprintf(json, sizeof(json), "{\"access_token\":\"");
    for (size_t i = 0; i < token.len; i++) {
        if (token.ptr[i] == '"' || token.ptr[i] == '\\') {
            json[len++] = '\\';
        }
        json[len++] = token.ptr[i];
    }
    json[len++] = '"';
    json[len++] = '}';
    aq_status status = t->host->put(t->host->ctx, sink, key,
                                    (struct aq_bytes){ (const uint8_t *)json, (size_t)len });
    explicit_bzero(json, (size_t)len);
    return status;
}

static aq_status token_file_put(const struct token_file *t, struct aq_str key, void *sink,
                                struct aq_str text, struct aq_error *err)
{
    if (text.len && text.ptr[0] == '{') {
        return t->host->put(t->host->ctx, sink, key,
                            (struct aq_bytes){ (const uint8_t *)text.ptr, text.len });
    }
    aq_status status = token_file_check(t, text, err);
    return status == AQ_OK ? token_file_put_bare(t, key, sink, text) : status;
}

/* ---- the table ---- */

static bool is_token_key(struct aq_str key)
{
    for (size_t i = 0; i < KEY_COUNT; i++) {
        if (key.len == strlen(keys[i]) && memcmp(key.ptr, keys[i], key.len) == 0) {
            return true;
        }
    }
    return false;
}

static aq_status token_file_take(const struct token_file *t, struct intake *ret,
                                 struct aq_error *err)
{
    return t->fd >= 0 ? intake_descriptor(t->host, t->object, t->fd, ret, err)
                      : intake_file(t->object, t->path, ret, err);
}

static aq_status token_file_get(void *self, struct aq_str key, void *sink, struct aq_error *err)
{
    const struct token_file *t = self;
    struct intake in;
    if (!is_token_key(key)) {
        return AQ_E_NOTFOUND;
    }
    aq_status status = token_file_take(t, &in, err);
    if (status != AQ_OK) {
        /* "no such key" would mean that somebody has to log in */
        err->status = status == AQ_E_NOTFOUND ? AQ_E_UNAVAILABLE : status;
        return err->status;
    }
    token_file_warn(t, &in);
    status = token_file_put(t, key, sink, trimmed(&in), err);
    intake_done(&in);
    return status;
}

static aq_status token_file_list(void *self, void *sink, struct aq_error *err)
{
    const struct token_file *t = self;
    struct intake in;
    aq_status status = token_file_take(t, &in, err);
    if (status != AQ_OK) {
        return status == AQ_E_NOTFOUND ? AQ_OK : status;
    }
    intake_done(&in);
    for (size_t i = 0; i < KEY_COUNT && status == AQ_OK; i++) {
        struct aq_str key = { keys[i], strlen(keys[i]) };
        status = t->host->put(t->host->ctx, sink, key, (struct aq_bytes){ NULL, 0 });
    }
    return status;
}

static aq_status token_file_can_save(void *self, struct aq_error *err)
{
    return token_file_fail(self, err, AQ_E_READONLY,
                           "nothing here can renew it, put a new token there");
}

static aq_status token_file_commit(void *self, const struct aq_change *changes, uint32_t count,
                                   uint32_t stride, struct aq_error *err)
{
    (void)changes, (void)count, (void)stride;
    return token_file_fail(self, err, AQ_E_READONLY,
                           "is never written from here, choose another store (--store)");
}

static const struct aq_store_ops ops = {
    AQ_STORE_OPS,
    .traits = AQ_STORE_PERSISTENT | AQ_STORE_SHARED, /* and no lock: never refreshed */
    .open = token_file_open,
    .close = token_file_close,
    .get = token_file_get,
    .list = token_file_list,
    .commit = token_file_commit,
    .can_save = token_file_can_save,
};

static const struct aq_setting settings[SETTING_COUNT] = {
    [SETTING_FD] = { .key = "fd",
                     .env = "Q_TOKEN_FD",
                     .help = "open file or pipe with the token, a descriptor above 2",
                     .type = AQ_SETTING_INTEGER,
                     .min = 3,
                     .max = INT_MAX },
    [SETTING_FILE] = { .key = "file",
                       .env = "Q_TOKEN_FILE",
                       .help = "file with the token",
                       .type = AQ_SETTING_PATH },
    [SETTING_DIRECTORY] = { .key = "directory",
                            .env = "CREDENTIALS_DIRECTORY",
                            .help = "directory with the token in a file called amazonq-token",
                            .type = AQ_SETTING_PATH },
};

static const struct aq_plugin plugin = {
    AQ_PLUGIN_INFO,
    .kind = AQ_PLUGIN_STORE,
    .name = "token-file",
    .version = "1.0",
    .summary = "reads a token that somebody else keeps fresh",
    AQ_PLUGIN_SETTINGS(settings),
    .store = &ops,
};
AQ_PLUGIN(plugin)
