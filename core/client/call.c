/* SPDX-License-Identifier: Apache-2.0 */
#include "client/call.h"

#include "base/error.h"
#include "base/str.h"

#include <string.h>

enum { CONNECT_TIMEOUT_MS = 10000, IDLE_TIMEOUT_MS = 60000, MAX_HEADER_BYTES = 65536 };

aq_status call_start(struct call *call, struct aq_op *op, const struct aq_request *request,
                     struct aq_error *err)
{
    struct aq_request full = *request;
    full.struct_size = sizeof(full);
    full.header_stride = sizeof(struct aq_header);
    full.connect_timeout_ms =
        full.connect_timeout_ms ? full.connect_timeout_ms : CONNECT_TIMEOUT_MS;
    full.idle_timeout_ms = full.idle_timeout_ms ? full.idle_timeout_ms : IDLE_TIMEOUT_MS;
    full.max_header_bytes = MAX_HEADER_BYTES;

    call->client = op->client;
    aq_status st = client_transport(op->client, err);
    if (st != AQ_OK) {
        return st;
    }
    error_clear(err);
    st = op->client->transport_plugin.transport.start(op->client->transport, &full, op,
                                                      &call->handle, err);
    return host_result(&op->client->transport_plugin, st, err);
}

bool call_is_active(const struct call *call)
{
    return call->handle != NULL;
}

aq_status call_response(struct call *call, struct aq_response *ret, struct aq_error *err)
{
    *ret = (struct aq_response){ .struct_size = sizeof(*ret) };
    error_clear(err);
    return host_result(&call->client->transport_plugin,
                       call->client->transport_plugin.transport.response(call->handle, ret, err),
                       err);
}

aq_status call_read(struct call *call, uint8_t *buf, size_t cap, size_t *ret_len,
                    struct aq_error *err)
{
    error_clear(err);
    return host_result(
        &call->client->transport_plugin,
        call->client->transport_plugin.transport.read(call->handle, buf, cap, ret_len, err), err);
}

void call_finish(struct call *call, bool forked)
{
    if (call->handle && !forked) {
        call->client->transport_plugin.transport.finish(call->handle);
    }
    call->handle = NULL;
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
