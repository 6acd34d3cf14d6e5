/* SPDX-License-Identifier: Apache-2.0 */
#include "fault.h"

#include <stdio.h>
#include <string.h>

struct meaning {
    CURLcode code;
    aq_status status;
    const char *what;
};

static const char closed[] = "connection closed before an answer came, try again";
static const char cut_off[] = "the answer was cut off, try again";

static const struct meaning meanings[] = {
    { CURLE_COULDNT_RESOLVE_PROXY, AQ_E_NETWORK,
      "the proxy's name does not resolve, check https_proxy" },
    { CURLE_COULDNT_RESOLVE_HOST, AQ_E_NETWORK,
      "name does not resolve, check the endpoint and the network" },
    { CURLE_COULDNT_CONNECT, AQ_E_NETWORK, "cannot connect, check the network or the proxy" },
    { CURLE_PROXY, AQ_E_NETWORK, "the proxy does not let us through, check https_proxy" },
    { CURLE_SSL_CONNECT_ERROR, AQ_E_TLS,
      "TLS handshake broke off, the peer must speak TLS 1.2 or later" },
    { CURLE_SSL_CIPHER, AQ_E_TLS, "no common TLS cipher, the peer must offer a modern one" },
    { CURLE_GOT_NOTHING, AQ_E_NETWORK, closed },
    { CURLE_SEND_ERROR, AQ_E_NETWORK, "connection lost while sending, try again" },
    { CURLE_SEND_FAIL_REWIND, AQ_E_NETWORK, closed },
    { CURLE_ABORTED_BY_CALLBACK, AQ_E_NETWORK, closed },
    { CURLE_RECV_ERROR, AQ_E_NETWORK, "connection lost before an answer came, try again" },
    { CURLE_HTTP2_STREAM, AQ_E_NETWORK, "the peer reset the request, try again" },
    { CURLE_HTTP2, AQ_E_PROTOCOL, "broken HTTP/2 from the peer" },
    { CURLE_PARTIAL_FILE, AQ_E_TRUNCATED, cut_off },
    { CURLE_WEIRD_SERVER_REPLY, AQ_E_PROTOCOL, "the answer is not valid HTTP" },
    { CURLE_UNSUPPORTED_PROTOCOL, AQ_E_PROTOCOL, "the answer is not HTTP/1.1 or HTTP/2" },
    { CURLE_BAD_CONTENT_ENCODING, AQ_E_PROTOCOL, "the answer is encoded, which was not asked for" },
    { CURLE_OPERATION_TIMEDOUT, AQ_E_TIMEOUT,
      "no connection in time, check the network or the proxy" },
    { FAULT_TOO_LARGE, AQ_E_LIMIT, "the header of the answer is too large" },
    { CURLE_OUT_OF_MEMORY, AQ_E_NOMEM, "out of memory" },
};

/* Reasons for which OpenSSL rejects a certificate (X509_V_ERR_...). */
enum {
    VERIFY_OK = 0,
    VERIFY_UNSPECIFIED = 1,
    VERIFY_NOT_YET_VALID = 9,
    VERIFY_EXPIRED = 10,
    VERIFY_SELF_SIGNED = 18,
    VERIFY_SELF_SIGNED_IN_CHAIN = 19,
    VERIFY_NO_ISSUER = 20,
    VERIFY_NO_LEAF_SIGNATURE = 21,
};

/* A path may hold anything: replace what a terminal could obey. */
static void make_printable(char *text)
{
    for (char *p = text; *p; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7f) {
            *p = '?';
        }
    }
}

aq_status fault_set(struct aq_error *err, aq_status status, const char *object, const char *what)
{
    if (err) {
        *err = (struct aq_error){ .status = status };
        int len = snprintf(err->text, sizeof(err->text), "%s: %s", object, what);
        if (len >= (int)sizeof(err->text)) {
            memcpy(err->text + sizeof(err->text) - sizeof("..."), "...", sizeof("..."));
        }
        make_printable(err->text);
    }
    return status;
}

aq_status fault_in_answer(struct aq_error *err, aq_status status, const char *origin,
                          const char *what)
{
    char text[128];
    snprintf(text, sizeof(text), "%s; check the endpoint and the proxy, or report it", what);
    return fault_set(err, status, origin, text);
}

/* Which authorities are trusted depends on a file or a directory: name it. */
static aq_status authority_fault(struct aq_error *err, const struct options *options, CURL *easy,
                                 const char *origin)
{
    char what[sizeof(err->text)];
    char trust[sizeof(err->text)];
    int count = options_name_trust(options, easy, trust, sizeof(trust));
    if (count == 0) {
        return fault_set(err, AQ_E_TLS, origin,
                         "certificate is signed by an authority that is not trusted here, name its "
                         "file with --ca-bundle");
    }
    snprintf(what, sizeof(what),
             "certificate is signed by an authority that %.256s %s not hold, add it there or name "
             "another with --ca-bundle",
             trust, count == 1 ? "does" : "do");
    return fault_set(err, AQ_E_TLS, origin, what);
}

/* They could be read when the instance was opened: damaged, or gone since. */
static aq_status trust_fault(struct aq_error *err, const struct options *options, CURL *easy,
                             const char *origin)
{
    char what[sizeof(err->text)];
    char trust[sizeof(err->text)];
    int count = options_name_trust(options, easy, trust, sizeof(trust));
    snprintf(what, sizeof(what),
             "no certificates to trust can be read from %.256s, name a PEM file with --ca-bundle",
             count ? trust : "this system");
    return fault_set(err, AQ_E_INVALID, origin, what); /* as when the instance was opened */
}

static bool is_unknown_authority(long reason)
{
    return reason == VERIFY_SELF_SIGNED || reason == VERIFY_SELF_SIGNED_IN_CHAIN ||
           reason == VERIFY_NO_ISSUER || reason == VERIFY_NO_LEAF_SIGNATURE;
}

static aq_status certificate_fault(struct aq_error *err, const struct options *options, CURL *easy,
                                   const char *origin)
{
    const char *what = "certificate is not acceptable, check the endpoint and the clock";
    long reason = VERIFY_OK;
    curl_easy_getinfo(easy, CURLINFO_SSL_VERIFYRESULT, &reason);
    if (is_unknown_authority(reason)) {
        return authority_fault(err, options, easy, origin);
    }
    if (reason == VERIFY_OK || reason == VERIFY_UNSPECIFIED) {
        /* the handshake accepted the chain, so it is the name */
        what = "certificate is not valid for this name, check the endpoint";
    } else if (reason == VERIFY_NOT_YET_VALID) {
        what = "certificate is not valid yet, check the clock";
    } else if (reason == VERIFY_EXPIRED) {
        what = "certificate has expired, check the clock or tell the owner of the host";
    }
    return fault_set(err, AQ_E_TLS, origin, what);
}

/* A proxy answered CONNECT with something other than 2xx. */
static aq_status tunnel_fault(struct aq_error *err, const char *origin, long status)
{
    char what[96];
    snprintf(what, sizeof(what), "the proxy refused the connection with %ld, check https_proxy",
             status);
    return fault_set(err, AQ_E_NETWORK, origin, what);
}

static const struct meaning *find_meaning(CURLcode code)
{
    for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++) {
        if (meanings[i].code == code) {
            return &meanings[i];
        }
    }
    return NULL;
}

static int32_t os_error(CURL *easy)
{
    long sys = 0;
    curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &sys);
    return (int32_t)sys;
}

aq_status fault_from_curl(struct aq_error *err, const struct options *options, CURL *easy,
                          CURLcode code, const char *origin, bool has_head)
{
    long tunnel = 0;
    curl_easy_getinfo(easy, CURLINFO_HTTP_CONNECTCODE, &tunnel);
    if (tunnel >= 300 && !has_head) {
        return tunnel_fault(err, origin, tunnel);
    }
    if (code == CURLE_PEER_FAILED_VERIFICATION) {
        return certificate_fault(err, options, easy, origin);
    }
    if (code == CURLE_SSL_CACERT_BADFILE) {
        return trust_fault(err, options, easy, origin);
    }
    const struct meaning *meaning = find_meaning(code);
    if (!meaning) {
        char what[64];
        snprintf(what, sizeof(what), "libcurl reports error %d, try again", (int)code);
        return fault_set(err, AQ_E_NETWORK, origin, what);
    }
    aq_status st = meaning->status;
    if (has_head && st == AQ_E_NETWORK) {
        st = fault_set(err, AQ_E_TRUNCATED, origin, cut_off);
    } else if (st == AQ_E_PROTOCOL || st == AQ_E_LIMIT) {
        st = fault_in_answer(err, st, origin, meaning->what);
    } else {
        st = fault_set(err, st, origin, meaning->what);
    }
    err->sys = os_error(easy);
    return st;
}

aq_status fault_from_multi(struct aq_error *err, CURLMcode code)
{
    if (code == CURLM_OUT_OF_MEMORY) {
        return fault_set(err, AQ_E_NOMEM, "transport-curl", "out of memory");
    }
    char what[64];
    snprintf(what, sizeof(what), "libcurl reports error %d for all requests, make a new client",
             (int)code);
    return fault_set(err, AQ_E_NETWORK, "transport-curl", what);
}
