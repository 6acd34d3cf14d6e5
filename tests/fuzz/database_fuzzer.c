/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a database file: reading fails with a word about it or gives rows, and changes
 * nothing. What a save says it saved is there afterwards; after any other answer the row is what it
 * was, or cannot be read, as before.
 */
#include "base/alloc.h"
#include "fuzz/store.h"

static const struct aq_str keys[] = {
    AQ_STR_INIT("codewhisperer:odic:token"),
    AQ_STR_INIT("codewhisperer:odic:device-registration"),
    AQ_STR_INIT("api.codewhisperer.profile"),
};

enum { KEYS = sizeof(keys) / sizeof(keys[0]) };

/* True if the database is byte for byte the input. */
static bool is_unchanged(const uint8_t *data, size_t size)
{
    uint8_t *now = malloc(size + 1);
    int fd = open(store_path(), O_RDONLY | O_CLOEXEC);
    bool same = fd >= 0 && read(fd, now, size + 1) == (ssize_t)size;
    same = same && (size == 0 || memcmp(now, data, size) == 0);
    close(fd);
    free(now);
    return same;
}

static void read_check(struct store *s)
{
    struct plugin_entry *found = NULL;
    struct aq_error err;
    for (int i = 0; i < KEYS; i++) {
        store_get(s, keys[i], &found);
        plugin_entries_free(found);
    }
    found = NULL;
    store_result(s->ops->list(s->self, &found, &err), &err);
    plugin_entries_free(found);
}

static bool entries_equal(const struct plugin_entry *a, const struct plugin_entry *b)
{
    return a->value_len == b->value_len && memcmp(a->value, b->value, a->value_len) == 0;
}

/* Save as a refresh does: under the lock, after asking whether it will work. */
static void save_check(struct store *s)
{
    static const struct aq_str value = AQ_STR_INIT("{\"access_token\":\"new\"}");
    struct plugin_entry *before;
    struct plugin_entry *after;
    struct aq_error err;
    aq_status was = store_get(s, TOKEN_KEY, &before);
    if (store_result(s->ops->lock(s->self, &err), &err) == AQ_OK) {
        store_result(s->ops->can_save(s->self, &err), &err);
        aq_status st = store_put(s, TOKEN_KEY, str_bytes(value));
        aq_status is = store_get(s, TOKEN_KEY, &after);
        if (st == AQ_OK) {
            PROMISE(is == AQ_OK);
            PROMISE(str_eq((struct aq_str){ (char *)after->value, after->value_len }, value));
        } else {
            PROMISE(is == was);
            PROMISE(is != AQ_OK || entries_equal(before, after));
        }
        plugin_entries_free(after);
        s->ops->unlock(s->self);
    }
    plugin_entries_free(before);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const beside[] = { "", "-journal", "-wal", "-shm" };
    struct store s;
    folder_write(store_path(), data, size);
    store_open(&s);
    read_check(&s);
    PROMISE(is_unchanged(data, size));
    save_check(&s);
    store_close(&s);
    for (size_t i = 0; i < sizeof(beside) / sizeof(beside[0]); i++) {
        char path[160];
        snprintf(path, sizeof(path), "%s%s", store_path(), beside[i]);
        unlink(path);
    }
    return 0;
}
