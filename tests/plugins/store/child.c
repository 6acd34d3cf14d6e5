/* SPDX-License-Identifier: Apache-2.0 */
#include "child.h"

#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <cmocka.h>

enum { NO_NAMESPACE = 77 };

struct in_namespace {
    void (*run)(void *arg);
    void *arg;
};

pid_t child_start(void (*run)(void *arg), void *arg)
{
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a failed test leaves nobody behind */
        run(arg);
        exit(0); /* with everything that looks at the end: leaks, coverage */
    }
    return pid;
}

int child_end(pid_t pid)
{
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void enter(void *arg)
{
    const struct in_namespace *what = arg;
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) {
        _exit(NO_NAMESPACE);
    }
    what->run(what->arg);
}

void child_run_in_namespace(void (*run)(void *arg), void *arg)
{
    struct in_namespace what = { run, arg };
    int rc = child_end(child_start(enter, &what));
    if (rc == NO_NAMESPACE) {
        print_message("needs mount namespaces\n");
        skip();
    }
    assert_int_equal(rc, 0);
}
