/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AMAZONQ_CHECK_H
#define AMAZONQ_CHECK_H

/*
 * The operation that looks for what is wrong: settings, plugins, store, login, and the way to every
 * host this login needs. `q doctor` is it.
 *
 *     aq_check_start(client, NULL, &op, &err)
 *     aq_op_wait(op, &event, &err)     AQ_EVENT_FINDING for each finding, then AQ_END
 *
 * It changes nothing: no token is refreshed, and none is sent anywhere but to the service, with one
 * request that only reads. Where chat is signed, an access key is looked for as chat does it.
 * Findings hold no secret, no profile and no e-mail address, and show the home directory as "~":
 * they can be shown to others.
 */

#include <amazonq/client.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Kinds of AQ_EVENT_FINDING. */
#define AQ_FINDING_OK 0
#define AQ_FINDING_WARN 1 /* it works, or nobody can tell, or it soon will not */
#define AQ_FINDING_FAIL 2 /* it does not work */

/** How to check. Zero-initialise, then set struct_size. */
struct aq_check_options {
    uint32_t struct_size;
    uint32_t flags; /* 0 */
};

#define AQ_CHECK_OPTIONS_INIT \
    { \
        sizeof(struct aq_check_options), 0 \
    }

/**
 * Start to check what this client would use. Reports AQ_EVENT_FINDING: kind says how it is, name
 * what was looked at ("service.certificate"), text what was found, payload what to do about it
 * (UTF-8, may be empty). docs/cli.md lists the names. May block, see aq_op_may_block.
 *
 * What is wrong is a finding, not a failure of the operation; that fails with AQ_E_NOMEM only. So
 * is a setting that no client can have, if the client was made with AQ_CLIENT_CHECK_ONLY: then it
 * is the only one.
 *
 * @param options  NULL means all defaults
 * @return AQ_OK, AQ_E_INVALID, AQ_E_NOMEM, AQ_E_FORKED
 * Threads: the client's.  Since: 0.1
 */
AQ_API aq_status aq_check_start(struct aq_client *client, const struct aq_check_options *options,
                                struct aq_op **ret, struct aq_error *err);

#ifdef __cplusplus
}
#endif

#endif
