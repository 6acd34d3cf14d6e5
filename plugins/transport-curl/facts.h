/* SPDX-License-Identifier: Apache-2.0 */
/* What a call has met on its way, as libcurl tells it. */
#ifndef TRANSPORT_CURL_FACTS_H
#define TRANSPORT_CURL_FACTS_H

#include <amazonq/plugin.h>
#include <curl/curl.h>
#include <stdbool.h>

struct call;

/* Texts that are handed out. */
struct facts {
    char address[64];
    char proxy[320];
    char trust[512];
    char subject[256];
    char issuer[256];
};

/* Let libcurl note what it otherwise does not. False: no memory. */
bool facts_prepare(struct facts **facts, CURL *easy);

aq_status facts_tell(const struct call *call, struct aq_facts *ret);

#endif
