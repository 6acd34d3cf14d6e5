/* SPDX-License-Identifier: Apache-2.0 */
#include "client/place.h"

#include "base/error.h"
#include "base/str.h"
#include "host/paths.h"

#include <errno.h>
#include <limits.h>
#include <sys/stat.h>

enum { LOGIN_MAX = 64 }; /* bytes */

#define USUAL_LOGIN "default"

void place_done(struct place *p)
{
    buf_done(&p->text);
    *p = (struct place){ 0 };
}

bool place_is_absent(const struct buf *path)
{
    struct stat info;
    return stat((const char *)path->ptr, &info) != 0 && (errno == ENOENT || errno == ENOTDIR);
}

/* ---- names ---- */

bool place_name_is_valid(struct aq_str name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool letter = c >= 'a' && c <= 'z';
        if (!letter && (i == 0 || !((c >= '0' && c <= '9') || c == '_' || c == '-'))) {
            return false;
        }
    }
    return name.len > 0 && name.len <= LOGIN_MAX;
}

aq_status place_logins(struct buf *out, struct aq_error *err)
{
    aq_status st = paths_data(AQ_STR("amazonq"), out, err);
    buf_add(out, AQ_STR("/logins"));
    return st == AQ_OK && buf_status(out) != AQ_OK ? error_nomem(err, "path of the logins") : st;
}

/* ---- what the user says ---- */

/* What names the place, weighed against each other: at most one of db and login has a text. */
struct wish {
    bool in_file;     /* the store says that it lives in one: it declares a setting `path` */
    bool named_store; /* it declares a setting `login` */
    struct settings_value db; /* the file itself */
    struct settings_value login;
};

static const struct settings_value nothing = { .origin = SETTINGS_NOWHERE };

static bool place_declares(const struct plugin *plugin, struct aq_str key, struct aq_setting *ret)
{
    for (uint32_t i = 0; i < plugin->info.setting_count; i++) {
        *ret = plugin_setting(plugin, i);
        if (str_eq(str_from(ret->key), key)) {
            return true;
        }
    }
    return false;
}

/* Both were named by the same: neither is put back then. */
static bool place_is_ambiguous(const struct wish *w)
{
    return w->db.text.len && w->login.text.len;
}

static struct wish place_wish(const struct aq_client *client, const struct plugin *plugin)
{
    struct aq_setting path;
    struct aq_setting name;
    struct wish w = {
        .in_file = place_declares(plugin, AQ_STR("path"), &path),
        .named_store = place_declares(plugin, AQ_STR("login"), &name),
        .db = settings_get(&client->settings, SETTINGS_DB),
        .login = settings_get(&client->settings, SETTINGS_LOGIN),
    };
    if (w.in_file) {
        struct settings_value own =
            settings_get_plugin(&client->settings, "store", plugin->info.name, &path);
        w.db = w.db.origin > own.origin ? w.db : own;
    }
    if (str_eq(w.login.text, AQ_STR(USUAL_LOGIN))) {
        w.login = nothing;
    }
    if (!w.in_file && !w.named_store && w.login.origin <= SETTINGS_FILE) {
        w.login = nothing; /* a default is meant for the stores that keep several */
    }
    if (w.in_file && place_is_ambiguous(&w) && w.db.origin != w.login.origin) {
        *(w.db.origin > w.login.origin ? &w.login : &w.db) = nothing;
    }
    return w;
}

static aq_status place_check(const struct plugin *plugin, const struct wish *w,
                             struct aq_error *err)
{
    if (w->login.text.len && !place_name_is_valid(w->login.text)) {
        return error_set(err, AQ_E_INVALID,
                         "setting 'login': '%.*s' is no name of a login, use 1 to %d of a-z, 0-9, "
                         "_ and -, beginning with a letter",
                         AQ_STR_ARG(w->login.text), LOGIN_MAX);
    }
    if (w->in_file) {
        return place_is_ambiguous(w)
                   ? error_set(err, AQ_E_INVALID,
                               "setting 'login': a database is named, too, leave one of them out")
                   : AQ_OK;
    }
    if (w->db.text.len) {
        return error_set(err, AQ_E_INVALID,
                         "setting 'db': store '%s' has no database file, leave it out",
                         plugin->info.name);
    }
    return w->login.text.len && !w->named_store
               ? error_set(
                     err, AQ_E_INVALID,
                     "setting 'login': store '%s' has one login, without a name, leave it out",
                     plugin->info.name)
               : AQ_OK;
}

static bool place_wish_is_shared(const struct wish *w)
{
    return !w->in_file || w->db.text.len || w->login.text.len;
}

bool place_is_shared(const struct aq_client *client, const struct plugin *plugin)
{
    const struct wish w = place_wish(client, plugin);
    return place_wish_is_shared(&w);
}

struct aq_str place_login(const struct aq_client *client, const struct plugin *plugin)
{
    return place_wish(client, plugin).login.text;
}

/* ---- finding ---- */

static aq_status place_in_file(struct place *p, const struct wish *w, struct aq_str app,
                               struct aq_error *err)
{
    if (w->db.text.len) {
        p->path.origin = w->db.origin;
        return paths_expand(AQ_STR("setting 'db'"), w->db.text, &p->text, err);
    }
    aq_status st;
    p->path.origin = SETTINGS_DEFAULT;
    if (w->login.text.len) {
        p->path.origin = w->login.origin;
        st = place_logins(&p->text, err);
        buf_add_char(&p->text, '/');
        buf_add(&p->text, w->login.text);
    } else {
        st = paths_data(app, &p->text, err);
    }
    buf_add(&p->text, AQ_STR("/data.sqlite3"));
    if (st == AQ_OK && buf_status(&p->text) != AQ_OK) {
        st = error_nomem(err, "path of the database");
    }
    if (st == AQ_OK) {
        p->exists = !place_is_absent(&p->text);
    }
    return st;
}

aq_status place_find(const struct aq_client *client, const struct plugin *plugin, struct aq_str app,
                     struct place *ret, struct aq_error *err)
{
    const struct wish w = place_wish(client, plugin);
    *ret = (struct place){
        .plugin = plugin,
        .shared = place_wish_is_shared(&w),
        .exists = true,
        .login = w.login,
        .text = BUF(PATH_MAX),
    };
    aq_status st = place_check(plugin, &w, err);
    if (st == AQ_OK && w.in_file) {
        st = place_in_file(ret, &w, app, err);
        ret->path.text = buf_str(&ret->text);
    }
    return st;
}

static bool place_setting_tells(const struct aq_setting *declared)
{
    const struct aq_str key = str_from(declared->key);
    const bool is_text = declared->type == AQ_SETTING_STRING || declared->type == AQ_SETTING_PATH;
    return is_text && !declared->env && !(declared->flags & AQ_SETTING_SECRET) &&
           !str_eq(key, AQ_STR("path")) && !str_eq(key, AQ_STR("login")); /* are in the place */
}

void place_describe(const struct aq_client *client, const struct place *place, struct buf *out)
{
    for (uint32_t i = 0; i < place->plugin->info.setting_count; i++) {
        const struct aq_setting declared = plugin_setting(place->plugin, i);
        if (place_setting_tells(&declared)) {
            struct settings_value value = settings_get_plugin(&client->settings, "store",
                                                              place->plugin->info.name, &declared);
            buf_printf(out, "\n%s=%.*s", declared.key, AQ_STR_ARG(value.text));
        }
    }
}

bool place_has_logins(const struct plugin *plugin)
{
    struct aq_setting path;
    return place_declares(plugin, AQ_STR("path"), &path);
}

aq_status place_of_login(const struct plugin *plugin, struct aq_str app, struct aq_str login,
                         struct place *ret, struct aq_error *err)
{
    const struct wish w = { .in_file = true,
                            .login = { .text = login, .origin = SETTINGS_FORCED } };
    *ret = (struct place){
        .plugin = plugin,
        .shared = login.len,
        .exists = true,
        .text = BUF(PATH_MAX),
    };
    aq_status st = place_in_file(ret, &w, app, err);
    ret->path.text = buf_str(&ret->text);
    ret->path.origin = SETTINGS_FORCED;
    return st;
}

aq_status place_open(struct aq_client *client, const struct place *place, struct store *ret,
                     struct aq_error *err)
{
    const struct host_value values[] = {
        { "path", place->path },
        { "login", place->login },
        { "interactive", { .text = AQ_STR("false"), .origin = SETTINGS_FORCED } },
    };
    aq_status st = store_open(place->plugin, &client->settings, values, place->silent ? 3 : 2,
                              &client->log, ret, err);
    if (st != AQ_OK) {
        store_close(ret);
    }
    return st;
}
