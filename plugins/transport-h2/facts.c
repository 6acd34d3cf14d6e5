/* SPDX-License-Identifier: Apache-2.0 */
#include "facts.h"

#include <arpa/inet.h>
#include <openssl/asn1.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "call.h"
#include "connection.h"
#include "transport.h"

bool facts_begin(struct call *call)
{
    call->facts = calloc(1, sizeof(*call->facts));
    if (call->facts) {
        call->facts->started_us = transport_now_us(call->transport);
    }
    return call->facts != NULL;
}

void facts_connected(struct call *call)
{
    if (call->facts && !call->facts->connected_us) {
        call->facts->connected_us = transport_now_us(call->transport);
    }
}

void facts_answered(struct call *call)
{
    if (call->facts) {
        call->facts->answered_us = transport_now_us(call->transport);
    }
}

/* Without what a terminal could obey. */
static void make_printable(char *text)
{
    for (char *p = text; *p; p++) {
        *p = (unsigned char)*p < 0x20 || *p == 0x7f ? '?' : *p;
    }
}

static void note_address(int fd, char *buf, size_t cap)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } peer = { .any.sa_family = AF_UNSPEC };
    char text[INET6_ADDRSTRLEN] = "";
    socklen_t len = sizeof(peer);
    if (fd < 0 || getpeername(fd, &peer.any, &len) != 0) {
        return;
    }
    if (peer.any.sa_family == AF_INET &&
        inet_ntop(AF_INET, &peer.v4.sin_addr, text, sizeof(text))) {
        snprintf(buf, cap, "%s:%u", text, ntohs(peer.v4.sin_port));
    } else if (peer.any.sa_family == AF_INET6 &&
               inet_ntop(AF_INET6, &peer.v6.sin6_addr, text, sizeof(text))) {
        snprintf(buf, cap, "[%s]:%u", text, ntohs(peer.v6.sin6_port));
    }
}

/* As libcurl writes it. */
static void note_name(const X509_NAME *name, char *buf, size_t cap)
{
    BIO *bio = BIO_new(BIO_s_mem());
    if (bio && X509_NAME_print_ex(bio, name, 0, XN_FLAG_ONELINE) >= 0) {
        const int len = BIO_read(bio, buf, (int)cap - 1);
        buf[len > 0 ? len : 0] = '\0';
        make_printable(buf);
    }
    BIO_free(bio);
}

static void note_certificate(const X509 *certificate, struct facts *facts)
{
    struct tm end;
    if (!certificate) {
        return;
    }
    note_name(X509_get_subject_name(certificate), facts->subject, sizeof(facts->subject));
    note_name(X509_get_issuer_name(certificate), facts->issuer, sizeof(facts->issuer));
    if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &end)) {
        facts->not_after_s = timegm(&end);
    }
}

static void note(struct facts *facts, const struct connection *connection)
{
    const struct transport *transport = connection->transport;
    const struct proxy *proxy = &transport->options.proxy;
    note_address(connection->socket.watch.fd, facts->address, sizeof(facts->address));
    if (connection->proxied) {
        snprintf(facts->proxy, sizeof(facts->proxy),
                 strchr(proxy->host, ':') ? "http://[%s]:%u" : "http://%s:%u", proxy->host,
                 proxy->port);
        make_printable(facts->proxy);
    }
    if (connection->origin.https) {
        tls_name_trust(&transport->tls, facts->trust, sizeof(facts->trust));
        make_printable(facts->trust);
    }
    if (connection->channel.ssl) {
        SSL *ssl = connection->channel.ssl;
        const X509 *accepted = SSL_get0_peer_certificate(ssl);
        if (SSL_is_init_finished(ssl)) {
            snprintf(facts->tls, sizeof(facts->tls), "%s", SSL_get_version(ssl));
        }
        note_certificate(accepted ? accepted : connection->channel.refused, facts);
    }
}

void facts_leave(struct call *call)
{
    if (call->facts && call->connection) {
        note(call->facts, call->connection);
    }
}

static struct aq_str view(const char *text)
{
    return (struct aq_str){ text, strlen(text) };
}

static uint32_t since(const struct facts *facts, uint64_t us)
{
    const uint64_t passed = us > facts->started_us ? us - facts->started_us : 1;
    return us == 0 ? 0 : passed < UINT32_MAX ? (uint32_t)passed : UINT32_MAX;
}

aq_status facts_tell(struct call *call, struct aq_facts *ret)
{
    const struct facts *facts = call->facts;
    if (!facts) {
        return AQ_E_UNSUPPORTED;
    }
    facts_leave(call); /* as far as it has come */
    const struct aq_facts known = {
        .struct_size = ret->struct_size,
        .address = view(facts->address),
        .proxy = view(facts->proxy),
        .trust = view(facts->trust),
        .tls = view(facts->tls),
        .subject = view(facts->subject),
        .issuer = view(facts->issuer),
        .not_after_s = facts->not_after_s,
        .connected_us = since(facts, facts->connected_us),
        .answered_us = since(facts, facts->answered_us),
    };
    memcpy(ret, &known, ret->struct_size < sizeof(known) ? ret->struct_size : sizeof(known));
    return AQ_OK;
}
