/* SPDX-License-Identifier: Apache-2.0 */
#include "journal.h"
#include "report.h"

#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static unsigned long dropped;

/* A pipe that polls writable takes a line without blocking. */
static bool has_room(void)
{
    struct pollfd fd = { .fd = STDERR_FILENO, .events = POLLOUT };
    return poll(&fd, 1, 0) == 1;
}

static void now_text(char *ret, size_t size)
{
    time_t now = time(NULL);
    struct tm utc;
    if (!gmtime_r(&now, &utc) || strftime(ret, size, "%Y-%m-%dT%H:%M:%SZ", &utc) == 0) {
        ret[0] = '\0';
    }
}

void journal(const char *format, ...)
{
    char line[1024], at[32];
    va_list args;
    if (!has_room()) {
        dropped++;
        return;
    }
    va_start(args, format);
    (void)vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    now_text(at, sizeof(at));
    if (dropped > 0) {
        report_note("broker", "%s %lu lines were dropped, nobody read them", at, dropped);
        dropped = 0;
    }
    report_note("broker", "%s %s", at, line);
}
