/* SPDX-License-Identifier: Apache-2.0 */
/* A request as libcurl wants it: checked, copied, and wiped when it is freed. */
#ifndef TRANSPORT_CURL_OUTGOING_H
#define TRANSPORT_CURL_OUTGOING_H

#include <amazonq/plugin.h>
#include <curl/curl.h>
#include <stdbool.h>

#define OUTGOING_ORIGIN_SIZE 320 /* scheme, a name of at most 255 bytes, port */

struct outgoing {
    char origin[OUTGOING_ORIGIN_SIZE]; /* "https://host:port", for messages */
    bool https;
    char *text; /* url, method and header lines, each NUL-terminated */
    size_t text_size;
    const char *url;
    const char *method;
    struct curl_slist *lines; /* an array, linked from one to the next */
    uint8_t *body;
    size_t body_len;
    size_t body_sent;
};

/* Check and copy a request. On failure *outgoing can still be given to outgoing_done. */
aq_status outgoing_init(struct outgoing *outgoing, const struct aq_request *request,
                        struct aq_error *err);

/* Set everything on easy; *outgoing must outlive it. */
CURLcode outgoing_apply(struct outgoing *outgoing, CURL *easy);

/* Copy the next bytes of the body to buf, return how many; 0 at its end. */
size_t outgoing_read(struct outgoing *outgoing, char *buf, size_t cap);

void outgoing_done(struct outgoing *outgoing);

#endif
