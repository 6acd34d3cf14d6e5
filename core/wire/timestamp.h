/* SPDX-License-Identifier: Apache-2.0 */
/* Timestamps as the Q CLI writes them: RFC 3339 with up to nine digits of fraction. */
#ifndef AQ_WIRE_TIMESTAMP_H
#define AQ_WIRE_TIMESTAMP_H

#include <amazonq/view.h>
#include <stdbool.h>

enum { TIMESTAMP_TEXT_MAX = 32 };

/*
 * Seconds since 1970-01-01 UTC, rounded down. Accepts what the Q CLI accepts: any one byte between
 * date and time, 'z' or 'Z' or +hh:mm or -hh:mm, any number of fraction digits; and what some files
 * of Kiro's IDE have, no zone at all, which counts as UTC.
 */
bool timestamp_parse(struct aq_str text, int64_t *ret_s);

/* "2026-01-31T09:08:07Z"; false for years outside 0000..9999. */
bool timestamp_format(int64_t s, char ret[TIMESTAMP_TEXT_MAX]);

/* The same for the header `date`: "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110, section 5.6.7). */
bool timestamp_parse_http(struct aq_str text, int64_t *ret_s);

#endif
