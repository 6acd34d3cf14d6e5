/* SPDX-License-Identifier: Apache-2.0 */
#include "child.h"

#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LIMIT_S = 60, GROUP_MS = 5000 };

bool child_start(struct child *c, const struct run *run, struct result *result, const char *top,
                 unsigned number)
{
    char dir[600];
    int ends[2];
    *c = (struct child){ .results = -1 };
    snprintf(c->output, sizeof(c->output), "%s/output-%u", top, number);
    snprintf(dir, sizeof(dir), "%s/%u", top, number);
    c->watch =
        mmap(NULL, sizeof(*c->watch), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (c->watch == MAP_FAILED || mkdir(dir, 0700) != 0 || pipe2(ends, O_CLOEXEC) != 0) {
        return false;
    }
    const uint32_t limit_s = result->clause->limit_s ? result->clause->limit_s : LIMIT_S;
    c->since_us = trial_now_us();
    c->deadline_us = c->since_us + (uint64_t)limit_s * 1000000u;
    fflush(NULL);
    c->pid = fork();
    if (c->pid == 0) {
        close(ends[0]);
        sandbox_run(run, result->clause, dir, c->output, c->watch, ends[1], c->deadline_us);
    }
    close(ends[1]);
    c->results = ends[0];
    fcntl(c->results, F_SETFL, O_NONBLOCK);
    c->result = c->pid > 0 ? result : NULL;
    return c->pid > 0;
}

bool child_read(struct child *c)
{
    c->pending_len -= c->taken;
    memmove(c->pending, c->pending + c->taken, c->pending_len);
    c->taken = 0;
    if (c->pending_len == sizeof(c->pending)) {
        c->pending_len = 0; /* no line of ours */
    }
    ssize_t n = read(c->results, c->pending + c->pending_len, sizeof(c->pending) - c->pending_len);
    if (n <= 0) {
        return n < 0 && (errno == EAGAIN || errno == EINTR);
    }
    c->pending_len += (size_t)n;
    return true;
}

char *child_line(struct child *c)
{
    char *line = c->pending + c->taken;
    char *end = memchr(line, '\n', c->pending_len - c->taken);
    if (!end) {
        return NULL;
    }
    *end = '\0';
    c->taken = (size_t)(end + 1 - c->pending);
    return line;
}

void child_close(struct child *c)
{
    if (c->results >= 0) {
        close(c->results);
        c->results = -1;
    }
}

/* A call that is just being written is looked at another time. */
static enum child_late child_lateness(struct child *c, bool in_any_case)
{
    const uint64_t now_us = trial_now_us();
    if (!trial_watch_read(c->watch, &c->call)) {
        c->call = (struct trial_call){ .limit_us = 0 };
    }
    const uint64_t most_us = c->call.limit_us + TRIAL_SLACK_MS * UINT64_C(1000);
    if (c->call.function[0] && c->call.limit_us && now_us > c->call.since_us + most_us) {
        c->took_us = trial_took_us(&c->call);
        if (c->took_us > most_us) {
            return CHILD_CALL_LATE;
        }
    }
    if (now_us > c->deadline_us) {
        return CHILD_CLAUSE_LATE;
    }
    return in_any_case ? CHILD_STOPPED : CHILD_IN_TIME;
}

void child_end_late(struct child *c, bool in_any_case)
{
    if (!c->late) {
        c->late = child_lateness(c, in_any_case);
        if (c->late) {
            kill(-c->pid, SIGKILL);
            kill(c->pid, SIGKILL); /* before its setsid */
        }
    }
}

bool child_has_ended(const struct child *c)
{
    siginfo_t ended = { 0 };
    return waitid(P_PID, (id_t)c->pid, &ended, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           ended.si_pid != 0;
}

bool child_has_more(const struct child *c)
{
    struct pollfd more = { .fd = c->results, .events = POLLIN };
    return poll(&more, 1, 0) > 0 && (more.revents & POLLIN);
}

int child_reap(struct child *c)
{
    int status = 0;
    child_close(c);
    while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR) {
    }
    c->result->ms = (unsigned)((trial_now_us() - c->since_us) / 1000u);
    return status;
}

void child_end_group(const struct child *c)
{
    const struct timespec moment = { .tv_nsec = 1000 * 1000 };
    for (int ms = 0; kill(-c->pid, SIGKILL) == 0 && ms < GROUP_MS; ms++) {
        while (waitpid(-c->pid, NULL, WNOHANG) > 0) {
        }
        nanosleep(&moment, NULL);
    }
}

void child_done(struct child *c)
{
    munmap(c->watch, sizeof(*c->watch));
    c->result = NULL;
}
