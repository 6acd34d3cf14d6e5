/* SPDX-License-Identifier: Apache-2.0 */
/* Processes that were left behind by trials that are over, and have become children of this one. */
#ifndef CONFORMANCE_ORPHANS_H
#define CONFORMANCE_ORPHANS_H

#include <stdbool.h>

/* End them. False if there was none but those on their way out. */
bool orphans_end(void);

#endif
