/* SPDX-License-Identifier: Apache-2.0 */
#include "reply.h"

#include <stdint.h>
#include <string.h>

/* What has not been read yet. */
struct scan {
    const char *at, *end;
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r'; /* a newline ends the reply */
}

static void skip_space(struct scan *s)
{
    while (s->at < s->end && is_space(*s->at)) {
        s->at++;
    }
}

static bool take(struct scan *s, char c)
{
    skip_space(s);
    if (s->at == s->end || *s->at != c) {
        return false;
    }
    s->at++;
    return true;
}

/* A string with its quotes. */
static bool take_string(struct scan *s, struct aq_str *ret)
{
    skip_space(s);
    const char *start = s->at;
    if (!take(s, '"')) {
        return false;
    }
    while (s->at < s->end && *s->at != '"') {
        s->at += *s->at == '\\' && s->end - s->at > 1 ? 2 : 1;
    }
    if (s->at == s->end) {
        return false;
    }
    s->at++;
    *ret = (struct aq_str){ start, (size_t)(s->at - start) };
    return true;
}

/* A number, a literal, or an object or array with all that is in it. */
static bool take_other(struct scan *s, struct aq_str *ret)
{
    const char *start = s->at;
    struct aq_str ignored;
    int depth = 0;
    for (; s->at < s->end; s->at++) {
        char c = *s->at;
        if (c == '"') {
            if (!take_string(s, &ignored)) {
                return false;
            }
            s->at--;
        } else if (c == '{' || c == '[') {
            depth++;
        } else if (depth == 0 && (c == ',' || c == '}' || is_space(c))) {
            break;
        } else if (c == '}' || c == ']') {
            depth--;
        }
    }
    *ret = (struct aq_str){ start, (size_t)(s->at - start) };
    return depth == 0 && ret->len > 0;
}

static bool take_value(struct scan *s, struct aq_str *ret)
{
    skip_space(s);
    return s->at < s->end && *s->at == '"' ? take_string(s, ret) : take_other(s, ret);
}

struct wanted {
    const char *key; /* with its quotes */
    struct aq_str *ret;
};

/* Read the wanted members of an object. False if the text is none. */
static bool read_object(struct aq_str text, const struct wanted *wanted, size_t count)
{
    struct scan s = { text.ptr, text.ptr + text.len };
    struct aq_str key, value;
    if (!take(&s, '{')) {
        return false;
    }
    bool more = !take(&s, '}');
    while (more) {
        if (!take_string(&s, &key) || !take(&s, ':') || !take_value(&s, &value)) {
            return false;
        }
        for (size_t i = 0; i < count; i++) {
            if (strlen(wanted[i].key) == key.len && !memcmp(wanted[i].key, key.ptr, key.len)) {
                *wanted[i].ret = value;
            }
        }
        more = take(&s, ',');
        if (!more && !take(&s, '}')) {
            return false;
        }
    }
    skip_space(&s);
    return s.at == s.end;
}

/* ---- texts ---- */

/* Four hexadecimal digits; -1 if they are not. */
static int32_t hex4(const char *at)
{
    int32_t value = 0;
    for (int i = 0; i < 4; i++) {
        char c = at[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0) {
            return -1;
        }
        value = value << 4 | digit;
    }
    return value;
}

static size_t put_scalar(uint32_t c, char out[4])
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    size_t len = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const uint8_t leads[] = { 0, 0, 0xC0, 0xE0, 0xF0 };
    for (size_t i = len - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (c & 0x3F));
        c >>= 6;
    }
    out[0] = (char)(leads[len] | c);
    return len;
}

/* \uXXXX, or two of them for one scalar value. Returns how much of the text it is. */
static size_t unescape_unit(const char *at, size_t left, uint32_t *ret)
{
    int32_t high = left >= 6 ? hex4(at + 2) : -1;
    *ret = 0xFFFD;
    if (high < 0) {
        return left < 2 ? left : 2;
    }
    if (high < 0xD800 || high > 0xDFFF) {
        *ret = (uint32_t)high;
        return 6;
    }
    int32_t low = left >= 12 && at[6] == '\\' && at[7] == 'u' ? hex4(at + 8) : -1;
    if (high > 0xDBFF || low < 0xDC00 || low > 0xDFFF) {
        return 6;
    }
    *ret = 0x10000 + ((uint32_t)(high - 0xD800) << 10) + (uint32_t)(low - 0xDC00);
    return 12;
}

static size_t unescape(const char *at, size_t left, uint32_t *ret)
{
    if (left > 1 && at[1] == 'u') {
        return unescape_unit(at, left, ret);
    }
    char c = left > 1 ? at[1] : ' ';
    *ret = c == '"' || c == '\\' || c == '/' ? (uint32_t)(unsigned char)c : ' '; /* one line */
    return left > 1 ? 2 : 1;
}

size_t reply_text(struct aq_str value, char *buf, size_t size)
{
    size_t len = 0;
    if (value.len >= 2 && value.ptr[0] == '"') {
        size_t end = value.len - 1;
        for (size_t at = 1; at < end;) {
            char bytes[4] = { value.ptr[at] };
            size_t count = 1;
            if (value.ptr[at] == '\\') {
                uint32_t scalar;
                at += unescape(value.ptr + at, end - at, &scalar);
                count = put_scalar(scalar, bytes);
            } else {
                at++;
            }
            if (len + count >= size) {
                break;
            }
            memcpy(buf + len, bytes, count);
            len += count;
        }
    }
    buf[len] = '\0';
    return len;
}

/* ---- replies ---- */

/* A whole number as it was written; 0 if it is none. */
static int32_t number(struct aq_str value)
{
    bool negative = value.len > 0 && value.ptr[0] == '-';
    int32_t n = 0;
    for (size_t i = negative; i < value.len; i++) {
        if (value.ptr[i] < '0' || value.ptr[i] > '9' || n > 9999) {
            return 0;
        }
        n = n * 10 + (value.ptr[i] - '0');
    }
    return negative ? -n : n;
}

/* Only what the contract lets a token server say; newer brokers may know more. */
static aq_status known(int32_t st)
{
    bool is = (st <= AQ_E_INVALID && st >= AQ_E_CANCELLED) ||
              (st <= AQ_E_NOTFOUND && st >= AQ_E_UNAVAILABLE) ||
              (st <= AQ_E_PLUGIN && st >= AQ_E_UNSUPPORTED) ||
              (st <= AQ_E_NETWORK && st >= AQ_E_LIMIT) ||
              (st <= AQ_E_NOT_LOGGED_IN && st >= AQ_E_NOT_SAVED);
    return is ? st : AQ_E_UNAVAILABLE;
}

static aq_status read_error(struct aq_str error, struct aq_error *err)
{
    static const char object[] = "broker: ";
    struct aq_str status = { NULL, 0 }, text = { NULL, 0 };
    const struct wanted wanted[] = { { "\"status\"", &status }, { "\"text\"", &text } };
    char said[sizeof(err->text)];
    if (!read_object(error, wanted, sizeof(wanted) / sizeof(wanted[0]))) {
        return fail(err, AQ_E_PROTOCOL, "its reply cannot be understood, update it or q");
    }
    if (reply_text(text, said, sizeof(said)) == 0) {
        return fail(err, known(number(status)), "refused, and does not say why");
    }
    bool named = strncmp(said, object, sizeof(object) - 1) == 0;
    return fail(err, known(number(status)), "%s", said + (named ? sizeof(object) - 1 : 0));
}

aq_status reply_read(struct aq_str line, struct reply *ret, struct aq_error *err)
{
    *ret = (struct reply){ 0 };
    const struct wanted wanted[] = {
        { "\"v\"", &ret->v },
        { "\"error\"", &ret->error },
        { "\"access_token\"", &ret->access_token },
        { "\"source\"", &ret->source },
        { "\"warning\"", &ret->warning },
    };
    if (!read_object(line, wanted, sizeof(wanted) / sizeof(wanted[0])) || number(ret->v) != 1) {
        return fail(err, AQ_E_PROTOCOL, "its reply cannot be understood, update it or q");
    }
    return ret->error.len ? read_error(ret->error, err) : AQ_OK;
}
