/* SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

void *alloc_array(size_t count, size_t size)
{
    return calloc(count ? count : 1, size ? size : 1); /* calloc checks the product */
}

void alloc_wipe(void *ptr, size_t len)
{
    if (ptr && len) {
        explicit_bzero(ptr, len);
    }
}

void alloc_free(void *ptr, size_t len)
{
    alloc_wipe(ptr, len);
    free(ptr);
}
