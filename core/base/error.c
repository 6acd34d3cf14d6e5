/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"

#include "base/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void error_clear(struct aq_error *err)
{
    err->status = AQ_OK;
    err->sys = 0;
    err->http = 0;
    err->flags = 0;
    err->text[0] = '\0';
}

static void error_begin(struct aq_error *err, aq_status status, int sys)
{
    error_clear(err);
    err->status = status;
    err->sys = sys;
}

/* Texts quote what users and plugins said: keep them one printable line of UTF-8, also where they
 * were cut. */
static void error_clean(struct aq_error *err)
{
    uint8_t *p = (uint8_t *)err->text;
    size_t len = strlen(err->text);
    for (size_t i = 0; i < len;) {
        size_t step = utf8_sequence(p + i, len - i);
        bool control =
            p[i] < 0x20 || p[i] == 0x7f || (step == 2 && p[i] == 0xc2 && p[i + 1] < 0xa0);
        if (step == 0 && utf8_is_cut(p + i, len - i)) {
            p[i] = '\0'; /* cut in the middle of a character */
            return;
        }
        step = step ? step : 1;
        if (step == 1 && (control || p[i] >= 0x80)) {
            p[i] = '?';
        } else if (control) {
            memset(p + i, '?', step);
        }
        i += step;
    }
}

aq_status error_set(struct aq_error *err, aq_status status, const char *format, ...)
{
    if (err) {
        va_list args;
        error_begin(err, status, 0);
        va_start(args, format);
        vsnprintf(err->text, sizeof(err->text), format, args);
        va_end(args);
        error_clean(err);
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
        error_clean(err);
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
