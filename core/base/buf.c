/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include "base/alloc.h"
#include "base/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { FIRST_CAP = 128 };

void buf_done(struct buf *b)
{
    alloc_free(b->ptr, b->cap);
    *b = (struct buf)BUF(b->max);
}

void buf_clear(struct buf *b)
{
    alloc_wipe(b->ptr, b->len);
    b->len = 0;
    b->failed = AQ_OK;
}

size_t buf_room(const struct buf *b)
{
    size_t max = b->max ? b->max : BUF_MAX_DEFAULT;
    return max > b->len ? max - b->len : 0;
}

bool buf_reserve(struct buf *b, size_t len)
{
    if (b->failed != AQ_OK) {
        return false;
    }
    if (len > buf_room(b)) {
        b->failed = AQ_E_LIMIT;
        return false;
    }
    size_t need = b->len + len + 1;
    if (need <= b->cap) {
        return true;
    }
    size_t cap = b->cap ? b->cap : FIRST_CAP;
    while (cap < need) {
        cap *= 2;
    }
    /* no realloc: it may move secrets and leave them behind */
    uint8_t *ptr = alloc_array(cap, 1);
    if (!ptr) {
        b->failed = AQ_E_NOMEM;
        return false;
    }
    if (b->len) {
        memcpy(ptr, b->ptr, b->len);
    }
    alloc_free(b->ptr, b->cap);
    b->ptr = ptr;
    b->cap = cap;
    return true;
}

void buf_add_bytes(struct buf *b, struct aq_bytes bytes)
{
    if (buf_reserve(b, bytes.len)) {
        if (bytes.len) {
            memcpy(b->ptr + b->len, bytes.ptr, bytes.len);
        }
        b->len += bytes.len;
        b->ptr[b->len] = '\0';
    }
}

void buf_add(struct buf *b, struct aq_str s)
{
    buf_add_bytes(b, (struct aq_bytes){ (const uint8_t *)s.ptr, s.len });
}

void buf_add_char(struct buf *b, char c)
{
    buf_add_bytes(b, (struct aq_bytes){ (const uint8_t *)&c, 1 });
}

void buf_printf(struct buf *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (len >= 0 && buf_reserve(b, (size_t)len)) {
        va_start(args, format);
        vsnprintf((char *)b->ptr + b->len, (size_t)len + 1, format, args);
        va_end(args);
        b->len += (size_t)len;
    }
}

void buf_add_json(struct buf *b, struct aq_str s)
{
    static const char hex[] = "0123456789abcdef";
    const uint8_t *p = (const uint8_t *)s.ptr;

    buf_add_char(b, '"');
    for (size_t i = 0; i < s.len;) {
        size_t plain = i;
        while (plain < s.len && p[plain] >= 0x20 && p[plain] < 0x7f && p[plain] != '"' &&
               p[plain] != '\\') {
            plain++;
        }
        buf_add_bytes(b, (struct aq_bytes){ p + i, plain - i });
        i = plain;
        if (i == s.len) {
            break;
        }
        if (p[i] >= 0x80) {
            size_t len = utf8_sequence(p + i, s.len - i);
            buf_add_bytes(b, len ? (struct aq_bytes){ p + i, len }
                                 : (struct aq_bytes){ (const uint8_t *)"\xef\xbf\xbd", 3 });
            i += len ? len : 1;
        } else if (p[i] == '"' || p[i] == '\\') {
            buf_add_char(b, '\\');
            buf_add_char(b, (char)p[i++]);
        } else if (p[i] == '\n') {
            buf_add(b, AQ_STR("\\n"));
            i++;
        } else {
            buf_add(b, AQ_STR("\\u00"));
            buf_add_char(b, hex[p[i] >> 4]);
            buf_add_char(b, hex[p[i++] & 15]);
        }
    }
    buf_add_char(b, '"');
}

void buf_drop(struct buf *b, size_t len)
{
    if (len >= b->len) {
        len = b->len;
    }
    if (len) {
        memmove(b->ptr, b->ptr + len, b->len - len);
        alloc_wipe(b->ptr + b->len - len, len);
        b->len -= len;
    }
}

aq_status buf_status(const struct buf *b)
{
    return b->failed;
}

struct aq_str buf_str(const struct buf *b)
{
    return (struct aq_str){ (const char *)b->ptr, b->len };
}

struct aq_bytes buf_bytes(const struct buf *b)
{
    return (struct aq_bytes){ b->ptr, b->len };
}
