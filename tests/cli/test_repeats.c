/* SPDX-License-Identifier: Apache-2.0 */
/* Which refused or failed requests to the broker get a line of its log. */
#include "repeats.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const uint64_t minute_us = 60 * 1000 * 1000;

static void a_user_has_one_line_a_minute_and_the_next_one_counts_the_rest(void **state)
{
    struct repeats r = { 0 };
    unsigned long more = 7;
    (void)state;
    assert_true(repeats_note(&r, 0, AQ_E_DENIED, 5, &more));
    assert_int_equal(more, 0);
    for (int i = 0; i < 1000; i++) {
        assert_false(repeats_note(&r, 0, AQ_E_DENIED, 5 + minute_us - 1, &more));
    }
    assert_true(repeats_note(&r, 0, AQ_E_DENIED, 5 + minute_us, &more));
    assert_int_equal(more, 1000);
    assert_true(repeats_note(&r, 0, AQ_E_DENIED, 5 + 2 * minute_us, &more));
    assert_int_equal(more, 0);
}

static void users_do_not_take_each_other_s_lines(void **state)
{
    struct repeats r = { 0 };
    unsigned long more;
    (void)state;
    assert_true(repeats_note(&r, 1, AQ_E_DENIED, 5, &more));
    assert_true(repeats_note(&r, 2, AQ_E_DENIED, 5, &more));
    assert_false(repeats_note(&r, 1, AQ_E_DENIED, 6, &more));
    assert_false(repeats_note(&r, 2, AQ_E_DENIED, 6, &more));
}

static void nor_does_one_reason_take_another_s_line(void **state)
{
    struct repeats r = { 0 };
    unsigned long more;
    (void)state;
    assert_true(repeats_note(&r, 1, AQ_E_REFRESH, 5, &more));
    assert_true(repeats_note(&r, 1, AQ_E_LOGIN_NEEDED, 6, &more));
    assert_false(repeats_note(&r, 1, AQ_E_REFRESH, 7, &more));
    assert_true(repeats_note(&r, 1, AQ_E_REFRESH, 5 + minute_us, &more));
    assert_int_equal(more, 1);
}

static void ever_new_users_have_sixteen_lines_a_minute(void **state)
{
    struct repeats r = { 0 };
    unsigned long more;
    int lines = 0;
    (void)state;
    for (uid_t uid = 0; uid < 1000; uid++) {
        lines += repeats_note(&r, uid, AQ_E_DENIED, 5, &more);
    }
    assert_int_equal(lines, 16);
    assert_true(repeats_note(&r, 999, AQ_E_DENIED, 5 + minute_us, &more));
    assert_int_equal(more, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_user_has_one_line_a_minute_and_the_next_one_counts_the_rest),
        cmocka_unit_test(users_do_not_take_each_other_s_lines),
        cmocka_unit_test(nor_does_one_reason_take_another_s_line),
        cmocka_unit_test(ever_new_users_have_sixteen_lines_a_minute),
    };
    return cmocka_run_group_tests_name("repeats", tests, NULL, NULL);
}
