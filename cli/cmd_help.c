/* SPDX-License-Identifier: Apache-2.0 */
#include "command.h"
#include "elsewhere.h"
#include "exitcode.h"
#include "output.h"
#include "program.h"
#include "report.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { NAME_MAX_LEN = 80, SUMMARY_COLUMN = 24 };

/* Append text with the name of the program for every {q}. */
static void add_named(struct text *out, const char *text)
{
    const char *mark;
    while ((mark = strstr(text, "{q}")) != NULL) {
        text_add(out, (struct aq_str){ text, (size_t)(mark - text) });
        text_add_literal(out, program_name());
        text = mark + strlen("{q}");
    }
    text_add_literal(out, text);
}

static void add_summary(const struct command *command, struct text *out)
{
    text_add_literal(out, "  ");
    text_add_literal(out, command->name);
    for (size_t column = strlen(command->name) + 2; column < SUMMARY_COLUMN; column++) {
        text_add_char(out, ' ');
    }
    text_add_literal(out, command->summary);
    text_add_char(out, '\n');
}

static void add_general(struct text *out)
{
    add_named(out, "Usage: {q} [OPTION]... COMMAND [ARGUMENT]...\n"
                   "Keeps a login for Amazon Q alive, prints tokens, streams answers.\n"
                   "\nCommands:\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        add_summary(&command_table[i], out);
    }
    text_add_literal(out, "Options of every command:\n");
    options_help(NULL, out);
}

static void add_group(const char *group, struct text *out)
{
    add_named(out, "Usage: {q} ");
    text_add_literal(out, group);
    text_add_literal(out, " COMMAND [OPTION]... [ARGUMENT]...\n\nCommands:\n");
    for (const struct command *c = command_in_group(group, NULL); c;
         c = command_in_group(group, c)) {
        add_summary(c, out);
    }
    add_named(out, "\n'{q} help ");
    text_add_literal(out, group);
    text_add_literal(out, " COMMAND' says more.\n");
}

static void add_command(const struct command *command, struct text *out)
{
    add_named(out, "{q} ");
    text_add_literal(out, command->name);
    text_add_literal(out, " - ");
    text_add_literal(out, command->summary);
    add_named(out, "\n\nUsage: {q} ");
    text_add_literal(out, command->name);
    text_add_literal(out, " [OPTION]...");
    text_add_literal(out, command->args);
    text_add_literal(out, "\n");

    AUTO(text) struct text options = { 0 };
    options_help(command, &options);
    if (options.len > 0) {
        add_named(out, "\nOptions, besides those of every command ('{q} --help'):\n");
        text_add(out, text_view(&options));
    }
    text_add_literal(out, "\n");
    add_named(out, command->details);
}

int cmd_help_print(const struct command *command, const char *group, int fd)
{
    AUTO(text) struct text out = { 0 };
    if (command) {
        add_command(command, &out);
    } else if (group) {
        add_group(group, &out);
    } else {
        add_general(&out);
    }
    return output_result(fd, &out);
}

int cmd_help(const struct options *o)
{
    if (o->word_count == 0) {
        return cmd_help_print(NULL, NULL, STDOUT_FILENO);
    }
    char name[NAME_MAX_LEN];
    (void)snprintf(name, sizeof(name), "%s%s%s", o->words[0], o->word_count > 1 ? " " : "",
                   o->word_count > 1 ? o->words[1] : "");
    const struct command *command = command_find(name);
    if (!command && !command_in_group(name, NULL)) {
        if (!elsewhere_report(name)) {
            report_error("help '%s': there is no such command, see '%s --help'", name,
                         program_name());
        }
        return EXITCODE_USAGE;
    }
    return cmd_help_print(command, name, STDOUT_FILENO);
}
