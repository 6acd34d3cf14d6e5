/* SPDX-License-Identifier: Apache-2.0 */
/* Opening and closing, and what a store does to its surroundings. */
#include "allocator.h"
#include "store/instance.h"
#include "store/parts.h"
#include "tree.h"

#include <dirent.h>
#include <string.h>
#include <unistd.h>

enum { CYCLES = 20 };

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

static void open_creates_nothing(struct trial *t)
{
    struct instance i;
    struct tree before, after;
    if (t->is_elsewhere) {
        trial_skip(t, "its place is not in the trial's own directory");
    }
    tree_read(&before, t->dir, "..");
    instance_open(&i, t);
    instance_get(&i, KEY("a"));
    instance_list(&i);
    instance_close(&i);
    tree_read(&after, t->dir, "..");
    const char *more = tree_difference(&before, &after);
    if (more) {
        trial_fail(t, "open, get, list and close made or changed %s; only a commit creates", more);
    }
}

static unsigned count_entries(const char *path)
{
    unsigned count = 0;
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

static void close_gives_everything_back(struct trial *t)
{
    struct instance i;
    instance_open(&i, t);
    const bool writes = instance_can_write(&i);
    instance_close(&i);
    for (int n = 0; n < CYCLES; n++) { /* what is kept for good is there afterwards */
        cycle(t, writes);
    }
    const unsigned files = count_entries("/proc/self/fd");
    const unsigned threads = count_entries("/proc/self/task");
    const long blocks = allocator_live();
    for (int n = 0; n < CYCLES; n++) {
        cycle(t, writes);
    }
    const unsigned more_files = count_entries("/proc/self/fd");
    const unsigned more_threads = count_entries("/proc/self/task");
    const long more_blocks = allocator_live();
    if (more_files > files) {
        trial_fail(t, "%d times open and close left %u more open files; close closes all of them",
                   CYCLES, more_files - files);
    }
    if (more_threads > threads + 1) { /* one may be on its way out */
        trial_fail(t, "%d times open and close left %u more threads", CYCLES,
                   more_threads - threads);
    }
    if (more_blocks - blocks >= CYCLES) { /* one each time */
        trial_fail(t, "%d times open and close left %ld more blocks of memory; close frees all",
                   CYCLES, more_blocks - blocks);
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
      close_gives_everything_back, 0, 60 },
    { "store.close.null", "close accepts NULL.", close_accepts_null, 0, 0 },
    /* all trials watch over these */
    { "store.put", "A call hands over what was asked for, once, to its own sink.", NULL, 0, 0 },
    { "store.in-time",
      "open, get, list, lock and can_save return within 5 s, commit within 10 s, grant within 1 s.",
      NULL, CLAUSE_GATE, 0 },
    CLAUSES_END,
};
