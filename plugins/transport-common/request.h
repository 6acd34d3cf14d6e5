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

/* Check method, URL and headers for what cannot be sent safely. AQ_E_INVALID. */
aq_status request_check(const struct aq_request *request, struct aq_error *err);

/* True if s is this text, which is lower case, in any case. */
bool request_is(struct aq_str s, const char *lower);

/* True if a length is sent with this method even when the body is empty. */
bool request_takes_body(struct aq_str method);

#endif
