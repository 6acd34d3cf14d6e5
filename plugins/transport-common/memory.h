/* SPDX-License-Identifier: Apache-2.0 */
/* Freeing what may have held a token or a prompt. */
#ifndef TRANSPORT_COMMON_MEMORY_H
#define TRANSPORT_COMMON_MEMORY_H

#include <stdlib.h>
#include <string.h>

/* Wipe and free size bytes at ptr, which may be NULL. */
static inline void memory_free(void *ptr, size_t size)
{
    if (ptr) {
        explicit_bzero(ptr, size);
        free(ptr);
    }
}

/* Copy used bytes of ptr into a new block of new_size, wipe and free the old one; NULL: no memory,
 * and the old block stays. */
static inline void *memory_grow(void *ptr, size_t used, size_t size, size_t new_size)
{
    void *grown = malloc(new_size);
    if (grown) {
        if (used) {
            memcpy(grown, ptr, used);
        }
        memory_free(ptr, size);
    }
    return grown;
}

#endif
