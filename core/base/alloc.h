/* SPDX-License-Identifier: Apache-2.0 */
/* The only place that asks for memory, and the cleanup attribute that gives it back. */
#ifndef AQ_BASE_ALLOC_H
#define AQ_BASE_ALLOC_H

#include <stddef.h>

/* Zeroed memory for count elements; NULL when there is none or the product overflows. */
void *alloc_array(size_t count, size_t size);

/* Zeroed memory for one object. */
#define ALLOC(type) ((type *)alloc_array(1, sizeof(type)))

/* Wipe len bytes and give them back. Accepts NULL. Everything in core is freed this way. */
void alloc_free(void *ptr, size_t len);

/* Wipe in a way the compiler cannot remove. */
void alloc_wipe(void *ptr, size_t len);

/* AUTO(buf) struct buf b = {0}; calls buf_done(&b) on every way out of the scope. */
#define AUTO(type) __attribute__((cleanup(type##_done)))

#endif
