/* SPDX-License-Identifier: Apache-2.0 */
#include "interrupt.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* What a signal handler can reach is global by nature. */
static volatile sig_atomic_t caught;
static int wake_fd = -1;

/* A signal just before poll() would be slept over without the descriptor. */
static void on_signal(int number)
{
    int saved = errno;
    uint64_t one = 1;
    if (!caught) {
        caught = number;
    }
    if (write(wake_fd, &one, sizeof(one)) < 0) {
        /* full: then it is readable already */
    }
    errno = saved;
}

static bool watch(int number)
{
    struct sigaction action = { .sa_handler = on_signal }; /* no SA_RESTART: calls are woken */
    struct sigaction before;
    if (sigaction(number, &action, &before) < 0) {
        return false;
    }
    return before.sa_handler != SIG_IGN || /* as nohup and background jobs want it */
           sigaction(number, &before, NULL) == 0;
}

bool interrupt_init(void)
{
    struct sigaction ignore = { .sa_handler = SIG_IGN };
    wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return wake_fd >= 0 && sigaction(SIGPIPE, &ignore, NULL) == 0 && watch(SIGINT) &&
           watch(SIGTERM) && watch(SIGHUP);
}

int interrupt_signal(void)
{
    return caught;
}

int interrupt_fd(void)
{
    return wake_fd;
}

bool interrupt_wait_ms(int fd, short events, int ms)
{
    struct pollfd fds[] = {
        { .fd = fd, .events = events },
        { .fd = wake_fd, .events = POLLIN }, /* stays readable: who is interrupted, stops */
    };
    int ready = poll(fds, 2, ms);
    if (ready == 0) {
        errno = ETIMEDOUT;
    }
    return ready > 0 || (ready < 0 && errno == EINTR);
}

bool interrupt_wait(int fd, short events)
{
    return interrupt_wait_ms(fd, events, -1);
}
