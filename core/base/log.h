/* SPDX-License-Identifier: Apache-2.0 */
/* A log that is pulled: lines wait in a ring until somebody takes them. Never write a secret to it.
 */
#ifndef AQ_BASE_LOG_H
#define AQ_BASE_LOG_H

#include <amazonq/view.h>
#include <stdbool.h>
#include <stdint.h>

enum { LOG_LINES = 256, LOG_LINE_MAX = 512 };

/* The levels of aq_host.log and aq_client_next_log. */
enum log_level { LOG_NONE, LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

struct log_line {
    int32_t level;
    char text[LOG_LINE_MAX];
};

struct log {
    int32_t level;          /* lines above it are dropped at once */
    uint32_t first, count;  /* in lines */
    struct log_line *lines; /* LOG_LINES of them, allocated with the first line */
};

void log_done(struct log *log);

/* Add one line; control characters become '?', the newest lines are dropped when the ring is full.
 */
void log_add(struct log *log, int32_t level, struct aq_str text);
void log_printf(struct log *log, int32_t level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Take the oldest line; NULL if there is none. Valid until LOG_LINES more were added. */
const struct log_line *log_next(struct log *log);

#endif
