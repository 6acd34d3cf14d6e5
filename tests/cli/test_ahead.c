/* SPDX-License-Identifier: Apache-2.0 */
/* When the broker looks at the login without being asked. The clock is the real one: what is due in
 * an hour is looked up, not waited for. */
#include "ahead.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>

#include <cmocka.h>

enum { HOUR_S = 3600, ROUNDS = 50, STALL_S = 20 };

static int set_up(void **state)
{
    static struct ahead a;
    assert_true(ahead_init(&a));
    *state = &a;
    return 0;
}

static int tear_down(void **state)
{
    ahead_done(*state);
    return 0;
}

/* Seconds from now until it is due; the machine may have stood still meanwhile. */
static void assert_due_in(const struct ahead *a, int64_t least_s, int64_t most_s)
{
    int64_t in_s = a->due_s - (int64_t)time(NULL);
    assert_in_range(in_s, (uintmax_t)(least_s - STALL_S), (uintmax_t)most_s);
}

/* It has been due, and the look brought nothing new. */
static void let_it_pass(struct ahead *a, int64_t expires_at_s)
{
    a->due_s = (int64_t)time(NULL);
    assert_false(ahead_saw(a, expires_at_s));
}

static void it_is_due_in_the_last_quarter_of_an_hour_and_not_for_all_at_once(void **state)
{
    struct ahead *a = *state;
    bool differs = false;
    int64_t first_s = 0;
    for (int i = 0; i < ROUNDS; i++) {
        int64_t expires_at_s = (int64_t)time(NULL) + 8 * HOUR_S + i;
        assert_true(ahead_saw(a, expires_at_s));
        int64_t before_s = expires_at_s - a->due_s;
        assert_in_range(before_s, 15 * 60 - 225, 15 * 60);
        first_s = i == 0 ? before_s : first_s;
        differs |= before_s != first_s;
    }
    assert_true(differs);
}

static void of_a_token_with_less_left_it_is_the_last_quarter(void **state)
{
    struct ahead *a = *state;
    assert_true(ahead_saw(a, (int64_t)time(NULL) + 2000));
    assert_due_in(a, 1500, 1500 + 125);
}

static void a_token_that_is_seen_again_changes_nothing(void **state)
{
    struct ahead *a = *state;
    int64_t expires_at_s = (int64_t)time(NULL) + HOUR_S;
    assert_true(ahead_saw(a, expires_at_s));
    int64_t due_s = a->due_s;
    assert_false(ahead_saw(a, expires_at_s));
    ahead_failed(a, false);
    assert_int_equal(a->due_s, due_s);
}

static void after_looks_that_bring_nothing_it_waits_ever_longer(void **state)
{
    static const int64_t delays_s[] = { 60, 120, 240, 480, 900, 900 };
    struct ahead *a = *state;
    int64_t expires_at_s = (int64_t)time(NULL) + HOUR_S;
    ahead_saw(a, expires_at_s);
    for (size_t i = 0; i < sizeof(delays_s) / sizeof(delays_s[0]); i++) {
        let_it_pass(a, expires_at_s);
        assert_due_in(a, delays_s[i], delays_s[i] + delays_s[i] / 4);
    }
    assert_true(ahead_saw(a, expires_at_s + HOUR_S)); /* at last; the next time begins anew */
    let_it_pass(a, expires_at_s + HOUR_S);
    assert_due_in(a, 60, 75);
}

static void a_failure_is_tried_again_unless_it_is_hopeless(void **state)
{
    struct ahead *a = *state;
    ahead_failed(a, false); /* before any token was seen */
    assert_due_in(a, 60, 75);
    ahead_failed(a, true);
    assert_int_equal(a->due_s, 0);
    assert_true(ahead_saw(a, (int64_t)time(NULL) + HOUR_S)); /* somebody has signed in */
    assert_due_in(a, 2700, 2925);
}

static void tokens_that_live_very_short_or_for_ever_are_not_looked_after(void **state)
{
    static const int64_t lives_s[] = { 60, 299, INT64_C(10) * 365 * 24 * HOUR_S };
    struct ahead *a = *state;
    for (size_t i = 0; i < sizeof(lives_s) / sizeof(lives_s[0]); i++) {
        assert_true(ahead_saw(a, (int64_t)time(NULL) + lives_s[i]));
        assert_int_equal(a->due_s, 0);
    }
}

static void the_descriptor_is_readable_when_it_is_due(void **state)
{
    struct ahead *a = *state;
    struct pollfd fd = { .fd = a->timer_fd, .events = POLLIN };
    ahead_saw(a, (int64_t)time(NULL) + HOUR_S);
    assert_int_equal(poll(&fd, 1, 0), 0);
    assert_false(ahead_is_due(a));
    a->delay_s = 1;
    let_it_pass(a, a->expires_at_s);
    assert_int_equal(poll(&fd, 1, 60000), 1);
    assert_true(ahead_is_due(a));
    assert_false(ahead_is_due(a));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_is_due_in_the_last_quarter_of_an_hour_and_not_for_all_at_once),
        TEST(of_a_token_with_less_left_it_is_the_last_quarter),
        TEST(a_token_that_is_seen_again_changes_nothing),
        TEST(after_looks_that_bring_nothing_it_waits_ever_longer),
        TEST(a_failure_is_tried_again_unless_it_is_hopeless),
        TEST(tokens_that_live_very_short_or_for_ever_are_not_looked_after),
        TEST(the_descriptor_is_readable_when_it_is_due),
    };
    return cmocka_run_group_tests_name("cli/ahead", tests, NULL, NULL);
}
