/* SPDX-License-Identifier: Apache-2.0 */
#include "outgoing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fault.h"
#include "memory.h"
#include "request.h"

#define PSEUDO_COUNT 4u /* :method, :scheme, :authority, :path */
#define LENGTH_SIZE 24u /* a 64-bit number as text */

/* Fields that go into no table: an attacker who can make requests could guess at them, and they are
 * not to be kept longer than needed (RFC 7541, 7.1.3). */
static const char *const secrets[] = { "authorization", "cookie", "x-amz-security-token" };
#define SECRET_COUNT (sizeof(secrets) / sizeof(secrets[0]))

static struct aq_str str(const char *text)
{
    return (struct aq_str){ text, strlen(text) };
}

static struct aq_str trim(struct aq_str s)
{
    while (s.len && (s.ptr[0] == ' ' || s.ptr[0] == '\t')) {
        s.ptr++;
        s.len--;
    }
    while (s.len && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t')) {
        s.len--;
    }
    return s;
}

/* The authority is made of the URL or of "host", and we compute the length ourselves. */
static bool is_left_out(const struct aq_header *header)
{
    return request_is(header->name, "content-length") || request_is(header->name, "host");
}

static struct aq_str find_authority(const struct aq_request *request, const struct url *url)
{
    for (uint32_t i = 0; i < request->header_count; i++) {
        const struct aq_header *header = request_header(request, i);
        if (request_is(header->name, "host")) {
            return trim(header->value);
        }
    }
    return str(url->authority);
}

static uint8_t flags_of(struct aq_str name)
{
    for (size_t i = 0; i < SECRET_COUNT; i++) {
        if (request_is(name, secrets[i])) {
            return NGHTTP2_NV_FLAG_NO_INDEX;
        }
    }
    return NGHTTP2_NV_FLAG_NONE;
}

/* Copy s to outgoing->text, at *at, in lower case if wanted. */
static uint8_t *copy(char **at, struct aq_str s, bool lower)
{
    char *copied = *at;
    for (size_t i = 0; i < s.len; i++) {
        const char c = s.ptr[i];
        copied[i] = lower && c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    *at += s.len;
    return (uint8_t *)copied;
}

static void add(struct outgoing *outgoing, char **at, struct aq_str name, struct aq_str value)
{
    outgoing->fields[outgoing->field_count++] = (nghttp2_nv){
        .name = copy(at, name, true),
        .value = copy(at, value, false),
        .namelen = name.len,
        .valuelen = value.len,
        .flags = flags_of(name),
    };
}

static size_t text_size(const struct aq_request *request, const struct url *url)
{
    size_t size = request->method.len + request->url.len + sizeof(url->authority) + LENGTH_SIZE +
                  strlen(":method:schemehttps:authority:path/content-length");
    for (uint32_t i = 0; i < request->header_count; i++) {
        const struct aq_header *header = request_header(request, i);
        size += header->name.len + header->value.len;
    }
    return size;
}

static aq_status copy_fields(struct outgoing *outgoing, const struct aq_request *request,
                             const struct url *url)
{
    char length[LENGTH_SIZE];
    outgoing->text_size = text_size(request, url);
    outgoing->text = malloc(outgoing->text_size);
    outgoing->fields = calloc(PSEUDO_COUNT + request->header_count + 1, sizeof(*outgoing->fields));
    if (!outgoing->text || !outgoing->fields) {
        return AQ_E_NOMEM;
    }
    char *at = outgoing->text;
    add(outgoing, &at, AQ_STR(":method"), request->method);
    add(outgoing, &at, AQ_STR(":scheme"), str(outgoing->origin.https ? "https" : "http"));
    add(outgoing, &at, AQ_STR(":authority"), find_authority(request, url));
    nghttp2_nv *path = &outgoing->fields[outgoing->field_count];
    if (url->path.len == 0 || url->path.ptr[0] != '/') { /* "https://host" or "https://host?a" */
        add(outgoing, &at, AQ_STR(":path"), AQ_STR("/"));
        copy(&at, url->path, false);
        path->valuelen += url->path.len;
    } else {
        add(outgoing, &at, AQ_STR(":path"), url->path);
    }
    for (uint32_t i = 0; i < request->header_count; i++) {
        const struct aq_header *header = request_header(request, i);
        if (!is_left_out(header)) {
            add(outgoing, &at, header->name, trim(header->value));
        }
    }
    if (request->body.len || request_takes_body(request->method)) {
        snprintf(length, sizeof(length), "%zu", request->body.len);
        add(outgoing, &at, AQ_STR("content-length"), str(length));
    }
    return AQ_OK;
}

aq_status outgoing_init(struct outgoing *outgoing, const struct aq_request *request,
                        struct aq_error *err)
{
    struct url url;
    *outgoing = (struct outgoing){ 0 };
    aq_status st = request_check(request, err);
    if (st != AQ_OK) {
        return st;
    }
    if (!url_read(request->url, &outgoing->origin, &url)) {
        return fault_set(err, AQ_E_INVALID, "request",
                         "the URL must be https://host[:port]/..., without user name");
    }
    if (copy_fields(outgoing, request, &url) != AQ_OK ||
        upload_init(&outgoing->body, request->body) != AQ_OK) {
        return fault_set(err, AQ_E_NOMEM, "request", "out of memory");
    }
    return AQ_OK;
}

void outgoing_forget_fields(struct outgoing *outgoing)
{
    memory_free(outgoing->text, outgoing->text_size);
    free(outgoing->fields);
    outgoing->text = NULL;
    outgoing->fields = NULL;
}

void outgoing_done(struct outgoing *outgoing)
{
    outgoing_forget_fields(outgoing);
    upload_done(&outgoing->body);
    *outgoing = (struct outgoing){ 0 };
}
