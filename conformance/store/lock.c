/* SPDX-License-Identifier: Apache-2.0 */
/* The lock under which a login is refreshed. */
#include "store/instance.h"
#include "store/parts.h"

#include <poll.h>
#include <unistd.h>

enum { RELEASE_MS = 3000, LOOK_MS = 20 }; /* a lock service may need a moment to see a death */

static void require_lock(struct instance *i, aq_status wanted, const char *when)
{
    aq_status st = instance_lock(i);
    if (st != wanted) {
        trial_fail(i->w.trial, "lock returned %s, not %s, %s", aq_status_name(st),
                   aq_status_name(wanted), when);
    }
}

/* Without this the clause says nothing. */
static void needs_exclusion(struct instance *i, const char *clause, const char *when)
{
    aq_status st = instance_lock(i);
    if (st != AQ_AGAIN) {
        trial_break_off(i->w.trial, clause, "lock returned %s, not AQ_AGAIN, %s",
                        aq_status_name(st), when);
    }
}

static void open_two(struct trial *t, struct instance *one, struct instance *other)
{
    instance_open(one, t);
    if (!one->ops->lock) {
        trial_skip(t, "it has no lock: nothing in it is refreshed if others share it");
    }
    instance_put(one, KEY("a"), VALUE("1")); /* there is something to lock */
    instance_open(other, t);
}

static void lock_excludes(struct trial *t)
{
    struct instance one, other;
    open_two(t, &one, &other);
    require_lock(&one, AQ_OK, "when nobody held it");
    require_lock(&other, AQ_AGAIN, "while another instance held it");
    instance_unlock(&one);
    require_lock(&other, AQ_OK, "after it had been released");
    require_lock(&one, AQ_AGAIN, "while another instance held it");
    instance_unlock(&other);
    instance_close(&one);
    instance_close(&other);
}

static void unlock_releases_only_its_own(struct trial *t)
{
    struct instance one, other;
    open_two(t, &one, &other);
    instance_unlock(&one); /* nothing happens */
    require_lock(&one, AQ_OK, "after an unlock of what was not held");
    needs_exclusion(&other, "store.lock.excludes", "while another instance held it");
    instance_unlock(&other);
    require_lock(&other, AQ_AGAIN, "after an instance that did not hold it had called unlock");
    instance_unlock(&one);
    instance_close(&one);
    instance_close(&other);
}

static void close_releases(struct trial *t)
{
    struct instance one, other;
    open_two(t, &one, &other);
    require_lock(&one, AQ_OK, "when nobody held it");
    instance_close(&one);
    require_lock(&other, AQ_OK, "after its holder had been closed");
    instance_unlock(&other);
    instance_close(&other);
}

static void lock_is_not_in_the_way(struct trial *t)
{
    struct instance one, other;
    open_two(t, &one, &other);
    require_lock(&one, AQ_OK, "when nobody held it");
    const struct aq_change change = change_put(KEY("a"), VALUE("2"));
    aq_status st = instance_commit(&other, &change, 1);
    if (st != AQ_OK || !instance_has(&other, KEY("a"), VALUE("2"))) {
        trial_fail(t,
                   "while another instance held the lock a commit returned %s, and there was %s; "
                   "lock is independent of the locks of get and commit",
                   aq_status_name(st), instance_shown(&other, KEY("a")));
    }
    instance_put(&one, KEY("a"), VALUE("3"));
    if (!instance_has(&one, KEY("a"), VALUE("3"))) {
        trial_fail(t, "the holder of the lock put a value, and there was %s",
                   instance_shown(&one, KEY("a")));
    }
    instance_unlock(&one);
    instance_close(&one);
    instance_close(&other);
}

/* ---- other processes ---- */

struct ends {
    int told[2]; /* from the helper */
    int go[2];   /* to it */
};

static void make_ends(struct trial *t, struct ends *ends)
{
    if (pipe(ends->told) != 0 || pipe(ends->go) != 0) {
        trial_skip(t, "no pipe for two processes to meet");
    }
}

/* Wait for one byte; false at the end. */
static bool wait_for(int fd)
{
    char byte;
    return read(fd, &byte, 1) == 1;
}

static void tell(int fd)
{
    ssize_t n = write(fd, "", 1);
    (void)n;
}

static void hold_until_told(struct trial *t, void *arg)
{
    struct ends *ends = arg;
    struct instance i;
    close(ends->told[0]);
    close(ends->go[1]);
    instance_open(&i, t);
    instance_put(&i, KEY("a"), VALUE("1")); /* there is something to lock */
    require_lock(&i, AQ_OK, "when nobody held it");
    tell(ends->told[1]);
    wait_for(ends->go[0]);
    instance_unlock(&i);
    tell(ends->told[1]);
    wait_for(ends->go[0]);
    instance_close(&i);
}

static void start_holder(struct trial *t, struct ends *ends, struct trial_helper *h)
{
    if (!t->plugin->store.lock) {
        trial_skip(t, "it has no lock: nothing in it is refreshed if others share it");
    }
    instance_needs_trait(t, AQ_STORE_SHARED);
    make_ends(t, ends);
    trial_fork(t, h, hold_until_told, ends);
    close(ends->told[1]);
    close(ends->go[0]);
    if (!wait_for(ends->told[0])) {
        trial_join(t, h);
    }
}

static void lock_excludes_processes(struct trial *t)
{
    struct trial_helper h;
    struct instance i;
    struct ends ends;
    start_holder(t, &ends, &h);
    instance_open(&i, t);
    require_lock(&i, AQ_AGAIN, "while another process held it");
    tell(ends.go[1]);
    wait_for(ends.told[0]);
    require_lock(&i, AQ_OK, "after the other process had released it");
    instance_unlock(&i);
    instance_close(&i);
    tell(ends.go[1]);
    trial_join(t, &h);
}

static void death_releases(struct trial *t)
{
    struct trial_helper h;
    struct instance i;
    struct ends ends;
    start_holder(t, &ends, &h);
    instance_open(&i, t);
    needs_exclusion(&i, "store.lock.processes", "while another process held it");
    trial_kill(&h);
    trial_join(t, &h);
    aq_status st = instance_lock(&i);
    for (int ms = 0; st == AQ_AGAIN && ms < RELEASE_MS; ms += LOOK_MS) {
        poll(NULL, 0, LOOK_MS);
        st = instance_lock(&i);
    }
    if (st != AQ_OK) {
        trial_fail(
            t,
            "its holder was killed, and %d ms later lock still returned %s; the system "
            "releases it with the process (flock, a lock of the server), a file that is left "
            "over does not",
            RELEASE_MS, aq_status_name(st));
    }
    instance_unlock(&i);
    instance_close(&i);
}

/* ---- fork ---- */

static void use_in_child(struct trial *t, void *arg)
{
    struct instance i;
    (void)arg;
    aq_status st = instance_try_open(&i, t);
    if (st == AQ_OK) {
        st = instance_get(&i, KEY("a"));
    }
    if (st != AQ_OK && st != AQ_E_NOTFOUND && st != AQ_E_FORKED) {
        trial_fail(t,
                   "in a forked child an instance of its own returned %s (%s); it works there, or "
                   "says AQ_E_FORKED",
                   aq_status_name(st), i.w.err.text);
    }
    if (i.self) {
        instance_close(&i);
    }
    _exit(0); /* threads of its parent are not here to give back what was theirs */
}

static void a_child_does_no_harm(struct trial *t)
{
    struct trial_helper h;
    struct instance i, other;
    instance_open(&i, t);
    const bool writes = instance_can_write(&i);
    if (writes) {
        instance_put(&i, KEY("a"), VALUE("1"));
    }
    const bool locks = i.ops->lock && writes && instance_lock(&i) == AQ_OK;
    if (locks) {
        instance_open(&other, t);
        needs_exclusion(&other, "store.lock.excludes", "while another instance held it");
        instance_close(&other);
    }
    trial_fork(t, &h, use_in_child, NULL);
    trial_join(t, &h);
    if (writes) {
        instance_put(&i, KEY("b"), VALUE("2"));
        if (!instance_has(&i, KEY("a"), VALUE("1")) || !instance_has(&i, KEY("b"), VALUE("2"))) {
            trial_fail(t, "after a child of its process had come and gone, a value was %s",
                       instance_shown(&i, KEY("a")));
        }
    }
    if (locks) {
        instance_open(&other, t);
        require_lock(&other, AQ_AGAIN, "after a child of the holder had come and gone");
        instance_close(&other);
        instance_unlock(&i);
    }
    instance_close(&i);
}

const struct clause store_lock_clauses[] = {
    { "store.lock.excludes", "One instance holds the lock; others are told AQ_AGAIN.",
      lock_excludes, 0, 0 },
    { "store.lock.unlock", "unlock releases what the instance holds, and nothing else.",
      unlock_releases_only_its_own, 0, 0 },
    { "store.lock.close", "close releases the lock.", close_releases, 0, 0 },
    { "store.lock.apart", "get and commit work while another instance holds the lock.",
      lock_is_not_in_the_way, 0, 0 },
    { "store.lock.processes", "The lock holds among processes.", lock_excludes_processes, 0, 0 },
    { "store.lock.death", "The lock is free again when its holder has been killed.", death_releases,
      0, 0 },
    { "store.fork", "A forked child may open an instance; that of its parent is not disturbed.",
      a_child_does_no_harm, 0, 0 },
    CLAUSES_END,
};
