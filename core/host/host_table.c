/* SPDX-License-Identifier: Apache-2.0 */
#include "host/host_table.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/str.h"
#include "host/paths.h"

#include <amazonq/client.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- the functions a plugin may call ---- */

static void host_log(void *ctx, int32_t level, struct aq_str line)
{
    struct host_table *h = ctx;
    if (!line.ptr && line.len) {
        host_note(h, "log was given a length without a text");
        return;
    }
    log_add(h->log, level, line);
}

static uint64_t host_now_us(void *ctx)
{
    (void)ctx;
    return clock_now_us();
}

static aq_status host_put(void *ctx, void *sink, struct aq_str key, struct aq_bytes value)
{
    struct host_table *h = ctx;
    struct host_sink *open = h->sink;
    if (!open || sink != open) {
        return host_note(h, "put was called with a sink that is not open");
    }
    if ((!key.ptr && key.len) || (!value.ptr && value.len)) {
        return host_note(h, "put was given a length without bytes");
    }
    if (!str_eq(key, open->key)) {
        return host_note(h, "put was given another key than get was asked for");
    }
    if (open->filled) {
        return host_note(h, "put was called twice for one key");
    }
    open->filled = true;
    buf_add_bytes(open->value, value);
    return buf_status(open->value);
}

static void host_ready(void *ctx, void *cookie)
{
    struct host_table *h = ctx;
    if (h->on_ready) {
        h->on_ready(h->ready_ctx, cookie);
    } else {
        host_note(h, "ready was called by a store");
    }
}

/* ---- judging what a plugin does ---- */

aq_status host_note(struct host_table *h, const char *breach)
{
    h->breach = h->breach ? h->breach : breach; /* the first one is the cause */
    return AQ_E_STATE;
}

aq_status host_breach(const struct host_table *h, struct aq_error *err, const char *format, ...)
{
    char what[160];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof(what), format, args);
    va_end(args);
    return error_set(err, AQ_E_PLUGIN,
                     "%s '%s': broke its contract, %s; update it or choose another",
                     loader_kind_name(h->plugin->info.kind), h->plugin->info.name, what);
}

/* A person who reads of a path must know which variable, or whose settings, named it: append that.
 */
static void host_add_origin(const struct host_table *h, const char *text, struct buf *out)
{
    bool transport = h->plugin->info.kind == AQ_PLUGIN_TRANSPORT;
    for (uint32_t i = 0; transport && h->chosen && i < h->value_count; i++) {
        const struct settings_value *chosen = &h->chosen[i];
        const struct aq_str path = h->values[i].text;
        bool named = chosen->variable.len || chosen->origin == SETTINGS_FILE;
        if (named && path.len > 1 && plugin_setting(h->plugin, i).type == AQ_SETTING_PATH &&
            strstr(text, path.ptr)) {
            buf_add(out, AQ_STR(" (the path is "));
            settings_place(h->settings, chosen, out);
            buf_add_char(out, ')');
            return;
        }
    }
}

/* least: the last of the groups of statuses that the function may return */
static aq_status host_judge(struct host_table *h, const char *function, aq_status least,
                            aq_status most, aq_status st, struct aq_error *err)
{
    if (h->breach) {
        const char *breach = h->breach;
        h->breach = NULL;
        return host_breach(h, err, "%s", breach);
    }
    if (st > most || st < least || strcmp(aq_status_name(st), "AQ_E_UNKNOWN") == 0) {
        return host_breach(h, err, "%s returned %ld (%s)", function, (long)st, aq_status_name(st));
    }
    if (st >= 0) {
        return st;
    }
    if (err->status != st || err->text[0] == '\0') {
        return error_set(err, st, "%s '%s': failed without saying why (%s)",
                         loader_kind_name(h->plugin->info.kind), h->plugin->info.name,
                         aq_status_name(st));
    }
    struct aq_error said = *err;
    AUTO(buf) struct buf origin = BUF(sizeof(said.text));
    said.text[sizeof(said.text) - 1] = '\0';
    host_add_origin(h, said.text, &origin);
    error_set(err, st, "%s%.*s", said.text, AQ_STR_ARG(buf_str(&origin))); /* printable now */
    err->sys = said.sys;
    err->http = said.http;
    err->flags = said.flags;
    return st;
}

/* A plugin fails for reasons of its own, of a store's or of the network; what a login or an answer
 * of the service means is not for it to say. */
aq_status host_result(struct host_table *h, const char *function, aq_status most, aq_status st,
                      struct aq_error *err)
{
    if (st >= AQ_OK && st <= most && !h->breach) {
        return st; /* as nearly always, with every byte that comes */
    }
    return host_judge(h, function, AQ_E_LIMIT, most, st, err);
}

aq_status host_result_grant(struct host_table *h, aq_status st, struct aq_error *err)
{
    return host_judge(h, "grant", AQ_E_NOT_SAVED, AQ_AGAIN, st, err);
}

/* ---- settings ---- */

enum {
    SETTING_NAME_MAX = 160, /* bytes; loader.c has checked its parts */
    RANGE_MAX = 80,         /* "a whole number between A and B" */
};

static struct settings_value host_table_choose(const struct plugin *plugin,
                                               const struct settings *settings,
                                               const struct aq_setting *setting,
                                               const struct host_value *values, uint32_t count)
{
    struct settings_value chosen = settings_get_plugin(
        settings, loader_kind_name(plugin->info.kind), plugin->info.name, setting);
    for (uint32_t i = 0; i < count; i++) {
        bool same = str_eq(str_from(values[i].key), str_from(setting->key));
        if (same && values[i].value.text.len && values[i].value.origin > chosen.origin) {
            chosen = values[i].value;
        }
    }
    return chosen;
}

/* What a setting of this type must be, if the text is not; NULL: it is. */
static const char *host_table_wanted(const struct aq_setting *setting,
                                     const struct settings_value *chosen, int64_t *ret_number,
                                     char buf[RANGE_MAX])
{
    bool ranged = setting->min || setting->max;
    bool fits = str_to_i64(chosen->text, ret_number) &&
                (!ranged || (*ret_number >= setting->min && *ret_number <= setting->max));
    switch (setting->type) {
    case AQ_SETTING_BOOLEAN:
        *ret_number = str_eq(chosen->text, AQ_STR("true"));
        return *ret_number || str_eq(chosen->text, AQ_STR("false")) ? NULL : "true or false";
    case AQ_SETTING_INTEGER:
        snprintf(buf, RANGE_MAX, "a whole number");
        if (ranged) {
            snprintf(buf, RANGE_MAX, "a whole number between %lld and %lld",
                     (long long)setting->min, (long long)setting->max);
        }
        return fits ? NULL : buf;
    default:
        return chosen->misfit ? "a string" : NULL;
    }
}

static aq_status host_table_value(struct host_table *h, const struct plugin *plugin,
                                  const struct settings *settings, const struct aq_setting *setting,
                                  struct settings_value chosen, struct aq_setting_value *ret,
                                  struct aq_error *err)
{
    char key[SETTING_NAME_MAX];
    char name[SETTING_NAME_MAX + sizeof("setting ''")];
    char range[RANGE_MAX];
    snprintf(key, sizeof(key), "%s.%s.%s", loader_kind_name(plugin->info.kind), plugin->info.name,
             setting->key);
    snprintf(name, sizeof(name), "setting '%s'", key);

    if (chosen.origin == SETTINGS_NOWHERE || chosen.text.len == 0) {
        return !(setting->flags & AQ_SETTING_REQUIRED) ? AQ_OK
               : setting->env ? error_set(err, AQ_E_INVALID, "%s: has no value, set it or %s", name,
                                          setting->env)
                              : error_set(err, AQ_E_INVALID, "%s: has no value, set it", name);
    }
    const char *wanted = host_table_wanted(setting, &chosen, &ret->number, range);
    if (wanted) {
        return settings_refuse(settings, key, &chosen, setting->flags & AQ_SETTING_SECRET, wanted,
                               err);
    }
    AUTO(buf) struct buf path = BUF(0);
    if (setting->type == AQ_SETTING_PATH) {
        aq_status st = paths_expand(str_from(name), chosen.text, &path, err);
        if (st != AQ_OK) {
            return st;
        }
        chosen.text = buf_str(&path);
    }
    buf_add(&h->texts, chosen.text);
    buf_add_char(&h->texts, '\0');
    ret->text =
        (struct aq_str){ "", chosen.text.len }; /* texts may still move: pointed there later */
    return AQ_OK;
}

static aq_status host_table_settings(struct host_table *h, const struct plugin *plugin,
                                     const struct settings *settings,
                                     const struct host_value *values, uint32_t count,
                                     struct aq_error *err)
{
    for (uint32_t i = 0; i < h->value_count; i++) {
        struct aq_setting setting = plugin_setting(plugin, i);
        struct settings_value chosen = host_table_choose(plugin, settings, &setting, values, count);
        h->chosen[i] = chosen;
        aq_status st = host_table_value(h, plugin, settings, &setting, chosen, &h->values[i], err);
        if (st != AQ_OK) {
            return st;
        }
    }
    if (buf_status(&h->texts) != AQ_OK) {
        return error_nomem(err, "settings");
    }
    const char *at = (const char *)h->texts.ptr;
    for (uint32_t i = 0; i < h->value_count; i++) {
        if (h->values[i].text.ptr) {
            h->values[i].text.ptr = at;
            at += h->values[i].text.len + 1;
        }
    }
    return AQ_OK;
}

/* The caller's "KIND.NAME.KEY" must be a key of ours: a typo must not count as "not set". (Not so
 * in settings.json, which other programs and other versions share.) */
static aq_status host_table_check_keys(const struct plugin *plugin, const struct settings *settings,
                                       struct aq_error *err)
{
    char text[SETTING_NAME_MAX];
    struct aq_str key;
    snprintf(text, sizeof(text), "%s.%s.", loader_kind_name(plugin->info.kind), plugin->info.name);
    const struct aq_str prefix = str_from(text);
    for (uint32_t i = 0; (key = settings_explicit_key(settings, i)).len; i++) {
        bool known = !str_starts(key, prefix);
        for (uint32_t k = 0; k < plugin->info.setting_count && !known; k++) {
            known =
                str_eq(str_from_offset(key, prefix.len), str_from(plugin_setting(plugin, k).key));
        }
        if (!known) {
            return error_set(err, AQ_E_INVALID, "setting '%.*s': %s '%s' has no such setting",
                             AQ_STR_ARG(key), loader_kind_name(plugin->info.kind),
                             plugin->info.name);
        }
    }
    return AQ_OK;
}

aq_status host_table_init(struct host_table *h, const struct plugin *plugin,
                          const struct settings *settings, const struct host_value *values,
                          uint32_t count, struct log *log, struct aq_error *err)
{
    h->plugin = plugin;
    h->log = log;
    h->table = (struct aq_host){
        .struct_size = sizeof(h->table),
        .abi_minor = AQ_PLUGIN_ABI_MINOR,
        .ctx = h,
        .log = host_log,
        .now_us = host_now_us,
        .put = host_put,
        .ready = host_ready,
    };
    h->value_count = plugin->info.setting_count;
    h->settings = settings;
    h->values = alloc_array(h->value_count, sizeof(*h->values));
    h->chosen = alloc_array(h->value_count, sizeof(*h->chosen));
    if (!h->values || !h->chosen) {
        return error_nomem(err, "settings");
    }
    aq_status st = host_table_check_keys(plugin, settings, err);
    if (st == AQ_OK) {
        st = host_table_settings(h, plugin, settings, values, count, err);
    }
    if (st != AQ_OK) {
        return st;
    }
    h->args = (struct aq_open_args){
        .struct_size = sizeof(h->args),
        .value_count = h->value_count,
        .value_stride = sizeof(*h->values),
        .values = h->values,
        .host = &h->table,
    };
    return AQ_OK;
}

void host_table_done(struct host_table *h)
{
    alloc_free(h->values, h->value_count * sizeof(*h->values));
    alloc_free(h->chosen, h->value_count * sizeof(*h->chosen));
    buf_done(&h->texts);
    *h = (struct host_table){ 0 };
}
