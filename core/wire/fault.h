/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an error of the service means (docs/protocol.md): its class, whether the request may be
 * repeated, and the one line a person gets to read.
 */
#ifndef AQ_WIRE_FAULT_H
#define AQ_WIRE_FAULT_H

#include "base/buf.h"

#include <amazonq/status.h>
#include <stdbool.h>

/* Code of an error: header x-amzn-errortype, else member `code`, else `__type`, without its
 * namespace. A view of one of the arguments; empty if there is none. */
struct aq_str fault_code(struct aq_str error_type, struct aq_str body);

/* What the service said went wrong. */
struct fault {
    int32_t http;     /* status of the answer; 0 for an exception inside a stream */
    bool model_named; /* the request chose a model */
    bool is_signed;   /* with an access key: it brought no token */
    struct aq_str code;
    struct aq_str message;
    struct aq_str reason;
    struct aq_str body; /* as received; some classes are known by phrases in it */
};

/* Fill code, message and reason from an answer. Views of the arguments and of scratch. */
void fault_read(struct fault *fault, struct aq_str error_type, struct aq_str body,
                struct buf *scratch);

/* The class: AQ_E_AUTH ... AQ_E_SERVICE, or AQ_E_NETWORK for a proxy that wants a password. */
aq_status fault_status(const struct fault *fault);

/* True if this endpoint does not take this login at all, of which another one may: not a decision
 * about the account, which comes with a reason. */
bool fault_refuses_login(const struct fault *fault);

/* How a request may be repeated after a fault. */
enum fault_repeat {
    FAULT_RETRY_NEVER,
    FAULT_RETRY_SOON,     /* a passing failure */
    FAULT_RETRY_THROTTLED /* the service wants fewer requests */
};

enum fault_repeat fault_retry(const struct fault *fault);

/* True if the code is one with which the header x-amz-retry-after counts. */
bool fault_names_delay(const struct fault *fault);

/* True if s repeats the secret, or at least its beginning. */
bool fault_reveals(struct aq_str s, struct aq_str secret);

/*
 * Fill err with the class and one line: what it means, what the service said, the request id, the
 * next step. Whatever came from outside is made printable and cut; parts that reveal `secret`
 * are left out.
 */
aq_status fault_error(const struct fault *fault, struct aq_str request_id, struct aq_str secret,
                      struct aq_error *err);

#endif
