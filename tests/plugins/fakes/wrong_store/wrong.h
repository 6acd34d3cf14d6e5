/* SPDX-License-Identifier: Apache-2.0 */
/* A sound store in one file, except for what its setting "deed" says: for those who have to notice.
 * tests/conformance/store_deeds.py has the list. With WRONG_GRANTS it is a token server, too. */
#ifndef WRONG_STORE_H
#define WRONG_STORE_H

#include <amazonq/plugin.h>
#include <setjmp.h>
#include <sys/stat.h>

/* What the file has: a list, each entry one block. */
struct entry {
    struct entry *next;
    struct aq_str key;
    struct aq_bytes value;
};

/* A value that an instance remembers. */
struct memory {
    char key[320], value[2048];
    size_t len;            /* of the key; 0: nothing */
    struct aq_bytes bytes; /* the value: here, or where a commit had it */
    struct stat file;      /* as it was then */
};

struct store {
    const struct aq_host *host;
    struct aq_str path;
    const char *deed;
    int64_t backend; /* process that serves it; 0: none */
    int lock_fd;
    struct memory memory;
    struct aq_token_wish wish; /* that is under way */
};

extern const struct aq_store_ops wrong_ops;

/* Of the instance that was opened last: some functions get none. */
extern const char *wrong_deed;

/* Of an instance that is no more. */
extern const struct aq_host *wrong_closed_host;

int does(const struct store *s, const char *deed);
void wait_ms(long ms);
aq_status fail(struct aq_error *err, aq_status status, const char *what);
aq_status nomem(struct aq_error *err);

/* ---- the file ---- */

aq_status file_load(const struct store *s, struct entry **ret, struct aq_error *err);
aq_status file_save(const struct store *s, const struct entry *entries, struct aq_error *err);
int file_open_beside(const struct store *s, const char *suffix, int flags);

struct entry *entry_new(struct aq_str key, struct aq_bytes value);
void entries_free(struct entry *e);

/* Where the entry of this key is, or its successor's place. */
struct entry **entry_find(const struct store *s, struct entry **at, struct aq_str key);

/* ---- functions of the table, by subject ---- */

aq_status wrong_get(void *self, struct aq_str key, void *sink, struct aq_error *err);
aq_status wrong_list(void *self, void *sink, struct aq_error *err);
aq_status wrong_commit(void *self, const struct aq_change *changes, uint32_t count, uint32_t stride,
                       struct aq_error *err);
aq_status wrong_can_save(void *self, struct aq_error *err);
aq_status wrong_lock(void *self, struct aq_error *err);
void wrong_unlock(void *self);
aq_status wrong_grant(void *self, struct aq_str key, const struct aq_token_wish *wish, void *sink,
                      struct aq_error *err);

/* A sink of a call that is over. */
extern void *wrong_old_sink;

/* Where longjmp leads to: into open. */
extern jmp_buf wrong_way_out;

/* A value that goes out, or what stands in the way. */
aq_status wrong_hand_over(struct store *s, struct aq_str key, void *sink, struct aq_bytes value);

/* Remember a value, the bytes at their place if the deed wants that; forget it. */
void memory_keep(struct store *s, struct aq_str key, struct aq_bytes value);
void memory_forget(struct store *s);

/* What is remembered of this key and may be told; NULL: nothing. */
const struct aq_bytes *memory_of(const struct store *s, struct aq_str key);

/* Whether its backend is stopped, or is no more. */
int backend_is_stopped(const struct store *s);
int backend_is_gone(const struct store *s);

#endif
