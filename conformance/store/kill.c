/* SPDX-License-Identifier: Apache-2.0 */
/* kill -9 in the middle of commits. */
#include "store/instance.h"
#include "store/parts.h"

#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { ROUNDS = 25, KEYS = 2, PADDING = 6000 };

static const char *const keys[KEYS] = { KEY("left"), KEY("right") };

/* Shared with the process that is killed. */
struct progress {
    atomic_int begun, ended; /* numbers of the commits */
};

static void write_value(char *value, size_t size, int number)
{
    int len = snprintf(value, size, VALUE("%06d-"), number);
    memset(value + len, 'x', size - (size_t)len - 1); /* more than a page */
    value[size - 1] = '\0';
}

/* Put the same number under both keys, again and again. */
static void commit_for_ever(struct trial *t, void *arg)
{
    struct progress *p = arg;
    static char value[PADDING];
    struct aq_change changes[KEYS];
    struct instance i;
    instance_open(&i, t);
    for (int number = p->ended + 1;; number++) {
        write_value(value, sizeof(value), number);
        for (size_t k = 0; k < KEYS; k++) {
            changes[k] = change_put(keys[k], value);
        }
        p->begun = number;
        aq_status st = instance_commit(&i, changes, KEYS);
        if (st != AQ_OK) {
            trial_fail(t, "after an earlier process had been killed a commit returned %s (%s)",
                       aq_status_name(st), i.w.err.text);
        }
        p->ended = number;
    }
}

/* The number under a key; -1 if it is not a value of ours. */
static int number_of(struct instance *i, const char *key)
{
    static char expected[PADDING];
    if (instance_get(i, key) != AQ_OK || i->value.len != PADDING - 1) {
        return -1;
    }
    const char *const digits = (const char *)i->value.ptr + strlen(VALUE(""));
    const int number = (int)strtol(digits, NULL, 10);
    write_value(expected, sizeof(expected), number);
    return memcmp(i->value.ptr, expected, PADDING - 1) == 0 ? number : -1;
}

/* A process of its own looks, too: nothing is opened before the next one is started. */
static void look(struct trial *t, void *arg)
{
    struct progress *p = arg;
    struct instance i;
    instance_open(&i, t);
    const int left = number_of(&i, keys[0]);
    const int right = number_of(&i, keys[1]);
    if (p->begun > 0 && left != right) {
        trial_fail(t,
                   "killed in the middle of a commit of two keys, it had the values of commit %d "
                   "and of commit %d; a commit is all or nothing",
                   left, right);
    }
    if (p->ended > 0 && (left < p->ended || left > p->begun)) {
        trial_fail(t,
                   "commit %d had returned AQ_OK and commit %d had begun when it was killed; "
                   "afterwards there was %d%s",
                   p->ended, p->begun, left, left < 0 ? ", which is no value that was put" : "");
    }
    if (left > 0) {
        p->begun = p->ended = left;
    }
    instance_close(&i);
}

static void probe(struct trial *t, void *arg)
{
    struct instance i;
    (void)arg;
    instance_open(&i, t);
    instance_put(&i, KEY("a"), VALUE("1"));
    instance_close(&i);
}

static void kill_leaves_old_or_new(struct trial *t)
{
    struct trial_helper h;
    struct progress *p;
    instance_needs_trait(t, AQ_STORE_PERSISTENT);
    p = mmap(NULL, sizeof(*p), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) {
        trial_skip(t, "no memory to share with another process");
    }
    trial_fork(t, &h, probe, NULL);
    trial_join(t, &h);
    for (int round = 0; round < ROUNDS; round++) {
        const int before = p->begun;
        trial_fork(t, &h, commit_for_ever, p);
        while (p->begun == before && trial_is_running(&h)) {
            poll(NULL, 0, 1);
        }
        struct timespec moment = { .tv_nsec = (rand() % 8000) * 1000L }; /* anywhere in a commit */
        nanosleep(&moment, NULL);
        trial_kill(&h);
        trial_join(t, &h);
        trial_fork(t, &h, look, p);
        trial_join(t, &h);
    }
}

const struct clause store_kill_clauses[] = {
    { "store.kill", "Killed in the middle of a commit, it has the old values or the new ones.",
      kill_leaves_old_or_new, 0, 120 },
    CLAUSES_END,
};
