/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BROKER_FAIL_H
#define BROKER_FAIL_H

#include <amazonq/plugin.h>

/* Fill err with "broker: ...". Returns status. */
aq_status fail(struct aq_error *err, aq_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
