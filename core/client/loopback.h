/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a browser brings an authorization code to: a port of 127.0.0.1 that the system chooses.
 * Whoever else connects is answered, or cut off, and forgotten; it costs them a connection and us
 * at most PEERS requests of CALLBACK_REQUEST_MAX bytes for a few seconds.
 */
#ifndef AQ_CLIENT_LOOPBACK_H
#define AQ_CLIENT_LOOPBACK_H

#include "wire/callback.h"

enum { LOOPBACK_PEERS = 32 };

struct loopback_peer {
    int fd; /* only if request.max is not 0 */
    uint64_t until_us;
    struct buf request;
};

/* Zero-initialised memory is a closed one. */
struct loopback {
    bool is_open;
    int listen_fd;
    int epoll_fd; /* readable when there is something to serve */
    struct loopback_peer peers[LOOPBACK_PEERS];
    struct buf redirect_uri; /* "http://127.0.0.1:PORT/oauth/callback"; until loopback_done */
};

aq_status loopback_open(struct loopback *l, struct aq_error *err);

/* "127.0.0.1:PORT" */
struct aq_str loopback_host(const struct loopback *l);

/*
 * Serve whoever is there.
 *
 * ret_code  the code
 *
 * Returns AQ_OK once the browser we wait for has brought the code; AQ_AGAIN (call again when
 * epoll_fd is readable, or at loopback_deadline); AQ_E_ACCESS if it brought an error; AQ_E_IO;
 * AQ_E_NOMEM.
 */
aq_status loopback_run(struct loopback *l, struct aq_str state, struct buf *ret_code,
                       struct aq_error *err);

/* When somebody's time is over; CLOCK_NEVER if nobody is there. */
uint64_t loopback_deadline(const struct loopback *l);

/* Nobody is let in any more, and who is there is cut off. */
void loopback_close(struct loopback *l);

void loopback_done(struct loopback *l);

#endif
