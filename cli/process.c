/* SPDX-License-Identifier: Apache-2.0 */
#include "process.h"
#include "interrupt.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

/*
 * A descriptor that was closed gets /dev/null the wrong way round: using it is an error, as it
 * would have been, and a result is never lost in silence.
 */
static bool keep_open(int fd)
{
    return open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) == fd;
}

static bool keep_standard_open(void)
{
    struct pollfd fds[] = { { .fd = STDIN_FILENO },
                            { .fd = STDOUT_FILENO },
                            { .fd = STDERR_FILENO } };
    if (poll(fds, 3, 0) < 0) {
        return false;
    }
    for (int fd = 0; fd < 3; fd++) { /* upwards: open takes the lowest that is free */
        if ((fds[fd].revents & POLLNVAL) && !keep_open(fd)) {
            return false;
        }
    }
    return true;
}

bool process_prepare(void)
{
    const struct rlimit no_core = { 0, 0 };

    return keep_standard_open() && setrlimit(RLIMIT_CORE, &no_core) == 0 &&
           prctl(PR_SET_DUMPABLE, Q_DUMPABLE, 0, 0, 0) == 0 && interrupt_init();
}
