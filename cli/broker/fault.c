/* SPDX-License-Identifier: Apache-2.0 */
#include "fault.h"

#include <stdarg.h>
#include <stdio.h>

aq_status fault_set(struct aq_error *err, aq_status status, const char *format, ...)
{
    va_list args;
    *err = (struct aq_error){ .status = status };
    va_start(args, format);
    (void)vsnprintf(err->text, sizeof(err->text), format, args);
    va_end(args);
    return status;
}
