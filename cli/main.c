/* SPDX-License-Identifier: Apache-2.0 */
/* q, or amazonq: the command. Makes the process safe, reads the command line, runs one command. */
#include "command.h"
#include "exitcode.h"
#include "process.h"
#include "program.h"
#include "report.h"

#include <unistd.h>

int main(int argc, char **argv)
{
    struct options o;

    if (!process_prepare()) {
        report_error("process: cannot be made safe for secrets, check /dev/null and its limits");
        return EXITCODE_OTHER;
    }
    if (!options_parse(&o, argc, argv)) {
        return EXITCODE_USAGE;
    }
    if (options_has(&o, OPTION_HELP)) {
        return cmd_help_print(o.command, o.group, STDOUT_FILENO);
    }
    if (options_has(&o, OPTION_VERSION)) {
        return cmd_version(&o);
    }
    if (!o.command) {
        report_error("command: none given; a conversation on the terminal is not available yet, "
                     "ask with '%s chat --no-interactive PROMPT'",
                     program_name());
        (void)cmd_help_print(NULL, NULL, STDERR_FILENO);
        return EXITCODE_USAGE;
    }
    return o.command->run(&o);
}
