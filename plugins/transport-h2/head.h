/* SPDX-License-Identifier: Apache-2.0 */
/* The head of a response: collected field by field, never more than agreed. */
#ifndef TRANSPORT_H2_HEAD_H
#define TRANSPORT_H2_HEAD_H

#include <amazonq/plugin.h>
#include <stdbool.h>

#define HEAD_DEFAULT_MAX_BYTES 65536u
#define HEAD_MAX_FIELDS 256u

/* Zero-initialised, but for max, is empty. */
struct head {
    uint32_t max;      /* bytes, as HTTP/1.1 would write them; interim heads and trailers, too */
    uint32_t received; /* of those */
    char *text;        /* "name\0value\0" for each field */
    size_t len;
    size_t size;
    uint32_t count; /* of fields */
    struct aq_header *fields;
    int32_t status; /* 0 until it has come */
    bool complete;
};

/* Take one field; names are in lower case, neither has a NUL. On failure *ret_what says what is
 * wrong. */
aq_status head_add(struct head *head, struct aq_str name, struct aq_str value,
                   const char **ret_what);

/* The section of fields is over: that of an interim response is forgotten, another completes the
 * head. */
aq_status head_end(struct head *head, const char **ret_what);

void head_done(struct head *head);

#endif
