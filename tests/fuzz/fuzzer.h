/* SPDX-License-Identifier: Apache-2.0 */
/* What every fuzzer shares: the entry point, and a check that also holds without assert(). */
#ifndef AQ_TESTS_FUZZ_FUZZER_H
#define AQ_TESTS_FUZZ_FUZZER_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A promise of the code under test; a broken one is a finding. */
#define PROMISE(condition) \
    do { \
        if (!(condition)) { \
            fprintf(stderr, "%s:%d: broken promise: %s\n", __FILE__, __LINE__, #condition); \
            abort(); \
        } \
    } while (0)

#endif
