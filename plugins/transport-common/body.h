/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes of a response that have arrived and wait to be read; wiped when freed. */
#ifndef TRANSPORT_COMMON_BODY_H
#define TRANSPORT_COMMON_BODY_H

#include <amazonq/plugin.h>

/* Zero-initialised, but for max, is empty. The bytes are data[begin] ... data[end - 1]. */
struct body {
    size_t max; /* that are held at once */
    uint8_t *data;
    size_t begin;
    size_t end;
    size_t size; /* of the block at data */
};

static inline size_t body_len(const struct body *body)
{
    return body->end - body->begin;
}

/* Append bytes. AQ_AGAIN: full, nothing was taken. Whatever fits into an empty body is taken. */
aq_status body_put(struct body *body, const void *bytes, size_t len);

/* Move up to cap bytes out, return how many. */
size_t body_take(struct body *body, uint8_t *buf, size_t cap);

void body_done(struct body *body);

#endif
