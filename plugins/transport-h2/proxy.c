/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "memory.h"
#include "no_proxy.h"

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

bool proxy_is_for(const struct proxy *proxy, const struct origin *origin)
{
    /* Plain http is for this machine alone: it never leaves through a proxy. */
    return proxy->set && origin->https && !no_proxy_has(proxy->no_proxy, origin->host);
}
