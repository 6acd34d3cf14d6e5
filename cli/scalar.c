/* SPDX-License-Identifier: Apache-2.0 */
#include "scalar.h"

struct lead {
    uint8_t len;       /* of the whole sequence; 0: not a first byte */
    uint8_t low, high; /* range of the second byte */
    uint8_t bits;      /* of the value, in the first byte */
};

/* The table of RFC 3629 section 4; the ranges exclude overlong forms, surrogates and > U+10FFFF. */
static struct lead lead_of(uint8_t byte)
{
    if (byte >= 0xC2 && byte <= 0xDF) {
        return (struct lead){ 2, 0x80, 0xBF, byte & 0x1F };
    }
    if (byte >= 0xE0 && byte <= 0xEF) {
        uint8_t low = byte == 0xE0 ? 0xA0 : 0x80;
        uint8_t high = byte == 0xED ? 0x9F : 0xBF;
        return (struct lead){ 3, low, high, byte & 0x0F };
    }
    if (byte >= 0xF0 && byte <= 0xF4) {
        uint8_t low = byte == 0xF0 ? 0x90 : 0x80;
        uint8_t high = byte == 0xF4 ? 0x8F : 0xBF;
        return (struct lead){ 4, low, high, byte & 0x07 };
    }
    return (struct lead){ 0 };
}

size_t scalar_read(const char *ptr, size_t len, uint32_t *ret)
{
    uint8_t first = (uint8_t)ptr[0];
    if (first < 0x80) {
        *ret = first;
        return 1;
    }
    struct lead lead = lead_of(first);
    *ret = SCALAR_REPLACEMENT;
    if (lead.len == 0) {
        return 1;
    }
    uint32_t value = lead.bits;
    for (size_t i = 1; i < lead.len; i++) {
        if (i == len) {
            return 0;
        }
        uint8_t byte = (uint8_t)ptr[i];
        if (byte < lead.low || byte > lead.high) {
            return i;
        }
        value = value << 6 | (byte & 0x3F);
        lead.low = 0x80;
        lead.high = 0xBF;
    }
    *ret = value;
    return lead.len;
}
