/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "memory.h"

#define DEFAULT_PORT 1080 /* as everybody who follows curl */

static int hex(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Undo percent encoding in place; what is none stays. Returns the new length, or SIZE_MAX if there
 * are control characters. */
static size_t decode_percent(char *text, size_t len)
{
    size_t to = 0;
    for (size_t from = 0; from < len; from++, to++) {
        text[to] = text[from];
        if (text[from] == '%' && len - from >= 3 && hex(text[from + 1]) >= 0 &&
            hex(text[from + 2]) >= 0) {
            text[to] = (char)(hex(text[from + 1]) * 16 + hex(text[from + 2]));
            from += 2;
        }
        if ((unsigned char)text[to] < 0x20) {
            return SIZE_MAX;
        }
    }
    return to;
}

static void encode_base64(const uint8_t *in, size_t len, char *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < len; i += 3) {
        const size_t left = len - i;
        const uint32_t bits = (uint32_t)in[i] << 16 | (left > 1 ? (uint32_t)in[i + 1] << 8 : 0) |
                              (left > 2 ? in[i + 2] : 0u);
        *out++ = digits[bits >> 18];
        *out++ = digits[bits >> 12 & 63];
        *out++ = left > 1 ? digits[bits >> 6 & 63] : '=';
        *out++ = left > 2 ? digits[bits & 63] : '=';
    }
    *out = '\0';
}

static enum proxy_fault read_credentials(struct proxy *proxy, struct aq_str user_info)
{
    enum proxy_fault fault = PROXY_NO_MEMORY;
    char *text = malloc(user_info.len + 1);
    proxy->credentials = calloc((user_info.len + 1) / 3 + 2, 4); /* text, whatever happens */
    if (text && proxy->credentials) {
        memcpy(text, user_info.ptr, user_info.len);
        const bool has_password = memchr(text, ':', user_info.len) != NULL;
        size_t len = decode_percent(text, user_info.len);
        fault = len == SIZE_MAX ? PROXY_MALFORMED : PROXY_OK;
        if (fault == PROXY_OK) {
            text[len] = ':'; /* a user without a password */
            encode_base64((const uint8_t *)text, len + !has_password, proxy->credentials);
        }
    }
    memory_free(text, user_info.len + 1);
    return fault;
}

enum proxy_fault proxy_init(struct proxy *proxy, const char *text, const char *no_proxy)
{
    static const char scheme[] = "http://";
    enum proxy_fault fault = PROXY_OK;
    *proxy = (struct proxy){ .set = text != NULL, .port = DEFAULT_PORT, .no_proxy = no_proxy };
    if (!text) {
        return PROXY_OK;
    }
    if (strncasecmp(text, scheme, strlen(scheme)) == 0) {
        text += strlen(scheme);
    }
    if (strstr(text, "://")) {
        return PROXY_MALFORMED; /* another scheme */
    }
    struct aq_str rest = { text, strcspn(text, "/?#") };
    const char *at = memchr(rest.ptr, '@', rest.len);
    if (at) {
        fault = read_credentials(proxy, (struct aq_str){ rest.ptr, (size_t)(at - rest.ptr) });
        rest = (struct aq_str){ at + 1, rest.len - (size_t)(at + 1 - rest.ptr) };
    }
    if (fault == PROXY_OK &&
        (text[strcspn(text, "?#")] || !url_read_authority(rest, proxy->host, &proxy->port))) {
        fault = PROXY_MALFORMED;
    }
    if (fault != PROXY_OK) {
        proxy_done(proxy);
    }
    return fault;
}

void proxy_done(struct proxy *proxy)
{
    if (proxy->credentials) {
        memory_free(proxy->credentials, strlen(proxy->credentials));
    }
    proxy->credentials = NULL;
}

static bool same_prefix(const uint8_t *a, const uint8_t *b, unsigned bits)
{
    const unsigned bytes = bits / 8;
    const uint8_t mask = (uint8_t)(0xff00u >> (bits % 8));
    return memcmp(a, b, bytes) == 0 && (bits % 8 == 0 || ((a[bytes] ^ b[bytes]) & mask) == 0);
}

/* One to three digits; SIZE_MAX: it is something else. */
static size_t read_bits(const char *text)
{
    const size_t len = strlen(text);
    return len >= 1 && len <= 3 && strspn(text, "0123456789") == len ? strtoul(text, NULL, 10)
                                                                     : SIZE_MAX;
}

/* "10.0.0.0/8", "fd00::/8" or one address. */
static bool covers_address(int family, const char *pattern, const uint8_t *address)
{
    uint8_t network[sizeof(struct in6_addr)] = { 0 };
    char text[INET6_ADDRSTRLEN];
    const unsigned size = family == AF_INET ? 32 : 128;
    const char *slash = strchr(pattern, '/');
    const size_t len = slash ? (size_t)(slash - pattern) : strlen(pattern);
    if (len >= sizeof(text)) {
        return false;
    }
    memcpy(text, pattern, len);
    text[len] = '\0';
    const size_t bits = slash ? read_bits(slash + 1) : size;
    return inet_pton(family, text, network) == 1 && bits <= size &&
           same_prefix(address, network, (unsigned)bits);
}

static size_t trim_dot(const char *text, size_t len)
{
    return len && text[len - 1] == '.' ? len - 1 : len;
}

/* "example.com" and ".example.com" stand for the host and everything below it. */
static bool covers_name(const char *pattern, const char *host)
{
    pattern += *pattern == '.';
    const size_t pattern_len = trim_dot(pattern, strlen(pattern));
    const size_t host_len = trim_dot(host, strlen(host));
    if (pattern_len == 0 || pattern_len > host_len ||
        strncasecmp(host + host_len - pattern_len, pattern, pattern_len) != 0) {
        return false;
    }
    return pattern_len == host_len || host[host_len - pattern_len - 1] == '.';
}

static bool covers(char *pattern, const char *host)
{
    uint8_t address[sizeof(struct in6_addr)];
    if (inet_pton(AF_INET, host, address) == 1) {
        return covers_address(AF_INET, pattern, address);
    }
    if (inet_pton(AF_INET6, host, address) == 1) {
        if (*pattern == '[') {
            pattern++;
            pattern[strcspn(pattern, "]")] = '\0';
        }
        return covers_address(AF_INET6, pattern, address);
    }
    return covers_name(pattern, host);
}

static bool is_exempt(const char *list, const char *host)
{
    static const char separators[] = ", \t";
    char pattern[URL_HOST_SIZE];
    if (strcmp(list, "*") == 0) {
        return true;
    }
    for (list += strspn(list, separators); *list; list += strspn(list, separators)) {
        const size_t len = strcspn(list, separators);
        if (len < sizeof(pattern)) {
            memcpy(pattern, list, len);
            pattern[len] = '\0';
            if (covers(pattern, host)) {
                return true;
            }
        }
        list += len;
    }
    return false;
}

bool proxy_is_for(const struct proxy *proxy, const struct origin *origin)
{
    /* Plain http is for this machine alone: it never leaves through a proxy. */
    return proxy->set && origin->https &&
           !(proxy->no_proxy && is_exempt(proxy->no_proxy, origin->host));
}
