/* SPDX-License-Identifier: Apache-2.0 */
#include "options.h"

#include <string.h>
#include <strings.h>

#include "fault.h"
#include "no_proxy.h"

/* Bytes per read. As many as libcurl 7.88 collects of an HTTP/2 header: what does not fit at once
 * stays with it until the peer sends more. */
#define BUFFER_BYTES (128L * 1024L)
#define TCP_KEEPALIVE_SECONDS 60L /* of silence before the kernel probes the peer */

#define WANTED_PROXY \
    "is not [SCHEME://][USER:PASSWORD@]HOST:PORT with a scheme of http, https, socks4, socks4a, " \
    "socks5 or socks5h, check "

const struct aq_setting options_settings[SETTINGS_COMMON_COUNT] = { SETTINGS_COMMON };

static const char *chosen_proxy(const struct options *options)
{
    return options->https_proxy ? options->https_proxy : options->all_proxy;
}

static bool is_scheme(const char *text)
{
    static const char *const schemes[] = { "http",    "https",  "socks",  "socks4",
                                           "socks4a", "socks5", "socks5h" };
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        if (strcasecmp(text, schemes[i]) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_port(const char *text)
{
    return strcmp(text, "0") != 0;
}

/* The rest is for libcurl to judge. */
static bool is_any(const char *text)
{
    (void)text;
    return true;
}

/* What a proxy's URL may have; a part without a test must not be there. */
static const struct proxy_part {
    CURLUPart part;
    unsigned flags;
    CURLUcode absent; /* what libcurl says if it is not there */
    bool (*test)(const char *text);
} proxy_parts[] = {
    { CURLUPART_SCHEME, 0, CURLUE_OK, is_scheme },
    { CURLUPART_USER, CURLU_URLDECODE, CURLUE_NO_USER, is_any }, /* fails on control characters */
    { CURLUPART_PASSWORD, CURLU_URLDECODE, CURLUE_NO_PASSWORD, is_any },
    { CURLUPART_PORT, 0, CURLUE_NO_PORT, is_port },
    { CURLUPART_QUERY, 0, CURLUE_NO_QUERY, NULL },
    { CURLUPART_FRAGMENT, 0, CURLUE_NO_FRAGMENT, NULL },
};

static CURLUcode check_part(CURLU *url, const struct proxy_part *part)
{
    char *text = NULL;
    CURLUcode code = curl_url_get(url, part->part, &text, part->flags);
    if (code == CURLUE_OK && !(part->test && part->test(text))) {
        code = CURLUE_MALFORMED_INPUT;
    } else if (code == part->absent) {
        code = CURLUE_OK;
    }
    if (text) {
        explicit_bzero(text, strlen(text));
        curl_free(text);
    }
    return code;
}

static CURLUcode check_proxy_url(const char *proxy)
{
    CURLU *url = curl_url();
    CURLUcode code =
        url ? curl_url_set(url, CURLUPART_URL, proxy, CURLU_NON_SUPPORT_SCHEME | CURLU_GUESS_SCHEME)
            : CURLUE_OUT_OF_MEMORY;
    for (size_t i = 0; code == CURLUE_OK && i < sizeof(proxy_parts) / sizeof(proxy_parts[0]); i++) {
        code = check_part(url, &proxy_parts[i]);
    }
    curl_url_cleanup(url);
    return code;
}

/* Of a proxy that it cannot use libcurl says only that it cannot connect, or does without. */
static aq_status check_proxy(const struct options *options, struct aq_error *err)
{
    CURLUcode code = chosen_proxy(options) ? check_proxy_url(chosen_proxy(options)) : CURLUE_OK;
    if (code == CURLUE_OUT_OF_MEMORY) {
        return fault_set(err, AQ_E_NOMEM, "transport-curl", "out of memory");
    }
    return code == CURLUE_OK ? AQ_OK
                             : fault_set(err, AQ_E_INVALID,
                                         options->https_proxy ? "transport.curl.https_proxy"
                                                              : "transport.curl.all_proxy",
                                         options->https_proxy ? WANTED_PROXY "HTTPS_PROXY"
                                                              : WANTED_PROXY "ALL_PROXY");
}

aq_status options_init(struct options *options, const struct aq_open_args *args,
                       struct aq_error *err)
{
    *options = (struct options){
        .https_proxy = settings_text(args, HTTPS_PROXY),
        .all_proxy = settings_text(args, ALL_PROXY),
        .no_proxy = settings_text(args, NO_PROXY),
        .max_connections = (long)settings_value(args, MAX_CONNECTIONS)->number,
        .keepalive_s = (long)settings_value(args, KEEPALIVE_S)->number,
    };
    aq_status st = check_proxy(options, err);
    if (st != AQ_OK) {
        return st;
    }
    return trust_init(&options->trust, "transport.curl", settings_text(args, CA_BUNDLE),
                      settings_text(args, CA_DIR), err);
}

int options_name_trust(const struct options *options, CURL *easy, char *buf, size_t cap)
{
    const char *bundle = options->trust.bundle;
    const char *dir = options->trust.dir;
    if (options->trust.library_default) {
        char *found = NULL;
        curl_easy_getinfo(easy, CURLINFO_CAINFO, &found);
        bundle = found;
        found = NULL;
        curl_easy_getinfo(easy, CURLINFO_CAPATH, &found);
        dir = found;
    }
    return trust_name(bundle, dir, buf, cap);
}

/* `done` stays true while all of them can be set. */
#define SET(option, value) (done &= curl_easy_setopt(easy, option, value) == CURLE_OK)

static bool apply_trust(const struct options *options, CURL *easy)
{
    bool done = true;
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_PROXY_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    SET(CURLOPT_PROXY_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_PROXY_SSL_VERIFYHOST, 2L);
    if (!options->trust.library_default) {
        SET(CURLOPT_CAINFO, options->trust.bundle);
        SET(CURLOPT_CAPATH, options->trust.dir);
        SET(CURLOPT_PROXY_CAINFO, options->trust.bundle);
        SET(CURLOPT_PROXY_CAPATH, options->trust.dir);
    }
    return done;
}

const char *options_proxy(const struct options *options, char *host)
{
    if (*host == '[') { /* an IPv6 address */
        host[strcspn(host, "]")] = '\0';
        host++;
    }
    return no_proxy_has(options->no_proxy, host) ? NULL : chosen_proxy(options);
}

/* Empty strings, not NULL, keep libcurl from looking into the environment. */
static bool apply_proxy(CURL *easy, const char *proxy)
{
    bool done = true;
    SET(CURLOPT_PROXY, proxy ? proxy : "");
    SET(CURLOPT_NOPROXY, "");
    SET(CURLOPT_PROXYAUTH, (long)CURLAUTH_BASIC);
    SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    return done;
}

bool options_apply(const struct options *options, CURL *easy, bool is_https, const char *proxy)
{
    bool done = apply_trust(options, easy) && apply_proxy(easy, proxy);
    SET(CURLOPT_PROTOCOLS_STR, is_https ? "https" : "http");
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    SET(CURLOPT_PATH_AS_IS, 1L);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_QUICK_EXIT, 1L); /* close does not wait for a name */
    SET(CURLOPT_BUFFERSIZE, BUFFER_BYTES);
    SET(CURLOPT_TCP_KEEPALIVE, 1L);
    SET(CURLOPT_TCP_KEEPIDLE, TCP_KEEPALIVE_SECONDS);
    SET(CURLOPT_MAXAGE_CONN, options->keepalive_s);
    SET(CURLOPT_FORBID_REUSE, options->keepalive_s == 0 ? 1L : 0L);
    return done;
}
