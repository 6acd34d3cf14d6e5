/* SPDX-License-Identifier: Apache-2.0 */
#include "child.h"

#include "judge.h"
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
#include <unistd.h>

enum { LIMIT_S = 30 };

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

bool child_read(struct run *run, struct child *c)
{
    ssize_t n =
        read(c->results, c->pending + c->pending_len, sizeof(c->pending) - c->pending_len - 1);
    if (n <= 0) {
        return n < 0 && (errno == EAGAIN || errno == EINTR);
    }
    c->pending_len += (size_t)n;
    c->pending[c->pending_len] = '\0';
    char *line = c->pending;
    for (char *end; (end = strchr(line, '\n')); line = end + 1) {
        *end = '\0';
        judge_line(run, c, line);
    }
    c->pending_len = strlen(line);
    memmove(c->pending, line, c->pending_len + 1);
    if (c->pending_len == sizeof(c->pending) - 1) {
        c->pending_len = 0; /* no line of ours */
    }
    return true;
}

void child_close(struct child *c)
{
    if (c->results >= 0) {
        close(c->results);
        c->results = -1;
    }
}

void child_end_late(struct child *c, bool in_any_case)
{
    const uint64_t now = trial_now_us();
    const struct trial_watch *w = c->watch;
    const bool call_is_late = w->function[0] && w->limit_us &&
                              now > w->since_us + w->limit_us + TRIAL_SLACK_MS * UINT64_C(1000);
    if (!c->is_late && (call_is_late || now > c->deadline_us || in_any_case)) {
        c->is_late = true;
        kill(-c->pid, SIGKILL);
        kill(c->pid, SIGKILL); /* before its setsid */
    }
}

bool child_has_ended(struct run *run, struct child *c)
{
    siginfo_t ended = { 0 };
    if (waitid(P_PID, (id_t)c->pid, &ended, WEXITED | WNOHANG | WNOWAIT) != 0 ||
        ended.si_pid == 0) {
        return false;
    }
    struct pollfd more = { .fd = c->results, .events = POLLIN };
    while (poll(&more, 1, 0) > 0 && (more.revents & POLLIN) && child_read(run, c)) {
    }
    return true;
}

void child_reap(struct run *run, struct child *c)
{
    int status = 0;
    child_close(c);
    while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR) {
    }
    kill(-c->pid, SIGKILL); /* whoever it left behind */
    c->result->ms = (unsigned)((trial_now_us() - c->since_us) / 1000u);
    judge_end(run, c, status);
    munmap(c->watch, sizeof(*c->watch));
    c->result = NULL;
}
