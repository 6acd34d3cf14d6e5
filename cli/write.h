/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes to a descriptor, past every buffer of stdio: such a buffer may keep a secret. */
#ifndef Q_WRITE_H
#define Q_WRITE_H

#include <amazonq/amazonq.h>

/* Write everything. Returns 0 or an errno; EINTR only when interrupt_signal() asks to stop. */
int write_all(int fd, struct aq_str s);

#endif
