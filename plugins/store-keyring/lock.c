/* SPDX-License-Identifier: Apache-2.0 */
#include "lock.h"

#include "fail.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* From the D-Bus specification, "org.freedesktop.DBus.RequestName". */
enum { NAME_DO_NOT_QUEUE = 4, NAME_IS_OURS = 1, NAME_EXISTS = 3, NAME_WAS_OURS = 4 };

void lock_init(struct lock *l, const char *purpose, const char *login, struct aq_str runtime_dir)
{
    l->fd = -1;
    l->name = g_strdup_printf("org.libamazonq.Keyring1.%s.%s", purpose, login);
    if (runtime_dir.len) {
        l->dir = g_build_filename(runtime_dir.ptr, "amazonq", NULL);
        l->path = g_strdup_printf("%s/%s.lock", l->dir, l->name);
    }
}

void lock_done(struct lock *l)
{
    if (l->fd >= 0) {
        close(l->fd);
    }
    g_free(l->name);
    g_free(l->dir);
    g_free(l->path);
}

/* ---- the file ---- */

/* There is no place for a file, so that nobody else has one either. */
static bool lock_has_no_place(int sys)
{
    return sys == ENOENT || sys == ENOTDIR || sys == EACCES || sys == EPERM || sys == EROFS;
}

/* Nobody but us could have put a file there. */
static bool lock_is_private(const char *dir)
{
    struct stat info;
    return lstat(dir, &info) == 0 && S_ISDIR(info.st_mode) && info.st_uid == geteuid() &&
           (info.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

/* AQ_OK also where there is no place for a file: then l->fd stays -1. */
static aq_status lock_file(struct lock *l, struct aq_error *err)
{
    if (!l->path) {
        return AQ_OK;
    }
    if ((mkdir(l->dir, 0700) != 0 && errno != EEXIST) || !lock_is_private(l->dir)) {
        return AQ_OK;
    }
    int fd = open(l->path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0 && lock_has_no_place(errno)) {
        return AQ_OK;
    }
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0) {
        l->fd = fd;
        return AQ_OK;
    }
    int sys = errno;
    if (fd >= 0) {
        close(fd);
        if (sys == EWOULDBLOCK) {
            return AQ_AGAIN;
        }
    }
    aq_status st = fail(err, AQ_E_IO, "%s: cannot be locked (%s), free some resources", l->path,
                        g_strerror(sys));
    err->sys = sys;
    return st;
}

static void lock_leave_file(struct lock *l)
{
    if (l->fd >= 0) {
        flock(l->fd, LOCK_UN); /* said aloud: a forked child may have a copy of the descriptor */
        close(l->fd);
        l->fd = -1;
    }
}

/* ---- the name ---- */

static aq_status lock_name(struct lock *l, struct bus *b, struct aq_error *err)
{
    g_autoptr(GVariant) reply = NULL;
    guint32 code;
    aq_status st = bus_call(b, BUS_DRIVER, "/org/freedesktop/DBus", BUS_DRIVER, "RequestName",
                            g_variant_new("(su)", l->name, NAME_DO_NOT_QUEUE), "(u)", &reply, err);
    if (st == AQ_E_DENIED && l->fd >= 0) {
        return AQ_OK; /* the bus of a sandbox: the file has to do */
    }
    if (st != AQ_OK) {
        return st;
    }
    g_variant_get(reply, "(u)", &code);
    l->owns_name = code == NAME_IS_OURS || code == NAME_WAS_OURS;
    return l->owns_name ? AQ_OK : AQ_AGAIN;
}

static void lock_leave_name(struct lock *l, struct bus *b)
{
    struct aq_error ignored;
    if (l->owns_name && b->connection) {
        bus_call(b, BUS_DRIVER, "/org/freedesktop/DBus", BUS_DRIVER, "ReleaseName",
                 g_variant_new("(s)", l->name), "(u)", NULL, &ignored);
    }
    l->owns_name = false;
}

/* ---- both ---- */

aq_status lock_try(struct lock *l, struct bus *b, struct aq_error *err)
{
    aq_status st = lock_file(l, err);
    if (st == AQ_OK) {
        st = lock_name(l, b, err);
    }
    if (st != AQ_OK) {
        lock_leave_file(l);
    }
    l->is_held = st == AQ_OK;
    return st;
}

void lock_leave(struct lock *l, struct bus *b)
{
    if (l->is_held) {
        lock_leave_name(l, b);
        lock_leave_file(l);
        l->is_held = false;
    }
}
