/* SPDX-License-Identifier: Apache-2.0 */
/* The profiles operation as a part of another one. */
#ifndef AQ_CLIENT_PROFILES_H
#define AQ_CLIENT_PROFILES_H

#include "client/source.h"

/* Whose profiles, and what shall happen without asking. All of it stays valid until the end. */
struct profiles_wish {
    const struct source *source; /* NULL: of the login that the settings choose */
    struct store *store;
    struct aq_str access_token;
    struct aq_str arn; /* choose this one; empty: the only one, or ask */
};

/* As aq_profiles_start; with a source no token is fetched and, unless it has to ask, none is listed
 * to the caller. */
aq_status profiles_start(struct aq_client *client, const struct profiles_wish *wish,
                         struct aq_op *parent, struct aq_op **ret, struct aq_error *err);

/* The ARN that was chosen, after the end; empty if none was. */
struct aq_str profiles_chosen(const struct aq_op *op);

#endif
