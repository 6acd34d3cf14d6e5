/* SPDX-License-Identifier: Apache-2.0 */
/* A store that keeps a login in one file of a directory, for any number of processes. */
#include <amazonq/plugin.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { ENTRIES = 32, FILE_MAX = 40 << 20 }; /* a login has three, of a few KiB */
enum { ROOM = 64 << 10 }; /* bytes that a refreshed login may be longer than the old one */
enum { TURN_MS = 5000 };  /* to wait for the turn of others, each of which takes milliseconds */

struct book {
    const struct aq_host *host;
    const char *directory;
    int lock_fd; /* -1 while the lock is not held */
};

/* What the system said, as a status that tells the caller what to expect. */
static aq_status fail(struct aq_error *err, const char *object, int sys, const char *advice)
{
    err->sys = sys;
    err->status = sys == EBADMSG                  ? AQ_E_CORRUPT
                  : sys == EROFS                  ? AQ_E_READONLY
                  : sys == EACCES || sys == EPERM ? AQ_E_DENIED
                  : sys == EWOULDBLOCK            ? AQ_E_BUSY
                  : sys == ENOMEM                 ? AQ_E_NOMEM
                                                  : AQ_E_IO;
    snprintf(err->text, sizeof(err->text), "%s: %s, %s", object,
             sys == EBADMSG ? "damaged" : strerror(sys), advice);
    return err->status;
}

/* Close, and keep errno. */
static void shut(int fd)
{
    int sys = errno;
    if (fd >= 0) {
        close(fd);
    }
    errno = sys;
}

static aq_status book_open(const struct aq_open_args *args, void **ret_self, struct aq_error *err)
{
    struct book *book = calloc(1, sizeof(*book));
    if (!book) {
        return fail(err, "store book", ENOMEM, "close other programs");
    }
    *book = (struct book){ args->host, args->values[0].text.ptr, -1 };
    *ret_self = book;
    return AQ_OK;
}

static void book_unlock(void *self)
{
    struct book *book = self;
    shut(book->lock_fd);
    book->lock_fd = -1;
}

static void book_close(void *self)
{
    if (self) {
        book_unlock(self);
        free(self);
    }
}

struct entry {
    struct aq_str key;
    struct aq_bytes value;
};

struct pages {
    struct entry entries[ENTRIES];
    uint32_t count;
    uint8_t *bytes; /* the file, which the entries point into */
    size_t len;
};

static void pages_done(struct pages *pages)
{
    if (pages->bytes) {
        explicit_bzero(pages->bytes, pages->len);
        free(pages->bytes);
    }
}

static struct entry *find(struct pages *pages, struct aq_str key)
{
    for (uint32_t i = 0; i < pages->count; i++) {
        struct entry *entry = &pages->entries[i];
        if (entry->key.len == key.len && memcmp(entry->key.ptr, key.ptr, key.len) == 0) {
            return entry;
        }
    }
    return NULL;
}

/* The file is entries one after the other: two lengths, the key, the value. */
static int parse(struct pages *pages)
{
    uint32_t len[2];
    for (size_t at = 0; at < pages->len; at += sizeof(len) + len[0] + len[1], pages->count++) {
        size_t left = pages->len - at;
        if (pages->count == ENTRIES || left < sizeof(len)) {
            return EBADMSG;
        }
        memcpy(len, pages->bytes + at, sizeof(len));
        if (left < sizeof(len) + len[0] + (size_t)len[1]) {
            return EBADMSG;
        }
        const uint8_t *key = pages->bytes + at + sizeof(len);
        pages->entries[pages->count] =
            (struct entry){ { (const char *)key, len[0] }, { key + len[0], len[1] } };
    }
    return 0;
}

static int read_all(int fd, struct pages *pages)
{
    struct stat info;
    ssize_t n = 1;
    if (fstat(fd, &info) != 0) {
        return errno;
    }
    if (info.st_size > FILE_MAX) {
        return EBADMSG;
    }
    pages->bytes = malloc((size_t)info.st_size + 1);
    while (pages->bytes && n > 0) {
        n = read(fd, pages->bytes + pages->len, (size_t)info.st_size - pages->len);
        pages->len += n > 0 ? (size_t)n : 0;
    }
    return !pages->bytes ? ENOMEM : n < 0 ? errno : parse(pages);
}

/* No directory and no file are a book without entries. */
static aq_status pages_load(const struct book *book, struct pages *pages, struct aq_error *err)
{
    int dir = open(book->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int fd = dir < 0 ? -1 : openat(dir, "book", O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    int sys = fd >= 0 ? read_all(fd, pages) : errno == ENOENT ? 0 : errno;
    shut(fd);
    shut(dir);
    return sys ? fail(err, book->directory, sys, "mend or remove the file 'book' in it") : AQ_OK;
}

static aq_status book_get(void *self, struct aq_str key, void *sink, struct aq_error *err)
{
    const struct book *book = self;
    struct pages pages = { .count = 0 };
    aq_status status = pages_load(book, &pages, err);
    if (status == AQ_OK) {
        const struct entry *entry = find(&pages, key);
        status = entry ? book->host->put(book->host->ctx, sink, key, entry->value)
                       : (err->status = AQ_E_NOTFOUND);
    }
    pages_done(&pages);
    return status;
}

static aq_status book_list(void *self, void *sink, struct aq_error *err)
{
    const struct book *book = self;
    const struct aq_bytes nothing = { NULL, 0 };
    struct pages pages = { .count = 0 };
    aq_status status = pages_load(book, &pages, err);
    for (uint32_t i = 0; status == AQ_OK && i < pages.count; i++) {
        status = book->host->put(book->host->ctx, sink, pages.entries[i].key, nothing);
    }
    pages_done(&pages);
    return status;
}

/* ---- writing ---- */

/* The directory, which is made if there is none; or -1. */
static int directory(const struct book *book)
{
    mkdir(book->directory, 0700); /* if that fails, so does opening it */
    return open(book->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* A descriptor that holds the lock until it is closed, or -1. */
static int lock_file(int dir, const char *name)
{
    int fd = openat(dir, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0) {
        shut(fd);
        return -1;
    }
    return fd;
}

/* While it is one's turn, nobody else writes. */
struct turn {
    int dir, fd;
};

static void turn_give(struct turn *turn)
{
    shut(turn->fd);
    shut(turn->dir);
}

static aq_status turn_take(const struct book *book, struct turn *turn, struct aq_error *err)
{
    const struct timespec pause = { 0, 10 * 1000 * 1000 };
    turn->dir = directory(book);
    turn->fd = turn->dir < 0 ? -1 : lock_file(turn->dir, "turn");
    for (int ms = 0; turn->fd < 0 && errno == EWOULDBLOCK && ms < TURN_MS; ms += 10) {
        nanosleep(&pause, NULL);
        turn->fd = lock_file(turn->dir, "turn");
    }
    return turn->fd >= 0 ? AQ_OK : fail(err, book->directory, errno, "make it writable");
}

static const struct aq_change *change_at(const struct aq_change *first, uint32_t i, uint32_t stride)
{
    return (const void *)((const char *)first + (size_t)i * stride);
}

static int is_met(struct pages *pages, const struct aq_change *change)
{
    const struct entry *entry = find(pages, change->key);
    switch (change->expect) {
    case AQ_EXPECT_ABSENT:
        return !entry;
    case AQ_EXPECT_VALUE:
        return entry && entry->value.len == change->expected.len &&
               (entry->value.len == 0 ||
                memcmp(entry->value.ptr, change->expected.ptr, entry->value.len) == 0);
    default:
        return 1;
    }
}

/* Change the entries, in memory. */
static int apply(struct pages *pages, const struct aq_change *change)
{
    struct entry *entry = find(pages, change->key);
    if (change->action == AQ_CHANGE_REMOVE && entry) {
        *entry = pages->entries[--pages->count];
    } else if (change->action == AQ_CHANGE_PUT) {
        if (!entry && pages->count == ENTRIES) {
            return ENOSPC;
        }
        entry = entry ? entry : &pages->entries[pages->count++];
        *entry = (struct entry){ change->key, change->value };
    }
    return 0;
}

static int write_all(int fd, const void *bytes, size_t len)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = write(fd, (const char *)bytes + done, len - done);
        if (n < 0) {
            return -1;
        }
        done += (size_t)n;
    }
    return 0;
}

static int write_entry(int fd, const struct entry *entry)
{
    const uint32_t len[2] = { (uint32_t)entry->key.len, (uint32_t)entry->value.len };
    return write_all(fd, len, sizeof(len)) || write_all(fd, entry->key.ptr, entry->key.len) ||
           write_all(fd, entry->value.ptr, entry->value.len);
}

/* The file that will be the book: private from its first instant. */
static int fresh(int dir)
{
    unlinkat(dir, "new", 0); /* of a commit that was interrupted */
    return openat(dir, "new", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
}

/* The new file takes the place of the old one as a whole. */
static int pages_save(int dir, const struct pages *pages)
{
    int fd = fresh(dir);
    int failed = fd < 0;
    for (uint32_t i = 0; !failed && i < pages->count; i++) {
        failed = write_entry(fd, &pages->entries[i]);
    }
    failed = failed || fsync(fd) != 0 || renameat(dir, "new", dir, "book") != 0 || fsync(dir) != 0;
    shut(fd);
    return failed ? errno : 0;
}

static aq_status change(const struct book *book, struct pages *pages,
                        const struct aq_change *changes, uint32_t count, uint32_t stride,
                        struct aq_error *err)
{
    int sys = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (!is_met(pages, change_at(changes, i, stride))) {
            snprintf(err->text, sizeof(err->text), "%s: changed meanwhile, read it again",
                     book->directory);
            return err->status = AQ_E_CHANGED;
        }
    }
    for (uint32_t i = 0; !sys && i < count; i++) {
        sys = apply(pages, change_at(changes, i, stride));
    }
    return sys ? fail(err, book->directory, sys, "it has room for 32 entries") : AQ_OK;
}

static aq_status book_commit(void *self, const struct aq_change *changes, uint32_t count,
                             uint32_t stride, struct aq_error *err)
{
    const struct book *book = self;
    struct pages pages = { .count = 0 };
    struct turn turn;
    aq_status status = turn_take(book, &turn, err);
    if (status == AQ_OK) {
        status = pages_load(book, &pages, err);
    }
    if (status == AQ_OK) {
        status = change(book, &pages, changes, count, stride, err);
    }
    if (status == AQ_OK) {
        int sys = pages_save(turn.dir, &pages);
        status =
            sys ? fail(err, book->directory, sys, "make it writable and free some space") : AQ_OK;
    }
    turn_give(&turn);
    pages_done(&pages);
    return status;
}

static aq_status book_can_save(void *self, struct aq_error *err)
{
    const struct book *book = self;
    struct stat info = { .st_size = 0 };
    struct turn turn;
    aq_status status = turn_take(book, &turn, err);
    if (status == AQ_OK) {
        int fd = fresh(turn.dir);
        fstatat(turn.dir, "book", &info, 0);
        int sys = fd < 0 ? errno : posix_fallocate(fd, 0, info.st_size + ROOM);
        shut(fd);
        unlinkat(turn.dir, "new", 0);
        status =
            sys ? fail(err, book->directory, sys, "make it writable and free some space") : AQ_OK;
    }
    turn_give(&turn);
    return status;
}

static aq_status book_lock(void *self, struct aq_error *err)
{
    struct book *book = self;
    int dir = directory(book);
    int fd = dir < 0 ? -1 : lock_file(dir, "lock");
    shut(dir);
    if (fd < 0) {
        return errno == EWOULDBLOCK ? AQ_AGAIN
                                    : fail(err, book->directory, errno, "make it writable");
    }
    book->lock_fd = fd;
    return AQ_OK;
}

static const struct aq_store_ops ops = {
    AQ_STORE_OPS,          .traits = AQ_STORE_PERSISTENT | AQ_STORE_SHARED,
    .open = book_open,     .close = book_close,
    .get = book_get,       .list = book_list,
    .commit = book_commit, .lock = book_lock,
    .unlock = book_unlock, .can_save = book_can_save,
};

static const struct aq_setting settings[] = {
    { .key = "directory",
      .default_value = "~/.local/share/amazonq-book",
      .env = "Q_STORE_BOOK_DIRECTORY",
      .help = "directory of the book; made if there is none",
      .type = AQ_SETTING_PATH },
};

static const struct aq_plugin plugin = {
    AQ_PLUGIN_INFO,
    .kind = AQ_PLUGIN_STORE,
    .name = "book",
    .version = "1.0",
    .summary = "keeps a login in one file",
    .store = &ops,
    AQ_PLUGIN_SETTINGS(settings),
};
AQ_PLUGIN(plugin)
