/* SPDX-License-Identifier: Apache-2.0 */
#include "command.h"

#include <string.h>

const struct command command_table[COMMAND_COUNT] = {
    [COMMAND_LOGIN] = {
        .name = "login",
        .args = "",
        .summary = "log in, with a browser here or a code for any device",
        .details = "Without --license: pro if a start URL is given, else asked on a terminal, else\n"
                   "free.  Where no browser can be opened here, a code is shown.  Without a\n"
                   "terminal nothing is asked.  Formats: plain; json (one object per line).\n"
                   "\n"
                   "Examples:\n"
                   "  {q} login\n"
                   "  {q} login --identity-provider https://NAME.awsapps.com/start\n",
        .max_words = 0,
        .run = cmd_login,
    },
    [COMMAND_EXPORT_TOKEN] = {
        .name = "user export-token",
        .args = "",
        .summary = "print a valid access token, refreshing it if needed",
        .details = "Formats: json, json-pretty; env, fish (lines for a shell); token, header,\n"
                   "exec-credential (access token only).  DUR: 90s, 10m, 1h30m, 1d, or seconds.\n"
                   "\n"
                   "Examples:\n"
                   "  {q} user export-token --format header --quiet | curl -H @- ...\n"
                   "  eval \"$({q} user export-token --format env --quiet)\"\n",
        .max_words = 0,
        .run = cmd_export_token,
    },
    [COMMAND_MIGRATE] = {
        .name = "user migrate",
        .args = " --from STORE --to STORE",
        .summary = "move a login to another store",
        .details = "The copy is read back and compared before anything is removed; interrupted, it\n"
                   "can be started again.  Formats: plain, json, json-pretty.\n"
                   "\n"
                   "Example:\n"
                   "  {q} user migrate --from sqlite --to keyring --purge\n",
        .max_words = 0,
        .run = cmd_migrate,
    },
    [COMMAND_SOURCES] = {
        .name = "user sources",
        .args = "",
        .summary = "list the logins there are, and say which is used",
        .details = "A star marks the login that is used.  Nothing is refreshed, and nobody is asked\n"
                   "anything.  Another store is looked at if it is named.  Formats: plain, json,\n"
                   "json-pretty.\n"
                   "\n"
                   "Examples:\n"
                   "  {q} user sources\n"
                   "  {q} user sources --store keyring\n",
        .max_words = 0,
        .run = cmd_sources,
    },
    [COMMAND_CHAT] = {
        .name = "chat",
        .args = " [PROMPT]",
        .summary = "ask a question and print the answer as it comes",
        .details = "Without PROMPT the question is read from standard input, unless a terminal.\n"
                   "A conversation on the terminal is not available yet.\n"
                   "\n"
                   "Examples:\n"
                   "  {q} chat --no-interactive \"what does errno 104 mean?\"\n"
                   "  git diff | {q} chat --no-interactive > review.txt\n",
        .max_words = 1,
        .run = cmd_chat,
    },
    [COMMAND_LOGOUT] = {
        .name = "logout",
        .args = "",
        .summary = "remove the login from its store",
        .details = "Token, client registration and profile go, and nothing brings them back, not\n"
                   "even a refresh that is under way.  No service is asked.  Without a login there\n"
                   "is nothing to do, which is no error.  Formats: plain, json, json-pretty.\n"
                   "\n"
                   "Example:\n"
                   "  {q} logout --source kiro-cli\n",
        .max_words = 0,
        .run = cmd_logout,
    },
    [COMMAND_WHOAMI] = {
        .name = "whoami",
        .args = "",
        .summary = "say which login is used and how long it is valid",
        .details = "Formats: plain, json, json-pretty.  Exit code 4: not logged in.\n",
        .max_words = 0,
        .run = cmd_whoami,
    },
    [COMMAND_PROFILE] = {
        .name = "profile",
        .args = " [list | use ARN]",
        .summary = "list the profiles of your organisation, or choose one",
        .details = "Alone, on a terminal: choose from the list.  Formats: plain, json, json-pretty.\n",
        .max_words = 2,
        .run = cmd_profile,
    },
    [COMMAND_MODELS] = {
        .name = "models",
        .args = "",
        .summary = "list the models that can be asked",
        .details = "Formats: plain, json, json-pretty.  For chat --model.\n",
        .max_words = 0,
        .run = cmd_models,
    },
    [COMMAND_DOCTOR] = {
        .name = "doctor",
        .args = "",
        .summary = "find out what is wrong, and what to do about it",
        .details = "Looks at settings, plugins, the store, the login, and the way to every host it\n"
                   "needs; changes nothing and refreshes nothing.  What is printed has no secret in\n"
                   "it and can go into a bug report.  Formats: plain, json, json-pretty.\n"
                   "Exit code 1: something is wrong.\n",
        .max_words = 0,
        .run = cmd_doctor,
    },
    [COMMAND_BROKER] = {
        .name = "broker",
        .args = "",
        .summary = "hand access tokens to containers over a unix socket",
        .details = "Runs until it is interrupted; there are units for systemd.  Callers get access\n"
                   "tokens and nothing else, if the kernel says that their user may ask.\n"
                   "The socket is $XDG_RUNTIME_DIR/amazonq-broker/broker.sock.\n"
                   "\n"
                   "Examples:\n"
                   "  {q} broker --allow-uid 0 &      # a container whose user is root\n"
                   "  docker run -v \"$XDG_RUNTIME_DIR/amazonq-broker:/run/amazonq-broker:ro\" \\\n"
                   "      -e Q_STORE=broker IMAGE q chat --no-interactive \"a question\"\n",
        .max_words = 0,
        .run = cmd_broker,
    },
    [COMMAND_SETTINGS] = {
        .name = "settings",
        .args = " list | KEY [VALUE] | --delete KEY",
        .summary = "show or change what is in settings.json",
        .details = "VALUE is JSON, such as true or 5000; anything else is a string.  The file is the\n"
                   "existing CLI's: what others keep there stays.  Formats: plain, json,\n"
                   "json-pretty; list hides passwords in URLs.\n"
                   "\n"
                   "Examples:\n"
                   "  {q} settings store keyring\n"
                   "  {q} settings --delete store\n",
        .max_words = 2,
        .run = cmd_settings,
    },
    [COMMAND_PLUGIN_LIST] = {
        .name = "plugin list",
        .args = "",
        .summary = "list the plugins, and what is wrong with them",
        .details = "Formats: plain, json, json-pretty.\n",
        .max_words = 0,
        .run = cmd_plugin_list,
    },
    [COMMAND_PLUGIN_INFO] = {
        .name = "plugin info",
        .args = " NAME",
        .summary = "say what a plugin is and which settings it has",
        .details = "NAME: sqlite, store-sqlite, or the path of a file.  Formats: plain, json,\n"
                   "json-pretty.\n",
        .max_words = 1,
        .run = cmd_plugin_info,
    },
    [COMMAND_PLUGIN_CHECK] = {
        .name = "plugin check",
        .args = " NAME",
        .summary = "try whether a plugin holds what it has to",
        .details = "NAME: sqlite, store-sqlite, or the path of a file.  Each clause is tried in a\n"
                   "process of its own, with places of its own: no login is touched.  Formats:\n"
                   "plain, json, json-pretty.  Exit codes: 1 a clause is broken, 3 it cannot be\n"
                   "loaded or opened.\n"
                   "\n"
                   "Examples:\n"
                   "  {q} plugin check build/store-files.so --setting directory=/run/secrets/login\n"
                   "  {q} plugin check sqlite --only store.commit\n",
        .max_words = 1,
        .run = cmd_plugin_check,
    },
    [COMMAND_PLUGIN_PATH] = {
        .name = "plugin path",
        .args = "",
        .summary = "print the directories that plugins are looked for in",
        .details = "The first one that has a plugin of a name counts.  More are named with --plugin,\n"
                   "Q_PLUGIN_PATH or the setting plugin.path.  Formats: plain, json, json-pretty.\n",
        .max_words = 0,
        .run = cmd_plugin_path,
    },
    [COMMAND_VERSION] = {
        .name = "version",
        .args = "",
        .summary = "print the version",
        .details = "Formats: plain, json, json-pretty.\n",
        .max_words = 0,
        .run = cmd_version,
    },
    [COMMAND_HELP] = {
        .name = "help",
        .args = " [COMMAND]",
        .summary = "print help, in general or on a command",
        .details = "Without COMMAND: all commands, and the options that each of them takes.\n",
        .max_words = OPTIONS_MAX_WORDS,
        .run = cmd_help,
    },
};

const struct command *command_find(const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(command_table[i].name, name) == 0) {
            return &command_table[i];
        }
    }
    return NULL;
}

const struct command *command_in_group(const char *group, const struct command *after)
{
    size_t len = strlen(group);
    for (size_t i = after ? (size_t)(after - command_table) + 1 : 0; i < COMMAND_COUNT; i++) {
        const char *name = command_table[i].name;
        if (strncmp(name, group, len) == 0 && name[len] == ' ') {
            return &command_table[i];
        }
    }
    return NULL;
}

const char *command_word(const struct command *command)
{
    const char *space = strchr(command->name, ' ');
    return space ? space + 1 : command->name;
}
