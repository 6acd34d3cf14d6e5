/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/head.h"

#include "base/str.h"
#include "wire/timestamp.h"

#include <string.h>

enum { HOST_MAX = 255 }; /* bytes of a name in an error text */

struct headers {
    const struct aq_exchange_header *first;
    uint32_t count, stride;
};

static struct aq_str find(const struct headers *headers, struct aq_str name)
{
    const char *at = (const char *)headers->first;
    for (uint32_t i = 0; i < headers->count; i++, at += headers->stride) {
        struct aq_exchange_header header;
        memcpy(&header, at, sizeof(header));
        if (str_eq_nocase(header.name, name)) {
            return header.value;
        }
    }
    return (struct aq_str){ NULL, 0 };
}

/* -1: there is none, or it is no number. */
static int64_t find_number(const struct headers *headers, struct aq_str name)
{
    int64_t number;
    return str_to_i64(find(headers, name), &number) && number >= 0 ? number : -1;
}

/* Seconds, or a date (RFC 9110, 10.2.3), which is as far away as the answer's own date says: the
 * two are of one clock. */
static int64_t find_delay_s(const struct headers *headers, int64_t date_s)
{
    const struct aq_str name = AQ_STR("retry-after");
    int64_t until_s;
    if (date_s == 0 || !timestamp_parse_http(find(headers, name), &until_s)) {
        return find_number(headers, name);
    }
    return until_s > date_s ? until_s - date_s : 0;
}

void head_read(const struct aq_exchange_header *headers, uint32_t count, uint32_t stride,
               struct head *ret)
{
    const struct headers all = { headers, count, stride ? stride : sizeof(*headers) };
    struct aq_str id = find(&all, AQ_STR("x-amzn-requestid"));
    if (id.len == 0) {
        id = find(&all, AQ_STR("x-amz-request-id"));
    }
    int64_t date_s;
    if (!timestamp_parse_http(find(&all, AQ_STR("date")), &date_s)) {
        date_s = 0;
    }
    *ret = (struct head){
        .request_id = str_is_token(id) ? id : AQ_STR(""),
        .error_type = find(&all, AQ_STR("x-amzn-errortype")),
        .content_type = find(&all, AQ_STR("content-type")),
        .content_encoding = find(&all, AQ_STR("content-encoding")),
        .location = find(&all, AQ_STR("location")),
        .retry_after_ms = find_number(&all, AQ_STR("x-amz-retry-after")),
        .retry_after_s = find_delay_s(&all, date_s),
        .date_s = date_s,
    };
}

bool head_is_compressed(const struct head *head)
{
    return head->content_encoding.len && !str_eq_nocase(head->content_encoding, AQ_STR("identity"));
}

bool head_is_no_stream(const struct head *head)
{
    static const struct aq_str others[] = {
        AQ_STR_INIT("application/json"),
        AQ_STR_INIT("application/x-amz-json"),
        AQ_STR_INIT("application/xml"),
        AQ_STR_INIT("text/"),
    };
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        struct aq_str front = { head->content_type.ptr, others[i].len };
        if (head->content_type.len >= others[i].len && str_eq_nocase(front, others[i])) {
            return true;
        }
    }
    return false;
}

struct aq_str head_redirect_host(const struct head *head)
{
    struct aq_str host = head->location;
    str_cut(&host, '/');
    if (!str_starts(host, AQ_STR("/"))) {
        return AQ_STR("");
    }
    host = str_from_offset(host, 1);
    size_t len = 0;
    while (len < host.len && !strchr("/?#", host.ptr[len])) {
        char c = host.ptr[len++];
        bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                     c == '-' || c == '.' || c == ':' || c == '[' || c == ']';
        if (!plain || len > HOST_MAX) {
            return AQ_STR("");
        }
    }
    return (struct aq_str){ host.ptr, len };
}
