/* SPDX-License-Identifier: Apache-2.0 */
/* Unicode scalar values in UTF-8 as RFC 3629 section 4 defines it. */
#ifndef Q_SCALAR_H
#define Q_SCALAR_H

#include <stddef.h>
#include <stdint.h>

enum {
    SCALAR_MAX_LEN = 4,
    SCALAR_REPLACEMENT = 0xFFFD, /* what stands for bytes that are no scalar value */
};

/*
 * Read the scalar value at the beginning of len >= 1 bytes.
 *
 * Returns its length, 1..4. Bytes that begin no scalar value give SCALAR_REPLACEMENT and the
 * number of bytes to skip. 0: the bytes are a good beginning, more are needed.
 */
size_t scalar_read(const char *ptr, size_t len, uint32_t *ret);

#endif
