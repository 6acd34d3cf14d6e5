/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void error_begin(struct aq_error *err, aq_status status, int sys)
{
    err->status = status;
    err->sys = sys;
    err->http = 0;
    err->flags = 0;
    err->text[0] = '\0';
}

aq_status error_set(struct aq_error *err, aq_status status, const char *format, ...)
{
    if (err) {
        va_list args;
        error_begin(err, status, 0);
        va_start(args, format);
        vsnprintf(err->text, sizeof(err->text), format, args);
        va_end(args);
    }
    return status;
}

aq_status error_sys(struct aq_error *err, aq_status status, int sys, const char *format, ...)
{
    if (err) {
        char reason[96];
        va_list args;
        error_begin(err, status, sys);
        va_start(args, format);
        vsnprintf(err->text, sizeof(err->text), format, args);
        va_end(args);
        size_t used = strlen(err->text);
        snprintf(err->text + used, sizeof(err->text) - used, ": %s",
                 strerror_r(sys, reason, sizeof(reason)));
    }
    return status;
}

aq_status error_nomem(struct aq_error *err, const char *object)
{
    return error_set(err, AQ_E_NOMEM, "%s: out of memory", object);
}

aq_status error_copy(struct aq_error *dst, const struct aq_error *src)
{
    aq_status status = src->status;
    if (dst && dst != src) {
        *dst = *src;
    }
    return status;
}
