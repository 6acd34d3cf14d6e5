/* SPDX-License-Identifier: Apache-2.0 */
/* Medians and the like, for the programs in this folder. */
#ifndef AQ_TESTS_BENCH_QUANTILE_H
#define AQ_TESTS_BENCH_QUANTILE_H

#include <stdlib.h>

static inline int quantile_compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Sorts values. */
static inline double quantile(double *values, size_t count, double q)
{
    qsort(values, count, sizeof(*values), quantile_compare);
    return values[(size_t)((double)(count - 1) * q + 0.5)];
}

#endif
