/* SPDX-License-Identifier: Apache-2.0 */
/* HMAC (RFC 2104) with SHA-256. */
#ifndef AQ_BASE_HMAC_H
#define AQ_BASE_HMAC_H

#include "base/sha256.h"

/* ret may be the memory of key. Keys of more than 64 bytes stand for their digest, as the RFC says.
 */
void hmac_sha256(struct aq_bytes key, struct aq_bytes data, uint8_t ret[SHA256_LEN]);

#endif
