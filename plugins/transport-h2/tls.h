/* SPDX-License-Identifier: Apache-2.0 */
/* TLS by OpenSSL: one context for an instance, one channel for each connection. */
#ifndef TRANSPORT_H2_TLS_H
#define TRANSPORT_H2_TLS_H

#include <amazonq/plugin.h>
#include <openssl/ssl.h>
#include <sys/queue.h>

#include "socket.h"
#include "trust.h"
#include "url.h"

struct tls_ticket;
TAILQ_HEAD(tls_tickets, tls_ticket);

/* The context is made when the first connection needs it: reading what is trusted may take long. */
struct tls {
    const struct trust *trust;
    SSL_CTX *context;
    bool has_algorithms;
    BIO_METHOD *bio;
    struct tls_tickets tickets; /* to resume sessions with, the newest first */
    unsigned ticket_count;
};

struct tls_channel {
    struct tls *tls;
    const struct origin *origin;
    struct socket *socket;
    SSL *ssl;          /* NULL: closed */
    X509 *refused;     /* the peer's certificate, if it was not good enough */
    unsigned messages; /* of TLS itself, since somebody asked: they carry nothing */
};

void tls_init(struct tls *tls, const struct trust *trust);
void tls_done(struct tls *tls);

/* Name the files and directories that are trusted, for messages. Returns how many there are. */
int tls_name_trust(const struct tls *tls, char *buf, size_t cap);

/* Work for the first connection, done while there is only waiting to do. tls_prepare makes the
 * context, while the connection to origin is being made; what fails, fails again in tls_open.
 * tls_collect_algorithms makes ready what certificates are read and keys derived with, while the
 * peer makes its answer. */
void tls_prepare(struct tls *tls, const struct origin *origin);
void tls_collect_algorithms(struct tls *tls);

/* A channel to origin over socket; both must outlive it. On failure it is closed. */
aq_status tls_open(struct tls *tls, struct tls_channel *channel, const struct origin *origin,
                   struct socket *socket, struct aq_error *err);

/* Free it without a word to the peer. Twice is fine. */
void tls_close(struct tls_channel *channel);

/* Queue the word that ends the channel in order. */
void tls_say_goodbye(struct tls_channel *channel);

/* Go on with the handshake; what is to be sent waits in the socket. AQ_OK: the peer is who it
 * should be and speaks HTTP/2; AQ_AGAIN; or an error, with its text. */
aq_status tls_handshake(struct tls_channel *channel, struct aq_error *err);

/* As socket_receive. AQ_E_TLS: the peer broke the protocol. AQ_E_LIMIT: it talks TLS without end.
 */
aq_status tls_receive(struct tls_channel *channel, void *buf, size_t cap, size_t *ret_len);

/* True if something has been received and not been read. */
bool tls_holds_more(const struct tls_channel *channel);

/* Messages of TLS itself (tickets, changes of keys) that came since the last call. */
unsigned tls_take_messages(struct tls_channel *channel);

/* As socket_put. */
bool tls_put(struct tls_channel *channel, const void *bytes, size_t len);

#endif
