/* SPDX-License-Identifier: Apache-2.0 */
#include "command.h"
#include "exitcode.h"
#include "format.h"
#include "json.h"
#include "output.h"
#include "report.h"
#include "session.h"

#include <unistd.h>

/* token: the login that was removed; NULL if there was none. */
static void write_json(const struct options *o, const struct aq_token *token, struct text *out)
{
    struct json j = { .out = out, .pretty = json_is_pretty(format_of(o)) };
    json_open(&j, NULL);
    json_boolean(&j, "removed", token != NULL);
    if (token) {
        json_string(&j, "source", token->source);
        json_string_if_any(&j, "login", token->login);
        json_string(&j, "store", token->store);
    }
    json_close(&j);
}

static void write_plain(const struct aq_token *token)
{
    if (!token) {
        report_note("logged out", "there was no login");
        return;
    }
    struct aq_str name = token->login.len > 0 ? token->login : token->source;
    report_note("logged out", "login '%.*s' is removed from store '%.*s'", AQ_STR_ARG(name),
                AQ_STR_ARG(token->store));
}

static void tell(const struct options *o, const struct aq_token *token, struct text *out)
{
    if (json_is_format(format_of(o))) {
        write_json(o, token, out);
    } else if (!options_has(o, OPTION_QUIET)) {
        write_plain(token);
    }
}

static aq_status log_out(struct session *s, const struct options *o, struct text *out)
{
    struct aq_op *op;
    const struct aq_event *event;
    aq_status st = aq_logout_start(s->client, NULL, &op, &s->error);
    if (st != AQ_OK) {
        return st;
    }
    while ((st = session_next(s, op, &event)) == AQ_OK) {
        if (event->type == AQ_EVENT_LOGGED_OUT) {
            tell(o, event->token, out);
        }
    }
    aq_op_free(op);
    if (st == AQ_E_NOT_LOGGED_IN) { /* which is what was wanted */
        tell(o, NULL, out);
        return AQ_END;
    }
    return st;
}

int cmd_logout(const struct options *o)
{
    if (!format_of(o)) {
        return EXITCODE_USAGE;
    }
    AUTO(session) struct session s = { 0 };
    AUTO(text) struct text out = { 0 };
    aq_status st = session_init(&s, o);
    if (st == AQ_OK) {
        st = log_out(&s, o, &out);
    }
    if (st != AQ_END) {
        return session_fail(&s, st);
    }
    return out.len > 0 ? output_result(STDOUT_FILENO, &out) : EXITCODE_OK;
}
