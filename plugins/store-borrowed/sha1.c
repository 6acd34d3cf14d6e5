/* SPDX-License-Identifier: Apache-2.0 */
#include "sha1.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { BLOCK = 64, LENGTH_AT = 56, ROUNDS = 80, WORDS = 5 };

static uint32_t rotate(uint32_t word, int by)
{
    return word << by | word >> (32 - by);
}

/* FIPS 180-4, 4.1.1 and 4.2.1: the function of a round, with its constant. */
static uint32_t mix(int round, uint32_t b, uint32_t c, uint32_t d)
{
    switch (round / 20) {
    case 0:
        return ((b & c) | (~b & d)) + 0x5a827999;
    case 1:
        return (b ^ c ^ d) + 0x6ed9eba1;
    case 2:
        return ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc;
    default:
        return (b ^ c ^ d) + 0xca62c1d6;
    }
}

/* FIPS 180-4, 6.1.2 */
static void add_block(uint32_t hash[WORDS], const uint8_t *block)
{
    uint32_t w[ROUNDS];
    for (int t = 0; t < ROUNDS; t++) {
        const uint8_t *p = block + 4 * t;
        w[t] = t < 16 ? (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3]
                      : rotate(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
    }
    uint32_t a = hash[0], b = hash[1], c = hash[2], d = hash[3], e = hash[4];
    for (int t = 0; t < ROUNDS; t++) {
        uint32_t next = rotate(a, 5) + mix(t, b, c, d) + e + w[t];
        e = d;
        d = c;
        c = rotate(b, 30);
        b = a;
        a = next;
    }
    hash[0] += a;
    hash[1] += b;
    hash[2] += c;
    hash[3] += d;
    hash[4] += e;
}

void sha1_hex(const char *text, size_t len, char ret[SHA1_HEX_LEN + 1])
{
    uint32_t hash[WORDS] = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0 };
    uint8_t last[2 * BLOCK] = { 0 };
    size_t whole = len / BLOCK * BLOCK;
    size_t rest = len - whole;
    for (size_t at = 0; at < whole; at += BLOCK) {
        add_block(hash, (const uint8_t *)text + at);
    }
    if (rest > 0) {
        memcpy(last, text + whole, rest);
    }
    last[rest] = 0x80;
    size_t end = rest < LENGTH_AT ? BLOCK : 2 * BLOCK;
    for (size_t i = 0; i < 8; i++) {
        last[end - 1 - i] = (uint8_t)((uint64_t)len * 8 >> 8 * i);
    }
    for (size_t at = 0; at < end; at += BLOCK) {
        add_block(hash, last + at);
    }
    snprintf(ret, SHA1_HEX_LEN + 1, "%08x%08x%08x%08x%08x", hash[0], hash[1], hash[2], hash[3],
             hash[4]);
}
