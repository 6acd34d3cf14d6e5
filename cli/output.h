/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Results on a file descriptor: written completely, or an error is reported. No buffer of stdio
 * ever holds a secret.
 */
#ifndef Q_OUTPUT_H
#define Q_OUTPUT_H

#include "text.h"

/* Write everything. Returns 0 or an errno; EINTR only when interrupt_signal() asks to stop. */
int output_write(int fd, struct aq_str s);

/* Write a result to fd, close it and report what goes wrong. Returns an exit code. */
int output_result(int fd, const struct text *result);

/* The end of results written with output_write, of which err is the first errno or 0. */
int output_finish(int fd, int err);

#endif
