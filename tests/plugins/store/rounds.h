/* SPDX-License-Identifier: Apache-2.0 */
/* How often to repeat, and what to report: as tests/reliability/harness.py, for tests in C. */
#ifndef AQ_TESTS_STORE_ROUNDS_H
#define AQ_TESTS_STORE_ROUNDS_H

#include <stdbool.h>

/* Whether scripts/reliability runs this, with time to leave nothing out. */
bool rounds_are_long(void);

/* `suite` in ctest; in the long form `full`, in proportion to the rounds that were asked for. */
int rounds(int suite, int full);

/* A line of docs/reliability.md. A test calls it last, when everything has held. */
void rounds_report(const char *row, const char *injected, unsigned times);

#endif
