/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the clauses of a suite, each in a process of its own, and collects what was found. */
#ifndef CONFORMANCE_RUNNER_H
#define CONFORMANCE_RUNNER_H

#include "run.h"

/* The signal that has ended runner_run early, or 0: then the results say nothing. */
int runner_stopped(void);

/* Fill results. False if the machine does not let it: then the text says why. */
bool runner_run(struct run *run, char *ret_why, size_t size);

#endif
