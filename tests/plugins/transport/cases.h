/* SPDX-License-Identifier: Apache-2.0 */
/* Tests that are rows of a table: the same question asked of many peers, each with a name. */
#ifndef AQ_TESTS_TRANSPORT_CASES_H
#define AQ_TESTS_TRANSPORT_CASES_H

#include "fixture.h"

/* One more test, named like printf; *state is row. */
__attribute__((format(printf, 3, 4))) void cases_add(CMUnitTestFunction run, const void *row,
                                                     const char *name, ...);

/* Those written out one by one, before the others. */
#define CASES_ADD_ALL(tests) cases_add_all(tests, sizeof(tests) / sizeof((tests)[0]))
void cases_add_all(const struct CMUnitTest *tests, size_t count);

/* Run all that were added. Returns how many failed. */
int cases_run(CMFixtureFunction setup, CMFixtureFunction teardown);

#endif
