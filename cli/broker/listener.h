/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The socket that the broker listens on: made here, in a directory of its own, or handed in by
 * systemd. A socket that we make has its final permissions when its name appears; one that a dead
 * broker left behind is replaced, one that a living broker listens on is left alone.
 */
#ifndef Q_LISTENER_H
#define Q_LISTENER_H

#include <amazonq/amazonq.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/un.h>

struct listener {
    int fd;
    bool handed_in;           /* by systemd, which keeps it */
    struct sockaddr_un where; /* sun_path is empty if its name is not known */
    dev_t dev;                /* what we made, so that nobody else's is removed */
    ino_t ino;
};

#define LISTENER_INIT \
    { \
        .fd = -1 \
    }

/*
 * Listen at path, or if that is NULL at $XDG_RUNTIME_DIR/amazonq-broker/broker.sock, unless systemd
 * handed a socket in.
 *
 * open_to_others  let every user connect that gets as far as the directory; the peers are checked
 *                 anyway. Else none but our own user can.
 *
 * Returns AQ_OK; AQ_E_INVALID, AQ_E_BUSY (a broker is running), AQ_E_DENIED or AQ_E_IO.
 */
aq_status listener_open(struct listener *l, const char *path, bool open_to_others,
                        struct aq_error *err);

/* Listen no more, and remove what was made. */
void listener_done(struct listener *l);

#endif
