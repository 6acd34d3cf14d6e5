/* SPDX-License-Identifier: Apache-2.0 */
/* One HTTP request of an operation, over the client's transport. */
#ifndef AQ_CLIENT_CALL_H
#define AQ_CLIENT_CALL_H

#include "client/client.h"

#include <amazonq/transport.h>

struct call {
    struct transport_call transport; /* zeroed when none is under way */
};

/* Start it. op is woken when there is something to read. Fills in sizes and the default timeouts.
 */
aq_status call_start(struct call *call, struct aq_op *op, const struct aq_request *request,
                     struct aq_error *err);

bool call_is_active(const struct call *call);

/* As the transport's functions of these names. */
aq_status call_response(struct call *call, struct aq_response *ret, struct aq_error *err);
aq_status call_read(struct call *call, uint8_t *buf, size_t cap, size_t *ret_len,
                    struct aq_error *err);

/* End it; harmless when none is under way. forked: forget it only. */
void call_finish(struct call *call, bool forked);

/* Header of a response by its lower-case name; empty if absent. */
struct aq_str call_header(const struct aq_response *response, struct aq_str name);

#endif
