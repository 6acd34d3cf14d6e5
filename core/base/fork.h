/* SPDX-License-Identifier: Apache-2.0 */
/* Noticing a fork without a system call: a number that is another one in every child. */
#ifndef AQ_BASE_FORK_H
#define AQ_BASE_FORK_H

#include <stdint.h>

/* Generation of this process; compare with one taken earlier. */
uint32_t fork_generation(void);

#endif
