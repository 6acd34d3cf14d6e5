/* SPDX-License-Identifier: Apache-2.0 */
#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Holds a whole exported login, so that a secret is rarely moved. */
enum { FIRST_CAP = 8192 };

void text_done(struct text *t)
{
    if (t->ptr) {
        explicit_bzero(t->ptr, t->cap);
        free(t->ptr);
    }
    *t = (struct text){ 0 };
}

void text_clear(struct text *t)
{
    if (t->ptr) {
        explicit_bzero(t->ptr, t->len);
    }
    t->len = 0;
    t->failed = false;
}

struct aq_str text_of(const char *s)
{
    return (struct aq_str){ s, s ? strlen(s) : 0 };
}

bool text_is(struct aq_str text, const char *word)
{
    return text.len == strlen(word) && memcmp(text.ptr, word, text.len) == 0;
}

bool text_ok(const struct text *t)
{
    return !t->failed;
}

struct aq_str text_view(const struct text *t)
{
    return (struct aq_str){ t->ptr, t->len };
}

/* Not realloc: it would leave a copy behind that nobody wipes. */
static bool grow(struct text *t, size_t need)
{
    size_t cap = t->cap > 0 ? t->cap : FIRST_CAP;
    while (cap < need) {
        if (cap > SIZE_MAX / 2) {
            return false;
        }
        cap *= 2;
    }
    char *ptr = malloc(cap);
    if (!ptr) {
        return false;
    }
    if (t->ptr) {
        memcpy(ptr, t->ptr, t->len);
        explicit_bzero(t->ptr, t->cap);
        free(t->ptr);
    }
    t->ptr = ptr;
    t->cap = cap;
    return true;
}

bool text_reserve(struct text *t, size_t len)
{
    if (t->failed || len > SIZE_MAX - t->len || (t->len + len > t->cap && !grow(t, t->len + len))) {
        t->failed = true;
        return false;
    }
    return true;
}

void text_add(struct text *t, struct aq_str s)
{
    if (s.len > 0 && text_reserve(t, s.len)) {
        memcpy(t->ptr + t->len, s.ptr, s.len);
        t->len += s.len;
    }
}

void text_add_literal(struct text *t, const char *literal)
{
    text_add(t, text_of(literal));
}

void text_add_char(struct text *t, char c)
{
    text_add(t, (struct aq_str){ &c, 1 });
}

void text_add_integer(struct text *t, int64_t value)
{
    char digits[24];
    int len = snprintf(digits, sizeof(digits), "%lld", (long long)value);
    text_add(t, (struct aq_str){ digits, (size_t)len });
}
