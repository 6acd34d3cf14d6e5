/* SPDX-License-Identifier: Apache-2.0 */
#include "elsewhere.h"
#include "report.h"

#include <stddef.h>
#include <string.h>

static const char *const names[] = { "agent", "diagnostic", "issue", "mcp" };

bool elsewhere_report(const char *name)
{
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(names[i], name) == 0) {
            report_error("command '%s': does not exist here yet, use the Amazon Q command line "
                         "(another 'q'; 'type -a q' lists them)",
                         name);
            return true;
        }
    }
    return false;
}
