/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include "base/str.h"
#include "base/utf8.h"

#include <endian.h>
#include <string.h>

/* How far a reader is. */
enum {
    AT_START,
    OBJECT_FIRST, /* behind the bracket that opens it */
    OBJECT_MORE,  /* behind a member */
    ARRAY_FIRST,
    ARRAY_MORE,
    AT_END, /* behind the bracket that closes it */
};

static const char escapes[] = "\"\\/bfnrt";
static const char escaped_bytes[] = "\"\\/\b\f\n\r\t";

static bool fail(struct json_reader *r, const char *problem)
{
    if (!r->problem) {
        r->problem = problem;
    }
    return false;
}

/* The next byte; 0 at the end of the text, where no grammar allows one. */
static char peek(const struct json_reader *r)
{
    return r->at < r->text.len ? r->text.ptr[r->at] : '\0';
}

static bool accept(struct json_reader *r, char c)
{
    if (peek(r) != c) {
        return false;
    }
    r->at++;
    return true;
}

static void skip_space(struct json_reader *r)
{
    char c = peek(r);
    while (c == ' ' || c == '\n' || c == '\r' || c == '\t') {
        r->at++;
        c = peek(r);
    }
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool read_digits(struct json_reader *r)
{
    if (!is_digit(peek(r))) {
        return fail(r, "a digit is missing");
    }
    while (is_digit(peek(r))) {
        r->at++;
    }
    return true;
}

static bool read_number(struct json_reader *r)
{
    accept(r, '-');
    if (accept(r, '0')) {
        if (is_digit(peek(r))) {
            return fail(r, "a number begins with 0");
        }
    } else if (!read_digits(r)) {
        return false;
    }
    if (accept(r, '.') && !read_digits(r)) {
        return false;
    }
    if (accept(r, 'e') || accept(r, 'E')) {
        if (!accept(r, '+')) {
            accept(r, '-');
        }
        return read_digits(r);
    }
    return true;
}

static bool read_word(struct json_reader *r, struct aq_str word)
{
    if (!str_starts(str_from_offset(r->text, r->at), word)) {
        return fail(r, "a value is missing");
    }
    r->at += word.len;
    return true;
}

/* Value of four hexadecimal digits, or -1. */
static int32_t hex4(const char *p, size_t len)
{
    int32_t value = 0;
    if (len < 4) {
        return -1;
    }
    for (size_t i = 0; i < 4; i++) {
        char lower = (char)(p[i] | 0x20);
        if (is_digit(p[i])) {
            value = value * 16 + (p[i] - '0');
        } else if (lower >= 'a' && lower <= 'f') {
            value = value * 16 + (lower - 'a' + 10);
        } else {
            return -1;
        }
    }
    return value;
}

/* Step over the escape at the backslash r->at. */
static bool read_escape(struct json_reader *r)
{
    r->at++;
    char c = peek(r);
    if (c == 'u') {
        if (hex4(r->text.ptr + r->at + 1, r->text.len - r->at - 1) < 0) {
            return fail(r, "four hexadecimal digits are missing");
        }
        r->at += 5;
        return true;
    }
    if (c == '\0' || !strchr(escapes, c)) {
        return fail(r, "an escape is unknown");
    }
    r->at++;
    return true;
}

/* The high bits of the bytes of the word that end a run of plain text: quote, backslash, control,
 * above 0x7f. Exact up to the first of them: only a byte that matches borrows from the next. */
static uint64_t special_bytes(uint64_t word)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    const uint64_t high = ones * 0x80;
    uint64_t quote = word ^ ones * '"';
    uint64_t backslash = word ^ ones * '\\';
    return (word | (word - ones * 0x20) | (quote - ones) | (backslash - ones)) & high;
}

size_t json_plain_end(struct aq_str text, size_t at)
{
    uint64_t word;
    while (text.len - at >= sizeof(word)) {
        memcpy(&word, text.ptr + at, sizeof(word));
        word = le64toh(word); /* the first byte is the lowest */
        uint64_t special = special_bytes(word);
        if (special) {
            return at + (size_t)__builtin_ctzll(special) / 8;
        }
        at += sizeof(word);
    }
    while (at < text.len) {
        unsigned char c = (unsigned char)text.ptr[at];
        if (c < 0x20 || c >= 0x80 || c == '"' || c == '\\') {
            break;
        }
        at++;
    }
    return at;
}

/* Read the string at r->at with its quotes; ret is what is between them. */
static bool read_string(struct json_reader *r, struct aq_str *ret, bool *ret_escaped)
{
    if (!accept(r, '"')) {
        return fail(r, "a string is missing");
    }
    size_t start = r->at;
    bool escaped = false;
    for (;;) {
        r->at = json_plain_end(r->text, r->at);
        if (r->at == r->text.len) {
            return fail(r, "a string has no end");
        }
        unsigned char c = (unsigned char)r->text.ptr[r->at];
        if (c == '"') {
            break;
        }
        if (c == '\\') {
            escaped = true;
            if (!read_escape(r)) {
                return false;
            }
        } else if (c < 0x20) {
            return fail(r, "a control character is not escaped");
        } else {
            size_t len = utf8_sequence((const uint8_t *)r->text.ptr + r->at, r->text.len - r->at);
            if (len == 0) {
                return fail(r, "a string is not UTF-8");
            }
            r->at += len;
        }
    }
    *ret = (struct aq_str){ r->text.ptr + start, r->at - start };
    *ret_escaped = escaped;
    r->at++;
    return true;
}

/* Read a key with its colon, up to the value. */
static bool read_key(struct json_reader *r, struct aq_str *ret)
{
    bool escaped;
    if (!read_string(r, ret, &escaped)) {
        return false;
    }
    skip_space(r);
    if (!accept(r, ':')) {
        return fail(r, "a colon is missing");
    }
    skip_space(r);
    return true;
}

/* Read a value that is not a container. */
static bool read_scalar(struct json_reader *r, struct json_member *ret)
{
    struct aq_str content;
    switch (peek(r)) {
    case '"':
        ret->type = JSON_STRING;
        return read_string(r, &content, &ret->escaped);
    case 'n':
        ret->type = JSON_NULL;
        return read_word(r, AQ_STR("null"));
    case 't':
        ret->type = JSON_TRUE;
        return read_word(r, AQ_STR("true"));
    case 'f':
        ret->type = JSON_FALSE;
        return read_word(r, AQ_STR("false"));
    default:
        ret->type = JSON_NUMBER;
        return peek(r) == '-' || is_digit(peek(r)) ? read_number(r) : fail(r, "a value is missing");
    }
}

/* The containers around r->at, the innermost in the lowest bit: 1 for an object. */
struct nest {
    uint64_t objects;
    int depth;
};

static char closing(const struct nest *n)
{
    return n->objects & 1 ? '}' : ']';
}

/* Step into the container at r->at. */
static bool nest_open(struct json_reader *r, struct nest *n, int depth_max)
{
    if (n->depth == depth_max) {
        return fail(r, "nested too deep");
    }
    n->objects = n->objects << 1 | (peek(r) == '{');
    n->depth++;
    r->at++;
    skip_space(r);
    return true;
}

/* Behind a value: close the containers that end here. True at the next value and, with depth 0, at
 * the end. */
static bool nest_next(struct json_reader *r, struct nest *n)
{
    struct aq_str key;
    while (n->depth) {
        skip_space(r);
        if (accept(r, ',')) {
            skip_space(r);
            return !(n->objects & 1) || read_key(r, &key);
        }
        if (!accept(r, closing(n))) {
            return fail(r, "a comma or a closing bracket is missing");
        }
        n->objects >>= 1;
        n->depth--;
    }
    return true;
}

/* Read any value, with all that is nested in it. */
static bool read_value(struct json_reader *r, int depth_max, struct json_member *ret)
{
    struct nest n = { 0, 0 };
    struct json_member inner;
    struct aq_str key;
    size_t start = r->at;

    ret->type = peek(r) == '{' ? JSON_OBJECT : JSON_ARRAY;
    do {
        if (peek(r) == '{' || peek(r) == '[') {
            if (!nest_open(r, &n, depth_max)) {
                return false;
            }
            if (peek(r) != closing(&n)) {
                if ((n.objects & 1) && !read_key(r, &key)) {
                    return false;
                }
                continue;
            }
        } else if (!read_scalar(r, n.depth ? &inner : ret)) {
            return false;
        }
        if (!nest_next(r, &n)) {
            return false;
        }
    } while (n.depth);
    ret->value = (struct aq_str){ r->text.ptr + start, r->at - start };
    return true;
}

struct json_reader json_reader(struct aq_str text)
{
    return (struct json_reader){ .text = text, .state = AT_START };
}

static bool container(struct json_reader *r, char bracket, int state)
{
    skip_space(r);
    if (r->state != AT_START || !accept(r, bracket)) {
        return false;
    }
    r->state = state;
    return true;
}

bool json_object(struct json_reader *r)
{
    return container(r, '{', OBJECT_FIRST);
}

bool json_array(struct json_reader *r)
{
    return container(r, '[', ARRAY_FIRST);
}

bool json_next(struct json_reader *r, struct json_member *ret)
{
    bool object = r->state == OBJECT_FIRST || r->state == OBJECT_MORE;

    if (r->problem || r->state == AT_START || r->state == AT_END) {
        return false;
    }
    skip_space(r);
    if (accept(r, object ? '}' : ']')) {
        r->state = AT_END;
        return false;
    }
    if (r->state == OBJECT_MORE || r->state == ARRAY_MORE) {
        if (!accept(r, ',')) {
            return fail(r, "a comma or a closing bracket is missing");
        }
        skip_space(r);
    }
    *ret = (struct json_member){ 0 };
    if ((object && !read_key(r, &ret->key)) || !read_value(r, JSON_DEPTH_MAX - 1, ret)) {
        return false;
    }
    r->state = object ? OBJECT_MORE : ARRAY_MORE;
    return true;
}

/* Nothing but white space follows. */
static bool at_end(struct json_reader *r)
{
    skip_space(r);
    return r->at == r->text.len || fail(r, "something follows the value");
}

bool json_finish(struct json_reader *r)
{
    struct json_member rest;
    while (json_next(r, &rest)) {
    }
    if (r->problem) {
        return false;
    }
    return r->state == AT_END ? at_end(r) : fail(r, "an opening bracket is missing");
}

bool json_valid(struct aq_str text)
{
    struct json_reader r = json_reader(text);
    struct json_member value;
    skip_space(&r);
    return read_value(&r, JSON_DEPTH_MAX, &value) && at_end(&r);
}

/* Decode the escape \uXXXX at s, and the one behind it if they are a surrogate pair. */
static size_t decode_unicode(struct aq_str s, uint8_t out[4], size_t *ret_len)
{
    enum { LEN = 6 };
    int32_t high = hex4(s.ptr + 2, s.len - 2);
    int32_t low = s.len >= (size_t)2 * LEN && s.ptr[LEN] == '\\' && s.ptr[LEN + 1] == 'u'
                      ? hex4(s.ptr + LEN + 2, s.len - LEN - 2)
                      : -1;
    bool pair = high >= 0xd800 && high < 0xdc00 && low >= 0xdc00 && low < 0xe000;
    uint32_t scalar = (uint32_t)high;
    if (pair) {
        scalar = 0x10000 + ((uint32_t)(high - 0xd800) << 10) + (uint32_t)(low - 0xdc00);
    } else if (high >= 0xd800 && high < 0xe000) {
        scalar = 0xfffd; /* a lone one has no meaning: the replacement character */
    }
    *ret_len = utf8_encode(scalar, out);
    return pair ? (size_t)2 * LEN : LEN;
}

/* Cut the next piece of a string's content that was read before: a run without escapes, which is a
 * view of *rest, or one escape, decoded into out. */
static struct aq_str piece_cut(struct aq_str *rest, uint8_t out[4])
{
    struct aq_str s = *rest;
    const char *backslash = memchr(s.ptr, '\\', s.len);
    if (backslash != s.ptr) {
        size_t len = backslash ? (size_t)(backslash - s.ptr) : s.len;
        *rest = (struct aq_str){ s.ptr + len, s.len - len };
        return (struct aq_str){ s.ptr, len };
    }
    size_t used = 2;
    size_t len = 1;
    if (s.ptr[1] == 'u') {
        used = decode_unicode(s, out, &len);
    } else {
        out[0] = (uint8_t)escaped_bytes[strchr(escapes, s.ptr[1]) - escapes];
    }
    *rest = (struct aq_str){ s.ptr + used, s.len - used };
    return (struct aq_str){ (const char *)out, len };
}

bool json_key_is(const struct json_member *m, struct aq_str key)
{
    struct aq_str rest = m->key;
    uint8_t out[4];
    if (rest.len && key.len && rest.ptr[0] != key.ptr[0] && rest.ptr[0] != '\\') {
        return false; /* as most are not: decides without a look for escapes */
    }
    while (rest.len) {
        struct aq_str piece = piece_cut(&rest, out);
        if (!str_starts(key, piece)) {
            return false;
        }
        key = str_from_offset(key, piece.len);
    }
    return key.len == 0;
}

/* What is between the quotes. */
static struct aq_str content(const struct json_member *m)
{
    return (struct aq_str){ m->value.ptr + 1, m->value.len - 2 };
}

struct aq_str json_string_plain(const struct json_member *m)
{
    return m->type == JSON_STRING && !m->escaped ? content(m) : (struct aq_str){ NULL, 0 };
}

size_t json_string_decode(const struct json_member *m, char *buf)
{
    struct aq_str rest = m->type == JSON_STRING ? content(m) : (struct aq_str){ NULL, 0 };
    size_t len = 0;
    uint8_t out[4];
    while (rest.len) {
        struct aq_str piece = piece_cut(&rest, out);
        memcpy(buf + len, piece.ptr, piece.len);
        len += piece.len;
    }
    return len;
}

bool json_int(const struct json_member *m, int64_t *ret)
{
    return m->type == JSON_NUMBER && str_to_i64(m->value, ret);
}

bool json_find(struct aq_str text, struct aq_str key, struct json_member *ret)
{
    struct json_reader r = json_reader(text);
    struct json_member m;
    struct json_member found;
    bool any = false;

    json_object(&r);
    while (json_next(&r, &m)) {
        if (json_key_is(&m, key)) {
            found = m;
            any = true;
        }
    }
    if (!json_finish(&r) || !any) {
        return false;
    }
    *ret = found;
    return true;
}

struct aq_str json_text(const struct json_member *m, struct buf *scratch)
{
    switch (m->type) {
    case JSON_STRING:
        if (!m->escaped) {
            return json_string_plain(m);
        }
        buf_clear(scratch);
        if (!buf_reserve(scratch, m->value.len)) {
            return (struct aq_str){ NULL, 0 };
        }
        scratch->len = json_string_decode(m, (char *)scratch->ptr);
        return buf_str(scratch);
    case JSON_NUMBER:
    case JSON_TRUE:
    case JSON_FALSE:
        return m->value;
    default:
        return (struct aq_str){ NULL, 0 };
    }
}
