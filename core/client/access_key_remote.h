/* SPDX-License-Identifier: Apache-2.0 */
/* The requests for an access key to those who hand them out: one after another to one of them. */
#ifndef AQ_CLIENT_ACCESS_KEY_REMOTE_H
#define AQ_CLIENT_ACCESS_KEY_REMOTE_H

#include "client/access_key_place.h"
#include "client/answer.h"
#include "host/aws_profile.h"
#include "wire/aws_reply.h"

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
