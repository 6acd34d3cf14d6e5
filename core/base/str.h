/* SPDX-License-Identifier: Apache-2.0 */
/* Small helpers on borrowed text: comparing, cutting, parsing numbers. */
#ifndef AQ_BASE_STR_H
#define AQ_BASE_STR_H

#include <amazonq/view.h>
#include <stdbool.h>
#include <stdint.h>

/* View of a NUL-terminated string; NULL gives the empty view. */
struct aq_str str_from(const char *text);

/* View of bytes as text, and of text as bytes. */
struct aq_str str_of_bytes(struct aq_bytes bytes);
struct aq_bytes str_bytes(struct aq_str s);

bool str_eq(struct aq_str a, struct aq_str b);
bool str_eq_nocase(struct aq_str a, struct aq_str b); /* ASCII */
bool str_starts(struct aq_str s, struct aq_str prefix);
bool str_ends(struct aq_str s, struct aq_str suffix);
bool str_contains(struct aq_str s, struct aq_str part);

/* Everything from offset on; empty if there is less. */
struct aq_str str_from_offset(struct aq_str s, size_t offset);

/* Cut *rest at the first sep: returns what is before it and leaves what is after it. Without sep,
 * returns everything and leaves the empty view with ptr NULL. */
struct aq_str str_cut(struct aq_str *rest, char sep);

/* Decimal with optional sign; false when it is not one or does not fit. */
bool str_to_i64(struct aq_str s, int64_t *ret);

/* Compare in time that depends on the lengths only. */
bool str_eq_secret(struct aq_str a, struct aq_str b);

/* True if s is a token that may travel in a header: 1..16384 bytes of 0x21..0x7e. */
bool str_is_token(struct aq_str s);

#endif
