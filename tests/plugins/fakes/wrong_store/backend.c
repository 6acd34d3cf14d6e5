/* SPDX-License-Identifier: Apache-2.0 */
/* The process that is said to serve it: any, which is stopped and killed. */
#include "wrong.h"

#include <stdio.h>

/* Its state, as /proc names it; 'X' if there is none. */
static char state(const struct store *s)
{
    char path[64], state = 'X';
    snprintf(path, sizeof(path), "/proc/%lld/stat", (long long)s->backend);
    FILE *f = s->backend ? fopen(path, "re") : NULL;
    if (f) {
        if (fscanf(f, "%*d (%*[^)]) %c", &state) != 1) {
            state = 'X';
        }
        fclose(f);
    }
    return state;
}

int backend_is_stopped(const struct store *s)
{
    return state(s) == 'T';
}

int backend_is_gone(const struct store *s)
{
    const char now = state(s);
    return s->backend && (now == 'X' || now == 'Z');
}
