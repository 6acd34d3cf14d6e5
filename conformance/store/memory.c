/* SPDX-License-Identifier: Apache-2.0 */
/* Memory runs out: at the first request of a call, at the second, and so on until it needs no more.
 */
#include "allocator.h"
#include "base/str.h"
#include "store/instance.h"
#include "store/parts.h"

#include <stdio.h>

enum { REQUESTS_MAX = 3000 };

#define OLD VALUE("the old value")
#define NEW VALUE("a new value, which is longer than the old one")

static void needs_allocator(struct trial *t)
{
    if (!allocator_is_ours()) {
        trial_skip(t, "malloc cannot be replaced in this build");
    }
    allocator_watch((uintptr_t)t->plugin->store.get);
}

/* One call with the n-th request refused; false when it needs fewer. */
static bool try(struct instance *i, const char *function, unsigned n,
                aq_status (*run)(struct instance *i), aq_status *ret)
{
    allocator_refuse(n);
    *ret = run(i);
    const bool was_refused = allocator_end();
    if (*ret != AQ_OK && *ret != AQ_E_NOMEM) {
        trial_fail(i->w.trial,
                   "%s returned %s (%s) when its request number %u for memory was "
                   "refused; that is AQ_E_NOMEM",
                   function, aq_status_name(*ret), i->w.err.text, n);
    }
    return was_refused;
}

static aq_status run_commit(struct instance *i)
{
    const struct aq_change changes[] = {
        change_expecting(change_put(KEY("a"), NEW), OLD),
        change_expecting(change_put(KEY("b"), NEW), NULL),
    };
    return instance_commit(i, changes, 2);
}

static aq_status run_can_save(struct instance *i)
{
    return instance_can_save(i);
}

/* A key with its value, of a store that may be one that cannot be written. */
struct kept {
    char key[INSTANCE_KEY_MAX];
    struct buf value;
};

static void keep_one(struct trial *t, struct kept *kept)
{
    struct instance i;
    instance_open(&i, t);
    if (instance_can_write(&i)) {
        instance_put(&i, KEY("a"), OLD);
    }
    const char *const key = instance_first_key(&i);
    if (!key || instance_get(&i, key) != AQ_OK) {
        trial_skip(t, "nothing is in it");
    }
    snprintf(kept->key, sizeof(kept->key), "%s", key);
    kept->value = (struct buf)BUF(AQ_STORE_VALUE_MAX);
    buf_add(&kept->value, buf_str(&i.value));
    instance_close(&i);
}

static bool is_kept(struct instance *i, const struct kept *kept)
{
    return instance_get(i, kept->key) == AQ_OK && str_eq(buf_str(&i->value), buf_str(&kept->value));
}

/* Open, get, and the same again with memory; false when they needed less. */
static bool open_and_get(struct trial *t, const struct kept *kept, unsigned n)
{
    struct instance i;
    allocator_refuse(n);
    aq_status opened = instance_try_open(&i, t);
    aq_status got = opened == AQ_OK ? instance_get(&i, kept->key) : AQ_OK;
    const bool was_refused = allocator_end();
    const aq_status st = opened == AQ_OK ? got : opened;
    if (st != AQ_OK && st != AQ_E_NOMEM) {
        trial_fail(t,
                   "%s returned %s (%s) when request number %u for memory was refused; that is "
                   "AQ_E_NOMEM",
                   opened == AQ_OK ? "get" : "open", aq_status_name(st), i.w.err.text, n);
    }
    if (opened != AQ_OK) {
        return was_refused;
    }
    if (!is_kept(&i, kept)) {
        trial_fail(t, "after a call without memory get found %s", instance_shown(&i, kept->key));
    }
    instance_close(&i);
    return was_refused;
}

static void reading_without_memory(struct trial *t)
{
    struct kept kept;
    struct instance i;
    aq_status st;
    needs_allocator(t);
    keep_one(t, &kept);
    for (unsigned n = 1; n < REQUESTS_MAX && open_and_get(t, &kept, n); n++) {
    }
    instance_open(&i, t);
    for (unsigned n = 1; n < REQUESTS_MAX && try(&i, "list", n, instance_list, &st); n++) {
    }
    if (!is_kept(&i, &kept)) {
        trial_fail(t, "after a list without memory get found %s", instance_shown(&i, kept.key));
    }
    instance_close(&i);
    buf_done(&kept.value);
}

static void put_old(struct instance *i)
{
    instance_put(i, KEY("a"), OLD);
    instance_remove(i, KEY("b"));
    instance_needs_absence(i, KEY("b"));
}

static void saving_without_memory(struct trial *t)
{
    struct instance i;
    bool was_refused = true;
    aq_status st;
    needs_allocator(t);
    for (unsigned n = 1; n < REQUESTS_MAX && was_refused; n++) {
        instance_open(&i, t);
        put_old(&i);
        was_refused = try(&i, "commit", n, run_commit, &st);
        const bool is_new = instance_has(&i, KEY("a"), NEW) && instance_has(&i, KEY("b"), NEW);
        const bool is_old = instance_has(&i, KEY("a"), OLD) && instance_has(&i, KEY("b"), NULL);
        if (!is_new && (st == AQ_OK || !is_old)) {
            trial_fail(t,
                       "commit returned %s when its request number %u for memory was refused, and "
                       "there was %s and %s",
                       aq_status_name(st), n, instance_shown(&i, KEY("a")),
                       instance_shown(&i, KEY("b")));
        }
        instance_close(&i);
    }
    instance_open(&i, t);
    if (i.ops->can_save) {
        for (unsigned n = 1; n < REQUESTS_MAX && try(&i, "can_save", n, run_can_save, &st); n++) {
        }
    }
    if (i.ops->lock) {
        for (unsigned n = 1; n < REQUESTS_MAX && try(&i, "lock", n, instance_lock, &st); n++) {
            instance_unlock(&i);
        }
        instance_unlock(&i);
    }
    instance_close(&i);
}

const struct clause store_memory_clauses[] = {
    { "store.memory.reading", "Without memory open, get and list say AQ_E_NOMEM, and go on later.",
      reading_without_memory, 0, 120 },
    { "store.memory.saving", "Without memory a commit says AQ_E_NOMEM and is all or nothing.",
      saving_without_memory, 0, 120 },
    CLAUSES_END,
};
