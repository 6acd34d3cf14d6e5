/* SPDX-License-Identifier: Apache-2.0 */
#include "ahead.h"

#include <sys/random.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum {
    DELAY_S = 60, /* after a look that brought nothing new, at first ... */
    DELAY_MAX_S = 15 * 60,
    NEAR_S = 5 * 60,            /* and one that lives shorter is not worth it */
    FAR_S = 400 * 24 * 60 * 60, /* a token that lives longer is never refreshed */
};

bool ahead_init(struct ahead *a)
{
    *a = (struct ahead){ .timer_fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK) };
    return a->timer_fd >= 0;
}

void ahead_done(struct ahead *a)
{
    if (a->timer_fd >= 0) {
        (void)close(a->timer_fd);
    }
    a->timer_fd = -1;
}

bool ahead_is_due(struct ahead *a)
{
    uint64_t times;
    return read(a->timer_fd, &times, sizeof(times)) == (ssize_t)sizeof(times);
}

/* 0 to limit_s seconds. */
static int64_t jitter(int64_t limit_s)
{
    uint32_t number = 0;
    if (getrandom(&number, sizeof(number), GRND_NONBLOCK) != (ssize_t)sizeof(number)) {
        return 0;
    }
    return (int64_t)(number % (uint64_t)(limit_s + 1));
}

static void set(struct ahead *a, int64_t due_s)
{
    struct itimerspec when = { .it_value.tv_sec = (time_t)due_s };
    a->due_s = due_s;
    (void)timerfd_settime(a->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

static void try_again_later(struct ahead *a, int64_t now_s)
{
    set(a, now_s + a->delay_s + jitter(a->delay_s / 4));
    a->delay_s = a->delay_s * 2 < DELAY_MAX_S ? a->delay_s * 2 : DELAY_MAX_S;
}

bool ahead_saw(struct ahead *a, int64_t expires_at_s)
{
    int64_t now_s = (int64_t)time(NULL);
    int64_t left_s = expires_at_s - now_s;
    bool other = expires_at_s != a->expires_at_s;
    if (!other && a->due_s > now_s) {
        return false;
    }
    if (!other && a->due_s > 0) {
        try_again_later(a, now_s);
        return false;
    }
    a->expires_at_s = expires_at_s;
    a->delay_s = DELAY_S;
    if (left_s < NEAR_S || left_s > FAR_S) {
        set(a, 0);
        return other;
    }
    int64_t window_s = left_s / 4 < AHEAD_WINDOW_S ? left_s / 4 : AHEAD_WINDOW_S;
    int64_t due_s = expires_at_s - window_s + jitter(window_s / 4);
    set(a, due_s > now_s ? due_s : now_s + 1);
    return other;
}

void ahead_failed(struct ahead *a, bool hopeless)
{
    if (hopeless) {
        set(a, 0);
    } else if (a->due_s <= (int64_t)time(NULL)) {
        a->delay_s = a->delay_s > 0 ? a->delay_s : DELAY_S;
        try_again_later(a, (int64_t)time(NULL));
    }
}
