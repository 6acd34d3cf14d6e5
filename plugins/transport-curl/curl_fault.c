/* SPDX-License-Identifier: Apache-2.0 */
#include "curl_fault.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fault.h"

struct meaning {
    CURLcode code;
    aq_status status;
    const char *what;
};

enum { BY_PROXY_COUNT = 2 }; /* the first of these are for the way through a proxy only */

static const struct meaning meanings[] = {
    { CURLE_COULDNT_CONNECT, AQ_E_NETWORK, FAULT_NO_CONNECTION_BY_PROXY },
    { CURLE_OPERATION_TIMEDOUT, AQ_E_TIMEOUT, FAULT_NOT_CONNECTED_BY_PROXY },
    { CURLE_COULDNT_RESOLVE_PROXY, AQ_E_NETWORK, FAULT_NO_PROXY_NAME },
    { CURLE_COULDNT_RESOLVE_HOST, AQ_E_NETWORK, FAULT_NO_NAME },
    { CURLE_COULDNT_CONNECT, AQ_E_NETWORK, FAULT_NO_CONNECTION },
    { CURLE_PROXY, AQ_E_NETWORK, FAULT_PROXY },
    { CURLE_SSL_CONNECT_ERROR, AQ_E_TLS, FAULT_HANDSHAKE },
    { CURLE_SSL_CIPHER, AQ_E_TLS, FAULT_NO_CIPHER },
    { CURLE_GOT_NOTHING, AQ_E_NETWORK, FAULT_LOST },
    { CURLE_SEND_ERROR, AQ_E_NETWORK, FAULT_LOST },
    { CURLE_SEND_FAIL_REWIND, AQ_E_NETWORK, FAULT_LOST },
    { CURLE_ABORTED_BY_CALLBACK, AQ_E_NETWORK, FAULT_LOST },
    { CURLE_RECV_ERROR, AQ_E_NETWORK, FAULT_LOST },
    { CURLE_HTTP2_STREAM, AQ_E_NETWORK, FAULT_RESET },
    { CURLE_HTTP2, AQ_E_PROTOCOL, FAULT_BROKEN_HTTP2 },
    { CURLE_PARTIAL_FILE, AQ_E_TRUNCATED, FAULT_CUT_OFF },
    { CURLE_WEIRD_SERVER_REPLY, AQ_E_PROTOCOL, "the answer is not valid HTTP" },
    { CURLE_UNSUPPORTED_PROTOCOL, AQ_E_PROTOCOL, "the answer is not HTTP/1.1 or HTTP/2" },
    { CURLE_BAD_CONTENT_ENCODING, AQ_E_PROTOCOL, FAULT_ENCODED },
    { CURLE_OPERATION_TIMEDOUT, AQ_E_TIMEOUT, FAULT_NOT_CONNECTED },
    { CURL_FAULT_TOO_LARGE, AQ_E_LIMIT, FAULT_HEAD_TOO_LARGE },
    { CURLE_OUT_OF_MEMORY, AQ_E_NOMEM, "out of memory" },
};

/* The peer's certificate is not good enough, or what is trusted cannot be read: it could when the
 * instance was opened, so it is damaged, or gone since. */
static aq_status trust_fault(struct aq_error *err, const struct options *options, CURL *easy,
                             CURLcode code, const char *origin)
{
    char trust[sizeof(err->text)];
    long reason = 0;
    int count = options_name_trust(options, easy, trust, sizeof(trust));
    if (code == CURLE_SSL_CACERT_BADFILE) {
        return fault_trust(err, origin, trust, count);
    }
    curl_easy_getinfo(easy, CURLINFO_SSL_VERIFYRESULT, &reason);
    if (code == CURLE_SSL_CONNECT_ERROR) {
        reason = FAULT_VERIFY_SIGNATURE;
    }
    return fault_certificate(err, origin, reason, trust, count);
}

static const struct meaning *find_meaning(CURLcode code, bool is_proxied)
{
    const size_t count = sizeof(meanings) / sizeof(meanings[0]);
    for (size_t i = is_proxied ? 0 : BY_PROXY_COUNT; i < count; i++) {
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

/* True if the connection is lost. An address that was tried in vain leaves an error, too: another.
 */
static bool is_reset(int32_t sys)
{
    return sys == ECONNRESET || sys == EPIPE;
}

/* True if the peer hung up within the handshake. For libcurl that is one failure of TLS among
 * others; its texts, of OpenSSL 1.1 and 3, tell them apart. */
static bool is_hung_up(const char *said)
{
    return strstr(said, "SSL_ERROR_SYSCALL") || strstr(said, "unexpected eof");
}

/* True if a certificate is not signed with the key of the authority that it names. libcurl shows
 * the first of OpenSSL's errors alone, which is that of the arithmetic, or, from 3.5 on, general.
 */
static bool is_signed_by_another(const char *said)
{
    return strstr(said, "rsa routines") || strstr(said, "provider signature failure") ||
           (strstr(said, "asn1 encoding routines") && strstr(said, "EVP lib"));
}

/* True if it broke before the proxy had opened a tunnel. */
static bool is_proxys(const struct curl_failure *failure, CURLcode code, long tunnel)
{
    curl_off_t ready_us = 0;
    curl_easy_getinfo(failure->easy, CURLINFO_PRETRANSFER_TIME_T, &ready_us);
    return (code == CURLE_GOT_NOTHING || code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR) &&
           failure->is_proxied && tunnel == 0 && ready_us == 0;
}

aq_status curl_fault(struct aq_error *err, const struct options *options,
                     const struct curl_failure *failure, const char *origin)
{
    CURL *easy = failure->easy;
    CURLcode code = failure->code;
    long tunnel = 0;
    curl_easy_getinfo(easy, CURLINFO_HTTP_CONNECTCODE, &tunnel);
    if (tunnel >= 300 && !failure->has_head) {
        return fault_tunnel(err, origin, tunnel);
    }
    if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE ||
        (code == CURLE_SSL_CONNECT_ERROR && is_signed_by_another(failure->said))) {
        return trust_fault(err, options, easy, code, origin);
    }
    if (code == CURLE_SSL_CONNECT_ERROR && is_reset(os_error(easy))) {
        code = CURLE_RECV_ERROR;
    } else if (code == CURLE_SSL_CONNECT_ERROR && is_hung_up(failure->said)) {
        code = CURLE_GOT_NOTHING;
    }
    if (is_proxys(failure, code, tunnel)) {
        code = CURLE_PROXY;
    }
    const struct meaning *meaning = find_meaning(code, failure->is_proxied);
    if (!meaning) {
        char what[64];
        snprintf(what, sizeof(what), "libcurl reports error %d, try again", (int)code);
        return fault_set(err, AQ_E_NETWORK, origin, what);
    }
    aq_status st = meaning->status;
    if (failure->has_head && st == AQ_E_NETWORK) {
        st = fault_set(err, AQ_E_TRUNCATED, origin, FAULT_CUT_OFF);
    } else if (!failure->has_head && st == AQ_E_TRUNCATED) { /* of a stream, before its head */
        st = fault_set(err, AQ_E_NETWORK, origin, FAULT_LOST);
    } else if (st == AQ_E_PROTOCOL || st == AQ_E_LIMIT) {
        st = fault_in_answer(err, st, origin, meaning->what);
    } else {
        st = fault_set(err, st, origin, meaning->what);
    }
    err->sys = os_error(easy);
    return st;
}

aq_status curl_fault_multi(struct aq_error *err, CURLMcode code)
{
    if (code == CURLM_OUT_OF_MEMORY) {
        return fault_set(err, AQ_E_NOMEM, "transport-curl", "out of memory");
    }
    char what[64];
    snprintf(what, sizeof(what), "libcurl reports error %d for all requests, make a new client",
             (int)code);
    return fault_set(err, AQ_E_NETWORK, "transport-curl", what);
}
