/* SPDX-License-Identifier: Apache-2.0 */
/* What results of libcurl mean. */
#ifndef TRANSPORT_CURL_CURL_FAULT_H
#define TRANSPORT_CURL_CURL_FAULT_H

#include <amazonq/plugin.h>
#include <curl/curl.h>
#include <stdbool.h>

#include "options.h"

/* CURLE_TOO_LARGE, which libcurl has since 8.6. */
#define CURL_FAULT_TOO_LARGE ((CURLcode)100)

struct curl_failure {
    CURL *easy;
    CURLcode code;
    const char *said; /* by libcurl, in its own words */
    bool has_head;    /* the head of the response is complete */
    bool is_proxied;
};

/* What it means for a request to origin. */
aq_status curl_fault(struct aq_error *err, const struct options *options,
                     const struct curl_failure *failure, const char *origin);

/* The same for a result of the instance as a whole. */
aq_status curl_fault_multi(struct aq_error *err, CURLMcode code);

#endif
