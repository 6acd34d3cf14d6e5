/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The request by which a browser brings an authorization code back to us (RFC 8252, 7.3): bytes in,
 * a verdict out. Any program and any page on this machine can send one, so whatever is not exactly
 * what we wait for is junk, to be answered without a word and forgotten.
 */
#ifndef AQ_WIRE_CALLBACK_H
#define AQ_WIRE_CALLBACK_H

#include "base/buf.h"

#define CALLBACK_PATH "/oauth/callback"

enum { CALLBACK_REQUEST_MAX = 32 * 1024 }; /* bytes of the head of a request, cookies included */

/* What we wait for. */
struct callback {
    struct aq_str host;  /* "127.0.0.1:PORT", as the browser must name it */
    struct aq_str state; /* as it was sent with the browser */
};

enum callback_verdict {
    CALLBACK_MORE,   /* the head of the request is not complete */
    CALLBACK_JUNK,   /* not ours: another method, path, host or state, or malformed */
    CALLBACK_CODE,   /* the code is there */
    CALLBACK_DENIED, /* the service sent an error instead */
};

/*
 * Judge what has come so far.
 *
 * ret  the code, or the name of the error (letters and '_'); appended with these two verdicts only
 */
enum callback_verdict callback_judge(const struct callback *want, struct aq_str request,
                                     struct buf *ret);

/* Append the whole answer to a request that was judged; nothing of the request is in it. */
void callback_answer(enum callback_verdict verdict, struct buf *out);

#endif
