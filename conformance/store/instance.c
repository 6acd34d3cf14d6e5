/* SPDX-License-Identifier: Apache-2.0 */
#include "instance.h"

#include "exact.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define IN_TIME "store.in-time"

static const struct call call_open = { "open", 5000, IN_TIME, AQ_OK, AQ_E_LIMIT, AQ_OK };
static const struct call call_close = { "close", 5000, IN_TIME, AQ_OK, AQ_OK, AQ_OK };
static const struct call call_get = { "get", 5000, IN_TIME, AQ_OK, AQ_E_LIMIT, AQ_E_NOTFOUND };
static const struct call call_get_full = { /* what put says needs no text */
                                           "get", 5000, IN_TIME, AQ_OK, AQ_E_LIMIT, AQ_E_NOMEM
};
static const struct call call_list = { "list", 5000, IN_TIME, AQ_OK, AQ_E_LIMIT, AQ_OK };
static const struct call call_commit = { "commit", 10000, IN_TIME, AQ_OK, AQ_E_LIMIT, AQ_OK };
static const struct call call_lock = { "lock", 5000, IN_TIME, AQ_AGAIN, AQ_E_LIMIT, AQ_OK };
static const struct call call_unlock = { "unlock", 5000, IN_TIME, AQ_OK, AQ_OK, AQ_OK };
static const struct call call_can_save = { "can_save", 5000, IN_TIME, AQ_OK, AQ_E_LIMIT, AQ_OK };
static const struct call call_grant = { "grant",  1000,           IN_TIME,
                                        AQ_AGAIN, AQ_E_NOT_SAVED, AQ_E_NOTFOUND };

static struct aq_str str_of(const char *text)
{
    return exact_str(text, text ? strlen(text) : 0);
}

static struct aq_bytes bytes_of(const char *text)
{
    const size_t len = text ? strlen(text) : 0;
    return (struct aq_bytes){ exact_copy(text, len), len };
}

/* ---- what is handed over ---- */

/* Bytes that are there, for the call that goes on. What comes after a breach says nothing. */
static void instance_take(struct witness *w, const void *sink, struct aq_str key,
                          struct aq_bytes value)
{
    const struct instance *i = w->user;
    const char *function = w->inside->function;
    if (sink != &i->sink) {
        trial_break_off(w->trial, "store.put",
                        "%s called put with a sink that is not its own; the one "
                        "it was given is good for that call alone",
                        function);
    }
    if (!key.ptr || key.len == 0 || (!value.ptr && value.len)) {
        trial_break_off(w->trial, "store.put", "%s called put with a %s of %zu bytes at no address",
                        function, key.ptr ? "value" : "key", key.ptr ? value.len : key.len);
    }
    if (value.len > AQ_STORE_VALUE_MAX) {
        trial_break_off(w->trial, "store.put",
                        "%s called put with a value of %zu bytes, the most is %u", function,
                        value.len, AQ_STORE_VALUE_MAX);
    }
}

static aq_status instance_take_value(struct witness *w, void *sink, struct aq_str key,
                                     struct aq_bytes value)
{
    struct instance *i = w->user;
    instance_take(w, sink, key, value);
    if (key.len != i->asked.len || memcmp(key.ptr, i->asked.ptr, key.len) != 0) {
        trial_break_off(w->trial, "store.put",
                        "%s called put with the key '%.*s', it was asked for "
                        "'%.*s'",
                        w->inside->function, AQ_STR_ARG(key), AQ_STR_ARG(i->asked));
    }
    if (i->puts++) {
        trial_break_off(w->trial, "store.put", "%s called put twice; there is one value for a key",
                        w->inside->function);
    }
    if (i->is_full) {
        return AQ_E_NOMEM;
    }
    buf_add_bytes(&i->value, value);
    return AQ_OK;
}

static aq_status instance_take_key(struct witness *w, void *sink, struct aq_str key,
                                   struct aq_bytes value)
{
    static const struct aq_str own = AQ_STR_INIT(KEY(""));
    struct instance *i = w->user;
    instance_take(w, sink, key, value);
    if (value.len) {
        trial_break_off(w->trial, "store.put",
                        "list called put with a value of %zu bytes; it hands "
                        "over keys alone",
                        value.len);
    }
    if (i->puts++ == 0) {
        snprintf(i->first, sizeof(i->first), "%.*s", AQ_STR_ARG(key));
    }
    if (key.len < own.len || memcmp(key.ptr, own.ptr, own.len) != 0) {
        i->foreign_count++;
    } else if (i->key_count < INSTANCE_KEYS_MAX) {
        snprintf(i->keys[i->key_count++], INSTANCE_KEY_MAX, "%.*s", AQ_STR_ARG(key));
    }
    return AQ_OK;
}

/* ---- opening ---- */

aq_status instance_try_open(struct instance *i, struct trial *t)
{
    *i = (struct instance){ .ops = &t->plugin->store, .value = BUF(AQ_STORE_VALUE_MAX) };
    witness_init(&i->w, t);
    i->w.user = i;
    void *self = NULL;
    witness_enter(&i->w, &call_open);
    aq_status st = i->ops->open(&i->w.args, &self, &i->w.err);
    st = witness_leave(&i->w, &call_open, st);
    if (st == AQ_OK && !self) {
        trial_break_off(t, "store.usable", "open returned AQ_OK and no instance");
    }
    i->self = st == AQ_OK ? self : NULL;
    if (st != AQ_OK) {
        witness_done(&i->w);
    }
    return st;
}

void instance_open(struct instance *i, struct trial *t)
{
    aq_status st = instance_try_open(i, t);
    if (st != AQ_OK) {
        trial_break_off(t, "store.usable", "open returned %s (%s)", aq_status_name(st),
                        i->w.err.text);
    }
}

void instance_close(struct instance *i)
{
    witness_enter(&i->w, &call_close);
    i->ops->close(i->self);
    witness_leave_void(&i->w, &call_close);
    buf_done(&i->value);
    witness_done(&i->w);
}

/* ---- calls ---- */

/* get and grant: one value, or none and why. */
static aq_status instance_fetched(struct instance *i, const struct call *call, aq_status st)
{
    i->w.on_put = NULL;
    st = witness_leave(&i->w, call, st);
    if (st == AQ_OK && i->puts == 0) {
        trial_break_off(i->w.trial, "store.put",
                        "%s was given a sink and returned AQ_OK without a put; it hands the value "
                        "over, or says that there is none (AQ_E_NOTFOUND)",
                        call->function);
    }
    if (st != AQ_OK && i->puts && !i->is_full) {
        trial_breach(i->w.trial, "store.put", "%s handed a value over and returned %s",
                     call->function, aq_status_name(st));
    }
    while (i->value.len && i->value.ptr[i->value.len - 1] == ' ') {
        i->value.len--; /* never part of a value */
    }
    return st;
}

static void instance_ask(struct instance *i, const struct call *call, const char *key)
{
    buf_clear(&i->value);
    i->asked = str_of(key);
    i->puts = 0;
    i->w.on_put = instance_take_value;
    witness_enter(&i->w, call);
}

aq_status instance_get(struct instance *i, const char *key)
{
    const struct call *call = i->is_full ? &call_get_full : &call_get;
    instance_ask(i, call, key);
    return instance_fetched(i, call, i->ops->get(i->self, str_of(key), &i->sink, &i->w.err));
}

aq_status instance_grant(struct instance *i, const char *key, uint32_t flags, int64_t min_valid_s)
{
    const struct aq_token_wish wish = { sizeof(wish), flags, min_valid_s };
    if (!i->ops->grant) {
        trial_skip(i->w.trial, "it is no token server: it has no function grant");
    }
    instance_ask(i, &call_grant, key);
    return instance_fetched(i, &call_grant,
                            i->ops->grant(i->self, str_of(key), &wish, &i->sink, &i->w.err));
}

aq_status instance_list(struct instance *i)
{
    i->key_count = i->foreign_count = i->puts = 0;
    i->w.on_put = instance_take_key;
    witness_enter(&i->w, &call_list);
    aq_status st = i->ops->list(i->self, &i->sink, &i->w.err);
    i->w.on_put = NULL;
    return witness_leave(&i->w, &call_list, st);
}

aq_status instance_commit_stride(struct instance *i, const void *changes, uint32_t count,
                                 uint32_t stride)
{
    witness_enter(&i->w, &call_commit);
    aq_status st = i->ops->commit(i->self, changes, count, stride, &i->w.err);
    return witness_leave(&i->w, &call_commit, st);
}

aq_status instance_commit(struct instance *i, const struct aq_change *changes, uint32_t count)
{
    return instance_commit_stride(i, changes, count, sizeof(*changes));
}

aq_status instance_lock(struct instance *i)
{
    if (!i->ops->lock) {
        trial_skip(i->w.trial, "it has no lock: nothing in it is refreshed if others share it");
    }
    witness_enter(&i->w, &call_lock);
    aq_status st = i->ops->lock(i->self, &i->w.err);
    return witness_leave(&i->w, &call_lock, st);
}

void instance_unlock(struct instance *i)
{
    witness_enter(&i->w, &call_unlock);
    i->ops->unlock(i->self);
    witness_leave_void(&i->w, &call_unlock);
}

aq_status instance_can_save(struct instance *i)
{
    if (!i->ops->can_save) {
        trial_skip(i->w.trial, "it has no can_save: a refresh is tried without asking");
    }
    witness_enter(&i->w, &call_can_save);
    aq_status st = i->ops->can_save(i->self, &i->w.err);
    return witness_leave(&i->w, &call_can_save, st);
}

/* ---- changes ---- */

struct aq_change change_put(const char *key, const char *value)
{
    return (
        struct aq_change){ .key = str_of(key), .action = AQ_CHANGE_PUT, .value = bytes_of(value) };
}

struct aq_change change_remove(const char *key)
{
    return (struct aq_change){ .key = str_of(key), .action = AQ_CHANGE_REMOVE };
}

struct aq_change change_expecting(struct aq_change change, const char *expected)
{
    change.expect = expected ? AQ_EXPECT_VALUE : AQ_EXPECT_ABSENT;
    change.expected = bytes_of(expected);
    return change;
}

struct aq_change change_keep(const char *key, const char *expected)
{
    const struct aq_change change = { .key = str_of(key), .action = AQ_CHANGE_KEEP };
    return change_expecting(change, expected);
}

/* ---- preparations ---- */

bool instance_can_write(struct instance *i)
{
    const struct aq_change nothing = { .key = str_of(KEY("nothing")), .action = AQ_CHANGE_KEEP };
    return instance_commit(i, &nothing, 1) != AQ_E_READONLY;
}

void instance_needs_writing(struct instance *i)
{
    if (!instance_can_write(i)) {
        trial_skip(i->w.trial, "it is read only: commit says AQ_E_READONLY");
    }
}

void instance_needs_trait(struct trial *t, uint32_t trait)
{
    if (!(t->plugin->store.traits & trait)) {
        trial_skip(t, trait == AQ_STORE_SHARED ? "other processes do not share it"
                                               : "its values do not survive the process");
    }
}

static void instance_must(struct instance *i, struct aq_change change, const char *what)
{
    instance_needs_writing(i);
    aq_status st = instance_commit(i, &change, 1);
    if (st != AQ_OK) {
        trial_break_off(i->w.trial, "store.commit.saves",
                        "a commit that %s one key returned %s (%s)", what, aq_status_name(st),
                        i->w.err.text);
    }
}

void instance_put(struct instance *i, const char *key, const char *value)
{
    instance_must(i, change_put(key, value), "puts");
    if (!instance_has(i, key, value)) {
        trial_break_off(i->w.trial, "store.commit.saves",
                        "a commit that puts %s under '%s' returned AQ_OK, and then there was %s",
                        value, key, instance_shown(i, key));
    }
}

void instance_remove(struct instance *i, const char *key)
{
    instance_must(i, change_remove(key), "removes");
}

bool instance_has(struct instance *i, const char *key, const char *value)
{
    aq_status st = instance_get(i, key);
    return value ? st == AQ_OK && i->value.len == strlen(value) &&
                       (!i->value.len || memcmp(i->value.ptr, value, i->value.len) == 0)
                 : st == AQ_E_NOTFOUND;
}

const char *instance_first_key(struct instance *i)
{
    return instance_list(i) == AQ_OK && i->puts ? i->first : NULL;
}

void instance_needs_absence(struct instance *i, const char *key)
{
    aq_status st = instance_get(i, key);
    if (st != AQ_E_NOTFOUND && st != AQ_OK) {
        trial_break_off(i->w.trial, "store.get.absent",
                        "get of a key that is not there returned %s (%s), not AQ_E_NOTFOUND",
                        aq_status_name(st), i->w.err.text);
    }
}

const char *instance_shown(struct instance *i, const char *key)
{
    static char texts[2][160];
    static unsigned turn;
    char *text = texts[turn++ % 2];
    aq_status st = instance_get(i, key);
    if (st == AQ_OK) {
        snprintf(text, sizeof(texts[0]), "'%.*s' (%zu bytes)",
                 (int)(i->value.len < 40 ? i->value.len : 40),
                 i->value.ptr ? (const char *)i->value.ptr : "", i->value.len);
    } else {
        snprintf(text, sizeof(texts[0]), "%s",
                 st == AQ_E_NOTFOUND ? "nothing" : aq_status_name(st));
    }
    return text;
}

/* ---- before and after a clause ---- */

static bool is_tried_elsewhere(const struct trial *t)
{
    return t->is_elsewhere && !(t->clause->flags & (CLAUSE_GATE | CLAUSE_ALONE)) &&
           strncmp(t->clause->id, "store.", 6) == 0;
}

/* Remove what the suite has left there. */
static void clean(struct trial *t, void *arg)
{
    struct aq_change changes[INSTANCE_KEYS_MAX];
    struct instance i;
    (void)arg;
    if (instance_try_open(&i, t) != AQ_OK) {
        return;
    }
    if (instance_list(&i) == AQ_OK && i.key_count) {
        for (uint32_t k = 0; k < i.key_count; k++) {
            changes[k] = change_remove(i.keys[k]);
        }
        instance_commit(&i, changes, i.key_count);
    }
    instance_close(&i);
}

void instance_prepare(struct trial *t)
{
    static char path[640], directory[640];
    const uint32_t traits = t->plugin->store.traits;
    const bool is_given = trial_setting(t, "path") || trial_setting(t, "directory");
    snprintf(path, sizeof(path), "%s/store", t->dir);
    snprintf(directory, sizeof(directory), "%s/directory", t->dir);
    if (trial_declares(t, "path") && !trial_setting(t, "path")) {
        trial_set(t, "path", path);
    }
    if (trial_declares(t, "directory") && !trial_setting(t, "directory")) {
        mkdir(directory, 0700);
        trial_set(t, "directory", directory);
    }
    t->is_elsewhere = (traits & (AQ_STORE_PERSISTENT | AQ_STORE_SHARED)) &&
                      (is_given || !(trial_declares(t, "path") || trial_declares(t, "directory")));
    if (is_tried_elsewhere(t)) {
        struct trial_helper h;
        trial_fork(t, &h, clean, NULL); /* the clause itself may want to fork, too */
        trial_join(t, &h);
    }
}

void instance_finish(struct trial *t)
{
    if (is_tried_elsewhere(t)) {
        clean(t, NULL);
    }
}
