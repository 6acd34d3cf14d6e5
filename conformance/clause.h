/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a plugin has to hold, one promise a clause, and the suites that are made of them.
 *
 * A clause runs in a process of its own (trial.h), so whatever the plugin does to it is a result
 * and not an accident. A promise that holds at all times, such as "an error's text is one line",
 * has no function: every trial watches over it and reports a breach under its id.
 */
#ifndef CONFORMANCE_CLAUSE_H
#define CONFORMANCE_CLAUSE_H

#include <stddef.h>
#include <stdint.h>

struct trial;

/* Flags of a clause. */
enum {
    CLAUSE_ALONE = 0x1,   /* no other trial runs meanwhile: it measures, or fills a place up */
    CLAUSE_GATE = 0x2,    /* tried alone, in its turn; once it is not kept, nothing more is tried */
    CLAUSE_RETURNS = 0x4, /* it is about a call that returns: one that does not breaks this one */
};

struct clause {
    const char *id;               /* "store.get.absent": kind, subject, what about it */
    const char *promise;          /* a sentence, as the headers make it */
    void (*run)(struct trial *t); /* returns when the promise was kept; NULL: all trials watch */
    uint32_t flags;               /* CLAUSE_... */
    uint32_t limit_s;             /* seconds until it counts as hung; 0: 60 */
};

/* The clauses of one subject, such as "store.commit". An empty id ends a list. */
#define CLAUSES_END \
    { \
        .id = NULL \
    }

/* All clauses of a kind of plugin; plugin_clauses come before them. */
struct suite {
    int32_t kind;                      /* AQ_PLUGIN_STORE, ... */
    const struct clause *const *parts; /* lists of clauses; NULL ends them */
    void (*prepare)(struct trial *t);  /* before each trial: settings, is_elsewhere; or NULL */
    void (*finish)(struct trial *t);   /* after a clause that was kept; or NULL */
};

extern const struct clause plugin_clauses[];
extern const struct suite store_suite;
extern const struct suite transport_suite; /* if CONFORMANCE_TRANSPORT is defined */

/* All of them; NULL ends them. */
extern const struct suite *const suites[];

#endif
