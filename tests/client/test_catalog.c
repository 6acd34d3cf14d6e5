/* SPDX-License-Identifier: Apache-2.0 */
/* The catalog of plugins: what the command cannot show, and memory that runs out. */
#include "cmocka_all.h"

#include "no_memory.h"

#include <amazonq/amazonq.h>
#include <stdio.h>
#include <string.h>

enum { REQUESTS_MAX = 500 };

#define GOOD AQ_TEST_FAKES_DIR "/store-good.so"

static aq_status open_fakes(struct aq_catalog **ret, struct aq_error *err)
{
    const struct aq_client_setting more = { AQ_STR("plugin.path"), AQ_STR(AQ_TEST_FAKES_DIR) };
    const struct aq_client_options options = {
        .struct_size = sizeof(options),
        .flags = AQ_CLIENT_NO_ENV | AQ_CLIENT_NO_SETTINGS,
        .settings = &more,
        .setting_count = 1,
    };
    return aq_catalog_open(&options, ret, err);
}

static int set_up(void **state)
{
    struct aq_error err;
    struct aq_catalog *catalog = NULL;
    assert_int_equal(open_fakes(&catalog, &err), AQ_OK);
    *state = catalog;
    return 0;
}

static int tear_down(void **state)
{
    aq_catalog_free(*state);
    return 0;
}

static void files_come_in_the_order_of_their_names(void **state)
{
    struct aq_catalog_entry entry = { .struct_size = sizeof(entry) };
    char before[256] = "";
    unsigned count = 0;
    while (aq_catalog_next(*state, &entry) == AQ_OK) {
        char path[256];
        snprintf(path, sizeof(path), "%.*s", AQ_STR_ARG(entry.path));
        assert_true((entry.flags & AQ_CATALOG_OWN) || strcmp(before, path) < 0);
        snprintf(before, sizeof(before), "%s", path);
        count++;
    }
    assert_true(count > 1);
    assert_int_equal(aq_catalog_next(*state, &entry), AQ_END);
}

static void a_name_a_kind_with_a_name_and_a_path_find_the_same_file(void **state)
{
    static const struct aq_str names[] = { AQ_STR_INIT("good"), AQ_STR_INIT("store-good"),
                                           AQ_STR_INIT(GOOD) };
    struct aq_error err;
    for (size_t i = 0; i < 3; i++) {
        struct aq_catalog_entry entry = { .struct_size = sizeof(entry) };
        assert_int_equal(aq_catalog_find(*state, names[i], &entry, &err), AQ_OK);
        assert_int_equal(entry.kind, AQ_PLUGIN_STORE);
        assert_int_equal(entry.path.len, strlen(GOOD));
        assert_memory_equal(entry.path.ptr, GOOD, strlen(GOOD));
    }
}

static void a_path_that_is_not_listed_is_taken_as_it_is(void **state)
{
    struct aq_catalog_entry entry = { .struct_size = sizeof(entry) };
    struct aq_error err;
    assert_int_equal(aq_catalog_find(*state, AQ_STR("/else/where.so"), &entry, &err), AQ_OK);
    assert_int_equal(entry.kind, 0);
    assert_int_equal(entry.name.len, 0);
    assert_memory_equal(entry.path.ptr, "/else/where.so", entry.path.len);
}

static void a_plugin_says_what_it_is(void **state)
{
    const struct aq_plugin *plugin = NULL;
    struct aq_error err;
    assert_int_equal(aq_catalog_load(*state, AQ_STR(GOOD), &plugin, &err), AQ_OK);
    assert_string_equal(plugin->name, "good");
    assert_int_equal(aq_catalog_load(*state, AQ_STR("/nowhere.so"), &plugin, &err), AQ_E_PLUGIN);
    assert_non_null(strstr(err.text, "plugin '/nowhere.so': it cannot be opened"));
}

static void what_makes_no_sense_is_refused(void **state)
{
    const struct aq_client_options none = { 0 };
    struct aq_catalog_entry entry = { .struct_size = 4 };
    const struct aq_plugin *plugin;
    struct aq_catalog *catalog;
    struct aq_error err;
    char digest[65];
    assert_int_equal(aq_catalog_open(&none, &catalog, &err), AQ_E_INVALID);
    assert_int_equal(aq_catalog_next(*state, &entry), AQ_E_INVALID);
    assert_int_equal(aq_catalog_find(*state, AQ_STR("good"), &entry, &err), AQ_E_INVALID);
    assert_int_equal(aq_catalog_load(*state, AQ_STR(""), &plugin, &err), AQ_E_INVALID);
    assert_int_equal(aq_catalog_digest(AQ_STR("store-good.so"), digest, &err), AQ_E_INVALID);
    assert_int_equal(aq_catalog_digest(AQ_STR("/nowhere.so"), digest, &err), AQ_E_IO);
    assert_int_equal(aq_catalog_digest(AQ_STR("/"), digest, &err), AQ_E_IO);
    aq_catalog_free(NULL);
}

/* Whichever request for memory is refused. */
static void without_memory_it_says_so_and_loses_nothing(void **state)
{
    struct aq_error err;
    bool refused = true;
    (void)state;
    for (int n = 1; refused && n < REQUESTS_MAX; n++) {
        struct aq_catalog *catalog = NULL;
        struct aq_catalog_entry entry = { .struct_size = sizeof(entry) };
        const struct aq_plugin *plugin;
        no_memory(n);
        aq_status st = open_fakes(&catalog, &err);
        if (st == AQ_OK) {
            st = aq_catalog_find(catalog, AQ_STR(GOOD), &entry, &err);
        }
        if (st == AQ_OK) {
            st = aq_catalog_find(catalog, AQ_STR("/else/where.so"), &entry, &err);
        }
        if (st == AQ_OK) {
            st = aq_catalog_load(catalog, AQ_STR(GOOD), &plugin, &err);
        }
        refused = no_memory_ended();
        assert_int_equal(st, refused ? AQ_E_NOMEM : AQ_OK);
        aq_catalog_free(catalog);
    }
    assert_false(refused);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(files_come_in_the_order_of_their_names),
        TEST(a_name_a_kind_with_a_name_and_a_path_find_the_same_file),
        TEST(a_path_that_is_not_listed_is_taken_as_it_is),
        TEST(a_plugin_says_what_it_is),
        TEST(what_makes_no_sense_is_refused),
        cmocka_unit_test(without_memory_it_says_so_and_loses_nothing),
    };
    return cmocka_run_group_tests_name("catalog", tests, NULL, NULL);
}
