/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AMAZONQ_ACCESS_KEY_H
#define AMAZONQ_ACCESS_KEY_H

/*
 * AWS access keys, for machines that have an IAM role in place of a person who signs in: the
 * request SendMessage is signed with one (Signature Version 4), and no login is needed.
 */

#include <amazonq/client.h>

#ifdef __cplusplus
extern "C" {
#endif

/** An access key. Absent texts are empty. Secrets: secret_access_key, session_token. */
struct aq_access_key {
    uint32_t struct_size;
    uint32_t reserved;
    struct aq_str access_key_id;
    struct aq_str secret_access_key;
    struct aq_str session_token; /* of keys that expire */
    int64_t expires_at_s;        /* seconds since 1970-01-01 UTC; 0: it does not say */
    struct aq_str source;        /* where it was found: "environment", "profile", "process",
                                    "web-identity", "container", "instance"; as an input: not looked at */
};

#ifdef __cplusplus
}
#endif

#endif
