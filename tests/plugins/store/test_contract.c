/* SPDX-License-Identifier: Apache-2.0 */
/* What every store promises; built once for each of those that need no file, AQ_TEST_STORE. */
#include "instance.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* The entries outlive an instance: each test starts with none. */
static int set_up(void **state)
{
    static struct instance store;
    instance_open_here(&store, AQ_TEST_STORE);
    *state = &store;
    return 0;
}

static int tear_down(void **state)
{
    struct instance *store = *state;
    const char *const keys[] = { "a", "b", "c" };
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(instance_remove(store, keys[i]), AQ_OK);
    }
    assert_int_equal(instance_list(store), AQ_OK);
    assert_int_equal(store->key_count, 0);
    instance_close(store);
    return 0;
}

static void what_is_put_is_found_by_every_instance(void **state)
{
    struct instance *store = *state;
    struct instance other;
    assert_int_equal(instance_get(store, "a"), AQ_E_NOTFOUND);
    assert_int_equal(instance_put(store, "a", "1"), AQ_OK);
    assert_int_equal(instance_put(store, "b", ""), AQ_OK);
    instance_open_here(&other, AQ_TEST_STORE);
    assert_int_equal(instance_get(&other, "a"), AQ_OK);
    assert_string_equal(other.value, "1");
    assert_int_equal(instance_get(&other, "b"), AQ_OK);
    assert_string_equal(other.value, "");
    assert_int_equal(instance_list(&other), AQ_OK);
    assert_string_equal(other.keys, "a b ");
    instance_close(&other);
}

static void a_failed_expectation_changes_nothing(void **state)
{
    struct instance *store = *state;
    assert_int_equal(instance_put(store, "a", "1"), AQ_OK);
    const struct aq_change changes[] = {
        { .key = str_of("a"), .action = AQ_CHANGE_REMOVE },
        { .key = str_of("b"), .action = AQ_CHANGE_PUT, .value = bytes_of("2") },
        { .key = str_of("c"), .expect = AQ_EXPECT_VALUE, .expected = bytes_of("3") },
    };
    assert_int_equal(instance_commit(store, changes, 3), AQ_E_CHANGED);
    assert_int_equal(instance_swap(store, "a", NULL, "2"), AQ_E_CHANGED);
    assert_int_equal(instance_swap(store, "a", "10", "2"), AQ_E_CHANGED);
    assert_int_equal(instance_list(store), AQ_OK);
    assert_string_equal(store->keys, "a ");
    assert_int_equal(instance_get(store, "a"), AQ_OK);
    assert_string_equal(store->value, "1");
}

static void all_changes_of_a_commit_are_applied_together(void **state)
{
    struct instance *store = *state;
    assert_int_equal(instance_put(store, "a", "1"), AQ_OK);
    assert_int_equal(instance_put(store, "b", "2"), AQ_OK);
    const struct aq_change changes[] = {
        { .key = str_of("a"), .action = AQ_CHANGE_REMOVE },
        { .key = str_of("b"),
          .expect = AQ_EXPECT_VALUE,
          .action = AQ_CHANGE_PUT,
          .expected = bytes_of("2"),
          .value = bytes_of("20") },
        { .key = str_of("c"), .action = AQ_CHANGE_PUT, .value = bytes_of("3") },
    };
    assert_int_equal(instance_commit(store, changes, 3), AQ_OK);
    assert_int_equal(instance_get(store, "a"), AQ_E_NOTFOUND);
    assert_int_equal(instance_get(store, "b"), AQ_OK);
    assert_string_equal(store->value, "20");
    assert_int_equal(instance_get(store, "c"), AQ_OK);
    if (store->ops->can_save) {
        assert_int_equal(store->ops->can_save(store->self, &store->err), AQ_OK);
    }
}

static void the_lock_excludes_other_instances_until_it_is_released_or_closed(void **state)
{
    struct instance *store = *state;
    struct instance other;
    instance_open_here(&other, AQ_TEST_STORE);
    assert_int_equal(store->ops->lock(store->self, &store->err), AQ_OK);
    assert_int_equal(other.ops->lock(other.self, &other.err), AQ_AGAIN);
    other.ops->unlock(other.self);
    assert_int_equal(other.ops->lock(other.self, &other.err), AQ_AGAIN);
    store->ops->unlock(store->self);
    assert_int_equal(other.ops->lock(other.self, &other.err), AQ_OK);
    instance_close(&other);
    assert_int_equal(store->ops->lock(store->self, &store->err), AQ_OK);
    store->ops->unlock(store->self);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_put_is_found_by_every_instance),
        TEST(a_failed_expectation_changes_nothing),
        TEST(all_changes_of_a_commit_are_applied_together),
        TEST(the_lock_excludes_other_instances_until_it_is_released_or_closed),
    };
    return cmocka_run_group_tests_name(AQ_TEST_STORE, tests, NULL, NULL);
}
