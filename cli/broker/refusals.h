/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which refused callers are worth a line of the log: who may not ask may still try as often as it
 * likes, and shall not fill a disk with that.
 */
#ifndef Q_REFUSALS_H
#define Q_REFUSALS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { REFUSALS_USERS = 16 };

struct refusal {
    bool known;
    uid_t uid;
    uint64_t logged_us; /* when it had a line last */
    unsigned long more; /* times it was refused since */
};

struct refusals {
    struct refusal users[REFUSALS_USERS];
};

/*
 * This user was refused. True if that is to be logged: once a minute for a user, and for no more
 * than REFUSALS_USERS of them a minute. *ret_more: how often it was refused since its last line.
 */
bool refusals_note(struct refusals *r, uid_t uid, uint64_t now_us, unsigned long *ret_more);

#endif
