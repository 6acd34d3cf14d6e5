/* SPDX-License-Identifier: Apache-2.0 */
/* What a trial says, and how it ends, becomes results. */
#ifndef CONFORMANCE_JUDGE_H
#define CONFORMANCE_JUDGE_H

#include "child.h"

/* One line of verdict.h, which is changed. */
void judge_line(struct run *run, struct child *c, char *line);

/* It has been reaped with this status. */
void judge_end(struct run *run, struct child *c, int status);

#endif
