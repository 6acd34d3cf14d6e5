/* SPDX-License-Identifier: Apache-2.0 */
/* Guesses which word was meant. Feed the candidates one by one, then look at best. */
#ifndef Q_SUGGEST_H
#define Q_SUGGEST_H

#include <stddef.h>

struct suggest {
    const char *typed;
    const char *best; /* NULL while nothing is near */
    size_t distance;
};

void suggest_try(struct suggest *s, const char *candidate);

#endif
