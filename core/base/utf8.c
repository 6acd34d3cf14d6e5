/* SPDX-License-Identifier: Apache-2.0 */
#include "base/utf8.h"

#include <string.h>

static bool tail(uint8_t byte)
{
    return (byte & 0xc0) == 0x80;
}

size_t utf8_sequence(const uint8_t *p, size_t len)
{
    if (len == 0) {
        return 0;
    }
    if (p[0] < 0x80) {
        return 1;
    }
    if (p[0] < 0xc2) { /* a tail byte, or overlong */
        return 0;
    }
    if (p[0] < 0xe0) {
        return len >= 2 && tail(p[1]) ? 2 : 0;
    }
    if (p[0] < 0xf0) {
        uint8_t low = p[0] == 0xe0 ? 0xa0 : 0x80;
        uint8_t high = p[0] == 0xed ? 0x9f : 0xbf; /* no surrogates */
        return len >= 3 && p[1] >= low && p[1] <= high && tail(p[2]) ? 3 : 0;
    }
    if (p[0] < 0xf5) {
        uint8_t low = p[0] == 0xf0 ? 0x90 : 0x80;
        uint8_t high = p[0] == 0xf4 ? 0x8f : 0xbf;
        return len >= 4 && p[1] >= low && p[1] <= high && tail(p[2]) && tail(p[3]) ? 4 : 0;
    }
    return 0;
}

bool utf8_is_cut(const uint8_t *p, size_t len)
{
    size_t wanted = len == 0 || p[0] < 0xc2 || p[0] > 0xf4 ? 0
                    : p[0] < 0xe0                          ? 2
                    : p[0] < 0xf0                          ? 3
                                                           : 4;
    for (size_t i = 1; i < len; i++) {
        if (!tail(p[i])) {
            return false;
        }
    }
    return len < wanted;
}

bool utf8_valid(const uint8_t *p, size_t len)
{
    size_t i = 0;
    while (i < len) {
        uint64_t word;
        if (len - i >= sizeof(word)) { /* eight ASCII bytes at once */
            memcpy(&word, p + i, sizeof(word));
            if ((word & UINT64_C(0x8080808080808080)) == 0) {
                i += sizeof(word);
                continue;
            }
        }
        size_t step = utf8_sequence(p + i, len - i);
        if (step == 0) {
            return false;
        }
        i += step;
    }
    return true;
}

size_t utf8_encode(uint32_t scalar, uint8_t out[4])
{
    if (scalar < 0x80) {
        out[0] = (uint8_t)scalar;
        return 1;
    }
    if (scalar < 0x800) {
        out[0] = (uint8_t)(0xc0 | scalar >> 6);
        out[1] = (uint8_t)(0x80 | (scalar & 0x3f));
        return 2;
    }
    if (scalar < 0x10000) {
        out[0] = (uint8_t)(0xe0 | scalar >> 12);
        out[1] = (uint8_t)(0x80 | (scalar >> 6 & 0x3f));
        out[2] = (uint8_t)(0x80 | (scalar & 0x3f));
        return 3;
    }
    out[0] = (uint8_t)(0xf0 | scalar >> 18);
    out[1] = (uint8_t)(0x80 | (scalar >> 12 & 0x3f));
    out[2] = (uint8_t)(0x80 | (scalar >> 6 & 0x3f));
    out[3] = (uint8_t)(0x80 | (scalar & 0x3f));
    return 4;
}
