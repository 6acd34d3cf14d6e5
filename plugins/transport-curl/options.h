/* SPDX-License-Identifier: Apache-2.0 */
/* The settings of an instance, and what they mean for every request: trust, proxy, limits. */
#ifndef TRANSPORT_CURL_OPTIONS_H
#define TRANSPORT_CURL_OPTIONS_H

#include <amazonq/plugin.h>
#include <curl/curl.h>
#include <stdbool.h>

#include "settings.h"
#include "trust.h"

extern const struct aq_setting options_settings[SETTINGS_COMMON_COUNT];

/* Strings are borrowed from the host, as long as the instance is open; NULL is "not set". */
struct options {
    struct trust trust;
    const char *https_proxy;
    const char *all_proxy;
    const char *no_proxy;
    long max_connections;
    long keepalive_s;
};

/* Read the values that the host found. AQ_E_INVALID when certificates or a proxy are named that
 * cannot be used. */
aq_status options_init(struct options *options, const struct aq_open_args *args,
                       struct aq_error *err);

/* Name the files and directories that are trusted, for messages; easy knows libcurl's own default.
 * Returns how many were named: 0, 1 or 2. */
int options_name_trust(const struct options *options, CURL *easy, char *buf, size_t cap);

/* The proxy on the way to a host; NULL: there is none. Changes host, which libcurl has given out.
 */
const char *options_proxy(const struct options *options, char *host);

/* Set on easy everything that is the same for all requests with this scheme and proxy (NULL: none).
 * False: no memory. */
bool options_apply(const struct options *options, CURL *easy, bool is_https, const char *proxy);

#endif
