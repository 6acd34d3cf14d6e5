/* SPDX-License-Identifier: Apache-2.0 */
/* Token servers: stores that hand over tokens which somebody else keeps fresh. */
#include "store/instance.h"
#include "store/parts.h"

#include <poll.h>

#define TOKEN_KEY "codewhisperer:odic:token"

enum { GIVEN_UP_MS = 30000, PAUSE_MS = 50, YEAR_S = 365 * 24 * 3600 };

/* Ask until there is an answer. */
static aq_status ask(struct instance *i, uint32_t flags, int64_t min_valid_s)
{
    const uint64_t end = trial_now_us() + GIVEN_UP_MS * UINT64_C(1000);
    aq_status st;
    while ((st = instance_grant(i, TOKEN_KEY, flags, min_valid_s)) == AQ_AGAIN) {
        if (trial_now_us() > end) {
            trial_fail(i->w.trial,
                       "grant had said AQ_AGAIN for %d s; somewhere in that time it says "
                       "what is wrong",
                       GIVEN_UP_MS / 1000);
        }
        poll(NULL, 0, PAUSE_MS);
    }
    return st;
}

static void grant_answers(struct trial *t)
{
    struct instance i;
    instance_open(&i, t);
    aq_status st = ask(&i, 0, 0);
    if (st != AQ_OK) {
        trial_note(t, "grant said: %s", i.w.err.text);
    } else if (!i.value.len || i.value.ptr[0] != '{') {
        trial_fail(t,
                   "grant handed over %zu bytes that are no JSON object; a token is one, with "
                   "access_token and expires_at",
                   i.value.len);
    }
    instance_close(&i);
}

static void grant_does_not_refresh_where_it_may_not(struct trial *t)
{
    struct instance i;
    instance_open(&i, t);
    const aq_status plain = ask(&i, 0, 0);
    const aq_status st = ask(&i, AQ_WISH_NO_REFRESH, YEAR_S);
    if (st == AQ_OK) {
        trial_fail(t, "grant handed a token over that is valid for a year, without a refresh; "
                      "what is there does not meet such a wish: AQ_E_EXPIRED");
    }
    if (plain == AQ_OK && st != AQ_E_EXPIRED) {
        trial_fail(t,
                   "there is a token, and a wish that it does not meet, without a refresh, ended "
                   "with %s (%s), not AQ_E_EXPIRED",
                   aq_status_name(st), i.w.err.text);
    }
    instance_close(&i);
}

static void wishes_go_side_by_side(struct trial *t)
{
    struct instance i;
    instance_open(&i, t);
    instance_grant(&i, TOKEN_KEY, 0, 0);
    aq_status other = ask(&i, AQ_WISH_NO_REFRESH, 0);
    aq_status first = ask(&i, 0, 0);
    if (other == AQ_OK && first != AQ_OK) {
        trial_fail(t, "a wish that another one came in between of ended with %s (%s)",
                   aq_status_name(first), i.w.err.text);
    }
    instance_close(&i);
}

const struct clause store_grant_clauses[] = {
    { "store.grant.answers", "grant hands a token over within 30 s, or says why not.",
      grant_answers, 0, 120 },
    { "store.grant.no-refresh", "A wish without a refresh that cannot be met is AQ_E_EXPIRED.",
      grant_does_not_refresh_where_it_may_not, 0, 120 },
    { "store.grant.side-by-side", "Wishes do not disturb each other.", wishes_go_side_by_side, 0,
      120 },
    CLAUSES_END,
};
