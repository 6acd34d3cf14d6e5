/* SPDX-License-Identifier: Apache-2.0 */
#include "rounds.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { ROUNDS_FULL = 50 }; /* what scripts/reliability asks for by itself */

static int asked_for(void)
{
    const char *text = getenv("AQ_RELIABILITY_ROUNDS");
    return text ? atoi(text) : 0;
}

bool rounds_are_long(void)
{
    return asked_for() > 0;
}

int rounds(int suite, int full)
{
    int count = rounds_are_long() ? full * asked_for() / ROUNDS_FULL : suite;
    return count > 0 ? count : 1;
}

void rounds_report(const char *row, const char *injected, unsigned times)
{
    const char *path = getenv("AQ_RELIABILITY_REPORT");
    print_message("%s: %s: %u\n", row, injected, times);
    if (path) {
        FILE *file = fopen(path, "a");
        assert_non_null(file);
        assert_true(fprintf(file,
                            "{\"row\": \"%s\", \"injected\": \"%s\", \"times\": %u, "
                            "\"lost\": \"0\"}\n",
                            row, injected, times) > 0);
        assert_int_equal(fclose(file), 0);
    }
}
