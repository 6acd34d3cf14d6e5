/* SPDX-License-Identifier: Apache-2.0 */
#include "elsewhere.h"
#include "report.h"

#include <stddef.h>
#include <string.h>

static const struct {
    const char *name;
    const char *what_to_do; /* ... the Amazon Q command line */
} table[] = {
    { "login", "sign in with" }, { "agent", "use" }, { "diagnostic", "use" },
    { "issue", "use" },          { "mcp", "use" },   { "profile", "use" },
};

bool elsewhere_report(const char *name)
{
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (strcmp(table[i].name, name) == 0) {
            report_error("command '%s': does not exist here yet, %s the Amazon Q command line "
                         "(another 'q'; 'type -a q' lists them)",
                         name, table[i].what_to_do);
            return true;
        }
    }
    return false;
}
