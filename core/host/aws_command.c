/* SPDX-License-Identifier: Apache-2.0 */
#include "host/aws_command.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum {
    LOOK_US = 10 * 1000, /* how soon an end is noticed that closes no pipe */
    KILLED_LOOKS = 100,  /* how often one that was killed is waited for */
};

/* ---- starting ---- */

/* Somebody sits there, and we are who they talk to. */
static bool has_terminal(void)
{
    int terminal = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
    bool ours = terminal >= 0 && tcgetpgrp(terminal) == getpgrp();
    if (terminal >= 0) {
        close(terminal);
    }
    return ours;
}

/* The child, with the end of a pipe for its output; 0 or what is wrong. */
static int spawn(char *text, int output, bool alone, pid_t *ret)
{
    char *const argv[] = { (char[]){ "/bin/sh" }, (char[]){ "-c" }, text, NULL };
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none, defaults;
    sigemptyset(&none);
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, output, STDOUT_FILENO);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setpgroup(&attributes, alone ? 0 : getpgrp());
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                              POSIX_SPAWN_SETPGROUP);
    int sys = posix_spawn(ret, argv[0], &files, &attributes, argv, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    return sys;
}

aq_status aws_command_start(struct aws_command *c, char *text, struct aq_error *err)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0) {
        return error_sys(err, AQ_E_IO, errno, "credential_process");
    }
    fcntl(ends[0], F_SETFL, O_NONBLOCK); /* the program's end blocks, as it is used to */
    c->alone = !has_terminal();
    int sys = spawn(text, ends[1], c->alone, &c->pid);
    close(ends[1]);
    if (sys) {
        close(ends[0]);
        c->pid = 0;
        return error_sys(err, AQ_E_IO, sys, "credential_process: /bin/sh");
    }
    c->output = ends[0];
    c->until_us = clock_now_us() + AWS_COMMAND_SECONDS * UINT64_C(1000000);
    return AQ_OK;
}

/* ---- looking ---- */

/* AQ_AGAIN while it runs; how it has ended: AQ_OK, AQ_E_UNAVAILABLE; AQ_E_DENIED if it was stopped
 * because it wants a terminal. Where SIGCHLD is ignored nobody is told; then the answer counts.
 */
static aq_status look_at_end(struct aws_command *c)
{
    int status = 0;
    pid_t done;
    do {
        done = waitpid(c->pid, &status, WNOHANG | WUNTRACED);
    } while (done < 0 && errno == EINTR);
    if (done == 0) {
        return AQ_AGAIN;
    }
    if (done > 0 && WIFSTOPPED(status)) {
        bool asks = WSTOPSIG(status) == SIGTTIN || WSTOPSIG(status) == SIGTTOU;
        return asks ? AQ_E_DENIED : AQ_AGAIN;
    }
    c->pid = 0;
    return done < 0 || (WIFEXITED(status) && WEXITSTATUS(status) == 0) ? AQ_OK : AQ_E_UNAVAILABLE;
}

/* All that is there by now. AQ_OK; AQ_E_LIMIT, AQ_E_IO, AQ_E_NOMEM. */
static aq_status take_output(struct aws_command *c, struct buf *ret)
{
    aq_status st = c->output < 0 ? AQ_END : AQ_OK;
    while (st == AQ_OK) {
        st = file_read_some(c->output, ret);
    }
    if (st == AQ_END && c->output >= 0) {
        close(c->output);
        c->output = -1;
    }
    return st == AQ_END || st == AQ_AGAIN ? AQ_OK : st;
}

static aq_status fail(aq_status st, struct aq_error *err)
{
    switch (st) {
    case AQ_E_UNAVAILABLE:
        return error_set(err, st,
                         "credential_process: failed, run its command in a shell to see why");
    case AQ_E_DENIED:
        return error_set(err, AQ_E_UNAVAILABLE,
                         "credential_process: wants to ask on the terminal, which it cannot here; "
                         "run its command in a shell and set what it prints (AWS_ACCESS_KEY_ID, "
                         "AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN)");
    case AQ_E_TIMEOUT:
        return error_set(err, st, "credential_process: did not end within %d s, see what it does",
                         AWS_COMMAND_SECONDS);
    case AQ_E_NOMEM:
        return error_nomem(err, "credential_process");
    default:
        return error_set(err, st,
                         "credential_process: printed more than 1 MiB, or nothing to read");
    }
}

aq_status aws_command_look(struct aws_command *c, struct buf *ret, struct aq_error *err)
{
    const uint64_t now_us = clock_now_us();
    ret->max = AWS_COMMAND_MAX;
    aq_status ended = look_at_end(c); /* first: then all that it has printed is there */
    aq_status st = take_output(c, ret);
    if (st == AQ_OK) {
        st = ended == AQ_AGAIN && now_us >= c->until_us ? AQ_E_TIMEOUT : ended;
    }
    c->again_us = now_us + LOOK_US;
    return st == AQ_OK || st == AQ_AGAIN ? st : fail(st, err);
}

/* ---- ending ---- */

static void kill_all(struct aws_command *c)
{
    (void)look_at_end(c);
    if (c->pid > 0) { /* nobody has waited for it, so the number is still its own */
        kill(c->alone ? -c->pid : c->pid, SIGKILL);
    }
    for (int i = 0; i < KILLED_LOOKS && c->pid > 0; i++) {
        (void)look_at_end(c);
        usleep(c->pid > 0 ? LOOK_US : 0);
    }
}

void aws_command_done(struct aws_command *c, bool forked)
{
    bool started = c->until_us > 0;
    if (started && c->output >= 0) {
        close(c->output);
    }
    if (c->pid > 0 && !forked) {
        kill_all(c);
    }
    *c = (struct aws_command){ 0 };
}
