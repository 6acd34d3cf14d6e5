/* SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct thing {
    int *closed;
};

static void thing_done(struct thing *t)
{
    ++*t->closed;
}

static void memory_is_zeroed(void **state)
{
    (void)state;
    uint8_t *bytes = alloc_array(100, 3);
    assert_non_null(bytes);
    for (size_t i = 0; i < 300; i++) {
        assert_int_equal(bytes[i], 0);
    }
    alloc_free(bytes, 300);
}

static void nothing_is_something_that_can_be_freed(void **state)
{
    (void)state;
    void *none = alloc_array(0, 16);
    void *empty = alloc_array(16, 0);
    assert_non_null(none);
    assert_non_null(empty);
    alloc_free(none, 0);
    alloc_free(empty, 0);
    alloc_free(NULL, 0);
    alloc_free(NULL, 7);
    alloc_wipe(NULL, 7);
}

static void a_product_that_overflows_is_refused(void **state)
{
    (void)state;
    volatile size_t half = SIZE_MAX / 2; /* volatile: the compiler would warn */
    assert_null(alloc_array(half, 3));
}

static void wiped_memory_is_zero(void **state)
{
    (void)state;
    char text[] = "secret";
    alloc_wipe(text, 3);
    assert_memory_equal(text, "\0\0\0ret", sizeof(text));
}

static void an_object_is_made_by_its_type(void **state)
{
    (void)state;
    struct thing *t = ALLOC(struct thing);
    assert_non_null(t);
    assert_null(t->closed);
    alloc_free(t, sizeof(*t));
}

static int leave_early(int *closed)
{
    AUTO(thing) struct thing t = { closed };
    if (*t.closed == 0) {
        return 1;
    }
    return 2;
}

static void auto_cleans_up_on_every_way_out(void **state)
{
    (void)state;
    int closed = 0;
    assert_int_equal(leave_early(&closed), 1);
    assert_int_equal(closed, 1);
    assert_int_equal(leave_early(&closed), 2);
    assert_int_equal(closed, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_zeroed),
        cmocka_unit_test(nothing_is_something_that_can_be_freed),
        cmocka_unit_test(a_product_that_overflows_is_refused),
        cmocka_unit_test(wiped_memory_is_zero),
        cmocka_unit_test(an_object_is_made_by_its_type),
        cmocka_unit_test(auto_cleans_up_on_every_way_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
