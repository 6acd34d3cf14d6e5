/* SPDX-License-Identifier: Apache-2.0 */
/* The profile of the AWS tools that the user has chosen: its values in two files. */
#ifndef AQ_HOST_AWS_PROFILE_H
#define AQ_HOST_AWS_PROFILE_H

#include "host/settings.h"

/* Zero-initialised, it has no values. */
struct aws_profile {
    struct aq_str name;
    bool named; /* by AWS_PROFILE: it has to be there */
    struct buf credentials_path, credentials;
    struct buf config_path, config;
};

/* Read both files; one that is not there is empty. AQ_E_INVALID: AWS_PROFILE names a profile that
 * is in neither. */
aq_status aws_profile_read(struct aws_profile *p, const struct settings *settings,
                           struct aq_error *err);

/* A value of the profile, from `credentials`, else from `config`. */
struct aq_str aws_profile_value(const struct aws_profile *p, const char *key);

/* It names a token to be exchanged for a key, which counts before a key of its own. */
bool aws_profile_has_web_identity(const struct aws_profile *p);

/* Wipe what was read. */
void aws_profile_done(struct aws_profile *p);

#endif
