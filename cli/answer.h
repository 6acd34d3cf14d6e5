/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prints an answer while it comes. One piece is always held back: if the service says of it that
 * it is licensed code, it is not printed, as in the existing CLI (docs/cli.md).
 */
#ifndef Q_ANSWER_H
#define Q_ANSWER_H

#include "terminal.h"

/* Zero-initialise, then set fd and raw. */
struct answer {
    int fd;
    bool raw; /* leave terminal escapes in */
    bool holding;
    struct text held;
    struct text shown; /* the piece being written */
    struct terminal filter;
    bool any;      /* something was printed */
    bool line_end; /* ... and it ends a line */
    bool left_out; /* licensed code was not printed */
    int err;       /* first errno of writing, or 0 */
};

void answer_done(struct answer *a);

/* The next event of the answer. False when it cannot be written, see answer_finish. */
bool answer_event(struct answer *a, const struct aq_event *event);

/* Print what is held, end the last line, close. Returns an exit code. */
int answer_finish(struct answer *a);

#endif
