/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers that differ from one exchange to the next: for ids and delays, not for secrets. */
#ifndef AQ_WIRE_RANDOM_H
#define AQ_WIRE_RANDOM_H

#include <stdint.h>

enum { RANDOM_SEED_LEN = 32, RANDOM_UUID_LEN = 36 };

struct random {
    uint64_t s[4];
};

/* Seeds that differ in one bit only differ in all that follows. */
void random_begin(struct random *r, const uint8_t seed[RANDOM_SEED_LEN]);

uint64_t random_next(struct random *r);

/* From 0 to less than `end`; 0 if that is 0. */
uint32_t random_below(struct random *r, uint32_t end);

/* A UUID of version 4. */
void random_uuid(struct random *r, char ret[RANDOM_UUID_LEN + 1]);

#endif
