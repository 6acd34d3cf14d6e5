/* SPDX-License-Identifier: Apache-2.0 */
/* Opening and closing, and what a store does to its surroundings. */
#include "allocator.h"
#include "store/instance.h"
#include "store/parts.h"
#include "tree.h"

#include <dirent.h>
#include <limits.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { CYCLES = 10, BATCHES = 4, BATCHES_MAX = 50 };

/* Everything else needs a store that opens and says what is in it. */
static void is_usable(struct trial *t)
{
    struct instance i;
    aq_status st = instance_try_open(&i, t);
    if (st == AQ_OK) {
        st = instance_list(&i);
    }
    if (st != AQ_OK) {
        trial_skip(t, "it cannot be used here: %s; give it what it needs with --setting KEY=VALUE",
                   i.w.err.text);
    }
    if (t->is_elsewhere && i.foreign_count && instance_can_write(&i)) {
        trial_skip(t,
                   "it holds %u keys that are not of this suite; give it a place of its own, "
                   "which may be written to, with --setting KEY=VALUE",
                   i.foreign_count);
    }
    instance_close(&i);
}

static void look_changes_nothing(struct trial *t, const char *where)
{
    struct instance i;
    struct tree before, after;
    tree_read(&before, t->dir, "..");
    instance_open(&i, t);
    instance_get(&i, KEY("a"));
    instance_list(&i);
    instance_close(&i);
    tree_read(&after, t->dir, "..");
    const char *more = tree_difference(&before, &after);
    if (more) {
        trial_fail(t, "open, get, list and close made or changed %s in %s; only a commit does",
                   more, where);
    }
}

static void open_creates_nothing(struct trial *t)
{
    struct instance i;
    if (t->is_elsewhere) {
        trial_skip(t, "its place is not in the trial's own directory");
    }
    look_changes_nothing(t, "an empty place");
    instance_open(&i, t);
    const struct aq_change change = change_put(KEY("a"), VALUE("1"));
    const aq_status st = instance_commit(&i, &change, 1); /* without a look at it */
    instance_close(&i);
    if (st == AQ_OK) {
        look_changes_nothing(t, "a place with a value");
    }
}

static long count_entries(const char *path)
{
    long count = 0;
    DIR *dir = opendir(path);
    while (dir && readdir(dir)) {
        count++;
    }
    if (dir) {
        closedir(dir);
    }
    return count;
}

static void cycle(struct trial *t, bool writes)
{
    struct instance i;
    instance_open(&i, t);
    instance_get(&i, KEY("a"));
    instance_list(&i);
    if (writes) {
        instance_put(&i, KEY("a"), VALUE("1"));
    }
    if (i.ops->lock && writes) {
        instance_lock(&i);
        instance_unlock(&i);
    }
    if (i.ops->can_save) {
        instance_can_save(&i);
    }
    instance_close(&i);
}

/* What a process has. */
struct amounts {
    long files, threads, blocks;
};

static struct amounts amounts_now(void)
{
    return (struct amounts){ count_entries("/proc/self/fd"), count_entries("/proc/self/task"),
                             allocator_live() };
}

static long least(long a, long b)
{
    return a < b ? a : b;
}

/* Time for threads in the background, of which a busy machine may run none for a while. */
static void let_threads_run(void)
{
    const struct timespec pause = { .tv_nsec = 50 * 1000 * 1000 };
    if (count_entries("/proc/self/task") > 1) {
        nanosleep(&pause, NULL);
    }
}

/* What grows with every batch of cycles is lost. What is kept for good is there after the first
 * one, or after many (GLib's memory is); what a thread in the background gives back later does not
 * grow every time. */
static void close_gives_everything_back(struct trial *t)
{
    struct amounts grown = { LONG_MAX, LONG_MAX, LONG_MAX };
    struct amounts before = { 0 };
    struct instance i;
    instance_open(&i, t);
    const bool writes = instance_can_write(&i);
    instance_close(&i);
    for (int batch = 0; batch < BATCHES || (batch < BATCHES_MAX && grown.blocks >= CYCLES);
         batch++) {
        for (int n = 0; n < CYCLES; n++) {
            cycle(t, writes);
        }
        let_threads_run();
        const struct amounts now = amounts_now();
        if (batch > 0) {
            grown.files = least(grown.files, now.files - before.files);
            grown.threads = least(grown.threads, now.threads - before.threads);
            grown.blocks = least(grown.blocks, now.blocks - before.blocks);
        }
        before = now;
    }
    if (grown.files > 0) {
        trial_fail(t, "open and close, %d times, left %ld more open files; close closes all",
                   CYCLES, grown.files);
    }
    if (grown.threads > 0) {
        trial_fail(t, "open and close, %d times, left %ld more threads; close ends all", CYCLES,
                   grown.threads);
    }
    if (grown.blocks >= CYCLES) { /* one each time */
        trial_fail(t, "open and close, %d times, left %ld more blocks of memory; close frees all",
                   CYCLES, grown.blocks);
    }
}

static void close_accepts_null(struct trial *t)
{
    struct instance i;
    instance_open(&i, t);
    void *self = i.self;
    trial_enter(t, "close(NULL)", 5000, "store.in-time");
    i.ops->close(NULL);
    trial_leave(t, "close(NULL)");
    i.self = self;
    instance_close(&i);
}

const struct clause store_open_clauses[] = {
    { "store.usable", "It opens with its settings and can say what is in it.", is_usable,
      CLAUSE_GATE, 0 },
    { "store.open.creates-nothing", "open, get and list create and change no file.",
      open_creates_nothing, 0, 0 },
    { "store.close.gives-back", "close gives back all files, threads and memory.",
      close_gives_everything_back, 0, 120 },
    { "store.close.null", "close accepts NULL.", close_accepts_null, CLAUSE_RETURNS, 0 },
    /* all trials watch over these */
    { "store.put", "A call hands over what was asked for, once, to its own sink.", NULL, 0, 0 },
    { "store.in-time",
      "open, get, list, lock and can_save return within 5 s, commit within 10 s, grant within 1 s.",
      NULL, CLAUSE_GATE, 0 },
    CLAUSES_END,
};
