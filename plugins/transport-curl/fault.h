/* SPDX-License-Identifier: Apache-2.0 */
/* Errors: "https://host: what is wrong, what to do". Never a URL's path or query, a header or a
 * body. */
#ifndef TRANSPORT_CURL_FAULT_H
#define TRANSPORT_CURL_FAULT_H

#include <amazonq/plugin.h>
#include <curl/curl.h>
#include <stdbool.h>

#include "options.h"

/* CURLE_TOO_LARGE, which libcurl has since 8.6. */
#define FAULT_TOO_LARGE ((CURLcode)100)

/* Fill err and return status. object is the origin of a request, or the name of this plugin. */
aq_status fault_set(struct aq_error *err, aq_status status, const char *object, const char *what);

/* The same for what the peer, or a proxy, should not have answered. */
aq_status fault_in_answer(struct aq_error *err, aq_status status, const char *origin,
                          const char *what);

/* What libcurl's result means for a request to origin. has_head: the response head is complete. */
aq_status fault_from_curl(struct aq_error *err, const struct options *options, CURL *easy,
                          CURLcode code, const char *origin, bool has_head);

/* The same for a result of the instance as a whole. */
aq_status fault_from_multi(struct aq_error *err, CURLMcode code);

#endif
