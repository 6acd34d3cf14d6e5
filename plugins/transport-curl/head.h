/* SPDX-License-Identifier: Apache-2.0 */
/* The head of a response: collected line by line, then split into fields; never more than agreed.
 */
#ifndef TRANSPORT_CURL_HEAD_H
#define TRANSPORT_CURL_HEAD_H

#include <amazonq/plugin.h>
#include <stdbool.h>

#define HEAD_DEFAULT_MAX_BYTES 65536u
#define HEAD_MAX_FIELDS 256u

/* Zero-initialised, but for max, is empty. */
struct head {
    uint32_t max;      /* bytes of all lines together, interim heads and trailers included */
    uint32_t received; /* of those */
    char *text;        /* the lines of the field section */
    size_t len;
    size_t size;
    uint32_t count; /* of fields */
    struct aq_header *fields;
    int32_t status; /* 0 until the status line has come */
    bool http2;
    bool complete;
};

/* Take one line as it came, with its line end. On failure *ret_what says what is wrong. */
aq_status head_add(struct head *head, const char *line, size_t len, const char **ret_what);

void head_done(struct head *head);

#endif
