/* SPDX-License-Identifier: Apache-2.0 */
/* Everything that belongs to a login in one store, as it is stored. */
#ifndef AQ_CLIENT_ROWS_H
#define AQ_CLIENT_ROWS_H

#include "client/source.h"

enum row {
    ROW_TOKEN,
    ROW_REGISTRATION,
    ROW_PROFILE,       /* from here on: what all logins of a store that is no file share */
    ROW_CUSTOMIZATION, /* chosen together with the profile, and meaningless without it */
    ROW_COUNT,
};

struct rows {
    struct buf value[ROW_COUNT];
    bool present[ROW_COUNT];
};

void rows_done(struct rows *rows);

/* Replace ret by what is there, none of which is an error. */
aq_status rows_read(struct store *store, const struct source *source, struct rows *ret,
                    struct aq_error *err);

/* True if they are the same, byte for byte. */
bool rows_equal(const struct rows *a, const struct rows *b);

/* True if both were made with one client registration, which not every kind of login has. */
bool rows_are_one_login(const struct source *source, const struct rows *a, const struct rows *b);

/* Put `wanted` in the place of `found`. All of it, or AQ_E_CHANGED. */
aq_status rows_replace(struct store *store, const struct source *source, const struct rows *found,
                       const struct rows *wanted, struct aq_error *err);

/* What removes the rows before `end` that were found; how many changes that are. */
uint32_t rows_removal(const struct source *source, const struct rows *found, enum row end,
                      struct aq_change ret[ROW_COUNT]);

#endif
