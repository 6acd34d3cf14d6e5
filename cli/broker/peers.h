/* SPDX-License-Identifier: Apache-2.0 */
/* Who may ask the broker: our own user, and those that the user has named. */
#ifndef Q_PEERS_H
#define Q_PEERS_H

#include "options.h"

#include <stdbool.h>
#include <sys/types.h>

struct peers {
    uid_t uids[1 + OPTIONS_MAX_UIDS];
    int count;
};

/* One end of a connection, as the kernel knows it. */
struct peer {
    pid_t pid; /* 0 if it is not visible from here */
    uid_t uid;
};

/* Allow our own user. */
void peers_init(struct peers *p);

/* Allow the user of this number; false, reported, if it is none. */
bool peers_allow(struct peers *p, const char *uid);

/* Who is at the other end of the socket; AQ_E_DENIED with a text for that side if it may not ask.
 */
aq_status peers_check(const struct peers *p, int fd, struct peer *ret, struct aq_error *err);

#endif
