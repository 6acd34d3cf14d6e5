/* SPDX-License-Identifier: Apache-2.0 */
/* The lock under which a login is refreshed. */
#include "wrong.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

static int locked_here; /* a lock that other processes know nothing of */

aq_status wrong_lock(void *self, struct aq_error *err)
{
    struct store *s = self;
    if (does(s, "lock-forgotten")) {
        return AQ_OK;
    }
    if (does(s, "lock-of-the-process")) {
        if (locked_here) {
            return AQ_AGAIN;
        }
        locked_here = 1;
        s->lock_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        return AQ_OK;
    }
    int fd = file_open_beside(s, "held", does(s, "lock-outlives") ? O_EXCL : 0);
    if (fd < 0) {
        return errno == EEXIST ? AQ_AGAIN : fail(err, AQ_E_IO, "no lock can be made beside it");
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        close(fd);
        return AQ_AGAIN;
    }
    s->lock_fd = fd;
    return AQ_OK;
}

void wrong_unlock(void *self)
{
    struct store *s = self;
    char path[700];
    snprintf(path, sizeof(path), "%s.held", s->path.ptr);
    if (s->lock_fd >= 0) {
        locked_here = 0;
        if (does(s, "lock-outlives")) {
            unlink(path);
        }
        close(s->lock_fd);
        s->lock_fd = -1;
    } else if (does(s, "unlock-others")) {
        unlink(path); /* whoever comes next locks another file */
    }
}
