/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/failure.h"

#include "base/error.h"

void failure_done(struct failure *f)
{
    buf_done(&f->code);
    buf_done(&f->reason);
    buf_done(&f->message);
}

/* Out of memory: the part is missing, no more. */
static void failure_keep(struct buf *part, struct aq_str text)
{
    buf_clear(part);
    buf_add(part, text);
}

aq_status failure_explain(struct failure *f, const struct fault *fault,
                          const struct request *request, struct aq_str request_id)
{
    struct fault shown = *fault;
    struct aq_str *parts[] = { &shown.code, &shown.reason, &shown.message, &request_id };
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (request_reveals_token(request, *parts[i])) {
            *parts[i] = AQ_STR("");
        }
    }
    failure_keep(&f->code, shown.code);
    failure_keep(&f->reason, shown.reason);
    failure_keep(&f->message, shown.message);
    fault_error(&shown, request_id, request_token(request), &f->error);
    f->error.status = fault_status(fault); /* of what was said, not of what is shown */
    return f->error.status;
}

aq_status failure_break(struct failure *f, const struct aq_error *why)
{
    return why && why->status < 0 ? error_copy(&f->error, why)
                                  : error_set(&f->error, AQ_E_NETWORK,
                                              "connection: broke for an unknown reason, try again");
}
