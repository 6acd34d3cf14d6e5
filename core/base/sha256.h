/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SHA-256 (FIPS 180-4). Our own, because it names the file a login is saved to when nothing else
 * works any more: there must be no library to find and no descriptor to open for it
 * (docs/adr/0010-own-sha256.md).
 */
#ifndef AQ_BASE_SHA256_H
#define AQ_BASE_SHA256_H

#include <amazonq/view.h>

enum { SHA256_LEN = 32, SHA256_HEX_LEN = 64 };

struct sha256 {
    uint32_t state[8];
    uint64_t len;      /* bytes so far */
    uint8_t block[64]; /* those that do not fill a block yet */
};

void sha256_init(struct sha256 *h);
void sha256_add(struct sha256 *h, struct aq_bytes data);

/* Write the digest and wipe h. */
void sha256_done(struct sha256 *h, uint8_t ret[SHA256_LEN]);

/* Digest as lower-case hexadecimal, NUL-terminated. */
void sha256_hex(const uint8_t digest[SHA256_LEN], char ret[SHA256_HEX_LEN + 1]);

#endif
