/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of profiles: one page after another in, the profiles and what asks for the next page out.
 */
#ifndef AQ_WIRE_PROFILES_H
#define AQ_WIRE_PROFILES_H

#include "base/buf.h"

#include <amazonq/login.h>
#include <stdbool.h>

enum {
    PROFILES_MAX = 128,     /* of one login */
    PROFILES_PAGES_MAX = 32 /* of one region */
};

struct profiles {
    struct aq_profile *list; /* views into text */
    uint32_t count;
    uint32_t cap;
    struct buf text;
    struct buf next_token; /* of the page after the last one that was added; empty: there is none */
};

void profiles_done(struct profiles *p);

/* Add a page. Profiles without an ARN, and those that are there, are left out. AQ_OK,
 * AQ_E_PROTOCOL, AQ_E_LIMIT, AQ_E_NOMEM. A token that is repeated counts as none. */
aq_status profiles_add_page(struct profiles *p, struct aq_str json, struct aq_error *err);

/* Append the body that asks for the next page. */
void profiles_body(const struct profiles *p, struct buf *out);

/* The one with this ARN, or NULL. */
struct aq_profile *profiles_find(const struct profiles *p, struct aq_str arn);

/* Append the row by which the existing CLI remembers a choice. */
void profiles_row(const struct aq_profile *profile, struct buf *out);

#endif
