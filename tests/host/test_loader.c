/* SPDX-License-Identifier: Apache-2.0 */
#include "cmocka_all.h"

#include "host/loader.h"
#include "host/store.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* Settings that choose a store and say where to look for it. */
static struct settings choose(const char *store, const struct aq_client_setting *more,
                              uint32_t more_count)
{
    struct aq_client_setting all[8] = {
        { AQ_STR_INIT("store"), { store, strlen(store) } },
        { AQ_STR_INIT("plugin.path"), AQ_STR_INIT(AQ_TEST_FAKES_DIR) },
    };
    struct aq_client_options options = AQ_CLIENT_OPTIONS_INIT;
    struct settings s = { 0 };
    struct aq_error err;
    for (uint32_t i = 0; i < more_count; i++) {
        all[2 + i] = more[i];
    }
    options.flags = AQ_CLIENT_NO_SETTINGS;
    options.settings = all;
    options.setting_count = 2 + more_count;
    assert_int_equal(settings_init(&s, &options, &err), AQ_OK);
    return s;
}

static aq_status load(const char *store, struct plugin *plugin, struct aq_error *err)
{
    struct settings s = choose(store, NULL, 0);
    aq_status st = loader_load(&s, AQ_PLUGIN_STORE, plugin, err);
    settings_done(&s);
    return st;
}

static void a_plugin_is_found_by_name_in_the_plugin_path(void **state)
{
    struct plugin plugin = { 0 };
    struct aq_error err;
    (void)state;
    assert_int_equal(load("good", &plugin, &err), AQ_OK);
    assert_string_equal(plugin.info.name, "good");
    assert_non_null(plugin.store.commit);
    assert_null(plugin.store.lock); /* an optional slot it does not have */
    plugin_done(&plugin);
}

static void a_store_of_an_older_minor_version_works_without_the_newer_functions(void **state)
{
    struct settings s = choose("minor0", NULL, 0);
    struct plugin plugin = { 0 };
    struct store store = { 0 };
    struct log log = { 0 };
    struct buf value = BUF(16);
    struct aq_error err;
    (void)state;
    assert_int_equal(loader_load(&s, AQ_PLUGIN_STORE, &plugin, &err), AQ_OK);
    assert_int_equal(plugin.info.abi_minor, 0);
    assert_null(plugin.store.grant);
    assert_int_equal(store_open(&plugin, &s, NULL, 0, &log, &store, &err), AQ_OK);
    assert_false(store_grants(&store));
    assert_int_equal(store_get(&store, AQ_STR("k"), &value, &err), AQ_OK);
    assert_string_equal((char *)value.ptr, "0");
    buf_done(&value);
    store_close(&store);
    plugin_done(&plugin);
    log_done(&log);
    settings_done(&s);
}

static void a_plugin_is_found_by_its_absolute_path(void **state)
{
    struct plugin plugin = { 0 };
    struct aq_error err;
    (void)state;
    assert_int_equal(load(AQ_TEST_FAKES_DIR "/store-good.so", &plugin, &err), AQ_OK);
    plugin_done(&plugin);
}

static void the_plugin_path_may_begin_at_home(void **state)
{
    static const struct {
        const char *path;
        aq_status status;
    } cases[] = { { "/nowhere:~/.", AQ_OK }, { "::", AQ_E_PLUGIN } };
    (void)state;
    setenv("HOME", AQ_TEST_FAKES_DIR, 1);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct aq_client_setting more = { AQ_STR_INIT("plugin.path"),
                                                { cases[i].path, strlen(cases[i].path) } };
        struct plugin plugin = { 0 };
        struct aq_error err;
        struct settings s = choose("good", &more, 1); /* the last one given counts */
        assert_int_equal(loader_load(&s, AQ_PLUGIN_STORE, &plugin, &err), cases[i].status);
        plugin_done(&plugin);
        settings_done(&s);
    }
}

static void every_bad_plugin_is_refused_with_its_reason(void **state)
{
    static const struct {
        const char *name;
        aq_status status;
        const char *text;
    } bad[] = {
        { "missing", AQ_E_PLUGIN, "no such plugin in" },
        { "nosymbol", AQ_E_PLUGIN, "it is no plugin of q; choose another" },
        { "newer", AQ_E_PLUGIN, "update q" },
        { "short", AQ_E_PLUGIN, "too short" },
        { "nolist", AQ_E_PLUGIN, "no function 'list'" },
        { "kind", AQ_E_PLUGIN, "is not a store" },
        { "misnamed", AQ_E_PLUGIN, "calls itself 'good'" },
        { "../store-good", AQ_E_INVALID, "absolute path" },
        { "./x.so", AQ_E_INVALID, "absolute path" },
        { "Up", AQ_E_INVALID, "absolute path" },
        { "/nowhere/store-x.so", AQ_E_PLUGIN, "No such file" },
        { "/etc/passwd", AQ_E_PLUGIN, "it is not a shared object" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct plugin plugin = { 0 };
        struct aq_error err;
        assert_int_equal(load(bad[i].name, &plugin, &err), bad[i].status);
        assert_contains(err.text, bad[i].text);
        assert_contains(err.text, bad[i].name);
        plugin_done(&plugin);
    }
}

static void a_plugin_in_a_place_others_can_write_to_is_never_loaded(void **state)
{
    char dir[] = "/tmp/aq-loader-XXXXXX";
    char path[64];
    struct plugin plugin = { 0 };
    struct aq_error err;
    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/store-good.so", dir);
    assert_int_equal(symlink(AQ_TEST_FAKES_DIR "/store-good.so", path), 0);
    assert_int_equal(load(path, &plugin, &err), AQ_OK); /* the real path is what counts */
    plugin_done(&plugin);
    unlink(path);

    FILE *made = fopen(path, "w"); /* not even an ELF file: it must not come to dlopen */
    assert_non_null(made);
    fclose(made);
    chmod(dir, 0777);
    assert_int_equal(load(path, &plugin, &err), AQ_E_DENIED);
    assert_contains(err.text, dir);
    plugin_done(&plugin);
    unlink(path);
    rmdir(dir);
}

static void settings_are_checked_and_completed_before_a_plugin_sees_them(void **state)
{
    const struct aq_client_setting more[] = {
        { AQ_STR_INIT("store.settings.name"), AQ_STR_INIT("n") },
        { AQ_STR_INIT("store.settings.level"), AQ_STR_INIT("7") },
    };
    struct plugin plugin = { 0 };
    struct host_table host = { 0 };
    struct log log = { 0 };
    struct aq_error err;
    (void)state;
    struct settings s = choose("settings", more, 2);
    setenv("AQ_TEST_WHERE", "~/there", 1);
    setenv("HOME", "/home/somebody", 1);
    assert_int_equal(loader_load(&s, AQ_PLUGIN_STORE, &plugin, &err), AQ_OK);
    assert_int_equal(host_table_init(&host, &plugin, &s, NULL, 0, &log, &err), AQ_OK);
    assert_int_equal(host.args.value_count, 4);
    assert_int_equal(host.args.values[0].number, 7);
    assert_int_equal(host.args.values[1].number, 0);
    assert_str(host.args.values[2].text, "/home/somebody/there");
    assert_str(host.args.values[3].text, "n");
    host_table_done(&host);
    plugin_done(&plugin);
    settings_done(&s);
    unsetenv("AQ_TEST_WHERE");
}

static void a_value_of_the_core_counts_if_it_ranks_higher_than_the_plugins_own(void **state)
{
    const struct aq_client_setting more = { AQ_STR_INIT("store.settings.name"), AQ_STR_INIT("n") };
    struct host_value core = { "where",
                               { .text = AQ_STR_INIT("/core"), .origin = SETTINGS_DEFAULT } };
    struct plugin plugin = { 0 };
    struct log log = { 0 };
    struct aq_error err;
    (void)state;
    struct settings s = choose("settings", &more, 1);
    assert_int_equal(loader_load(&s, AQ_PLUGIN_STORE, &plugin, &err), AQ_OK);
    static const struct {
        const char *env;
        enum settings_origin origin;
        const char *expected;
    } cases[] = {
        { "", SETTINGS_DEFAULT, "/core" },
        { "/env", SETTINGS_DEFAULT, "/env" },
        { "/env", SETTINGS_ENV, "/env" },
        { "/env", SETTINGS_EXPLICIT, "/core" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct host_table host = { 0 };
        setenv("AQ_TEST_WHERE", cases[i].env, 1);
        core.value.origin = cases[i].origin;
        assert_int_equal(host_table_init(&host, &plugin, &s, &core, 1, &log, &err), AQ_OK);
        assert_str(host.args.values[2].text, cases[i].expected);
        host_table_done(&host);
    }
    unsetenv("AQ_TEST_WHERE");
    plugin_done(&plugin);
    settings_done(&s);
}

static void a_setting_out_of_range_of_the_wrong_type_or_missing_is_refused_by_name(void **state)
{
    static const struct {
        const char *key, *value, *text;
    } bad[] = {
        { "store.settings.level", "12",
          "'store.settings.level': must be a whole number between 1 and 9, is '12' (as an "
          "option)" },
        { "store.settings.level", "many",
          "'store.settings.level': must be a whole number between 1 and 9, is 'many'" },
        { "store.settings.loud", "yes", "'store.settings.loud': must be true or false" },
        { "store.settings.where", "here",
          "'store.settings.where': 'here' is not an absolute path" },
        { "store.settings.lavel", "3",
          "'store.settings.lavel': store 'settings' has no such setting" },
        { "store.settings.level", "3",
          "'store.settings.name': has no value, set it or AQ_TEST_NAME" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const struct aq_client_setting more = { { bad[i].key, strlen(bad[i].key) },
                                                { bad[i].value, strlen(bad[i].value) } };
        struct plugin plugin = { 0 };
        struct host_table host = { 0 };
        struct log log = { 0 };
        struct aq_error err;
        struct settings s = choose("settings", &more, 1);
        assert_int_equal(loader_load(&s, AQ_PLUGIN_STORE, &plugin, &err), AQ_OK);
        assert_int_equal(host_table_init(&host, &plugin, &s, NULL, 0, &log, &err), AQ_E_INVALID);
        assert_contains(err.text, bad[i].text);
        host_table_done(&host);
        plugin_done(&plugin);
        settings_done(&s);
    }
}

static void an_error_on_open_is_passed_on_as_the_plugin_said_it(void **state)
{
    struct plugin plugin = { 0 };
    struct store store = { 0 };
    struct log log = { 0 };
    struct aq_error err;
    (void)state;
    struct settings s = choose("open", NULL, 0);
    assert_int_equal(loader_load(&s, AQ_PLUGIN_STORE, &plugin, &err), AQ_OK);
    assert_int_equal(store_open(&plugin, &s, NULL, 0, &log, &store, &err), AQ_E_UNAVAILABLE);
    assert_string_equal(err.text, "broken: does not want to be opened");
    store_close(&store);
    plugin_done(&plugin);
    settings_done(&s);
}

static void a_plugin_that_breaks_its_contract_gets_a_text_all_the_same(void **state)
{
    struct plugin plugin = { 0 };
    struct store store = { 0 };
    struct log log = { 0 };
    struct buf value = BUF(100);
    struct aq_error err;
    (void)state;
    struct settings s = choose("good", NULL, 0);
    assert_int_equal(loader_load(&s, AQ_PLUGIN_STORE, &plugin, &err), AQ_OK);
    assert_int_equal(store_open(&plugin, &s, NULL, 0, &log, &store, &err), AQ_OK);
    assert_int_equal(store_get(&store, AQ_STR("k"), &value, &err), AQ_E_PLUGIN);
    assert_contains(err.text, "without a value");
    assert_int_equal(store_commit(&store, NULL, 0, &err), AQ_E_IO);
    assert_contains(err.text, "without saying why (AQ_E_IO)");
    assert_int_equal(store_lock(&store, &err), AQ_OK); /* nobody shares it */
    assert_int_equal(store_can_save(&store, &err), AQ_OK);
    store_close(&store);
    buf_done(&value);
    plugin_done(&plugin);
    settings_done(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plugin_is_found_by_name_in_the_plugin_path),
        cmocka_unit_test(a_store_of_an_older_minor_version_works_without_the_newer_functions),
        cmocka_unit_test(a_plugin_is_found_by_its_absolute_path),
        cmocka_unit_test(the_plugin_path_may_begin_at_home),
        cmocka_unit_test(every_bad_plugin_is_refused_with_its_reason),
        cmocka_unit_test(a_plugin_in_a_place_others_can_write_to_is_never_loaded),
        cmocka_unit_test(settings_are_checked_and_completed_before_a_plugin_sees_them),
        cmocka_unit_test(a_value_of_the_core_counts_if_it_ranks_higher_than_the_plugins_own),
        cmocka_unit_test(a_setting_out_of_range_of_the_wrong_type_or_missing_is_refused_by_name),
        cmocka_unit_test(an_error_on_open_is_passed_on_as_the_plugin_said_it),
        cmocka_unit_test(a_plugin_that_breaks_its_contract_gets_a_text_all_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
