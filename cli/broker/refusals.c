/* SPDX-License-Identifier: Apache-2.0 */
#include "refusals.h"

#include <stddef.h>

enum { MINUTE_US = 60 * 1000 * 1000 };

static bool is_recent(const struct refusal *user, uint64_t now_us)
{
    return user->known && now_us < user->logged_us + MINUTE_US;
}

bool refusals_note(struct refusals *r, uid_t uid, uint64_t now_us, unsigned long *ret_more)
{
    struct refusal *place = NULL;
    for (int i = 0; i < REFUSALS_USERS; i++) {
        struct refusal *user = &r->users[i];
        if (user->known && user->uid == uid) {
            place = user;
            break;
        }
        if (!is_recent(user, now_us)) {
            place = user;
        }
    }
    if (!place) {
        return false;
    }
    if (is_recent(place, now_us)) { /* then it is this user's */
        place->more++;
        return false;
    }
    *ret_more = place->known && place->uid == uid ? place->more : 0;
    *place = (struct refusal){ .known = true, .uid = uid, .logged_us = now_us };
    return true;
}
