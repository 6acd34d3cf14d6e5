/* SPDX-License-Identifier: Apache-2.0 */
/* A URL, taken apart once. */
#ifndef TRANSPORT_H2_URL_H
#define TRANSPORT_H2_URL_H

#include <amazonq/plugin.h>
#include <stdbool.h>

#define URL_HOST_SIZE 256   /* a name of at most 255 bytes */
#define URL_ORIGIN_SIZE 320 /* scheme, host, port */

/* Where a connection leads to. */
struct origin {
    bool https;
    char host[URL_HOST_SIZE]; /* lower case, an IPv6 address without its brackets */
    uint16_t port;
    char text[URL_ORIGIN_SIZE]; /* "https://host[:port]", for messages */
};

/* The rest of a URL, borrowed from its text. */
struct url {
    char authority[URL_ORIGIN_SIZE]; /* "host[:port]", without the scheme's own port */
    struct aq_str path;              /* with its query, without a fragment; may be empty */
};

/* Take text apart. False: it is not http[s]://host[:port][/...], or it has a user name. */
bool url_read(struct aq_str text, struct origin *ret_origin, struct url *ret_url);

/* Read "HOST[:PORT]", where an IPv6 address is in brackets; *ret_port stays as it is when there is
 * none. ret_host has URL_HOST_SIZE bytes. */
bool url_read_authority(struct aq_str text, char *ret_host, uint16_t *ret_port);

bool origin_same(const struct origin *a, const struct origin *b);

#endif
