/* SPDX-License-Identifier: Apache-2.0 */
#include "exitcode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define LEN(array) (sizeof(array) / sizeof((array)[0]))

static void every_status_has_the_exit_code_of_its_page(void **state)
{
    static const struct {
        aq_status status;
        int code;
    } promised[] = {
        { AQ_OK, 0 },           { AQ_E_STATE, 1 },         { AQ_E_NOMEM, 1 },
        { AQ_E_FORKED, 1 },     { AQ_E_UNSUPPORTED, 1 },   { AQ_E_INVALID, 2 },
        { AQ_E_NOTFOUND, 3 },   { AQ_E_CHANGED, 3 },       { AQ_E_BUSY, 3 },
        { AQ_E_READONLY, 3 },   { AQ_E_DENIED, 3 },        { AQ_E_CORRUPT, 3 },
        { AQ_E_IO, 3 },         { AQ_E_UNAVAILABLE, 3 },   { AQ_E_PLUGIN, 3 },
        { AQ_E_NOT_SAVED, 3 },  { AQ_E_NOT_LOGGED_IN, 4 }, { AQ_E_NETWORK, 5 },
        { AQ_E_TLS, 5 },        { AQ_E_TIMEOUT, 5 },       { AQ_E_PROTOCOL, 5 },
        { AQ_E_TRUNCATED, 5 },  { AQ_E_LIMIT, 5 },         { AQ_E_REFRESH, 5 },
        { AQ_E_EXPIRED, 5 },    { AQ_E_LOGIN_NEEDED, 6 },  { AQ_E_AUTH, 6 },
        { AQ_E_ACCESS, 7 },     { AQ_E_THROTTLED, 7 },     { AQ_E_QUOTA, 7 },
        { AQ_E_OVERLOADED, 7 }, { AQ_E_TOO_LONG, 7 },      { AQ_E_VALIDATION, 7 },
        { AQ_E_CONFLICT, 7 },   { AQ_E_SERVICE, 7 },
    };
    (void)state;
    for (size_t i = 0; i < LEN(promised); i++) {
        assert_int_equal(exitcode_of(promised[i].status), promised[i].code);
    }
}

static void a_status_of_a_newer_library_is_an_ordinary_failure(void **state)
{
    (void)state;
    assert_int_equal(exitcode_of(-9999), EXITCODE_OTHER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_status_has_the_exit_code_of_its_page),
        cmocka_unit_test(a_status_of_a_newer_library_is_an_ordinary_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
