/* SPDX-License-Identifier: Apache-2.0 */
/* Where those are who hand out access keys. */
#ifndef AQ_CLIENT_ACCESS_KEY_PLACE_H
#define AQ_CLIENT_ACCESS_KEY_PLACE_H

#include "host/aws_profile.h"

/* Those who hand out keys. */
enum access_key_place { PLACE_NONE, PLACE_STS, PLACE_CONTAINER, PLACE_INSTANCE };

/* Append the URL to be asked; of an instance without a path. AQ_E_INVALID: a variable or the
 * profile names one that may not be. AQ_E_NOTFOUND: this is no container. */
aq_status access_key_sts_url(const struct settings *settings, const struct aws_profile *profile,
                             struct buf *ret, struct aq_error *err);
aq_status access_key_container_url(const struct settings *settings, struct buf *ret,
                                   struct aq_error *err);
aq_status access_key_instance_origin(const struct settings *settings,
                                     const struct aws_profile *profile, struct buf *ret,
                                     struct aq_error *err);

#endif
