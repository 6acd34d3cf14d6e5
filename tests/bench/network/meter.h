/* SPDX-License-Identifier: Apache-2.0 */
/* What a client found in its answers, and what that cost it: the same count for ours and others. */
#ifndef AQ_TESTS_BENCH_METER_H
#define AQ_TESTS_BENCH_METER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The end of a text: digits of the server's CLOCK_MONOTONIC, in ns, when it wrote the event. */
#define METER_STAMP_DIGITS 20

/* One answer. Zero-initialised. */
struct meter_stream {
    bool begun;
    uint64_t stamp; /* of its last event that had one */
};

/* One event with its text; a stamp that is not later than the one before ends the program. */
void meter_event(struct meter_stream *stream, const char *text, size_t len);

/* So many streams will come. */
void meter_expect(unsigned streams);

/* A line of JSON: events, bytes of text, processor time of an event since every stream has had one,
 * and the time each took from the server's write, where there are stamps. */
void meter_print(void);

/* Say what is wrong and end the program. */
_Noreturn void meter_fail(const char *what);

#endif
