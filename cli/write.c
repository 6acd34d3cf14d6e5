/* SPDX-License-Identifier: Apache-2.0 */
#include "write.h"
#include "interrupt.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

/* A pipe that polls writable takes this much without blocking: POSIX's PIPE_BUF on Linux. */
enum { PIECE = 4096 };

int write_all(int fd, struct aq_str s)
{
    while (s.len > 0) {
        if (!interrupt_wait(fd, POLLOUT)) {
            return errno;
        }
        if (interrupt_signal() && fd != STDERR_FILENO) {
            return EINTR;
        }
        ssize_t n = write(fd, s.ptr, s.len < PIECE ? s.len : PIECE);
        if (n >= 0) {
            s.ptr += n;
            s.len -= (size_t)n;
        } else if ((errno != EINTR && errno != EAGAIN) || interrupt_signal()) {
            return errno;
        }
    }
    return 0;
}
