/* SPDX-License-Identifier: Apache-2.0 */
/* Access keys as those say them who hand them out: programs, containers, instances, STS. */
#ifndef AQ_WIRE_AWS_REPLY_H
#define AQ_WIRE_AWS_REPLY_H

#include "base/buf.h"

#include <amazonq/access_key.h>

/* A copy of an access key. */
struct aws_key {
    struct buf access_key_id;
    struct buf secret_access_key;
    struct buf session_token;
    int64_t expires_at_s; /* 0: it does not say */
};

/* Take a copy of these. AQ_E_NOMEM. */
aq_status aws_key_set(struct aws_key *key, struct aq_str id, struct aq_str secret,
                      struct aq_str session_token, struct aq_error *err);
void aws_key_done(struct aws_key *key);

/* Views of it. */
void aws_key_view(const struct aws_key *key, struct aq_str source, struct aq_access_key *ret);

/*
 * Read {"AccessKeyId", "SecretAccessKey", "SessionToken" or "Token", "Expiration"}; a program's has
 * "Version": 1, too, which is asked for with versioned. `object` says whose it is.
 *
 * Returns AQ_OK; AQ_E_CORRUPT: it is not that; AQ_E_NOMEM.
 */
aq_status aws_reply_json(const char *object, struct aq_str text, bool versioned,
                         struct aws_key *ret, struct aq_error *err);

/* Read the credentials in an answer of STS, which is XML. Errors as above. */
aq_status aws_reply_sts(struct aq_str text, struct aws_key *ret, struct aq_error *err);

/* Append what STS or a container says is wrong: the text of <Code>, of "code" or "Code"; nothing
 * if there is none. At most 64 printable characters. */
void aws_reply_problem(struct aq_str text, struct buf *ret);

#endif
