/* SPDX-License-Identifier: Apache-2.0 */
/* Reading structs that begin with struct_size, of callers older or newer than we are. */
#ifndef AQ_BASE_OPTIONS_H
#define AQ_BASE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Copy what both sides know of *src to the size bytes at dst; what src is too old to have stays as
 * it is in dst. False if src is NULL or its struct_size cannot be true.
 */
bool options_copy(void *dst, size_t size, const void *src);

#endif
