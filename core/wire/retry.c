/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/retry.h"

enum {
    ATTEMPTS_DEFAULT = 3,
    DELAY_FIRST_MS = 1000, /* doubled with each attempt */
    DELAY_MAX_MS = 10 * 1000,
};

void retry_begin(struct retry *r, uint32_t max_attempts)
{
    *r = (struct retry){
        .attempt = 1,
        .max_attempts = max_attempts ? max_attempts : ATTEMPTS_DEFAULT,
    };
    retry_heed(r, NULL);
}

void retry_heed(struct retry *r, const struct head *head)
{
    r->after_ms = head ? head->retry_after_ms : -1;
    r->not_before_s = head ? head->retry_after_s : -1;
}

static uint32_t retry_delay_ms(const struct retry *r, enum fault_repeat repeat, bool names_delay,
                               struct random *random)
{
    if (names_delay && r->after_ms >= 0) {
        return r->after_ms < DELAY_MAX_MS ? (uint32_t)r->after_ms : DELAY_MAX_MS;
    }
    uint32_t most = DELAY_FIRST_MS;
    for (uint32_t i = 1; i < r->attempt && most < DELAY_MAX_MS; i++) {
        most *= 2;
    }
    most = most < DELAY_MAX_MS ? most : DELAY_MAX_MS;
    /* a throttled client waits at least half of it: coming back at once makes things worse */
    uint32_t least = repeat == FAULT_RETRY_THROTTLED ? most / 2 : 0;
    uint32_t delay_ms = least + random_below(random, most - least);
    int64_t first_s = r->not_before_s < DELAY_MAX_MS / 1000 ? r->not_before_s : DELAY_MAX_MS / 1000;
    return first_s * 1000 > delay_ms ? (uint32_t)(first_s * 1000) : delay_ms;
}

bool retry_again(const struct retry *r, enum fault_repeat repeat, bool names_delay,
                 struct random *random, uint32_t *ret_delay_ms)
{
    if (repeat == FAULT_RETRY_NEVER || r->attempt >= r->max_attempts) {
        return false;
    }
    *ret_delay_ms = retry_delay_ms(r, repeat, names_delay, random);
    return true;
}

enum fault_repeat retry_of_break(const struct aq_error *why)
{
    bool passing = why->status == AQ_E_NETWORK || why->status == AQ_E_TIMEOUT ||
                   why->status == AQ_E_PROTOCOL || why->status == AQ_E_TRUNCATED;
    return passing && (why->flags & AQ_ERROR_NOT_SENT) ? FAULT_RETRY_SOON : FAULT_RETRY_NEVER;
}
