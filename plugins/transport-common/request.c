/* SPDX-License-Identifier: Apache-2.0 */
#include "request.h"

#include <string.h>
#include <strings.h>

#include "fault.h"

/* Framing and the connection are the transport's business. */
static const char *const reserved[] = { "connection",
                                        "expect",
                                        "keep-alive",
                                        "proxy-connection",
                                        "te",
                                        "trailer",
                                        "transfer-encoding",
                                        "upgrade",
                                        "http2-settings",
                                        "proxy-authenticate",
                                        "proxy-authorization" };
#define RESERVED_COUNT (sizeof(reserved) / sizeof(reserved[0]))

struct aq_request request_known(const struct aq_request *request)
{
    struct aq_request known = { 0 };
    const size_t size = request->struct_size;
    memcpy(&known, request, size < sizeof(known) ? size : sizeof(known));
    return known;
}

void request_give_response(struct aq_response *ret, const struct aq_response *response)
{
    const uint32_t size = ret->struct_size;
    memcpy(ret, response, size < sizeof(*response) ? size : sizeof(*response));
    ret->struct_size = size;
}

bool request_is(struct aq_str s, const char *lower)
{
    return s.len == strlen(lower) && strncasecmp(s.ptr, lower, s.len) == 0;
}

static bool str_same(struct aq_str s, const char *text)
{
    return s.len == strlen(text) && memcmp(s.ptr, text, s.len) == 0;
}

static bool is_visible(struct aq_str s, char except)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] <= ' ' || s.ptr[i] > '~' || s.ptr[i] == except) {
            return false;
        }
    }
    return s.len > 0;
}

static bool is_one_line(struct aq_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '\r' || s.ptr[i] == '\n' || s.ptr[i] == '\0') {
            return false;
        }
    }
    return true;
}

static aq_status check_header(const struct aq_header *header, struct aq_error *err)
{
    if (!is_visible(header->name, ':')) {
        return fault_set(err, AQ_E_INVALID, "request header", "the name is malformed, correct it");
    }
    if (!is_one_line(header->value)) {
        return fault_set(err, AQ_E_INVALID, "request header",
                         "the value is not one line, correct it");
    }
    for (size_t i = 0; i < RESERVED_COUNT; i++) {
        if (request_is(header->name, reserved[i])) {
            return fault_set(err, AQ_E_INVALID, reserved[i],
                             "this header belongs to the transport, leave it out");
        }
    }
    return AQ_OK;
}

aq_status request_check(const struct aq_request *request, struct aq_error *err)
{
    if (!is_visible(request->method, ':')) {
        return fault_set(err, AQ_E_INVALID, "request", "the method is malformed, correct it");
    }
    if (!is_visible(request->url, '\\')) {
        return fault_set(err, AQ_E_INVALID, "request", "the URL is malformed, correct it");
    }
    for (uint32_t i = 0; i < request->header_count; i++) {
        aq_status st = check_header(request_header(request, i), err);
        if (st != AQ_OK) {
            return st;
        }
    }
    return AQ_OK;
}

bool request_takes_body(struct aq_str method)
{
    return str_same(method, "POST") || str_same(method, "PUT") || str_same(method, "PATCH");
}
