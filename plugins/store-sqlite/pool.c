/* SPDX-License-Identifier: Apache-2.0 */
#include "pool.h"

#include "engine.h"
#include "fail.h"
#include "in_place.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct connection {
    struct connection *next;
    sqlite3 *db;
    sqlite3_stmt *roll_back; /* of a transaction */
    int fd;                  /* that SQLite uses; -1 if it keeps that to itself */
    enum pool_access access;
    char path[]; /* the journal belongs to the name */
};

struct pool_file {
    struct pool_file *next;
    dev_t dev;
    ino_t ino;
    int lock_fd;
    int old_lock_fd; /* from before the file became writable; -1 */
    bool lock_writable;
    bool wal;
    bool exposed;      /* others can read it */
    bool orphan;       /* no directory names it */
    const void *owner; /* instance that holds the refresh lock */
    struct connection *connections;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct pool_file *files;
static struct pool_file *inherited; /* of the parent; not used, but not lost either */
static unsigned generation;         /* changes in a forked child, before it has threads */

static void close_locks(struct pool_file *f)
{
    close(f->lock_fd);
    f->lock_fd = -1;
    if (f->old_lock_fd >= 0) {
        close(f->old_lock_fd);
        f->old_lock_fd = -1;
    }
}

/* fork */

static void before_fork(void)
{
    pthread_mutex_lock(&mutex);
}

static void after_fork_in_parent(void)
{
    pthread_mutex_unlock(&mutex);
}

static void after_fork_in_child(void)
{
    struct pool_file **last = &files;
    for (; *last; last = &(*last)->next) {
        close_locks(*last);
        (*last)->owner = NULL;
    }
    *last = inherited;
    inherited = files;
    files = NULL;
    generation++;
    pthread_mutex_unlock(&mutex);
}

static void watch_forks(void)
{
    pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

unsigned pool_generation(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, watch_forks);
    return generation;
}

/* the mutex */

/* pthread_mutex_timedlock is on the wall clock; if that is set meanwhile, callers try again. */
static int lock_within(uint64_t wait_us)
{
    struct timespec end;
    if (wait_us == POOL_FOREVER) {
        return pthread_mutex_lock(&mutex);
    }
    if (pthread_mutex_trylock(&mutex) == 0) {
        return 0;
    }
    clock_gettime(CLOCK_REALTIME, &end);
    wait_us += (uint64_t)end.tv_nsec / 1000;
    end.tv_sec += (time_t)(wait_us / 1000000);
    end.tv_nsec = (long)(wait_us % 1000000) * 1000;
    return pthread_mutex_timedlock(&mutex, &end);
}

aq_status pool_enter(unsigned of_generation, uint64_t wait_us, struct aq_error *err)
{
    if (of_generation != generation) {
        return fail(err, AQ_E_FORKED,
                    "store sqlite: opened by the parent of this process, open it again here");
    }
    if (lock_within(wait_us) != 0) {
        return fail(err, AQ_E_BUSY, "store sqlite: another thread is saving, try again");
    }
    return AQ_OK;
}

void pool_leave(void)
{
    pthread_mutex_unlock(&mutex);
}

/* files */

static struct pool_file *find(struct pool_file *list, dev_t dev, ino_t ino)
{
    for (struct pool_file *f = list; f; f = f->next) {
        if (f->dev == dev && f->ino == ino) {
            return f;
        }
    }
    return NULL;
}

static struct connection *find_connection(const struct pool_file *f, const char *path,
                                          enum pool_access access)
{
    for (struct connection *c = f->connections; c; c = c->next) {
        if (c->access == access && strcmp(c->path, path) == 0) {
            return c;
        }
    }
    return NULL;
}

/* The file a path still names, if it was connected by that path: its directory was looked at then,
 * and as long as this is the same file, nobody has put another one in its place. */
static struct pool_file *find_connected(const struct place *place, struct stat *ret)
{
    struct pool_file *f = NULL;
    if (files && place_inspect_file(place, ret, NULL) == AQ_OK) {
        f = find(files, ret->st_dev, ret->st_ino);
    }
    return f && find_connection(f, place->path, POOL_READER) ? f : NULL;
}

static bool is_deleted(const struct pool_file *f)
{
    struct stat st;
    return fstat(f->lock_fd, &st) == 0 && st.st_nlink == 0;
}

static void file_free(struct pool_file *f)
{
    while (f->connections) {
        struct connection *c = f->connections;
        f->connections = c->next;
        sqlite3_close(c->db);
        free(c);
    }
    close_locks(f);
    free(f);
}

/* Let go of files that have no name any more: nobody can wait for a lock on them. */
static void forget_deleted(void)
{
    struct pool_file **at = &files;
    while (*at) {
        struct pool_file *f = *at;
        if (!f->owner && is_deleted(f)) {
            *at = f->next;
            file_free(f);
        } else {
            at = &f->next;
        }
    }
}

/* What is printed must never end up in a database, so its descriptor is none of the first three. */
static int open_high(const char *path, int access)
{
    int fd = open(path, access | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd >= 0 && fd <= STDERR_FILENO) {
        int high = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
        close(fd);
        fd = high;
    }
    return fd;
}

/* Locks for writing need a descriptor open for writing, where that is allowed. */
static int open_lock(const struct place *place, bool *ret_writable)
{
    int fd = open_high(place->path, O_RDWR);
    *ret_writable = fd >= 0;
    if (fd < 0 && fail_is_forbidden(errno)) {
        fd = open_high(place->path, O_RDONLY);
    }
    return fd;
}

static aq_status add(const struct place *place, int fd, bool writable, struct pool_file **ret,
                     struct aq_error *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0) {
        return fail_errno(err, errno, place->path, "cannot be inspected");
    }
    aq_status status = place_check_file(place, &st, err);
    if (status != AQ_OK) {
        return status;
    }
    struct pool_file *old = find(inherited, st.st_dev, st.st_ino);
    if (old && old->wal) { /* SQLite's shared memory of it cannot be used in two processes */
        return fail(err, AQ_E_FORKED,
                    "%s: in WAL mode and opened before this process was forked, use exec as well",
                    place->path);
    }
    struct pool_file *f = calloc(1, sizeof(*f));
    if (!f) {
        return fail(err, AQ_E_NOMEM, "store sqlite: out of memory");
    }
    *f = (struct pool_file){ .next = files,
                             .dev = st.st_dev,
                             .ino = st.st_ino,
                             .lock_fd = fd,
                             .old_lock_fd = -1,
                             .lock_writable = writable,
                             .exposed = place_is_readable_by_others(&st),
                             .orphan = st.st_nlink == 0 };
    files = f;
    *ret = f;
    return AQ_OK;
}

/* A file that is not open yet; fd is -1 or that of one which was just made. */
static aq_status open_file(const struct place *place, int fd, struct pool_file **ret,
                           struct aq_error *err)
{
    bool writable = true;

    forget_deleted();
    if (fd < 0 && (fd = open_lock(place, &writable)) < 0) {
        return fail_errno(err, errno, place->path, "cannot be opened");
    }
    aq_status status = add(place, fd, writable, ret, err);
    if (status != AQ_OK) {
        close(fd);
    }
    return status;
}

aq_status pool_find(const struct place *place, enum pool_purpose purpose, struct pool_file **ret,
                    struct aq_error *err)
{
    struct stat st;
    aq_status status = AQ_OK;
    int fd = -1;

    struct pool_file *f = purpose == POOL_READ ? find_connected(place, &st) : NULL;
    if (!f) {
        status = place_inspect(place, &st, err);
        f = status == AQ_OK ? find(files, st.st_dev, st.st_ino) : NULL;
    }
    if (f) {
        f->exposed = place_is_readable_by_others(&st);
        f->orphan = st.st_nlink == 0;
        *ret = f;
        return AQ_OK;
    }
    if (status == AQ_E_NOTFOUND && purpose == POOL_MAKE) {
        status = place_create(place, &fd, err);
    }
    return status == AQ_OK ? open_file(place, fd, ret, err) : status;
}

bool pool_is_exposed(const struct pool_file *file)
{
    return file->exposed;
}

bool pool_is_orphan(const struct pool_file *file)
{
    return file->orphan;
}

bool pool_is_current(const struct pool_file *file, const struct place *place)
{
    return place_is(place, file->dev, file->ino);
}

/* connections */

/* AQ_E_READONLY unless the file is open for writing, maybe because it became writable since. The
 * old descriptor stays as long as the file does, as every one does. */
static aq_status need_writable(struct pool_file *file, const struct place *place,
                               struct aq_error *err)
{
    if (file->lock_writable) {
        return AQ_OK;
    }
    int fd = open_high(place->path, O_RDWR);
    if (fd < 0 && errno == EROFS) {
        return fail(err, AQ_E_READONLY,
                    "%s: mounted read-only, mount its directory writable (-v HOST_DIR:%s)",
                    place->path, place->dir);
    }
    if (fd >= 0 && pool_is_current(file, place)) {
        file->old_lock_fd = file->lock_fd;
        file->lock_fd = fd;
        file->lock_writable = true;
        return AQ_OK;
    } /* else it may be another database, with locks that closing it would drop: it stays open */
    return fail(err, AQ_E_READONLY,
                "%s: cannot be written, check permissions of file and directory", place->path);
}

/* Open one that is not there yet. */
static aq_status add_connection(struct pool_file *file, const struct place *place,
                                enum pool_access access, sqlite3 **ret, struct aq_error *err)
{
    bool writable = access != POOL_READER;
    size_t size = strlen(place->path) + 1;
    struct connection *c = calloc(1, sizeof(*c) + size);
    if (!c) {
        return fail(err, AQ_E_NOMEM, "store sqlite: out of memory");
    }
    memcpy(c->path, place->path, size);
    c->access = access;
    aq_status status = engine_open(c->path, file->lock_fd, writable, &c->db, &c->fd, err);
    int rc = status == AQ_OK && access == POOL_IN_PLACE ? in_place_set_up(c->db) : SQLITE_OK;
    if (rc != SQLITE_OK) {
        status = fail_sqlite(err, rc, c->db, place->path);
        sqlite3_close(c->db);
    }
    if (status != AQ_OK) {
        free(c);
        return status;
    }
    c->next = file->connections;
    file->connections = c;
    *ret = c->db;
    return AQ_OK;
}

aq_status pool_connect(struct pool_file *file, const struct place *place, enum pool_access access,
                       sqlite3 **ret, struct aq_error *err)
{
    bool writable = access != POOL_READER;
    engine_take_read_error(); /* of the call before */
    aq_status status = writable ? need_writable(file, place, err) : AQ_OK;
    if (status != AQ_OK) {
        return status;
    }
    struct connection *c = find_connection(file, place->path, access);
    if (!c) {
        return add_connection(file, place, access, ret, err);
    }
    *ret = c->db;
    return AQ_OK;
}

static struct connection *connection_of(const struct pool_file *file, const sqlite3 *db)
{
    struct connection *c = file->connections;
    while (c->db != db) {
        c = c->next;
    }
    return c;
}

int pool_begin(struct pool_file *file, sqlite3 *db, const char *sql)
{
    struct connection *c = connection_of(file, db);
    int rc = sqlite3_prepare_v2(db, "ROLLBACK", -1, &c->roll_back, NULL);
    return rc == SQLITE_OK ? sqlite3_exec(db, sql, NULL, NULL, NULL) : rc;
}

static void roll_back(struct connection *c)
{
    if (!sqlite3_get_autocommit(c->db)) {
        sqlite3_step(c->roll_back);
    }
    sqlite3_finalize(c->roll_back);
    c->roll_back = NULL;
}

void pool_relax(struct pool_file *file, sqlite3 *db)
{
    int lock_state = 0;
    roll_back(connection_of(file, db));
    sqlite3_db_release_memory(db);
    /* only WAL mode keeps a lock between two transactions */
    sqlite3_file_control(db, "main", SQLITE_FCNTL_LOCKSTATE, &lock_state);
    file->wal |= lock_state != 0;
}

bool pool_is_wal(const struct pool_file *file)
{
    return file->wal;
}

int pool_lock_descriptor(int fd)
{
    for (const struct pool_file *f = files; f; f = f->next) {
        for (const struct connection *c = f->connections; c; c = c->next) {
            if (c->fd == fd) {
                return f->lock_fd;
            }
        }
    }
    return fd;
}

aq_status pool_tighten(struct pool_file *file, const struct place *place, struct aq_error *err)
{
    return place_tighten(place, file->lock_fd, err);
}

/* the refresh lock */

static int set_lock(const struct pool_file *file, short type)
{
    struct flock lock = {
        .l_type = type, .l_whence = SEEK_SET, .l_start = ENGINE_LOCK_BYTE, .l_len = 1
    };
    return fcntl(file->lock_fd, F_OFD_SETLK, &lock) == 0 ? 0 : errno;
}

aq_status pool_lock(struct pool_file *file, const struct place *place, const void *owner,
                    struct aq_error *err)
{
    if (file->owner) {
        return AQ_AGAIN;
    }
    aq_status status = need_writable(file, place, err);
    if (status != AQ_OK) {
        return status;
    }
    int sys = set_lock(file, F_WRLCK);
    switch (sys) {
    case 0:
        break;
    case EAGAIN:
        return AQ_AGAIN;
    case EINVAL: /* the system, and some file systems, do not know this kind of lock */
    case ENOLCK:
    case ENOSYS:
    case EOPNOTSUPP:
        return fail(err, AQ_E_UNSUPPORTED,
                    "%s: its file system has no locks, keep the database on a local disk",
                    place->path);
    default:
        return fail_errno(err, sys, place->path, "cannot be locked");
    }
    if (!pool_is_current(file, place)) { /* replaced meanwhile: the lock that counts is another */
        set_lock(file, F_UNLCK);
        return AQ_AGAIN;
    }
    file->owner = owner;
    return AQ_OK;
}

void pool_unlock(const void *owner)
{
    for (struct pool_file *f = files; f; f = f->next) {
        if (f->owner == owner) {
            set_lock(f, F_UNLCK);
            f->owner = NULL;
        }
    }
}
