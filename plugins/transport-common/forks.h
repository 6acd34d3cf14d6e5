/* SPDX-License-Identifier: Apache-2.0 */
/* Whether this process is the one that something was made in. */
#ifndef TRANSPORT_COMMON_FORKS_H
#define TRANSPORT_COMMON_FORKS_H

#include <stdint.h>

/* How often this process, and those it comes from, forked since the first call. Any thread; no
 * system call, so it may be asked with every byte. */
uint32_t forks_seen(void);

#endif
