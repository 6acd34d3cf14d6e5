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
    size_t key_len;
    size_t value_len;
    char bytes[]; /* the key, then the value */
};

struct memory {
    const struct aq_host *host;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* over what follows */
static struct entry *entries;
static const struct memory *lock_owner;

static aq_status fail(struct aq_error *err, aq_status status, const char *text)
{
    if (err) {
        *err = (struct aq_error){ .status = status };
        snprintf(err->text, sizeof(err->text), "store memory: %s", text);
    }
    return status;
}

static struct entry *entry_new(struct aq_str key, struct aq_bytes value)
{
    struct entry *e = malloc(sizeof(*e) + key.len + value.len);
    if (e) {
        *e = (struct entry){ NULL, key.len, value.len };
        memcpy(e->bytes, key.ptr, key.len);
        if (value.len) {
            memcpy(e->bytes + key.len, value.ptr, value.len);
        }
    }
    return e;
}

/* Values are secrets: wipe every copy. */
static void entry_free(struct entry *e)
{
    if (e) {
        explicit_bzero(e->bytes, e->key_len + e->value_len);
        free(e);
    }
}

/* The link that points to the entry of this key, or to the end of the list. */
static struct entry **find(struct aq_str key)
{
    struct entry **at = &entries;
    while (*at && !((*at)->key_len == key.len && memcmp((*at)->bytes, key.ptr, key.len) == 0)) {
        at = &(*at)->next;
    }
    return at;
}

static struct aq_bytes value_of(const struct entry *e)
{
    return (struct aq_bytes){ (const uint8_t *)e->bytes + e->key_len, e->value_len };
}

static aq_status memory_open(const struct aq_open_args *args, void **ret_self, struct aq_error *err)
{
    struct memory *m = calloc(1, sizeof(*m));
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
    const struct entry *e = *find(key);
    aq_status status =
        e ? host->put(host->ctx, sink, key, value_of(e)) : fail(err, AQ_E_NOTFOUND, "no such key");
    pthread_mutex_unlock(&mutex);
    return status;
}

static aq_status memory_list(void *self, void *sink, struct aq_error *err)
{
    const struct aq_host *host = ((struct memory *)self)->host;
    aq_status status = AQ_OK;
    (void)err;
    pthread_mutex_lock(&mutex);
    for (struct entry *e = entries; e && status == AQ_OK; e = e->next) {
        struct aq_str key = { e->bytes, e->key_len };
        status = host->put(host->ctx, sink, key, (struct aq_bytes){ NULL, 0 });
    }
    pthread_mutex_unlock(&mutex);
    return status;
}

static const struct aq_change *change_at(const struct aq_change *first, uint32_t i, uint32_t stride)
{
    return (const void *)((const char *)first + (size_t)i * stride);
}

static int is_met(const struct aq_change *change)
{
    const struct entry *e = *find(change->key);
    switch (change->expect) {
    case AQ_EXPECT_ABSENT:
        return !e;
    case AQ_EXPECT_VALUE:
        return e && e->value_len == change->expected.len &&
               (!e->value_len || !memcmp(value_of(e).ptr, change->expected.ptr, e->value_len));
    default:
        return 1;
    }
}

/* Put the new entry, or nothing, in the place of the old one. */
static void replace(struct aq_str key, struct entry *new_entry)
{
    struct entry **at = find(key);
    struct entry *old = *at;
    struct entry *rest = old ? old->next : NULL;
    if (new_entry) {
        new_entry->next = rest;
    }
    *at = new_entry ? new_entry : rest;
    entry_free(old);
}

/* All or nothing: everything that can fail comes first. */
static aq_status apply(const struct aq_change *changes, uint32_t count, uint32_t stride,
                       struct entry **fresh, struct aq_error *err)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct aq_change *change = change_at(changes, i, stride);
        if (!is_met(change)) {
            return fail(err, AQ_E_CHANGED, "a value was changed meanwhile, read it again");
        }
        if (change->action == AQ_CHANGE_PUT &&
            !(fresh[i] = entry_new(change->key, change->value))) {
            return fail(err, AQ_E_NOMEM, "out of memory");
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct aq_change *change = change_at(changes, i, stride);
        if (change->action != AQ_CHANGE_KEEP) {
            replace(change->key, fresh[i]);
            fresh[i] = NULL;
        }
    }
    return AQ_OK;
}

static aq_status memory_commit(void *self, const struct aq_change *changes, uint32_t count,
                               uint32_t stride, struct aq_error *err)
{
    struct entry **fresh = calloc(count ? count : 1, sizeof(struct entry *));
    (void)self;
    if (!fresh) {
        return fail(err, AQ_E_NOMEM, "out of memory");
    }
    pthread_mutex_lock(&mutex);
    aq_status status = apply(changes, count, stride, fresh, err);
    pthread_mutex_unlock(&mutex);
    for (uint32_t i = 0; i < count; i++) {
        entry_free(fresh[i]);
    }
    free(fresh);
    return status;
}

static aq_status memory_can_save(void *self, struct aq_error *err)
{
    (void)self;
    (void)err;
    return AQ_OK;
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
    AQ_STORE_OPS,        .open = memory_open,     .close = memory_close,
    .get = memory_get,   .list = memory_list,     .commit = memory_commit,
    .lock = memory_lock, .unlock = memory_unlock, .can_save = memory_can_save,
};

static const struct aq_plugin plugin = {
    AQ_PLUGIN_INFO,   .kind = AQ_PLUGIN_STORE, .name = "memory",
    .version = "1.0", .store = &ops,           .summary = "keeps a login until the process ends",
};
AQ_PLUGIN(plugin)
