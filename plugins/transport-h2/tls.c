/* SPDX-License-Identifier: Apache-2.0 */
#include "tls.h"

#include <arpa/inet.h>
#include <openssl/decoder.h>
#include <openssl/err.h>
#include <openssl/kdf.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "fault.h"

#define READ_BYTES (64u * 1024u) /* of ciphertext, at once */
#define TICKETS_MAX 32u
#define MESSAGES_MAX 64u /* of TLS itself between two pieces of data */

/* The peer's alert, as an error of OpenSSL; sslerr.h has a name for it in later versions of 3.0
 * only. */
#define REASON_NO_APPLICATION_PROTOCOL (SSL_AD_REASON_OFFSET + SSL_AD_NO_APPLICATION_PROTOCOL)

static const unsigned char ALPN_H2[] = { 2, 'h', '2' };

struct tls_ticket {
    TAILQ_ENTRY(tls_ticket) link;
    struct origin origin;
    SSL_SESSION *session;
};

/* OpenSSL reads from and writes to our socket: no SIGPIPE, and one send for all that waits. */

static int bio_write(BIO *bio, const char *bytes, size_t len, size_t *ret_len)
{
    const struct tls_channel *channel = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (!socket_put(channel->socket, bytes, len)) {
        return 0;
    }
    *ret_len = len;
    return 1;
}

static int bio_read(BIO *bio, char *buf, size_t cap, size_t *ret_len)
{
    struct tls_channel *channel = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (channel->messages > MESSAGES_MAX) {
        return 0; /* SSL_read would go on for as long as they come */
    }
    aq_status st = socket_receive(channel->socket, buf, cap, ret_len);
    if (st == AQ_AGAIN) {
        BIO_set_retry_read(bio);
    }
    if (st == AQ_END) {
        BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
    }
    return st == AQ_OK;
}

static long bio_control(BIO *bio, int command, long number, void *ptr)
{
    (void)number;
    (void)ptr;
    switch (command) {
    case BIO_CTRL_FLUSH:
        return 1; /* the connection flushes */
    case BIO_CTRL_EOF:
        return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0;
    default:
        return 0;
    }
}

static BIO_METHOD *new_bio_method(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "transport-h2");
    if (method && BIO_meth_set_write_ex(method, bio_write) &&
        BIO_meth_set_read_ex(method, bio_read) && BIO_meth_set_ctrl(method, bio_control)) {
        return method;
    }
    BIO_meth_free(method);
    return NULL;
}

/* Sessions to resume. */

static void drop_ticket(struct tls *tls, struct tls_ticket *ticket)
{
    TAILQ_REMOVE(&tls->tickets, ticket, link);
    tls->ticket_count--;
    SSL_SESSION_free(ticket->session);
    free(ticket);
}

/* Returns 1 if the session is kept. */
static int keep_ticket(SSL *ssl, SSL_SESSION *session)
{
    const struct tls_channel *channel = SSL_get_app_data(ssl);
    struct tls *tls = channel->tls;
    struct tls_ticket *ticket = calloc(1, sizeof(*ticket));
    if (!ticket) {
        return 0;
    }
    ticket->origin = *channel->origin;
    ticket->session = session;
    TAILQ_INSERT_HEAD(&tls->tickets, ticket, link);
    tls->ticket_count++;
    if (tls->ticket_count > TICKETS_MAX) {
        drop_ticket(tls, TAILQ_LAST(&tls->tickets, tls_tickets));
    }
    return 1;
}

/* A ticket is used once, so that nobody can tell our connections by it (RFC 8446, C.4). */
static void use_ticket(struct tls_channel *channel)
{
    struct tls *tls = channel->tls;
    struct tls_ticket *ticket;
    TAILQ_FOREACH(ticket, &tls->tickets, link)
    {
        if (origin_same(&ticket->origin, channel->origin)) {
            SSL_set_session(channel->ssl, ticket->session);
            drop_ticket(tls, ticket);
            return;
        }
    }
}

/* The context. */

/* OpenSSL has read a message of TLS itself. */
static void count_message(const SSL *ssl, int where, int value)
{
    struct tls_channel *channel = SSL_get_app_data(ssl);
    (void)value;
    if (where == SSL_CB_CONNECT_LOOP) {
        channel->messages++;
    }
}

void tls_init(struct tls *tls, const struct trust *trust)
{
    *tls = (struct tls){ .trust = trust };
    TAILQ_INIT(&tls->tickets);
}

void tls_done(struct tls *tls)
{
    struct tls_ticket *ticket = TAILQ_FIRST(&tls->tickets);
    while (ticket) {
        struct tls_ticket *next = TAILQ_NEXT(ticket, link);
        drop_ticket(tls, ticket);
        ticket = next;
    }
    SSL_CTX_free(tls->context);
    BIO_meth_free(tls->bio);
}

static const char *bundle_of(const struct trust *trust)
{
    return trust->library_default ? X509_get_default_cert_file() : trust->bundle;
}

static const char *dir_of(const struct trust *trust)
{
    return trust->library_default ? X509_get_default_cert_dir() : trust->dir;
}

int tls_name_trust(const struct tls *tls, char *buf, size_t cap)
{
    return trust_name(bundle_of(tls->trust), dir_of(tls->trust), buf, cap);
}

static bool load_trust(const struct trust *trust, SSL_CTX *context)
{
    const char *bundle = bundle_of(trust);
    const char *dir = dir_of(trust);
    bool has_bundle = bundle && SSL_CTX_load_verify_file(context, bundle);
    bool has_dir = dir && SSL_CTX_load_verify_dir(context, dir);
    return trust->library_default ? has_bundle || has_dir
                                  : (has_bundle || !bundle) && (has_dir || !dir);
}

/* The peer's certificate is gone once it was refused, but somebody may ask what it was. */
static int keep_refused(int accepted, X509_STORE_CTX *verification)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(verification, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct tls_channel *channel = SSL_get_app_data(ssl);
    X509 *peer = X509_STORE_CTX_get0_cert(verification);
    if (!accepted && peer && !channel->refused && X509_up_ref(peer)) {
        channel->refused = peer;
    }
    return accepted;
}

static bool set_up(SSL_CTX *context)
{
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, keep_refused);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_session_cache_mode(context,
                                   SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
    SSL_CTX_sess_set_new_cb(context, keep_ticket);
    SSL_CTX_set_info_callback(context, count_message);
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_default_read_buffer_len(context, READ_BYTES);
    return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) &&
           SSL_CTX_set_alpn_protos(context, ALPN_H2, sizeof(ALPN_H2)) == 0;
}

static aq_status no_memory(const struct origin *origin, struct aq_error *err)
{
    ERR_clear_error();
    return fault_set(err, AQ_E_NOMEM, origin->text, "out of memory");
}

static aq_status make_context(struct tls *tls, const struct origin *origin, struct aq_error *err)
{
    char trust[sizeof(err->text)];
    if (tls->context) {
        return AQ_OK;
    }
    /* An exit handler or another thread may use or close an instance while the process ends, so
     * OpenSSL must not clean up by itself. If this fails, so does what follows. */
    OPENSSL_init_ssl(OPENSSL_INIT_NO_ATEXIT, NULL);
    tls->bio = tls->bio ? tls->bio : new_bio_method();
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    if (!tls->bio || !context || !set_up(context)) {
        SSL_CTX_free(context);
        return no_memory(origin, err);
    }
    if (!load_trust(tls->trust, context)) {
        SSL_CTX_free(context);
        ERR_clear_error();
        int count = tls_name_trust(tls, trust, sizeof(trust));
        return fault_trust(err, origin->text, trust, count);
    }
    tls->context = context;
    return AQ_OK;
}

void tls_prepare(struct tls *tls, const struct origin *origin)
{
    struct aq_error ignored;
    make_context(tls, origin, &ignored);
}

static void pass_over(OSSL_DECODER *decoder, void *arg)
{
    (void)decoder;
    (void)arg;
}

/* OpenSSL collects all it has of a kind when it is first asked for one of them. */
void tls_collect_algorithms(struct tls *tls)
{
    if (!tls->has_algorithms) {
        tls->has_algorithms = true;
        OSSL_DECODER_do_all_provided(NULL, pass_over, NULL);
        EVP_KDF_free(EVP_KDF_fetch(NULL, "HKDF", NULL));
        EVP_MAC_free(EVP_MAC_fetch(NULL, "HMAC", NULL));
        ERR_clear_error();
    }
}

/* Channels. */

static bool set_name(SSL *ssl, const char *host)
{
    struct in6_addr ignored;
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
    if (inet_pton(AF_INET, host, &ignored) == 1 || inet_pton(AF_INET6, host, &ignored) == 1) {
        return X509_VERIFY_PARAM_set1_ip_asc(param, host) == 1;
    }
    char name[URL_HOST_SIZE];
    size_t len = strlen(host);
    len -= host[len - 1] == '.'; /* the root is not in certificates */
    memcpy(name, host, len);
    name[len] = '\0';
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return X509_VERIFY_PARAM_set1_host(param, name, 0) == 1 &&
           SSL_set_tlsext_host_name(ssl, name) == 1;
}

aq_status tls_open(struct tls *tls, struct tls_channel *channel, const struct origin *origin,
                   struct socket *socket, struct aq_error *err)
{
    aq_status st = make_context(tls, origin, err);
    if (st != AQ_OK) {
        return st;
    }
    *channel = (struct tls_channel){
        .tls = tls, .origin = origin, .socket = socket, .ssl = SSL_new(tls->context)
    };
    BIO *bio = channel->ssl ? BIO_new(tls->bio) : NULL;
    if (!bio) {
        tls_close(channel);
        return no_memory(origin, err);
    }
    BIO_set_data(bio, channel);
    BIO_set_init(bio, 1);
    SSL_set_bio(channel->ssl, bio, bio);
    SSL_set_app_data(channel->ssl, channel);
    SSL_set_connect_state(channel->ssl);
    if (!set_name(channel->ssl, origin->host)) {
        tls_close(channel);
        return no_memory(origin, err);
    }
    use_ticket(channel);
    return AQ_OK;
}

void tls_close(struct tls_channel *channel)
{
    SSL_free(channel->ssl);
    X509_free(channel->refused);
    channel->ssl = NULL;
    channel->refused = NULL;
}

void tls_say_goodbye(struct tls_channel *channel)
{
    ERR_clear_error();
    SSL_shutdown(channel->ssl);
}

static bool has_http2(SSL *ssl)
{
    const unsigned char *protocol = NULL;
    unsigned len = 0;
    SSL_get0_alpn_selected(ssl, &protocol, &len);
    return len == ALPN_H2[0] && memcmp(protocol, ALPN_H2 + 1, len) == 0;
}

/* The socket ended it: nothing is wrong with the peer's TLS, and another try may do. */
static aq_status socket_fault(const struct tls_channel *channel, struct aq_error *err)
{
    BIO *bio = SSL_get_rbio(channel->ssl);
    const struct socket *socket = channel->socket;
    if (BIO_eof(bio)) {
        return fault_set(err, AQ_E_NETWORK, channel->origin->text, FAULT_LOST);
    }
    if (!socket->sys) { /* the queue of what is to be sent */
        return no_memory(channel->origin, err);
    }
    fault_set(err, AQ_E_NETWORK, channel->origin->text, FAULT_LOST);
    err->sys = socket->sys;
    return AQ_E_NETWORK;
}

static aq_status handshake_fault(const struct tls_channel *channel, int kind, struct aq_error *err)
{
    char trust[sizeof(err->text)];
    const char *origin = channel->origin->text;
    const int reason = ERR_GET_REASON(ERR_peek_error());
    const long verdict = SSL_get_verify_result(channel->ssl);
    ERR_clear_error();
    if (kind == SSL_ERROR_SYSCALL || reason == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
        return socket_fault(channel, err);
    }
    if (reason == ERR_R_MALLOC_FAILURE) {
        return no_memory(channel->origin, err);
    }
    if (reason == REASON_NO_APPLICATION_PROTOCOL) {
        return fault_set(err, AQ_E_PROTOCOL, origin, FAULT_NO_HTTP2);
    }
    if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED || verdict != X509_V_OK) {
        int count = tls_name_trust(channel->tls, trust, sizeof(trust));
        return fault_certificate(err, origin, verdict, trust, count);
    }
    if (reason == SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE || reason == SSL_R_NO_SHARED_CIPHER) {
        return fault_set(err, AQ_E_TLS, origin, FAULT_NO_CIPHER);
    }
    return fault_set(err, AQ_E_TLS, origin, FAULT_HANDSHAKE);
}

aq_status tls_handshake(struct tls_channel *channel, struct aq_error *err)
{
    ERR_clear_error();
    int result = SSL_do_handshake(channel->ssl);
    if (result == 1) {
        return has_http2(channel->ssl)
                   ? AQ_OK
                   : fault_set(err, AQ_E_PROTOCOL, channel->origin->text, FAULT_NO_HTTP2);
    }
    const int kind = SSL_get_error(channel->ssl, result);
    return kind == SSL_ERROR_WANT_READ ? AQ_AGAIN : handshake_fault(channel, kind, err);
}

aq_status tls_receive(struct tls_channel *channel, void *buf, size_t cap, size_t *ret_len)
{
    ERR_clear_error();
    if (SSL_read_ex(channel->ssl, buf, cap, ret_len)) {
        return AQ_OK;
    }
    if (channel->messages > MESSAGES_MAX) {
        ERR_clear_error();
        return AQ_E_LIMIT;
    }
    switch (SSL_get_error(channel->ssl, 0)) {
    case SSL_ERROR_WANT_READ:
        return AQ_AGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return AQ_END;
    case SSL_ERROR_SYSCALL: /* the socket's error */
        return AQ_E_NETWORK;
    default:
        break;
    }
    const int reason = ERR_GET_REASON(ERR_peek_error());
    ERR_clear_error();
    return reason == SSL_R_UNEXPECTED_EOF_WHILE_READING ? AQ_END : AQ_E_TLS;
}

bool tls_holds_more(const struct tls_channel *channel)
{
    return SSL_has_pending(channel->ssl);
}

unsigned tls_take_messages(struct tls_channel *channel)
{
    const unsigned messages = channel->messages;
    channel->messages = 0;
    return messages;
}

bool tls_put(struct tls_channel *channel, const void *bytes, size_t len)
{
    const uint8_t *next = bytes;
    while (len) {
        size_t written = 0;
        ERR_clear_error();
        if (!SSL_write_ex(channel->ssl, next, len, &written)) {
            ERR_clear_error();
            return false;
        }
        next += written;
        len -= written;
    }
    return true;
}
