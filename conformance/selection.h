/* SPDX-License-Identifier: Apache-2.0 */
/* Which clauses a run is to try: all, or those that --only names. */
#ifndef CONFORMANCE_SELECTION_H
#define CONFORMANCE_SELECTION_H

#include "run.h"

/* True if one of `only` is the id, or its first words. */
bool selection_has(const struct run *run, const char *id);

/* Put these clauses into the results of the run. */
void selection_add(struct run *run, const struct clause *clauses);

/* The same, of all that a plugin of the run's kind has to hold. */
void selection_add_suite(struct run *run);

#endif
