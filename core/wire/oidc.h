/* SPDX-License-Identifier: Apache-2.0 */
/* The SSO OIDC calls of a login's life, bytes in and bytes out (docs/protocol.md). */
#ifndef AQ_WIRE_OIDC_H
#define AQ_WIRE_OIDC_H

#include "base/buf.h"
#include "wire/token.h"

#include <amazonq/status.h>

#define OIDC_TOKEN_PATH "/token"
#define OIDC_CONTENT_TYPE "application/json"

enum { OIDC_REPLY_MAX = 64 * 1024 }; /* bytes of a reply we are willing to hold */

/* What an answer to a refresh means for the login. */
enum oidc_outcome {
    OIDC_OK,
    OIDC_TEMPORARY,   /* throttled, 5xx, not JSON, no token in it: keep everything, try later */
    OIDC_GRANT_SPENT, /* invalid_grant, expired_token: read the store again before believing it */
    OIDC_LOGIN_NEEDED /* invalid_client and the like: only a new login helps */
};

/* A successful answer. Texts are views into `text`. */
struct oidc_tokens {
    struct buf text;
    struct aq_str access_token;
    struct aq_str refresh_token; /* empty: the old one stays valid */
    struct aq_str profile_arn;   /* of Kiro's own sign-in service; else empty */
    int64_t expires_in_s;        /* 1 ... 86400; 60 if the answer says nothing of the kind */
};

void oidc_tokens_done(struct oidc_tokens *t);

/* Read the body of a successful answer into zeroed memory. False if it has no tokens that could be
 * used; out of memory is told by buf_status of text. */
bool oidc_tokens_read(struct aq_str body, struct oidc_tokens *ret);

/* Append the body of CreateToken with grant type refresh_token. */
aq_status oidc_refresh_body(const struct registration *reg, struct aq_str refresh_token,
                            struct buf *out, struct aq_error *err);

/*
 * Judge the answer to a refresh, also that of an identity provider, which spells the members in
 * snake_case.
 *
 * error_type  header x-amzn-errortype, or empty
 * err         filled unless OIDC_OK: status AQ_E_REFRESH or AQ_E_LOGIN_NEEDED, http status, and a
 * text that names the error code and what to do, never a value of the body's secrets
 */
enum oidc_outcome oidc_refresh_reply(int32_t http, struct aq_str error_type, struct aq_str body,
                                     struct oidc_tokens *ret, struct aq_error *err);

#endif
