/* SPDX-License-Identifier: Apache-2.0 */
#include "head.h"

#include <string.h>
#include <strings.h>

#include "fault.h"
#include "memory.h"

#define FIRST_SIZE 1024u
#define LENGTH_DIGITS 18u     /* of a number that fits into 63 bits whatever they are */
#define STATUS_PREFIX "HTTP/" /* never the start of a field: its name cannot hold a slash */

/* What the fields read so far say about the length of the body. */
struct framing {
    const struct aq_str *length;
    bool chunked;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static char to_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static struct aq_str trim(const char *begin, const char *end)
{
    while (begin < end && is_blank(*begin)) {
        begin++;
    }
    while (end > begin && is_blank(end[-1])) {
        end--;
    }
    return (struct aq_str){ begin, (size_t)(end - begin) };
}

static bool str_is(struct aq_str s, const char *lower)
{
    return s.len == strlen(lower) && strncasecmp(s.ptr, lower, s.len) == 0;
}

static aq_status append(struct head *head, const char *line, size_t len)
{
    if (head->size - head->len < len) {
        size_t size = head->size ? head->size : FIRST_SIZE;
        while (size - head->len < len) {
            size *= 2;
        }
        char *grown = memory_grow(head->text, head->len, head->size, size);
        if (!grown) {
            return AQ_E_NOMEM;
        }
        head->text = grown;
        head->size = size;
    }
    memcpy(head->text + head->len, line, len);
    head->len += len;
    return AQ_OK;
}

/* "HTTP/1.1 200 OK" or "HTTP/2 200". */
static aq_status add_status(struct head *head, const char *line, size_t len, const char **ret_what)
{
    const char *end = line + len;
    const char *code = memchr(line, ' ', len);
    *ret_what = "the status is malformed";
    if (head->status || !code || end - code < 4 || (end - code > 4 && code[4] != ' ')) {
        return AQ_E_PROTOCOL;
    }
    int32_t status = 0;
    for (int i = 1; i <= 3; i++) {
        if (code[i] < '0' || code[i] > '9') {
            return AQ_E_PROTOCOL;
        }
        status = status * 10 + (code[i] - '0');
    }
    if (status < 100 || status > 599 || status == 101) { /* nobody asked to switch protocols */
        return AQ_E_PROTOCOL;
    }
    head->status = status;
    head->http2 = line[strlen(STATUS_PREFIX)] == '2';
    return AQ_OK;
}

/* Split the field at line, which ends before end, into *ret; its name becomes lower case. */
static aq_status split(char *line, const char *end, struct aq_header *ret, const char **ret_what)
{
    char *colon = memchr(line, ':', (size_t)(end - line));
    *ret_what = "a header field is malformed";
    if (!colon || colon == line) {
        return AQ_E_PROTOCOL;
    }
    for (char *c = line; c < colon; c++) {
        if (*c <= ' ' || *c > '~') { /* a folded line, too, begins with a blank */
            return AQ_E_PROTOCOL;
        }
        *c = to_lower(*c);
    }
    ret->name = (struct aq_str){ line, (size_t)(colon - line) };
    ret->value = trim(colon + 1, end);
    if (memchr(colon, '\0', (size_t)(end - colon)) || memchr(colon, '\r', (size_t)(end - colon))) {
        return AQ_E_PROTOCOL;
    }
    return AQ_OK;
}

/* Digits alone, and few enough for every program on the way to read the same number. */
static bool is_length(struct aq_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9') {
            return false;
        }
    }
    return s.len > 0 && s.len <= LENGTH_DIGITS;
}

static bool str_same(struct aq_str a, struct aq_str b)
{
    return a.len == b.len && memcmp(a.ptr, b.ptr, a.len) == 0;
}

/* What is wrong with the framing after one more field; NULL if nothing is. */
static const char *add_framing(struct framing *framing, const struct aq_header *field)
{
    if (str_is(field->name, "content-encoding") && !str_is(field->value, "identity")) {
        return FAULT_ENCODED;
    }
    if (str_is(field->name, "transfer-encoding")) {
        if (framing->chunked || !str_is(field->value, "chunked")) {
            return "the transfer encoding is not supported";
        }
        framing->chunked = true;
    }
    if (str_is(field->name, "content-length")) {
        if (!is_length(field->value)) {
            return "the length is malformed";
        }
        if (framing->length && !str_same(*framing->length, field->value)) {
            return "the answer has two lengths";
        }
        framing->length = &field->value;
    }
    return framing->length && framing->chunked ? "the answer has two lengths" : NULL;
}

/* What the fields say about framing must be unambiguous, and nothing may be compressed. */
static aq_status check_framing(const struct head *head, const char **ret_what)
{
    struct framing framing = { 0 };
    *ret_what = NULL;
    for (uint32_t i = 0; i < head->count && !*ret_what; i++) {
        *ret_what = add_framing(&framing, &head->fields[i]);
    }
    return *ret_what ? AQ_E_PROTOCOL : AQ_OK;
}

/* The blank line has come. */
static aq_status finish(struct head *head, const char **ret_what)
{
    if (head->status < 200) { /* interim, or none at all: the next line must be a status line */
        head->status = 0;
        head->len = 0;
        head->count = 0;
        return AQ_OK;
    }
    char *line = head->text;
    head->fields = calloc(head->count + 1, sizeof(*head->fields));
    if (!head->fields) {
        *ret_what = "out of memory";
        return AQ_E_NOMEM;
    }
    for (uint32_t i = 0; i < head->count; i++) {
        char *end = memchr(line, '\n', (size_t)(head->text + head->len - line));
        aq_status st = split(line, end, &head->fields[i], ret_what);
        if (st != AQ_OK) {
            return st;
        }
        line = end + 1;
    }
    aq_status st = check_framing(head, ret_what);
    head->complete = st == AQ_OK;
    return st;
}

aq_status head_add(struct head *head, const char *line, size_t len, const char **ret_what)
{
    if (len > head->max - head->received) {
        *ret_what = FAULT_HEAD_TOO_LARGE;
        return AQ_E_LIMIT;
    }
    head->received += (uint32_t)len;
    if (head->complete) {
        return AQ_OK; /* a trailer: counted, not kept */
    }
    while (len && (line[len - 1] == '\n' || line[len - 1] == '\r')) {
        len--;
    }
    if (len == 0) {
        return finish(head, ret_what);
    }
    if (len > strlen(STATUS_PREFIX) && memcmp(line, STATUS_PREFIX, strlen(STATUS_PREFIX)) == 0) {
        return add_status(head, line, len, ret_what);
    }
    if (head->status == 0) {
        *ret_what = "the answer does not begin with a status line";
        return AQ_E_PROTOCOL;
    }
    if (head->count == HEAD_MAX_FIELDS) {
        *ret_what = FAULT_HEAD_TOO_MANY;
        return AQ_E_LIMIT;
    }
    *ret_what = "out of memory";
    if (append(head, line, len) != AQ_OK || append(head, "\n", 1) != AQ_OK) {
        return AQ_E_NOMEM;
    }
    head->count++;
    return AQ_OK;
}

void head_done(struct head *head)
{
    memory_free(head->text, head->size);
    free(head->fields);
    *head = (struct head){ 0 };
}
