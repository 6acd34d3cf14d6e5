/* SPDX-License-Identifier: Apache-2.0 */
/* Out of memory, at each allocation of the host in turn: always said, never mistaken for something
 * else, and nothing is left behind. */
#include "cmocka_all.h"

#include "host/loader.h"
#include "host/store.h"
#include "host/transport.h"
#include "no_memory.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static char home[64];
static char file[128];

static int make_home(void **state)
{
    (void)state;
    snprintf(home, sizeof(home), "/tmp/aq-memory-XXXXXX");
    assert_non_null(mkdtemp(home));
    snprintf(file, sizeof(file), "%s/amazon-q", home);
    assert_int_equal(mkdir(file, 0700), 0);
    snprintf(file, sizeof(file), "%s/amazon-q/settings.json", home);
    FILE *out = fopen(file, "w");
    assert_non_null(out);
    fputs("{\"api.timeout\": 5}", out);
    fclose(out);
    setenv("XDG_DATA_HOME", home, 1);
    return chmod(file, 0600);
}

static int remove_home(void **state)
{
    (void)state;
    unlink(file);
    *strrchr(file, '/') = '\0';
    rmdir(file);
    return rmdir(home);
}

static aq_status open_settings(struct settings *s, const char *store, struct aq_error *err)
{
    const struct aq_client_setting chosen[] = {
        { AQ_STR_INIT("store"), { store, strlen(store) } },
        { AQ_STR_INIT("transport"), AQ_STR_INIT("evil") },
        { AQ_STR_INIT("plugin.path"), AQ_STR_INIT("/nowhere:" AQ_TEST_FAKES_DIR) },
        { AQ_STR_INIT("store.evil.deed"), AQ_STR_INIT("none") },
    };
    struct aq_client_options options = AQ_CLIENT_OPTIONS_INIT;
    options.settings = chosen;
    options.setting_count = sizeof(chosen) / sizeof(chosen[0]);
    return settings_init(s, &options, err);
}

static aq_status use_store(const struct settings *settings, struct aq_error *err)
{
    struct plugin plugin = { 0 };
    struct store store = { 0 };
    struct log log = { 0 };
    struct buf value = BUF(AQ_STORE_VALUE_MAX);
    aq_status st = loader_load(settings, AQ_PLUGIN_STORE, &plugin, err);
    if (st == AQ_OK) {
        st = store_open(&plugin, settings, NULL, 0, &log, &store, err);
    }
    if (st == AQ_OK) {
        st = store_get(&store, AQ_STR("k"), &value, err);
    }
    buf_done(&value);
    store_close(&store);
    plugin_done(&plugin);
    return st;
}

static void ignore(void *owner)
{
    (void)owner;
}

static aq_status use_transport(const struct settings *settings, struct aq_error *err)
{
    struct plugin plugin = { 0 };
    struct transport transport = { 0 };
    struct transport_call calls[20] = { 0 }; /* the table of calls grows */
    struct log log = { 0 };
    const struct aq_request request = { .struct_size = sizeof(request) };
    aq_status st = loader_load(settings, AQ_PLUGIN_TRANSPORT, &plugin, err);
    if (st == AQ_OK) {
        st = transport_open(&plugin, settings, (struct settings_value){ 0 }, &log, ignore,
                            &transport, err);
    }
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]) && st == AQ_OK; i++) {
        st = transport_start(&transport, &request, &calls[i], &calls[i], err);
    }
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        transport_finish(&calls[i]);
    }
    transport_close(&transport);
    plugin_done(&plugin);
    return st;
}

static aq_status use_all(const char *store, struct aq_error *err)
{
    struct settings settings = { 0 };
    aq_status st = open_settings(&settings, store, err);
    if (st == AQ_OK) {
        st = use_store(&settings, err);
    }
    if (st == AQ_OK) {
        st = use_transport(&settings, err);
    }
    settings_done(&settings);
    return st;
}

static void each_allocation_that_fails_is_reported_as_that(void **state)
{
    static const char *const stores[] = { "evil", AQ_TEST_FAKES_DIR "/store-evil.so" };
    (void)state;
    for (size_t i = 0; i < sizeof(stores) / sizeof(stores[0]); i++) {
        bool failed;
        int n = 0;
        do {
            struct aq_error err = { 0 };
            no_memory(++n);
            aq_status st = use_all(stores[i], &err);
            failed = no_memory_ended();
            if (st != (failed ? AQ_E_NOMEM : AQ_OK)) {
                print_error("allocation %d: %d '%s'\n", n, (int)st, err.text);
            }
            assert_int_equal(st, failed ? AQ_E_NOMEM : AQ_OK);
            assert_true(!failed || strstr(err.text, "out of memory"));
        } while (failed);
        assert_true(n > 10);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_allocation_that_fails_is_reported_as_that, make_home,
                                        remove_home),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
