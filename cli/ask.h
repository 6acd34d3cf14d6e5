/* SPDX-License-Identifier: Apache-2.0 */
/* Questions to whoever sits at the terminal. */
#ifndef Q_ASK_H
#define Q_ASK_H

#include "text.h"

/* True if somebody can be asked: both standard input and standard error are a terminal. */
bool ask_is_possible(void);

/*
 * Ask for a line, which is trimmed. False if there is none: the end of the input, a signal
 * (interrupt_signal), or nobody typed anything for 10 minutes.
 */
bool ask_line(const char *question, struct text *ret);

/* Ask for a number from 1 to count, up to three times. 0 if there was none. */
unsigned ask_number(const char *question, unsigned count);

#endif
