/* SPDX-License-Identifier: Apache-2.0 */
/* The token operation as a part of another one. */
#ifndef AQ_CLIENT_TOKEN_H
#define AQ_CLIENT_TOKEN_H

#include "client/client.h"

#include <amazonq/token.h>

/* As aq_token_start, with checked options. */
aq_status token_start(struct aq_client *client, const struct aq_token_options *options,
                      struct aq_op *parent, struct aq_op **ret, struct aq_error *err);

#endif
