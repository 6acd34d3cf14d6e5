/* SPDX-License-Identifier: Apache-2.0 */
/* A sound store in one file, except for what its setting "deed" says: for those who have to notice.
 * tests/conformance/test_wrong_stores.py has the list. */
#include <amazonq/plugin.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { SETTING_PATH, SETTING_DEED };

struct store {
    const struct aq_host *host;
    struct aq_str path;
    const char *deed;
    int lock_fd;
};

struct entry {
    struct entry *next;
    struct aq_str key;
    struct aq_bytes value;
};

static const struct aq_host *closed_host; /* of an instance that is no more */
static void *old_sink;                    /* of a call that is over */
static jmp_buf way_out;
static int locked_here; /* a lock that other processes know nothing of */

static int does(const struct store *s, const char *deed)
{
    return strcmp(s->deed, deed) == 0;
}

static aq_status fail(struct aq_error *err, aq_status status, const char *what)
{
    err->status = status;
    err->sys = errno;
    snprintf(err->text, sizeof(err->text), "store wrong: %s", what);
    return status;
}

static aq_status nomem(struct aq_error *err)
{
    return fail(err, AQ_E_NOMEM, "out of memory");
}

static void wait_ms(long ms)
{
    const struct timespec time = { ms / 1000, ms % 1000 * 1000000 };
    nanosleep(&time, NULL);
}

/* ---- the file: of each entry the lengths of key and value, the key, the value ---- */

static void entries_free(struct entry *e)
{
    while (e) {
        struct entry *next = e->next;
        free(e);
        e = next;
    }
}

static struct entry *entry_new(struct aq_str key, struct aq_bytes value)
{
    struct entry *e = malloc(sizeof(*e) + key.len + value.len);
    if (e) {
        char *bytes = (char *)(e + 1);
        *e = (struct entry){ .key = { bytes, key.len },
                             .value = { (uint8_t *)bytes + key.len, value.len } };
        memcpy(bytes, key.ptr, key.len);
        if (value.len) {
            memcpy(bytes + key.len, value.ptr, value.len);
        }
    }
    return e;
}

static aq_status read_entry(FILE *f, struct entry **ret)
{
    uint32_t lens[2];
    if (fread(lens, sizeof(lens), 1, f) != 1) {
        return AQ_END;
    }
    struct entry *e = malloc(sizeof(*e) + lens[0] + lens[1]);
    if (!e) {
        return AQ_E_NOMEM;
    }
    char *bytes = (char *)(e + 1);
    *e = (struct entry){ .key = { bytes, lens[0] },
                         .value = { (uint8_t *)bytes + lens[0], lens[1] } };
    *ret = e;
    return fread(bytes, 1, lens[0] + lens[1], f) == lens[0] + lens[1] ? AQ_OK : AQ_E_CORRUPT;
}

static aq_status load(const struct store *s, struct entry **ret, struct aq_error *err)
{
    struct entry **at = ret;
    *ret = NULL;
    FILE *f = fopen(s->path.ptr, "re");
    if (!f) {
        return errno == ENOENT ? AQ_OK
                               : fail(err, errno == ENOMEM ? AQ_E_NOMEM : AQ_E_IO, "unreadable");
    }
    aq_status st;
    while ((st = read_entry(f, at)) == AQ_OK) {
        at = &(*at)->next;
    }
    fclose(f);
    if (st != AQ_END) {
        entries_free(*ret);
        *ret = NULL;
        return st == AQ_E_NOMEM ? nomem(err) : fail(err, AQ_E_CORRUPT, "the file is cut off");
    }
    return AQ_OK;
}

static int write_all(int fd, const struct entry *e)
{
    for (; e; e = e->next) {
        const uint32_t lens[2] = { (uint32_t)e->key.len, (uint32_t)e->value.len };
        const ssize_t len = (ssize_t)(e->key.len + e->value.len);
        if (write(fd, lens, sizeof(lens)) != sizeof(lens) ||
            write(fd, e->key.ptr, (size_t)len) != len) {
            return 0;
        }
    }
    return fsync(fd) == 0;
}

/* A new file in the place of the old one. */
static aq_status save(const struct store *s, const struct entry *entries, struct aq_error *err)
{
    char path[700];
    snprintf(path, sizeof(path), "%s.XXXXXX", s->path.ptr);
    int fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0) {
        return fail(err, AQ_E_IO, "no file can be made beside it");
    }
    int ok = write_all(fd, entries) && (!does(s, "world-readable") || fchmod(fd, 0644) == 0);
    close(fd);
    if (!ok || rename(path, s->path.ptr) != 0) {
        fail(err, AQ_E_IO, "cannot be written");
        unlink(does(s, "full-disk-loses") ? s->path.ptr : path);
        return AQ_E_IO;
    }
    return AQ_OK;
}

static int open_beside(const struct store *s, const char *suffix, int flags)
{
    char path[700];
    snprintf(path, sizeof(path), "%s.%s", s->path.ptr, suffix);
    return open(path, O_RDWR | O_CREAT | O_CLOEXEC | flags, 0600);
}

/* ---- opening ---- */

static void *call_host(void *arg)
{
    const struct store *s = arg;
    s->host->log(s->host->ctx, AQ_LOG_INFO, AQ_STR("from a thread of its own"));
    return NULL;
}

static aq_status wrong_open(const struct aq_open_args *args, void **ret_self, struct aq_error *err)
{
    struct store *s = calloc(1, sizeof(*s));
    if (!s) {
        return nomem(err);
    }
    s->host = args->host;
    s->path = args->values[SETTING_PATH].text;
    s->deed = args->values[SETTING_DEED].text.ptr;
    s->lock_fd = -1;
    *ret_self = s;
    if (does(s, "longjmp")) {
        setjmp(way_out); /* an instance's functions come back here */
    } else if (does(s, "open-creates")) {
        close(open(s->path.ptr, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    } else if (does(s, "leaks-descriptor")) {
        s->lock_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        s->lock_fd = -1;
    } else if (does(s, "calls-after-close") && closed_host) {
        closed_host->log(closed_host->ctx, AQ_LOG_INFO, AQ_STR("from the instance before"));
    } else if (does(s, "open-nothing")) {
        *ret_self = NULL;
        free(s);
    }
    return AQ_OK;
}

static void wrong_unlock(void *self)
{
    struct store *s = self;
    char path[700];
    snprintf(path, sizeof(path), "%s.held", s->path.ptr);
    if (s->lock_fd >= 0) {
        locked_here = 0;
        if (does(s, "lock-outlives")) {
            unlink(path);
        }
        close(s->lock_fd);
        s->lock_fd = -1;
    } else if (does(s, "unlock-others")) {
        unlink(path); /* whoever comes next locks another file */
    }
}

static void wrong_close(void *self)
{
    struct store *s = self;
    if (!s) {
        return;
    }
    if (does(s, "close-keeps-lock")) {
        s->lock_fd = -1;
    }
    wrong_unlock(s);
    closed_host = s->host;
    if (!does(s, "leaks-memory")) {
        free(s);
    }
}

/* ---- reading ---- */

static int is_key(const struct store *s, struct aq_str a, struct aq_str b)
{
    return a.len == b.len && (does(s, "keys-without-case") ? strncasecmp(a.ptr, b.ptr, a.len)
                                                           : memcmp(a.ptr, b.ptr, a.len)) == 0;
}

static struct entry **find(const struct store *s, struct entry **at, struct aq_str key)
{
    while (*at && !is_key(s, (*at)->key, key)) {
        at = &(*at)->next;
    }
    return at;
}

/* What it does with a value that is there. */
static aq_status hand_over(const struct store *s, struct aq_str key, void *sink,
                           struct aq_bytes value)
{
    const struct aq_host *host = s->host;
    aq_status st = AQ_OK;
    if (does(s, "get-chmods")) {
        chmod(s->path.ptr, 0400);
    } else if (does(s, "get-creates")) {
        close(open_beside(s, "seen", 0));
    }
    if (does(s, "get-nothing")) {
        return AQ_OK;
    }
    if (does(s, "get-null")) {
        return host->put(host->ctx, sink, key, (struct aq_bytes){ NULL, 5 });
    }
    if (does(s, "get-negative")) {
        return host->put(host->ctx, sink, key, (struct aq_bytes){ value.ptr, (size_t)-1 });
    }
    if (does(s, "get-old-sink") && old_sink) {
        host->put(host->ctx, old_sink, key, value);
    }
    if (does(s, "get-other-key")) {
        return host->put(host->ctx, sink, AQ_STR("another"), value);
    }
    st = host->put(host->ctx, sink, key, value);
    if (does(s, "get-twice")) {
        host->put(host->ctx, sink, key, value);
    }
    old_sink = (char *)sink + 1; /* nothing is there */
    return does(s, "put-ignored") ? AQ_OK : st;
}

/* What get does before it looks. */
static void begin_get(struct store *s)
{
    pthread_t thread;
    if (does(s, "exit")) {
        exit(0);
    } else if (does(s, "abort")) {
        abort();
    } else if (does(s, "longjmp")) {
        longjmp(way_out, 1);
    } else if (does(s, "blocks")) {
        wait_ms(10000);
    } else if (does(s, "closes-and-blocks")) {
        for (int fd = STDERR_FILENO + 1; fd < 256; fd++) {
            close(fd);
        }
        pause();
    } else if (does(s, "prints")) {
        printf("found it\n");
        fflush(stdout);
    } else if (does(s, "logs-lines")) {
        s->host->log(s->host->ctx, AQ_LOG_INFO, AQ_STR("two\nlines"));
    } else if (does(s, "thread")) {
        if (pthread_create(&thread, NULL, call_host, s) == 0) {
            pthread_join(thread, NULL);
        }
    } else if (does(s, "leaves-process")) {
        static int is_left;
        if (!is_left++ && fork() == 0) {
            setsid();
            pause();
        }
    } else if (does(s, "ready")) {
        s->host->ready(s->host->ctx, s);
    }
}

static aq_status wrong_get(void *self, struct aq_str key, void *sink, struct aq_error *err)
{
    struct store *s = self;
    struct entry *entries;
    begin_get(s);
    aq_status st = load(s, &entries, err);
    if (st == AQ_E_NOMEM && does(s, "no-memory-is-absent")) {
        return err->status = AQ_E_NOTFOUND;
    }
    if (st != AQ_OK) {
        return st;
    }
    const struct aq_str wanted = { key.ptr, does(s, "key-by-strlen") ? strlen(key.ptr) : key.len };
    const struct entry *e = *find(s, &entries, wanted);
    if (e) {
        struct aq_bytes value = e->value;
        value.len = does(s, "cuts-values") && value.len > 65535 ? 65535 : value.len;
        st = hand_over(s, key, sink, value);
    } else {
        st = does(s, "status-positive")  ? 7
             : does(s, "status-unknown") ? -999
             : does(s, "status-login")   ? AQ_E_LOGIN_NEEDED
             : does(s, "absent-is-io")   ? fail(err, AQ_E_IO, "no such key")
                                         : AQ_E_NOTFOUND;
    }
    entries_free(entries);
    return st;
}

static aq_status wrong_list(void *self, void *sink, struct aq_error *err)
{
    struct store *s = self;
    struct entry *entries;
    aq_status st = load(s, &entries, err);
    for (struct entry *e = entries; e && st == AQ_OK; e = e->next) {
        st = s->host->put(s->host->ctx, sink, e->key, (struct aq_bytes){ NULL, 0 });
        if (does(s, "list-twice") && !e->next) {
            st = s->host->put(s->host->ctx, sink, e->key, (struct aq_bytes){ NULL, 0 });
        }
    }
    entries_free(entries);
    return st;
}

/* ---- writing ---- */

static aq_status changed(const struct store *s, const struct aq_change *c, struct aq_error *err)
{
    fail(err, AQ_E_CHANGED, "somebody else was here");
    if (does(s, "secret-in-error")) {
        snprintf(err->text, sizeof(err->text), "store wrong: it is not %.*s any more",
                 (int)c->value.len, (const char *)c->value.ptr);
    } else if (does(s, "error-silent")) {
        err->text[0] = '\0';
    } else if (does(s, "error-lines")) {
        strcpy(err->text, "store wrong: one line\nand another");
    } else if (does(s, "error-endless")) {
        memset(err->text, 'x', sizeof(err->text));
    } else if (does(s, "error-other-status")) {
        err->status = AQ_E_BUSY;
    }
    return AQ_E_CHANGED;
}

static int is_met(const struct store *s, struct entry **entries, const struct aq_change *c)
{
    const struct entry *e = *find(s, entries, c->key);
    if (c->expect != AQ_EXPECT_VALUE) {
        return c->expect == AQ_EXPECT_ANY || !e;
    }
    return e && e->value.len >= c->expected.len &&
           (e->value.len == c->expected.len || does(s, "compares-beginnings")) &&
           (!c->expected.len || memcmp(e->value.ptr, c->expected.ptr, c->expected.len) == 0);
}

static aq_status apply_one(const struct store *s, struct entry **entries, const struct aq_change *c,
                           struct aq_error *err)
{
    struct entry *fresh = NULL;
    if (c->action == AQ_CHANGE_KEEP && !does(s, "keep-removes")) {
        return AQ_OK;
    }
    if (c->action == AQ_CHANGE_PUT && !(fresh = entry_new(c->key, c->value))) {
        return nomem(err);
    }
    struct entry **at = find(s, entries, c->key);
    struct entry *old = *at;
    *at = old ? old->next : NULL;
    free(old);
    if (fresh) {
        fresh->next = *entries;
        *entries = fresh;
    }
    return AQ_OK;
}

/* Compare all, then change all. */
static aq_status apply(const struct store *s, struct entry **entries,
                       const struct aq_change *changes, uint32_t count, uint32_t stride,
                       struct aq_error *err)
{
    const int is_half = does(s, "half-commit");
    aq_status st = AQ_OK;
    stride = does(s, "stride-ignored") ? sizeof(*changes) : stride;
    for (int pass = is_half; pass < 2 && st == AQ_OK; pass++) {
        for (uint32_t i = 0; i < count && st == AQ_OK; i++) {
            const struct aq_change *c = (const void *)((const char *)changes + (size_t)i * stride);
            if ((pass == 0 || is_half) && !is_met(s, entries, c)) {
                st = changed(s, c, err);
            } else if (pass == 1) {
                st = apply_one(s, entries, c, err);
            }
        }
    }
    return st;
}

static aq_status wrong_commit(void *self, const struct aq_change *changes, uint32_t count,
                              uint32_t stride, struct aq_error *err)
{
    struct store *s = self;
    struct entry *entries;
    if (does(s, "read-only")) {
        return fail(err, AQ_E_READONLY, "is kept by somebody else");
    }
    if (does(s, "commit-crashes") && count > 1) {
        raise(SIGSEGV);
    }
    if (does(s, "commit-puts")) {
        s->host->put(s->host->ctx, old_sink, changes->key, changes->value);
    }
    int fd = open_beside(s, "lock", 0);
    if (fd < 0) {
        return fail(err, AQ_E_IO, "no lock can be made beside it");
    }
    if (!does(s, "loses-updates")) {
        flock(fd, LOCK_EX);
    }
    aq_status st = load(s, &entries, err);
    if (st == AQ_OK) {
        st = apply(s, &entries, changes, count, stride, err);
    }
    if (does(s, "loses-updates")) {
        wait_ms(2);
    }
    if (st == AQ_OK && does(s, "two-writes") && count > 1) {
        st = save(s, entries->next, err); /* without the last key */
        wait_ms(1);
    }
    if ((st == AQ_OK && !does(s, "saves-nothing")) ||
        (st == AQ_E_CHANGED && does(s, "half-commit"))) {
        struct aq_error unused;
        aq_status saved = save(s, entries, st == AQ_OK ? err : &unused);
        st = st == AQ_OK ? saved : st;
    }
    entries_free(entries);
    close(fd);
    return st;
}

static aq_status wrong_can_save(void *self, struct aq_error *err)
{
    struct store *s = self;
    char dir[700];
    snprintf(dir, sizeof(dir), "%s", s->path.ptr);
    *strrchr(dir, '/') = '\0';
    if (does(s, "can-save-writes")) {
        close(open(s->path.ptr, O_WRONLY | O_TRUNC | O_CLOEXEC));
    }
    return does(s, "can-save-lies") || does(s, "read-only") ||
                   faccessat(AT_FDCWD, dir, W_OK, AT_EACCESS) == 0
               ? AQ_OK
               : fail(err, AQ_E_READONLY, "its directory may not be written to");
}

/* ---- the lock ---- */

static aq_status wrong_lock(void *self, struct aq_error *err)
{
    struct store *s = self;
    if (does(s, "lock-forgotten")) {
        return AQ_OK;
    }
    if (does(s, "lock-of-the-process")) {
        if (locked_here) {
            return AQ_AGAIN;
        }
        locked_here = 1;
        s->lock_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        return AQ_OK;
    }
    int fd = open_beside(s, "held", does(s, "lock-outlives") ? O_EXCL : 0);
    if (fd < 0) {
        return errno == EEXIST ? AQ_AGAIN : fail(err, AQ_E_IO, "no lock can be made beside it");
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        close(fd);
        return AQ_AGAIN;
    }
    s->lock_fd = fd;
    return AQ_OK;
}

static const struct aq_setting settings[] = {
    [SETTING_PATH] = { .key = "path",
                       .type = AQ_SETTING_PATH,
                       .help = "file of the values",
                       .flags = AQ_SETTING_REQUIRED },
    [SETTING_DEED] = { .key = "deed",
                       .type = AQ_SETTING_STRING,
                       .env = "AQ_TEST_DEED",
                       .help = "what it does wrong",
                       .default_value = "none" },
};

static const struct aq_store_ops ops = {
    AQ_STORE_OPS,           .traits = AQ_STORE_PERSISTENT | AQ_STORE_SHARED,
    .open = wrong_open,     .close = wrong_close,
    .get = wrong_get,       .list = wrong_list,
    .commit = wrong_commit, .lock = wrong_lock,
    .unlock = wrong_unlock, .can_save = wrong_can_save,
};

static const struct aq_plugin plugin = {
    AQ_PLUGIN_INFO,          AQ_PLUGIN_SETTINGS(settings),
    .kind = AQ_PLUGIN_STORE, .name = "wrong",
    .version = "1.0",        .summary = "does what its setting says",
    .store = &ops,
};
AQ_PLUGIN(plugin)
