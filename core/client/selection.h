/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A profile that is selected for a login, which somebody may take minutes for. It is saved beside
 * that login, refreshed or not, and beside no other one that was made meanwhile.
 */
#ifndef AQ_CLIENT_SELECTION_H
#define AQ_CLIENT_SELECTION_H

#include "client/rows.h"

#include <amazonq/login.h>

/* The login it is for. Zero is none, and has nothing to be freed. */
struct selection {
    const struct source *source;
    struct store *store;
    struct rows login; /* as it was when the profiles were asked for */
};

/* Remember the login of this source, before its profiles are asked for. */
aq_status selection_begin(struct selection *s, const struct source *source, struct store *store,
                          struct aq_error *err);
void selection_done(struct selection *s);

/* Save the profile. AQ_E_CHANGED: the login has gone, or another one is there; nothing is saved. */
aq_status selection_save(struct selection *s, const struct aq_profile *profile,
                         struct aq_error *err);

#endif
