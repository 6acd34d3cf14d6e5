/* SPDX-License-Identifier: Apache-2.0 */
#include "duration.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define LEN(array) (sizeof(array) / sizeof((array)[0]))

static void what_people_write_is_understood(void **state)
{
    static const struct {
        const char *text;
        int64_t seconds;
    } samples[] = {
        { "0", 0 },       { "90", 90 },         { "90s", 90 },      { "10m", 600 },
        { "2h", 7200 },   { "1h30m", 5400 },    { "1d", 86400 },    { "1d2h3m4s", 93784 },
        { "1h5s", 3605 }, { "365d", 31536000 }, { "007m", 7 * 60 }, { "0s", 0 },
    };
    (void)state;
    for (size_t i = 0; i < LEN(samples); i++) {
        int64_t seconds = -1;
        assert_true(duration_parse(samples[i].text, &seconds));
        assert_int_equal(seconds, samples[i].seconds);
    }
}

static void everything_else_is_refused(void **state)
{
    static const char *const samples[] = {
        "",       "m",    "10x",      "10 m",   "-5m",
        "+5",     "1.5h", "1m1h",     "1m1m",   "1h30",
        "1h30m ", "366d", "31536001", "365d1s", "99999999999999999999",
        "1hm",    "0x10", "10M",      "1e3",
    };
    (void)state;
    for (size_t i = 0; i < LEN(samples); i++) {
        int64_t seconds = -1;
        assert_false(duration_parse(samples[i], &seconds));
        assert_int_equal(seconds, -1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_people_write_is_understood),
        cmocka_unit_test(everything_else_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
