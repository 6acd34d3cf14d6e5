/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of a trial's process: what surrounds it, the plugin, the clause. */
#ifndef CONFORMANCE_SANDBOX_H
#define CONFORMANCE_SANDBOX_H

#include "run.h"

#include <stdnoreturn.h>

/* In the forked child: never returns. `dir` is its own and empty, `output` is where standard output
 * and error go. */
noreturn void sandbox_run(const struct run *run, const struct clause *clause, const char *dir,
                          const char *output, struct trial_watch *watch, int results,
                          uint64_t deadline_us);

#endif
