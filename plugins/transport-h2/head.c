/* SPDX-License-Identifier: Apache-2.0 */
#include "head.h"

#include <string.h>

#include "fault.h"
#include "memory.h"
#include "request.h"

#define FIRST_SIZE 512u
#define LINE_EXTRA 4u /* ": " and the line end */

static aq_status reserve(struct head *head, size_t len)
{
    size_t size = head->size ? head->size : FIRST_SIZE;
    if (head->size - head->len >= len) {
        return AQ_OK;
    }
    while (size - head->len < len) {
        size *= 2;
    }
    char *grown = memory_grow(head->text, head->len, head->size, size);
    if (!grown) {
        return AQ_E_NOMEM;
    }
    head->text = grown;
    head->size = size;
    return AQ_OK;
}

static void append(struct head *head, struct aq_str s)
{
    memcpy(head->text + head->len, s.ptr, s.len);
    head->text[head->len + s.len] = '\0';
    head->len += s.len + 1;
}

static aq_status add_status(struct head *head, struct aq_str value, const char **ret_what)
{
    int32_t status = 0;
    *ret_what = "the status is malformed";
    for (size_t i = 0; i < value.len; i++) {
        if (value.len != 3 || value.ptr[i] < '0' || value.ptr[i] > '9') {
            return AQ_E_PROTOCOL;
        }
        status = status * 10 + (value.ptr[i] - '0');
    }
    if (status < 100 || status > 599 || status == 101) { /* nobody asked to switch protocols */
        return AQ_E_PROTOCOL;
    }
    head->status = status;
    return AQ_OK;
}

aq_status head_add(struct head *head, struct aq_str name, struct aq_str value,
                   const char **ret_what)
{
    if (name.len + value.len + LINE_EXTRA > head->max - head->received) {
        *ret_what = FAULT_HEAD_TOO_LARGE;
        return AQ_E_LIMIT;
    }
    head->received += (uint32_t)(name.len + value.len + LINE_EXTRA);
    if (head->complete) {
        return AQ_OK; /* a trailer: counted, not kept */
    }
    if (name.len && name.ptr[0] == ':') {
        return add_status(head, value, ret_what);
    }
    if (request_is(name, "content-encoding") && !request_is(value, "identity")) {
        *ret_what = FAULT_ENCODED;
        return AQ_E_PROTOCOL;
    }
    if (head->count == HEAD_MAX_FIELDS) {
        *ret_what = FAULT_HEAD_TOO_MANY;
        return AQ_E_LIMIT;
    }
    if (reserve(head, name.len + value.len + 2) != AQ_OK) {
        *ret_what = "out of memory";
        return AQ_E_NOMEM;
    }
    append(head, name);
    append(head, value);
    head->count++;
    return AQ_OK;
}

static struct aq_str take_text(const char **at)
{
    const struct aq_str s = { *at, strlen(*at) };
    *at += s.len + 1;
    return s;
}

aq_status head_end(struct head *head, const char **ret_what)
{
    if (head->complete) {
        return AQ_OK;
    }
    if (head->status < 200) {
        head->status = 0;
        head->len = 0;
        head->count = 0;
        return AQ_OK;
    }
    head->fields = calloc(head->count + 1, sizeof(*head->fields));
    if (!head->fields) {
        *ret_what = "out of memory";
        return AQ_E_NOMEM;
    }
    const char *at = head->text;
    for (uint32_t i = 0; i < head->count; i++) {
        head->fields[i].name = take_text(&at);
        head->fields[i].value = take_text(&at);
    }
    head->complete = true;
    return AQ_OK;
}

void head_done(struct head *head)
{
    memory_free(head->text, head->size);
    free(head->fields);
    *head = (struct head){ 0 };
}
