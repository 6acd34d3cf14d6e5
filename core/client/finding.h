/* SPDX-License-Identifier: Apache-2.0 */
/* What a check has found and not told yet. */
#ifndef AQ_CLIENT_FINDING_H
#define AQ_CLIENT_FINDING_H

#include "base/buf.h"

#include <amazonq/check.h>
#include <stdbool.h>

struct finding {
    struct finding *next;
    int32_t kind;        /* AQ_FINDING_... */
    const char *subject; /* static */
    struct buf text;
    struct buf fix;
};

/* A queue. Zeroed memory is an empty one. */
struct findings {
    struct finding *first, *last;
    struct buf home; /* shown as "~"; empty: not known */
    bool no_memory;  /* something is missing */
};

void findings_done(struct findings *f);

/* Append one; fix may be NULL. The home directory is taken out of both texts. */
void findings_add(struct findings *f, int32_t kind, const char *subject, const char *fix,
                  const char *format, ...) __attribute__((format(printf, 5, 6)));

/* Take the oldest one away; NULL if there is none. End it with finding_free. */
struct finding *findings_take(struct findings *f);
void finding_free(struct finding *finding);

#endif
