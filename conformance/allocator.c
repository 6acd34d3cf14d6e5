/* SPDX-License-Identifier: Apache-2.0 */
#include "allocator.h"

#include <errno.h>
#include <link.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

/* Where the plugin's code is. */
enum { RANGES_MAX = 8 };
static struct {
    uintptr_t begin, end;
} ranges[RANGES_MAX];
static size_t range_count;

static _Thread_local unsigned left; /* requests until the one that is refused; 0: none is */
static _Thread_local bool refused;

static int add_object(struct dl_phdr_info *info, size_t size, void *arg)
{
    const uintptr_t address = *(const uintptr_t *)arg;
    bool is_it = false;
    (void)size;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const uintptr_t begin = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
        is_it = is_it || (info->dlpi_phdr[i].p_type == PT_LOAD && address >= begin &&
                          address < begin + info->dlpi_phdr[i].p_memsz);
    }
    for (int i = 0; is_it && i < info->dlpi_phnum && range_count < RANGES_MAX; i++) {
        if (info->dlpi_phdr[i].p_type == PT_LOAD && (info->dlpi_phdr[i].p_flags & PF_X)) {
            ranges[range_count].begin = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
            ranges[range_count].end = ranges[range_count].begin + info->dlpi_phdr[i].p_memsz;
            range_count++;
        }
    }
    return is_it;
}

void allocator_watch(uintptr_t plugin)
{
    range_count = 0;
    dl_iterate_phdr(add_object, &plugin);
}

void allocator_refuse(unsigned n)
{
    refused = false;
    left = n;
}

bool allocator_end(void)
{
    left = 0;
    return refused;
}

#ifdef CONFORMANCE_LIBC_MALLOC

#define EXPORT __attribute__((visibility("default")))
#define WEAK __attribute__((weak))
#define CALLER __builtin_return_address(0)

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *ptr, size_t size);
void __libc_free(void *ptr);

/* AddressSanitizer's, where this program has it or it was loaded before it (LD_PRELOAD). */
WEAK void *__interceptor_malloc(size_t size);
WEAK void *__interceptor_calloc(size_t count, size_t size);
WEAK void *__interceptor_realloc(void *ptr, size_t size);
WEAK void __interceptor_free(void *ptr);

bool allocator_is_ours(void)
{
    return true;
}

static bool is_refused(const void *caller)
{
    const uintptr_t address = (uintptr_t)caller;
    for (size_t i = 0; left && i < range_count; i++) {
        if (address >= ranges[i].begin && address < ranges[i].end && --left == 0) {
            refused = true;
            errno = ENOMEM;
            return true;
        }
    }
    return false;
}

static atomic_long live;

static void *counted(void *ptr)
{
    live += ptr != NULL;
    return ptr;
}

/* A sanitizer's own strdup goes past malloc, but not past free. */
long allocator_live(void)
{
    return __interceptor_malloc ? 0 : live;
}

/* The calls of the interceptors are the last ones of their functions, so that they see who asked.
 */

EXPORT void *malloc(size_t size)
{
    if (is_refused(CALLER)) {
        return NULL;
    }
    return __interceptor_malloc ? __interceptor_malloc(size) : counted(__libc_malloc(size));
}

EXPORT void *calloc(size_t count, size_t size)
{
    if (is_refused(CALLER)) {
        return NULL;
    }
    return __interceptor_calloc ? __interceptor_calloc(count, size)
                                : counted(__libc_calloc(count, size));
}

EXPORT void *realloc(void *ptr, size_t size)
{
    if (is_refused(CALLER)) {
        return NULL;
    }
    if (__interceptor_realloc) {
        return __interceptor_realloc(ptr, size);
    }
    void *got = ptr ? __libc_realloc(ptr, size) : counted(__libc_realloc(ptr, size));
    live -= ptr && size == 0 && !got; /* glibc has freed it */
    return got;
}

EXPORT void free(void *ptr)
{
    if (__interceptor_free) {
        __interceptor_free(ptr);
        return;
    }
    live -= ptr != NULL;
    __libc_free(ptr);
}

#else

bool allocator_is_ours(void)
{
    return false;
}

long allocator_live(void)
{
    return 0;
}

#endif
