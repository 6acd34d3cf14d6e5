/* SPDX-License-Identifier: Apache-2.0 */
/* The face of host/settings_file.h. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/json.h"
#include "base/str.h"
#include "host/settings_file.h"

#include <amazonq/settings.h>
#include <limits.h>

struct aq_settings {
    struct buf path;
    struct buf json;
    struct json_reader reader;
    struct buf key;
    struct buf text;
};

void aq_settings_free(struct aq_settings *settings)
{
    if (settings) {
        buf_done(&settings->path);
        buf_done(&settings->json);
        buf_done(&settings->key);
        buf_done(&settings->text);
        alloc_free(settings, sizeof(*settings));
    }
}

static aq_status settings_load(struct aq_settings *settings, struct aq_error *err)
{
    settings->path.max = PATH_MAX;
    settings->json.max = SETTINGS_FILE_MAX;
    aq_status st = settings_file_path(&settings->path, err);
    if (st == AQ_OK) {
        st = settings_file_read((const char *)settings->path.ptr, &settings->json, err);
    }
    if (st == AQ_OK) {
        st = settings_check_text((const char *)settings->path.ptr, buf_str(&settings->json), err);
    }
    settings->reader = json_reader(buf_str(&settings->json));
    json_object(&settings->reader); /* nothing follows in an empty file */
    return st;
}

aq_status aq_settings_open(struct aq_settings **ret, struct aq_error *err)
{
    struct aq_settings *settings = ALLOC(struct aq_settings);
    if (!settings) {
        return error_nomem(err, "settings");
    }
    aq_status st = settings_load(settings, err);
    if (st != AQ_OK) {
        aq_settings_free(settings);
        return st;
    }
    *ret = settings;
    return AQ_OK;
}

struct aq_str aq_settings_path(const struct aq_settings *settings)
{
    return buf_str(&settings->path);
}

static bool settings_decode(const struct json_member *string, struct buf *out)
{
    buf_clear(out);
    if (buf_reserve(out, string->value.len)) {
        out->len = json_string_decode(string, (char *)out->ptr);
    }
    return buf_status(out) == AQ_OK;
}

aq_status aq_settings_next(struct aq_settings *settings, struct aq_settings_entry *ret)
{
    struct json_member member;
    struct aq_settings_entry entry = { .struct_size = ret->struct_size };
    if (ret->struct_size < sizeof(entry)) {
        return AQ_E_INVALID;
    }
    if (!json_next(&settings->reader, &member)) {
        return AQ_END;
    }
    const struct json_member key = {
        .value = { member.key.ptr - 1, member.key.len + 2 }, /* with its quotes */
        .type = JSON_STRING,
        .escaped = true,
    };
    if (!settings_decode(&key, &settings->key) ||
        (member.type == JSON_STRING && !settings_decode(&member, &settings->text))) {
        return AQ_E_NOMEM;
    }
    entry.key = buf_str(&settings->key);
    entry.json = member.value;
    if (member.type == JSON_STRING) {
        entry.text = buf_str(&settings->text);
    }
    *ret = entry;
    return AQ_OK;
}

aq_status aq_settings_change(struct aq_str key, struct aq_str value, struct aq_error *err)
{
    AUTO(buf) struct buf string = BUF(SETTINGS_FILE_MAX);
    if (key.len == 0) {
        return error_set(err, AQ_E_INVALID, "setting: has no name, give one");
    }
    if (value.ptr && !json_valid(value)) {
        buf_add_json(&string, value);
        if (buf_status(&string) != AQ_OK) {
            return error_set(err, AQ_E_INVALID, "setting '%.*s': the value is too long",
                             AQ_STR_ARG(key));
        }
        value = buf_str(&string);
    }
    return settings_file_change(key, value, err);
}
