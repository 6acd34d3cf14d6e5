/* SPDX-License-Identifier: Apache-2.0 */
/* Where an access key comes from: the search, and the requests that some places need. */
#ifndef AQ_CLIENT_ACCESS_KEY_H
#define AQ_CLIENT_ACCESS_KEY_H

#include "client/answer.h"
#include "wire/aws_reply.h"

#include <amazonq/access_key.h>

/* As aq_access_key_start, as a part of another operation. */
aq_status access_key_start(struct aq_client *client, struct aq_op *parent, struct aq_op **ret,
                           struct aq_error *err);

/* The profile that the user has chosen, and the files it may be in. */
struct aws_profile {
    struct aq_str name;
    bool named; /* by AWS_PROFILE: it has to be there */
    struct buf credentials_path, credentials;
    struct buf config_path, config;
};

/* A value of the profile, from `credentials`, else from `config`. */
struct aq_str aws_profile_value(const struct aws_profile *p, const char *key);

/* It names a token to be exchanged for a key, which counts before a key of its own. */
bool aws_profile_has_web_identity(const struct aws_profile *p);

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

/* One request after another to one of them. */

struct access_key_remote {
    enum access_key_place place;
    uint32_t step;   /* of PLACE_INSTANCE: token, role, key */
    bool needs_curl; /* it was not asked, for want of HTTP/1.1 */
    struct buf url, body, token;
    size_t origin_len; /* of the url of PLACE_INSTANCE: what is before its path */
    struct answer answer;
};

/* The first place that this user has, with its request sent. AQ_E_NOTFOUND: there is none. */
aq_status access_key_ask(struct access_key_remote *r, struct aq_op *op,
                         const struct aws_profile *profile, struct aq_error *err);

/* AQ_OK: *ret_key is the key, *ret_source the place. AQ_AGAIN: op is woken. AQ_E_NOTFOUND: no such
 * service is there after all. */
aq_status access_key_answer(struct access_key_remote *r, struct aq_op *op, struct aws_key *ret_key,
                            struct aq_str *ret_source, struct aq_error *err);
void access_key_remote_done(struct access_key_remote *r, bool forked);

#endif
