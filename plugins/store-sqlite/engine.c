/* SPDX-License-Identifier: Apache-2.0 */
#include "engine.h"

#include "fail.h"
#include "owner.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Largest row that is looked at: a value and its key. */
enum { ROW_MAX = AQ_STORE_VALUE_MAX + 4096 };

/* The database that is being opened. Set during engine_open only. */
static struct {
    const char *name; /* last component */
    int lock_fd;
    int fd;  /* what SQLite got; -1 if it does not say */
    int sys; /* errno that kept it from being open for writing */
} opening = { .lock_fd = -1, .fd = -1 };

static int read_error; /* errno */

int engine_take_read_error(void)
{
    int sys = read_error;
    read_error = 0;
    return sys;
}

#ifndef AQ_SQLITE_SYSTEM

/* Memory: as malloc, but nothing goes back unwiped. */

static int memory_size(void *ptr)
{
    return (int)malloc_usable_size(ptr);
}

static void *memory_alloc(int size)
{
    return malloc((size_t)size);
}

static void memory_free(void *ptr)
{
    explicit_bzero(ptr, malloc_usable_size(ptr));
    free(ptr);
}

static void *memory_resize(void *ptr, int size)
{
    size_t old = malloc_usable_size(ptr);
    if ((size_t)size <= old) {
        return ptr;
    }
    void *next = malloc((size_t)size);
    if (next) {
        memcpy(next, ptr, old);
        memory_free(ptr);
    }
    return next;
}

static int memory_round(int size)
{
    return (size + 7) & ~7;
}

static int memory_init(void *unused)
{
    (void)unused;
    return SQLITE_OK;
}

static void memory_shutdown(void *unused)
{
    (void)unused;
}

static bool same_file(int a, int b)
{
    struct stat x, y;
    return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* The journal, and what WAL mode has: "DATABASE-journal". SQLite gives them to the owner of the
 * database, too, but it may be killed before, or not be permitted to. */
static int open_beside(const char *path, int flags, int mode)
{
    char database[PATH_MAX];
    struct stat st;
    const char *dash = strrchr(path, '-');
    if (!(flags & O_CREAT) || !dash) {
        return open(path, flags, (mode_t)mode);
    }
    snprintf(database, sizeof(database), "%.*s", (int)(dash - path), path);
    return stat(database, &st) == 0 ? owner_open(path, flags, (mode_t)mode, &st) : -1;
}

/* open(2) for SQLite. The database comes from the descriptor that was inspected, not from a path
 * that somebody may have exchanged since. */
static int open_hook(const char *path, int flags, int mode)
{
    if (!opening.name || strcmp(strrchr(path, '/') + 1, opening.name) != 0) {
        return open_beside(path, flags, mode);
    }
    char self[64];
    snprintf(self, sizeof(self), "/proc/self/fd/%d", opening.lock_fd);
    int fd = open(self, flags & ~(O_CREAT | O_EXCL | O_NOFOLLOW));
    /* There may be no /proc. It is never EROFS: lock_fd was opened for writing if fd shall be, and
     * the kernel makes no mount read-only while a file is open for writing through it. */
    if (fd < 0 && errno == ENOENT) {
        fd = open(path, flags & ~(O_CREAT | O_EXCL));
        if (fd >= 0 && !same_file(fd, opening.lock_fd)) {
            close(fd);
            errno = ESTALE;
            fd = -1;
        }
    }
    if (fd < 0) {
        opening.sys = errno;
    }
    opening.fd = fd;
    return fd;
}

/* stat(2) for SQLite, which takes every failure of it for "there is no journal", and would read
 * what was never committed. So a journal that cannot be looked at is there: to open it either
 * works or is an error. */
static int stat_hook(const char *path, struct stat *st)
{
    int rc = stat(path, st);
    if (rc != 0 && errno != ENOENT && fnmatch("*-journal", path, 0) == 0) {
        *st = (struct stat){ .st_mode = S_IFREG, .st_size = 1 };
        rc = 0;
    }
    return rc;
}

/* pread(2) for SQLite. */
static ssize_t pread_hook(int fd, void *buffer, size_t size, off_t at)
{
    ssize_t got = pread(fd, buffer, size, at);
    if (got < 0 && errno != EINTR) {
        read_error = errno;
    }
    return got;
}

/* fcntl(2) for SQLite. */
static int fcntl_hook(int fd, int command, ...)
{
    va_list args;
    va_start(args, command);
    void *arg = va_arg(args, void *);
    va_end(args);

    if (command != F_SETLK && command != F_GETLK) { /* it never waits inside: F_SETLKW */
        return fcntl(fd, command, arg);
    }
    struct flock *asked = arg;
    struct flock lock = *asked;
    lock.l_pid = 0; /* the kernel insists */
    if (lock.l_type == F_UNLCK && lock.l_len == 0) {
        lock.l_len = ENGINE_LOCK_BYTE - lock.l_start; /* "everything" does not mean lock()'s byte */
    }
    int lock_fd = pool_lock_descriptor(fd);
    if (command == F_GETLK) {
        int rc = fcntl(lock_fd, F_OFD_GETLK, &lock);
        *asked = lock;
        return rc;
    }
    return fcntl(lock_fd, F_OFD_SETLK, &lock);
}

static int set_up(void)
{
    static const sqlite3_mem_methods memory = { memory_alloc,    memory_free,  memory_resize,
                                                memory_size,     memory_round, memory_init,
                                                memory_shutdown, NULL };
    int rc = sqlite3_config(SQLITE_CONFIG_SINGLETHREAD); /* the pool's mutex is around every call */
    rc |= sqlite3_config(SQLITE_CONFIG_MALLOC, &memory);
    rc |= sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    rc |= sqlite3_config(SQLITE_CONFIG_PAGECACHE, NULL, 0, 0); /* each page is freed, so wiped */
    rc |= sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0);       /* and so is everything small */
    rc |= sqlite3_config(SQLITE_CONFIG_STMTJRNL_SPILL, -1);    /* no copies in temporary files */
    rc |= sqlite3_initialize();
    if (rc != SQLITE_OK) {
        return rc;
    }
    sqlite3_vfs *vfs = sqlite3_vfs_find("unix");
    /* it reads with one of these, or with neither */
    vfs->xSetSystemCall(vfs, "pread", (sqlite3_syscall_ptr)pread_hook);
    vfs->xSetSystemCall(vfs, "pread64", (sqlite3_syscall_ptr)pread_hook);
    return vfs->xSetSystemCall(vfs, "open", (sqlite3_syscall_ptr)open_hook) |
           vfs->xSetSystemCall(vfs, "stat", (sqlite3_syscall_ptr)stat_hook) |
           vfs->xSetSystemCall(vfs, "fcntl", (sqlite3_syscall_ptr)fcntl_hook);
}

#else

static int set_up(void)
{
    return sqlite3_initialize();
}

#endif

/* What a database of unknown origin may not do. */
static void restrict_connection(sqlite3 *db)
{
    sqlite3_extended_result_codes(db, 1);
    sqlite3_limit(db, SQLITE_LIMIT_LENGTH, ROW_MAX);
    sqlite3_drop_modules(db, NULL); /* no virtual tables */
    sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    sqlite3_exec(db, "PRAGMA cell_size_check=ON", NULL, NULL,
                 NULL); /* damage is told, not guessed */
}

static int open_path(const char *path, bool writable, sqlite3 **ret)
{
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW;
    flags |= writable ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY;
    int rc = sqlite3_open_v2(path, ret, flags, NULL);
    if (rc != SQLITE_OK) {
        return sqlite3_extended_errcode(*ret);
    }
    /* SQLite is content with reading, and would be for as long as the connection lives */
    return writable && sqlite3_db_readonly(*ret, "main") ? SQLITE_READONLY : SQLITE_OK;
}

/* A directory on the way is a symbolic link: the journal must go where others look for it. */
static int open_real_path(const char *path, const char *name, bool writable, sqlite3 **ret)
{
    char real[PATH_MAX + 256];
    char dir[PATH_MAX];

    snprintf(dir, sizeof(dir), "%.*s", (int)(name - path), path);
    if (!realpath(dir, real)) {
        return SQLITE_CANTOPEN;
    }
    size_t len = strlen(real);
    snprintf(real + len, sizeof(real) - len, "/%s", name);
    return open_path(real, writable, ret);
}

static aq_status fail_open(int code, sqlite3 *db, const char *path, struct aq_error *err)
{
    if (code == SQLITE_READONLY && !fail_is_forbidden(opening.sys)) {
        return fail_errno(err, opening.sys, path, "cannot be opened for writing");
    }
    return fail_sqlite(err, code, db, path);
}

aq_status engine_open(const char *path, int lock_fd, bool writable, sqlite3 **ret_db, int *ret_fd,
                      struct aq_error *err)
{
    static bool ready;
    sqlite3 *db = NULL;
    const char *name = strrchr(path, '/') + 1;

    int rc = ready ? SQLITE_OK : set_up();
    if (rc != SQLITE_OK) {
        return fail_sqlite(err, rc, NULL, "store sqlite");
    }
    ready = true;

    opening.name = name;
    opening.lock_fd = lock_fd;
    opening.fd = -1;
    opening.sys = EROFS; /* where SQLite opens it by itself, it does not say */
    rc = open_path(path, writable, &db);
    if (rc == SQLITE_CANTOPEN_SYMLINK) {
        sqlite3_close(db);
        db = NULL;
        rc = open_real_path(path, name, writable, &db);
    }
    opening.name = NULL;
    if (rc != SQLITE_OK) {
        aq_status status = fail_open(rc, db, path, err);
        sqlite3_close(db);
        return status;
    }
    restrict_connection(db);
    *ret_db = db;
    *ret_fd = opening.fd;
    return AQ_OK;
}
