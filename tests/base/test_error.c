/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void an_error_carries_its_status_and_text(void **state)
{
    (void)state;
    struct aq_error err;
    memset(&err, 0xff, sizeof(err));
    assert_int_equal(error_set(&err, AQ_E_BUSY, "%s: locked, wait %d s", "store", 3), AQ_E_BUSY);
    assert_int_equal(err.status, AQ_E_BUSY);
    assert_string_equal(err.text, "store: locked, wait 3 s");
    assert_int_equal(err.sys, 0);
    assert_int_equal(err.http, 0);
    assert_int_equal(err.flags, 0);
}

static void an_error_nobody_wants_is_only_a_status(void **state)
{
    (void)state;
    const struct aq_error src = { .status = AQ_E_IO };
    assert_int_equal(error_set(NULL, AQ_E_BUSY, "x"), AQ_E_BUSY);
    assert_int_equal(error_sys(NULL, AQ_E_IO, EIO, "x"), AQ_E_IO);
    assert_int_equal(error_nomem(NULL, "x"), AQ_E_NOMEM);
    assert_int_equal(error_copy(NULL, &src), AQ_E_IO);
}

static void an_error_of_the_system_says_what_the_system_says(void **state)
{
    (void)state;
    struct aq_error err;
    assert_int_equal(error_sys(&err, AQ_E_IO, ENOENT, "file '%s'", "a"), AQ_E_IO);
    assert_int_equal(err.sys, ENOENT);
    assert_string_equal(err.text, "file 'a': No such file or directory");
}

static void a_text_that_is_too_long_is_cut_and_ends(void **state)
{
    (void)state;
    struct aq_error err;
    char text[1000];
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    error_set(&err, AQ_E_INVALID, "%s", text);
    assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
    error_sys(&err, AQ_E_IO, EIO, "%s", text);
    assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
}

static void a_text_is_one_printable_line_whatever_it_quotes(void **state)
{
    (void)state;
    struct aq_error err;
    error_set(&err, AQ_E_INVALID, "setting %s.", "\x1b[31mX\nq: fake \x7f\xc2\x9b\xff");
    assert_string_equal(err.text, "setting ?[31mX?q: fake "
                                  "?"
                                  "?"
                                  "?"
                                  "?.");
    error_set(&err, AQ_E_INVALID, "caf\xc3\xa9 \xe2\x82\xac");
    assert_string_equal(err.text, "caf\xc3\xa9 \xe2\x82\xac");
}

static void a_text_is_never_cut_inside_a_character(void **state)
{
    (void)state;
    struct aq_error err;
    char text[1002] = "";
    for (int shift = 0; shift < 3; shift++) {
        memset(text, 'x', (size_t)shift);
        for (size_t i = (size_t)shift; i + 3 < sizeof(text); i += 3) {
            memcpy(text + i, "\xe2\x82\xac", 4);
        }
        error_set(&err, AQ_E_INVALID, "%s", text);
        size_t len = strlen(err.text);
        assert_true(len > sizeof(err.text) - 4);
        assert_int_equal((len - (size_t)shift) % 3, 0);
    }
}

static void out_of_memory_names_the_object(void **state)
{
    (void)state;
    struct aq_error err;
    assert_int_equal(error_nomem(&err, "token"), AQ_E_NOMEM);
    assert_string_equal(err.text, "token: out of memory");
}

static void a_copy_is_complete_also_onto_itself(void **state)
{
    (void)state;
    struct aq_error src, dst;
    error_set(&src, AQ_E_TIMEOUT, "service: no answer");
    src.http = 504;
    assert_int_equal(error_copy(&dst, &src), AQ_E_TIMEOUT);
    assert_string_equal(dst.text, "service: no answer");
    assert_int_equal(dst.http, 504);
    assert_int_equal(error_copy(&src, &src), AQ_E_TIMEOUT);
    assert_string_equal(src.text, "service: no answer");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_error_carries_its_status_and_text),
        cmocka_unit_test(an_error_nobody_wants_is_only_a_status),
        cmocka_unit_test(an_error_of_the_system_says_what_the_system_says),
        cmocka_unit_test(a_text_that_is_too_long_is_cut_and_ends),
        cmocka_unit_test(a_text_is_one_printable_line_whatever_it_quotes),
        cmocka_unit_test(a_text_is_never_cut_inside_a_character),
        cmocka_unit_test(out_of_memory_names_the_object),
        cmocka_unit_test(a_copy_is_complete_also_onto_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
