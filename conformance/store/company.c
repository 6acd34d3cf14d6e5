/* SPDX-License-Identifier: Apache-2.0 */
/* Two instances, two threads, two processes. */
#include "store/instance.h"
#include "store/parts.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TURNS = 25, TRIES = 2000 };

static void instances_see_each_other(struct trial *t)
{
    struct instance one, other;
    instance_open(&one, t);
    instance_open(&other, t);
    instance_put(&one, KEY("a"), VALUE("1"));
    if (!instance_has(&other, KEY("a"), VALUE("1"))) {
        trial_fail(t, "one instance put a value, and for another there was %s",
                   instance_shown(&other, KEY("a")));
    }
    instance_put(&other, KEY("a"), VALUE("2"));
    if (!instance_has(&one, KEY("a"), VALUE("2"))) {
        trial_fail(t, "an instance had read a value, another replaced it, and it still read %s",
                   instance_shown(&one, KEY("a")));
    }
    const struct aq_change stale = change_expecting(change_put(KEY("a"), VALUE("3")), VALUE("1"));
    aq_status st = instance_commit(&one, &stale, 1);
    if (st != AQ_E_CHANGED || !instance_has(&one, KEY("a"), VALUE("2"))) {
        trial_fail(t,
                   "an instance expected what another had replaced; commit returned %s, not "
                   "AQ_E_CHANGED, and there was %s",
                   aq_status_name(st), instance_shown(&one, KEY("a")));
    }
    instance_close(&one);
    if (!instance_has(&other, KEY("a"), VALUE("2"))) {
        trial_fail(t, "after one of two instances had been closed there was %s",
                   instance_shown(&other, KEY("a")));
    }
    instance_close(&other);
}

/* Add one to the number under the key, TURNS times, by way of expectations. */
static void count_up(struct trial *t, void *arg)
{
    struct instance i;
    char before[64], after[64];
    (void)arg;
    instance_open(&i, t);
    for (int turn = 0, tries = 0; turn < TURNS; tries++) {
        aq_status st = instance_get(&i, KEY("count"));
        if (st == AQ_OK) {
            snprintf(before, sizeof(before), "%.*s", (int)i.value.len, (const char *)i.value.ptr);
            const char *number = strrchr(before, '-');
            snprintf(after, sizeof(after), VALUE("%d"),
                     (int)strtol(number ? number + 1 : "", NULL, 10) + 1);
            const struct aq_change change =
                change_expecting(change_put(KEY("count"), after), before);
            st = instance_commit(&i, &change, 1);
        }
        if (st != AQ_OK && st != AQ_E_CHANGED && st != AQ_E_BUSY) {
            trial_fail(t,
                       "in company a call returned %s (%s); AQ_E_CHANGED and AQ_E_BUSY are what "
                       "happens there",
                       aq_status_name(st), i.w.err.text);
        }
        turn += st == AQ_OK;
        if (tries == TRIES) {
            trial_fail(t, "one of two had saved %d times after %d tries", turn, TRIES);
        }
    }
    instance_close(&i);
}

static void require_count(struct trial *t, const char *who)
{
    struct instance i;
    char all[64];
    snprintf(all, sizeof(all), VALUE("%d"), 2 * TURNS);
    instance_open(&i, t);
    if (!instance_has(&i, KEY("count"), all)) {
        trial_fail(t, "two %s added 1 to a number %d times each, and it was %s; an update was lost",
                   who, TURNS, instance_shown(&i, KEY("count")));
    }
    instance_close(&i);
}

static void put_zero(struct trial *t, void *arg)
{
    struct instance i;
    (void)arg;
    instance_open(&i, t);
    instance_put(&i, KEY("count"), VALUE("0"));
    instance_close(&i);
}

/* Each thread with an instance, and a watch, of its own. */
static void *count_in_thread(void *arg)
{
    struct trial own = *(const struct trial *)arg;
    struct trial_watch watch = { 0 };
    own.watch = &watch;
    count_up(&own, NULL);
    return NULL;
}

static void threads_lose_nothing(struct trial *t)
{
    pthread_t threads[2];
    put_zero(t, NULL);
    for (size_t n = 0; n < 2; n++) {
        if (pthread_create(&threads[n], NULL, count_in_thread, t) != 0) {
            trial_skip(t, "no thread could be started");
        }
    }
    for (size_t n = 0; n < 2; n++) {
        pthread_join(threads[n], NULL);
    }
    require_count(t, "threads");
}

static void processes_lose_nothing(struct trial *t)
{
    struct trial_helper first, helpers[2];
    instance_needs_trait(t, AQ_STORE_SHARED);
    trial_fork(t, &first, put_zero, NULL);
    trial_join(t, &first);
    for (size_t n = 0; n < 2; n++) {
        trial_fork(t, &helpers[n], count_up, NULL);
    }
    for (size_t n = 0; n < 2; n++) {
        trial_join(t, &helpers[n]);
    }
    require_count(t, "processes");
}

const struct clause store_company_clauses[] = {
    { "store.company.instances", "Two instances see what the other has saved.",
      instances_see_each_other, 0, 0 },
    { "store.company.threads", "Two threads with an instance each lose no update.",
      threads_lose_nothing, 0, 120 },
    { "store.company.processes", "Two processes lose no update.", processes_lose_nothing, 0, 120 },
    CLAUSES_END,
};
