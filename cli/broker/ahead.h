/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When to look at the login without being asked, so that nobody who asks has to wait for a refresh:
 * some time before the token expires, not all brokers at once, and ever more rarely if it fails.
 */
#ifndef Q_AHEAD_H
#define Q_AHEAD_H

#include <stdbool.h>
#include <stdint.h>

enum { AHEAD_WINDOW_S = 15 * 60 }; /* the library refreshes in good time from here on */

struct ahead {
    int timer_fd; /* readable when it is time; on the wall clock, which runs on in a suspend */
    int64_t expires_at_s;
    int64_t due_s; /* 0: not before somebody asks */
    int64_t delay_s;
};

bool ahead_init(struct ahead *a);
void ahead_done(struct ahead *a);

/* The timer has fired; false if it had not. */
bool ahead_is_due(struct ahead *a);

/* A token was seen. Returns true if it is another one than before. */
bool ahead_saw(struct ahead *a, int64_t expires_at_s);

/* There was no token. hopeless: only a new login helps, which somebody will ask for. */
void ahead_failed(struct ahead *a, bool hopeless);

#endif
