/* SPDX-License-Identifier: Apache-2.0 */
/* The options of all commands, in one table, and the parser that fills struct options from argv. */
#ifndef Q_OPTIONS_H
#define Q_OPTIONS_H

#include "text.h"

enum option {
    /* of every command */
    OPTION_STORE,
    OPTION_SOURCE,
    OPTION_LOGIN,
    OPTION_DB,
    OPTION_TRANSPORT,
    OPTION_PLUGIN,
    OPTION_ENDPOINT,
    OPTION_CA_BUNDLE,
    OPTION_INTERACTIVE,
    OPTION_QUIET,
    OPTION_VERBOSE,
    OPTION_HELP,
    OPTION_VERSION,
    /* of some */
    OPTION_FORMAT,
    OPTION_ACCESS_ONLY,
    OPTION_WITH_REFRESH_TOKEN,
    OPTION_MIN_VALID,
    OPTION_FORCE_REFRESH,
    OPTION_NO_REFRESH,
    OPTION_OUTPUT_FD,
    OPTION_FROM,
    OPTION_TO,
    OPTION_PURGE,
    OPTION_REPLACE,
    OPTION_DELETE,
    OPTION_NO_INTERACTIVE,
    OPTION_MODEL,
    OPTION_RAW,
    OPTION_SOCKET,
    OPTION_ALLOW_UID,
    OPTION_IDLE_EXIT,
    OPTION_ONLY,
    OPTION_SETTING,
    OPTION_BACKEND,
    OPTION_LIST,
    OPTION_LICENSE,
    OPTION_IDENTITY_PROVIDER,
    OPTION_REGION,
    OPTION_USE_DEVICE_FLOW,
    OPTION_NO_BROWSER,
    OPTION_PROFILE,
    OPTION_COUNT,
};

enum { OPTIONS_MAX_WORDS = 2, OPTIONS_MAX_UIDS = 15, OPTIONS_MAX_REPEATED = 32 };

struct command;

/* A command line, taken apart. Texts belong to argv. */
struct options {
    const struct command *command; /* NULL: none was named */
    const char *group;             /* that was named without a command of it, or NULL */
    int word_count;
    const char *words[OPTIONS_MAX_WORDS]; /* after the name of the command */
    unsigned count[OPTION_COUNT];         /* how often the option was given */
    const char *value[OPTION_COUNT];      /* of options that take one; the last counts */
    unsigned uid_count;
    const char *uids[OPTIONS_MAX_UIDS]; /* of --allow-uid, where all count */
    unsigned repeated_count;
    struct {
        enum option option; /* --only and --setting, where all count */
        const char *value;
    } repeated[OPTIONS_MAX_REPEATED];
};

/* Take argv apart. False after a usage error, which has been reported. */
bool options_parse(struct options *ret, int argc, char **argv);

bool options_has(const struct options *o, enum option option);

/* Append lines of help: the options of a command, or with NULL those of every command. */
void options_help(const struct command *command, struct text *out);

#endif
