/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the server: one thread, one poll loop, connections that speak a protocol each. */
#ifndef CONFORMANCE_SERVER_H
#define CONFORMANCE_SERVER_H

#include "bytes.h"
#include "lab.h"

#include <openssl/ssl.h>

struct connection;

/* What a connection speaks. */
struct protocol {
    /* Look at what arrived in `in`. */
    void (*take)(struct connection *c);
    /* Put more into `out`, up to about SERVER_AHEAD. NULL: nothing comes by itself. */
    void (*give)(struct connection *c);
    /* The next piece may go. NULL: nothing waits. */
    void (*go)(struct connection *c);
    void (*free)(struct connection *c);
};

extern const struct protocol http1_protocol;
extern const struct protocol http2_protocol;
extern const struct protocol proxy_protocol;

enum { SERVER_CONNECTIONS = 256, SERVER_AHEAD = 64 * 1024 };

struct connection {
    struct server *server;
    const struct protocol *protocol; /* NULL: bytes are counted and dropped */
    void *session;                   /* the protocol's */
    enum lab_listener listener;
    uint32_t number;
    int fd;
    SSL *ssl; /* NULL: plain */
    struct bytes in, out;
    bool closing; /* when `out` has gone */
    bool reset;   /* at once */
    bool gone;
    struct connection *partner; /* the other end of a tunnel */
};

struct server {
    const struct lab_answer *answers;
    struct lab_record *record;
    int listeners[LAB_LISTENERS];
    SSL_CTX *contexts[LAB_LISTENERS];
    struct connection *connections[SERVER_CONNECTIONS];
    size_t connection_count;
    uint32_t connections_ever;
};

/* Until the other end of control is closed. */
void server_run(struct server *server, int control);

/* Connect a tunnel of this connection to a port of this machine. False: nobody is there. */
bool server_connect(struct connection *c, int port);

/* A place to write a request down; the last one again when all are taken. */
struct lab_seen *server_note(struct connection *c);

/* The answer for a target, without its query. Beside the table, "/" is "ok", and the rest 404. */
const struct lab_answer *server_find(const struct server *server, const char *target);

#endif
