/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server for transports to be tried against: HTTP/1.1 and HTTP/2, plain and over TLS, peers that
 * cannot prove who they are, peers that say nothing, and a proxy. It runs in a child process, on
 * 127.0.0.1 alone, answers as a table says, and writes down what it saw where the clause can read
 * it while it goes on.
 *
 *     static const struct lab_answer answers[] = {
 *         { .path = "/", .text = "ok" },
 *         { .path = "/cut", .body_len = 1000, .fate = LAB_CLOSES, .fate_at = 10 },
 *         { .path = NULL },
 *     };
 *     lab_start(&lab, directory, answers);
 *     ... lab_url(&lab, LAB_HTTP2_TLS, "/cut") ...
 *     lab_stop(&lab);
 */
#ifndef CONFORMANCE_LAB_H
#define CONFORMANCE_LAB_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Where one can knock; each has a port of its own. */
enum lab_listener {
    LAB_HTTP1,      /* plain HTTP/1.1 */
    LAB_HTTP2,      /* plain HTTP/2, from the first byte ("prior knowledge") */
    LAB_HTTP1_TLS,  /* ALPN has http/1.1 */
    LAB_HTTP2_TLS,  /* ALPN has h2 */
    LAB_WRONG_NAME, /* TLS with a certificate for somebody else */
    LAB_EXPIRED,    /* TLS with a certificate of the year before last */
    LAB_STRANGER,   /* TLS with a certificate by an authority that nobody knows */
    LAB_SELF_MADE,  /* TLS with a certificate that vouches for itself */
    LAB_SILENT,     /* takes connections and says nothing */
    LAB_RUDE,       /* resets a connection at its first byte */
    LAB_RUDE_TLS,   /* resets it at the first byte after the handshake */
    LAB_PROXY,      /* HTTP proxy for CONNECT, for LAB_PROXY_USER alone */
    LAB_LISTENERS,
};

#define LAB_PROXY_USER "lab-user"
#define LAB_PROXY_PASSWORD "lab-proxy-password"

/* What becomes of an answer that does not end well. */
enum lab_fate {
    LAB_ENDS_WELL,
    LAB_HANGS,     /* nothing comes any more */
    LAB_CLOSES,    /* the connection is closed */
    LAB_RESETS,    /* HTTP/1.1: the connection is reset; HTTP/2: the stream is */
    LAB_REFUSES,   /* HTTP/2: REFUSED_STREAM, the request was not looked at; else as LAB_RESETS */
    LAB_GOES_AWAY, /* HTTP/2: GOAWAY, this stream being the last, then closed; else as LAB_CLOSES */
};

#define LAB_BEFORE_HEAD UINT64_MAX

struct lab_answer {
    const char *path;   /* of the request, without its query; NULL ends the table */
    int status;         /* 0: 200 */
    const char *fields; /* "name: value\n" ..., beside the length */
    uint32_t more;      /* so many fields "x-more: 1" behind them */
    uint32_t interim;   /* so many responses of status 103 before it */
    const char *text;   /* the body; NULL: body_len bytes of lab_byte */
    uint64_t body_len;
    uint32_t piece_len; /* the body comes in pieces, one for each lab_go; 0: as it is taken */
    bool chunked;       /* HTTP/1.1: in chunks, without a length before it */
    bool closes;        /* the connection is closed behind it */
    bool pushes;        /* HTTP/2: a push promise and its answer come along, if they may */
    const char *raw;    /* HTTP/1.1: these bytes in place of an answer, then closed */
    enum lab_fate fate;
    uint64_t fate_at; /* after so many bytes of the body, or LAB_BEFORE_HEAD */
};

/* The byte of a body at this place. */
static inline uint8_t lab_byte(uint64_t at)
{
    return (uint8_t)(at + (at >> 8) * 31);
}

/* What a body is compared by: FNV-1a; start with LAB_SUM. */
#define LAB_SUM UINT64_C(14695981039346656037)

static inline uint64_t lab_sum(uint64_t sum, const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        sum = (sum ^ bytes[i]) * UINT64_C(1099511628211);
    }
    return sum;
}

enum { LAB_SEEN_MAX = 4096, LAB_HEAD_MAX = 2048 };

/* What the server is told. */
enum { LAB_GO = 'g', LAB_ROUND = 'r' };

/* A request as it arrived. HTTP/2 is written down as HTTP/1.1 would say it. */
struct lab_seen {
    enum lab_listener listener;
    uint32_t connection; /* counted from 1 over all listeners */
    char method[16];
    char target[160];        /* path and query */
    char head[LAB_HEAD_MAX]; /* "name: value\n" ..., as they came; Host first in HTTP/2 */
    uint64_t body_len;
    uint64_t body_sum;
    bool complete; /* the body, too */
};

/* Written by the server, read by the clause. */
struct lab_record {
    atomic_uint accepted[LAB_LISTENERS]; /* connections */
    atomic_uint open[LAB_LISTENERS];     /* of these */
    atomic_ullong heard[LAB_LISTENERS];  /* bytes, under TLS */
    atomic_ullong said[LAB_LISTENERS];
    atomic_uint count;  /* requests */
    atomic_uint rounds; /* that lab_round has asked for and were made */
    struct lab_seen seen[LAB_SEEN_MAX];
};

struct lab {
    struct lab_record *record;
    pid_t pid;
    int control; /* LAB_GO, LAB_ROUND; closed: the server ends */
    int ports[LAB_LISTENERS];
    char ca_bundle[256]; /* path of the authority that the clause is to trust */
    char urls[8][256];   /* a ring for lab_url */
    unsigned next_url;
};

/* Start it, with its certificates in this directory. The table must last. NULL, or what went wrong.
 */
const char *lab_start(struct lab *lab, const char *directory, const struct lab_answer *answers);
void lab_stop(struct lab *lab);

/* "https://localhost:PORT/PATH", or "http://127.0.0.1:PORT/PATH". Valid for the next 8 calls. */
const char *lab_url(struct lab *lab, enum lab_listener listener, const char *path);

/* "http://USER:PASSWORD@127.0.0.1:PORT"; without credentials if password is NULL. As lab_url. */
const char *lab_proxy_url(struct lab *lab, const char *password);

/* Let the next piece go, of every answer that waits for it. */
void lab_go(struct lab *lab);

/* Wait until the server has been once round all its connections: what had arrived is written down,
 * and what the kernel takes is sent, however busy this machine is. */
void lab_round(struct lab *lab);

/* Requests for this path, with or without a query; the last of them in *ret if it is not NULL. */
unsigned lab_requests(const struct lab *lab, const char *path, const struct lab_seen **ret);

/* The last of them among the requests from this number on; NULL if there is none. */
const struct lab_seen *lab_seen_from(const struct lab *lab, unsigned from, const char *path);

/* The value of a field of that request, cut at cap; NULL if there is none. Case does not count. */
const char *lab_field(const struct lab_seen *seen, const char *name, char *buf, size_t cap);

/* Connections that are open now. */
unsigned lab_open_connections(const struct lab *lab);

#endif
