/* SPDX-License-Identifier: Apache-2.0 */
#include "command.h"
#include "exitcode.h"
#include "format.h"
#include "json.h"
#include "output.h"
#include "program.h"
#include "report.h"
#include "session.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A session with one of the two stores. --db belongs to the one that is the database. */
static aq_status open_side(struct session *s, const struct options *o, enum option side)
{
    const char *to = o->value[OPTION_TO];
    enum option database = strcmp(to, "sqlite") == 0 ? OPTION_TO : OPTION_FROM;
    struct options own = *o;
    own.value[OPTION_STORE] = o->value[side];
    own.value[OPTION_DB] = side == database ? o->value[OPTION_DB] : NULL;
    return session_init(s, &own);
}

static void write_json(const struct options *o, const struct aq_token *token, struct text *out)
{
    struct json j = { .out = out, .pretty = json_is_pretty(format_of(o)) };
    json_open(&j, NULL);
    json_string(&j, "source", token->source);
    json_string(&j, "from", text_of(o->value[OPTION_FROM]));
    json_string(&j, "to", token->store);
    json_string(&j, "expires_at", token->expires_at);
    json_boolean(&j, "purged", options_has(o, OPTION_PURGE));
    json_close(&j);
}

/* Nothing else tells where it is now: other stores are not looked into when a login is missing. */
static void tell_how_to_use(const struct options *o)
{
    const char *to = o->value[OPTION_TO];
    const char *variable = getenv("Q_STORE");
    if (!variable || !*variable) {
        report_note("note", "to use it there from now on, run: %s settings store %s",
                    program_name(), to);
    } else if (strcmp(variable, to) != 0) {
        report_note("note", "to use it there from now on, set Q_STORE=%s", to);
    }
}

static void tell(const struct options *o, const struct aq_event *event, struct text *out)
{
    const struct aq_token *token = event->token;
    bool purged = options_has(o, OPTION_PURGE);
    if (json_is_format(format_of(o))) {
        write_json(o, token, out);
    } else if (!options_has(o, OPTION_QUIET)) {
        report_note(purged ? "moved" : "copied", "login '%.*s' from store '%.*s' to store '%.*s'",
                    AQ_STR_ARG(token->source), AQ_STR_ARG(event->name), AQ_STR_ARG(token->store));
        tell_how_to_use(o);
    }
}

static aq_status migrate(struct session *from, struct session *to, const struct options *o,
                         struct text *out)
{
    struct aq_migrate_options options = AQ_MIGRATE_OPTIONS_INIT;
    options.flags |= options_has(o, OPTION_PURGE) ? AQ_MIGRATE_PURGE : 0;
    options.flags |= options_has(o, OPTION_REPLACE) ? AQ_MIGRATE_REPLACE : 0;

    struct aq_op *op;
    const struct aq_event *event;
    aq_status st = aq_migrate_start(from->client, to->client, &options, &op, &from->error);
    if (st != AQ_OK) {
        return st;
    }
    while ((st = session_next(from, op, &event)) == AQ_OK) {
        if (event->type == AQ_EVENT_MIGRATED) {
            tell(o, event, out);
        }
    }
    aq_op_free(op);
    return st;
}

static bool check_options(const struct options *o)
{
    const char *from = o->value[OPTION_FROM];
    const char *to = o->value[OPTION_TO];
    if (!format_of(o)) {
        return false;
    }
    if (!from || !to || options_has(o, OPTION_STORE)) {
        report_error("migrate: say where the login is and where it goes, with --from and --to");
        return false;
    }
    if (strcmp(from, to) == 0) {
        report_error("option '--to': '%s' is where the login is, name another store", to);
        return false;
    }
    return true;
}

int cmd_migrate(const struct options *o)
{
    if (!check_options(o)) {
        return EXITCODE_USAGE;
    }
    AUTO(session) struct session to = { 0 };
    AUTO(session) struct session from = { 0 };
    AUTO(text) struct text out = { 0 };
    aq_status st = open_side(&to, o, OPTION_TO);
    if (st != AQ_OK) {
        return session_fail(&to, st);
    }
    st = open_side(&from, o, OPTION_FROM);
    if (st == AQ_OK) {
        st = migrate(&from, &to, o, &out);
    }
    if (st != AQ_END) {
        return session_fail(&from, st);
    }
    return out.len > 0 ? output_result(STDOUT_FILENO, &out) : EXITCODE_OK;
}
