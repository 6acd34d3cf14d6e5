/* SPDX-License-Identifier: Apache-2.0 */
/* The commands. */
#ifndef Q_COMMAND_H
#define Q_COMMAND_H

#include "options.h"

enum command_id {
    COMMAND_LOGIN,
    COMMAND_EXPORT_TOKEN,
    COMMAND_MIGRATE,
    COMMAND_SOURCES,
    COMMAND_CHAT,
    COMMAND_LOGOUT,
    COMMAND_WHOAMI,
    COMMAND_PROFILE,
    COMMAND_MODELS,
    COMMAND_DOCTOR,
    COMMAND_BROKER,
    COMMAND_SETTINGS,
    COMMAND_PLUGIN_LIST,
    COMMAND_PLUGIN_INFO,
    COMMAND_PLUGIN_CHECK,
    COMMAND_PLUGIN_PATH,
    COMMAND_VERSION,
    COMMAND_HELP,
    COMMAND_COUNT,
};

struct command {
    const char *name; /* one word, or a group and a word */
    const char *args;
    const char *summary; /* one line, in the list of commands */
    const char *details; /* after the options; {q} stands for program_name() */
    int max_words;
    int (*run)(const struct options *o); /* returns an exit code */
};

/* Indexed by command_id. */
extern const struct command command_table[COMMAND_COUNT];

/* The command of that name, words separated by one space; NULL if there is none. */
const struct command *command_find(const char *name);

/* The next command of a group such as "user", after one of them or from the start; NULL: none. */
const struct command *command_in_group(const char *group, const struct command *after);

/* Its name without the group. */
const char *command_word(const struct command *command);

/* The commands, each in its file cmd_NAME.c. */
int cmd_login(const struct options *o);
int cmd_profile(const struct options *o);
int cmd_models(const struct options *o);
int cmd_export_token(const struct options *o);
int cmd_migrate(const struct options *o);
int cmd_sources(const struct options *o);
int cmd_chat(const struct options *o);
int cmd_logout(const struct options *o);
int cmd_whoami(const struct options *o);
int cmd_doctor(const struct options *o);
int cmd_broker(const struct options *o);
int cmd_settings(const struct options *o);
int cmd_plugin_list(const struct options *o);
int cmd_plugin_info(const struct options *o);
int cmd_plugin_check(const struct options *o);
int cmd_plugin_path(const struct options *o);
int cmd_version(const struct options *o);
int cmd_help(const struct options *o);

/* The help of a command; without one that of a group; without either the general one. */
int cmd_help_print(const struct command *command, const char *group, int fd);

#endif
