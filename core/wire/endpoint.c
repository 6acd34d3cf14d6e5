/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/endpoint.h"

#include "base/error.h"
#include "base/str.h"

enum {
    REGION_MAX = 32,  /* bytes */
    URL_MAX = 2048,   /* bytes */
    PORT_MAX = 65535, /* the largest there is */
    ARN_REGION = 3,   /* index of the field: arn:partition:service:REGION:... */
};

/* The hosts that may be shown a secret although the user did not name them. */
enum host_id { HOST_Q, HOST_OIDC, HOST_CODEWHISPERER, HOST_RUNTIME, HOST_MANAGEMENT, HOST_DESKTOP };

static const struct host_name {
    struct aq_str before; /* the region */
    struct aq_str after;
} known_hosts[] = {
    [HOST_Q] = { AQ_STR_INIT("q."), AQ_STR_INIT(".amazonaws.com") },
    [HOST_OIDC] = { AQ_STR_INIT("oidc."), AQ_STR_INIT(".amazonaws.com") },
    [HOST_CODEWHISPERER] = { AQ_STR_INIT("codewhisperer."), AQ_STR_INIT(".amazonaws.com") },
    [HOST_RUNTIME] = { AQ_STR_INIT("runtime."), AQ_STR_INIT(".kiro.dev") },
    [HOST_MANAGEMENT] = { AQ_STR_INIT("management."), AQ_STR_INIT(".kiro.dev") },
    [HOST_DESKTOP] = { AQ_STR_INIT("prod."), AQ_STR_INIT(".auth.desktop.kiro.dev") },
};

/* Where the service is, in the order in which it is asked: under its name, and under that of its
 * successor, which has a host of its own for what streams. */
static const struct site {
    struct aq_str name;
    enum host_id streams, rest;
} sites[ENDPOINT_SITES] = {
    { AQ_STR_INIT("q"), HOST_Q, HOST_Q },
    { AQ_STR_INIT("kiro"), HOST_RUNTIME, HOST_MANAGEMENT },
};

/* The regions in which it is there; the first one unless something says otherwise. */
static const struct aq_str regions[] = { AQ_STR_INIT("us-east-1"), AQ_STR_INIT("eu-central-1") };

/* The parts of a base URL. */
struct url {
    bool https;
    struct aq_str host; /* an IPv6 literal with its brackets */
    struct aq_str port; /* empty if there is none */
};

static bool all_within(struct aq_str s, char first, char last)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] < first || s.ptr[i] > last) {
            return false;
        }
    }
    return s.len > 0;
}

bool endpoint_region_valid(struct aq_str region)
{
    struct aq_str rest = region;
    struct aq_str part = str_cut(&rest, '-');
    if (region.len > REGION_MAX || part.len < 2 || part.len > 4 || !all_within(part, 'a', 'z')) {
        return false;
    }
    size_t words = 0;
    for (part = str_cut(&rest, '-'); rest.ptr; part = str_cut(&rest, '-')) {
        if (!all_within(part, 'a', 'z')) {
            return false;
        }
        words++;
    }
    return words > 0 && part.len <= 2 && all_within(part, '0', '9');
}

struct aq_str endpoint_region_of_arn(struct aq_str arn)
{
    struct aq_str field = { NULL, 0 };
    for (int i = 0; i <= ARN_REGION; i++) {
        field = str_cut(&arn, ':');
    }
    return endpoint_region_valid(field) ? field : (struct aq_str){ NULL, 0 };
}

static aq_status add_host(enum host_id id, struct aq_str object, struct aq_str region,
                          struct buf *out, struct aq_error *err)
{
    const struct host_name *host = &known_hosts[id];
    if (!endpoint_region_valid(region)) {
        return error_set(err, AQ_E_INVALID,
                         "%.*s: the region is not a name such as us-east-1, log in again or name "
                         "the endpoint",
                         AQ_STR_ARG(object));
    }
    buf_printf(out, "https://%.*s%.*s%.*s", AQ_STR_ARG(host->before), AQ_STR_ARG(region),
               AQ_STR_ARG(host->after));
    return buf_status(out) == AQ_OK ? AQ_OK : error_nomem(err, "endpoint");
}

aq_status endpoint_oidc(struct aq_str object, struct aq_str named, struct aq_str region,
                        struct buf *out, struct aq_error *err)
{
    return named.len ? endpoint_check(AQ_STR("sign-in endpoint"), named, true, out, err)
                     : add_host(HOST_OIDC, object, region, out, err);
}

bool endpoint_region_known(struct aq_str region)
{
    for (size_t i = 0; i < sizeof(regions) / sizeof(regions[0]); i++) {
        if (str_eq(region, regions[i])) {
            return true;
        }
    }
    return false;
}

struct aq_str endpoint_region(struct aq_str profile_arn)
{
    struct aq_str region = endpoint_region_of_arn(profile_arn);
    return endpoint_region_known(region) ? region : regions[0];
}

struct aq_str endpoint_site_name(uint32_t site)
{
    return sites[site].name;
}

uint32_t endpoint_site_find(struct aq_str name)
{
    uint32_t site = 0;
    while (site < ENDPOINT_SITES && !str_eq(name, sites[site].name)) {
        site++;
    }
    return site;
}

aq_status endpoint_service(uint32_t site, bool streams, struct aq_str region, struct buf *out,
                           struct aq_error *err)
{
    return add_host(streams ? sites[site].streams : sites[site].rest, AQ_STR("region"), region, out,
                    err);
}

/* Take the region out, put it back into each known name, compare the whole. */
static bool host_known(struct aq_str host)
{
    struct aq_str rest = host;
    str_cut(&rest, '.');
    struct aq_str region = str_cut(&rest, '.');
    if (!endpoint_region_valid(region)) {
        return false;
    }
    for (size_t i = 0; i < sizeof(known_hosts) / sizeof(known_hosts[0]); i++) {
        const struct host_name *known = &known_hosts[i];
        size_t front = known->before.len + region.len;
        if (str_starts(host, known->before) && host.ptr + known->before.len == region.ptr &&
            str_eq(str_from_offset(host, front), known->after)) {
            return true;
        }
    }
    return false;
}

/* 127.a.b.c in its plain form only: other spellings are read differently by different programs. */
static bool host_is_loopback_v4(struct aq_str host)
{
    if (!str_starts(host, AQ_STR("127."))) {
        return false;
    }
    int fields = 0;
    struct aq_str rest = host;
    while (rest.ptr) {
        struct aq_str field = str_cut(&rest, '.');
        int64_t value = 0;
        if (field.len > 3 || !all_within(field, '0', '9') || !str_to_i64(field, &value) ||
            value > 255 || (field.len > 1 && field.ptr[0] == '0')) {
            return false;
        }
        fields++;
    }
    return fields == 4;
}

static bool host_is_loopback(struct aq_str host)
{
    return str_eq(host, AQ_STR("localhost")) || str_eq(host, AQ_STR("[::1]")) ||
           host_is_loopback_v4(host);
}

static bool host_char(char c, bool bracketed)
{
    if (bracketed) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') ||
               c == ':' || c == '.';
    }
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '.' || c == '_';
}

/* Length of the host at the front of HOST or HOST:PORT; 0 if there is none. */
static size_t host_length(struct aq_str authority)
{
    bool bracketed = authority.len && authority.ptr[0] == '[';
    size_t len = bracketed ? 1 : 0;
    while (len < authority.len && host_char(authority.ptr[len], bracketed)) {
        len++;
    }
    if (!bracketed) {
        return len;
    }
    return len > 2 && len < authority.len && authority.ptr[len] == ']' ? len + 1 : 0;
}

static bool port_valid(struct aq_str port)
{
    int64_t value = 0;
    return all_within(port, '0', '9') && str_to_i64(port, &value) && value >= 1 &&
           value <= PORT_MAX;
}

/* Find the problem of an authority, HOST or HOST:PORT; NULL if it has none. */
static const char *split_authority(struct aq_str authority, struct url *ret)
{
    if (str_contains(authority, AQ_STR("@"))) {
        return "it has a user name in it";
    }
    size_t len = host_length(authority);
    if (len == 0) {
        return "it has no valid host";
    }
    ret->host = (struct aq_str){ authority.ptr, len };
    struct aq_str rest = str_from_offset(authority, len);
    if (rest.len == 0) {
        ret->port = rest;
        return NULL;
    }
    ret->port = str_from_offset(rest, 1);
    if (rest.ptr[0] != ':') {
        return "it has no valid host";
    }
    return port_valid(ret->port) ? NULL : "it has no valid port";
}

/* Find the problem of a base URL; NULL if it has none. */
static const char *split_url(struct aq_str url, struct url *ret)
{
    static const struct aq_str https = AQ_STR_INIT("https://");
    static const struct aq_str http = AQ_STR_INIT("http://");

    if (url.len > URL_MAX) {
        return "it is too long";
    }
    for (size_t i = 0; i < url.len; i++) {
        char c = url.ptr[i];
        if (c < 0x21 || c > 0x7e || c == '?' || c == '#' || c == '\\') {
            return "it has a character that a base URL cannot have";
        }
    }
    ret->https = str_starts(url, https);
    if (!ret->https && !str_starts(url, http)) {
        return "it does not begin with https://";
    }
    struct aq_str rest = str_from_offset(url, ret->https ? https.len : http.len);
    return split_authority(str_cut(&rest, '/'), ret);
}

aq_status endpoint_check(struct aq_str object, struct aq_str url, bool named, struct buf *out,
                         struct aq_error *err)
{
    struct url parts = { 0 };
    const char *problem = split_url(url, &parts);
    if (problem) {
        return error_set(err, AQ_E_INVALID,
                         "%.*s: not a usable URL (%s), write it as https://HOST[:PORT][/PATH]",
                         AQ_STR_ARG(object), problem);
    }
    if (!named && (!parts.https || parts.port.len || !host_known(parts.host))) {
        return error_set(err, AQ_E_INVALID,
                         "%.*s: host '%.*s' may not be shown a login, name the endpoint yourself "
                         "if you trust it",
                         AQ_STR_ARG(object), AQ_STR_ARG(parts.host));
    }
    if (!parts.https && !host_is_loopback(parts.host)) {
        return error_set(err, AQ_E_INVALID,
                         "%.*s: http to '%.*s' would show the login to the network, use https",
                         AQ_STR_ARG(object), AQ_STR_ARG(parts.host));
    }
    while (url.ptr[url.len - 1] == '/') { /* ends at the host at the latest */
        url.len--;
    }
    buf_add(out, url);
    return buf_status(out) == AQ_OK ? AQ_OK : error_nomem(err, "endpoint");
}

struct aq_str endpoint_region_of_host(struct aq_str url)
{
    struct url parts = { 0 };
    if (split_url(url, &parts) || !str_ends(parts.host, AQ_STR(".amazonaws.com"))) {
        return (struct aq_str){ NULL, 0 };
    }
    struct aq_str label = { NULL, 0 };
    for (struct aq_str rest = parts.host; rest.ptr && !endpoint_region_valid(label);) {
        label = str_cut(&rest, '.');
    }
    return endpoint_region_valid(label) ? label : (struct aq_str){ NULL, 0 };
}

bool endpoint_is_page(struct aq_str url)
{
    struct url parts = { 0 };
    size_t path = 0; /* the length of what is before query and fragment, which a page may have */
    while (path < url.len && url.ptr[path] != '?' && url.ptr[path] != '#') {
        path++;
    }
    url.len = path;
    return !split_url(url, &parts) && (parts.https || host_is_loopback(parts.host));
}
