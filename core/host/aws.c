/* SPDX-License-Identifier: Apache-2.0 */
#include "host/aws.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/str.h"
#include "host/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { REAP_US = 10 * 1000 };

struct aq_str aws_variable(const struct settings *settings, const char *name)
{
    return settings->flags & AQ_CLIENT_NO_ENV ? AQ_STR("") : str_from(secure_getenv(name));
}

aq_status aws_file_path(const struct settings *settings, bool is_config, struct buf *ret,
                        struct aq_error *err)
{
    struct aq_str named =
        aws_variable(settings, is_config ? "AWS_CONFIG_FILE" : "AWS_SHARED_CREDENTIALS_FILE");
    return paths_expand(AQ_STR("AWS settings"),
                        named.len   ? named
                        : is_config ? AQ_STR("~/.aws/config")
                                    : AQ_STR("~/.aws/credentials"),
                        ret, err);
}

/* ---- reading ---- */

aq_status aws_file_read(const char *path, struct buf *ret, struct aq_error *err)
{
    ret->max = ret->len + AWS_FILE_MAX;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        bool absent = errno == ENOENT || errno == ENOTDIR;
        return error_sys(err, absent ? AQ_E_NOTFOUND : AQ_E_IO, errno, "%s", path);
    }
    aq_status st = file_read(fd, ret);
    const int sys = errno;
    close(fd);
    if (st == AQ_E_LIMIT) {
        return error_set(err, st, "%s: is larger than 1 MiB, which no file of settings is", path);
    }
    if (st == AQ_E_NOMEM) {
        return error_nomem(err, path);
    }
    return st == AQ_OK ? AQ_OK : error_sys(err, AQ_E_IO, sys, "%s", path);
}

/* ---- a program ---- */

/* The child, with the end of a pipe for its output; 0 or what is wrong. */
static int start(char *command, int output, pid_t *ret)
{
    char *const argv[] = { (char[]){ "/bin/sh" }, (char[]){ "-c" }, command, NULL };
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
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    int sys = posix_spawn(ret, argv[0], &files, &attributes, argv, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    return sys;
}

/* Until it closes its output or the time is over. */
static aq_status collect(int fd, uint64_t until_us, struct buf *ret)
{
    aq_status st = AQ_AGAIN;
    while (st == AQ_OK || st == AQ_AGAIN) {
        uint64_t now_us = clock_now_us();
        if (now_us >= until_us) {
            return AQ_E_TIMEOUT;
        }
        struct pollfd wait = { .fd = fd, .events = POLLIN };
        int ready = poll(&wait, 1, (int)((until_us - now_us) / 1000) + 1);
        st = ready > 0 ? file_read_some(fd, ret) : AQ_AGAIN;
    }
    return st == AQ_END ? AQ_OK : st;
}

/* How it ended: AQ_OK, AQ_E_UNAVAILABLE, or AQ_E_TIMEOUT if it had to be killed. Whoever ignores
 * SIGCHLD is not told; then the answer counts. */
static aq_status await_end(pid_t pid, uint64_t until_us)
{
    int status = 0;
    pid_t done;
    bool killed = false;
    while ((done = waitpid(pid, &status, WNOHANG)) == 0 || (done < 0 && errno == EINTR)) {
        if (clock_now_us() >= until_us) {
            kill(pid, SIGKILL);
            killed = true;
            until_us = CLOCK_NEVER;
        }
        usleep(REAP_US);
    }
    bool well = done < 0 || (WIFEXITED(status) && WEXITSTATUS(status) == 0);
    return well ? AQ_OK : killed ? AQ_E_TIMEOUT : AQ_E_UNAVAILABLE;
}

aq_status aws_command(char *command, struct buf *ret, struct aq_error *err)
{
    int ends[2];
    pid_t pid;
    ret->max = ret->len + AWS_FILE_MAX;
    if (pipe2(ends, O_CLOEXEC) < 0) {
        return error_sys(err, AQ_E_IO, errno, "credential_process");
    }
    int sys = start(command, ends[1], &pid);
    close(ends[1]);
    if (sys) {
        close(ends[0]);
        return error_sys(err, AQ_E_IO, sys, "credential_process: /bin/sh");
    }
    const uint64_t until_us = clock_now_us() + AWS_COMMAND_SECONDS * UINT64_C(1000000);
    aq_status st = collect(ends[0], until_us, ret);
    close(ends[0]);
    const aq_status ended = await_end(pid, st == AQ_OK ? until_us : 0);
    st = st == AQ_OK ? ended : st;
    if (st == AQ_E_UNAVAILABLE) {
        return error_set(err, st,
                         "credential_process: failed, run its command in a shell to see why");
    }
    if (st == AQ_E_TIMEOUT) {
        return error_set(err, st, "credential_process: did not end within %d s, see what it does",
                         AWS_COMMAND_SECONDS);
    }
    if (st == AQ_E_NOMEM) {
        return error_nomem(err, "credential_process");
    }
    return st == AQ_OK
               ? AQ_OK
               : error_set(err, st,
                           "credential_process: printed more than 1 MiB, or nothing to read");
}
