/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A store for tokens that somebody else keeps fresh: one file for each key in a directory, as
 * secrets are mounted into containers. It is read only, so its tokens are never refreshed here.
 */
#define _POSIX_C_SOURCE 200809L

#include <amazonq/plugin.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SETTING_DIRECTORY, SETTING_COUNT }; /* places in the table of settings, at the end */
enum { KEY_MAX = 255 };                    /* longest file name */

struct files {
    const struct aq_host *host;
    struct aq_str directory;
};

static aq_status fail(struct aq_error *err, aq_status status, int sys, const char *object,
                      const char *what)
{
    err->status = status;
    err->sys = sys;
    err->http = 0;
    err->flags = 0;
    snprintf(err->text, sizeof(err->text), "%s: %s: %s", object, what, strerror(sys));
    return status;
}

static void wipe(void *data, size_t len)
{
    for (volatile unsigned char *p = data; len > 0; len--) {
        *p++ = 0;
    }
}

static aq_status files_open(const struct aq_open_args *args, void **ret_self, struct aq_error *err)
{
    struct files *files = calloc(1, sizeof(*files));

    if (!files) {
        return fail(err, AQ_E_NOMEM, ENOMEM, "store files", "not opened");
    }
    files->host = args->host;
    files->directory = args->values[SETTING_DIRECTORY].text; /* valid until close */
    *ret_self = files;
    return AQ_OK;
}

static void files_close(void *self)
{
    free(self);
}

/* Reads at most AQ_STORE_VALUE_MAX bytes of fd into data. */
static aq_status read_all(int fd, uint8_t *data, size_t *ret_len, const char *name,
                          struct aq_error *err)
{
    size_t len = 0;
    ssize_t n;

    while ((n = read(fd, data + len, AQ_STORE_VALUE_MAX + 1 - len)) > 0) {
        len += (size_t)n;
        if (len > AQ_STORE_VALUE_MAX) {
            return fail(err, AQ_E_CORRUPT, EFBIG, name, "not a token");
        }
    }
    if (n < 0) {
        return fail(err, AQ_E_IO, errno, name, "cannot be read");
    }
    *ret_len = len;
    return AQ_OK;
}

static aq_status files_get(void *self, struct aq_str key, void *sink, struct aq_error *err)
{
    const struct files *files = self;
    char name[KEY_MAX + 1];
    size_t len = 0;

    if (key.len > KEY_MAX || memchr(key.ptr, '/', key.len) || key.ptr[0] == '.') {
        return AQ_E_NOTFOUND; /* no file can have this name */
    }
    snprintf(name, sizeof(name), "%.*s", AQ_STR_ARG(key));

    int dir = open(files->directory.ptr, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int fd = dir < 0 ? -1 : openat(dir, name, O_RDONLY | O_CLOEXEC);
    int sys = errno;
    if (dir >= 0) {
        close(dir);
    }
    if (fd < 0) {
        return sys == ENOENT ? AQ_E_NOTFOUND
                             : fail(err, sys == EACCES ? AQ_E_DENIED : AQ_E_IO, sys, name,
                                    "cannot be opened");
    }

    uint8_t *data = malloc(AQ_STORE_VALUE_MAX + 1);
    aq_status status = data ? read_all(fd, data, &len, name, err)
                            : fail(err, AQ_E_NOMEM, ENOMEM, name, "not read");
    close(fd);
    if (status == AQ_OK) {
        struct aq_bytes value = { data, len };
        status = files->host->put(files->host->ctx, sink, key, value);
    }
    if (data) {
        wipe(data, AQ_STORE_VALUE_MAX + 1);
        free(data);
    }
    return status;
}

static aq_status files_list(void *self, void *sink, struct aq_error *err)
{
    const struct files *files = self;
    const struct dirent *entry;
    aq_status status = AQ_OK;
    DIR *dir = opendir(files->directory.ptr);

    if (!dir) {
        return errno == ENOENT
                   ? AQ_OK
                   : fail(err, AQ_E_IO, errno, files->directory.ptr, "cannot be listed");
    }
    while (status == AQ_OK && (entry = readdir(dir))) {
        if (entry->d_name[0] != '.') {
            struct aq_str key = { entry->d_name, strlen(entry->d_name) };
            struct aq_bytes nothing = { NULL, 0 };
            status = files->host->put(files->host->ctx, sink, key, nothing);
        }
    }
    closedir(dir);
    return status;
}

static aq_status files_commit(void *self, const struct aq_change *changes, uint32_t count,
                              uint32_t stride, struct aq_error *err)
{
    (void)self, (void)changes, (void)count, (void)stride;
    return fail(err, AQ_E_READONLY, EROFS, "store files", "is kept by somebody else");
}

static aq_status files_can_save(void *self, struct aq_error *err)
{
    return files_commit(self, NULL, 0, 0, err);
}

static const struct aq_store_ops ops = {
    AQ_STORE_OPS,           .traits = AQ_STORE_PERSISTENT | AQ_STORE_SHARED,
    .open = files_open,     .close = files_close,
    .get = files_get,       .list = files_list,
    .commit = files_commit, .can_save = files_can_save,
};

static const struct aq_setting settings[SETTING_COUNT] = {
    [SETTING_DIRECTORY] = { .key = "directory",
                            .env = "Q_STORE_FILES_DIRECTORY",
                            .help = "directory with one file for each key",
                            .type = AQ_SETTING_PATH,
                            .flags = AQ_SETTING_REQUIRED },
};

static const struct aq_plugin plugin = {
    AQ_PLUGIN_INFO,
    .kind = AQ_PLUGIN_STORE,
    .name = "files",
    .version = "1.0",
    .summary = "reads tokens that somebody else keeps fresh",
    AQ_PLUGIN_SETTINGS(settings),
    .store = &ops,
};
AQ_PLUGIN(plugin)
