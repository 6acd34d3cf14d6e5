/* SPDX-License-Identifier: Apache-2.0 */
/* The token operation as a part of another one. */
#ifndef AQ_CLIENT_TOKEN_H
#define AQ_CLIENT_TOKEN_H

#include "client/source.h"

#include <amazonq/token.h>

/*
 * As aq_token_start, with checked options.
 *
 * rejected  with AQ_TOKEN_FORCE_REFRESH: the access token that was refused (empty: any). If the
 * login holds another one by now, that one is good and nothing is forced.
 */
aq_status token_start(struct aq_client *client, const struct aq_token_options *options,
                      struct aq_str rejected, struct aq_op *parent, struct aq_op **ret,
                      struct aq_error *err);

/* The login that a token operation has found, once it has reported a token. */
const struct source_login *token_login(const struct aq_op *op);

#endif
