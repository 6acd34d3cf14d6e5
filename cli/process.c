/* SPDX-License-Identifier: Apache-2.0 */
#include "process.h"
#include "interrupt.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

/*
 * A descriptor that was closed gets /dev/null the wrong way round: using it is an error, as it
 * would have been, and a result is never lost in silence.
 */
static bool keep_open(int fd)
{
    if (fcntl(fd, F_GETFD) >= 0) {
        return true;
    }
    return open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) == fd;
}

bool process_prepare(void)
{
    const struct rlimit no_core = { 0, 0 };

    return keep_open(STDIN_FILENO) && keep_open(STDOUT_FILENO) && keep_open(STDERR_FILENO) &&
           setrlimit(RLIMIT_CORE, &no_core) == 0 &&
           prctl(PR_SET_DUMPABLE, Q_DUMPABLE, 0, 0, 0) == 0 && interrupt_init();
}
