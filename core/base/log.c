/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include "base/alloc.h"

#include <stdarg.h>
#include <stdio.h>

void log_done(struct log *log)
{
    alloc_free(log->lines, log->lines ? LOG_LINES * sizeof(*log->lines) : 0);
    *log = (struct log){ .level = log->level };
}

void log_add(struct log *log, int32_t level, struct aq_str text)
{
    if (level < LOG_ERROR || level > log->level || log->count == LOG_LINES) {
        return;
    }
    if (!log->lines) {
        log->lines = alloc_array(LOG_LINES, sizeof(*log->lines));
        if (!log->lines) {
            return;
        }
    }
    struct log_line *line = &log->lines[(log->first + log->count++) % LOG_LINES];
    size_t len = text.len < LOG_LINE_MAX - 1 ? text.len : LOG_LINE_MAX - 1;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        line->text[i] = c < 0x20 || c == 0x7f ? '?' : (char)c;
    }
    line->text[len] = '\0';
    line->level = level;
}

void log_printf(struct log *log, int32_t level, const char *format, ...)
{
    char text[LOG_LINE_MAX];
    va_list args;
    if (level > log->level) {
        return;
    }
    va_start(args, format);
    int len = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (len > 0) {
        size_t used = (size_t)len < sizeof(text) ? (size_t)len : sizeof(text) - 1;
        log_add(log, level, (struct aq_str){ text, used });
    }
}

const struct log_line *log_next(struct log *log)
{
    if (log->count == 0) {
        return NULL;
    }
    const struct log_line *line = &log->lines[log->first];
    log->first = (log->first + 1) % LOG_LINES;
    log->count--;
    return line;
}
