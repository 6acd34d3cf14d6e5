/* SPDX-License-Identifier: Apache-2.0 */
#include "fail.h"
#include "store.h"

#include <time.h>

/* Pauses between two tries while another program holds the database. */
enum { PAUSE_FIRST_US = 1000, PAUSE_MAX_US = 25000 };

static uint64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

uint64_t wait_deadline(const struct store *s)
{
    return now_us() + s->busy_us;
}

static uint64_t us_until(uint64_t deadline_us)
{
    uint64_t now = now_us();
    return now < deadline_us ? deadline_us - now : 0;
}

bool wait_until(uint64_t deadline_us, uint64_t *pause_us)
{
    uint64_t left = us_until(deadline_us);
    if (left == 0) {
        return false;
    }
    if (*pause_us == 0) {
        *pause_us = PAUSE_FIRST_US;
    }
    uint64_t us = *pause_us < left ? *pause_us : left;
    nanosleep(&(struct timespec){ .tv_nsec = (long)us * 1000 }, NULL);
    *pause_us = *pause_us * 2 < PAUSE_MAX_US ? *pause_us * 2 : PAUSE_MAX_US;
    return true;
}

aq_status wait_patiently(struct store *s, step_fn *step, void *arg, struct aq_error *err)
{
    uint64_t deadline = wait_deadline(s);
    uint64_t pause = 0;
    aq_status status;

    do {
        status = pool_enter(s->generation, us_until(deadline), err);
        if (status == AQ_OK) {
            status = step(s, arg, err);
            pool_leave();
        }
    } while (status == AQ_E_BUSY && wait_until(deadline, &pause));
    return status;
}
