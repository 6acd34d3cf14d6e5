/* SPDX-License-Identifier: Apache-2.0 */
#include "describe.h"
#include "terminal.h"

#include <stdio.h>
#include <string.h>

enum { NAME_COLUMN = 24, VERSION_COLUMN = 32, DIGEST_LEN = 65 };

static const char *kind_name(int32_t kind)
{
    return kind == AQ_PLUGIN_STORE ? "store" : kind == AQ_PLUGIN_TRANSPORT ? "transport" : "plugin";
}

static void add_line(struct text *out, const char *label, struct aq_str value)
{
    text_add_literal(out, label);
    terminal_clean_line(value, out);
    text_add_char(out, '\n');
}

static void fill(struct text *out, size_t begin, size_t column)
{
    do {
        text_add_char(out, ' ');
    } while (out->len < begin + column);
}

/* ---- a list ---- */

static void list_plain(const struct aq_catalog_entry *e, const struct aq_plugin *plugin,
                       const char *why, struct text *out)
{
    const size_t begin = out->len;
    text_add_literal(out, kind_name(e->kind));
    text_add_char(out, '-');
    terminal_clean_line(e->name, out);
    fill(out, begin, NAME_COLUMN);
    terminal_clean_line(plugin ? text_of(plugin->version) : AQ_STR("broken"), out);
    fill(out, begin, VERSION_COLUMN);
    terminal_clean_line(plugin ? e->path : text_of(why), out);
    text_add_literal(out, e->flags & AQ_CATALOG_HIDDEN
                              ? " (hidden: a directory before it has one of that name)\n"
                              : "\n");
}

static void list_json(const struct aq_catalog_entry *e, const struct aq_plugin *plugin,
                      const char *why, struct json *j)
{
    json_open(j, NULL);
    json_string(j, "kind", text_of(kind_name(e->kind)));
    json_string(j, "name", e->name);
    json_string(j, "path", e->path);
    json_boolean(j, "own", e->flags & AQ_CATALOG_OWN);
    json_boolean(j, "hidden", e->flags & AQ_CATALOG_HIDDEN);
    json_boolean(j, "usable", plugin != NULL);
    if (plugin) {
        json_string_or_null(j, "version", text_of(plugin->version));
        json_string_or_null(j, "summary", text_of(plugin->summary));
    } else {
        json_string(j, "error", text_of(why));
    }
    json_close(j);
}

void describe_in_list(const void *arg, const struct aq_plugin *plugin, const char *why,
                      struct text *out)
{
    const struct described *d = arg;
    if (d->json) {
        struct json j = *d->json; /* where the list is */
        j.out = out;
        list_json(d->entry, plugin, why, &j);
    } else {
        list_plain(d->entry, plugin, why, out);
    }
}

/* ---- in full ---- */

/* The i-th setting in today's shape. */
static struct aq_setting setting_at(const struct aq_plugin *plugin, uint32_t i)
{
    struct aq_setting setting = { 0 };
    const uint32_t stride = plugin->setting_stride;
    memcpy(&setting, (const char *)plugin->settings + (size_t)i * stride,
           stride < sizeof(setting) ? stride : sizeof(setting));
    return setting;
}

static const char *type_name(int32_t type)
{
    static const char *const names[] = { "string", "integer", "boolean", "path" };
    return type >= AQ_SETTING_STRING && type <= AQ_SETTING_PATH ? names[type - 1] : "unknown";
}

static bool has_range(const struct aq_setting *s)
{
    return s->type == AQ_SETTING_INTEGER && (s->min || s->max);
}

static void setting_plain(const struct aq_plugin *plugin, const struct aq_setting *s,
                          struct text *out)
{
    text_add_literal(out, "  ");
    text_add_literal(out, kind_name(plugin->kind));
    text_add_char(out, '.');
    text_add_literal(out, plugin->name);
    text_add_char(out, '.');
    text_add_literal(out, s->key);
    text_add_literal(out, "\n    ");
    text_add_literal(out, type_name(s->type));
    if (has_range(s)) {
        text_add_literal(out, " from ");
        text_add_integer(out, s->min);
        text_add_literal(out, " to ");
        text_add_integer(out, s->max);
    }
    text_add_literal(out, s->flags & AQ_SETTING_REQUIRED ? ", required" : "");
    text_add_literal(out, s->flags & AQ_SETTING_SECRET ? ", secret" : "");
    if (s->default_value && !(s->flags & AQ_SETTING_SECRET)) {
        text_add_literal(out, ", default ");
        terminal_clean_line(text_of(s->default_value), out);
    }
    if (s->env) {
        text_add_literal(out, ", environment ");
        terminal_clean_line(text_of(s->env), out);
    }
    text_add_char(out, '\n');
    if (s->help) {
        add_line(out, "    ", text_of(s->help));
    }
}

static void full_plain(const struct aq_plugin *plugin, struct aq_str path, const char *digest,
                       struct text *out)
{
    text_add_literal(out, kind_name(plugin->kind));
    text_add_char(out, '-');
    text_add_literal(out, plugin->name);
    text_add_char(out, ' ');
    terminal_clean_line(text_of(plugin->version), out);
    add_line(out, ": ", text_of(plugin->summary));
    add_line(out, "file:      ", path);
    add_line(out, "sha256:    ", text_of(digest));
    text_add_literal(out, "ABI minor: ");
    text_add_integer(out, plugin->abi_minor);
    text_add_literal(out, plugin->setting_count ? "\nsettings:\n" : "\nno settings\n");
    for (uint32_t i = 0; i < plugin->setting_count; i++) {
        const struct aq_setting s = setting_at(plugin, i);
        setting_plain(plugin, &s, out);
    }
}

static void setting_json(const struct aq_setting *s, struct json *j)
{
    json_open(j, NULL);
    json_string(j, "key", text_of(s->key));
    json_string(j, "type", text_of(type_name(s->type)));
    json_boolean(j, "required", s->flags & AQ_SETTING_REQUIRED);
    json_boolean(j, "secret", s->flags & AQ_SETTING_SECRET);
    if (!(s->flags & AQ_SETTING_SECRET)) {
        json_string_or_null(j, "default", text_of(s->default_value));
    }
    json_open_array(j, "env");
    for (const char *at = s->env; at && *at; at += *at == ',') {
        const size_t len = strcspn(at, ",");
        json_string(j, NULL, (struct aq_str){ at, len });
        at += len;
    }
    json_close_array(j);
    if (has_range(s)) {
        json_integer(j, "min", s->min);
        json_integer(j, "max", s->max);
    }
    json_string_or_null(j, "help", text_of(s->help));
    json_close(j);
}

static void full_json(const struct aq_plugin *plugin, struct aq_str path, const char *digest,
                      struct json *j)
{
    json_open(j, NULL);
    json_string(j, "kind", text_of(kind_name(plugin->kind)));
    json_string(j, "name", text_of(plugin->name));
    json_string_or_null(j, "version", text_of(plugin->version));
    json_string_or_null(j, "summary", text_of(plugin->summary));
    json_integer(j, "abi_minor", plugin->abi_minor);
    json_string(j, "path", path);
    json_string(j, "sha256", text_of(digest));
    json_open_array(j, "settings");
    for (uint32_t i = 0; i < plugin->setting_count; i++) {
        const struct aq_setting s = setting_at(plugin, i);
        setting_json(&s, j);
    }
    json_close_array(j);
    json_integer(j, "schema_version", 1);
    json_close(j);
}

void describe_in_full(const void *arg, const struct aq_plugin *plugin, const char *why,
                      struct text *out)
{
    const struct described *d = arg;
    char digest[DIGEST_LEN] = "";
    struct aq_error err;
    if (!plugin) {
        text_add_literal(out, why);
        return;
    }
    (void)aq_catalog_digest(d->entry->path, digest, &err);
    if (d->json) {
        struct json j = *d->json;
        j.out = out;
        full_json(plugin, d->entry->path, digest, &j);
    } else {
        full_plain(plugin, d->entry->path, digest, out);
    }
}
