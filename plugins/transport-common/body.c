/* SPDX-License-Identifier: Apache-2.0 */
#include "body.h"

#include <string.h>

#include "memory.h"

#define FIRST_SIZE 512u /* of many streams, most wait for one small event */

/* Make room for len bytes at the end: by moving to the front, else by growing. */
static aq_status make_room(struct body *body, size_t len)
{
    size_t used = body_len(body);
    if (body->size - body->end >= len) {
        return AQ_OK;
    }
    if (used) {
        memmove(body->data, body->data + body->begin, used);
    }
    body->begin = 0;
    body->end = used;
    if (body->size - used >= len) {
        return AQ_OK;
    }
    size_t size = body->size ? body->size : FIRST_SIZE;
    while (size - used < len) {
        size *= 2;
    }
    uint8_t *grown = memory_grow(body->data, used, body->size, size);
    if (!grown) {
        return AQ_E_NOMEM;
    }
    body->data = grown;
    body->size = size;
    return AQ_OK;
}

aq_status body_put(struct body *body, const void *bytes, size_t len)
{
    size_t used = body_len(body);
    if (len == 0) {
        return AQ_OK;
    }
    if (used && (used >= body->max || len > body->max - used)) {
        return AQ_AGAIN;
    }
    aq_status st = make_room(body, len);
    if (st != AQ_OK) {
        return st;
    }
    memcpy(body->data + body->end, bytes, len);
    body->end += len;
    return AQ_OK;
}

size_t body_take(struct body *body, uint8_t *buf, size_t cap)
{
    size_t len = body_len(body);
    if (len > cap) {
        len = cap;
    }
    if (len) {
        memcpy(buf, body->data + body->begin, len);
        body->begin += len;
    }
    if (body->begin == body->end) {
        body->begin = body->end = 0; /* the next bytes come where these were: that is cached */
    }
    return len;
}

void body_done(struct body *body)
{
    memory_free(body->data, body->size);
    *body = (struct body){ 0 };
}
