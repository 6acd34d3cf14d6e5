/* SPDX-License-Identifier: Apache-2.0 */
/* The file: of each entry the lengths of key and value, the key, the value. */
#include "wrong.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

void entries_free(struct entry *e)
{
    while (e) {
        struct entry *next = e->next;
        free(e);
        e = next;
    }
}

struct entry *entry_new(struct aq_str key, struct aq_bytes value)
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

aq_status file_load(const struct store *s, struct entry **ret, struct aq_error *err)
{
    struct entry **at = ret;
    *ret = NULL;
    if (backend_is_gone(s)) {
        return fail(err, AQ_E_UNAVAILABLE, "its service is gone");
    }
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
aq_status file_save(const struct store *s, const struct entry *entries, struct aq_error *err)
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

int file_open_beside(const struct store *s, const char *suffix, int flags)
{
    char path[700];
    snprintf(path, sizeof(path), "%s.%s", s->path.ptr, suffix);
    return open(path, O_RDWR | O_CREAT | O_CLOEXEC | flags, 0600);
}

static int is_key(const struct store *s, struct aq_str a, struct aq_str b)
{
    return a.len == b.len && (does(s, "keys-without-case") ? strncasecmp(a.ptr, b.ptr, a.len)
                                                           : memcmp(a.ptr, b.ptr, a.len)) == 0;
}

struct entry **entry_find(const struct store *s, struct entry **at, struct aq_str key)
{
    while (*at && !is_key(s, (*at)->key, key)) {
        at = &(*at)->next;
    }
    return at;
}
