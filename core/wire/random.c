/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/random.h"

#include <stdio.h>
#include <string.h>

static uint64_t rotate(uint64_t word, int by)
{
    return word << by | word >> (64 - by);
}

/* xoshiro256**. */
uint64_t random_next(struct random *r)
{
    uint64_t *s = r->s;
    uint64_t result = rotate(s[1] * 5, 7) * 9;
    uint64_t shifted = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = rotate(s[3], 45);
    return result;
}

void random_begin(struct random *r, const uint8_t seed[RANDOM_SEED_LEN])
{
    memcpy(r->s, seed, RANDOM_SEED_LEN);
    for (int i = 0; i < 16; i++) {
        random_next(r);
    }
}

uint32_t random_below(struct random *r, uint32_t end)
{
    return (uint32_t)((random_next(r) >> 32) * end >> 32);
}

void random_uuid(struct random *r, char ret[RANDOM_UUID_LEN + 1])
{
    uint64_t a = random_next(r);
    uint64_t b = random_next(r);
    snprintf(ret, RANDOM_UUID_LEN + 1, "%08x-%04x-4%03x-%04x-%04x%08x", (unsigned)(a >> 32),
             (unsigned)(a >> 16 & 0xffff), (unsigned)(a & 0xfff),
             (unsigned)(b >> 48 & 0x3fff) | 0x8000, (unsigned)(b >> 32 & 0xffff),
             (unsigned)(b & 0xffffffff));
}
