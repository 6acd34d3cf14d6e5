/* SPDX-License-Identifier: Apache-2.0 */
#include "look.h"
#include "text.h"
#include "write.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LIMIT_MS = 10000, PIECE = 4096, LOADED = 0, NOT_LOADED = 70 };

static void child(struct aq_catalog *catalog, struct aq_str path, look_describe *describe,
                  const void *arg, int fd)
{
    const struct aq_plugin *plugin = NULL;
    struct aq_error err = { 0 };
    AUTO(text) struct text out = { 0 };
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)dup2(null, STDIN_FILENO);
    (void)dup2(null, STDOUT_FILENO); /* what a constructor prints is no result of ours */
    (void)dup2(null, STDERR_FILENO);
    aq_status st = aq_catalog_load(catalog, path, &plugin, &err);
    describe(arg, st == AQ_OK ? plugin : NULL, err.text, &out);
    bool written = text_ok(&out) && write_all(fd, text_view(&out)) == 0;
    _exit(!written ? EXIT_FAILURE : st == AQ_OK ? LOADED : NOT_LOADED);
}

/* Until the end. False if it does not come. */
static bool read_all(int fd, struct text *out)
{
    struct pollfd ready = { .fd = fd, .events = POLLIN };
    while (poll(&ready, 1, LIMIT_MS) > 0) {
        ssize_t n = text_reserve(out, PIECE) ? read(fd, out->ptr + out->len, PIECE) : -1;
        if (n <= 0) {
            return n == 0;
        }
        out->len += (size_t)n;
    }
    return false;
}

static void describe_end(int status, bool in_time, struct aq_str path, char *why, size_t size)
{
    int len = snprintf(why, size, "plugin '%.*s': ", AQ_STR_ARG(path));
    if (len < 0 || (size_t)len >= size) {
        return;
    }
    why += len;
    size -= (size_t)len;
    if (!in_time) {
        (void)snprintf(why, size, "had not been loaded after %d s, a constructor of it hangs",
                       LIMIT_MS / 1000);
    } else if (WIFSIGNALED(status)) {
        (void)snprintf(why, size, "loading it ends the process (%s), a constructor of it crashes",
                       strsignal(WTERMSIG(status)));
    } else {
        (void)snprintf(why, size, "loading it ends the process, a constructor of it calls exit(%d)",
                       WEXITSTATUS(status));
    }
}

bool look_at(struct aq_catalog *catalog, struct aq_str path, look_describe *describe,
             const void *arg, struct text *out)
{
    char why[sizeof((struct aq_error){ 0 }.text)];
    AUTO(text) struct text said = { 0 };
    int ends[2];
    int status = 0;
    if (pipe2(ends, O_CLOEXEC) != 0) {
        describe(arg, NULL, strerror(errno), out);
        return false;
    }
    pid_t pid = fork();
    if (pid == 0) {
        (void)close(ends[0]);
        child(catalog, path, describe, arg, ends[1]);
    }
    (void)close(ends[1]);
    const bool in_time = pid > 0 && read_all(ends[0], &said);
    (void)close(ends[0]);
    if (pid > 0) {
        (void)kill(pid, in_time ? 0 : SIGKILL);
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
        }
    }
    const int code = WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILURE;
    if (in_time && said.len && (code == LOADED || code == NOT_LOADED)) {
        text_add(out, text_view(&said));
        return code == LOADED;
    }
    describe_end(status, in_time, path, why, sizeof(why));
    describe(arg, NULL, why, out);
    return false;
}
