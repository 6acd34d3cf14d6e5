/* SPDX-License-Identifier: Apache-2.0 */
#include "outgoing.h"

#include <stdio.h>
#include <string.h>

#include "fault.h"
#include "memory.h"
#include "request.h"

/* libcurl adds these by itself unless they are named without a value. */
static const char *const unwanted[] = { "Accept:", "Content-Type:", "Expect:" };
#define UNWANTED_COUNT (sizeof(unwanted) / sizeof(unwanted[0]))

/* libcurl computes the length; the caller may have done so, too. */
static bool is_left_out(const struct aq_header *header)
{
    return request_is(header->name, "content-length");
}

/* "Name: value", or "Name;" which is libcurl's way to say that the value is empty. */
static char *add_line(char *at, const struct aq_header *header)
{
    memcpy(at, header->name.ptr, header->name.len);
    at += header->name.len;
    if (header->value.len == 0) {
        memcpy(at, ";", 2);
        return at + 2;
    }
    memcpy(at, ": ", 2);
    memcpy(at + 2, header->value.ptr, header->value.len);
    at += 2 + header->value.len;
    *at = '\0';
    return at + 1;
}

static size_t text_size(const struct aq_request *request)
{
    size_t size = request->url.len + 1 + request->method.len + 1;
    for (uint32_t i = 0; i < request->header_count; i++) {
        const struct aq_header *header = request_header(request, i);
        size += header->name.len + sizeof(": ") + header->value.len;
    }
    for (size_t i = 0; i < UNWANTED_COUNT; i++) {
        size += strlen(unwanted[i]) + 1;
    }
    return size;
}

static aq_status copy_text(struct outgoing *outgoing, const struct aq_request *request)
{
    outgoing->text_size = text_size(request);
    outgoing->text = calloc(1, outgoing->text_size);
    outgoing->lines = calloc(UNWANTED_COUNT + request->header_count, sizeof(*outgoing->lines));
    if (!outgoing->text || !outgoing->lines) {
        return AQ_E_NOMEM;
    }
    char *at = outgoing->text;
    outgoing->url = at;
    at = stpncpy(at, request->url.ptr, request->url.len) + 1;
    outgoing->method = at;
    at = stpncpy(at, request->method.ptr, request->method.len) + 1;

    struct curl_slist *line = outgoing->lines;
    for (size_t i = 0; i < UNWANTED_COUNT; i++, line++) {
        line->data = at;
        at = stpcpy(at, unwanted[i]) + 1;
        line->next = line + 1;
    }
    for (uint32_t i = 0; i < request->header_count; i++) {
        const struct aq_header *header = request_header(request, i);
        if (!is_left_out(header)) {
            line->data = at;
            at = add_line(at, header);
            line->next = line + 1;
            line++;
        }
    }
    line[-1].next = NULL;
    return AQ_OK;
}

static aq_status out_of_memory(struct aq_error *err)
{
    return fault_set(err, AQ_E_NOMEM, "request", "out of memory");
}

static CURLUcode split(CURLU *url, const char *text, char **scheme, char **host)
{
    CURLUcode code = curl_url_set(url, CURLUPART_URL, text, CURLU_DISALLOW_USER);
    code = code == CURLUE_OK ? curl_url_get(url, CURLUPART_SCHEME, scheme, 0) : code;
    return code == CURLUE_OK ? curl_url_get(url, CURLUPART_HOST, host, 0) : code;
}

/* Split the URL with libcurl's own parser, so that both mean the same host. */
static aq_status find_origin(struct outgoing *outgoing, const struct options *options,
                             struct aq_error *err)
{
    char *scheme = NULL;
    char *host = NULL;
    char *port = NULL;
    CURLU *url = curl_url();
    CURLUcode code = url ? split(url, outgoing->url, &scheme, &host) : CURLUE_OUT_OF_MEMORY;
    bool valid = code == CURLUE_OK;
    if (valid) {
        curl_url_get(url, CURLUPART_PORT, &port, 0); /* stays NULL for the default port */
        outgoing->https = strcmp(scheme, "https") == 0;
        valid = outgoing->https || strcmp(scheme, "http") == 0;
        snprintf(outgoing->origin, sizeof(outgoing->origin), "%s://%s%s%s", scheme, host,
                 port ? ":" : "", port ? port : "");
        outgoing->proxy = outgoing->https ? options_proxy(options, host) : NULL;
    }
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
    curl_url_cleanup(url);
    if (code == CURLUE_OUT_OF_MEMORY) {
        return out_of_memory(err);
    }
    return valid ? AQ_OK
                 : fault_set(err, AQ_E_INVALID, "request",
                             "the URL must be https://host[:port]/..., without user name");
}

aq_status outgoing_init(struct outgoing *outgoing, const struct aq_request *request,
                        const struct options *options, struct aq_error *err)
{
    *outgoing = (struct outgoing){ 0 };
    aq_status st = request_check(request, err);
    if (st != AQ_OK) {
        return st;
    }
    if (copy_text(outgoing, request) != AQ_OK ||
        upload_init(&outgoing->body, request->body) != AQ_OK) {
        return out_of_memory(err);
    }
    return find_origin(outgoing, options, err);
}

static CURLcode apply_method(const struct outgoing *outgoing, CURL *easy)
{
    const struct aq_str method = { outgoing->method, strlen(outgoing->method) };
    CURLcode code = CURLE_OK;
    if (outgoing->body.len || request_takes_body(method)) {
        code = curl_easy_setopt(easy, CURLOPT_POST, 1L);
        if (code == CURLE_OK) {
            code =
                curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)outgoing->body.len);
        }
    } else if (strcmp(outgoing->method, "HEAD") == 0) {
        code = curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    }
    return code == CURLE_OK ? curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, outgoing->method)
                            : code;
}

CURLcode outgoing_apply(struct outgoing *outgoing, CURL *easy)
{
    CURLcode code = curl_easy_setopt(easy, CURLOPT_URL, outgoing->url);
    if (code == CURLE_OK) {
        code = curl_easy_setopt(easy, CURLOPT_HTTPHEADER, outgoing->lines);
    }
    return code == CURLE_OK ? apply_method(outgoing, easy) : code;
}

void outgoing_done(struct outgoing *outgoing)
{
    memory_free(outgoing->text, outgoing->text_size);
    upload_done(&outgoing->body);
    free(outgoing->lines);
    *outgoing = (struct outgoing){ 0 };
}
