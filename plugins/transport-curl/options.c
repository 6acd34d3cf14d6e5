/* SPDX-License-Identifier: Apache-2.0 */
#include "options.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fault.h"

/* Bytes per read. As many as libcurl 7.88 collects of an HTTP/2 header: what does not fit at once
 * stays with it until the peer sends more. */
#define BUFFER_BYTES (128L * 1024L)
#define TCP_KEEPALIVE_SECONDS 60L   /* of silence before the kernel probes the peer */
#define HASHED_DIR "/etc/ssl/certs" /* where distributions keep certificates by hash */

#define WANTED_PROXY \
    "is not [SCHEME://][USER:PASSWORD@]HOST:PORT with a scheme of http, https, socks4, socks4a, " \
    "socks5 or socks5h, check "

/* Where else they keep them: all in one file. The libcurl that we are linked with may come from
 * another distribution, and would look where that one does. */
static const char *const BUNDLES[] = {
    "/etc/ssl/certs/ca-certificates.crt", /* Debian, Arch, Alpine */
    "/etc/pki/tls/certs/ca-bundle.crt",   /* Fedora and its relatives */
    "/etc/ssl/ca-bundle.pem",             /* SUSE */
    "/etc/ssl/cert.pem",                  /* OpenBSD's name, used by others */
};

enum {
    CA_BUNDLE,
    CA_DIR,
    HTTPS_PROXY,
    ALL_PROXY,
    NO_PROXY,
    MAX_CONNECTIONS,
    KEEPALIVE_S,
};

const struct aq_setting options_settings[OPTIONS_COUNT] = {
    [CA_BUNDLE] = { .key = "ca_bundle",
                    .env = "AWS_CA_BUNDLE,SSL_CERT_FILE",
                    .help = "file with the certificates to trust, PEM",
                    .type = AQ_SETTING_PATH },
    [CA_DIR] = { .key = "ca_dir",
                 .env = "SSL_CERT_DIR",
                 .help = "directory with the certificates to trust, named by hash",
                 .type = AQ_SETTING_PATH },
    [HTTPS_PROXY] = { .key = "https_proxy",
                      .env = "HTTPS_PROXY,https_proxy",
                      .help = "proxy, as SCHEME://[USER:PASSWORD@]HOST:PORT",
                      .type = AQ_SETTING_STRING,
                      .flags = AQ_SETTING_SECRET },
    [ALL_PROXY] = { .key = "all_proxy",
                    .env = "ALL_PROXY,all_proxy",
                    .help = "proxy when https_proxy is not set",
                    .type = AQ_SETTING_STRING,
                    .flags = AQ_SETTING_SECRET },
    [NO_PROXY] = { .key = "no_proxy",
                   .env = "NO_PROXY,no_proxy",
                   .help = "hosts to reach without a proxy, separated by commas; * for all",
                   .type = AQ_SETTING_STRING },
    [MAX_CONNECTIONS] = { .key = "max_connections",
                          .default_value = "1000",
                          .help = "connections at a time; further requests wait",
                          .type = AQ_SETTING_INTEGER,
                          .min = 1,
                          .max = 10000 },
    [KEEPALIVE_S] = { .key = "keepalive_s",
                      .default_value = "60",
                      .help = "seconds for which an idle connection may be used again; 0: never",
                      .type = AQ_SETTING_INTEGER,
                      .min = 0,
                      .max = 3600 },
};

static const struct aq_setting_value *value_at(const struct aq_open_args *args, uint32_t index)
{
    return (const void *)((const char *)args->values + (size_t)index * args->value_stride);
}

static const char *text_at(const struct aq_open_args *args, uint32_t index)
{
    const struct aq_setting_value *value = value_at(args, index);
    return value->text.len ? value->text.ptr : NULL;
}

/* "1a2b3c4d.0": the name under which OpenSSL looks a certificate up. */
static bool is_hashed_name(const char *name)
{
    return strspn(name, "0123456789abcdef") == 8 && name[8] == '.' && name[9] >= '0' &&
           name[9] <= '9';
}

static bool has_hashed_names(const char *path)
{
    bool found = false;
    DIR *dir = opendir(path);
    if (!dir) {
        return false;
    }
    for (struct dirent *entry = readdir(dir); entry && !found; entry = readdir(dir)) {
        found = is_hashed_name(entry->d_name);
    }
    closedir(dir);
    return found;
}

/* Why a path of that type cannot be used with this kind of access, or 0. */
static int find_obstacle(const char *path, mode_t type, int access_mode)
{
    struct stat st;
    if (stat(path, &st) != 0) {
        return errno;
    }
    if (S_ISDIR(st.st_mode) != S_ISDIR(type)) {
        return S_ISDIR(type) ? ENOTDIR : EISDIR;
    }
    return faccessat(AT_FDCWD, path, access_mode, AT_EACCESS) == 0 ? 0 : errno;
}

/* OpenSSL takes a list, separated by colons: one directory of it is enough. */
static int find_obstacle_in_list(const char *list)
{
    int obstacle = ENOENT;
    while (*list && obstacle) {
        char dir[PATH_MAX];
        size_t len = strcspn(list, ":");
        if (len) {
            snprintf(dir, sizeof(dir), "%.*s", (int)len, list);
            obstacle = len < sizeof(dir) ? find_obstacle(dir, S_IFDIR, X_OK) : ENAMETOOLONG;
        }
        list += len + (list[len] == ':');
    }
    return obstacle;
}

static aq_status refuse_trust(const char *setting, const char *path, int obstacle,
                              const char *sources, struct aq_error *err)
{
    char what[sizeof(err->text)];
    char cause[128];
    snprintf(what, sizeof(what), "%s cannot be read: %s, check %s", path,
             strerror_r(obstacle, cause, sizeof(cause)), sources);
    fault_set(err, AQ_E_INVALID, setting, what);
    err->sys = obstacle;
    return AQ_E_INVALID;
}

/* True unless this is a regular file without a line that begins a certificate. */
static bool may_have_certificates(const char *path)
{
    char line[128];
    struct stat st;
    bool found = false;
    FILE *file = stat(path, &st) == 0 && S_ISREG(st.st_mode) ? fopen(path, "re") : NULL;
    if (!file) {
        return true; /* a pipe can be read once only */
    }
    while (!found && fgets(line, sizeof(line), file)) {
        found = strncmp(line, "-----BEGIN ", strlen("-----BEGIN ")) == 0 &&
                strstr(line, "CERTIFICATE-----");
    }
    fclose(file);
    return found;
}

/* libcurl would say so at the first request only, and does not say which. */
static aq_status check_trust(const struct options *options, struct aq_error *err)
{
    static const char bundle_sources[] = "AWS_CA_BUNDLE, SSL_CERT_FILE or --ca-bundle";
    int obstacle = options->ca_bundle ? find_obstacle(options->ca_bundle, S_IFREG, R_OK) : 0;
    if (obstacle) {
        return refuse_trust("transport.curl.ca_bundle", options->ca_bundle, obstacle,
                            bundle_sources, err);
    }
    if (options->ca_bundle && !may_have_certificates(options->ca_bundle)) {
        char what[sizeof(err->text)];
        snprintf(what, sizeof(what), "%.128s has no certificate in PEM form, check %s",
                 options->ca_bundle, bundle_sources);
        return fault_set(err, AQ_E_INVALID, "transport.curl.ca_bundle", what);
    }
    obstacle = options->ca_dir ? find_obstacle_in_list(options->ca_dir) : 0;
    if (obstacle) {
        return refuse_trust("transport.curl.ca_dir", options->ca_dir, obstacle, "SSL_CERT_DIR",
                            err);
    }
    return AQ_OK;
}

/* The certificates of the machine. They are read from a directory one by one, as they are needed;
 * parsing a whole bundle costs more than the rest of a first request. */
static void find_trust(struct options *options)
{
    if (has_hashed_names(HASHED_DIR)) {
        options->ca_dir = HASHED_DIR;
        return;
    }
    for (size_t i = 0; i < sizeof(BUNDLES) / sizeof(BUNDLES[0]); i++) {
        if (find_obstacle(BUNDLES[i], S_IFREG, R_OK) == 0) {
            options->ca_bundle = BUNDLES[i];
            return;
        }
    }
    options->default_trust = true;
}

static const char *chosen_proxy(const struct options *options)
{
    return options->https_proxy ? options->https_proxy : options->all_proxy;
}

/* As libcurl reads the URL of a proxy; *ret_scheme is to be given to curl_free. */
static CURLUcode read_scheme(const char *proxy, char **ret_scheme)
{
    CURLU *url = curl_url();
    CURLUcode code =
        url ? curl_url_set(url, CURLUPART_URL, proxy, CURLU_NON_SUPPORT_SCHEME | CURLU_GUESS_SCHEME)
            : CURLUE_OUT_OF_MEMORY;
    if (code == CURLUE_OK) {
        code = curl_url_get(url, CURLUPART_SCHEME, ret_scheme, 0);
    }
    curl_url_cleanup(url);
    return code;
}

/* Of a proxy that it cannot use libcurl says only that it cannot connect. */
static aq_status check_proxy(const struct options *options, struct aq_error *err)
{
    static const char *const schemes[] = { "http",    "https",  "socks",  "socks4",
                                           "socks4a", "socks5", "socks5h" };
    char *scheme = NULL;
    bool known = false;
    if (!chosen_proxy(options)) {
        return AQ_OK;
    }
    CURLUcode code = read_scheme(chosen_proxy(options), &scheme);
    for (size_t i = 0; scheme && i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        known = known || strcasecmp(scheme, schemes[i]) == 0;
    }
    curl_free(scheme);
    if (code == CURLUE_OUT_OF_MEMORY) {
        return fault_set(err, AQ_E_NOMEM, "transport-curl", "out of memory");
    }
    return known ? AQ_OK
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
        .ca_bundle = text_at(args, CA_BUNDLE),
        .ca_dir = text_at(args, CA_DIR),
        .https_proxy = text_at(args, HTTPS_PROXY),
        .all_proxy = text_at(args, ALL_PROXY),
        .no_proxy = text_at(args, NO_PROXY),
        .max_connections = (long)value_at(args, MAX_CONNECTIONS)->number,
        .keepalive_s = (long)value_at(args, KEEPALIVE_S)->number,
    };
    aq_status st = check_proxy(options, err);
    if (st == AQ_OK && (options->ca_bundle || options->ca_dir)) {
        st = check_trust(options, err);
    } else if (st == AQ_OK) {
        find_trust(options);
    }
    return st;
}

int options_name_trust(const struct options *options, CURL *easy, char *buf, size_t cap)
{
    const char *bundle = options->ca_bundle;
    const char *dir = options->ca_dir;
    if (options->default_trust) {
        char *found = NULL;
        curl_easy_getinfo(easy, CURLINFO_CAINFO, &found);
        bundle = found;
        found = NULL;
        curl_easy_getinfo(easy, CURLINFO_CAPATH, &found);
        dir = found;
    }
    snprintf(buf, cap, "%s%s%s", bundle ? bundle : "", bundle && dir ? " and " : "",
             dir ? dir : "");
    return (bundle != NULL) + (dir != NULL);
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
    if (!options->default_trust) {
        SET(CURLOPT_CAINFO, options->ca_bundle);
        SET(CURLOPT_CAPATH, options->ca_dir);
        SET(CURLOPT_PROXY_CAINFO, options->ca_bundle);
        SET(CURLOPT_PROXY_CAPATH, options->ca_dir);
    }
    return done;
}

/* Plain http is for this machine alone: it never leaves through a proxy. Empty strings, not NULL,
 * keep libcurl from looking into the environment. */
static bool apply_proxy(const struct options *options, CURL *easy, bool is_https)
{
    bool done = true;
    const char *proxy = chosen_proxy(options);
    SET(CURLOPT_PROXY, is_https && proxy ? proxy : "");
    SET(CURLOPT_NOPROXY, options->no_proxy ? options->no_proxy : "");
    SET(CURLOPT_PROXYAUTH, (long)CURLAUTH_BASIC);
    SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    return done;
}

bool options_apply(const struct options *options, CURL *easy, bool is_https)
{
    bool done = apply_trust(options, easy) && apply_proxy(options, easy, is_https);
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
