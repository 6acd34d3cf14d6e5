/* SPDX-License-Identifier: Apache-2.0 */
/* Where an access key comes from, as an operation. */
#ifndef AQ_CLIENT_ACCESS_KEY_H
#define AQ_CLIENT_ACCESS_KEY_H

#include "client/client.h"

#include <amazonq/access_key.h>

/* As aq_access_key_start, as a part of another operation. */
aq_status access_key_start(struct aq_client *client, struct aq_op *parent, struct aq_op **ret,
                           struct aq_error *err);

#endif
