/* SPDX-License-Identifier: Apache-2.0 */
#include "report.h"
#include "program.h"
#include "terminal.h"
#include "write.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

enum { LINE_MAX_LEN = 2048 };

__attribute__((format(printf, 2, 0))) static void report(const char *kind, const char *format,
                                                         va_list args)
{
    char raw[LINE_MAX_LEN];
    if (vsnprintf(raw, sizeof(raw), format, args) < 0) {
        return;
    }
    AUTO(text) struct text clean = { 0 };
    terminal_clean(text_of(raw), &clean);
    for (size_t i = 0; i < clean.len; i++) {
        if (clean.ptr[i] == '\n') {
            clean.ptr[i] = ' '; /* one report, one line: nobody can forge a second */
        }
    }

    AUTO(text) struct text line = { 0 };
    text_add_literal(&line, program_name());
    text_add_literal(&line, ": ");
    if (kind) {
        text_add_literal(&line, kind);
        text_add_literal(&line, ": ");
    }
    text_add(&line, text_view(&clean));
    text_add_char(&line, '\n');
    (void)write_all(STDERR_FILENO, text_view(&line)); /* there is nowhere else to say so */
}

void report_error(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    report(NULL, format, args);
    va_end(args);
}

void report_note(const char *kind, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    report(kind, format, args);
    va_end(args);
}
