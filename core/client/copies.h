/* SPDX-License-Identifier: Apache-2.0 */
/* The copies of a login that its program keeps beside it, in the same store under other names. Who
 * removes the login has to remove them, or it is found again there. */
#ifndef AQ_CLIENT_COPIES_H
#define AQ_CLIENT_COPIES_H

#include "client/rows.h"

/*
 * Remove a login's rows as they were found, and the rows that hold its token, byte for byte, or
 * were made with its client registration. In a store that is no file another program's login may be
 * beside it; then the profile stays, because it is that one's by now.
 *
 * Returns AQ_OK; AQ_E_CHANGED: they are not what was found, or looked at, any more; or why they
 * cannot be read or removed. It is all or nothing.
 */
aq_status copies_remove(struct aq_client *client, const struct source *source, struct store *store,
                        const struct rows *found, struct aq_error *err);

#endif
