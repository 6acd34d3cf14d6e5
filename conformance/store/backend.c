/* SPDX-License-Identifier: Apache-2.0 */
/* A store whose values are kept by another process, which is stopped and killed: --backend PID. */
#include "store/instance.h"
#include "store/parts.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>

enum { TAKES_MS = 5000 }; /* a signal, at most */

static pid_t backend_of(struct trial *t)
{
    if (t->backend == 0) {
        trial_skip(t, "no process that serves it was named with --backend PID");
    }
    return t->backend;
}

/* Its state, as /proc names it: 'T' is stopped, 'Z' dead; 'X' if there is no such process. */
static char state_of(pid_t pid)
{
    char path[64], stat[512] = "";
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    FILE *f = fopen(path, "re");
    if (f) {
        stat[fread(stat, 1, sizeof(stat) - 1, f)] = '\0';
        fclose(f);
    }
    const char *name_end = strrchr(stat, ')');
    return name_end && name_end[1] == ' ' ? name_end[2] : 'X';
}

/* Send a signal, and wait until it has done what it does: on a busy machine that takes a while. */
static bool send(pid_t pid, int signal, const char *states)
{
    const struct timespec moment = { .tv_nsec = 1000 * 1000 };
    bool is_sent = kill(pid, signal) == 0;
    for (int ms = 0; is_sent && !strchr(states, state_of(pid)); ms++) {
        is_sent = ms < TAKES_MS;
        nanosleep(&moment, NULL);
    }
    return is_sent;
}

/* AQ_OK would mean that it was not the right process, or that a copy is kept; both are said. */
static void require_end(struct instance *i, const char *function, aq_status st, const char *how)
{
    if (st == AQ_OK) {
        trial_note(i->w.trial, "%s returned AQ_OK with its service %s", function, how);
    } else if (st == AQ_E_NOTFOUND || st == AQ_E_CHANGED) {
        trial_fail(i->w.trial,
                   "%s returned %s with its service %s; that it cannot be asked does not "
                   "mean that nothing is there",
                   function, aq_status_name(st), how);
    }
}

/* Something that is in it. */
static const char *find_key(struct instance *i)
{
    static char key[INSTANCE_KEY_MAX];
    if (instance_can_write(i)) {
        instance_put(i, KEY("a"), VALUE("1"));
    }
    const char *first = instance_first_key(i);
    if (!first) {
        trial_skip(i->w.trial, "nothing is in it");
    }
    snprintf(key, sizeof(key), "%s", first);
    return key;
}

/* What waits for its service waits as long as it may, so two functions are enough. */
static void use(struct instance *i, const char *key, const char *how)
{
    const struct aq_change change = change_put(KEY("b"), VALUE("2"));
    require_end(i, "get", instance_get(i, key), how);
    aq_status st = instance_commit(i, &change, 1);
    if (st != AQ_E_READONLY) {
        require_end(i, "commit", st, how);
    }
}

static void stopped_service_is_an_error_in_time(struct trial *t)
{
    struct instance i;
    const pid_t backend = backend_of(t);
    instance_open(&i, t);
    const char *const key = find_key(&i);
    if (!send(backend, SIGSTOP, "T")) {
        trial_skip(t, "process %d cannot be stopped", (int)backend);
    }
    use(&i, key, "stopped");
    kill(backend, SIGCONT);
    aq_status st = instance_get(&i, key);
    if (st != AQ_OK) {
        trial_fail(t, "when its service went on get returned %s (%s)", aq_status_name(st),
                   i.w.err.text);
    }
    instance_close(&i);
}

static void killed_service_is_an_error_in_time(struct trial *t)
{
    struct instance i;
    const pid_t backend = backend_of(t);
    instance_open(&i, t);
    const char *const key = find_key(&i);
    if (!send(backend, SIGKILL, "ZX")) {
        trial_skip(t, "process %d cannot be killed", (int)backend);
    }
    use(&i, key, "killed");
    require_end(&i, "list", instance_list(&i), "killed");
    if (i.ops->can_save && instance_can_save(&i) == AQ_OK) {
        trial_fail(t, "can_save returned AQ_OK with its service killed");
    }
    instance_close(&i);
}

const struct clause store_backend_clauses[] = {
    { "store.backend.stopped",
      "With its service stopped every call ends in time, and later goes on.",
      stopped_service_is_an_error_in_time, CLAUSE_ALONE, 120 },
    { "store.backend.killed", "With its service killed every call ends in time.",
      killed_service_is_an_error_in_time, CLAUSE_ALONE, 120 },
    CLAUSES_END,
};
