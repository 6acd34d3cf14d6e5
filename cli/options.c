/* SPDX-License-Identifier: Apache-2.0 */
#include "options.h"
#include "command.h"
#include "elsewhere.h"
#include "program.h"
#include "report.h"
#include "suggest.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define ONLY(command) (1u << (command))
#define ALL UINT32_MAX

enum { HELP_COLUMN = 24, NAME_MAX_LEN = 80 };

struct definition {
    enum option id;
    char letter; /* or 0 */
    const char *name;
    const char *value; /* what it takes, or NULL */
    const char *help;  /* NULL: another name of the option before it */
    uint32_t commands;
};

static const struct definition table[] = {
    { OPTION_STORE, 0, "store", "NAME", "where logins rest: sqlite, keyring, broker", ALL },
    { OPTION_SOURCE, 0, "source", "NAME", "whose login: auto, q-cli, kiro-cli, ...", ALL },
    { OPTION_LOGIN, 0, "login", "NAME", "a login of that name, beside the usual ones", ALL },
    { OPTION_DB, 0, "db", "FILE", "database to use instead of the usual ones", ALL },
    { OPTION_TRANSPORT, 0, "transport", "NAME", "how bytes travel: curl, h2", ALL },
    { OPTION_PLUGIN, 0, "plugin", "PATH", "directories with more plugins, absolute", ALL },
    { OPTION_ENDPOINT, 0, "endpoint", "URL", "service to talk to, gets the access token", ALL },
    { OPTION_CA_BUNDLE, 0, "ca-bundle", "FILE", "certificates to trust, PEM", ALL },
    { OPTION_INTERACTIVE, 0, "interactive", NULL, "the keyring may ask for its password", ALL },
    { OPTION_QUIET, 0, "quiet", NULL, "no warnings, only errors", ALL },
    { OPTION_VERBOSE, 'v', "verbose", NULL, "log to stderr; -vv logs more", ALL },
    { OPTION_HELP, 'h', "help", NULL, "print help, in general or on a command", ALL },
    { OPTION_VERSION, 'V', "version", NULL, "print the version", ALL },

    { OPTION_FORMAT, 'f', "format", "FORMAT", "what to print, see below (json)",
      ONLY(COMMAND_EXPORT_TOKEN) },
    { OPTION_FORMAT, 'f', "format", "FORMAT", "what to print, see below (plain)",
      ONLY(COMMAND_DOCTOR) | ONLY(COMMAND_LOGIN) | ONLY(COMMAND_LOGOUT) | ONLY(COMMAND_MIGRATE) |
          ONLY(COMMAND_MODELS) | ONLY(COMMAND_PROFILE) | ONLY(COMMAND_SETTINGS) |
          ONLY(COMMAND_SOURCES) | ONLY(COMMAND_WHOAMI) | ONLY(COMMAND_PLUGIN_LIST) |
          ONLY(COMMAND_PLUGIN_INFO) | ONLY(COMMAND_PLUGIN_CHECK) | ONLY(COMMAND_PLUGIN_PATH) |
          ONLY(COMMAND_VERSION) },
    { OPTION_ACCESS_ONLY, 0, "access-only", NULL, "leave the refresh token out",
      ONLY(COMMAND_EXPORT_TOKEN) },
    { OPTION_WITH_REFRESH_TOKEN, 0, "with-refresh-token", NULL, "put it into env and fish, too",
      ONLY(COMMAND_EXPORT_TOKEN) },
    { OPTION_MIN_VALID, 0, "min-valid", "DUR", "valid for at least this long (60s)",
      ONLY(COMMAND_EXPORT_TOKEN) },
    { OPTION_FORCE_REFRESH, 0, "force-refresh", NULL, "refresh even if the token is valid",
      ONLY(COMMAND_EXPORT_TOKEN) },
    { OPTION_NO_REFRESH, 0, "no-refresh", NULL, "never ask the service",
      ONLY(COMMAND_EXPORT_TOKEN) },
    { OPTION_OUTPUT_FD, 0, "output-fd", "N", "print to this file descriptor (1)",
      ONLY(COMMAND_EXPORT_TOKEN) },

    { OPTION_FROM, 0, "from", "STORE", "where the login is", ONLY(COMMAND_MIGRATE) },
    { OPTION_TO, 0, "to", "STORE", "where it goes", ONLY(COMMAND_MIGRATE) },
    { OPTION_PURGE, 0, "purge", NULL, "remove it from where it was, at the end",
      ONLY(COMMAND_MIGRATE) },
    { OPTION_REPLACE, 0, "replace", NULL, "overwrite another or a newer login there",
      ONLY(COMMAND_MIGRATE) },

    { OPTION_DELETE, 'd', "delete", NULL, "remove the setting", ONLY(COMMAND_SETTINGS) },

    { OPTION_NO_INTERACTIVE, 0, "no-interactive", NULL, "answer one question and exit",
      ONLY(COMMAND_CHAT) },
    { OPTION_NO_INTERACTIVE, 0, "non-interactive", NULL, NULL, ONLY(COMMAND_CHAT) },
    { OPTION_MODEL, 0, "model", "ID", "model to ask (the service's default)", ONLY(COMMAND_CHAT) },
    { OPTION_RAW, 0, "raw", NULL, "do not take out terminal escapes", ONLY(COMMAND_CHAT) },

    { OPTION_SOCKET, 0, "socket", "PATH", "where to listen, absolute (see below)",
      ONLY(COMMAND_BROKER) },
    { OPTION_ALLOW_UID, 0, "allow-uid", "N", "serve this user, too; may be repeated",
      ONLY(COMMAND_BROKER) },
    { OPTION_IDLE_EXIT, 0, "idle-exit", "DUR", "end when nobody was connected this long",
      ONLY(COMMAND_BROKER) },

    { OPTION_ONLY, 0, "only", "CLAUSE", "this one, or all that begin so; may be repeated",
      ONLY(COMMAND_PLUGIN_CHECK) },
    { OPTION_SETTING, 0, "setting", "KEY=VALUE", "a setting of the plugin; may be repeated",
      ONLY(COMMAND_PLUGIN_CHECK) },
    { OPTION_BACKEND, 0, "backend", "PID", "what serves the store: stopped, and killed",
      ONLY(COMMAND_PLUGIN_CHECK) },
    { OPTION_LIST, 0, "list", NULL, "print all clauses, try nothing", ONLY(COMMAND_PLUGIN_CHECK) },

    { OPTION_LICENSE, 0, "license", "KIND", "free (Builder ID) or pro (your organisation)",
      ONLY(COMMAND_LOGIN) },
    { OPTION_IDENTITY_PROVIDER, 0, "identity-provider", "URL", "start URL of your organisation",
      ONLY(COMMAND_LOGIN) },
    { OPTION_REGION, 0, "region", "REGION", "of the sign-in service (us-east-1)",
      ONLY(COMMAND_LOGIN) },
    { OPTION_USE_DEVICE_FLOW, 0, "use-device-flow", NULL, "confirm a code on any device",
      ONLY(COMMAND_LOGIN) },
    { OPTION_NO_BROWSER, 0, "no-browser", NULL, "open none, only say where to go",
      ONLY(COMMAND_LOGIN) },
    { OPTION_PROFILE, 0, "profile", "ARN", "profile of your organisation to use",
      ONLY(COMMAND_LOGIN) },
};

enum { TABLE_LEN = sizeof(table) / sizeof(table[0]) };

struct parser {
    struct options *o;
    char **argv; /* what has not been read yet, ends with NULL */
    const char *group;
    bool only_words; /* after "--" */
};

static const struct definition *find_name(const char *name, size_t len)
{
    for (size_t i = 0; i < TABLE_LEN; i++) {
        if (strncmp(table[i].name, name, len) == 0 && table[i].name[len] == '\0') {
            return &table[i];
        }
    }
    return NULL;
}

static const struct definition *find_letter(char letter)
{
    for (size_t i = 0; i < TABLE_LEN; i++) {
        if (table[i].letter != 0 && table[i].letter == letter) {
            return &table[i];
        }
    }
    return NULL;
}

static uint32_t bit(const struct command *command)
{
    return command ? ONLY(command - command_table) : 0;
}

/* Of --name=value only the name is repeated: the value may be a secret. */
static bool unknown_option(const struct options *o, const char *argument)
{
    char name[NAME_MAX_LEN];
    char dashed[TABLE_LEN][NAME_MAX_LEN];
    struct suggest guess = { .typed = name };

    (void)snprintf(name, sizeof(name), "%.*s", (int)strcspn(argument, "="), argument);
    report_error("option '%s': unknown, see '%s --help'", name, program_name());
    for (size_t i = 0; i < TABLE_LEN; i++) {
        if (!o->command || table[i].commands & bit(o->command)) {
            (void)snprintf(dashed[i], sizeof(dashed[i]), "--%s", table[i].name);
            suggest_try(&guess, dashed[i]);
        }
    }
    if (guess.best) {
        report_error("did you mean '%s'?", guess.best);
    }
    return false;
}

static bool unknown_command(const char *name)
{
    struct suggest guess = { .typed = name };

    if (elsewhere_report(name)) {
        return false;
    }
    report_error("command '%s': unknown, see '%s --help'", name, program_name());
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        struct suggest word = { .typed = name };
        suggest_try(&guess, command_table[i].name);
        suggest_try(&word, command_word(&command_table[i])); /* "export-token" alone */
        if (word.best && (!guess.best || word.distance < guess.distance)) {
            guess.best = command_table[i].name;
            guess.distance = word.distance;
        }
    }
    if (guess.best) {
        report_error("did you mean '%s'?", guess.best);
    }
    return false;
}

static bool take_uid(struct options *o, const char *uid)
{
    if (o->uid_count == OPTIONS_MAX_UIDS) {
        report_error("option '--allow-uid': given more than %d times, name fewer users",
                     OPTIONS_MAX_UIDS);
        return false;
    }
    o->uids[o->uid_count++] = uid;
    return true;
}

static bool take_repeated(struct options *o, const struct definition *d, const char *value)
{
    if (o->repeated_count == OPTIONS_MAX_REPEATED) {
        report_error("option '--%s': more than %d of these, give fewer at once", d->name,
                     OPTIONS_MAX_REPEATED);
        return false;
    }
    o->repeated[o->repeated_count].option = d->id;
    o->repeated[o->repeated_count++].value = value;
    return true;
}

/* A value is in the same argument (rest), or is the next one. */
static bool take(struct parser *p, const struct definition *d, const char *rest)
{
    p->o->count[d->id]++;
    if (!d->value) {
        return true;
    }
    if (!rest) {
        rest = *p->argv;
        if (!rest || (rest[0] == '-' && rest[1] != '\0')) {
            report_error("option '--%s': needs a value, write --%s=%s", d->name, d->name, d->value);
            return false;
        }
        p->argv++;
    }
    if (*rest == '\0') {
        report_error("option '--%s': the value is empty, leave the option out or give one",
                     d->name);
        return false;
    }
    p->o->value[d->id] = rest;
    if (d->id == OPTION_ONLY || d->id == OPTION_SETTING) {
        return take_repeated(p->o, d, rest);
    }
    return d->id != OPTION_ALLOW_UID || take_uid(p->o, rest);
}

/* --name, --name value, --name=value */
static bool parse_long(struct parser *p, const char *argument)
{
    const char *name = argument + 2;
    const char *equals = strchr(name, '=');
    const struct definition *d = find_name(name, equals ? (size_t)(equals - name) : strlen(name));
    if (!d) {
        return unknown_option(p->o, argument);
    }
    if (equals && !d->value) {
        report_error("option '--%s': takes no value, write --%s alone", d->name, d->name);
        return false;
    }
    return take(p, d, equals ? equals + 1 : NULL);
}

/* -f value, -fvalue, -vv */
static bool parse_letters(struct parser *p, const char *argument)
{
    for (const char *letter = argument + 1; *letter; letter++) {
        const struct definition *d = find_letter(*letter);
        if (!d) {
            return unknown_option(p->o, argument);
        }
        if (d->value) {
            return take(p, d, letter[1] ? letter + 1 : NULL);
        }
        p->o->count[d->id]++;
    }
    return true;
}

static bool parse_command(struct parser *p, const char *word)
{
    if (!p->group && command_in_group(word, NULL)) {
        p->group = word;
        return true;
    }
    char name[NAME_MAX_LEN];
    (void)snprintf(name, sizeof(name), "%s%s%s", p->group ? p->group : "", p->group ? " " : "",
                   word);
    p->o->command = command_find(name);
    return p->o->command ? true : unknown_command(name);
}

static bool parse_word(struct parser *p, const char *word)
{
    if (!p->o->command) {
        return parse_command(p, word);
    }
    if (p->o->word_count == p->o->command->max_words) {
        report_error("argument '%.60s': one too many for '%s %s', quote what belongs together",
                     word, program_name(), p->o->command->name);
        return false;
    }
    p->o->words[p->o->word_count++] = word;
    return true;
}

static bool parse_argument(struct parser *p)
{
    const char *argument = *p->argv++;
    if (p->only_words || argument[0] != '-' || argument[1] == '\0') {
        return parse_word(p, argument);
    }
    if (strcmp(argument, "--") == 0) {
        p->only_words = true;
        return true;
    }
    return argument[1] == '-' ? parse_long(p, argument) : parse_letters(p, argument);
}

/* Options may come before the command, so this can only be known at the end. */
static bool check_options_fit(const struct options *o)
{
    uint32_t allowed[OPTION_COUNT] = { 0 };
    if (!o->command) {
        return true;
    }
    for (size_t i = 0; i < TABLE_LEN; i++) {
        allowed[table[i].id] |= table[i].commands;
    }
    for (size_t i = 0; i < TABLE_LEN; i++) {
        if (o->count[table[i].id] > 0 && !(allowed[table[i].id] & bit(o->command))) {
            report_error("option '--%s': not one of '%s %s', see '%s %s --help'", table[i].name,
                         program_name(), o->command->name, program_name(), o->command->name);
            return false;
        }
    }
    return true;
}

/* Checked here and not when a plugin is looked for: most commands find theirs before that. */
static bool check_plugin_path(const struct options *o)
{
    const char *dir = o->value[OPTION_PLUGIN];
    while (dir) {
        size_t len = strcspn(dir, ":");
        if (len > 0 && *dir != '/') {
            report_error("option '--plugin': '%.*s' is not an absolute path, start it with /",
                         (int)len, dir);
            return false;
        }
        dir = dir[len] ? dir + len + 1 : NULL;
    }
    return true;
}

static bool group_alone(const char *group)
{
    AUTO(text) struct text words = { 0 };
    for (const struct command *c = command_in_group(group, NULL); c;
         c = command_in_group(group, c)) {
        text_add_literal(&words, words.len ? ", " : "");
        text_add_literal(&words, command_word(c));
    }
    report_error("command '%s': says not what to do, add one of: %.*s", group,
                 AQ_STR_ARG(text_view(&words)));
    return false;
}

bool options_parse(struct options *ret, int argc, char **argv)
{
    struct options o = { 0 };
    struct parser p = { .o = &o, .argv = argv + (argc > 0) };

    while (*p.argv) {
        if (!parse_argument(&p)) {
            return false;
        }
    }
    if (p.group && !o.command) {
        o.group = p.group;
        if (!options_has(&o, OPTION_HELP)) {
            return group_alone(p.group);
        }
    }
    if (!options_has(&o, OPTION_HELP) && !(check_options_fit(&o) && check_plugin_path(&o))) {
        return false;
    }
    *ret = o;
    return true;
}

bool options_has(const struct options *o, enum option option)
{
    return o->count[option] > 0;
}

static void help_line(const struct definition *d, struct text *out)
{
    char left[NAME_MAX_LEN];
    char letter[] = { '-', d->letter, ',', ' ', '\0' };
    (void)snprintf(left, sizeof(left), "  %s--%s%s%s", d->letter ? letter : "", d->name,
                   d->value ? " " : "", d->value ? d->value : "");
    text_add_literal(out, left);
    for (size_t i = strlen(left); i < HELP_COLUMN || i < strlen(left) + 2; i++) {
        text_add_char(out, ' ');
    }
    text_add_literal(out, d->help);
    text_add_char(out, '\n');
}

void options_help(const struct command *command, struct text *out)
{
    for (size_t i = 0; i < TABLE_LEN; i++) {
        bool common = table[i].commands == ALL;
        bool wanted = command ? !common && table[i].commands & bit(command) : common;
        if (wanted && table[i].help) {
            help_line(&table[i], out);
        }
    }
}
