/* SPDX-License-Identifier: Apache-2.0 */
/* A name server that does not answer. */
#ifndef CONFORMANCE_STALL_H
#define CONFORMANCE_STALL_H

#include "trial.h"

/* From now on this process, and those it starts, have a network of their own and ask this socket
 * for names. Skips the trial where that is not permitted. */
int stall_names(struct trial *t);

bool stall_was_asked(int name_server);

#endif
