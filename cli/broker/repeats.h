/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which refused or failed requests are worth a line of the log: callers may try as often as they
 * like, and shall not fill a disk with that.
 */
#ifndef Q_REPEATS_H
#define Q_REPEATS_H

#include <amazonq/amazonq.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { REPEATS_LINES = 16 };

struct repeat {
    bool known;
    uid_t uid;
    aq_status why;
    uint64_t logged_us; /* when it had a line last */
    unsigned long more; /* times it happened since */
};

struct repeats {
    struct repeat lines[REPEATS_LINES];
};

/*
 * This happened to this user, for this reason. True if that is to be logged: once a minute for a
 * user and a reason, and for no more than REPEATS_LINES of them a minute. *ret_more: how often it
 * happened since its last line.
 */
bool repeats_note(struct repeats *r, uid_t uid, aq_status why, uint64_t now_us,
                  unsigned long *ret_more);

#endif
