/* SPDX-License-Identifier: Apache-2.0 */
/* Results on a file descriptor: written completely, or an error is reported. */
#ifndef Q_OUTPUT_H
#define Q_OUTPUT_H

#include "text.h"

/* Write a result to fd, close it and report what goes wrong. Returns an exit code. */
int output_result(int fd, const struct text *result);

/* The end of results written with write_all, of which err is the first errno or 0. */
int output_finish(int fd, int err);

#endif
