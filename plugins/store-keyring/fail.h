/* SPDX-License-Identifier: Apache-2.0 */
/* Fills the caller's struct aq_error: "object: what is wrong, what to do". */
#ifndef STORE_KEYRING_FAIL_H
#define STORE_KEYRING_FAIL_H

#include <amazonq/plugin.h>

/* Returns status. The text is made safe to print. */
aq_status fail(struct aq_error *err, aq_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

aq_status fail_nomem(struct aq_error *err);

#endif
