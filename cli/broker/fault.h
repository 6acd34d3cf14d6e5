/* SPDX-License-Identifier: Apache-2.0 */
/* Errors of the command's own, in the library's form: a caller of the broker is told like a user.
 */
#ifndef Q_FAULT_H
#define Q_FAULT_H

#include <amazonq/amazonq.h>

/* Fill err with one line, "object: what is wrong, what to do". Returns status. */
aq_status fault_set(struct aq_error *err, aq_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
