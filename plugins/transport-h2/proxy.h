/* SPDX-License-Identifier: Apache-2.0 */
/* The proxy of an instance, and the hosts that are reached without it. */
#ifndef TRANSPORT_H2_PROXY_H
#define TRANSPORT_H2_PROXY_H

#include <amazonq/plugin.h>
#include <stdbool.h>

#include "url.h"

struct proxy {
    bool set;
    char host[URL_HOST_SIZE];
    uint16_t port;
    char *credentials;    /* "USER:PASSWORD" in Base64, or NULL */
    const char *no_proxy; /* borrowed; NULL: none */
};

enum proxy_fault { PROXY_OK, PROXY_MALFORMED, PROXY_NO_MEMORY };

/* Read "[http://][USER:PASSWORD@]HOST[:PORT]"; text may be NULL. */
enum proxy_fault proxy_init(struct proxy *proxy, const char *text, const char *no_proxy);
void proxy_done(struct proxy *proxy);

/* True if a connection to origin goes through the proxy. */
bool proxy_is_for(const struct proxy *proxy, const struct origin *origin);

#endif
