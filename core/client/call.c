/* SPDX-License-Identifier: Apache-2.0 */
#include "client/call.h"

#include "base/str.h"

#include <string.h>

enum { CONNECT_TIMEOUT_MS = 10000, IDLE_TIMEOUT_MS = 60000 };

aq_status call_start(struct call *call, struct aq_op *op, const struct aq_request *request,
                     struct aq_error *err)
{
    struct aq_request full = *request;
    full.struct_size = sizeof(full);
    full.header_stride = sizeof(struct aq_header);
    full.connect_timeout_ms =
        full.connect_timeout_ms ? full.connect_timeout_ms : CONNECT_TIMEOUT_MS;
    full.idle_timeout_ms = full.idle_timeout_ms ? full.idle_timeout_ms : IDLE_TIMEOUT_MS;
    full.max_header_bytes = TRANSPORT_HEADER_BYTES;

    aq_status st = client_transport(op->client, err);
    return st == AQ_OK ? transport_start(&op->client->transport, &full, op, &call->transport, err)
                       : st;
}

bool call_is_active(const struct call *call)
{
    return call->transport.handle != NULL;
}

aq_status call_response(struct call *call, struct aq_response *ret, struct aq_error *err)
{
    return transport_response(&call->transport, ret, err);
}

aq_status call_read(struct call *call, uint8_t *buf, size_t cap, size_t *ret_len,
                    struct aq_error *err)
{
    return transport_read(&call->transport, buf, cap, ret_len, err);
}

void call_finish(struct call *call, bool forked)
{
    if (forked) {
        call->transport.handle = NULL;
    }
    transport_finish(&call->transport);
}

struct aq_str call_header(const struct aq_response *response, struct aq_str name)
{
    const char *at = (const char *)response->headers;
    for (uint32_t i = 0; i < response->header_count; i++, at += response->header_stride) {
        struct aq_header header;
        memcpy(&header, at, sizeof(header));
        if (str_eq_nocase(header.name, name)) {
            return header.value;
        }
    }
    return (struct aq_str){ NULL, 0 };
}
