/* SPDX-License-Identifier: Apache-2.0 */
#include "host/catalog.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/str.h"
#include "host/loader.h"
#include "host/paths.h"

#include <dirent.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

void catalog_done(struct catalog *c)
{
    for (struct catalog_file *f = c->files, *next; f; f = next) {
        next = f->next;
        buf_done(&f->path);
        alloc_free(f, sizeof(*f));
    }
    for (struct catalog_directory *d = c->directories, *next; d; d = next) {
        next = d->next;
        buf_done(&d->path);
        alloc_free(d, sizeof(*d));
    }
    *c = (struct catalog){ 0 };
}

/* ---- directories ---- */

static struct catalog_directory *catalog_add_directory(struct catalog *c)
{
    struct catalog_directory **at = &c->directories;
    while (*at) {
        at = &(*at)->next;
    }
    *at = ALLOC(struct catalog_directory);
    if (*at) {
        (*at)->path = (struct buf)BUF(PATH_MAX);
    }
    return *at;
}

static aq_status catalog_read_directories(const struct settings *settings, struct catalog *c,
                                          struct aq_error *err)
{
    struct aq_str rest = settings_get(settings, SETTINGS_PLUGIN_PATH).text;
    AUTO(buf) struct buf own = BUF(PATH_MAX);
    if (paths_plugins(&own)) {
        struct catalog_directory *d = catalog_add_directory(c);
        if (!d) {
            return error_nomem(err, "plugins");
        }
        char real[PATH_MAX];
        d->is_own = true;
        buf_add(&d->path, realpath((const char *)own.ptr, real) ? str_from(real) : buf_str(&own));
        if (buf_status(&d->path) != AQ_OK) {
            return error_nomem(err, "plugins");
        }
    } else if (buf_status(&own) == AQ_E_NOMEM) {
        return error_nomem(err, "plugins");
    }
    while (rest.len) {
        struct aq_str named = str_cut(&rest, ':');
        if (named.len == 0) {
            continue; /* an empty part names nothing */
        }
        struct catalog_directory *d = catalog_add_directory(c);
        if (!d) {
            return error_nomem(err, "plugins");
        }
        aq_status st = paths_expand(AQ_STR("plugin.path"), named, &d->path, err);
        if (st != AQ_OK) {
            return st;
        }
    }
    return AQ_OK;
}

/* ---- files ---- */

/* KIND-NAME.so. False if it is called otherwise. */
static bool catalog_split(struct aq_str file, int32_t *ret_kind, struct aq_str *ret_name)
{
    static const struct aq_str end = AQ_STR_INIT(".so");
    for (int32_t kind = AQ_PLUGIN_STORE; kind <= AQ_PLUGIN_TRANSPORT; kind++) {
        const struct aq_str word = str_from(loader_kind_name(kind));
        const size_t around = word.len + 1 + end.len;
        if (str_starts(file, word) && file.len > around && file.ptr[word.len] == '-' &&
            str_ends(file, end)) {
            *ret_kind = kind;
            *ret_name = (struct aq_str){ file.ptr + word.len + 1, file.len - around };
            return true;
        }
    }
    return false;
}

/* True if a is listed before b, in one directory. */
static bool catalog_is_before(const struct catalog_file *a, const struct catalog_file *b)
{
    return strcmp((const char *)a->path.ptr, (const char *)b->path.ptr) < 0;
}

static aq_status catalog_add_file(struct catalog *c, const struct catalog_directory *d,
                                  struct aq_str file)
{
    struct aq_str name;
    int32_t kind;
    if (!catalog_split(file, &kind, &name)) {
        return AQ_OK;
    }
    struct catalog_file *made = ALLOC(struct catalog_file);
    if (!made) {
        return AQ_E_NOMEM;
    }
    *made = (struct catalog_file){ .directory = d, .path = BUF(PATH_MAX), .kind = kind };
    buf_add(&made->path, buf_str(&d->path));
    buf_add_char(&made->path, '/');
    made->name.len = name.len;
    size_t at = made->path.len + (size_t)(name.ptr - file.ptr);
    buf_add(&made->path, file);
    if (buf_status(&made->path) != AQ_OK) {
        aq_status st = buf_status(&made->path);
        buf_done(&made->path);
        alloc_free(made, sizeof(*made));
        return st == AQ_E_NOMEM ? st : AQ_OK; /* too long to be opened */
    }
    made->name.ptr = (const char *)made->path.ptr + at;

    struct catalog_file **place = &c->files;
    while (*place && ((*place)->directory != d || catalog_is_before(*place, made))) {
        if ((*place)->directory != d && (*place)->kind == kind &&
            str_eq((*place)->name, made->name)) {
            made->is_hidden = true;
        }
        place = &(*place)->next;
    }
    made->next = *place;
    *place = made;
    return AQ_OK;
}

aq_status catalog_read(const struct settings *settings, struct catalog *ret, struct aq_error *err)
{
    aq_status st = catalog_read_directories(settings, ret, err);
    for (const struct catalog_directory *d = ret->directories; d && st == AQ_OK; d = d->next) {
        const struct dirent *entry;
        DIR *dir = opendir((const char *)d->path.ptr);
        while (dir && st == AQ_OK && (entry = readdir(dir))) {
            st = catalog_add_file(ret, d, str_from(entry->d_name));
        }
        if (dir) {
            closedir(dir);
        }
        if (st != AQ_OK) {
            error_nomem(err, "plugins");
        }
    }
    return st;
}

/* ---- finding ---- */

static bool catalog_is_called(const struct catalog_file *f, struct aq_str which)
{
    const struct aq_str kind = str_from(loader_kind_name(f->kind));
    return str_eq(f->name, which) ||
           (str_starts(which, kind) && which.len > kind.len && which.ptr[kind.len] == '-' &&
            str_eq(str_from_offset(which, kind.len + 1), f->name));
}

aq_status catalog_find(const struct catalog *c, struct aq_str which,
                       const struct catalog_file **ret, struct aq_error *err)
{
    *ret = NULL;
    for (const struct catalog_file *f = c->files; f; f = f->next) {
        if (f->is_hidden || !catalog_is_called(f, which)) {
            continue;
        }
        if (*ret) {
            return error_set(err, AQ_E_INVALID,
                             "plugin '%.*s': there is a %s and a %s, write %s-%.*s or %s-%.*s",
                             AQ_STR_ARG(which), loader_kind_name((*ret)->kind),
                             loader_kind_name(f->kind), loader_kind_name((*ret)->kind),
                             AQ_STR_ARG((*ret)->name), loader_kind_name(f->kind),
                             AQ_STR_ARG(f->name));
        }
        *ret = f;
    }
    return *ret ? AQ_OK
                : error_set(err, AQ_E_PLUGIN,
                            "plugin '%.*s': there is none, 'q plugin list' names all; a file is "
                            "chosen by its absolute path",
                            AQ_STR_ARG(which));
}
