/* SPDX-License-Identifier: Apache-2.0 */
#include "url.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define PORT_HTTP 80
#define PORT_HTTPS 443
#define PORT_DIGITS 5u

static struct aq_str skip(struct aq_str s, size_t len)
{
    return (struct aq_str){ s.ptr + len, s.len - len };
}

/* Bytes before the first of these characters, or all. */
static size_t span_until(struct aq_str s, const char *stop)
{
    size_t len = 0;
    while (len < s.len && !strchr(stop, s.ptr[len])) {
        len++;
    }
    return len;
}

static bool take_prefix(struct aq_str *s, const char *prefix)
{
    const size_t len = strlen(prefix);
    if (s->len < len || strncasecmp(s->ptr, prefix, len) != 0) {
        return false;
    }
    *s = skip(*s, len);
    return true;
}

static bool is_name(struct aq_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        const char c = s.ptr[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
            c != '-' && c != '.' && c != '_') {
            return false;
        }
    }
    return s.len > 0 && s.ptr[0] != '.';
}

static bool copy_host(struct aq_str s, char *ret_host)
{
    if (s.len == 0 || s.len >= URL_HOST_SIZE) {
        return false;
    }
    for (size_t i = 0; i < s.len; i++) {
        const char c = s.ptr[i];
        ret_host[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    ret_host[s.len] = '\0';
    return true;
}

static bool read_port(struct aq_str s, uint16_t *ret_port)
{
    uint32_t port = 0;
    if (s.len == 0) {
        return true; /* "host:" */
    }
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9' || s.len > PORT_DIGITS) {
            return false;
        }
        port = port * 10 + (uint32_t)(s.ptr[i] - '0');
    }
    *ret_port = (uint16_t)port;
    return port >= 1 && port <= UINT16_MAX;
}

bool url_read_authority(struct aq_str text, char *ret_host, uint16_t *ret_port)
{
    struct in6_addr ignored;
    const bool brackets = take_prefix(&text, "[");
    const size_t len = span_until(text, brackets ? "]" : ":");
    const struct aq_str host = { text.ptr, len };
    if (!copy_host(host, ret_host)) {
        return false;
    }
    text = skip(text, len);
    if (brackets ? !take_prefix(&text, "]") || inet_pton(AF_INET6, ret_host, &ignored) != 1
                 : !is_name(host)) {
        return false;
    }
    return text.len == 0 || (text.ptr[0] == ':' && read_port(skip(text, 1), ret_port));
}

bool url_read(struct aq_str text, struct origin *ret_origin, struct url *ret_url)
{
    uint16_t port = 0;
    *ret_origin = (struct origin){ .https = take_prefix(&text, "https://") };
    if (!ret_origin->https && !take_prefix(&text, "http://")) {
        return false;
    }
    const struct aq_str authority = { text.ptr, span_until(text, "/?#") };
    if (!url_read_authority(authority, ret_origin->host, &port)) {
        return false;
    }
    const uint16_t usual_port = ret_origin->https ? PORT_HTTPS : PORT_HTTP;
    const bool is_v6 = strchr(ret_origin->host, ':') != NULL;
    char port_text[PORT_DIGITS + 2] = "";
    ret_origin->port = port ? port : usual_port;
    if (ret_origin->port != usual_port) {
        snprintf(port_text, sizeof(port_text), ":%u", port);
    }
    snprintf(ret_url->authority, sizeof(ret_url->authority), "%s%s%s%s", is_v6 ? "[" : "",
             ret_origin->host, is_v6 ? "]" : "", port_text);
    snprintf(ret_origin->text, sizeof(ret_origin->text), "http%s://%.300s",
             ret_origin->https ? "s" : "", ret_url->authority);
    text = skip(text, authority.len);
    ret_url->path = (struct aq_str){ text.ptr, span_until(text, "#") };
    return true;
}

bool origin_same(const struct origin *a, const struct origin *b)
{
    return a->https == b->https && a->port == b->port && strcmp(a->host, b->host) == 0;
}
