/* SPDX-License-Identifier: Apache-2.0 */
#include "elsewhere.h"
#include "program.h"
#include "report.h"

#include <stddef.h>
#include <string.h>

static const struct {
    const char *name;
    const char *here; /* what does the same; NULL: nothing yet */
} commands[] = {
    { "agent", NULL },
    { "diagnostic", "doctor" },
    { "issue", NULL },
    { "mcp", NULL },
};

bool elsewhere_report(const char *name)
{
    size_t i = 0;
    while (i < sizeof(commands) / sizeof(commands[0]) && strcmp(commands[i].name, name) != 0) {
        i++;
    }
    if (i == sizeof(commands) / sizeof(commands[0])) {
        return false;
    }
    if (commands[i].here) {
        report_error("command '%s': is not the name here, use '%s %s'", name, program_name(),
                     commands[i].here);
    } else {
        report_error("command '%s': does not exist here yet, use the Amazon Q command line "
                     "(another 'q'; 'type -a q' lists them)",
                     name);
    }
    return true;
}
