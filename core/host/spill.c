/* SPDX-License-Identifier: Apache-2.0 */
#include "host/spill.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/sha256.h"
#include "base/str.h"
#include "host/paths.h"

#include <amazonq/store.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PLACES = 2, NAME_MAX_LEN = SHA256_HEX_LEN + 16 };

/* "HEX.json": what the value is bound to. */
static void spill_name(struct aq_str key, struct aq_str spent, char ret[NAME_MAX_LEN])
{
    uint8_t digest[SHA256_LEN];
    char hex[SHA256_HEX_LEN + 1];
    struct sha256 h;
    sha256_init(&h);
    sha256_add(&h, str_bytes(key));
    sha256_add(&h, (struct aq_bytes){ (const uint8_t *)"", 1 });
    sha256_add(&h, str_bytes(spent));
    sha256_done(&h, digest);
    sha256_hex(digest, hex);
    snprintf(ret, NAME_MAX_LEN, "%s.json", hex);
}

/* Our directory in this place, created if wished. -1 if it is not there, or not private to us. */
static int spill_open_dir(int place, bool create, struct buf *path)
{
    struct stat info;
    buf_clear(path);
    errno = 0;
    if (!(place == 0 ? paths_runtime(path) : paths_state(path))) {
        return -1;
    }
    const char *dir = (const char *)path->ptr;
    if (create && !paths_make_private(dir)) {
        return -1;
    }
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0 && (fstat(fd, &info) != 0 || info.st_uid != geteuid() || (info.st_mode & 077))) {
        close(fd);
        return -1;
    }
    return fd;
}

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

/* Written beside and renamed, so that whoever finds the name finds all of it. */
static bool spill_write_at(int dir, const char *name, struct aq_str value)
{
    char temporary[NAME_MAX_LEN + 16];
    snprintf(temporary, sizeof(temporary), "%s.%ld", name, (long)getpid());
    unlinkat(dir, temporary, 0);
    int fd = openat(dir, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    bool done = fd >= 0 && spill_write_all(fd, value);
    if (fd >= 0) {
        close(fd);
    }
    done = done && renameat(dir, temporary, dir, name) == 0 && fsync(dir) == 0;
    if (!done) {
        int sys = errno;
        unlinkat(dir, temporary, 0);
        errno = sys;
    }
    return done;
}

aq_status spill_write(struct aq_str key, struct aq_str spent, struct aq_str value, struct buf *out,
                      struct aq_error *err)
{
    AUTO(buf) struct buf path = BUF(PATH_MAX);
    char name[NAME_MAX_LEN];
    int sys = ENOENT;
    spill_name(key, spent, name);
    for (int place = 0; place < PLACES; place++) {
        int dir = spill_open_dir(place, true, &path);
        if (dir < 0) {
            continue;
        }
        bool done = spill_write_at(dir, name, value);
        sys = errno;
        close(dir);
        if (done) {
            if (out) {
                buf_add(out, buf_str(&path));
                buf_printf(out, "/%s", name);
            }
            return AQ_OK;
        }
    }
    return error_sys(err, AQ_E_IO, sys,
                     "spill file: cannot be written to the runtime or the state "
                     "directory");
}

static aq_status spill_read_at(int dir, const char *name, struct buf *out, struct aq_error *err)
{
    struct stat info;
    int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        return errno == ENOENT || errno == ELOOP
                   ? AQ_E_NOTFOUND
                   : error_sys(err, AQ_E_IO, errno, "spill file: cannot be read");
    }
    bool ours = fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_uid == geteuid() &&
                !(info.st_mode & 077) && info.st_size > 0 && info.st_size <= AQ_STORE_VALUE_MAX;
    aq_status st = AQ_E_NOTFOUND;
    if (ours && !buf_reserve(out, (size_t)info.st_size)) {
        st = error_nomem(err, "spill file");
    } else if (ours) {
        ssize_t got = read(fd, out->ptr, (size_t)info.st_size);
        st = got == info.st_size
                 ? AQ_OK
                 : error_sys(err, AQ_E_IO, got < 0 ? errno : EIO, "spill file: cannot be read");
    }
    close(fd);
    if (st == AQ_OK) {
        out->len = (size_t)info.st_size;
        out->ptr[out->len] = '\0';
    }
    return st;
}

aq_status spill_read(struct aq_str key, struct aq_str spent, struct buf *out, struct aq_error *err)
{
    AUTO(buf) struct buf path = BUF(PATH_MAX);
    char name[NAME_MAX_LEN];
    aq_status st = AQ_E_NOTFOUND;
    spill_name(key, spent, name);
    for (int place = 0; place < PLACES && st == AQ_E_NOTFOUND; place++) {
        int dir = spill_open_dir(place, false, &path);
        if (dir >= 0) {
            buf_clear(out);
            st = spill_read_at(dir, name, out, err);
            close(dir);
        } else if (buf_status(&path) == AQ_E_NOMEM || errno == EMFILE || errno == ENFILE) {
            st = error_set(err, AQ_E_IO, "spill file: cannot be looked for, free some resources");
        }
    }
    return st;
}

void spill_remove(struct aq_str key, struct aq_str spent)
{
    AUTO(buf) struct buf path = BUF(PATH_MAX);
    char name[NAME_MAX_LEN];
    spill_name(key, spent, name);
    for (int place = 0; place < PLACES; place++) {
        int dir = spill_open_dir(place, false, &path);
        if (dir >= 0) {
            unlinkat(dir, name, 0);
            close(dir);
        }
    }
}
