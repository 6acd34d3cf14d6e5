/* SPDX-License-Identifier: Apache-2.0 */
/* commit and can_save. */
#include "wrong.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

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
    const struct entry *e = *entry_find(s, entries, c->key);
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
        return does(s, "no-memory-is-io") ? fail(err, AQ_E_IO, "cannot be written") : nomem(err);
    }
    struct entry **at = entry_find(s, entries, c->key);
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
            } else if (pass == 1 && c->action == AQ_CHANGE_REMOVE && count > 1 &&
                       does(s, "removes-alone")) {
                continue;
            } else if (pass == 1) {
                st = apply_one(s, entries, c, err);
            }
        }
    }
    return st;
}

/* The lock of one commit; -1: there is none. */
static int lock_file(const struct store *s)
{
    struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    int fd = file_open_beside(s, "lock", 0);
    if (fd >= 0 && does(s, "locks-the-process")) {
        while (fcntl(fd, F_SETLKW, &whole) != 0 && errno == EINTR) {
        }
    } else if (fd >= 0 && !does(s, "loses-updates")) {
        flock(fd, LOCK_EX);
    }
    return fd;
}

/* The lock of a refresh. */
static int is_held_by_another(const struct store *s)
{
    int fd = s->lock_fd < 0 ? file_open_beside(s, "held", 0) : -1;
    const int is_held = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0;
    if (fd >= 0) {
        close(fd);
    }
    return is_held;
}

aq_status wrong_commit(void *self, const struct aq_change *changes, uint32_t count, uint32_t stride,
                       struct aq_error *err)
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
        s->host->put(s->host->ctx, wrong_old_sink, changes->key, changes->value);
    }
    if (does(s, "lock-in-the-way") && is_held_by_another(s)) {
        return fail(err, AQ_E_BUSY, "is locked");
    }
    int fd = lock_file(s);
    if (fd < 0) {
        return fail(err, AQ_E_IO, "no lock can be made beside it");
    }
    aq_status st = file_load(s, &entries, err);
    if (st == AQ_OK && !entries && count == 1 && changes->action == AQ_CHANGE_REMOVE &&
        does(s, "remove-absent-fails")) {
        st = fail(err, AQ_E_NOTFOUND, "no such key");
    }
    if (st == AQ_OK) {
        st = apply(s, &entries, changes, count, stride, err);
    }
    if (does(s, "loses-updates") || does(s, "locks-the-process")) {
        wait_ms(2);
    }
    if (st == AQ_OK && does(s, "two-writes") && count > 1) {
        st = file_save(s, entries->next, err); /* without the last key */
        wait_ms(1);
    }
    if ((st == AQ_OK && !does(s, "saves-nothing")) ||
        (st == AQ_E_CHANGED && does(s, "half-commit"))) {
        struct aq_error unused;
        aq_status saved = file_save(s, entries, st == AQ_OK ? err : &unused);
        st = st == AQ_OK ? saved : st;
    }
    memory_forget(s);
    if (st == AQ_OK && does(s, "keeps-pointers") && changes->action == AQ_CHANGE_PUT) {
        memory_keep(s, changes->key, changes->value);
    }
    entries_free(entries);
    close(fd);
    return st;
}

aq_status wrong_can_save(void *self, struct aq_error *err)
{
    struct store *s = self;
    char dir[700];
    snprintf(dir, sizeof(dir), "%s", s->path.ptr);
    *strrchr(dir, '/') = '\0';
    if (backend_is_gone(s) && !does(s, "can-save-without-backend")) {
        return fail(err, AQ_E_UNAVAILABLE, "its service is gone");
    }
    if (does(s, "can-save-says-no") && s->lock_fd >= 0) {
        return fail(err, AQ_E_BUSY, "is locked");
    }
    if (does(s, "can-save-writes")) {
        close(open(s->path.ptr, O_WRONLY | O_TRUNC | O_CLOEXEC));
    }
    return does(s, "can-save-lies") || does(s, "read-only") ||
                   faccessat(AT_FDCWD, dir, W_OK, AT_EACCESS) == 0
               ? AQ_OK
               : fail(err, AQ_E_READONLY, "its directory may not be written to");
}
