/* SPDX-License-Identifier: Apache-2.0 */
/* The stream operation as a part of another one. */
#ifndef AQ_CLIENT_STREAM_H
#define AQ_CLIENT_STREAM_H

#include "client/client.h"

#include <amazonq/stream.h>
#include <amazonq/token.h>

/* The caller's options in today's shape. AQ_E_INVALID if struct_size is not set. */
aq_status stream_options(const struct aq_stream_options *options, struct aq_stream_options *ret,
                         struct aq_error *err);

/* Would a request be possible with these options, once there is a token? AQ_OK, AQ_E_INVALID. */
aq_status stream_check(const struct aq_client *client, const struct aq_stream_options *options,
                       struct aq_error *err);

/* As aq_stream_start, with options from stream_options; the login they come from, if it is known;
 * and the region to ask, or none, if the user named no endpoint. */
aq_status stream_start(struct aq_client *client, const struct aq_stream_options *options,
                       const struct aq_token *login, struct aq_str region, struct aq_op *parent,
                       struct aq_op **ret, struct aq_error *err);

/* True if the user named the endpoint, so that there is only one. */
bool stream_endpoint_is_named(const struct aq_client *client);

#endif
