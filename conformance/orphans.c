/* SPDX-License-Identifier: Apache-2.0 */
#include "orphans.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    LOOK_MS = 20,
    LEAVE_MS = 3000, /* for those that are on their way out */
    ORPHANS_MAX = 64,
    ROUNDS_MAX = 100,
};

/* The processes that have become ours. */
static size_t orphans_list(pid_t *pids, size_t max)
{
    char path[64];
    size_t count = 0;
    long pid;
    while (waitpid(-1, NULL, WNOHANG) > 0) {
    }
    snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
    FILE *f = fopen(path, "re");
    while (f && count < max && fscanf(f, "%ld", &pid) == 1) {
        pids[count++] = (pid_t)pid;
    }
    if (f) {
        fclose(f);
    }
    return count;
}

bool orphans_end(bool at_once)
{
    pid_t pids[ORPHANS_MAX];
    size_t count;
    for (int ms = 0; ms < LEAVE_MS && !at_once; ms += LOOK_MS) {
        if (orphans_list(pids, ORPHANS_MAX) == 0) {
            return false;
        }
        poll(NULL, 0, LOOK_MS);
    }
    for (int round = 0; round < ROUNDS_MAX && (count = orphans_list(pids, ORPHANS_MAX)); round++) {
        for (size_t i = 0; i < count; i++) {
            kill(pids[i], SIGKILL);
        }
        poll(NULL, 0, LOOK_MS);
    }
    return true;
}
