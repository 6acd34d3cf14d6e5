/* SPDX-License-Identifier: Apache-2.0 */
/* What the head of an answer says, as far as we look at it. */
#ifndef AQ_WIRE_HEAD_H
#define AQ_WIRE_HEAD_H

#include <amazonq/exchange.h>
#include <stdbool.h>

/* Views of the headers; empty if absent. */
struct head {
    struct aq_str request_id; /* also empty if it is no token of ASCII */
    struct aq_str error_type;
    struct aq_str content_type;
    struct aq_str content_encoding;
    struct aq_str location;
    int64_t retry_after_ms; /* x-amz-retry-after; -1: not said */
    int64_t retry_after_s;  /* Retry-After, which proxies say, too; -1: not said */
    int64_t date_s;         /* seconds since 1970-01-01 UTC; 0: not said */
};

/* stride 0: that of an array. */
void head_read(const struct aq_exchange_header *headers, uint32_t count, uint32_t stride,
               struct head *ret);

bool head_is_compressed(const struct head *head);

/* The body is JSON, XML or text; an answer of which nothing is said may be a stream. */
bool head_is_no_stream(const struct head *head);

/* The host that a redirect leads to; the empty view if there is none that is safe to print. */
struct aq_str head_redirect_host(const struct head *head);

#endif
