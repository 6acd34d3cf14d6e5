/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two clocks: monotonic for every wait, wall clock for nothing but the expiry of a token and
 * the time in a signature.
 */
#ifndef AQ_BASE_CLOCK_H
#define AQ_BASE_CLOCK_H

#include <stdint.h>

#define CLOCK_NEVER UINT64_MAX

/* CLOCK_MONOTONIC in microseconds. */
uint64_t clock_now_us(void);

/* Seconds since 1970-01-01 UTC. */
int64_t clock_wall_s(void);

#endif
