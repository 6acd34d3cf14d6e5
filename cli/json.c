/* SPDX-License-Identifier: Apache-2.0 */
#include "json.h"
#include "scalar.h"

#include <string.h>

bool json_is_pretty(const char *name)
{
    return strcmp(name, "json-pretty") == 0;
}

bool json_is_format(const char *name)
{
    return strcmp(name, "json") == 0 || json_is_pretty(name);
}

static void line(struct json *j)
{
    if (j->pretty) {
        text_add_char(j->out, '\n');
        for (int i = 0; i < j->depth; i++) {
            text_add_literal(j->out, "  ");
        }
    }
}

/* A comma or not, and a new line or not. */
static void separate(struct json *j)
{
    if (j->comma) {
        text_add_char(j->out, ',');
    }
    j->comma = true;
    line(j);
}

/* key is NULL in an array. */
static void begin_member(struct json *j, const char *key)
{
    separate(j);
    if (!key) {
        return;
    }
    text_add_char(j->out, '"');
    text_add_literal(j->out, key);
    text_add_literal(j->out, j->pretty ? "\": " : "\":");
}

static void open_with(struct json *j, const char *key, char bracket)
{
    if (j->depth > 0) {
        begin_member(j, key);
    }
    text_add_char(j->out, bracket);
    j->comma = false;
    j->depth++;
}

static void close_with(struct json *j, char bracket)
{
    j->depth--;
    if (j->comma) {
        line(j);
    }
    text_add_char(j->out, bracket);
    j->comma = true;
}

void json_open(struct json *j, const char *key)
{
    open_with(j, key, '{');
}

void json_close(struct json *j)
{
    close_with(j, '}');
    if (j->depth == 0) {
        text_add_char(j->out, '\n');
    }
}

void json_open_array(struct json *j, const char *key)
{
    open_with(j, key, '[');
}

void json_close_array(struct json *j)
{
    close_with(j, ']');
}

/* \uXXXX: one UTF-16 code unit. */
static void add_unit(struct text *out, uint32_t unit)
{
    static const char hex[] = "0123456789abcdef";
    text_add_literal(out, "\\u");
    for (int shift = 12; shift >= 0; shift -= 4) {
        text_add_char(out, hex[unit >> shift & 0xF]);
    }
}

static void add_scalar(struct text *out, uint32_t scalar)
{
    if (scalar == '"' || scalar == '\\') {
        text_add_char(out, '\\');
        text_add_char(out, (char)scalar);
    } else if (scalar >= 0x20 && scalar <= 0x7E) {
        text_add_char(out, (char)scalar);
    } else if (scalar <= 0xFFFF) {
        add_unit(out, scalar);
    } else { /* a surrogate pair, RFC 8259 section 7 */
        add_unit(out, 0xD800 + ((scalar - 0x10000) >> 10));
        add_unit(out, 0xDC00 + (scalar & 0x3FF));
    }
}

static void add_quoted(struct text *out, struct aq_str value)
{
    text_add_char(out, '"');
    for (size_t at = 0; at < value.len;) {
        uint32_t scalar;
        size_t len = scalar_read(value.ptr + at, value.len - at, &scalar);
        add_scalar(out, scalar);
        at = len > 0 ? at + len : value.len; /* 0: cut at the end, one U+FFFD */
    }
    text_add_char(out, '"');
}

void json_compact(struct aq_str value, struct text *out)
{
    bool in_string = false;
    for (size_t at = 0; at < value.len;) {
        const char c = value.ptr[at];
        uint32_t scalar;
        size_t len = scalar_read(value.ptr + at, value.len - at, &scalar);
        if (in_string && c == '\\' && at + 1 < value.len) { /* with what it escapes */
            text_add(out, (struct aq_str){ value.ptr + at, 2 });
            len = 2;
        } else if (c == '"' || (scalar > 0x20 && scalar <= 0x7E) || (in_string && c == ' ')) {
            text_add_char(out, c);
            in_string = in_string != (c == '"');
        } else if (in_string) {
            add_scalar(out, scalar);
        }
        at = len > 0 ? at + len : value.len;
    }
}

void json_string(struct json *j, const char *key, struct aq_str value)
{
    begin_member(j, key);
    add_quoted(j->out, value);
}

void json_string_or_null(struct json *j, const char *key, struct aq_str value)
{
    if (value.len > 0) {
        json_string(j, key, value);
    } else {
        json_null(j, key);
    }
}

void json_string_if_any(struct json *j, const char *key, struct aq_str value)
{
    if (value.len > 0) {
        json_string(j, key, value);
    }
}

void json_integer(struct json *j, const char *key, int64_t value)
{
    begin_member(j, key);
    text_add_integer(j->out, value);
}

void json_boolean(struct json *j, const char *key, bool value)
{
    begin_member(j, key);
    text_add_literal(j->out, value ? "true" : "false");
}

void json_raw(struct json *j, struct aq_str key, struct aq_str value)
{
    separate(j);
    add_quoted(j->out, key);
    text_add_literal(j->out, j->pretty ? ": " : ":");
    json_compact(value, j->out);
}

void json_null(struct json *j, const char *key)
{
    begin_member(j, key);
    text_add_literal(j->out, "null");
}
