/* SPDX-License-Identifier: Apache-2.0 */
#include "cases.h"

#define CASES_MAX 256

static struct CMUnitTest cases[CASES_MAX];
static char names[CASES_MAX][112];
static size_t case_count;

void cases_add(CMUnitTestFunction run, const void *row, const char *name, ...)
{
    va_list args;
    assert_true(case_count < CASES_MAX);
    va_start(args, name);
    vsnprintf(names[case_count], sizeof(names[0]), name, args);
    va_end(args);
    cases[case_count] = (struct CMUnitTest){ .name = names[case_count],
                                             .test_func = run,
                                             .initial_state = (void *)row };
    case_count++;
}

void cases_add_all(const struct CMUnitTest *tests, size_t count)
{
    assert_true(case_count + count <= CASES_MAX);
    memcpy(&cases[case_count], tests, count * sizeof(*tests));
    case_count += count;
}

int cases_run(CMFixtureFunction setup, CMFixtureFunction teardown)
{
    return _cmocka_run_group_tests("transport-" AQ_TEST_TRANSPORT, cases, case_count, setup,
                                   teardown);
}
