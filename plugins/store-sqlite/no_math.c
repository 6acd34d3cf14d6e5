/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the private SQLite's mathematical SQL functions call. No statement of ours uses them, and a
 * database that does gets NULL, which is how SQLite reads a NaN. So libm need not be found, mapped
 * and relocated whenever somebody asks for a token: a tenth of the time that takes.
 */
#include <math.h>

#define NO_FUNCTION_OF_ONE(name) \
    double name(double x) \
    { \
        (void)x; \
        return (double)NAN; \
    }

#define NO_FUNCTION_OF_TWO(name) \
    double name(double x, double y) \
    { \
        (void)x; \
        (void)y; \
        return (double)NAN; \
    }

NO_FUNCTION_OF_ONE(acos)
NO_FUNCTION_OF_ONE(acosh)
NO_FUNCTION_OF_ONE(asin)
NO_FUNCTION_OF_ONE(asinh)
NO_FUNCTION_OF_ONE(atan)
NO_FUNCTION_OF_ONE(atanh)
NO_FUNCTION_OF_ONE(ceil)
NO_FUNCTION_OF_ONE(cos)
NO_FUNCTION_OF_ONE(cosh)
NO_FUNCTION_OF_ONE(exp)
NO_FUNCTION_OF_ONE(floor)
NO_FUNCTION_OF_ONE(log)
NO_FUNCTION_OF_ONE(log10)
NO_FUNCTION_OF_ONE(log2)
NO_FUNCTION_OF_ONE(sin)
NO_FUNCTION_OF_ONE(sinh)
NO_FUNCTION_OF_ONE(sqrt)
NO_FUNCTION_OF_ONE(tan)
NO_FUNCTION_OF_ONE(tanh)
NO_FUNCTION_OF_ONE(trunc)
NO_FUNCTION_OF_TWO(atan2)
NO_FUNCTION_OF_TWO(fmod)
NO_FUNCTION_OF_TWO(pow)
