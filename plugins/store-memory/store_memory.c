/* SPDX-License-Identifier: Apache-2.0 */
/* store-memory: keeps a login until the process ends. The example for authors of stores; all
 * instances of a process share one list of entries. */
#include <amazonq/plugin.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct entry {
    struct entry *next;
    struct aq_str key;
    struct aq_bytes value;
    uint8_t bytes[]; /* of the key, then of the value */
};

struct memory {
    const struct aq_host *host;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* over what follows */
static struct entry *entries;
static const struct memory *lock_owner;

static aq_status fail(struct aq_error *err, aq_status status, const char *text)
{
    snprintf(err->text, sizeof(err->text), "store memory: %s", text);
    return err->status = status;
}

/* The link that points to the entry of this key, or the one at the end of the list. */
static struct entry **find(struct entry **list, struct aq_str key)
{
    while (*list &&
           ((*list)->key.len != key.len || memcmp((*list)->key.ptr, key.ptr, key.len) != 0)) {
        list = &(*list)->next;
    }
    return list;
}

static struct entry *entry_new(struct aq_str key, struct aq_bytes value)
{
    struct entry *e = malloc(sizeof(*e) + key.len + value.len);
    if (e) {
        *e = (struct entry){ NULL,
                             { (char *)e->bytes, key.len },
                             { e->bytes + key.len, value.len } };
        memcpy(e->bytes, key.ptr, key.len);
        if (value.len) {
            memcpy(e->bytes + key.len, value.ptr, value.len);
        }
    }
    return e;
}

static void entries_free(struct entry *e)
{
    while (e) {
        struct entry *next = e->next;
        explicit_bzero(e->bytes, e->key.len + e->value.len); /* values are secrets */
        free(e);
        e = next;
    }
}

static aq_status memory_open(const struct aq_open_args *args, void **ret_self, struct aq_error *err)
{
    struct memory *m = malloc(sizeof(*m));
    if (!m) {
        return fail(err, AQ_E_NOMEM, "out of memory");
    }
    m->host = args->host;
    *ret_self = m;
    return AQ_OK;
}

/* host->put copies and calls nobody back, so it may run under the mutex. */
static aq_status memory_get(void *self, struct aq_str key, void *sink, struct aq_error *err)
{
    const struct aq_host *host = ((struct memory *)self)->host;
    pthread_mutex_lock(&mutex);
    const struct entry *e = *find(&entries, key);
    aq_status status =
        e ? host->put(host->ctx, sink, key, e->value) : fail(err, AQ_E_NOTFOUND, "no such key");
    pthread_mutex_unlock(&mutex);
    return status;
}

static aq_status memory_list(void *self, void *sink, struct aq_error *err)
{
    const struct aq_host *host = ((struct memory *)self)->host;
    aq_status status = AQ_OK;
    (void)err;
    pthread_mutex_lock(&mutex);
    for (const struct entry *e = entries; e && status == AQ_OK; e = e->next) {
        status = host->put(host->ctx, sink, e->key, (struct aq_bytes){ NULL, 0 });
    }
    pthread_mutex_unlock(&mutex);
    return status;
}

static int is_met(const struct aq_change *change, const struct entry *e)
{
    struct aq_bytes expected = change->expected;
    switch (change->expect) {
    case AQ_EXPECT_ABSENT:
        return !e;
    case AQ_EXPECT_VALUE:
        return e && e->value.len == expected.len &&
               (!expected.len || memcmp(e->value.ptr, expected.ptr, expected.len) == 0);
    default:
        return 1;
    }
}

/* All or nothing: what can fail comes first, and only then the entries are changed. */
static aq_status memory_commit(void *self, const struct aq_change *changes, uint32_t count,
                               uint32_t stride, struct aq_error *err)
{
    const char *end = (const char *)changes + (size_t)count * stride;
    struct entry *fresh = NULL, *old = NULL;
    aq_status status = AQ_OK;
    (void)self;

    pthread_mutex_lock(&mutex);
    for (const char *at = (const char *)changes; at < end && status == AQ_OK; at += stride) {
        const struct aq_change *change = (const void *)at;
        if (!is_met(change, *find(&entries, change->key))) {
            status = fail(err, AQ_E_CHANGED, "a value was changed meanwhile, read it again");
        } else if (change->action == AQ_CHANGE_PUT &&
                   !(*find(&fresh, change->key) = entry_new(change->key, change->value))) {
            status = fail(err, AQ_E_NOMEM, "out of memory");
        }
    }
    for (const char *at = (const char *)changes; at < end && status == AQ_OK; at += stride) {
        const struct aq_change *change = (const void *)at;
        struct entry **link = find(&entries, change->key);
        struct entry *e = *link;
        if (e && change->action != AQ_CHANGE_KEEP) {
            *link = e->next;
            e->next = old;
            old = e;
        }
    }
    if (fresh && status == AQ_OK) {
        *find(&entries, fresh->key) = fresh; /* none of these keys is there any more */
        fresh = NULL;
    }
    pthread_mutex_unlock(&mutex);
    entries_free(fresh);
    entries_free(old);
    return status;
}

static aq_status memory_lock(void *self, struct aq_error *err)
{
    (void)err;
    pthread_mutex_lock(&mutex);
    aq_status status = lock_owner ? AQ_AGAIN : AQ_OK;
    lock_owner = lock_owner ? lock_owner : self;
    pthread_mutex_unlock(&mutex);
    return status;
}

static void memory_unlock(void *self)
{
    pthread_mutex_lock(&mutex);
    lock_owner = lock_owner == self ? NULL : lock_owner;
    pthread_mutex_unlock(&mutex);
}

static void memory_close(void *self)
{
    if (self) {
        memory_unlock(self);
        free(self);
    }
}

static const struct aq_store_ops ops = {
    AQ_STORE_OPS,        .open = memory_open,     .close = memory_close, .get = memory_get,
    .list = memory_list, .commit = memory_commit, .lock = memory_lock,   .unlock = memory_unlock,
};

static const struct aq_plugin plugin = {
    AQ_PLUGIN_INFO,   .kind = AQ_PLUGIN_STORE, .name = "memory",
    .version = "1.0", .store = &ops,           .summary = "keeps a login until the process ends",
};
AQ_PLUGIN(plugin)
