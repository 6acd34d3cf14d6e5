/* SPDX-License-Identifier: Apache-2.0 */
#include "no_memory.h"

#include <stddef.h>

void *__real_alloc_array(size_t count, size_t size);
void *__wrap_alloc_array(size_t count, size_t size);

static int left; /* requests until the one that fails; 0: none does */
static bool all, failed;

void no_memory(int at)
{
    left = at;
    all = failed = false;
}

void no_memory_at_all(void)
{
    no_memory(0);
    all = true;
}

bool no_memory_ended(void)
{
    bool has_failed = failed;
    no_memory(0);
    return has_failed;
}

void *__wrap_alloc_array(size_t count, size_t size)
{
    if (all || (left > 0 && --left == 0)) {
        failed = true;
        return NULL;
    }
    return __real_alloc_array(count, size);
}
