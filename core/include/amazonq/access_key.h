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

/**
 * Start to find an access key, where the AWS SDKs look and in their order: the first of these that
 * has one, or fails to give the one it has, ends the search.
 *
 * 1. environment: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN
 * 2. profile, process: the profile AWS_PROFILE, else "default", of ~/.aws/credentials and
 *    ~/.aws/config (AWS_SHARED_CREDENTIALS_FILE, AWS_CONFIG_FILE): a key, or a credential_process,
 *    which is run with /bin/sh in a process group of its own, for 60 s at most; freed before its
 *    end, the operation ends it
 * 3. web-identity: the profile's web_identity_token_file and role_arn, which count before its keys;
 *    else AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN; exchanged at STS
 * 4. container: AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or _FULL_URI
 * 5. instance: the metadata service of an EC2 instance, version 2 (IMDSv2)
 *
 * Reports AQ_EVENT_ACCESS_KEY once, then AQ_END. Nothing is kept: each operation searches anew. May
 * block in files, see aq_op_may_block.
 *
 * The operation fails with AQ_E_NOT_LOGGED_IN (there is none), AQ_E_INVALID (what is set makes no
 * sense), AQ_E_CORRUPT (what was handed out is no key), AQ_E_UNSUPPORTED (the profile wants what is
 * not listed here, or the transport cannot ask), AQ_E_UNAVAILABLE (a file or a program failed),
 * AQ_E_ACCESS (STS, the container or the instance refused), AQ_E_THROTTLED and AQ_E_SERVICE (it
 * could not answer, try again), AQ_E_TIMEOUT, or the network's errors.
 *
 * @return AQ_OK, AQ_E_NOMEM, AQ_E_FORKED
 * Threads: the client's.  Since: 0.1
 */
AQ_API aq_status aq_access_key_start(struct aq_client *client, struct aq_op **ret,
                                     struct aq_error *err);

#ifdef __cplusplus
}
#endif

#endif
