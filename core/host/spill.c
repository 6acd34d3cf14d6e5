/* SPDX-License-Identifier: Apache-2.0 */
#include "host/spill.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/sha256.h"
#include "base/str.h"
#include "host/paths.h"

#include <amazonq/store.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The first that works is written to; all are looked at. */
enum place {
    PLACE_STATE,   /* outlives a restart, and who has no session has it, too */
    PLACE_RUNTIME, /* another file system, when the disk is full */
    PLACES,
};

enum {
    NAME_SIZE = SHA256_HEX_LEN + sizeof(".json"),
    WHOLE_MAX_AGE_S = 90 * 24 * 3600, /* no session at the sign-in service lasts longer */
    HALF_MAX_AGE_S = 3600,            /* writing takes milliseconds */
};

/* ---- where ---- */

/* "HEX.json": what the value is bound to. */
static void spill_name(struct aq_str key, struct aq_str spent, char ret[NAME_SIZE])
{
    uint8_t digest[SHA256_LEN];
    struct sha256 h;
    sha256_init(&h);
    sha256_add(&h, str_bytes(key));
    sha256_add(&h, (struct aq_bytes){ (const uint8_t *)"", 1 });
    sha256_add(&h, str_bytes(spent));
    sha256_done(&h, digest);
    sha256_hex(digest, ret);
    memcpy(ret + SHA256_HEX_LEN, ".json", sizeof(".json"));
}

/* Whose files may be believed beside our own. Root in a container makes them as the owner of the
 * directory they are in, who has a hand in them anyway. */
static uid_t spill_owner(int dir, const char *in)
{
    struct stat info;
    uid_t me = geteuid();
    return me == 0 && fstatat(dir, in, &info, 0) == 0 ? info.st_uid : me;
}

/* The state of a file or directory says that nobody else has a hand in it. */
static bool spill_is_private(const struct stat *info, uid_t owner)
{
    return (info->st_uid == geteuid() || info->st_uid == owner) && (info->st_mode & 077) == 0;
}

/* $XDG_RUNTIME_DIR. A program that a timer or another user started may not have the variable: then
 * it is where the session of this user has it, if that is there. False if there is none. */
static bool spill_add_runtime(struct buf *path)
{
    char user[sizeof("/run/user/4294967295")];
    struct stat info;
    if (paths_runtime(path)) {
        return true;
    }
    snprintf(user, sizeof(user), "/run/user/%u", (unsigned)geteuid());
    if (stat(user, &info) != 0 || !spill_is_private(&info, geteuid())) {
        return false;
    }
    buf_add(path, str_from(user));
    buf_add(path, AQ_STR("/amazonq"));
    return buf_status(path) == AQ_OK;
}

/* Our directory in this place, created if wished. -1: errno says why; EPERM if it is not private to
 * us. */
static int spill_open_dir(enum place place, bool create, struct buf *path)
{
    struct stat info;
    buf_clear(path);
    if (!(place == PLACE_STATE ? paths_state(path) : spill_add_runtime(path))) {
        errno = buf_status(path) == AQ_E_NOMEM ? ENOMEM : ENOENT;
        return -1;
    }
    const char *dir = (const char *)path->ptr;
    if (create && !paths_make_private(dir)) {
        return -1;
    }
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0 && (fstat(fd, &info) != 0 || !spill_is_private(&info, spill_owner(fd, "..")))) {
        close(fd);
        errno = EPERM;
        return -1;
    }
    return fd;
}

/* ---- sweeping ---- */

/* How old a file of this name may get; -1: it is not ours to judge. */
static int64_t spill_max_age_s(const char *name)
{
    const char *end = name + strspn(name, "0123456789abcdef");
    if (end != name + SHA256_HEX_LEN || strncmp(end, ".json", 5) != 0) {
        return -1;
    }
    return end[5] == '\0' ? WHOLE_MAX_AGE_S : end[5] == '.' ? HALF_MAX_AGE_S : -1;
}

static void spill_sweep(int dir)
{
    const struct dirent *entry;
    int64_t now_s = clock_wall_s();
    int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* the list takes it over */
    DIR *list = fdopendir(fd);
    if (!list) {
        close(fd);
        return;
    }
    while ((entry = readdir(list))) {
        struct stat info;
        int64_t max_age_s = spill_max_age_s(entry->d_name);
        if (max_age_s >= 0 && fstatat(dir, entry->d_name, &info, AT_SYMLINK_NOFOLLOW) == 0 &&
            now_s - info.st_mtime > max_age_s) {
            unlinkat(dir, entry->d_name, 0);
        }
    }
    closedir(list);
}

/* ---- writing ---- */

static bool spill_write_all(int fd, struct aq_str value)
{
    while (value.len) {
        ssize_t done = write(fd, value.ptr, value.len);
        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done <= 0) {
            return false;
        }
        value = str_from_offset(value, (size_t)done);
    }
    return fsync(fd) == 0;
}

/* What root has made belongs to whom the directory does; where that is not permitted, to root. */
static void spill_give_away(int fd, int dir)
{
    struct stat info;
    if (geteuid() == 0 && fstatat(dir, ".", &info, 0) == 0 &&
        fchown(fd, info.st_uid, info.st_gid) != 0) {
        return;
    }
}

/* Written beside and renamed, so that whoever finds the name finds all of it. */
static bool spill_write_at(int dir, const char *name, struct aq_str value)
{
    char half[NAME_SIZE + 16];
    snprintf(half, sizeof(half), "%s.%ld", name, (long)getpid());
    unlinkat(dir, half, 0);
    int fd = openat(dir, half, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        return false;
    }
    spill_give_away(fd, dir);
    bool done =
        spill_write_all(fd, value) && renameat(dir, half, dir, name) == 0 && fsync(dir) == 0;
    int sys = errno;
    close(fd);
    if (!done) {
        unlinkat(dir, half, 0);
    }
    errno = sys;
    return done;
}

aq_status spill_write(struct aq_str key, struct aq_str spent, struct aq_str value, struct buf *out,
                      struct aq_error *err)
{
    AUTO(buf) struct buf path = BUF(PATH_MAX);
    char name[NAME_SIZE];
    int sys = 0;
    spill_name(key, spent, name);
    for (enum place place = PLACE_STATE; place < PLACES; place++) {
        int dir = spill_open_dir(place, true, &path);
        bool done = dir >= 0 && spill_write_at(dir, name, value);
        sys = errno;
        if (done) {
            spill_sweep(dir);
            buf_add(out, buf_str(&path));
            buf_printf(out, "/%s", name);
        }
        if (dir >= 0) {
            close(dir);
        }
        if (done) {
            return AQ_OK;
        }
    }
    return error_sys(err, AQ_E_IO, sys,
                     "spill file: cannot be written to the state or the runtime directory");
}

/* ---- reading and removing ---- */

static aq_status spill_read_at(int dir, const char *name, struct buf *out, struct aq_error *err)
{
    struct stat info;
    int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        return errno == ENOENT || errno == ELOOP
                   ? AQ_E_NOTFOUND
                   : error_sys(err, AQ_E_IO, errno, "spill file: cannot be read");
    }
    bool ours = fstat(fd, &info) == 0 && S_ISREG(info.st_mode) &&
                spill_is_private(&info, spill_owner(dir, ".")) && info.st_size > 0;
    aq_status st = ours ? file_read(fd, out) : AQ_E_NOTFOUND;
    if (st == AQ_OK && out->len != (size_t)info.st_size) {
        st = error_sys(err, AQ_E_IO, EIO, "spill file: cannot be read");
    } else if (st == AQ_E_IO) {
        error_sys(err, st, errno, "spill file: cannot be read");
    } else if (st == AQ_E_NOMEM) {
        error_nomem(err, "spill file");
    } else if (st == AQ_E_LIMIT) {
        st = AQ_E_NOTFOUND; /* no login is that long */
    }
    close(fd);
    return st;
}

aq_status spill_read(struct aq_str key, struct aq_str spent, struct buf *out, struct aq_error *err)
{
    AUTO(buf) struct buf path = BUF(PATH_MAX);
    char name[NAME_SIZE];
    aq_status st = AQ_E_NOTFOUND;
    spill_name(key, spent, name);
    for (enum place place = PLACE_STATE; place < PLACES && st == AQ_E_NOTFOUND; place++) {
        int dir = spill_open_dir(place, false, &path);
        if (dir >= 0) {
            buf_clear(out);
            st = spill_read_at(dir, name, out, err);
            close(dir);
        } else if (errno == ENOMEM || errno == EMFILE || errno == ENFILE) {
            st = error_sys(err, AQ_E_IO, errno,
                           "spill file: cannot be looked for, free some resources");
        }
    }
    return st;
}

/* Its blocks will be used for something else one day; until then they hold nothing. */
static void spill_wipe(int dir, const char *name)
{
    static const char zeros[4096];
    struct stat info;
    int fd = openat(dir, name, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd >= 0 && fstat(fd, &info) == 0 && S_ISREG(info.st_mode) &&
        spill_is_private(&info, spill_owner(dir, "."))) {
        off_t left = info.st_size < AQ_STORE_VALUE_MAX ? info.st_size : AQ_STORE_VALUE_MAX;
        ssize_t done = 1;
        while (left > 0 && done > 0) {
            done = write(fd, zeros, left < (off_t)sizeof(zeros) ? (size_t)left : sizeof(zeros));
            left -= done;
        }
        fdatasync(fd);
    }
    if (fd >= 0) {
        close(fd);
    }
}

void spill_remove(struct aq_str key, struct aq_str spent)
{
    AUTO(buf) struct buf path = BUF(PATH_MAX);
    char name[NAME_SIZE];
    spill_name(key, spent, name);
    for (enum place place = PLACE_STATE; place < PLACES; place++) {
        int dir = spill_open_dir(place, false, &path);
        if (dir >= 0) {
            spill_wipe(dir, name);
            unlinkat(dir, name, 0);
            spill_sweep(dir);
            close(dir);
        }
    }
}
