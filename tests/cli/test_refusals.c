/* SPDX-License-Identifier: Apache-2.0 */
/* Which refused callers of the broker get a line of its log. */
#include "refusals.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const uint64_t minute_us = 60 * 1000 * 1000;

static void a_user_has_one_line_a_minute_and_the_next_one_counts_the_rest(void **state)
{
    struct refusals r = { 0 };
    unsigned long more = 7;
    (void)state;
    assert_true(refusals_note(&r, 0, 5, &more));
    assert_int_equal(more, 0);
    for (int i = 0; i < 1000; i++) {
        assert_false(refusals_note(&r, 0, 5 + minute_us - 1, &more));
    }
    assert_true(refusals_note(&r, 0, 5 + minute_us, &more));
    assert_int_equal(more, 1000);
    assert_true(refusals_note(&r, 0, 5 + 2 * minute_us, &more));
    assert_int_equal(more, 0);
}

static void users_do_not_take_each_other_s_lines(void **state)
{
    struct refusals r = { 0 };
    unsigned long more;
    (void)state;
    assert_true(refusals_note(&r, 1, 5, &more));
    assert_true(refusals_note(&r, 2, 5, &more));
    assert_false(refusals_note(&r, 1, 6, &more));
    assert_false(refusals_note(&r, 2, 6, &more));
}

static void ever_new_users_have_sixteen_lines_a_minute(void **state)
{
    struct refusals r = { 0 };
    unsigned long more;
    int lines = 0;
    (void)state;
    for (uid_t uid = 0; uid < 1000; uid++) {
        lines += refusals_note(&r, uid, 5, &more);
    }
    assert_int_equal(lines, 16);
    assert_true(refusals_note(&r, 999, 5 + minute_us, &more));
    assert_int_equal(more, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_user_has_one_line_a_minute_and_the_next_one_counts_the_rest),
        cmocka_unit_test(users_do_not_take_each_other_s_lines),
        cmocka_unit_test(ever_new_users_have_sixteen_lines_a_minute),
    };
    return cmocka_run_group_tests_name("refusals", tests, NULL, NULL);
}
