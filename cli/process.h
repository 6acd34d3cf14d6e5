/* SPDX-License-Identifier: Apache-2.0 */
/* What must be true of the process before it touches a secret or opens a file. */
#ifndef Q_PROCESS_H
#define Q_PROCESS_H

#include <stdbool.h>

/*
 * Descriptors 0 to 2 are open, so that no database is opened as one of them; no core is dumped and
 * no other process of the user may attach; signals ask instead of killing.
 */
bool process_prepare(void);

#endif
