/* SPDX-License-Identifier: Apache-2.0 */
#include "program.h"

#include <errno.h>
#include <string.h>

/* Whoever starts the program chooses argv[0], so it is compared and never printed. */
const char *program_name(void)
{
    return strcmp(program_invocation_short_name, "amazonq") == 0 ? "amazonq" : "q";
}
