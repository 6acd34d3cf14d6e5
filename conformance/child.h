/* SPDX-License-Identifier: Apache-2.0 */
/* The process of one trial, as the runner sees it. */
#ifndef CONFORMANCE_CHILD_H
#define CONFORMANCE_CHILD_H

#include "runner.h"
#include "verdict.h"

/* Why the runner has ended it. */
enum child_late {
    CHILD_IN_TIME,
    CHILD_CALL_LATE,   /* a call had longer than it may take */
    CHILD_CLAUSE_LATE, /* the clause had */
    CHILD_STOPPED,     /* the whole run is to end */
};

struct child {
    struct result *result; /* of the clause it is about; NULL: nobody */
    pid_t pid;
    int results; /* what it reports comes from here; -1: it says nothing more */
    struct trial_watch *watch;
    char output[560]; /* file of its standard output and error */
    uint64_t since_us;
    uint64_t deadline_us;
    enum child_late late;
    struct trial_call call;   /* that it was in when it was late */
    uint64_t took_us;         /* that this call had taken by then */
    char ended[RUN_TEXT_MAX]; /* how a second process of it did not return; empty: all did */
    char pending[VERDICT_MAX * 2];
    size_t pending_len;
};

/* Start a trial of this clause; dir/number is to be its directory. False: errno says why. */
bool child_start(struct child *c, const struct run *run, struct result *result, const char *dir,
                 unsigned number);

/* Take what it has reported, line by line. False at the end. */
bool child_read(struct run *run, struct child *c);

/* It says nothing more: wait for its end as long as it has time, it may hang all the same. */
void child_close(struct child *c);

/* End it if its time, or that of a call, is over; or in any case. */
void child_end_late(struct child *c, bool in_any_case);

/* True if it has ended, whoever else has its pipe still open; then all it said has been taken. */
bool child_has_ended(struct run *run, struct child *c);

/* It has ended: reap it, and judge how. Then it is free for another. */
void child_reap(struct run *run, struct child *c);

#endif
