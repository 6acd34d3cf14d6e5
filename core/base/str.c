/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"

#include <string.h>

enum { TOKEN_MAX = 16384 };

struct aq_str str_from(const char *text)
{
    return (struct aq_str){ text, text ? strlen(text) : 0 };
}

struct aq_str str_of_bytes(struct aq_bytes bytes)
{
    return (struct aq_str){ (const char *)bytes.ptr, bytes.len };
}

struct aq_bytes str_bytes(struct aq_str s)
{
    return (struct aq_bytes){ (const uint8_t *)s.ptr, s.len };
}

bool str_eq(struct aq_str a, struct aq_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

bool str_eq_nocase(struct aq_str a, struct aq_str b)
{
    if (a.len != b.len) {
        return false;
    }
    for (size_t i = 0; i < a.len; i++) {
        if (lower(a.ptr[i]) != lower(b.ptr[i])) {
            return false;
        }
    }
    return true;
}

bool str_starts(struct aq_str s, struct aq_str prefix)
{
    return s.len >= prefix.len && str_eq((struct aq_str){ s.ptr, prefix.len }, prefix);
}

bool str_ends(struct aq_str s, struct aq_str suffix)
{
    return s.len >= suffix.len && str_eq(str_from_offset(s, s.len - suffix.len), suffix);
}

bool str_contains(struct aq_str s, struct aq_str part)
{
    return part.len == 0 || (s.len != 0 && memmem(s.ptr, s.len, part.ptr, part.len) != NULL);
}

struct aq_str str_from_offset(struct aq_str s, size_t offset)
{
    if (offset >= s.len) {
        return (struct aq_str){ NULL, 0 };
    }
    return (struct aq_str){ s.ptr + offset, s.len - offset };
}

struct aq_str str_cut(struct aq_str *rest, char sep)
{
    struct aq_str all = *rest;
    const char *at = all.len ? memchr(all.ptr, sep, all.len) : NULL;
    if (!at) {
        *rest = (struct aq_str){ NULL, 0 };
        return all;
    }
    size_t before = (size_t)(at - all.ptr);
    *rest = (struct aq_str){ at + 1, all.len - before - 1 };
    return (struct aq_str){ all.ptr, before };
}

bool str_to_i64(struct aq_str s, int64_t *ret)
{
    bool negative = s.len && s.ptr[0] == '-';
    size_t i = s.len && (s.ptr[0] == '-' || s.ptr[0] == '+') ? 1 : 0;
    if (i == s.len) {
        return false;
    }
    int64_t value = 0; /* kept negative, because INT64_MIN has no positive twin */
    for (; i < s.len; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9' || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_sub_overflow(value, s.ptr[i] - '0', &value)) {
            return false;
        }
    }
    if (!negative && value == INT64_MIN) {
        return false;
    }
    *ret = negative ? value : -value;
    return true;
}

bool str_eq_secret(struct aq_str a, struct aq_str b)
{
    if (a.len != b.len) {
        return false;
    }
    unsigned char differs = 0;
    for (size_t i = 0; i < a.len; i++) {
        differs = (unsigned char)(differs | (unsigned char)(a.ptr[i] ^ b.ptr[i]));
    }
    return differs == 0;
}

bool str_is_token(struct aq_str s)
{
    if (s.len == 0 || s.len > TOKEN_MAX) {
        return false;
    }
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] < 0x21 || s.ptr[i] > 0x7e) {
            return false;
        }
    }
    return true;
}
