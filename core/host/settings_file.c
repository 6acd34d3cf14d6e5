/* SPDX-License-Identifier: Apache-2.0 */
#include "host/settings_file.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/str.h"
#include "host/paths.h"
#include "host/settings_edit.h"
#include "host/trust.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    LOCK_WAIT_US = 5 * 1000 * 1000, /* for other programs */
    LOCK_POLL_NS = 20 * 1000 * 1000,
};

/* ---- reading ---- */

aq_status settings_file_path(struct buf *out, struct aq_error *err)
{
    aq_status st = paths_data(AQ_STR("amazon-q"), out, err);
    if (st == AQ_OK) {
        buf_add(out, AQ_STR("/settings.json"));
        st = buf_status(out) == AQ_OK ? AQ_OK : error_nomem(err, "settings.json");
    }
    return st;
}

/* Whose the file is, or the directory that hides it: in a container, the host's user. */
static bool settings_file_is_of_another(const char *path, uid_t *ret)
{
    char dir[PATH_MAX];
    struct stat info;
    snprintf(dir, sizeof(dir), "%.*s", (int)(strrchr(path, '/') - path), path);
    if (stat(path, &info) != 0 && stat(dir, &info) != 0) {
        return false;
    }
    *ret = info.st_uid;
    return info.st_uid != geteuid();
}

static aq_status settings_file_unreadable(const char *path, struct aq_error *err)
{
    const int sys = errno;
    uid_t owner;
    if (sys == EACCES && settings_file_is_of_another(path, &owner)) {
        return error_sys(err, AQ_E_INVALID, sys,
                         "%s: belongs to uid %u and this is uid %u, run as its owner", path,
                         (unsigned)owner, (unsigned)geteuid());
    }
    return error_sys(err, AQ_E_INVALID, sys, "%s: cannot be read, make it readable or move it away",
                     path);
}

static aq_status settings_file_wrong_kind(const char *path, struct aq_error *err)
{
    return error_set(err, AQ_E_INVALID, "%s: must be a regular file of at most %d bytes", path,
                     SETTINGS_FILE_MAX);
}

static aq_status settings_file_check(const char *path, int fd, struct aq_error *err)
{
    struct stat info;
    if (fstat(fd, &info) != 0) {
        return settings_file_unreadable(path, err);
    }
    if (!S_ISREG(info.st_mode)) {
        return settings_file_wrong_kind(path, err);
    }
    if (info.st_uid != geteuid() && info.st_uid != 0 && geteuid() != 0) {
        return error_set(err, AQ_E_INVALID, "%s: belongs to user %u, it must belong to you", path,
                         (unsigned)info.st_uid);
    }
    if (trust_others_can_write(&info)) {
        return error_set(err, AQ_E_INVALID, "%s: can be written by others, run: chmod go-w %s",
                         path, path);
    }
    return AQ_OK;
}

static aq_status settings_file_read_fd(const char *path, int fd, struct buf *out,
                                       struct aq_error *err)
{
    aq_status st = settings_file_check(path, fd, err);
    if (st != AQ_OK) {
        return st;
    }
    st = file_read(fd, out);
    switch (st) {
    case AQ_E_LIMIT:
        return settings_file_wrong_kind(path, err);
    case AQ_E_NOMEM:
        return error_nomem(err, path);
    case AQ_E_IO:
        return settings_file_unreadable(path, err);
    default:
        return st;
    }
}

aq_status settings_file_read(const char *path, struct buf *out, struct aq_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        /* it may hold an opt-out, so "cannot be read" must not count as "not there" */
        return errno == ENOENT || errno == ENOTDIR ? AQ_OK : settings_file_unreadable(path, err);
    }
    aq_status st = settings_file_read_fd(path, fd, out, err);
    close(fd);
    return st;
}

/* ---- changing ---- */

/* The file that is replaced: directory and name, without symbolic links. */
struct place {
    char path[PATH_MAX];
    char dir[PATH_MAX];
    const char *name;
    bool exists;
    int dir_fd;
    int fd; /* of the file, locked; -1 if there is none */
};

static void place_done(struct place *p)
{
    if (p->fd >= 0) {
        close(p->fd); /* and unlock */
    }
    if (p->dir_fd >= 0) {
        close(p->dir_fd);
    }
}

static aq_status place_fail(const char *path, const char *what, struct aq_error *err)
{
    return error_sys(err, AQ_E_IO, errno, "%s: cannot be %s, check permissions and disk", path,
                     what);
}

static aq_status place_find(struct place *p, const char *path, struct aq_error *err)
{
    struct stat info;
    p->exists = realpath(path, p->path) != NULL;
    if (!p->exists) {
        if (errno != ENOENT) {
            return place_fail(path, "found", err);
        }
        if (lstat(path, &info) == 0) {
            return error_set(err, AQ_E_INVALID,
                             "%s: is a link to a file that does not exist, make that file or "
                             "remove the link",
                             path);
        }
        snprintf(p->path, sizeof(p->path), "%s", path);
    }
    snprintf(p->dir, sizeof(p->dir), "%s", p->path);
    char *slash = strrchr(p->dir, '/');
    *slash = '\0';
    p->name = p->path + (slash - p->dir) + 1;
    return AQ_OK;
}

static aq_status place_lock_fd(int fd, const char *path, struct aq_error *err)
{
    const struct timespec pause = { 0, LOCK_POLL_NS };
    const uint64_t until_us = clock_now_us() + LOCK_WAIT_US;
    while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR) {
            return place_fail(path, "locked", err);
        }
        if (clock_now_us() >= until_us) {
            return error_set(err, AQ_E_BUSY, "%s: locked by another program, try again", path);
        }
        nanosleep(&pause, NULL);
    }
    return AQ_OK;
}

/* The lock of the directory is between us, who replace the file; that of the file is between us and
 * the existing CLI, which writes into it. */
static aq_status place_lock(struct place *p, struct aq_error *err)
{
    if (!paths_make_private(p->dir)) {
        return place_fail(p->dir, "made", err);
    }
    p->dir_fd = open(p->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (p->dir_fd < 0) {
        return place_fail(p->dir, "opened", err);
    }
    aq_status st = place_lock_fd(p->dir_fd, p->dir, err);
    if (st != AQ_OK) {
        return st;
    }
    p->fd = openat(p->dir_fd, p->name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
    if (p->fd < 0) {
        return errno == ENOENT ? AQ_OK : settings_file_unreadable(p->path, err);
    }
    return place_lock_fd(p->fd, p->path, err);
}

static bool write_all(int fd, struct aq_str text)
{
    while (text.len) {
        ssize_t done = write(fd, text.ptr, text.len);
        if (done < 0 && errno != EINTR) {
            return false;
        }
        text = str_from_offset(text, done > 0 ? (size_t)done : 0);
    }
    return fsync(fd) == 0;
}

/* Whoever could use the old file can use the new one. */
static bool take_over(int fd, int old)
{
    struct stat was;
    struct stat is;
    if (old < 0) {
        return true;
    }
    if (fstat(old, &was) != 0 || fstat(fd, &is) != 0) {
        return false;
    }
    bool same_owner = was.st_uid == is.st_uid && was.st_gid == is.st_gid;
    return (same_owner || fchown(fd, was.st_uid, was.st_gid) == 0) &&
           fchmod(fd, was.st_mode & 0777) == 0;
}

/* Written beside and renamed. The name beside is free: we hold the lock of the directory. */
static aq_status place_write(struct place *p, struct aq_str text, struct aq_error *err)
{
    static const char beside[] = "settings.json.new";
    unlinkat(p->dir_fd, beside, 0); /* of a process that was killed */
    int fd = openat(p->dir_fd, beside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        return place_fail(p->path, "written", err);
    }
    bool done = take_over(fd, p->fd) && write_all(fd, text) &&
                renameat(p->dir_fd, beside, p->dir_fd, p->name) == 0;
    int sys = errno;
    close(fd);
    if (!done) {
        unlinkat(p->dir_fd, beside, 0);
        errno = sys;
        return sys == EBUSY
                   ? error_set(err, AQ_E_IO,
                               "%s: mounted as a single file, which cannot be replaced, change it "
                               "where it comes from, or mount its directory instead",
                               p->path)
                   : place_fail(p->path, "written", err);
    }
    return fsync(p->dir_fd) == 0 ? AQ_OK : place_fail(p->path, "written durably", err);
}

aq_status settings_file_change(struct aq_str key, struct aq_str value, struct aq_error *err)
{
    AUTO(buf) struct buf path = BUF(PATH_MAX - 1);
    AUTO(buf) struct buf before = BUF(SETTINGS_FILE_MAX);
    AUTO(buf) struct buf after = BUF(SETTINGS_FILE_MAX);
    AUTO(place) struct place place = { .dir_fd = -1, .fd = -1 };
    aq_status st = settings_file_path(&path, err);
    if (st == AQ_OK) {
        st = place_find(&place, (const char *)path.ptr, err);
    }
    if (st == AQ_OK && !place.exists && !value.ptr) {
        return AQ_OK; /* nothing is made to remove what is not there */
    }
    if (st == AQ_OK) {
        st = place_lock(&place, err);
    }
    if (st == AQ_OK && place.fd >= 0) {
        st = settings_file_read_fd(place.path, place.fd, &before, err);
    }
    if (st == AQ_OK) {
        st = settings_edit(place.path, buf_str(&before), key, value, &after, err);
    }
    return st != AQ_OK || str_eq(buf_str(&before), buf_str(&after))
               ? st
               : place_write(&place, buf_str(&after), err);
}
