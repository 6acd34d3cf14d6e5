/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that runs out when a clause wants it. malloc of this program stands before that of libc;
 * it refuses requests of the plugin's own code, on the thread that asked for that. Libraries beside
 * it, which may end the process when they get none, are not for the plugin's author to mend.
 */
#ifndef CONFORMANCE_ALLOCATOR_H
#define CONFORMANCE_ALLOCATOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* False where malloc cannot be replaced: another libc, or a sanitizer that minds. */
bool allocator_is_ours(void);

/* Blocks that were given out and not given back; always 0 where malloc is not ours, and where a
 * sanitizer looks for leaks itself. */
long allocator_live(void);

/* Whose requests are refused: those of the object that this address is in. */
void allocator_watch(uintptr_t plugin);

/* Refuse the n-th request from now on. */
void allocator_refuse(unsigned n);

/* Refuse nothing any more; whether a request was refused. */
bool allocator_end(void);

#endif
