/* SPDX-License-Identifier: Apache-2.0 */
#include "suggest.h"

#include <string.h>

enum { WORD_MAX = 40 };

static size_t min(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* How many characters to insert, remove or replace (Levenshtein); words of at most WORD_MAX. */
static size_t distance(const char *a, const char *b)
{
    size_t a_len = strlen(a);
    size_t b_len = strlen(b);
    size_t row[WORD_MAX + 1];

    for (size_t j = 0; j <= b_len; j++) {
        row[j] = j;
    }
    for (size_t i = 1; i <= a_len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t replaced = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            row[j] = min(replaced, min(row[j], row[j - 1]) + 1);
        }
    }
    return row[b_len];
}

void suggest_try(struct suggest *s, const char *candidate)
{
    size_t len = strlen(s->typed);
    if (len < 2 || len > WORD_MAX || strlen(candidate) > WORD_MAX) {
        return;
    }
    size_t found = distance(s->typed, candidate);
    size_t near = min(len, strlen(candidate)) / 3 + 1;
    if (found <= near && (!s->best || found < s->distance)) {
        s->best = candidate;
        s->distance = found;
    }
}
