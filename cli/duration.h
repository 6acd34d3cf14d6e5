/* SPDX-License-Identifier: Apache-2.0 */
/* Durations as people write them: 90s, 10m, 1h30m; a plain number means seconds. */
#ifndef Q_DURATION_H
#define Q_DURATION_H

#include <stdbool.h>
#include <stdint.h>

enum { DURATION_MAX_S = 365 * 24 * 60 * 60 };

/* Units d, h, m, s, from the largest to the smallest, each at most once. */
bool duration_parse(const char *text, int64_t *ret_s);

#endif
