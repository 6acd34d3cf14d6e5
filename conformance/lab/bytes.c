/* SPDX-License-Identifier: Apache-2.0 */
#include "bytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

uint8_t *bytes_room(struct bytes *b, size_t len)
{
    if (b->cap - b->len < len) {
        size_t cap = (b->len + len) * 2;
        uint8_t *at = realloc(b->at, cap);
        if (!at) {
            _exit(1); /* a server without memory has nothing to say; the clause sees it gone */
        }
        b->at = at;
        b->cap = cap;
    }
    return b->at + b->len;
}

void bytes_add(struct bytes *b, const void *from, size_t len)
{
    if (len) {
        memcpy(bytes_room(b, len), from, len);
        b->len += len;
    }
}

void bytes_print(struct bytes *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    va_start(args, format);
    vsnprintf((char *)bytes_room(b, (size_t)len + 1), (size_t)len + 1, format, args);
    va_end(args);
    b->len += (size_t)len;
}

void bytes_take(struct bytes *b, size_t len)
{
    b->len -= len;
    if (b->len) {
        memmove(b->at, b->at + len, b->len);
    }
}

void bytes_free(struct bytes *b)
{
    free(b->at);
    *b = (struct bytes){ 0 };
}
