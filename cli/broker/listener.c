/* SPDX-License-Identifier: Apache-2.0 */
#include "listener.h"
#include "fault.h"
#include "handed.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    LOCK_TRIES = 40, /* of 50 ms */
};

static aq_status fail(struct aq_error *err, const char *what, const char *path)
{
    int number = errno;
    fault_set(err, number == EACCES || number == EPERM ? AQ_E_DENIED : AQ_E_IO,
              "socket '%s': cannot be %s: %s, choose another place with --socket", path, what,
              strerror(number));
    err->sys = number;
    return err->status;
}

/* ---- its name ---- */

static aq_status set_path(struct listener *l, const char *path, struct aq_error *err)
{
    char at[PATH_MAX];
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    if (!path && (!runtime || runtime[0] != '/')) {
        return fault_set(err, AQ_E_INVALID,
                         "socket: XDG_RUNTIME_DIR is not set, say where with --socket");
    }
    int len = path ? snprintf(at, sizeof(at), "%s", path)
                   : snprintf(at, sizeof(at), "%s/amazonq-broker/broker.sock", runtime);
    if (at[0] != '/' || at[strlen(at) - 1] == '/') {
        return fault_set(err, AQ_E_INVALID, "socket '%.200s': must be an absolute path of a file",
                         at);
    }
    if (len < 0 || (size_t)len >= sizeof(l->where.sun_path)) {
        return fault_set(err, AQ_E_INVALID,
                         "socket '%.200s': the path is longer than %zu bytes, choose a shorter one",
                         at, sizeof(l->where.sun_path) - 1);
    }
    l->where.sun_family = AF_UNIX;
    memcpy(l->where.sun_path, at, (size_t)len + 1);
    return AQ_OK;
}

/* ---- its directory ---- */

static aq_status check_directory(int fd, const char *path, struct aq_error *err)
{
    struct stat info;
    if (fstat(fd, &info) < 0) {
        return fail(err, "made", path);
    }
    if (info.st_uid != geteuid()) {
        return fault_set(err, AQ_E_DENIED,
                         "socket '%s': its directory belongs to user %u, remove it (Docker makes "
                         "one for root if no broker has before) or choose another with --socket",
                         path, (unsigned)info.st_uid);
    }
    if (info.st_mode & (S_IWGRP | S_IWOTH)) {
        return fault_set(err, AQ_E_DENIED,
                         "socket '%s': others can write to its directory, chmod go-w it or choose "
                         "another with --socket",
                         path);
    }
    return AQ_OK;
}

static void name_directory(const struct listener *l, char ret[sizeof(l->where.sun_path)])
{
    memcpy(ret, l->where.sun_path, sizeof(l->where.sun_path));
    char *slash = strrchr(ret, '/');
    slash[slash == ret] = '\0'; /* the root directory keeps its slash */
}

/* Nobody else can change what is in it from here on. Its descriptor, or -1. */
static int open_directory(const struct listener *l, struct aq_error *err)
{
    char dir[sizeof(l->where.sun_path)];
    name_directory(l, dir);
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        (void)fail(err, "made", l->where.sun_path);
    } else if (check_directory(fd, l->where.sun_path, err) != AQ_OK) {
        (void)close(fd);
        fd = -1;
    }
    return fd;
}

/* ours  it is the usual one, which nobody but a broker uses */
static int make_directory(const struct listener *l, bool ours, bool open_to_others,
                          struct aq_error *err)
{
    char dir[sizeof(l->where.sun_path)];
    name_directory(l, dir);
    bool made = mkdir(dir, 0700) == 0;
    int fd = open_directory(l, err);
    if (fd >= 0 && (made || ours) && fchmod(fd, open_to_others ? 0711 : 0700) < 0) {
        (void)fail(err, "made", l->where.sun_path);
        (void)close(fd);
        fd = -1;
    }
    return fd;
}

/* ---- its lock ---- */

/*
 * Beside the directory, because whoever has that mounted, be it read-only, can lock what is in it.
 * Where nothing can be made there it is the directory itself. A descriptor, or -1.
 */
static int open_lock(const struct listener *l, int dir_fd, char ret[PATH_MAX])
{
    char dir[sizeof(l->where.sun_path)];
    struct stat info;
    name_directory(l, dir);
    (void)snprintf(ret, PATH_MAX, "%s.lock", dir);
    int fd = open(ret, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (fd >= 0 && fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_uid == geteuid()) {
        return fd;
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    (void)snprintf(ret, PATH_MAX, "%s", dir);
    return fcntl(dir_fd, F_DUPFD_CLOEXEC, 0);
}

/* Two brokers that start, or one that starts and one that ends, take turns. *ret_fd holds the lock
 * until it is closed. */
static aq_status lock(const struct listener *l, int dir_fd, int *ret_fd, struct aq_error *err)
{
    char path[PATH_MAX];
    aq_status st = AQ_E_BUSY;
    int fd = open_lock(l, dir_fd, path);
    *ret_fd = fd;
    for (int i = 0; i < LOCK_TRIES; i++) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
            return AQ_OK;
        }
        if (errno != EWOULDBLOCK && errno != EINTR) {
            st = fail(err, "made", l->where.sun_path);
            break;
        }
        (void)poll(NULL, 0, 50);
        (void)fault_set(err, AQ_E_BUSY,
                        "socket '%s': another process has %s locked, end it ('fuser -v' names it) "
                        "or choose another place with --socket",
                        l->where.sun_path, path);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return st;
}

/* ---- its predecessor ---- */

static aq_status probe(const struct listener *l, struct aq_error *err)
{
    const char *path = l->where.sun_path;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return fail(err, "made", path);
    }
    int number = connect(fd, (const struct sockaddr *)&l->where, sizeof(l->where)) < 0 ? errno : 0;
    (void)close(fd);
    if (number == 0 || number == EAGAIN) { /* EAGAIN: it has more to do than it can */
        return fault_set(err, AQ_E_BUSY,
                         "socket '%s': a broker is listening there already, use it or end it",
                         path);
    }
    errno = number;
    return number == ECONNREFUSED && unlink(path) == 0 ? AQ_OK : fail(err, "replaced", path);
}

/* A socket that nobody listens on is removed; everything else is in the way. */
static aq_status clear_place(const struct listener *l, struct aq_error *err)
{
    const char *path = l->where.sun_path;
    struct stat info;
    if (lstat(path, &info) < 0) {
        return errno == ENOENT ? AQ_OK : fail(err, "made", path);
    }
    if (!S_ISSOCK(info.st_mode)) {
        return fault_set(err, AQ_E_INVALID,
                         "socket '%s': something else is there, remove it or choose another place",
                         path);
    }
    return probe(l, err);
}

/* ---- itself ---- */

/* A socket in a file system is made with the mode of the one that is bound, less the umask. */
static aq_status make(struct listener *l, bool open_to_others, struct aq_error *err)
{
    const mode_t mode = open_to_others ? 0666 : 0600;
    struct stat info;
    l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (l->fd < 0 || fchmod(l->fd, mode) < 0 ||
        bind(l->fd, (const struct sockaddr *)&l->where, sizeof(l->where)) < 0) {
        return fail(err, "made", l->where.sun_path);
    }
    bool made = lstat(l->where.sun_path, &info) == 0;
    l->dev = info.st_dev;
    l->ino = info.st_ino;
    return made && chmod(l->where.sun_path, mode) == 0 && listen(l->fd, SOMAXCONN) == 0
               ? AQ_OK
               : fail(err, "made", l->where.sun_path);
}

static aq_status make_alone(struct listener *l, int dir_fd, bool open_to_others,
                            struct aq_error *err)
{
    int lock_fd;
    aq_status st = lock(l, dir_fd, &lock_fd, err);
    if (st != AQ_OK) {
        return st;
    }
    st = clear_place(l, err);
    if (st == AQ_OK) {
        st = make(l, open_to_others, err);
    }
    (void)close(lock_fd);
    return st;
}

aq_status listener_open(struct listener *l, const char *path, bool open_to_others,
                        struct aq_error *err)
{
    *l = (struct listener)LISTENER_INIT;
    aq_status st = handed_socket(&l->fd, err);
    if (st != AQ_OK || l->fd >= 0) {
        l->handed_in = l->fd >= 0;
        return st == AQ_OK && path
                   ? fault_set(err, AQ_E_INVALID,
                               "option '--socket': the service manager has handed a socket in, "
                               "leave the option out")
                   : st;
    }
    st = set_path(l, path, err);
    if (st != AQ_OK) {
        return st;
    }
    int dir_fd = make_directory(l, !path, open_to_others, err);
    if (dir_fd < 0) {
        return err->status;
    }
    st = make_alone(l, dir_fd, open_to_others, err);
    (void)close(dir_fd);
    return st;
}

static void remove_socket(const struct listener *l)
{
    struct aq_error ignored;
    struct stat info;
    int lock_fd;
    int dir_fd = open_directory(l, &ignored);
    if (dir_fd >= 0 && lock(l, dir_fd, &lock_fd, &ignored) == AQ_OK) {
        if (lstat(l->where.sun_path, &info) == 0 && info.st_dev == l->dev &&
            info.st_ino == l->ino) {
            (void)unlink(l->where.sun_path);
        }
        (void)close(lock_fd);
    }
    if (dir_fd >= 0) {
        (void)close(dir_fd);
    }
}

void listener_done(struct listener *l)
{
    if (l->fd >= 0 && l->ino != 0) {
        remove_socket(l);
    }
    if (l->fd >= 0) {
        (void)close(l->fd);
    }
    l->fd = -1;
}
