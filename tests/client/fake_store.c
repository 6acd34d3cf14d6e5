/* SPDX-License-Identifier: Apache-2.0 */
#include "client/fake_store.h"

#include "cmocka_all.h"
#include "host/loader.h"

#include <stdio.h>

enum { ROWS = 8 };

static struct {
    char key[64];
    char value[4096];
} rows[ROWS];

static struct plan {
    int calls;
    int skip, times;
    aq_status status;
    int meet_skip;
    void (*somebody)(void);
} plans[FAKE_CALLS];

struct instance {
    const struct aq_host *host;
};

void fake_store_reset(void)
{
    memset(rows, 0, sizeof(rows));
    memset(plans, 0, sizeof(plans));
}

void fake_store_fail(enum fake_call call, int skip, int times, aq_status status)
{
    plans[call].skip = skip;
    plans[call].times = times;
    plans[call].status = status;
}

void fake_store_meet(enum fake_call call, int skip, void (*somebody)(void))
{
    plans[call].meet_skip = skip;
    plans[call].somebody = somebody;
}

int fake_store_calls(enum fake_call call)
{
    return plans[call].calls;
}

static char *find(const char *key, size_t len)
{
    for (size_t i = 0; i < ROWS; i++) {
        if (strlen(rows[i].key) == len && memcmp(rows[i].key, key, len) == 0) {
            return rows[i].value;
        }
    }
    return NULL;
}

const char *fake_store_row(const char *key)
{
    return find(key, strlen(key));
}

static void put(struct aq_str key, struct aq_bytes value)
{
    char *to = find(key.ptr, key.len);
    for (size_t i = 0; i < ROWS && !to; i++) {
        if (rows[i].key[0] == '\0') {
            snprintf(rows[i].key, sizeof(rows[i].key), "%.*s", AQ_STR_ARG(key));
            to = rows[i].value;
        }
    }
    assert_non_null(to);
    assert_true(value.len < sizeof(rows[0].value));
    memcpy(to, value.ptr, value.len);
    to[value.len] = '\0';
}

void fake_store_put(const char *key, const char *value)
{
    put((struct aq_str){ key, strlen(key) },
        (struct aq_bytes){ (const uint8_t *)value, strlen(value) });
}

static void remove_row(struct aq_str key)
{
    for (size_t i = 0; i < ROWS; i++) {
        if (strlen(rows[i].key) == key.len && memcmp(rows[i].key, key.ptr, key.len) == 0) {
            rows[i].key[0] = '\0';
        }
    }
}

void fake_store_remove(const char *key)
{
    remove_row((struct aq_str){ key, strlen(key) });
}

/* ---- the plugin ---- */

static aq_status planned(enum fake_call call, struct aq_error *err)
{
    struct plan *plan = &plans[call];
    plan->calls++;
    if (plan->somebody && plan->meet_skip-- == 0) {
        void (*somebody)(void) = plan->somebody;
        plan->somebody = NULL;
        somebody();
    }
    if (plan->skip > 0) {
        plan->skip--;
        return AQ_OK;
    }
    if (plan->times == 0) {
        return AQ_OK;
    }
    plan->times--;
    if (plan->status < 0) {
        snprintf(err->text, sizeof(err->text), "fake: failed as it was told");
        err->status = plan->status;
    }
    return plan->status;
}

static aq_status fake_open(const struct aq_open_args *args, void **ret_self, struct aq_error *err)
{
    aq_status st = planned(FAKE_OPEN, err);
    if (st == AQ_OK) {
        struct instance *self = calloc(1, sizeof(*self));
        assert_non_null(self);
        self->host = args->host;
        *ret_self = self;
    }
    return st;
}

static void fake_close(void *self)
{
    free(self);
}

static aq_status hand_over(const struct instance *self, struct aq_str key, void *sink)
{
    const struct aq_host *host = self->host;
    const char *value = find(key.ptr, key.len);
    if (!value) {
        return AQ_E_NOTFOUND;
    }
    return host->put(host->ctx, sink, key,
                     (struct aq_bytes){ (const uint8_t *)value, strlen(value) });
}

static aq_status fake_get(void *self, struct aq_str key, void *sink, struct aq_error *err)
{
    aq_status st = planned(FAKE_GET, err);
    return st == AQ_OK ? hand_over(self, key, sink) : st;
}

static struct aq_token_wish last_wish;

static aq_status fake_grant(void *self, struct aq_str key, const struct aq_token_wish *wish,
                            void *sink, struct aq_error *err)
{
    last_wish = *wish;
    aq_status st = planned(FAKE_GRANT, err);
    return st == AQ_OK ? hand_over(self, key, sink) : st;
}

static aq_status fake_list(void *self, void *sink, struct aq_error *err)
{
    (void)self;
    (void)sink;
    (void)err;
    return AQ_OK;
}

static int holds(const struct aq_change *change)
{
    const char *value = find(change->key.ptr, change->key.len);
    switch (change->expect) {
    case AQ_EXPECT_ABSENT:
        return !value;
    case AQ_EXPECT_VALUE:
        return value && strlen(value) == change->expected.len &&
               memcmp(value, change->expected.ptr, change->expected.len) == 0;
    default:
        return 1;
    }
}

static aq_status fake_commit(void *self, const struct aq_change *changes, uint32_t count,
                             uint32_t stride, struct aq_error *err)
{
    (void)self;
    assert_int_equal(stride, sizeof(*changes));
    aq_status st = planned(FAKE_COMMIT, err);
    if (st != AQ_OK && st != AQ_E_TIMEOUT) {
        return st;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (!holds(&changes[i])) {
            return AQ_E_CHANGED;
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        if (changes[i].action == AQ_CHANGE_PUT) {
            put(changes[i].key, changes[i].value);
        } else if (changes[i].action == AQ_CHANGE_REMOVE) {
            remove_row(changes[i].key);
        }
    }
    return st;
}

static aq_status fake_lock(void *self, struct aq_error *err)
{
    (void)self;
    return planned(FAKE_LOCK, err);
}

static void fake_unlock(void *self)
{
    (void)self;
}

static aq_status fake_can_save(void *self, struct aq_error *err)
{
    (void)self;
    return planned(FAKE_CAN_SAVE, err);
}

static const struct aq_store_ops ops = {
    AQ_STORE_OPS,          .traits = AQ_STORE_PERSISTENT | AQ_STORE_SHARED,
    .open = fake_open,     .close = fake_close,
    .get = fake_get,       .list = fake_list,
    .commit = fake_commit, .lock = fake_lock,
    .unlock = fake_unlock, .can_save = fake_can_save,
};

/* Nobody needs the first: a store with a setting that is not a path. The others are only for
 * fake_store_name. */
static const struct aq_setting settings[] = {
    { .key = "rows", .type = AQ_SETTING_INTEGER, .default_value = "8" },
    { .key = "login", .type = AQ_SETTING_STRING },
    { .key = "collection", .type = AQ_SETTING_STRING, .default_value = "default" },
};

static const struct aq_plugin plugin = {
    AQ_PLUGIN_INFO,          AQ_PLUGIN_SETTINGS(settings),
    .kind = AQ_PLUGIN_STORE, .name = "fake",
    .version = "1",          .store = &ops,
};

void fake_store_install(struct aq_client *client)
{
    struct aq_error err;
    assert_int_equal(loader_adopt("fake", &plugin, AQ_PLUGIN_STORE, &client->store_plugin, &err),
                     AQ_OK);
    client->store_plugin.info.setting_count = 1;
    client->has_store_plugin = true;
}

void fake_store_name(struct aq_client *client)
{
    client->store_plugin.info.setting_count = 3;
}

void fake_store_serve(struct aq_client *client)
{
    client->store_plugin.store.grant = fake_grant;
    client->store_plugin.store.lock = NULL;
    client->store_plugin.store.unlock = NULL;
}

struct aq_token_wish fake_store_wish(void)
{
    return last_wish;
}
