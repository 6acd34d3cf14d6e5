/* SPDX-License-Identifier: Apache-2.0 */
#include "repeats.h"

#include <stddef.h>

enum { MINUTE_US = 60 * 1000 * 1000 };

static bool is_recent(const struct repeat *line, uint64_t now_us)
{
    return line->known && now_us < line->logged_us + MINUTE_US;
}

static bool is_of(const struct repeat *line, uid_t uid, aq_status why)
{
    return line->known && line->uid == uid && line->why == why;
}

bool repeats_note(struct repeats *r, uid_t uid, aq_status why, uint64_t now_us,
                  unsigned long *ret_more)
{
    struct repeat *place = NULL;
    for (int i = 0; i < REPEATS_LINES; i++) {
        struct repeat *line = &r->lines[i];
        if (is_of(line, uid, why)) {
            place = line;
            break;
        }
        if (!is_recent(line, now_us)) {
            place = line;
        }
    }
    if (!place) {
        return false;
    }
    if (is_recent(place, now_us)) { /* then it is this one */
        place->more++;
        return false;
    }
    *ret_more = is_of(place, uid, why) ? place->more : 0;
    *place = (struct repeat){ .known = true, .uid = uid, .why = why, .logged_us = now_us };
    return true;
}
