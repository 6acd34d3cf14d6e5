/* SPDX-License-Identifier: Apache-2.0 */
/* Processes that were left behind by trials that are over, and have become children of this one. */
#ifndef CONFORMANCE_ORPHANS_H
#define CONFORMANCE_ORPHANS_H

#include <stdbool.h>

/* End them, at once or when those on their way out have had time for it. False if there was none,
 * or none but those. */
bool orphans_end(bool at_once);

#endif
