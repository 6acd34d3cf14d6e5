/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asking for a new token, for each kind of login (docs/protocol.md, section 9): whom to ask, with
 * what, and what the answer means.
 */
#ifndef AQ_WIRE_RENEWAL_H
#define AQ_WIRE_RENEWAL_H

#include "wire/oidc.h"

struct renewal {
    struct aq_str content_type;
    struct buf url;
    struct buf body;
};

void renewal_done(struct renewal *r);

/*
 * Write the request.
 *
 * key           of the stored token, for error texts
 * kind          which must not be TOKEN_KIND_UNKNOWN or TOKEN_API_KEY
 * registration  of the kind OIDC
 * endpoint      base URL that the user named in place of the sign-in service's own, which is built
 *               from the login's region; empty: none. An identity provider is asked where the login
 *               says, if that is the host of its issuer
 *
 * Returns AQ_OK; AQ_E_INVALID: the endpoint may not be shown a login; AQ_E_LOGIN_NEEDED: the login
 * does not say whom to ask; AQ_E_NOMEM. *ret must be zeroed; renewal_done gives its memory back
 * either way.
 */
aq_status renewal_write(struct aq_str key, enum token_kind kind, const struct token *token,
                        const struct registration *registration, struct aq_str endpoint,
                        struct renewal *ret, struct aq_error *err);

/*
 * Append whom renewal_write asks: the base URL of the sign-in service, or the URL of an identity
 * provider's token endpoint.
 *
 * region  of the kind OIDC, for a token that does not name one
 */
aq_status renewal_endpoint(struct aq_str key, enum token_kind kind, const struct token *token,
                           struct aq_str region, struct aq_str endpoint, struct buf *out,
                           struct aq_error *err);

/* Judge the answer; as oidc_refresh_reply. */
enum oidc_outcome renewal_reply(enum token_kind kind, int32_t http, struct aq_str error_type,
                                struct aq_str body, struct oidc_tokens *ret, struct aq_error *err);

#endif
