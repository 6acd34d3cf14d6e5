/* SPDX-License-Identifier: Apache-2.0 */
/* Commands that the existing CLI has, and this one has not, or under another name. */
#ifndef Q_ELSEWHERE_H
#define Q_ELSEWHERE_H

#include <stdbool.h>

/* If name is such a command, report what to use instead; false if it is not. */
bool elsewhere_report(const char *name);

#endif
