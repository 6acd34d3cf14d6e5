/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request to the broker and its reply, over a connection of its own. A broker that ends
 * meanwhile, or is not back yet, is asked again; the one who waits decides for how long.
 */
#ifndef BROKER_CALL_H
#define BROKER_CALL_H

#include "fail.h"

#include <stdbool.h>
#include <sys/un.h>

enum {
    CALL_REQUEST_MAX = 256,
    CALL_REPLY_MAX = 32 * 1024, /* a token has 16 KiB at most */
};

struct call {
    const struct aq_host *host;
    int fd;            /* -1: not connected */
    uint64_t alone_us; /* since when nobody is there; 0: somebody is */
    char request[CALL_REQUEST_MAX];
    size_t request_len, sent;
    char reply[CALL_REPLY_MAX];
    size_t reply_len;
};

void call_init(struct call *c, const struct aq_host *host);

/* Begin, from nothing or from another call. request ends with a newline. */
void call_begin(struct call *c, const char *request);

/* Close the connection, wipe the reply. */
void call_end(struct call *c);

/*
 * Go on until the reply is there, or this moment on the host's clock has passed, or a signal came.
 *
 * AQ_OK: *ret_line is the reply without its newline, valid until call_end. AQ_AGAIN: not yet. Or
 * why there is none.
 */
aq_status call_run(struct call *c, const struct sockaddr_un *where, uint64_t until_us,
                   struct aq_str *ret_line, struct aq_error *err);

#endif
