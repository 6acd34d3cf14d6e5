/* SPDX-License-Identifier: Apache-2.0 */
#include "place.h"

#include "fail.h"
#include "mount.h"
#include "owner.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    /* a save needs the journal (a few pages) and growth of the file by one token */
    RESERVE_BYTES = 64 << 10,
};

static aq_status fail_directory(aq_status status, const char *path, struct aq_error *err)
{
    bool ends_in_slash = path[strlen(path) - 1] == '/';
    return fail(err, status, "%s: is a directory, name the file (%s%sdata.sqlite3)", path, path,
                ends_in_slash ? "" : "/");
}

aq_status place_init(struct place *p, struct aq_str path, struct aq_error *err)
{
    *p = (struct place){ 0 };
    if (path.len == 0 || path.ptr[0] != '/' || path.len >= PATH_MAX - 64 ||
        memchr(path.ptr, '\0', path.len)) {
        return fail(err, AQ_E_INVALID, "setting 'path': not an absolute path, give one");
    }
    p->path = strndup(path.ptr, path.len);
    if (!p->path) {
        return fail(err, AQ_E_NOMEM, "store sqlite: out of memory");
    }
    p->name = strrchr(p->path, '/') + 1;
    if (!*p->name || strcmp(p->name, ".") == 0 || strcmp(p->name, "..") == 0) {
        aq_status status = fail_directory(AQ_E_INVALID, p->path, err);
        place_done(p);
        return status;
    }
    size_t dir_len = (size_t)(p->name - p->path) - 1;
    p->dir = dir_len ? strndup(p->path, dir_len) : strdup("/");
    if (!p->dir) {
        place_done(p);
        return fail(err, AQ_E_NOMEM, "store sqlite: out of memory");
    }
    return AQ_OK;
}

void place_done(struct place *p)
{
    free(p->path);
    free(p->dir);
    *p = (struct place){ 0 };
}

/* Whether the group of a file is nobody but its user, ourselves or, for root in a container, the
 * owner: each user has a group of the same number on many systems. */
static bool group_is_private(const struct stat *st)
{
    return st->st_gid == getegid() || (geteuid() == 0 && st->st_gid == st->st_uid);
}

static aq_status check_dir(const struct place *p, struct aq_error *err)
{
    struct stat st;
    if (stat(p->dir, &st) != 0) {
        return fail_errno(err, errno, p->dir, "the directory cannot be inspected");
    }
    if (!S_ISDIR(st.st_mode)) {
        return fail(err, AQ_E_DENIED, "%s: not a directory, use another path", p->dir);
    }
    uid_t me = geteuid();
    if (me != 0 && st.st_uid != me && st.st_uid != 0) {
        return fail(err, AQ_E_DENIED,
                    "%s: the directory belongs to uid %u and this is uid %u, use one of your own",
                    p->dir, (unsigned)st.st_uid, (unsigned)me);
    }
    /* A sticky bit does not help: who can create files here can put a journal beside the database,
     * which SQLite would play back into it. */
    if (st.st_mode & S_IWOTH) {
        return fail(
            err, AQ_E_DENIED,
            "%s: everybody can write the directory, use one of your own or run chmod o-w on it",
            p->dir);
    }
    if ((st.st_mode & S_IWGRP) && !group_is_private(&st)) {
        return fail(
            err, AQ_E_DENIED,
            "%s: group %u can write the directory, use one of your own or run chmod g-w on it",
            p->dir, (unsigned)st.st_gid);
    }
    return AQ_OK;
}

aq_status place_check_file(const struct place *p, const struct stat *st, struct aq_error *err)
{
    if (S_ISLNK(st->st_mode)) {
        return fail(err, AQ_E_DENIED, "%s: a symbolic link, give the path it points to", p->path);
    }
    if (S_ISDIR(st->st_mode)) {
        return fail_directory(AQ_E_DENIED, p->path, err);
    }
    if (!S_ISREG(st->st_mode)) {
        return fail(err, AQ_E_DENIED, "%s: not a regular file, use another path", p->path);
    }
    uid_t me = geteuid();
    if (me != 0 && st->st_uid != me) { /* root in a container may meet any owner */
        return fail(err, AQ_E_DENIED,
                    "%s: belongs to uid %u and this is uid %u, run as its owner or use another one",
                    p->path, (unsigned)st->st_uid, (unsigned)me);
    }
    if (st->st_nlink > 1) {
        return fail(err, AQ_E_DENIED, "%s: has %lu names (hard links), remove all but one", p->path,
                    (unsigned long)st->st_nlink);
    }
    if ((st->st_mode & S_IWOTH) || ((st->st_mode & S_IWGRP) && !group_is_private(st))) {
        return fail(err, AQ_E_DENIED, "%s: other users can write it, run chmod 600 on it", p->path);
    }
    return AQ_OK;
}

aq_status place_inspect(const struct place *p, struct stat *ret, struct aq_error *err)
{
    aq_status status = check_dir(p, err);
    return status == AQ_OK ? place_inspect_file(p, ret, err) : status;
}

aq_status place_inspect_file(const struct place *p, struct stat *ret, struct aq_error *err)
{
    struct stat st;
    if (lstat(p->path, &st) != 0) {
        return fail_errno(err, errno, p->path, "cannot be inspected");
    }
    aq_status status = place_check_file(p, &st, err);
    if (status == AQ_OK) {
        *ret = st;
    }
    return status;
}

bool place_is_readable_by_others(const struct stat *st)
{
    return (st->st_mode & S_IROTH) || ((st->st_mode & S_IRGRP) && !group_is_private(st));
}

bool place_is(const struct place *p, dev_t dev, ino_t ino)
{
    struct stat st;
    return lstat(p->path, &st) == 0 && st.st_dev == dev && st.st_ino == ino && st.st_nlink == 1;
}

/* The mount that a path is reached through; -1 when that is not known, or nothing is there. */
static int mount_of(const char *path, int *ret)
{
    *ret = -1;
    int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC); /* O_PATH leaves locks alone */
    if (fd < 0) {
        return errno == ENOENT ? 0 : errno;
    }
    int sys = mount_id(fd, ret);
    close(fd);
    return sys;
}

/* The same for the directory, which may be a symbolic link. */
static int mount_of_dir(const struct place *p, int *ret)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/.", p->dir);
    return mount_of(path, ret);
}

/* The mounts that file and directory are reached through, or -1. */
struct mounts {
    int file, dir;
};

static aq_status find_mounts(const struct place *p, struct mounts *ret, struct aq_error *err)
{
    int sys = mount_of(p->path, &ret->file);
    if (sys == 0) {
        sys = mount_of_dir(p, &ret->dir);
    }
    return sys == 0 ? AQ_OK : fail_errno(err, sys, p->path, "it cannot be seen how it is mounted");
}

static bool is_alone(const struct mounts *m)
{
    return m->file >= 0 && m->file != m->dir;
}

aq_status place_is_mount_point(const struct place *p, bool *ret, struct aq_error *err)
{
    struct mounts found = { -1, -1 };
    aq_status status = find_mounts(p, &found, err);
    if (status == AQ_OK) {
        *ret = is_alone(&found);
    }
    return status;
}

aq_status place_check_mount(const struct place *p, bool *ret_alone, struct aq_error *err)
{
    char type[64] = "";
    struct mounts found = { -1, -1 };

    aq_status status = find_mounts(p, &found, err);
    if (status != AQ_OK) {
        return status;
    }
    if (found.dir < 0) {
        return fail(err, AQ_E_READONLY, "%s: it cannot be seen how it is mounted, mount /proc",
                    p->path);
    }
    *ret_alone = is_alone(&found);
    int sys = found.file >= 0 ? mount_type(found.file, p->path, type, sizeof(type)) : 0;
    if (sys != 0) {
        return fail_errno(err, sys, p->path, "it cannot be seen how it is mounted");
    }
    if (mount_type_is_remote(type)) {
        return fail(err, AQ_E_READONLY,
                    "%s: on a %s file system, where locks do not reach everybody, keep the "
                    "database on a local disk",
                    p->path, type);
    }
    return AQ_OK;
}

static void sync_dir(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        fsync(fd); /* not every file system can; the data itself is synced by SQLite */
        close(fd);
    }
}

/* Cut the last component off, and return it; the root keeps its slash. */
static const char *cut_last(char *path, const char *copy)
{
    char *slash = strrchr(path, '/');
    const char *last = copy + (slash - path) + 1;
    slash[slash == path ? 1 : 0] = '\0';
    return last;
}

/* Make a directory if it is missing; it is there after a power cut, too. */
static int make_dir(const char *path)
{
    char parent[PATH_MAX];
    snprintf(parent, sizeof(parent), "%s", path);
    const char *name = cut_last(parent, path);
    int fd = open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return errno;
    }
    int sys = owner_make_dir(fd, name);
    close(fd);
    if (sys == 0) {
        sync_dir(parent);
    }
    return sys == EEXIST ? 0 : sys;
}

/* Like mkdir -p, each new one for its owner alone. */
static int make_dirs(const struct place *p)
{
    char path[PATH_MAX];
    int sys = 0;
    snprintf(path, sizeof(path), "%s/", p->dir);
    for (char *end = strchr(path + 1, '/'); end && sys == 0; end = strchr(end + 1, '/')) {
        *end = '\0';
        sys = make_dir(path);
        *end = '/';
    }
    return sys;
}

aq_status place_create(const struct place *p, int *ret_fd, struct aq_error *err)
{
    struct stat st;
    int sys = stat(p->dir, &st) == 0 ? 0 : make_dirs(p);
    if (sys != 0) {
        return fail_errno(err, sys, p->dir, "the directory cannot be made");
    }
    aq_status status = check_dir(p, err);
    if (status != AQ_OK) {
        return status;
    }
    int fd = -1;
    if (stat(p->dir, &st) == 0) {
        fd = owner_open(p->path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600, &st);
    }
    if (fd < 0 && errno != EEXIST) {
        return fail_errno(err, errno, p->path, "cannot be made");
    }
    if (fd >= 0) {
        owner_give(fd, &st); /* where that is not permitted, it stays root's */
    }
    sync_dir(p->dir);
    *ret_fd = fd;
    return AQ_OK;
}

/* The directory, or the one of those above it where the missing ones would be made. */
static int find_existing_dir(const struct place *p, char dir[PATH_MAX])
{
    snprintf(dir, PATH_MAX, "%s", p->dir);
    for (;;) {
        if (faccessat(AT_FDCWD, dir, W_OK | X_OK, AT_EACCESS) == 0) {
            return 0;
        }
        if (errno != ENOENT) {
            return errno;
        }
        cut_last(dir, dir);
    }
}

aq_status place_can_create(const struct place *p, struct aq_error *err)
{
    char dir[PATH_MAX];
    int sys = find_existing_dir(p, dir);
    return sys == 0 ? AQ_OK : fail_errno(err, sys, dir, "no database can be made here");
}

/* Like owner_open, unless SQLite does without. */
static int open_as_sqlite(const char *path, int flags, const struct stat *like)
{
#ifdef AQ_SQLITE_SYSTEM
    (void)like;
    return open(path, flags, 0600);
#else
    return owner_open(path, flags, 0600, like);
#endif
}

/* A file without a name; or one that loses its name at once. */
static int open_unnamed(const struct place *p, const char *dir, const struct stat *like)
{
    char path[PATH_MAX + 128];
    snprintf(path, sizeof(path), "%s/.", dir);
    int fd = open_as_sqlite(path, O_TMPFILE | O_WRONLY | O_CLOEXEC, like);
    if (fd < 0) { /* not every file system can */
        snprintf(path, sizeof(path), "%s/.%.64s-reserve-%ld", dir, p->name, (long)getpid());
        unlink(path); /* of one that was killed here */
        fd = open_as_sqlite(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, like);
        if (fd >= 0) {
            unlink(path);
        }
    }
    return fd;
}

/* Whose the files of a save will be, and the directory they go into. */
static int find_owner(const struct place *p, char dir[PATH_MAX], struct stat *ret)
{
    int sys = find_existing_dir(p, dir);
    if (sys == 0 && stat(p->path, ret) != 0 && stat(dir, ret) != 0) {
        sys = errno;
    }
    return sys;
}

static aq_status fail_unmade(const struct place *p, int sys, struct aq_error *err)
{
    aq_status status = fail_errno(err, sys, p->dir, "no file can be made here");
    /* the database itself can be read */
    return status == AQ_E_DENIED
               ? fail(err, AQ_E_READONLY,
                      "%s: no file can be made here, make the directory writable", p->dir)
               : status;
}

aq_status place_reserve(const struct place *p, int *ret_fd, struct aq_error *err)
{
    char dir[PATH_MAX];
    struct stat owner;
    int sys = find_owner(p, dir, &owner);
    if (sys != 0) {
        return fail_unmade(p, sys, err);
    }
    int fd = open_unnamed(p, dir, &owner);
    if (fd < 0) {
        return fail_unmade(p, errno, err);
    }
    if (!owner_give(fd, &owner)) {
        close(fd);
        return fail(err, AQ_E_READONLY,
                    "%s: files made here cannot be given to uid %u, who could not use the database "
                    "then, run as this user",
                    dir, (unsigned)owner.st_uid);
    }
    sys = posix_fallocate(fd, 0, RESERVE_BYTES);
    if (sys != 0) {
        close(fd);
        return fail_errno(err, sys, p->dir, "no space for a save");
    }
    *ret_fd = fd;
    return AQ_OK;
}

static int tighten(int fd)
{
    struct stat st;
    if (fstat(fd, &st) != 0) {
        return errno;
    }
    return (st.st_mode & 07777) == 0600 || fchmod(fd, 0600) == 0 ? 0 : errno;
}

/* In WAL mode what is saved goes into a file of its own first, which was made with the mode that
 * the database had then. Nobody locks that one, so it may be opened and closed. */
static int tighten_wal(const struct place *p)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s-wal", p->path);
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0) {
        return errno == ENOENT ? 0 : errno;
    }
    int sys = tighten(fd);
    close(fd);
    return sys;
}

aq_status place_tighten(const struct place *p, int fd, struct aq_error *err)
{
    int sys = tighten(fd);
    if (sys == 0) {
        sys = tighten_wal(p);
    }
    return sys == 0 ? AQ_OK
                    : fail_errno(err, sys, p->path, "cannot be made private with chmod 600");
}
