/* SPDX-License-Identifier: Apache-2.0 */
/* The process of one trial, as the runner sees it. */
#ifndef CONFORMANCE_CHILD_H
#define CONFORMANCE_CHILD_H

#include "run.h"
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
    struct trial_call call;        /* that it was in when it was late */
    uint64_t took_us;              /* that this call had taken by then */
    char ended[RUN_TEXT_MAX];      /* how a second process of it did not return; empty: all did */
    char pending[VERDICT_MAX * 2]; /* that it has reported, as it came */
    size_t pending_len;
    size_t taken; /* bytes of it, as lines */
};

/* Start a trial of this clause; dir/number is to be its directory. False: errno says why. */
bool child_start(struct child *c, const struct run *run, struct result *result, const char *dir,
                 unsigned number);

/* Read what it has reported. False at the end. */
bool child_read(struct child *c);

/* The next whole line of that, without its end; NULL: there is none. It may be changed, and is
 * valid until child_read. */
char *child_line(struct child *c);

/* It says nothing more: wait for its end as long as it has time, it may hang all the same. */
void child_close(struct child *c);

/* End it if its time, or that of a call, is over; or in any case. */
void child_end_late(struct child *c, bool in_any_case);

/* True if it has ended, whoever else has its pipe still open. */
bool child_has_ended(const struct child *c);

/* True if there is something to read at once. */
bool child_has_more(const struct child *c);

/* It has ended: reap it. Returns how, as waitpid does. */
int child_reap(struct child *c);

/* End what is left of its process group, and wait for that: it is not mistaken for one that was
 * left behind. */
void child_end_group(const struct child *c);

/* It is over: free for another. */
void child_done(struct child *c);

#endif
