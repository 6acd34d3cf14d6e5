/* SPDX-License-Identifier: Apache-2.0 */
/* The copies of a login that its program keeps beside it, in the same store under other names. */
#ifndef AQ_CLIENT_COPIES_H
#define AQ_CLIENT_COPIES_H

#include "client/rows.h"

enum { COPIES_MAX = 4 }; /* no program has more names than that beside the one in use */

struct copies {
    size_t count;
    const struct source *source[COPIES_MAX];
    struct rows rows[COPIES_MAX];
};

void copies_done(struct copies *c);

/*
 * Find the rows that hold the token, byte for byte, or were made with the client registration of
 * this login; ret is zero before. AQ_OK, or why they cannot be read.
 */
aq_status copies_find(struct aq_client *client, const struct source *source, struct store *store,
                      const struct rows *login, struct copies *ret, struct aq_error *err);

/* True if the rows of this source are one of them. */
bool copies_have(const struct copies *c, const struct source *source);

/* Remove the login's rows before `end` that were found, and its copies. All of it, or
 * AQ_E_CHANGED. */
aq_status copies_remove(const struct copies *c, struct store *store, const struct source *source,
                        const struct rows *found, enum row end, struct aq_error *err);

#endif
