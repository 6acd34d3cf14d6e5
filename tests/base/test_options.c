/* SPDX-License-Identifier: Apache-2.0 */
#include "cmocka_all.h"

#include "base/options.h"

struct today {
    uint32_t struct_size, flags;
    uint64_t newer;
};

static void a_caller_that_is_older_keeps_our_defaults_for_what_it_does_not_know(void **state)
{
    const struct {
        uint32_t struct_size, flags;
    } older = { sizeof(older), 7 };
    struct today seen = { 0, 0, 42 };
    (void)state;
    assert_true(options_copy(&seen, sizeof(seen), &older));
    assert_int_equal(seen.flags, 7);
    assert_int_equal(seen.newer, 42);
}

static void a_caller_that_is_newer_is_understood_as_far_as_we_know(void **state)
{
    const struct {
        struct today known;
        uint64_t unknown;
    } newer = { { sizeof(newer), 7, 8 }, 9 };
    struct {
        struct today seen;
        uint64_t behind;
    } here = { { 0, 0, 0 }, 1 };
    (void)state;
    assert_true(options_copy(&here.seen, sizeof(here.seen), &newer));
    assert_int_equal(here.seen.newer, 8);
    assert_int_equal(here.behind, 1);
}

static void a_caller_that_forgot_the_size_is_refused(void **state)
{
    const struct today forgotten = { 0, 7, 8 };
    struct today seen = { 0, 0, 42 };
    (void)state;
    assert_false(options_copy(&seen, sizeof(seen), &forgotten));
    assert_false(options_copy(&seen, sizeof(seen), NULL));
    assert_int_equal(seen.newer, 42);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_caller_that_is_older_keeps_our_defaults_for_what_it_does_not_know),
        cmocka_unit_test(a_caller_that_is_newer_is_understood_as_far_as_we_know),
        cmocka_unit_test(a_caller_that_forgot_the_size_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
