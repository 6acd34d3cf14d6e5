/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/timestamp.h"

#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void assert_time(const char *text, int64_t expected)
{
    int64_t s = 0;
    if (!timestamp_parse(str_from(text), &s) || s != expected) {
        fail_msg("'%s' gives %lld, expected %lld", text, (long long)s, (long long)expected);
    }
}

static void what_the_q_cli_writes_is_read(void **state)
{
    (void)state;
    assert_time("1970-01-01T00:00:00Z", 0);
    assert_time("2024-02-29T23:59:59Z", 1709251199);
    assert_time("2025-06-01T12:34:56.123456789Z", 1748781296);
    assert_time("2025-06-01T12:34:56.1Z", 1748781296);
    assert_time("9999-12-31T23:59:59Z", 253402300799);
    assert_time("0000-01-01T00:00:00Z", -62167219200);
}

static void what_others_write_is_read_as_the_q_cli_reads_it(void **state)
{
    (void)state;
    assert_time("2025-06-01t12:34:56z", 1748781296);
    assert_time("2025-06-01 12:34:56Z", 1748781296);
    assert_time("2025-06-01_12:34:56.0000000000000000000000001Z", 1748781296);
    assert_time("2025-06-01T12:34:56", 1748781296); /* no zone is UTC */
    assert_time("2025-06-01T12:34:56.123", 1748781296);
    assert_time("2025-06-01T14:34:56+02:00", 1748781296);
    assert_time("2025-06-01T05:04:56-07:30", 1748781296);
    assert_time("2025-06-01T12:34:56-00:00", 1748781296);
    assert_time("2025-06-02T00:33:56+11:59", 1748781296);
}

static void fractions_round_down_before_1970_too(void **state)
{
    (void)state;
    assert_time("1969-12-31T23:59:59.9Z", -1);
    assert_time("1970-01-01T00:00:00.9Z", 0);
}

static void a_leap_second_counts_as_the_one_before_it(void **state)
{
    (void)state;
    int64_t s;
    assert_time("2016-12-31T23:59:60Z", 1483228799);
    assert_time("2017-01-01T01:59:60.5+02:00", 1483228799);
    assert_false(timestamp_parse(AQ_STR("2016-12-30T23:59:60Z"), &s));
    assert_false(timestamp_parse(AQ_STR("2016-12-31T23:58:60Z"), &s));
    assert_false(timestamp_parse(AQ_STR("2016-12-31T23:59:60+01:00"), &s));
}

static void anything_else_is_refused_and_leaves_the_result_alone(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        "2025",
        "2025-06-01",
        "2025-06-01T",
        "2025-06-01T12:34Z",
        "2025-06-01T12:34:56.Z",    /* no fraction */
        "2025-06-01T12:34:56,5Z",   /* comma */
        "2025-06-01T12:34:56+0200", /* no colon */
        "2025-06-01T12:34:56+2:00",
        "2025-06-01T12:34:56+24:00",
        "2025-06-01T12:34:56+00:60",
        "2025-06-01T12:34:56Z ", /* something behind it */
        " 2025-06-01T12:34:56Z",
        "2025-06-01T24:00:00Z",
        "2025-06-01T12:60:00Z",
        "2025-06-01T12:34:61Z",
        "2025-00-01T12:34:56Z",
        "2025-13-01T12:34:56Z",
        "2025-06-00T12:34:56Z",
        "2025-06-31T12:34:56Z",
        "2025-02-29T12:34:56Z", /* not a leap year */
        "1900-02-29T12:34:56Z", /* neither */
        "-025-06-01T12:34:56Z",
        "+2025-06-01T12:34:56Z",
        "2025-6-01T12:34:56Z",
        "1748781296",
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        int64_t s = 42;
        if (timestamp_parse(str_from(cases[i]), &s) || s != 42) {
            fail_msg("'%s' was accepted", cases[i]);
        }
    }
}

static void every_prefix_of_a_timestamp_is_refused_but_the_one_without_a_zone(void **state)
{
    (void)state;
    const struct aq_str text = AQ_STR("2025-06-01T12:34:56.5+02:00");
    int64_t s;
    assert_true(timestamp_parse(text, &s));
    for (size_t len = 0; len < text.len; len++) {
        bool complete =
            len == strlen("2025-06-01T12:34:56") || len == strlen("2025-06-01T12:34:56.5");
        if (complete) {
            continue;
        }
        assert_false(timestamp_parse((struct aq_str){ text.ptr, len }, &s));
    }
}

static void times_are_written_in_the_q_clis_form(void **state)
{
    (void)state;
    char text[TIMESTAMP_TEXT_MAX];
    assert_true(timestamp_format(0, text));
    assert_string_equal(text, "1970-01-01T00:00:00Z");
    assert_true(timestamp_format(-1, text));
    assert_string_equal(text, "1969-12-31T23:59:59Z");
    assert_true(timestamp_format(951782400, text));
    assert_string_equal(text, "2000-02-29T00:00:00Z");
    assert_true(timestamp_format(253402300799, text));
    assert_string_equal(text, "9999-12-31T23:59:59Z");
    assert_true(timestamp_format(-62167219200, text));
    assert_string_equal(text, "0000-01-01T00:00:00Z");
}

static void years_that_do_not_fit_are_not_written(void **state)
{
    (void)state;
    char text[TIMESTAMP_TEXT_MAX];
    assert_false(timestamp_format(253402300800, text));
    assert_false(timestamp_format(-62167219201, text));
    assert_false(timestamp_format(INT64_MAX, text));
    assert_false(timestamp_format(INT64_MIN, text));
}

static void every_day_of_800_years_is_written_and_read_back(void **state)
{
    (void)state;
    char before[TIMESTAMP_TEXT_MAX] = "";
    for (int64_t s = -11676096000; s <= 13569465600; s += 86400 - s % 7) {
        char text[TIMESTAMP_TEXT_MAX];
        assert_true(timestamp_format(s, text));
        assert_true(strcmp(before, text) < 0); /* later times are greater texts */
        assert_time(text, s);
        memcpy(before, text, sizeof(text));
    }
}

static void the_date_of_an_answer_is_read(void **state)
{
    int64_t s = 0;
    (void)state;
    assert_true(timestamp_parse_http(AQ_STR("Sun, 06 Nov 1994 08:49:37 GMT"), &s));
    assert_int_equal(s, 784111777);
    assert_true(timestamp_parse_http(AQ_STR("Thu, 29 Feb 2024 00:00:00 GMT"), &s));
    assert_int_equal(s, 1709164800);
}

static void what_is_no_date_of_an_answer_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "Sun",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 CET",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "sun, 06 nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "1994-11-06T08:49:37Z",
    };
    int64_t s;
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(timestamp_parse_http((struct aq_str){ bad[i], strlen(bad[i]) }, &s));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_q_cli_writes_is_read),
        cmocka_unit_test(what_others_write_is_read_as_the_q_cli_reads_it),
        cmocka_unit_test(fractions_round_down_before_1970_too),
        cmocka_unit_test(a_leap_second_counts_as_the_one_before_it),
        cmocka_unit_test(anything_else_is_refused_and_leaves_the_result_alone),
        cmocka_unit_test(every_prefix_of_a_timestamp_is_refused_but_the_one_without_a_zone),
        cmocka_unit_test(times_are_written_in_the_q_clis_form),
        cmocka_unit_test(years_that_do_not_fit_are_not_written),
        cmocka_unit_test(every_day_of_800_years_is_written_and_read_back),
        cmocka_unit_test(the_date_of_an_answer_is_read),
        cmocka_unit_test(what_is_no_date_of_an_answer_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
