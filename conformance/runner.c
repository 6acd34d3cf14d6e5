/* SPDX-License-Identifier: Apache-2.0 */
#include "runner.h"

#include "child.h"
#include "judge.h"
#include "orphans.h"
#include "result.h"
#include "selection.h"

#include <errno.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    LOOK_MS = 20, /* between two looks at who is late */
    END_MS = 1,   /* between two looks at who says nothing more, and is about to end */
};

struct runner {
    struct run *run;
    char dir[512];
    struct child children[RUN_JOBS_MAX];
    unsigned started;
};

static volatile sig_atomic_t stopped; /* the signal that wants us to */

static void runner_on_signal(int number)
{
    stopped = number;
}

static void runner_heed_signals(void)
{
    const struct sigaction action = { .sa_handler = runner_on_signal };
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
}

int runner_stopped(void)
{
    return stopped;
}

/* Take what a child has reported, line by line. False at the end. */
static bool runner_hear(struct runner *r, struct child *c)
{
    const bool is_open = child_read(c);
    for (char *line; (line = child_line(c));) {
        judge_line(r->run, c, line);
    }
    return is_open;
}

/* A child has ended: hear the rest, and judge how. */
static void runner_end_child(struct runner *r, struct child *c)
{
    while (child_has_more(c) && runner_hear(r, c)) {
    }
    judge_end(r->run, c, child_reap(c));
    if (c->result->outcome != OUTCOME_KEPT) { /* else what is still there is an orphan */
        child_end_group(c);
    }
    if (r->run->backend && (c->result->clause->flags & CLAUSE_ALONE)) {
        kill(r->run->backend, SIGCONT); /* whether or not the trial came to that */
    }
    child_done(c);
}

/* Wait for something to happen to the children; how many there are. */
static unsigned runner_watch(struct runner *r)
{
    struct pollfd fds[RUN_JOBS_MAX];
    struct child *of[RUN_JOBS_MAX];
    unsigned count = 0;
    int look_ms = LOOK_MS;
    for (size_t i = 0; i < RUN_JOBS_MAX; i++) {
        struct child *c = &r->children[i];
        if (c->result) {
            child_end_late(c, stopped);
            look_ms = c->results < 0 ? END_MS : look_ms;
            of[count] = c;
            fds[count++] = (struct pollfd){ .fd = c->results, .events = POLLIN };
        }
    }
    const int ready = count ? poll(fds, count, look_ms) : 0;
    for (unsigned i = 0; i < count; i++) {
        if (ready > 0 && fds[i].revents && !runner_hear(r, of[i])) {
            child_close(of[i]);
        }
        if (child_has_ended(of[i])) {
            runner_end_child(r, of[i]);
        }
    }
    return count;
}

static struct child *runner_free_child(struct runner *r)
{
    for (unsigned i = 0; i < r->run->jobs && i < RUN_JOBS_MAX; i++) {
        if (!r->children[i].result) {
            return &r->children[i];
        }
    }
    return NULL;
}

static bool runner_run_clause(struct runner *r, struct result *result)
{
    const bool is_alone = result->clause->flags & (CLAUSE_ALONE | CLAUSE_GATE);
    struct child *c;
    while (is_alone && runner_watch(r)) {
    }
    while (!(c = runner_free_child(r)) && !stopped) {
        runner_watch(r);
    }
    if (r->run->is_over || stopped) {
        return true;
    }
    if (!child_start(c, r->run, result, r->dir, r->started++)) {
        return false;
    }
    while (is_alone && runner_watch(r)) {
    }
    return true;
}

static bool runner_run_all(struct runner *r)
{
    struct run *run = r->run;
    selection_add(run, plugin_clauses);
    for (size_t i = 0; i < run->count; i++) {
        struct result *result = &run->results[i];
        if (result->outcome == OUTCOME_WAITING && result->clause->run && !run->is_over &&
            !runner_run_clause(r, result)) {
            return false;
        }
        if (i == 0) { /* the plugin has said what it is */
            selection_add_suite(run);
        }
        if (run->usage[0]) {
            break;
        }
    }
    while (runner_watch(r)) {
    }
    if (orphans_end(stopped)) {
        result_set(
            result_find(run, "plugin.processes"), OUTCOME_FAILED,
            "a process that it had started was still there when the trial had ended; what it "
            "starts ends with it, at the latest with close");
    }
    for (size_t i = 0; i < run->count; i++) {
        struct result *result = &run->results[i];
        if (result->outcome == OUTCOME_WAITING) { /* kept, as far as all trials have seen */
            result->outcome = run->is_over ? OUTCOME_NOT_TRIED : OUTCOME_KEPT;
        }
        if (!result->is_asked && result->outcome != OUTCOME_FAILED) {
            result->outcome = OUTCOME_NOT_ASKED; /* it was tried for what all watch over */
        }
    }
    return true;
}

static int runner_remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)at;
    if (type == FTW_D || type == FTW_DNR) {
        chmod(path, 0700);
    }
    return remove(path);
}

bool runner_run(struct run *run, char *ret_why, size_t size)
{
    static struct runner r;
    const char *top = getenv("TMPDIR");
    r = (struct runner){ .run = run };
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    runner_heed_signals(); /* nothing is left behind then, either */
    snprintf(r.dir, sizeof(r.dir), "%s/q-plugin-check-XXXXXX", top && *top == '/' ? top : "/tmp");
    const bool is_made = mkdtemp(r.dir) != NULL;
    const bool ok = is_made && runner_run_all(&r);
    if (!ok) {
        snprintf(ret_why, size, "%s: %s", r.dir, strerror(errno));
    }
    if (is_made) {
        nftw(r.dir, runner_remove_one, 16, FTW_DEPTH | FTW_PHYS);
    }
    return ok;
}
