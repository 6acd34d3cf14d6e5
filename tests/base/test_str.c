/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define NONE ((struct aq_str){ NULL, 0 })

static void a_string_without_address_is_the_empty_view(void **state)
{
    (void)state;
    assert_null(str_from(NULL).ptr);
    assert_int_equal(str_from(NULL).len, 0);
    assert_int_equal(str_from("abc").len, 3);
    assert_true(str_eq(NONE, AQ_STR("")));
}

static void text_and_bytes_are_two_views_of_the_same(void **state)
{
    (void)state;
    struct aq_str s = AQ_STR("a\0b");
    assert_ptr_equal(str_bytes(s).ptr, s.ptr);
    assert_int_equal(str_bytes(s).len, 3);
    assert_true(str_eq(str_of_bytes(str_bytes(s)), s));
}

static void equal_means_the_same_bytes(void **state)
{
    (void)state;
    assert_true(str_eq(AQ_STR("abc"), AQ_STR("abc")));
    assert_false(str_eq(AQ_STR("abc"), AQ_STR("abd")));
    assert_false(str_eq(AQ_STR("abc"), AQ_STR("ab")));
    assert_false(str_eq(AQ_STR("a\0b"), AQ_STR("a\0c")));
    assert_true(str_eq_nocase(AQ_STR("Content-Type"), AQ_STR("cONTENT-tYPE")));
    assert_false(str_eq_nocase(AQ_STR("a"), AQ_STR("ab")));
    assert_false(str_eq_nocase(AQ_STR("@["), AQ_STR("`{"))); /* the neighbours of letters */
    assert_false(str_eq_nocase(AQ_STR("\xc4"), AQ_STR("\xe4")));
}

static void secrets_are_compared_completely(void **state)
{
    (void)state;
    assert_true(str_eq_secret(AQ_STR("token"), AQ_STR("token")));
    assert_true(str_eq_secret(NONE, AQ_STR("")));
    assert_false(str_eq_secret(AQ_STR("token"), AQ_STR("tokeN")));
    assert_false(str_eq_secret(AQ_STR("token"), AQ_STR("Token")));
    assert_false(str_eq_secret(AQ_STR("token"), AQ_STR("toke")));
}

static void beginnings_ends_and_parts_are_found(void **state)
{
    (void)state;
    assert_true(str_starts(AQ_STR("https://x"), AQ_STR("https://")));
    assert_false(str_starts(AQ_STR("http"), AQ_STR("https")));
    assert_true(str_starts(AQ_STR("x"), NONE));
    assert_true(str_ends(AQ_STR("a.json"), AQ_STR(".json")));
    assert_false(str_ends(AQ_STR("json"), AQ_STR(".json")));
    assert_true(str_ends(AQ_STR("x"), NONE));
    assert_true(str_contains(AQ_STR("a needle in"), AQ_STR("needle")));
    assert_false(str_contains(AQ_STR("a needl"), AQ_STR("needle")));
    assert_true(str_contains(NONE, NONE));
    assert_false(str_contains(NONE, AQ_STR("x")));
}

static void an_offset_behind_the_end_leaves_nothing(void **state)
{
    (void)state;
    assert_true(str_eq(str_from_offset(AQ_STR("abc"), 1), AQ_STR("bc")));
    assert_int_equal(str_from_offset(AQ_STR("abc"), 3).len, 0);
    assert_int_equal(str_from_offset(AQ_STR("abc"), 4).len, 0);
    assert_int_equal(str_from_offset(NONE, 0).len, 0);
}

static void a_list_is_cut_into_its_parts(void **state)
{
    (void)state;
    struct aq_str rest = AQ_STR("a,,b");
    assert_true(str_eq(str_cut(&rest, ','), AQ_STR("a")));
    assert_true(str_eq(str_cut(&rest, ','), AQ_STR("")));
    assert_true(str_eq(str_cut(&rest, ','), AQ_STR("b")));
    assert_null(rest.ptr);
    assert_int_equal(str_cut(&rest, ',').len, 0);
    rest = AQ_STR("a,");
    str_cut(&rest, ',');
    assert_non_null(rest.ptr); /* an empty part is left, which is not the same as none */
}

static void numbers_are_read_when_they_fit(void **state)
{
    (void)state;
    int64_t i = 0;
    assert_true(str_to_i64(AQ_STR("0"), &i) && i == 0);
    assert_true(str_to_i64(AQ_STR("-17"), &i) && i == -17);
    assert_true(str_to_i64(AQ_STR("+17"), &i) && i == 17);
    assert_true(str_to_i64(AQ_STR("9223372036854775807"), &i) && i == INT64_MAX);
    assert_true(str_to_i64(AQ_STR("-9223372036854775808"), &i) && i == INT64_MIN);
}

static void what_is_not_a_number_leaves_the_result_alone(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        "-",
        "+",
        "--1",
        " 1",
        "1 ",
        "1.5",
        "0x10",
        "a",
        "9223372036854775808",
        "-9223372036854775809",
        "99999999999999999999",
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t value = 42;
        assert_false(str_to_i64(str_from(cases[i]), &value));
        assert_int_equal(value, 42);
    }
}

static void a_token_is_printable_ascii_of_bounded_length(void **state)
{
    (void)state;
    static char longest[16385];
    memset(longest, 'x', sizeof(longest));
    assert_true(str_is_token((struct aq_str){ longest, 16384 }));
    assert_false(str_is_token((struct aq_str){ longest, 16385 }));
    assert_false(str_is_token(NONE));
    for (int c = 0; c < 256; c++) {
        char byte = (char)c;
        assert_int_equal(str_is_token((struct aq_str){ &byte, 1 }), c > 0x20 && c < 0x7f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_string_without_address_is_the_empty_view),
        cmocka_unit_test(text_and_bytes_are_two_views_of_the_same),
        cmocka_unit_test(equal_means_the_same_bytes),
        cmocka_unit_test(secrets_are_compared_completely),
        cmocka_unit_test(beginnings_ends_and_parts_are_found),
        cmocka_unit_test(an_offset_behind_the_end_leaves_nothing),
        cmocka_unit_test(a_list_is_cut_into_its_parts),
        cmocka_unit_test(numbers_are_read_when_they_fit),
        cmocka_unit_test(what_is_not_a_number_leaves_the_result_alone),
        cmocka_unit_test(a_token_is_printable_ascii_of_bounded_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
