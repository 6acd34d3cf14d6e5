/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clocks and timers that stand still while a case computes, however long the machine takes for it:
 * time passes where somebody waits in poll(), as long as they wait, and when a case says so.
 * Linked with --wrap for all that still_clock.c replaces.
 */
#ifndef AQ_TESTS_CLIENT_STILL_CLOCK_H
#define AQ_TESTS_CLIENT_STILL_CLOCK_H

#include <stdint.h>

/* From the real time on, without a timer. */
void still_clock_begin(void);

/* Let time pass. Timers that are due have fired then. */
void still_clock_pass(uint64_t us);

/* Somebody sets the wall clock. */
void still_clock_set_wall(int64_t by_s);

#endif
