/* SPDX-License-Identifier: Apache-2.0 */
/* An open store: what a plugin need not offer is filled in, and the lock is held once. What a
 * plugin may not do is in test_contract.c. */
#include "base/alloc.h"
#include "base/str.h"
#include "cmocka_all.h"
#include "host/store.h"
#include "no_memory.h"

#include <stdio.h>

/* ---- a plugin with one value, that counts what it is asked ---- */

static const struct aq_host *host;
static aq_status open_status, get_status, lock_status;
static bool without_instance;
static size_t value_len;
static int handed; /* how often get hands the value over */
static int locks, unlocks, closes;
static int instance;

static aq_status counting_open(const struct aq_open_args *args, void **ret_self,
                               struct aq_error *err)
{
    (void)err;
    host = args->host;
    *ret_self = without_instance ? NULL : &instance;
    return open_status;
}

static void counting_close(void *self)
{
    assert_ptr_equal(self, &instance);
    closes++;
}

static aq_status counting_get(void *self, struct aq_str key, void *sink, struct aq_error *err)
{
    static const uint8_t value[100] = "value";
    (void)self;
    (void)err;
    for (int i = 0; i < handed; i++) {
        aq_status st = host->put(host->ctx, sink, key, (struct aq_bytes){ value, value_len });
        if (get_status == AQ_OK) {
            get_status = st;
        }
    }
    return get_status;
}

static aq_status counting_list(void *self, void *sink, struct aq_error *err)
{
    (void)self;
    (void)sink;
    (void)err;
    return AQ_OK;
}

static aq_status counting_commit(void *self, const struct aq_change *changes, uint32_t count,
                                 uint32_t stride, struct aq_error *err)
{
    (void)self;
    (void)err;
    assert_non_null(changes);
    assert_int_equal(stride, sizeof(*changes));
    return count == 1 ? AQ_OK : AQ_E_CHANGED;
}

static aq_status counting_lock(void *self, struct aq_error *err)
{
    (void)self;
    (void)err;
    locks++;
    return lock_status;
}

static void counting_unlock(void *self)
{
    (void)self;
    unlocks++;
}

static aq_status counting_can_save(void *self, struct aq_error *err)
{
    (void)self;
    snprintf(err->text, sizeof(err->text), "counting: read-only, mount it otherwise");
    return err->status = AQ_E_READONLY;
}

static const struct aq_store_ops all = {
    AQ_STORE_OPS,
    .traits = AQ_STORE_SHARED,
    .open = counting_open,
    .close = counting_close,
    .get = counting_get,
    .list = counting_list,
    .commit = counting_commit,
    .lock = counting_lock,
    .unlock = counting_unlock,
    .can_save = counting_can_save,
};

/* ---- the store of a case ---- */

struct opened {
    struct settings settings;
    struct plugin plugin;
    struct log log;
    struct store store;
    struct aq_error err;
};

static int setup(void **state)
{
    static const struct aq_plugin plugin = {
        AQ_PLUGIN_INFO, .kind = AQ_PLUGIN_STORE, .name = "counting", .version = "1", .store = &all,
    };
    const struct aq_client_options options = AQ_CLIENT_OPTIONS_INIT;
    struct opened *o = calloc(1, sizeof(*o));
    assert_non_null(o);
    assert_int_equal(settings_init(&o->settings, &options, &o->err), AQ_OK);
    assert_int_equal(loader_adopt("counting", &plugin, AQ_PLUGIN_STORE, &o->plugin, &o->err),
                     AQ_OK);
    open_status = get_status = lock_status = AQ_OK;
    without_instance = false;
    handed = 1;
    value_len = 5;
    locks = unlocks = closes = 0;
    *state = o;
    return 0;
}

static int teardown(void **state)
{
    struct opened *o = *state;
    store_close(&o->store);
    log_done(&o->log);
    plugin_done(&o->plugin);
    settings_done(&o->settings);
    free(o);
    return 0;
}

static aq_status open_it(struct opened *o)
{
    return store_open(&o->plugin, &o->settings, NULL, 0, &o->log, &o->store, &o->err);
}

/* ---- opening and closing ---- */

static void a_store_is_open_until_it_is_closed(void **state)
{
    struct opened *o = *state;
    assert_false(store_is_open(&o->store));
    assert_int_equal(open_it(o), AQ_OK);
    assert_true(store_is_open(&o->store));
    store_close(&o->store);
    assert_false(store_is_open(&o->store));
    store_close(&o->store);
    assert_int_equal(closes, 1);
}

static void a_store_that_did_not_open_is_not_closed(void **state)
{
    struct opened *o = *state;
    open_status = AQ_E_IO;
    assert_int_equal(open_it(o), AQ_E_IO);
    assert_contains(o->err.text, "store 'counting': failed without saying why");
    store_close(&o->store);
    open_status = AQ_OK;
    without_instance = true;
    assert_int_equal(open_it(o), AQ_E_PLUGIN);
    store_close(&o->store);
    assert_int_equal(closes, 0);
}

static void without_memory_nothing_is_opened(void **state)
{
    struct opened *o = *state;
    no_memory(1);
    assert_int_equal(open_it(o), AQ_E_NOMEM);
    assert_true(no_memory_ended());
    assert_false(store_is_open(&o->store));
}

static void an_abandoned_store_is_forgotten_untouched(void **state)
{
    struct opened *o = *state;
    assert_int_equal(open_it(o), AQ_OK);
    assert_int_equal(store_lock(&o->store, &o->err), AQ_OK);
    store_abandon(&o->store);
    assert_false(store_is_open(&o->store));
    assert_int_equal(closes + unlocks, 0);
}

/* ---- rows ---- */

static void a_value_replaces_what_was_in_the_buffer(void **state)
{
    struct opened *o = *state;
    AUTO(buf) struct buf out = BUF(0);
    buf_add(&out, AQ_STR("before"));
    assert_int_equal(open_it(o), AQ_OK);
    assert_int_equal(store_get(&o->store, AQ_STR("k"), &out, &o->err), AQ_OK);
    assert_str(buf_str(&out), "value");
    handed = 0;
    get_status = AQ_E_NOTFOUND;
    assert_int_equal(store_get(&o->store, AQ_STR("k"), &out, &o->err), AQ_E_NOTFOUND);
    assert_int_equal(out.len, 0);
}

static void a_value_that_was_not_handed_over_is_the_plugins_mistake(void **state)
{
    struct opened *o = *state;
    AUTO(buf) struct buf out = BUF(0);
    assert_int_equal(open_it(o), AQ_OK);
    handed = 0;
    assert_int_equal(store_get(&o->store, AQ_STR("k"), &out, &o->err), AQ_E_PLUGIN);
    assert_contains(o->err.text, "'k' without a value");
    assert_int_equal(store_get(&o->store, (struct aq_str){ NULL, 0 }, &out, &o->err), AQ_E_PLUGIN);
    assert_contains(o->err.text, "'' without a value");
}

static void a_value_without_room_or_memory_for_it_is_an_error(void **state)
{
    struct opened *o = *state;
    AUTO(buf) struct buf small = BUF(8);
    AUTO(buf) struct buf out = BUF(0);
    assert_int_equal(open_it(o), AQ_OK);
    value_len = 9;
    get_status = AQ_OK;
    assert_int_equal(store_get(&o->store, AQ_STR("k"), &small, &o->err), AQ_E_LIMIT);
    assert_contains(o->err.text, "the value of 'k' is too long");
    get_status = AQ_OK;
    assert_int_equal(store_get(&o->store, (struct aq_str){ NULL, 0 }, &small, &o->err), AQ_E_LIMIT);
    get_status = AQ_OK;
    no_memory(1);
    assert_int_equal(store_get(&o->store, AQ_STR("k"), &out, &o->err), AQ_E_NOMEM);
    assert_true(no_memory_ended());
}

static void a_mistake_of_the_plugin_is_told_whatever_it_returned(void **state)
{
    struct opened *o = *state;
    AUTO(buf) struct buf small = BUF(8);
    assert_int_equal(open_it(o), AQ_OK);
    handed = 2;
    get_status = AQ_E_NOTFOUND;
    assert_int_equal(store_get(&o->store, AQ_STR("k"), &small, &o->err), AQ_E_PLUGIN);
    assert_contains(o->err.text, "put was called twice");
    value_len = 9;
    get_status = AQ_OK;
    assert_int_equal(store_get(&o->store, AQ_STR("k"), &small, &o->err), AQ_E_PLUGIN);
    assert_int_equal(small.len, 0);
}

static void a_commit_is_passed_on(void **state)
{
    struct opened *o = *state;
    const struct aq_change changes[2] = { { .action = AQ_CHANGE_KEEP } };
    assert_int_equal(open_it(o), AQ_OK);
    assert_int_equal(store_commit(&o->store, changes, 1, &o->err), AQ_OK);
    assert_int_equal(store_commit(&o->store, changes, 2, &o->err), AQ_E_CHANGED);
}

/* ---- the lock ---- */

static void the_lock_is_taken_once_and_released_once(void **state)
{
    struct opened *o = *state;
    assert_int_equal(open_it(o), AQ_OK);
    store_unlock(&o->store);
    assert_int_equal(unlocks, 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(store_lock(&o->store, &o->err), AQ_OK);
    }
    assert_int_equal(locks, 1);
    for (int i = 0; i < 2; i++) {
        store_unlock(&o->store);
    }
    assert_int_equal(unlocks, 1);
}

static void a_lock_that_somebody_else_holds_is_not_released_by_us(void **state)
{
    struct opened *o = *state;
    lock_status = AQ_AGAIN;
    assert_int_equal(open_it(o), AQ_OK);
    assert_int_equal(store_lock(&o->store, &o->err), AQ_AGAIN);
    store_unlock(&o->store);
    assert_int_equal(unlocks, 0);
}

static void closing_releases_the_lock(void **state)
{
    struct opened *o = *state;
    assert_int_equal(open_it(o), AQ_OK);
    assert_int_equal(store_lock(&o->store, &o->err), AQ_OK);
    store_close(&o->store);
    assert_int_equal(unlocks, 1);
}

static void a_store_without_a_lock_may_be_refreshed_only_if_nobody_shares_it(void **state)
{
    struct opened *o = *state;
    o->plugin.store.lock = NULL;
    o->plugin.store.unlock = NULL;
    assert_int_equal(open_it(o), AQ_OK);
    assert_int_equal(store_lock(&o->store, &o->err), AQ_E_UNSUPPORTED);
    assert_contains(o->err.text, "others share it and it has no lock");
    o->plugin.store.traits = 0;
    assert_int_equal(store_lock(&o->store, &o->err), AQ_OK);
    store_unlock(&o->store);
}

/* ---- saving ---- */

static void a_store_that_cannot_tell_may_be_saved_to(void **state)
{
    struct opened *o = *state;
    assert_int_equal(open_it(o), AQ_OK);
    assert_int_equal(store_can_save(&o->store, &o->err), AQ_E_READONLY);
    assert_contains(o->err.text, "mount it otherwise");
    o->plugin.store.can_save = NULL;
    assert_int_equal(store_can_save(&o->store, &o->err), AQ_OK);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(a_store_is_open_until_it_is_closed),
        CASE(a_store_that_did_not_open_is_not_closed),
        CASE(without_memory_nothing_is_opened),
        CASE(an_abandoned_store_is_forgotten_untouched),
        CASE(a_value_replaces_what_was_in_the_buffer),
        CASE(a_value_that_was_not_handed_over_is_the_plugins_mistake),
        CASE(a_value_without_room_or_memory_for_it_is_an_error),
        CASE(a_mistake_of_the_plugin_is_told_whatever_it_returned),
        CASE(a_commit_is_passed_on),
        CASE(the_lock_is_taken_once_and_released_once),
        CASE(a_lock_that_somebody_else_holds_is_not_released_by_us),
        CASE(closing_releases_the_lock),
        CASE(a_store_without_a_lock_may_be_refreshed_only_if_nobody_shares_it),
        CASE(a_store_that_cannot_tell_may_be_saved_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
