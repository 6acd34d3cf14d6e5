/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of each clause of a run. */
#ifndef CONFORMANCE_RESULT_H
#define CONFORMANCE_RESULT_H

#include "run.h"

/* NULL: no clause of this run has the id. */
struct result *result_find(struct run *run, const char *id);

/* The first failure stays; what nobody asked for changes only when it is broken. */
void result_set(struct result *r, enum outcome outcome, const char *text);

/* This clause was not kept: if it is a gate, nothing more is tried. */
void result_end(struct run *run, const struct clause *gate);

/* In the trial of seen_in the clause of this id was seen to be broken. */
void result_breach(struct run *run, const struct result *seen_in, const char *id, const char *text);

#endif
