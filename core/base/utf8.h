/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8 as RFC 3629 section 4 defines it: no overlong forms, no surrogates, nothing above U+10FFFF.
 */
#ifndef AQ_BASE_UTF8_H
#define AQ_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Length, 1..4, of the valid sequence at p; 0 if there is none in len bytes. */
size_t utf8_sequence(const uint8_t *p, size_t len);

/* True if the len bytes at p are the beginning of a sequence that was cut off. */
bool utf8_is_cut(const uint8_t *p, size_t len);

bool utf8_valid(const uint8_t *p, size_t len);

/* Encode a scalar value; returns the length, 1..4. */
size_t utf8_encode(uint32_t scalar, uint8_t out[4]);

#endif
