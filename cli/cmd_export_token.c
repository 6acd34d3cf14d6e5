/* SPDX-License-Identifier: Apache-2.0 */
#include "command.h"
#include "credential.h"
#include "duration.h"
#include "exitcode.h"
#include "output.h"
#include "report.h"
#include "session.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* What the command line asks for. */
struct wishes {
    const struct credential_format *format;
    struct aq_token_options token;
    bool with_refresh;
    bool quiet;
    int fd;
};

static bool refuse_both(const struct options *o, enum option a, const char *a_name, enum option b,
                        const char *b_name)
{
    if (options_has(o, a) && options_has(o, b)) {
        report_error("option '%s': contradicts '%s', leave one out", a_name, b_name);
        return false;
    }
    return true;
}

static bool read_format(const struct options *o, struct wishes *w)
{
    const char *name = o->value[OPTION_FORMAT] ? o->value[OPTION_FORMAT] : "json";
    w->format = credential_format_find(name);
    if (!w->format) {
        AUTO(text) struct text names = { 0 };
        credential_format_names(&names);
        report_error("format '%s': unknown, use one of %.*s", name, AQ_STR_ARG(text_view(&names)));
        return false;
    }
    if (w->format->refresh == CREDENTIAL_REFRESH_NEVER &&
        options_has(o, OPTION_WITH_REFRESH_TOKEN)) {
        report_error("format '%s': has no place for a refresh token, use json, env or fish", name);
        return false;
    }
    w->with_refresh = options_has(o, OPTION_WITH_REFRESH_TOKEN) ||
                      (w->format->refresh == CREDENTIAL_REFRESH_UNLESS_REFUSED &&
                       !options_has(o, OPTION_ACCESS_ONLY));
    return refuse_both(o, OPTION_ACCESS_ONLY, "--access-only", OPTION_WITH_REFRESH_TOKEN,
                       "--with-refresh-token");
}

static bool read_token_options(const struct options *o, struct wishes *w)
{
    const char *text = o->value[OPTION_MIN_VALID];
    w->token = (struct aq_token_options)AQ_TOKEN_OPTIONS_INIT;
    if (options_has(o, OPTION_FORCE_REFRESH)) {
        w->token.flags |= AQ_TOKEN_FORCE_REFRESH;
    }
    if (options_has(o, OPTION_NO_REFRESH)) {
        w->token.flags |= AQ_TOKEN_NO_REFRESH;
    }
    if (text && !duration_parse(text, &w->token.min_valid_s)) {
        report_error("duration '%s': not understood, write it like 90s, 10m or 1h30m, at most 365d",
                     text);
        return false;
    }
    if (text && w->token.min_valid_s == 0) {
        w->token.min_valid_s = 1; /* "0" asks for any valid token, 0 for the default */
    }
    return refuse_both(o, OPTION_FORCE_REFRESH, "--force-refresh", OPTION_NO_REFRESH,
                       "--no-refresh");
}

/* Asked before any file is opened: later the number could be that of a database. */
static bool read_output_fd(const struct options *o, struct wishes *w)
{
    const char *text = o->value[OPTION_OUTPUT_FD];
    w->fd = STDOUT_FILENO;
    if (!text) {
        return true;
    }
    char *end;
    errno = 0;
    long number = strtol(text, &end, 10);
    int flags = errno == 0 && *end == '\0' && number >= 0 && number <= INT32_MAX
                    ? fcntl((int)number, F_GETFL)
                    : -1;
    if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY) {
        report_error("file descriptor '%s': not open for writing, add %s>FILE", text, text);
        return false;
    }
    w->fd = (int)number;
    return true;
}

static bool read_wishes(const struct options *o, struct wishes *ret)
{
    ret->quiet = options_has(o, OPTION_QUIET);
    return read_format(o, ret) && read_token_options(o, ret) && read_output_fd(o, ret);
}

/* Format the token of an event, which is gone after the next call. */
static int write_credential(const struct wishes *w, const struct aq_token *token, struct text *out)
{
    struct credential c = { token, (int64_t)time(NULL), w->with_refresh };
    const char *unsafe = credential_unsafe(w->format, &c);
    if (unsafe) {
        report_error("%s: holds characters that format %s cannot carry, log in again", unsafe,
                     w->format->name);
        return EXITCODE_OTHER;
    }
    if (token->expires_at.len > 0 && token->expires_at_s - c.now_s < w->token.min_valid_s) {
        report_error("token: new, but not valid as long as --min-valid says, ask for less");
        return EXITCODE_TEMPORARY;
    }
    bool refresh_too = c.with_refresh && token->refresh_token.len > 0;
    if (!w->quiet) {
        report_note("WARNING",
                    "this prints a SECRET: the access token%s; whoever sees it can act "
                    "as you%s",
                    refresh_too ? " AND the REFRESH TOKEN" : "",
                    refresh_too ? " until you log out (--access-only leaves it out)"
                                : " until it expires");
    }
    w->format->write(out, &c);
    return EXITCODE_OK;
}

static int export_token(const struct wishes *w, struct session *s, struct text *out)
{
    struct aq_op *op;
    aq_status st = aq_token_start(s->client, &w->token, &op, &s->error);
    if (st != AQ_OK) {
        return session_fail(s, st);
    }
    const struct aq_event *event;
    while ((st = session_next(s, op, &event)) == AQ_OK) {
        if (event->type == AQ_EVENT_TOKEN) {
            int code = write_credential(w, event->token, out);
            if (code != EXITCODE_OK) {
                return code;
            }
        }
    }
    return st == AQ_END ? output_result(w->fd, out) : session_fail(s, st);
}

int cmd_export_token(const struct options *o)
{
    struct wishes w;
    if (!read_wishes(o, &w)) {
        return EXITCODE_USAGE;
    }
    AUTO(session) struct session s = { 0 };
    AUTO(text) struct text out = { 0 };
    aq_status st = session_init(&s, o);
    return st == AQ_OK ? export_token(&w, &s, &out) : session_fail(&s, st);
}
