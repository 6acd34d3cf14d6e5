/* SPDX-License-Identifier: Apache-2.0 */
/* Peers that stop in one phase of a call each: a name that never resolves, a connection, a
 * handshake, an answer, a head, a body. */
#ifndef AQ_TESTS_TRANSPORT_STALL_H
#define AQ_TESTS_TRANSPORT_STALL_H

#include "fixture.h"

struct stall {
    const char *phase;
    const char *listener; /* of server.py; NULL: a peer of our own */
    const char *path;
    size_t body_len; /* bytes that come before it stops */
    bool sent;       /* the request has left by then */
    const char *timeout;
};

/* The listeners that the stalls need, for server_start. */
extern const char *const stall_listeners[];

extern const struct stall stalls[];
extern const size_t stall_count;

/* Go into a network of our own, whose name server never answers, if that is permitted; else the
 * stall "name" is left out. Before server_start. */
void stall_init(void);
bool stall_is_possible(const struct stall *stall);
void stall_done(void);

/* Where a request has to go to stall; valid as long as server_url's. */
const char *stall_url(const struct stall *stall);

/* Answer the questions so far: every name is 127.0.0.1 and has no IPv6 address, but for
 * nobody.example, which there is not. */
void stall_answer_names(void);

/* Answer only those for IPv4 addresses; the others are lost. */
void stall_answer_v4_names(void);

/* Start a request and drive it until it has got that far. */
void stall_start(const struct stall *stall, struct exchange *exchange, struct client *client,
                 const struct ask *ask);

#endif
