/* SPDX-License-Identifier: Apache-2.0 */
/* A request as libcurl wants it: checked, copied, and wiped when it is freed. */
#ifndef TRANSPORT_CURL_OUTGOING_H
#define TRANSPORT_CURL_OUTGOING_H

#include <amazonq/plugin.h>
#include <curl/curl.h>
#include <stdbool.h>

#include "options.h"
#include "upload.h"

#define OUTGOING_ORIGIN_SIZE 320 /* scheme, a name of at most 255 bytes, port */

struct outgoing {
    char origin[OUTGOING_ORIGIN_SIZE]; /* "https://host:port", for messages */
    bool https;
    const char *proxy; /* of the options; NULL: the way is direct */
    char *text;        /* url, method and header lines, each NUL-terminated */
    size_t text_size;
    const char *url;
    const char *method;
    struct curl_slist *lines; /* an array, linked from one to the next */
    struct upload body;
};

/* Check and copy a request. On failure *outgoing can still be given to outgoing_done. */
aq_status outgoing_init(struct outgoing *outgoing, const struct aq_request *request,
                        const struct options *options, struct aq_error *err);

/* Set everything on easy; *outgoing must outlive it. */
CURLcode outgoing_apply(struct outgoing *outgoing, CURL *easy);

void outgoing_done(struct outgoing *outgoing);

#endif
