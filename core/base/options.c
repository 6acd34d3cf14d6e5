/* SPDX-License-Identifier: Apache-2.0 */
#include "base/options.h"

#include <stdint.h>
#include <string.h>

enum { LEAST = 2 * sizeof(uint32_t) }; /* every such struct begins with two 32-bit members */

bool options_copy(void *dst, size_t size, const void *src)
{
    uint32_t src_size;
    if (!src) {
        return false;
    }
    memcpy(&src_size, src, sizeof(src_size));
    if (src_size < LEAST) {
        return false;
    }
    memcpy(dst, src, src_size < size ? src_size : size);
    return true;
}
