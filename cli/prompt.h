/* SPDX-License-Identifier: Apache-2.0 */
/* The question of `q chat`: an argument, or else standard input. */
#ifndef Q_PROMPT_H
#define Q_PROMPT_H

#include "text.h"

/* Read fd to its end. Returns 0 or an errno: EFBIG for too much, EINTR after a signal. */
int prompt_read(int fd, struct text *ret);

/* Without the white space around it. */
struct aq_str prompt_trim(struct aq_str s);

#endif
