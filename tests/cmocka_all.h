/* SPDX-License-Identifier: Apache-2.0 */
/* cmocka wants these headers before its own; and what most tests need beside it. */
#ifndef AQ_TESTS_CMOCKA_ALL_H
#define AQ_TESTS_CMOCKA_ALL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <amazonq/view.h>

/* A view has exactly this text. */
#define assert_str(view, expected) \
    do { \
        const struct aq_str seen_ = (view); \
        assert_int_equal(seen_.len, strlen(expected)); \
        assert_memory_equal(seen_.ptr ? seen_.ptr : "", expected, seen_.len); \
    } while (0)

/* A text has this part. */
#define assert_contains(text, part) \
    do { \
        if (!strstr((text), (part))) { \
            print_error("'%s' does not contain '%s'\n", (text), (part)); \
            fail(); \
        } \
    } while (0)

#endif
