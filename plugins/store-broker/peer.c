/* SPDX-License-Identifier: Apache-2.0 */
#include "peer.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

aq_status peer_check(int fd, const struct sockaddr_un *where, struct aq_error *err)
{
    char dir[sizeof(where->sun_path)];
    struct ucred who;
    socklen_t len = sizeof(who);
    struct stat info;

    memcpy(dir, where->sun_path, sizeof(dir));
    char *slash = strrchr(dir, '/');
    slash[slash == dir] = '\0'; /* the root directory keeps its slash */
    if (stat(dir, &info) < 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) < 0) {
        return fail(err, AQ_E_IO, "cannot tell who listens on %s", where->sun_path);
    }
    if (info.st_mode & (S_IWGRP | S_IWOTH)) {
        return fail(err, AQ_E_DENIED,
                    "others can write to %s, where its socket is; give it a directory of its own",
                    dir);
    }
    if (who.uid != info.st_uid && who.uid != geteuid() && who.uid != 0) {
        return fail(err, AQ_E_DENIED,
                    "user %u listens on %s and is neither you nor the owner of its directory",
                    (unsigned)who.uid, where->sun_path);
    }
    return AQ_OK;
}
