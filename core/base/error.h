/* SPDX-License-Identifier: Apache-2.0 */
/* Filling a caller's struct aq_error. Text is set once, where the cause is known. */
#ifndef AQ_BASE_ERROR_H
#define AQ_BASE_ERROR_H

#include <amazonq/status.h>

/* Fill err (may be NULL) with "object: what is wrong, what to do" and return status. */
aq_status error_set(struct aq_error *err, aq_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same, followed by ": " and the text of errno sys. */
aq_status error_sys(struct aq_error *err, aq_status status, int sys, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Before a call to somebody who may or may not fill it: nothing of an earlier failure is left. */
void error_clear(struct aq_error *err);

/* Out of memory, while working on object. */
aq_status error_nomem(struct aq_error *err, const char *object);

/* Copy src to dst (may be NULL), return src's status. */
aq_status error_copy(struct aq_error *dst, const struct aq_error *src);

#endif
