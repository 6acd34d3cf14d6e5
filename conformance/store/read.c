/* SPDX-License-Identifier: Apache-2.0 */
/* get and list. */
#include "store/instance.h"
#include "store/parts.h"

#include <string.h>

static void get_says_what_is_absent(struct trial *t)
{
    struct instance i;
    instance_open(&i, t);
    aq_status st = instance_get(&i, KEY("absent"));
    if (st != AQ_E_NOTFOUND) {
        trial_fail(t, "get of a key that nobody has put returned %s, not AQ_E_NOTFOUND",
                   aq_status_name(st));
    }
    if (instance_can_write(&i)) {
        instance_put(&i, KEY("absent-not"), VALUE("1"));
        st = instance_get(&i, KEY("absent"));
        if (st != AQ_E_NOTFOUND) {
            trial_fail(t, "get of 'absent' returned %s when there was 'absent-not'",
                       aq_status_name(st));
        }
    }
    instance_close(&i);
}

static void get_passes_on_what_put_says(struct trial *t)
{
    struct instance i;
    instance_open(&i, t);
    instance_put(&i, KEY("a"), VALUE("1"));
    i.is_full = true;
    aq_status st = instance_get(&i, KEY("a"));
    if (st != AQ_E_NOMEM) {
        trial_fail(t,
                   "put returned AQ_E_NOMEM inside get, and get returned %s; it returns what put "
                   "said",
                   aq_status_name(st));
    }
    i.is_full = false;
    if (!instance_has(&i, KEY("a"), VALUE("1"))) {
        trial_fail(t, "after a get whose put had failed there was %s",
                   instance_shown(&i, KEY("a")));
    }
    instance_close(&i);
}

static void require_keys(struct instance *i, const char *const *keys, unsigned count)
{
    aq_status st = instance_list(i);
    if (st != AQ_OK) {
        trial_fail(i->w.trial, "list returned %s (%s)", aq_status_name(st), i->w.err.text);
    }
    for (unsigned k = 0; k < count; k++) {
        unsigned found = 0;
        for (unsigned n = 0; n < i->key_count; n++) {
            found += strcmp(i->keys[n], keys[k]) == 0;
        }
        if (found != 1) {
            trial_fail(i->w.trial, "list named '%s' %u times, it is there once", keys[k], found);
        }
    }
    if (i->key_count != count) {
        trial_fail(i->w.trial, "list named %u keys, there were %u", i->key_count, count);
    }
}

static void list_names_every_key_once(struct trial *t)
{
    static const char *const keys[] = { KEY("a"), KEY("b"), KEY("c") };
    struct instance i;
    instance_open(&i, t);
    instance_needs_writing(&i);
    require_keys(&i, keys, 0);
    for (unsigned k = 0; k < 3; k++) {
        instance_put(&i, keys[k], VALUE("1"));
    }
    instance_put(&i, keys[0], VALUE("2"));
    require_keys(&i, keys, 3);
    instance_remove(&i, keys[2]);
    require_keys(&i, keys, 2);
    instance_close(&i);
}

static void list_names_what_get_finds(struct trial *t)
{
    struct instance i;
    instance_open(&i, t);
    if (instance_can_write(&i)) {
        instance_put(&i, KEY("a"), VALUE("1"));
    }
    const char *const key = instance_first_key(&i);
    if (!key) {
        trial_skip(t, "nothing is in it");
    }
    aq_status st = instance_get(&i, key);
    if (st == AQ_E_NOTFOUND) {
        trial_fail(t,
                   "list named '%s', and get of it returned AQ_E_NOTFOUND; list names what is "
                   "there",
                   key);
    } else if (st != AQ_OK) {
        trial_note(t, "'%s' is there and cannot be read: %s", key, i.w.err.text);
    }
    instance_close(&i);
}

const struct clause store_read_clauses[] = {
    { "store.get.absent", "get of a key that is not there returns AQ_E_NOTFOUND.",
      get_says_what_is_absent, 0, 0 },
    { "store.get.put-failed", "get returns what put returned.", get_passes_on_what_put_says, 0, 0 },
    { "store.list.keys", "list names every key once, and no others; none is not an error.",
      list_names_every_key_once, 0, 0 },
    { "store.list.found", "What list names, get finds.", list_names_what_get_finds, 0, 0 },
    CLAUSES_END,
};
