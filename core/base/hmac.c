/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hmac.h"

#include "base/alloc.h"

#include <string.h>

enum { BLOCK = 64, INNER = 0x36, OUTER = 0x5c };

static void begin(struct sha256 *h, const uint8_t key[BLOCK], uint8_t pad)
{
    uint8_t block[BLOCK];
    for (int i = 0; i < BLOCK; i++) {
        block[i] = key[i] ^ pad;
    }
    sha256_init(h);
    sha256_add(h, (struct aq_bytes){ block, BLOCK });
    alloc_wipe(block, sizeof(block));
}

void hmac_sha256(struct aq_bytes key, struct aq_bytes data, uint8_t ret[SHA256_LEN])
{
    struct sha256 h;
    uint8_t padded[BLOCK] = { 0 };
    if (key.len > BLOCK) {
        sha256_init(&h);
        sha256_add(&h, key);
        sha256_done(&h, padded);
    } else if (key.len) {
        memcpy(padded, key.ptr, key.len);
    }
    uint8_t inner[SHA256_LEN];
    begin(&h, padded, INNER);
    sha256_add(&h, data);
    sha256_done(&h, inner);
    begin(&h, padded, OUTER);
    sha256_add(&h, (struct aq_bytes){ inner, sizeof(inner) });
    sha256_done(&h, ret);
    alloc_wipe(padded, sizeof(padded));
    alloc_wipe(inner, sizeof(inner));
}
