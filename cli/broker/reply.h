/* SPDX-License-Identifier: Apache-2.0 */
/* What the broker answers: one JSON object on one line (docs/broker.md). */
#ifndef Q_REPLY_H
#define Q_REPLY_H

#include "request.h"
#include "text.h"

/* The answer to a request. Never the refresh token; the access token only if op is REQUEST_TOKEN.
 * warning: what the user should know, or empty. */
void reply_token(struct text *out, enum request_op op, const struct aq_token *token,
                 struct aq_str warning);

void reply_error(struct text *out, const struct aq_error *error);

#endif
