/* SPDX-License-Identifier: Apache-2.0 */
/* What may be asked of a transport: a request that means the same to every program on its way. */
#ifndef TRANSPORT_COMMON_REQUEST_H
#define TRANSPORT_COMMON_REQUEST_H

#include <amazonq/plugin.h>
#include <stdbool.h>

static inline const struct aq_header *request_header(const struct aq_request *request,
                                                     uint32_t index)
{
    return (const void *)((const char *)request->headers + (size_t)index * request->header_stride);
}

/* What the host knows of a request, and zero for what it does not. */
struct aq_request request_known(const struct aq_request *request);

/* Give the host as much of a response as it knows. */
void request_give_response(struct aq_response *ret, const struct aq_response *response);

/* Check method, URL and headers for what cannot be sent safely. AQ_E_INVALID. */
aq_status request_check(const struct aq_request *request, struct aq_error *err);

/* True if s is this text, which is lower case, in any case. */
bool request_is(struct aq_str s, const char *lower);

/* True if a length is sent with this method even when the body is empty. */
bool request_takes_body(struct aq_str method);

#endif
