/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An open store, and short ways to call it. What a call promises by itself (one value, in time, an
 * error that says why) is judged here; what it means is for the clause.
 */
#ifndef CONFORMANCE_STORE_INSTANCE_H
#define CONFORMANCE_STORE_INSTANCE_H

#include "base/buf.h"
#include "witness.h"

enum { INSTANCE_KEYS_MAX = 64, INSTANCE_KEY_MAX = 320 };

/* The suite's keys begin with this, so that a store can hold others, and nothing of them is
 * touched.
 */
#define KEY(name) "conformance:" name

/* A value: every one is a secret. */
#define VALUE(text) TRIAL_SECRET "-" text

struct instance {
    struct witness w;
    const struct aq_store_ops *ops;
    void *self;
    struct buf value; /* of the last get or grant */
    struct aq_str asked;
    unsigned puts;
    char keys[INSTANCE_KEYS_MAX][INSTANCE_KEY_MAX]; /* of the last list: those of the suite */
    unsigned key_count;
    unsigned foreign_count;       /* of the last list: keys of others */
    char first[INSTANCE_KEY_MAX]; /* of the last list: the first key, whoever put it */
    bool is_full;                 /* put refuses, as if memory had run out */
    char sink;                    /* its address is the sink of the call that goes on */
};

/* Before a clause, and after one that was kept: a store that declares `path` or `directory` finds a
 * place in this trial; in a place that trials share, what the suite has left is removed. */
void instance_prepare(struct trial *t);
void instance_finish(struct trial *t);

void instance_open(struct instance *i, struct trial *t);
void instance_close(struct instance *i);

/* Without a judgement of what it returns; self is NULL unless AQ_OK. */
aq_status instance_try_open(struct instance *i, struct trial *t);

aq_status instance_get(struct instance *i, const char *key);
aq_status instance_list(struct instance *i);
aq_status instance_commit(struct instance *i, const struct aq_change *changes, uint32_t count);
aq_status instance_commit_stride(struct instance *i, const void *changes, uint32_t count,
                                 uint32_t stride);
aq_status instance_lock(struct instance *i); /* skips the trial where there is no lock */
void instance_unlock(struct instance *i);
aq_status instance_can_save(struct instance *i); /* the same */
aq_status instance_grant(struct instance *i, const char *key, uint32_t flags, int64_t min_valid_s);

/* Changes: put, remove, compare. */
struct aq_change change_put(const char *key, const char *value);
struct aq_change change_remove(const char *key);
struct aq_change change_expecting(struct aq_change change, const char *expected); /* NULL: absent */
struct aq_change change_keep(const char *key, const char *expected);

/* Preparations of a clause: break off the trial if they do not succeed. */
void instance_put(struct instance *i, const char *key, const char *value);
void instance_remove(struct instance *i, const char *key);

bool instance_can_write(struct instance *i);

/* Skips the trial if nothing can be written. */
void instance_needs_writing(struct instance *i);

/* Skips the trial unless the store has the trait. */
void instance_needs_trait(struct trial *t, uint32_t trait);

/* Breaks off the trial if get has no way to say that there is nothing. */
void instance_needs_absence(struct instance *i, const char *key);

/* Any key that is there, also in a store that cannot be written; NULL if there is none. */
const char *instance_first_key(struct instance *i);

/* True if get finds exactly this value; NULL: if it says that there is none. */
bool instance_has(struct instance *i, const char *key, const char *value);

/* What is under the key, for a text: its value, "nothing", or the status. Overwritten by the call
 * after next. */
const char *instance_shown(struct instance *i, const char *key);

#endif
