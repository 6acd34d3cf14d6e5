/* SPDX-License-Identifier: Apache-2.0 */
#include "owner.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <unistd.h>

static bool is_mine(const struct stat *like)
{
    return geteuid() != 0 || (like->st_uid == 0 && like->st_gid == getegid());
}

static void become(uid_t uid, gid_t gid)
{
    setfsgid(gid);
    setfsuid(uid);
}

/* The way to the directory is looked up as root: it may be one that only root can go. */
static int open_dir_of(const char *path)
{
    char dir[PATH_MAX];
    snprintf(dir, sizeof(dir), "%.*s", (int)(strrchr(path, '/') - path) + 1, path);
    return open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static int open_as_owner(const char *path, int flags, mode_t mode, const struct stat *like)
{
    int dir = open_dir_of(path);
    if (dir < 0) {
        return -1;
    }
    become(like->st_uid, like->st_gid);
    int fd = openat(dir, strrchr(path, '/') + 1, flags, mode);
    int sys = errno;
    become(geteuid(), getegid());
    close(dir);
    errno = sys;
    return fd;
}

int owner_open(const char *path, int flags, mode_t mode, const struct stat *like)
{
    if (is_mine(like)) {
        return open(path, flags, mode);
    }
    int fd = open_as_owner(path, flags, mode, like);
    return fd < 0 && errno == EACCES ? open(path, flags, mode) : fd;
}

int owner_make_dir(int parent, const char *name)
{
    struct stat st;
    if (fstat(parent, &st) != 0) {
        return errno;
    }
    bool mine = is_mine(&st);
    if (!mine) {
        become(st.st_uid, st.st_gid);
    }
    int sys = mkdirat(parent, name, 0700) == 0 ? 0 : errno;
    if (!mine) {
        become(geteuid(), getegid());
    }
    return sys;
}

bool owner_give(int fd, const struct stat *like)
{
    struct stat st;
    if (is_mine(like) || (fstat(fd, &st) == 0 && st.st_uid == like->st_uid)) {
        return true;
    }
    return fchown(fd, like->st_uid, like->st_gid) == 0;
}
