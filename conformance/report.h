/* SPDX-License-Identifier: Apache-2.0 */
/* What came out, for people and for programs. */
#ifndef CONFORMANCE_REPORT_H
#define CONFORMANCE_REPORT_H

#include "run.h"

/* A line a clause, what is broken with its promise, and a summary. */
void report_plain(const struct run *run);

/* One JSON object. */
void report_json(const struct run *run, bool pretty);

/* All clauses of all suites, as Markdown tables: docs/conformance.md has them. */
void report_list(void);

#endif
