/* SPDX-License-Identifier: Apache-2.0 */
#include "fault.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

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
    VERIFY_WRONG_NAME = 62,
    VERIFY_WRONG_ADDRESS = 64,
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

aq_status fault_forked(struct aq_error *err, const char *object)
{
    return fault_set(err, AQ_E_FORKED, object,
                     "belongs to the parent of this process, make a client of your own");
}

aq_status fault_in_answer(struct aq_error *err, aq_status status, const char *origin,
                          const char *what)
{
    char text[128];
    snprintf(text, sizeof(text), "%s; check the endpoint and the proxy, or report it", what);
    return fault_set(err, status, origin, text);
}

aq_status fault_tunnel(struct aq_error *err, const char *origin, long status)
{
    char what[96];
    snprintf(what, sizeof(what), "the proxy refused the connection with %ld, check https_proxy",
             status);
    return fault_set(err, AQ_E_NETWORK, origin, what);
}

/* Which authorities are trusted depends on a file or a directory: name it. */
static aq_status unknown_authority(struct aq_error *err, const char *origin, const char *trust,
                                   int trust_count)
{
    char what[sizeof(err->text)];
    if (trust_count == 0) {
        return fault_set(err, AQ_E_TLS, origin,
                         "certificate is signed by an authority that is not trusted here, name its "
                         "file with --ca-bundle");
    }
    snprintf(what, sizeof(what),
             "certificate is signed by an authority that %.256s %s not hold, add it there or name "
             "another with --ca-bundle",
             trust, trust_count == 1 ? "does" : "do");
    return fault_set(err, AQ_E_TLS, origin, what);
}

static bool is_unknown_authority(long reason)
{
    return reason == FAULT_VERIFY_SIGNATURE || reason == VERIFY_SELF_SIGNED ||
           reason == VERIFY_SELF_SIGNED_IN_CHAIN || reason == VERIFY_NO_ISSUER ||
           reason == VERIFY_NO_LEAF_SIGNATURE;
}

static bool is_wrong_name(long reason)
{
    return reason == VERIFY_OK || reason == VERIFY_UNSPECIFIED || reason == VERIFY_WRONG_NAME ||
           reason == VERIFY_WRONG_ADDRESS;
}

aq_status fault_certificate(struct aq_error *err, const char *origin, long reason,
                            const char *trust, int trust_count)
{
    const char *what = "certificate is not acceptable, check the endpoint and the clock";
    if (is_unknown_authority(reason)) {
        return unknown_authority(err, origin, trust, trust_count);
    }
    if (is_wrong_name(reason)) {
        what = "certificate is not valid for this name, check the endpoint";
    } else if (reason == VERIFY_NOT_YET_VALID) {
        what = "certificate is not valid yet, check the clock";
    } else if (reason == VERIFY_EXPIRED) {
        what = "certificate has expired, check the clock or tell the owner of the host";
    }
    return fault_set(err, AQ_E_TLS, origin, what);
}

aq_status fault_trust(struct aq_error *err, const char *origin, const char *trust, int trust_count)
{
    char what[sizeof(err->text)];
    snprintf(what, sizeof(what),
             "no certificates to trust can be read from %.256s, name a PEM file with --ca-bundle",
             trust_count ? trust : "this system");
    return fault_set(err, AQ_E_INVALID, origin, what); /* as when the instance was opened */
}
