/* SPDX-License-Identifier: Apache-2.0 */
/* Why a request did not succeed: the error, and in parts what the service said of it. */
#ifndef AQ_WIRE_FAILURE_H
#define AQ_WIRE_FAILURE_H

#include "wire/fault.h"
#include "wire/request.h"

/* Zeroed memory is none. */
struct failure {
    struct aq_error error;
    struct buf code, reason, message; /* empty: not said, or not to be shown */
};

void failure_done(struct failure *f);

/* The service has refused a request. It may repeat what it was sent: parts that do are left out.
 * Returns the class of what was said. */
aq_status failure_explain(struct failure *f, const struct fault *fault,
                          const struct request *request, struct aq_str request_id);

/* An attempt broke: what its caller says about it, as an error in any case. */
aq_status failure_break(struct failure *f, const struct aq_error *why);

#endif
