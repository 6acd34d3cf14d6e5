/* SPDX-License-Identifier: Apache-2.0 */
/* q plugin list, info and path. */
#include "command.h"
#include "describe.h"
#include "exitcode.h"
#include "find.h"
#include "format.h"
#include "look.h"
#include "output.h"
#include "report.h"

#include <unistd.h>

int cmd_plugin_list(const struct options *o)
{
    AUTO(find) struct aq_catalog *catalog = NULL;
    AUTO(text) struct text out = { 0 };
    struct aq_catalog_entry entry = { .struct_size = sizeof(entry) };
    const char *format = format_of(o);
    int rc = format ? find_open(o, &catalog) : EXITCODE_USAGE;
    if (rc != EXITCODE_OK) {
        return rc;
    }
    struct json j = { .out = &out, .pretty = json_is_pretty(format) };
    const struct described described = { &entry, json_is_format(format) ? &j : NULL };
    if (described.json) {
        json_open(&j, NULL);
        json_open_array(&j, "plugins");
    }
    while (aq_catalog_next(catalog, &entry) == AQ_OK) {
        (void)look_at(catalog, entry.path, describe_in_list, &described, &out);
        j.comma = true;
    }
    if (described.json) {
        json_close_array(&j);
        json_integer(&j, "schema_version", 1);
        json_close(&j);
    }
    return output_result(STDOUT_FILENO, &out);
}

int cmd_plugin_info(const struct options *o)
{
    AUTO(find) struct aq_catalog *catalog = NULL;
    AUTO(text) struct text out = { 0 };
    struct aq_catalog_entry entry = { .struct_size = sizeof(entry) };
    const char *format = format_of(o);
    if (format && o->word_count == 0) {
        report_error("plugin: say which, its name or the path of a file");
    }
    if (!format || o->word_count == 0) {
        return EXITCODE_USAGE;
    }
    int rc = find_open(o, &catalog);
    if (rc == EXITCODE_OK) {
        rc = find_plugin(catalog, o->words[0], &entry);
    }
    if (rc != EXITCODE_OK) {
        return rc;
    }
    struct json j = { .out = &out, .pretty = json_is_pretty(format) };
    const struct described described = { &entry, json_is_format(format) ? &j : NULL };
    if (!look_at(catalog, entry.path, describe_in_full, &described, &out)) {
        report_error("%.*s", AQ_STR_ARG(text_view(&out)));
        return EXITCODE_STORE;
    }
    return output_result(STDOUT_FILENO, &out);
}

int cmd_plugin_path(const struct options *o)
{
    AUTO(find) struct aq_catalog *catalog = NULL;
    AUTO(text) struct text out = { 0 };
    struct aq_str path;
    const char *format = format_of(o);
    int rc = format ? find_open(o, &catalog) : EXITCODE_USAGE;
    if (rc != EXITCODE_OK) {
        return rc;
    }
    if (!json_is_format(format)) {
        while (aq_catalog_next_directory(catalog, &path) == AQ_OK) {
            text_add(&out, path);
            text_add_char(&out, '\n');
        }
        return output_result(STDOUT_FILENO, &out);
    }
    struct json j = { .out = &out, .pretty = json_is_pretty(format) };
    json_open(&j, NULL);
    json_open_array(&j, "path");
    while (aq_catalog_next_directory(catalog, &path) == AQ_OK) {
        json_string(&j, NULL, path);
    }
    json_close_array(&j);
    json_close(&j);
    return output_result(STDOUT_FILENO, &out);
}
