/* SPDX-License-Identifier: Apache-2.0 */
#include "no_proxy.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { PATTERN_SIZE = 256 }; /* a name of at most 255 bytes */

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

bool no_proxy_has(const char *list, const char *host)
{
    static const char separators[] = ", \t";
    char pattern[PATTERN_SIZE];
    if (!list || strcmp(list, "*") == 0) {
        return list != NULL;
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
