/* SPDX-License-Identifier: Apache-2.0 */
#include "fail.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

aq_status fail(struct aq_error *err, aq_status status, const char *format, ...)
{
    va_list args;
    memset(err, 0, sizeof(*err));
    err->status = status;
    va_start(args, format);
    vsnprintf(err->text, sizeof(err->text), format, args);
    va_end(args);
    for (char *p = err->text; *p; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7f) {
            *p = '?';
        }
    }
    return status;
}

aq_status fail_nomem(struct aq_error *err)
{
    return fail(err, AQ_E_NOMEM, "store keyring: out of memory");
}
