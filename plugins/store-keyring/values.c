/* SPDX-License-Identifier: Apache-2.0 */
#include "values.h"

#include <glib.h>
#include <stdlib.h>
#include <string.h>

/* ---- life ---- */

static struct value *value_new(size_t key_len, size_t value_len)
{
    struct value *value = malloc(sizeof(*value) + key_len + value_len);
    if (value) {
        *value = (struct value){ NULL, key_len, value_len };
    }
    return value;
}

static void value_free(struct value *value)
{
    if (value) {
        explicit_bzero(value->bytes, value->key_len + value->value_len);
        free(value);
    }
}

void values_done(struct values *v)
{
    while (v->first) {
        struct value *value = v->first;
        v->first = value->next;
        value_free(value);
    }
}

void secret_text_done(struct secret_text *text)
{
    if (text->ptr) {
        explicit_bzero(text->ptr, text->len);
        free(text->ptr);
    }
    *text = (struct secret_text){ NULL, 0 };
}

/* ---- keys ---- */

struct aq_str value_key(const struct value *value)
{
    return (struct aq_str){ value->bytes, value->key_len };
}

struct aq_bytes value_bytes(const struct value *value)
{
    return (struct aq_bytes){ (const uint8_t *)value->bytes + value->key_len, value->value_len };
}

/* The link that points to the value of this key, or to the end of the list. */
static struct value **values_link(struct values *v, struct aq_str key)
{
    struct value **at = &v->first;
    while (*at && !((*at)->key_len == key.len && memcmp((*at)->bytes, key.ptr, key.len) == 0)) {
        at = &(*at)->next;
    }
    return at;
}

const struct value *values_find(const struct values *v, struct aq_str key)
{
    struct values list = *v;
    return *values_link(&list, key);
}

bool values_put(struct values *v, struct aq_str key, struct aq_bytes value)
{
    struct value *fresh = value_new(key.len, value.len);
    if (!fresh) {
        return false;
    }
    memcpy(fresh->bytes, key.ptr, key.len);
    if (value.len) {
        memcpy(fresh->bytes + key.len, value.ptr, value.len);
    }
    struct value **at = values_link(v, key);
    struct value *old = *at;
    fresh->next = old ? old->next : NULL;
    *at = fresh;
    value_free(old);
    return true;
}

void values_remove(struct values *v, struct aq_str key)
{
    struct value **at = values_link(v, key);
    struct value *old = *at;
    if (old) {
        *at = old->next;
        value_free(old);
    }
}

bool values_is_text(const char *ptr, size_t len)
{
    return len == 0 || g_utf8_validate_len(ptr, len, NULL);
}

/* ---- reading ---- */

struct cursor {
    const char *at, *end;
};

/* White space as JSON has it (RFC 8259, section 2). */
static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void cursor_skip(struct cursor *c)
{
    while (c->at < c->end && is_space(*c->at)) {
        c->at++;
    }
}

static bool cursor_take(struct cursor *c, char wanted)
{
    cursor_skip(c);
    if (c->at == c->end || *c->at != wanted) {
        return false;
    }
    c->at++;
    return true;
}

/* The text between two quotes, escapes and all. */
static bool cursor_string(struct cursor *c, struct cursor *ret)
{
    if (!cursor_take(c, '"')) {
        return false;
    }
    ret->at = c->at;
    while (c->at < c->end && *c->at != '"' && (unsigned char)*c->at >= 0x20) {
        c->at += *c->at == '\\' ? 2 : 1;
    }
    if (c->at >= c->end || *c->at != '"') {
        return false;
    }
    ret->end = c->at++;
    return true;
}

/* Four hexadecimal digits; -1 if they are none. */
static int32_t cursor_hex(struct cursor *c)
{
    int32_t number = 0;
    for (int i = 0; i < 4; i++) {
        int digit = c->at < c->end ? g_ascii_xdigit_value(*c->at) : -1;
        if (digit < 0) {
            return -1;
        }
        number = number * 16 + digit;
        c->at++;
    }
    return number;
}

/* What follows "\u": one character, perhaps as two halves. 0 if it is none that may stand here. */
static gunichar cursor_character(struct cursor *c)
{
    int32_t high = cursor_hex(c);
    if (high < 0xd800 || high > 0xdfff) {
        return high > 0 ? (gunichar)high : 0;
    }
    if (high > 0xdbff || c->end - c->at < 2 || c->at[0] != '\\' || c->at[1] != 'u') {
        return 0;
    }
    c->at += 2;
    int32_t low = cursor_hex(c);
    return low >= 0xdc00 && low <= 0xdfff
               ? 0x10000 + (((gunichar)high - 0xd800) << 10) + ((gunichar)low - 0xdc00)
               : 0;
}

/* Decode into `out`, which has room for the text as written; *ret_len bytes of it are used. */
static bool cursor_decode(struct cursor c, char *out, size_t *ret_len)
{
    static const char names[] = "\"\\/bfnrt";
    static const char meant[] = "\"\\/\b\f\n\r\t";
    char *to = out;
    while (c.at < c.end) {
        if (*c.at != '\\') {
            *to++ = *c.at++;
            continue;
        }
        c.at++;
        const char *name = memchr(names, *c.at, sizeof(names) - 1);
        if (name) {
            *to++ = meant[name - names];
            c.at++;
        } else if (*c.at == 'u') {
            c.at++;
            gunichar character = cursor_character(&c);
            if (character == 0) {
                return false;
            }
            to += g_unichar_to_utf8(character, to);
        } else {
            return false;
        }
    }
    *ret_len = (size_t)(to - out);
    return true;
}

static aq_status values_add_raw(struct values *v, struct cursor key, struct cursor text)
{
    size_t raw_len = (size_t)(key.end - key.at) + (size_t)(text.end - text.at);
    struct value *value = value_new(raw_len, 0);
    size_t key_len;
    size_t value_len;
    if (!value) {
        return AQ_E_NOMEM;
    }
    if (!cursor_decode(key, value->bytes, &key_len) ||
        !cursor_decode(text, value->bytes + key_len, &value_len)) {
        value_free(value);
        return AQ_E_CORRUPT;
    }
    explicit_bzero(value->bytes + key_len + value_len, raw_len - key_len - value_len);
    value->key_len = key_len;
    value->value_len = value_len;
    struct value **end = values_link(v, value_key(value));
    if (*end) {
        value_free(value); /* twice: which of them counts? */
        return AQ_E_CORRUPT;
    }
    *end = value;
    return AQ_OK;
}

aq_status values_parse(struct aq_str json, struct values *ret)
{
    struct cursor c = { json.ptr, json.ptr + json.len };
    struct cursor key;
    struct cursor text;
    if (!values_is_text(json.ptr, json.len) || !cursor_take(&c, '{')) {
        return AQ_E_CORRUPT;
    }
    bool more = !cursor_take(&c, '}');
    while (more) {
        if (!cursor_string(&c, &key) || !cursor_take(&c, ':') || !cursor_string(&c, &text)) {
            return AQ_E_CORRUPT;
        }
        aq_status st = values_add_raw(ret, key, text);
        if (st != AQ_OK) {
            return st;
        }
        more = cursor_take(&c, ',');
        if (!more && !cursor_take(&c, '}')) {
            return AQ_E_CORRUPT;
        }
    }
    cursor_skip(&c);
    return c.at == c.end ? AQ_OK : AQ_E_CORRUPT;
}

/* ---- writing ---- */

/* Append one byte, or only count it. */
static void add_byte(char *out, size_t *len, char byte)
{
    if (out) {
        out[*len] = byte;
    }
    (*len)++;
}

static void add_string(char *out, size_t *len, const char *text, size_t text_len)
{
    static const char digits[] = "0123456789abcdef";
    add_byte(out, len, '"');
    for (size_t i = 0; i < text_len; i++) {
        unsigned char byte = (unsigned char)text[i];
        if (byte < 0x20) {
            const char escape[] = { '\\', 'u', '0', '0', digits[byte >> 4], digits[byte & 15] };
            for (size_t k = 0; k < sizeof(escape); k++) {
                add_byte(out, len, escape[k]);
            }
            continue;
        }
        if (byte == '"' || byte == '\\') {
            add_byte(out, len, '\\');
        }
        add_byte(out, len, (char)byte);
    }
    add_byte(out, len, '"');
}

static size_t add_object(char *out, const struct values *v)
{
    size_t len = 0;
    add_byte(out, &len, '{');
    for (const struct value *value = v->first; value; value = value->next) {
        if (value != v->first) {
            add_byte(out, &len, ',');
        }
        add_string(out, &len, value->bytes, value->key_len);
        add_byte(out, &len, ':');
        add_string(out, &len, value->bytes + value->key_len, value->value_len);
    }
    add_byte(out, &len, '}');
    return len;
}

bool values_write(const struct values *v, struct secret_text *ret)
{
    size_t len = add_object(NULL, v);
    char *text = malloc(len);
    if (!text) {
        return false;
    }
    add_object(text, v);
    *ret = (struct secret_text){ text, len };
    return true;
}
