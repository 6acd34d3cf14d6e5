/* SPDX-License-Identifier: Apache-2.0 */
#include "identity.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>

enum { DAY_S = 24 * 3600 };

/* Whom a certificate is for, who signs it, and when it is valid. */
struct wish {
    const char *common_name;
    const char *alt_names; /* NULL: an authority */
    long from_s, until_s;  /* from now */
};

static bool add_extension(X509 *cert, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    bool ok = extension && X509_add_ext(cert, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return ok;
}

/* A certificate for this key; signed by issuer_key, or by itself if issuer is NULL. */
static X509 *sign(const struct wish *wish, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key)
{
    static long serial = 1;
    X509 *cert = X509_new();
    X509_NAME *name = cert ? X509_get_subject_name(cert) : NULL;
    bool ok = name && X509_set_version(cert, 2) == 1 &&
              ASN1_INTEGER_set(X509_get_serialNumber(cert), serial++) == 1 &&
              X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                         (const uint8_t *)wish->common_name, -1, -1, 0) == 1 &&
              X509_set_issuer_name(cert, issuer ? X509_get_subject_name(issuer) : name) == 1 &&
              X509_gmtime_adj(X509_getm_notBefore(cert), wish->from_s) &&
              X509_gmtime_adj(X509_getm_notAfter(cert), wish->until_s) &&
              X509_set_pubkey(cert, key) == 1 &&
              add_extension(cert, NID_basic_constraints,
                            wish->alt_names ? "critical,CA:FALSE" : "critical,CA:TRUE") &&
              (wish->alt_names ? add_extension(cert, NID_subject_alt_name, wish->alt_names)
                               : add_extension(cert, NID_key_usage, "critical,keyCertSign")) &&
              X509_sign(cert, issuer_key, EVP_sha256()) > 0;
    if (!ok) {
        X509_free(cert);
        return NULL;
    }
    return cert;
}

static bool write_certificate(const X509 *cert, const char *path)
{
    FILE *file = fopen(path, "we");
    bool ok = file && PEM_write_X509(file, cert) == 1;
    return (file ? fclose(file) == 0 : false) && ok;
}

/* Take the protocol of the listener; if the peer does not offer it, http/1.1 is what a server that
 * knows nothing of ALPN would speak, and h2 cannot be. */
static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                           const unsigned char *in, unsigned int in_len, void *arg)
{
    static const unsigned char both[] = "\x02h2\x08http/1.1";
    const unsigned char *known = arg ? arg : both;
    const unsigned int known_len = arg ? known[0] + 1u : (unsigned int)sizeof(both) - 1u;
    unsigned char *chosen;
    (void)ssl;
    if (SSL_select_next_proto(&chosen, out_len, known, known_len, in, in_len) ==
        OPENSSL_NPN_NEGOTIATED) {
        *out = chosen;
        return SSL_TLSEXT_ERR_OK;
    }
    return known[0] == 2 ? SSL_TLSEXT_ERR_ALERT_FATAL : SSL_TLSEXT_ERR_NOACK;
}

static SSL_CTX *make_context(X509 *cert, EVP_PKEY *key, const char *protocol)
{
    SSL_CTX *ctx = cert ? SSL_CTX_new(TLS_server_method()) : NULL;
    if (!ctx || SSL_CTX_use_certificate(ctx, cert) != 1 || SSL_CTX_use_PrivateKey(ctx, key) != 1) {
        SSL_CTX_free(ctx);
        return NULL;
    }
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_alpn_select_cb(ctx, choose_protocol, (void *)protocol);
    return ctx;
}

bool identity_make(SSL_CTX *contexts[LAB_LISTENERS], const char *ca_bundle)
{
    static const char ours[] = "DNS:localhost,IP:127.0.0.1";
    static const struct wish authority = { "Conformance lab", NULL, -DAY_S, 30L * DAY_S };
    static const struct wish good = { "localhost", ours, -DAY_S, 30L * DAY_S };
    static const struct wish other = { "other.example", "DNS:other.example", -DAY_S, 30L * DAY_S };
    static const struct wish old = { "localhost", ours, -800L * DAY_S, -400L * DAY_S };
    static char http1[] = "\x08http/1.1";
    static char http2[] = "\x02h2";
    EVP_PKEY *ca_key = EVP_EC_gen("P-256");
    EVP_PKEY *stranger_key = EVP_EC_gen("P-256");
    EVP_PKEY *key = EVP_EC_gen("P-256");
    if (!ca_key || !stranger_key || !key) {
        return false;
    }
    X509 *ca = sign(&authority, ca_key, NULL, ca_key);
    X509 *stranger = sign(&authority, stranger_key, NULL, stranger_key);
    if (!ca || !stranger || !write_certificate(ca, ca_bundle)) {
        return false;
    }
    X509 *cert = sign(&good, key, ca, ca_key);
    contexts[LAB_HTTP1_TLS] = make_context(cert, key, http1);
    contexts[LAB_HTTP2_TLS] = make_context(cert, key, http2);
    contexts[LAB_RUDE_TLS] = make_context(cert, key, NULL);
    contexts[LAB_WRONG_NAME] = make_context(sign(&other, key, ca, ca_key), key, NULL);
    contexts[LAB_EXPIRED] = make_context(sign(&old, key, ca, ca_key), key, NULL);
    contexts[LAB_STRANGER] = make_context(sign(&good, key, stranger, stranger_key), key, NULL);
    contexts[LAB_SELF_MADE] = make_context(sign(&good, key, NULL, key), key, NULL);
    return contexts[LAB_HTTP1_TLS] && contexts[LAB_HTTP2_TLS] && contexts[LAB_RUDE_TLS] &&
           contexts[LAB_WRONG_NAME] && contexts[LAB_EXPIRED] && contexts[LAB_STRANGER] &&
           contexts[LAB_SELF_MADE];
}
