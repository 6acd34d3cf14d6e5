/* SPDX-License-Identifier: Apache-2.0 */
#include "command.h"
#include "exitcode.h"
#include "output.h"
#include "report.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { NAME_MAX_LEN = 80, SUMMARY_COLUMN = 24 };

static void add_general(struct text *out)
{
    text_add_literal(out, "Usage: q [OPTION]... COMMAND [ARGUMENT]...\n"
                          "Keeps a login for Amazon Q alive, prints tokens, streams answers.\n"
                          "\nCommands:\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        const struct command *command = &command_table[i];
        text_add_literal(out, "  ");
        text_add_literal(out, command->name);
        for (size_t column = strlen(command->name) + 2; column < SUMMARY_COLUMN; column++) {
            text_add_char(out, ' ');
        }
        text_add_literal(out, command->summary);
        text_add_char(out, '\n');
    }
    text_add_literal(out, "\nOptions of every command:\n");
    options_help(NULL, out);
}

static void add_command(const struct command *command, struct text *out)
{
    text_add_literal(out, "q ");
    text_add_literal(out, command->name);
    text_add_literal(out, " - ");
    text_add_literal(out, command->summary);
    text_add_literal(out, "\n\nUsage: q ");
    text_add_literal(out, command->name);
    text_add_literal(out, " [OPTION]...");
    text_add_literal(out, command->args);
    text_add_literal(out, "\n");

    AUTO(text) struct text options = { 0 };
    options_help(command, &options);
    if (options.len > 0) {
        text_add_literal(out, "\nOptions, besides those of every command ('q --help'):\n");
        text_add(out, text_view(&options));
    }
    text_add_literal(out, "\n");
    text_add_literal(out, command->details);
}

int cmd_help_print(const struct command *command, int fd)
{
    AUTO(text) struct text out = { 0 };
    if (command) {
        add_command(command, &out);
    } else {
        add_general(&out);
    }
    return output_result(fd, &out);
}

int cmd_help(const struct options *o)
{
    if (o->word_count == 0) {
        return cmd_help_print(NULL, STDOUT_FILENO);
    }
    char name[NAME_MAX_LEN];
    (void)snprintf(name, sizeof(name), "%s%s%s", o->words[0], o->word_count > 1 ? " " : "",
                   o->word_count > 1 ? o->words[1] : "");
    const struct command *command = command_find(name);
    if (!command) {
        command = command_in_group(name);
    }
    if (!command) {
        report_error("help '%s': there is no such command, see 'q --help'", name);
        return EXITCODE_USAGE;
    }
    return cmd_help_print(command, STDOUT_FILENO);
}
