/* SPDX-License-Identifier: Apache-2.0 */
#undef _FORTIFY_SOURCE /* its inline functions have the names that are defined here */
#include "calls.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

int (*calls_refuse)(const struct call *c);
void (*calls_done)(const struct call *c, long result);
long calls_file_system;

static bool is_refused(const struct call *c)
{
    int sys = calls_refuse ? calls_refuse(c) : 0;
    if (sys) {
        errno = sys;
    }
    return sys != 0;
}

static long done(const struct call *c, long result)
{
    if (calls_done) {
        int sys = errno;
        calls_done(c, result);
        errno = sys;
    }
    return result;
}

/* Make a call, unless it is refused: each function below is one such line. */
#define MAKE(call, result) (is_refused(&(call)) ? -1 : done(&(call), (result)))

EXPORT int open(const char *path, int flags, ...)
{
    const struct call c = { .kind = CALL_OPEN, .path = path, .flags = flags };
    va_list args;
    va_start(args, flags);
    unsigned mode = va_arg(args, unsigned);
    va_end(args);
    return (int)MAKE(c, syscall(SYS_openat, AT_FDCWD, path, flags, mode));
}

EXPORT int fcntl(int fd, int command, ...)
{
    va_list args;
    va_start(args, command);
    void *arg = va_arg(args, void *);
    va_end(args);
    const struct call c = { .kind = CALL_CONTROL, .fd = fd, .flags = command, .bytes = arg };
    return (int)MAKE(c, syscall(SYS_fcntl, fd, command, arg));
}

EXPORT FILE *fopen(const char *path, const char *mode)
{
    const struct call c = { .kind = CALL_OPEN_STREAM, .path = path };
    FILE *(*next)(const char *, const char *);
    *(void **)&next = dlsym(RTLD_NEXT, "fopen");
    return is_refused(&c) ? NULL : next(path, mode);
}

EXPORT int openat(int dir, const char *path, int flags, ...)
{
    const struct call c = { .kind = CALL_OPEN, .path = path, .flags = flags };
    va_list args;
    va_start(args, flags);
    unsigned mode = va_arg(args, unsigned);
    va_end(args);
    return (int)MAKE(c, syscall(SYS_openat, dir, path, flags, mode));
}

EXPORT int stat(const char *path, struct stat *st)
{
    const struct call c = { .kind = CALL_STAT, .path = path };
    return (int)MAKE(c, fstatat(AT_FDCWD, path, st, 0));
}

EXPORT int lstat(const char *path, struct stat *st)
{
    const struct call c = { .kind = CALL_STAT, .path = path };
    return (int)MAKE(c, fstatat(AT_FDCWD, path, st, AT_SYMLINK_NOFOLLOW));
}

EXPORT int fstat(int fd, struct stat *st)
{
    const struct call c = { .kind = CALL_STAT, .fd = fd };
    return (int)MAKE(c, fstatat(fd, "", st, AT_EMPTY_PATH));
}

EXPORT int statx(int dir, const char *path, int flags, unsigned mask, struct statx *st)
{
    const struct call c = { .kind = CALL_STAT, .fd = dir, .flags = flags };
    return (int)MAKE(c, syscall(SYS_statx, dir, path, flags, mask, st));
}

EXPORT int statfs(const char *path, struct statfs *fs)
{
    const struct call c = { .kind = CALL_STAT, .path = path };
    int rc = (int)MAKE(c, syscall(SYS_statfs, path, fs));
    if (rc == 0 && calls_file_system) {
        fs->f_type = calls_file_system;
    }
    return rc;
}

EXPORT int access(const char *path, int mode)
{
    const struct call c = { .kind = CALL_ACCESS, .path = path };
    return (int)MAKE(c, syscall(SYS_faccessat, AT_FDCWD, path, mode));
}

EXPORT int faccessat(int dir, const char *path, int mode, int flags)
{
    const struct call c = { .kind = CALL_ACCESS, .path = path };
    return (int)MAKE(c, syscall(SYS_faccessat2, dir, path, mode, flags));
}

EXPORT ssize_t readlink(const char *path, char *target, size_t size)
{
    const struct call c = { .kind = CALL_READLINK, .path = path };
    return MAKE(c, readlinkat(AT_FDCWD, path, target, size));
}

EXPORT int mkdirat(int dir, const char *path, mode_t mode)
{
    const struct call c = { .kind = CALL_MKDIR, .path = path };
    return (int)MAKE(c, syscall(SYS_mkdirat, dir, path, mode));
}

EXPORT int unlink(const char *path)
{
    const struct call c = { .kind = CALL_UNLINK, .path = path };
    return (int)MAKE(c, unlinkat(AT_FDCWD, path, 0));
}

EXPORT int fchmod(int fd, mode_t mode)
{
    const struct call c = { .kind = CALL_CHMOD, .fd = fd };
    return (int)MAKE(c, syscall(SYS_fchmod, fd, mode));
}

EXPORT int fchown(int fd, uid_t uid, gid_t gid)
{
    const struct call c = { .kind = CALL_CHMOD, .fd = fd };
    return (int)MAKE(c, syscall(SYS_fchown, fd, uid, gid));
}

EXPORT ssize_t pread(int fd, void *bytes, size_t len, off_t at)
{
    const struct call c = { .kind = CALL_READ, .fd = fd, .len = len, .at = at };
    return MAKE(c, syscall(SYS_pread64, fd, bytes, len, at));
}

EXPORT ssize_t pwrite(int fd, const void *bytes, size_t len, off_t at)
{
    const struct call c = { .kind = CALL_WRITE, .fd = fd, .bytes = bytes, .len = len, .at = at };
    return MAKE(c, syscall(SYS_pwrite64, fd, bytes, len, at));
}

EXPORT int ftruncate(int fd, off_t len)
{
    const struct call c = { .kind = CALL_TRUNCATE, .fd = fd, .at = len };
    return (int)MAKE(c, syscall(SYS_ftruncate, fd, len));
}

EXPORT int posix_fallocate(int fd, off_t at, off_t len)
{
    const struct call c = { .kind = CALL_ALLOCATE, .fd = fd };
    return MAKE(c, syscall(SYS_fallocate, fd, 0, at, len)) == 0 ? 0 : errno;
}

EXPORT int fsync(int fd)
{
    const struct call c = { .kind = CALL_SYNC, .fd = fd };
    return (int)MAKE(c, syscall(SYS_fsync, fd));
}

EXPORT int fdatasync(int fd)
{
    const struct call c = { .kind = CALL_SYNC, .fd = fd };
    return (int)MAKE(c, syscall(SYS_fdatasync, fd));
}

EXPORT void *mmap(void *at, size_t len, int protection, int flags, int fd, off_t offset)
{
    const struct call c = { .kind = CALL_MAP, .fd = fd, .len = len, .at = offset };
    if (fd >= 0 && is_refused(&c)) {
        return MAP_FAILED;
    }
    return (void *)syscall(SYS_mmap, at, len, protection, flags, fd, offset);
}

/* The same under the names of those who were compiled for files of any length. */

#define ALSO_64(name) __asm__(".globl " #name "64\n.set " #name "64, " #name)

ALSO_64(open);
__asm__(".globl __open_2\n.set __open_2, open"); /* as a fortified program calls it */
__asm__(".globl __open64_2\n.set __open64_2, open");
ALSO_64(openat);
ALSO_64(fcntl);
ALSO_64(stat);
ALSO_64(lstat);
ALSO_64(fstat);
ALSO_64(statfs);
ALSO_64(pread);
ALSO_64(pwrite);
ALSO_64(ftruncate);
ALSO_64(posix_fallocate);
ALSO_64(mmap);
