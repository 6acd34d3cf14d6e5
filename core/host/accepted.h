/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which site of the service accepted which login: remembered in a small file in the user's cache,
 * because asking the wrong one first costs a request. It holds no secret, and nothing depends on
 * it: one that is missing, damaged or not ours is the same as an empty one.
 *
 *     HASH NAME     SHA-256 of what a login is known by, as hexadecimal; name of the site
 */
#ifndef AQ_HOST_ACCEPTED_H
#define AQ_HOST_ACCEPTED_H

#include "base/buf.h"
#include "base/sha256.h"

#include <stdbool.h>

/* A login's line. */
struct accepted_key {
    char hex[SHA256_HEX_LEN + 1];
};

/* The file as it was read. */
struct accepted {
    bool loaded;
    struct buf text;
};

void accepted_done(struct accepted *a);

/* What a login is known by; each may be empty. */
struct accepted_key accepted_key(struct aq_str source, struct aq_str start_url,
                                 struct aq_str profile_arn);

/* Name of the site; empty if none is remembered. Valid until the next call. The file is read once.
 */
struct aq_str accepted_find(struct accepted *a, const struct accepted_key *key);

/* Remember another one; none if the name is empty. Writes the file if that changes anything. */
void accepted_set(struct accepted *a, const struct accepted_key *key, struct aq_str site);

#endif
