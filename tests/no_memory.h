/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that runs out, for programs linked with no_memory.c and -Wl,--wrap=alloc_array. */
#ifndef AQ_TESTS_NO_MEMORY_H
#define AQ_TESTS_NO_MEMORY_H

#include <stdbool.h>

/* Let the n-th request from now on fail (1: the next); 0: none. */
void no_memory(int at);

/* Let all of them fail. */
void no_memory_at_all(void);

/* There is memory again. True if a request has failed. */
bool no_memory_ended(void);

#endif
