/* SPDX-License-Identifier: Apache-2.0 */
#include "command.h"
#include "exitcode.h"
#include "format.h"
#include "json.h"
#include "output.h"
#include "program.h"
#include "report.h"
#include "terminal.h"

#include <string.h>
#include <unistd.h>

static void settings_done(struct aq_settings **settings)
{
    aq_settings_free(*settings);
}

/* The store's own exit code would be wrong here: no store was touched. */
static int fail(aq_status st, const struct aq_error *err)
{
    report_error("%s", err->text);
    return st == AQ_E_INVALID ? EXITCODE_USAGE : EXITCODE_OTHER;
}

/* A proxy may be written as SCHEME://USER:PASSWORD@HOST; a list shows it to whoever looks on. */
static void add_masked(struct aq_str json, struct text *out)
{
    const char *scheme = memmem(json.ptr, json.len, "://", 3);
    const char *end = json.ptr + json.len;
    const char *user = scheme ? scheme + 3 : end;
    const char *at = user < end ? memrchr(user, '@', (size_t)(end - user)) : NULL;
    const char *colon = at ? memchr(user, ':', (size_t)(at - user)) : NULL;
    if (!colon) {
        text_add(out, json);
        return;
    }
    text_add(out, (struct aq_str){ json.ptr, (size_t)(colon + 1 - json.ptr) });
    text_add_literal(out, "***");
    text_add(out, (struct aq_str){ at, (size_t)(end - at) });
}

static void list_plain(struct aq_settings *settings, struct text *out)
{
    struct aq_settings_entry entry = { .struct_size = sizeof(entry) };
    while (aq_settings_next(settings, &entry) == AQ_OK) {
        AUTO(text) struct text masked = { 0 };
        AUTO(text) struct text compact = { 0 };
        add_masked(entry.json, &masked);
        json_compact(text_view(&masked), &compact);
        terminal_clean(entry.key, out);
        text_add_literal(out, " = ");
        text_add(out, text_view(&compact));
        text_add_char(out, '\n');
    }
}

static void list_json(struct aq_settings *settings, bool pretty, struct text *out)
{
    struct aq_settings_entry entry = { .struct_size = sizeof(entry) };
    struct json j = { .out = out, .pretty = pretty };
    json_open(&j, NULL);
    while (aq_settings_next(settings, &entry) == AQ_OK) {
        AUTO(text) struct text masked = { 0 };
        add_masked(entry.json, &masked);
        json_raw(&j, entry.key, text_view(&masked));
    }
    json_close(&j);
}

static int list(struct aq_settings *settings, const char *format)
{
    AUTO(text) struct text out = { 0 };
    if (json_is_format(format)) {
        list_json(settings, json_is_pretty(format), &out);
    } else {
        list_plain(settings, &out);
    }
    return output_result(STDOUT_FILENO, &out);
}

/* Of a key that is there twice the later one counts. */
static int get(struct aq_settings *settings, const char *key, const char *format)
{
    AUTO(text) struct text out = { 0 };
    struct aq_settings_entry entry = { .struct_size = sizeof(entry) };
    bool found = false;
    while (aq_settings_next(settings, &entry) == AQ_OK) {
        if (!text_is(entry.key, key)) {
            continue;
        }
        found = true;
        text_clear(&out);
        if (entry.text.ptr && !json_is_format(format)) {
            terminal_clean(entry.text, &out);
        } else {
            json_compact(entry.json, &out);
        }
        text_add_char(&out, '\n');
    }
    if (!found) {
        report_error("setting '%s': is not set, set it with '%s settings %s VALUE'", key,
                     program_name(), key);
        return EXITCODE_OTHER;
    }
    return output_result(STDOUT_FILENO, &out);
}

static int show(const struct options *o, const char *format)
{
    __attribute__((cleanup(settings_done))) struct aq_settings *settings = NULL;
    struct aq_error err;
    aq_status st = aq_settings_open(&settings, &err);
    if (st != AQ_OK) {
        return fail(st, &err);
    }
    return strcmp(o->words[0], "list") == 0 ? list(settings, format)
                                            : get(settings, o->words[0], format);
}

static int change(struct aq_str key, struct aq_str value)
{
    struct aq_error err;
    aq_status st = aq_settings_change(key, value, &err);
    return st == AQ_OK ? EXITCODE_OK : fail(st, &err);
}

int cmd_settings(const struct options *o)
{
    const char *format = format_of(o);
    const bool removes = options_has(o, OPTION_DELETE);
    if (!format) {
        return EXITCODE_USAGE;
    }
    if (o->word_count == 0 || (removes && o->word_count > 1)) {
        report_error("settings: say which, KEY, KEY VALUE, --delete KEY, or list");
        return EXITCODE_USAGE;
    }
    if (removes) {
        return change(text_of(o->words[0]), (struct aq_str){ NULL, 0 });
    }
    return o->word_count == 2 ? change(text_of(o->words[0]), text_of(o->words[1]))
                              : show(o, format);
}
