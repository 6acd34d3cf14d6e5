/* SPDX-License-Identifier: Apache-2.0 */
/* How a command prints its result: --format plain, json or json-pretty. */
#ifndef Q_FORMAT_H
#define Q_FORMAT_H

#include "options.h"

/* The name of the format, "plain" if none was given; NULL if it is unknown, which is reported. */
const char *format_of(const struct options *o);

#endif
