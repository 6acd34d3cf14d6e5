/* SPDX-License-Identifier: Apache-2.0 */
#include "client/still_clock.h"

#include "base/clock.h"
#include "cmocka_all.h"

#include <poll.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { TIMERS = 8 };

static uint64_t begin_us, passed_us;
static int64_t begin_wall_s, wall_moved_s;

static struct timer {
    int fd;
    uint64_t at_us; /* CLOCK_NEVER: this place is free */
} timers[TIMERS];

uint64_t __real_clock_now_us(void);
uint64_t __wrap_clock_now_us(void);
int64_t __real_clock_wall_s(void);
int64_t __wrap_clock_wall_s(void);
int __real_timerfd_settime(int fd, int flags, const struct itimerspec *new, struct itimerspec *old);
int __wrap_timerfd_settime(int fd, int flags, const struct itimerspec *new, struct itimerspec *old);
int __real_poll(struct pollfd *fds, nfds_t count, int timeout_ms);
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms);
int __real_close(int fd);
int __wrap_close(int fd);

/* ---- clocks ---- */

uint64_t __wrap_clock_now_us(void)
{
    return begin_us + passed_us;
}

int64_t __wrap_clock_wall_s(void)
{
    return begin_wall_s + (int64_t)(passed_us / 1000000) + wall_moved_s;
}

void still_clock_begin(void)
{
    begin_us = __real_clock_now_us();
    begin_wall_s = __real_clock_wall_s();
    passed_us = 0;
    wall_moved_s = 0;
    for (size_t i = 0; i < TIMERS; i++) {
        timers[i].at_us = CLOCK_NEVER;
    }
}

void still_clock_set_wall(int64_t by_s)
{
    wall_moved_s += by_s;
}

/* ---- timers ---- */

static void timer_forget(int fd)
{
    for (size_t i = 0; i < TIMERS; i++) {
        if (timers[i].fd == fd) {
            timers[i].at_us = CLOCK_NEVER;
        }
    }
}

/* Make it readable, now. */
static void timer_fire(struct timer *timer)
{
    const struct itimerspec at_once = { .it_value.tv_nsec = 1 };
    struct pollfd fired = { .fd = timer->fd, .events = POLLIN };
    timer->at_us = CLOCK_NEVER;
    assert_int_equal(__real_timerfd_settime(timer->fd, 0, &at_once, NULL), 0);
    assert_int_equal(__real_poll(&fired, 1, -1), 1);
}

void still_clock_pass(uint64_t us)
{
    passed_us += us;
    for (size_t i = 0; i < TIMERS; i++) {
        if (timers[i].at_us <= clock_now_us()) {
            timer_fire(&timers[i]);
        }
    }
}

int __wrap_timerfd_settime(int fd, int flags, const struct itimerspec *new, struct itimerspec *old)
{
    const struct itimerspec never = { 0 };
    const uint64_t at_us =
        (uint64_t) new->it_value.tv_sec * 1000000 + (uint64_t) new->it_value.tv_nsec / 1000;
    assert_int_equal(flags, TFD_TIMER_ABSTIME);
    timer_forget(fd);
    if (at_us > 0) {
        struct timer *free_one = timers;
        while (free_one->at_us != CLOCK_NEVER) {
            assert_true(++free_one < timers + TIMERS);
        }
        *free_one = (struct timer){ fd, at_us };
    }
    int result = __real_timerfd_settime(fd, 0, &never, old);
    still_clock_pass(0); /* it may be due already */
    return result;
}

int __wrap_close(int fd)
{
    timer_forget(fd);
    return __real_close(fd);
}

/* ---- waiting ---- */

static uint64_t until_next_timer_us(void)
{
    uint64_t next_us = CLOCK_NEVER;
    for (size_t i = 0; i < TIMERS; i++) {
        next_us = timers[i].at_us < next_us ? timers[i].at_us : next_us;
    }
    return next_us == CLOCK_NEVER ? CLOCK_NEVER : next_us - clock_now_us();
}

int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    uint64_t left_us = timeout_ms < 0 ? CLOCK_NEVER : (uint64_t)timeout_ms * 1000;
    int ready = __real_poll(fds, count, 0);
    while (ready == 0 && left_us > 0) {
        uint64_t next_us = until_next_timer_us();
        uint64_t wait_us = next_us < left_us ? next_us : left_us;
        ready =
            __real_poll(fds, count, wait_us == CLOCK_NEVER ? -1 : (int)((wait_us + 999) / 1000));
        if (ready == 0) {
            left_us -= left_us == CLOCK_NEVER ? 0 : wait_us;
            still_clock_pass(wait_us);
            ready = __real_poll(fds, count, 0);
        }
    }
    return ready;
}
