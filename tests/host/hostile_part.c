/* SPDX-License-Identifier: Apache-2.0 */
/* A symbol that several hostile plugins have: inside themselves, beside them, or not at all. */
#ifndef HOSTILE_NUMBER
#define HOSTILE_NUMBER 0
#endif

__attribute__((visibility("default"))) int hostile_part(void);

int hostile_part(void)
{
    return HOSTILE_NUMBER;
}
