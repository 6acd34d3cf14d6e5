/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/pkce.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/sha256.h"
#include "wire/percent.h"

enum { VERIFIER_LEN = 32, TEXT_MAX = 64 };

aq_status pkce_begin(struct pkce *p, uint8_t random[PKCE_RANDOM_LEN], struct aq_error *err)
{
    uint8_t digest[SHA256_LEN];
    struct sha256 h;
    *p = (struct pkce){ BUF(TEXT_MAX), BUF(TEXT_MAX), BUF(TEXT_MAX) };
    base64url_encode((struct aq_bytes){ random, VERIFIER_LEN }, &p->verifier);
    base64url_encode((struct aq_bytes){ random + VERIFIER_LEN, PKCE_RANDOM_LEN - VERIFIER_LEN },
                     &p->state);
    sha256_init(&h);
    sha256_add(&h, buf_bytes(&p->verifier));
    sha256_done(&h, digest);
    base64url_encode((struct aq_bytes){ digest, SHA256_LEN }, &p->challenge);
    alloc_wipe(random, PKCE_RANDOM_LEN);
    return buf_status(&p->verifier) == AQ_OK && buf_status(&p->challenge) == AQ_OK &&
                   buf_status(&p->state) == AQ_OK
               ? AQ_OK
               : error_nomem(err, "login");
}

void pkce_done(struct pkce *p)
{
    buf_done(&p->verifier);
    buf_done(&p->challenge);
    buf_done(&p->state);
}
