/* SPDX-License-Identifier: Apache-2.0 */
/* The face of host/catalog.h and host/loader.h. */
#include "host/catalog.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/options.h"
#include "base/sha256.h"
#include "base/str.h"
#include "host/loader.h"

#include <amazonq/catalog.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

enum { PIECE = 16384 };

struct aq_catalog {
    struct settings settings;
    struct catalog found;
    const struct catalog_directory *directory; /* the next one to be named */
    const struct catalog_file *file;
    struct buf named;     /* the last path that was looked for */
    struct plugin loaded; /* the last one */
};

void aq_catalog_free(struct aq_catalog *catalog)
{
    if (catalog) {
        plugin_done(&catalog->loaded);
        buf_done(&catalog->named);
        catalog_done(&catalog->found);
        settings_done(&catalog->settings);
        alloc_free(catalog, sizeof(*catalog));
    }
}

aq_status aq_catalog_open(const struct aq_client_options *options, struct aq_catalog **ret,
                          struct aq_error *err)
{
    struct aq_client_options known = AQ_CLIENT_OPTIONS_INIT;
    if (options && !options_copy(&known, sizeof(known), options)) {
        return error_set(err, AQ_E_INVALID, "catalog: options without a struct_size");
    }
    struct aq_catalog *catalog = ALLOC(struct aq_catalog);
    if (!catalog) {
        return error_nomem(err, "catalog");
    }
    aq_status st = settings_init(&catalog->settings, &known, err);
    if (st == AQ_OK) {
        st = catalog_read(&catalog->settings, &catalog->found, err);
    }
    if (st != AQ_OK) {
        aq_catalog_free(catalog);
        return st;
    }
    catalog->directory = catalog->found.directories;
    catalog->file = catalog->found.files;
    *ret = catalog;
    return AQ_OK;
}

aq_status aq_catalog_next_directory(struct aq_catalog *catalog, struct aq_str *ret)
{
    if (!catalog->directory) {
        return AQ_END;
    }
    *ret = buf_str(&catalog->directory->path);
    catalog->directory = catalog->directory->next;
    return AQ_OK;
}

static void catalog_entry(const struct catalog_file *f, struct aq_catalog_entry *ret)
{
    *ret = (struct aq_catalog_entry){
        .struct_size = ret->struct_size,
        .flags =
            (f->directory->is_own ? AQ_CATALOG_OWN : 0) | (f->is_hidden ? AQ_CATALOG_HIDDEN : 0),
        .kind = f->kind,
        .name = f->name,
        .path = buf_str(&f->path),
    };
}

aq_status aq_catalog_next(struct aq_catalog *catalog, struct aq_catalog_entry *ret)
{
    const struct catalog_file *f = catalog->file;
    if (ret->struct_size < sizeof(*ret)) {
        return AQ_E_INVALID;
    }
    if (!f) {
        return AQ_END;
    }
    catalog_entry(f, ret);
    catalog->file = f->next;
    return AQ_OK;
}

static const struct catalog_file *catalog_file_at(const struct aq_catalog *catalog,
                                                  struct aq_str path)
{
    const struct catalog_file *f = catalog->found.files;
    while (f && !str_eq(buf_str(&f->path), path)) {
        f = f->next;
    }
    return f;
}

aq_status aq_catalog_find(struct aq_catalog *catalog, struct aq_str which,
                          struct aq_catalog_entry *ret, struct aq_error *err)
{
    const bool is_path = str_starts(which, AQ_STR("/"));
    const struct catalog_file *file = is_path ? catalog_file_at(catalog, which) : NULL;
    aq_status st = AQ_OK;
    if (ret->struct_size < sizeof(*ret)) {
        return error_set(err, AQ_E_INVALID, "catalog: an entry without a struct_size");
    }
    if (!is_path) {
        st = catalog_find(&catalog->found, which, &file, err);
    }
    if (st == AQ_OK && file) {
        catalog_entry(file, ret);
    } else if (st == AQ_OK) {
        buf_clear(&catalog->named);
        buf_add(&catalog->named, which);
        *ret = (struct aq_catalog_entry){ .struct_size = ret->struct_size,
                                          .path = buf_str(&catalog->named) };
        st = buf_status(&catalog->named) == AQ_OK ? AQ_OK : error_nomem(err, "catalog");
    }
    return st;
}

/* A path that the catalog lists is loaded as by its name. */
aq_status aq_catalog_load(struct aq_catalog *catalog, struct aq_str path,
                          const struct aq_plugin **ret, struct aq_error *err)
{
    AUTO(buf) struct buf name = BUF(PATH_MAX);
    const struct catalog_file *file = catalog_file_at(catalog, path);
    plugin_done(&catalog->loaded);
    buf_add(&name, path);
    if (buf_status(&name) != AQ_OK || path.len == 0) {
        return buf_status(&name) == AQ_E_NOMEM
                   ? error_nomem(err, "plugin")
                   : error_set(err, AQ_E_INVALID, "plugin: its path is empty or too long");
    }
    const struct loader_file chosen = {
        .path = (const char *)name.ptr,
        .is_own = file && file->directory->is_own,
        .kind = file ? file->kind : 0,
        .name = file ? file->name : (struct aq_str){ NULL, 0 },
    };
    aq_status st = loader_load_file(&chosen, &catalog->loaded, err);
    if (st == AQ_OK) {
        *ret = &catalog->loaded.info;
    }
    return st;
}

static aq_status catalog_digest(int fd, char ret[SHA256_HEX_LEN + 1])
{
    uint8_t piece[PIECE];
    uint8_t digest[SHA256_LEN];
    struct sha256 h;
    ssize_t n;
    sha256_init(&h);
    while ((n = read(fd, piece, sizeof(piece))) > 0 || (n < 0 && errno == EINTR)) {
        if (n > 0) {
            sha256_add(&h, (struct aq_bytes){ piece, (size_t)n });
        }
    }
    sha256_done(&h, digest);
    sha256_hex(digest, ret);
    return n == 0 ? AQ_OK : AQ_E_IO;
}

aq_status aq_catalog_digest(struct aq_str path, char ret[65], struct aq_error *err)
{
    AUTO(buf) struct buf name = BUF(PATH_MAX);
    buf_add(&name, path);
    if (!str_starts(path, AQ_STR("/")) || buf_status(&name) == AQ_E_LIMIT) {
        return error_set(err, AQ_E_INVALID, "file '%.*s': give an absolute path", AQ_STR_ARG(path));
    }
    if (buf_status(&name) != AQ_OK) {
        return error_nomem(err, "file");
    }
    int fd = open((const char *)name.ptr, O_RDONLY | O_CLOEXEC);
    aq_status st = fd < 0 ? AQ_E_IO : catalog_digest(fd, ret);
    if (st != AQ_OK) {
        error_sys(err, AQ_E_IO, errno, "file '%s': cannot be read", (const char *)name.ptr);
    }
    if (fd >= 0) {
        close(fd);
    }
    return st;
}
