/* SPDX-License-Identifier: Apache-2.0 */
#include "fail.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

aq_status fail(struct aq_error *err, aq_status status, const char *format, ...)
{
    static const char object[] = "broker: ";
    const size_t len = sizeof(object) - 1;
    va_list args;
    memcpy(err->text, object, len);
    va_start(args, format);
    (void)vsnprintf(err->text + len, sizeof(err->text) - len, format, args);
    va_end(args);
    return err->status = status;
}
