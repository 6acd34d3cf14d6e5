/* SPDX-License-Identifier: Apache-2.0 */
/* The secrets of one login with an authorization code (RFC 7636, S256). */
#ifndef AQ_WIRE_PKCE_H
#define AQ_WIRE_PKCE_H

#include "base/buf.h"

enum { PKCE_RANDOM_LEN = 32 + 16 }; /* bytes: of the verifier, and of the state */

struct pkce {
    struct buf verifier;  /* secret until it is sent: 43 characters */
    struct buf challenge; /* its SHA-256 */
    struct buf state;     /* 128 bits that only the browser we sent there can know */
};

/* Make them from random bytes, which are wiped. AQ_OK or AQ_E_NOMEM. */
aq_status pkce_begin(struct pkce *p, uint8_t random[PKCE_RANDOM_LEN], struct aq_error *err);

void pkce_done(struct pkce *p);

#endif
