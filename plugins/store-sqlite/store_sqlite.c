/* SPDX-License-Identifier: Apache-2.0 */
/* store-sqlite: the login in the existing CLI's own database, both ways compatible. */
#include "fail.h"
#include "store.h"

#include <stdlib.h>

/* the lock between refreshers */

/* How long lock, which must not block, waits for another thread to leave the pool. */
enum { LOCK_WAIT_US = 100000 };

static aq_status store_lock(void *self, struct aq_error *err)
{
    struct store *s = self;
    struct pool_file *file;
    bool alone;

    aq_status status = pool_enter(s->generation, LOCK_WAIT_US, err);
    if (status == AQ_E_BUSY) {
        return AQ_AGAIN;
    }
    if (status == AQ_OK) {
        status = pool_find(&s->place, POOL_WRITE, &file, err);
        if (status == AQ_OK) { /* who cannot save need not lock */
            status = write_check_place(s, file, &alone, err);
        }
        if (status == AQ_OK) {
            status = pool_lock(file, &s->place, s, err);
        }
        pool_leave();
    }
    s->locked |= status == AQ_OK;
    return status;
}

static void store_unlock(void *self)
{
    struct store *s = self;
    write_release_reserve(s);
    value_done(&s->renewed);
    s->locked = false;
    if (pool_enter(s->generation, POOL_FOREVER, NULL) == AQ_OK) {
        pool_unlock(s);
        pool_leave();
    }
}

/* life */

enum { SETTING_PATH, SETTING_BUSY_TIMEOUT_MS };

static const struct aq_setting settings[] = {
    [SETTING_PATH] = { .key = "path",
                       .help = "database file",
                       .type = AQ_SETTING_PATH,
                       .flags = AQ_SETTING_REQUIRED },
    [SETTING_BUSY_TIMEOUT_MS] = { .key = "busy_timeout_ms",
                                  .default_value = "5000",
                                  .help = "how long to wait for a program that is saving, in ms",
                                  .type = AQ_SETTING_INTEGER,
                                  .min = 0,
                                  .max = 5000 },
};

static const struct aq_setting_value *value_at(const struct aq_open_args *args, uint32_t i)
{
    return (const void *)((const char *)args->values + (size_t)i * args->value_stride);
}

static aq_status store_open(const struct aq_open_args *args, void **ret_self, struct aq_error *err)
{
    struct store *s = calloc(1, sizeof(*s));
    if (!s) {
        return fail(err, AQ_E_NOMEM, "store sqlite: out of memory");
    }
    aq_status status = place_init(&s->place, value_at(args, SETTING_PATH)->text, err);
    if (status != AQ_OK) {
        free(s);
        return status;
    }
    s->host = args->host;
    s->busy_us = (uint64_t)value_at(args, SETTING_BUSY_TIMEOUT_MS)->number * 1000;
    s->generation = pool_generation();
    s->reserve_fd = -1;
    *ret_self = s;
    return AQ_OK;
}

static void store_close(void *self)
{
    struct store *s = self;
    if (s) {
        store_unlock(s);
        place_done(&s->place);
        free(s);
    }
}

static const struct aq_store_ops ops = {
    AQ_STORE_OPS,
    .traits = AQ_STORE_PERSISTENT | AQ_STORE_SHARED,
    .open = store_open,
    .close = store_close,
    .get = read_value,
    .list = read_keys,
    .commit = write_changes,
    .lock = store_lock,
    .unlock = store_unlock,
    .can_save = write_can_save,
};

static const struct aq_plugin plugin = {
    AQ_PLUGIN_INFO,
    .kind = AQ_PLUGIN_STORE,
    .name = "sqlite",
    .version = "1.0",
    .summary = "the Q CLI's own database, data.sqlite3",
    AQ_PLUGIN_SETTINGS(settings),
    .store = &ops,
};
AQ_PLUGIN(plugin)
