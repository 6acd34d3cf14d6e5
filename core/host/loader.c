/* SPDX-License-Identifier: Apache-2.0 */
#include "host/loader.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/str.h"
#include "host/elf.h"
#include "host/libraries.h"
#include "host/paths.h"
#include "host/trust.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Least sizes a table can have: up to its last required member. */
#define UPTO(type, member) (offsetof(type, member) + sizeof(((type *)NULL)->member))

const char *loader_kind_name(int32_t kind)
{
    return kind == AQ_PLUGIN_STORE ? "store" : "transport";
}

void plugin_done(struct plugin *p)
{
    buf_done(&p->path);
    *p = (struct plugin){ 0 };
}

struct aq_setting plugin_setting(const struct plugin *p, uint32_t i)
{
    struct aq_setting setting = { 0 };
    uint32_t stride = p->info.setting_stride;
    memcpy(&setting, (const char *)p->info.settings + (size_t)i * stride,
           stride < sizeof(setting) ? stride : sizeof(setting));
    return setting;
}

/* ---- judging a descriptor ---- */

/* Copy what both sides know, zero the rest. False if the other side is too short to be usable. */
static bool loader_copy(void *dst, size_t dst_size, const void *src, size_t least)
{
    uint32_t src_size;
    memcpy(&src_size, src, sizeof(src_size));
    if (src_size < least) {
        return false;
    }
    memset(dst, 0, dst_size);
    memcpy(dst, src, src_size < dst_size ? src_size : dst_size);
    return true;
}

/* [a-z0-9]+ and one more character: a name, or a part of "KIND.NAME.KEY". */
static bool loader_is_word(struct aq_str s, char more)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == more)) {
            return false;
        }
    }
    return s.len > 0 && s.len <= 64;
}

static bool loader_name_is_valid(struct aq_str name)
{
    return loader_is_word(name, '-');
}

static const char *loader_missing_slot(const struct plugin *p)
{
    if (p->info.kind == AQ_PLUGIN_STORE) {
        const struct aq_store_ops *ops = &p->store;
        return !ops->open                   ? "open"
               : !ops->close                ? "close"
               : !ops->get                  ? "get"
               : !ops->list                 ? "list"
               : !ops->commit               ? "commit"
               : !ops->lock != !ops->unlock ? "lock or unlock"
                                            : NULL;
    }
    const struct aq_transport_ops *ops = &p->transport;
    return !ops->open       ? "open"
           : !ops->close    ? "close"
           : !ops->interest ? "interest"
           : !ops->step     ? "step"
           : !ops->start    ? "start"
           : !ops->response ? "response"
           : !ops->read     ? "read"
           : !ops->finish   ? "finish"
                            : NULL;
}

static aq_status loader_check_settings(const char *object, const struct plugin *p,
                                       struct aq_error *err)
{
    if (p->info.setting_count == 0) {
        return AQ_OK;
    }
    if (!p->info.settings || p->info.setting_stride < UPTO(struct aq_setting, type) ||
        p->info.setting_count > 256) {
        return error_set(err, AQ_E_PLUGIN, "%s: its settings table is broken, update the plugin",
                         object);
    }
    for (uint32_t i = 0; i < p->info.setting_count; i++) {
        struct aq_setting setting = plugin_setting(p, i);
        if (!loader_is_word(str_from(setting.key), '_') || setting.type < AQ_SETTING_STRING ||
            setting.type > AQ_SETTING_PATH) {
            return error_set(
                err, AQ_E_PLUGIN,
                "%s: its setting number %u has no valid key or an unknown type, update "
                "q or the plugin",
                object, (unsigned)i + 1);
        }
    }
    return AQ_OK;
}

aq_status loader_adopt(const char *object, const struct aq_plugin *found, int32_t kind,
                       struct plugin *ret, struct aq_error *err)
{
    bool copied = found && loader_copy(&ret->info, sizeof(ret->info), found,
                                       UPTO(struct aq_plugin, transport));
    if (!copied || !ret->info.name || !loader_name_is_valid(str_from(ret->info.name))) {
        return error_set(err, AQ_E_PLUGIN,
                         "%s: its descriptor is empty, too short or has no valid name, rebuild it "
                         "with <amazonq/plugin.h>",
                         object);
    }
    if (kind == 0 && (ret->info.kind == AQ_PLUGIN_STORE || ret->info.kind == AQ_PLUGIN_TRANSPORT)) {
        kind = ret->info.kind;
    }
    if (kind == 0) {
        return error_set(err, AQ_E_PLUGIN, "%s: is neither a store nor a transport, update q",
                         object);
    }
    if (ret->info.kind != kind) {
        return error_set(err, AQ_E_PLUGIN, "%s: is not a %s, choose another plugin", object,
                         loader_kind_name(kind));
    }
    const void *table =
        kind == AQ_PLUGIN_STORE ? (const void *)ret->info.store : (const void *)ret->info.transport;
    copied = table &&
             (kind == AQ_PLUGIN_STORE ? loader_copy(&ret->store, sizeof(ret->store), table,
                                                    UPTO(struct aq_store_ops, commit))
                                      : loader_copy(&ret->transport, sizeof(ret->transport), table,
                                                    UPTO(struct aq_transport_ops, finish)));
    if (!copied) {
        return error_set(err, AQ_E_PLUGIN,
                         "%s: its table is missing or too short, update the plugin", object);
    }
    const char *missing = loader_missing_slot(ret);
    if (missing) {
        return error_set(err, AQ_E_PLUGIN, "%s: its table has no function '%s', update the plugin",
                         object, missing);
    }
    return loader_check_settings(object, ret, err);
}

/* ---- loading a file ---- */

/* What is at the path must still be what was inspected. This cannot be known before constructors
 * run: the linker takes a name, and would take /proc/self/fd/N for the $ORIGIN of the plugin. That
 * nobody else can change what the path leads to is what trust_check found out; this notices its
 * owner, who installs another plugin at the wrong moment. */
static bool loader_is_same_file(void *handle, const struct trust_file *inspected)
{
    struct link_map *map = NULL;
    struct stat info;
    return dlinfo(handle, RTLD_DI_LINKMAP, &map) == 0 && map && stat(map->l_name, &info) == 0 &&
           info.st_dev == inspected->dev && info.st_ino == inspected->ino;
}

static aq_status loader_no_plugin(const char *object, struct aq_error *err)
{
    return error_set(err, AQ_E_PLUGIN,
                     "%s: has no symbol aq_plugin_v1, it is no plugin of q; choose another",
                     object);
}

static aq_status loader_open(const char *object, const char *path,
                             const struct trust_file *inspected, int32_t kind, struct plugin *ret,
                             struct aq_error *err)
{
    buf_add(&ret->path, str_from(path));
    if (buf_status(&ret->path) != AQ_OK) {
        return error_nomem(err, object);
    }
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!handle) {
        const char *why = dlerror();
        return error_set(err, AQ_E_PLUGIN, "%s: cannot be loaded: %s; mend that or choose another",
                         object, why ? why : "no reason given");
    }
    if (inspected && !loader_is_same_file(handle, inspected)) {
        return error_set(err, AQ_E_DENIED,
                         "%s: the file changed while it was being loaded, try again", object);
    }
    aq_plugin_v1_fn entry;
    void *symbol = dlsym(handle, "aq_plugin_v1");
    if (!symbol) {
        return dlsym(handle, "aq_plugin_v2")
                   ? error_set(err, AQ_E_PLUGIN, "%s: is made for a newer q, update q", object)
                   : loader_no_plugin(object, err);
    }
    memcpy(&entry, &symbol, sizeof(entry)); /* ISO C has no conversion from void * to function */
    return loader_adopt(object, entry(), kind, ret, err);
}

/* Everything outside our own directory goes through here. */
static aq_status loader_open_checked(const char *object, const char *path, int32_t kind,
                                     struct plugin *ret, struct aq_error *err)
{
    char real[PATH_MAX];
    struct trust_file inspected;
    AUTO(elf) struct elf elf = { 0 };
    if (trust_is_privileged()) {
        return error_set(err, AQ_E_DENIED,
                         "%s: a privileged process loads plugins from its own directory only",
                         object);
    }
    if (!realpath(path, real)) {
        return error_sys(err, AQ_E_PLUGIN, errno,
                         "%s: %s cannot be opened, correct the path or install it", object,
                         strstr(object, path) ? "it" : path);
    }
    aq_status st = trust_check(object, real, &inspected, err);
    if (st == AQ_OK) {
        st = elf_read(object, real, &elf, err);
    }
    if (st == AQ_OK && !str_contains(buf_str(&elf.names), AQ_STR("aq_plugin_v"))) {
        return loader_no_plugin(object, err); /* found out without running its constructors */
    }
    if (st == AQ_OK) {
        st = libraries_check(object, real, &elf, err);
    }
    if (st != AQ_OK) {
        return st;
    }
    return loader_open(object, real, &inspected, kind, ret, err);
}

/* ---- finding a file ---- */

/* AQ_OK if KIND-NAME.so is in this directory; *path is set to it. AQ_E_NOTFOUND without a text. */
static aq_status loader_look(const char *object, struct aq_str dir, int32_t kind,
                             struct aq_str name, struct buf *path, struct aq_error *err)
{
    buf_clear(path);
    buf_add(path, dir);
    buf_printf(path, "/%s-%.*s.so", loader_kind_name(kind), AQ_STR_ARG(name));
    if (buf_status(path) == AQ_E_NOMEM) {
        return error_nomem(err, object);
    }
    return buf_status(path) == AQ_OK && access((const char *)path->ptr, F_OK) == 0 ? AQ_OK
                                                                                   : AQ_E_NOTFOUND;
}

/* KIND-NAME.so must be the plugin NAME: its settings are found under that name. */
static aq_status loader_check_name(const char *object, struct aq_str name,
                                   const struct plugin *plugin, struct aq_error *err)
{
    const char *path = (const char *)plugin->path.ptr;
    return str_eq(str_from(plugin->info.name), name)
               ? AQ_OK
               : error_set(err, AQ_E_PLUGIN,
                           "%s: %s calls itself '%s', rename the file or choose it "
                           "by its path",
                           object, strstr(object, path) ? "it" : path, plugin->info.name);
}

static aq_status loader_load_name(const struct settings *settings, const char *object, int32_t kind,
                                  struct aq_str name, struct plugin *ret, struct aq_error *err)
{
    AUTO(buf) struct buf own = BUF(PATH_MAX);
    AUTO(buf) struct buf path = BUF(PATH_MAX);
    struct aq_str more = settings_get(settings, SETTINGS_PLUGIN_PATH).text;
    struct aq_str rest = more;

    aq_status st = AQ_E_NOTFOUND;
    struct aq_str beside = AQ_STR("(the library's own directory is unknown)");
    if (paths_plugins(&own)) {
        beside = buf_str(&own);
        st = loader_look(object, beside, kind, name, &path, err);
    } else if (buf_status(&own) == AQ_E_NOMEM) {
        return error_nomem(err, object);
    }
    if (st == AQ_OK) { /* as trusted as the library beside it */
        return loader_open(object, (const char *)path.ptr, NULL, kind, ret, err);
    }
    while (rest.len && st == AQ_E_NOTFOUND) {
        AUTO(buf) struct buf dir = BUF(PATH_MAX);
        struct aq_str named = str_cut(&rest, ':');
        if (named.len == 0) {
            continue; /* an empty part names nothing */
        }
        st = paths_expand(AQ_STR("plugin.path"), named, &dir, err);
        if (st == AQ_OK) {
            st = loader_look(object, buf_str(&dir), kind, name, &path, err);
        }
        if (st == AQ_OK) {
            return loader_open_checked(object, (const char *)path.ptr, kind, ret, err);
        }
    }
    return st != AQ_E_NOTFOUND
               ? st
               : error_set(err, AQ_E_PLUGIN,
                           "%s: no such plugin in %.*s%s%.*s, install it or give its path", object,
                           AQ_STR_ARG(beside), more.len ? ":" : "", AQ_STR_ARG(more));
}

aq_status loader_load(const struct settings *settings, int32_t kind, struct plugin *ret,
                      struct aq_error *err)
{
    enum settings_id id = kind == AQ_PLUGIN_STORE ? SETTINGS_STORE : SETTINGS_TRANSPORT;
    return loader_load_named(settings, kind, settings_get(settings, id).text, ret, err);
}

aq_status loader_load_named(const struct settings *settings, int32_t kind, struct aq_str name,
                            struct plugin *ret, struct aq_error *err)
{
    AUTO(buf) struct buf object = BUF(PATH_MAX);

    buf_printf(&object, "%s '%.*s'", loader_kind_name(kind), AQ_STR_ARG(name));
    if (buf_status(&object) == AQ_E_NOMEM) {
        return error_nomem(err, loader_kind_name(kind));
    }
    if (buf_status(&object) != AQ_OK) {
        return error_set(err, AQ_E_INVALID, "%s: its name is too long, choose a shorter one",
                         loader_kind_name(kind));
    }
    if (str_starts(name, AQ_STR("/"))) {
        return loader_open_checked((const char *)object.ptr, name.ptr, kind, ret, err);
    }
    if (!loader_name_is_valid(name)) {
        return error_set(err, AQ_E_INVALID,
                         "%s: give a name of letters, digits and '-', or an absolute path",
                         (const char *)object.ptr);
    }
    aq_status st = loader_load_name(settings, (const char *)object.ptr, kind, name, ret, err);
    return st == AQ_OK ? loader_check_name((const char *)object.ptr, name, ret, err) : st;
}

aq_status loader_load_file(const struct loader_file *file, struct plugin *ret, struct aq_error *err)
{
    AUTO(buf) struct buf object = BUF(PATH_MAX);
    buf_printf(&object, "plugin '%s'", file->path);
    if (buf_status(&object) != AQ_OK) {
        return error_nomem(err, "plugin");
    }
    const char *const name = (const char *)object.ptr;
    aq_status st = file->is_own ? loader_open(name, file->path, NULL, file->kind, ret, err)
                                : loader_open_checked(name, file->path, file->kind, ret, err);
    return st == AQ_OK && file->name.len ? loader_check_name(name, file->name, ret, err) : st;
}
