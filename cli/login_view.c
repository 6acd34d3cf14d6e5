/* SPDX-License-Identifier: Apache-2.0 */
#include "login_view.h"
#include "json.h"
#include "report.h"
#include "terminal.h"
#include "write.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define CLEAR "\r\033[K" /* back to an empty line */

enum { LONG_WAIT_MS = 100 * 1000 }; /* worth a line of its own where nothing can move */

/* ---- the line that moves ---- */

/* A line that is wider than the terminal could not be taken back. */
static size_t columns(void)
{
    struct winsize size;
    bool known = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    return known ? size.ws_col : 80;
}

static void show_busy(void *ctx, bool shown)
{
    static const char pictures[] = "|/-\\";
    struct login_view *v = ctx;
    AUTO(text) struct text line = { 0 };
    text_add_literal(&line, CLEAR);
    if (shown && v->waits.len > 0) {
        text_add_char(&line, pictures[v->picture++ % (sizeof(pictures) - 1)]);
        text_add_literal(&line, " waiting for ");
        text_add(&line, text_view(&v->waits));
    }
    struct aq_str seen = text_view(&line);
    size_t most = sizeof(CLEAR) - 1 + columns() - 1;
    seen.len = seen.len < most ? seen.len : most;
    (void)write_all(STDERR_FILENO, seen);
}

void login_view_begin(struct login_view *v, struct session *s, const struct options *o)
{
    const char *format = o->value[OPTION_FORMAT];
    const char *term = getenv("TERM");
    v->json = format && strcmp(format, "json") == 0;
    v->verbose = options_has(o, OPTION_VERBOSE);
    v->moves = !v->json && isatty(STDERR_FILENO) && term && *term && strcmp(term, "dumb") != 0;
    if (v->moves) {
        s->busy = show_busy;
        s->busy_ctx = v;
    }
}

void login_view_done(struct login_view *v)
{
    text_done(&v->waits);
}

/* ---- plain ---- */

static void add_field(struct text *out, const char *name, struct aq_str value)
{
    text_add_literal(out, name);
    terminal_clean(value, out);
    text_add_char(out, '\n');
}

static void add_seconds(struct text *out, uint32_t seconds)
{
    if (seconds >= 60) {
        text_add_integer(out, seconds / 60);
        text_add_literal(out, " min");
    }
    if (seconds >= 60 && seconds % 60) {
        text_add_char(out, ' ');
    }
    if (seconds < 60 || seconds % 60) {
        text_add_integer(out, seconds % 60);
        text_add_literal(out, " s");
    }
}

static void visit_plain(const struct aq_login_step *step, struct text *out)
{
    if (step->user_code.len > 0) {
        text_add_literal(out, "Open this page on any device, compare the code and confirm:\n\n");
        add_field(out, "  Code: ", step->user_code);
        add_field(out, "  Page: ", step->url);
    } else {
        text_add_literal(out, "Confirm the login in your browser. If none opens, open this page in "
                              "one on this machine:\n\n");
        add_field(out, "  ", step->url);
    }
    text_add_char(out, '\n');
}

static void waiting_plain(struct login_view *v, const struct aq_event *event, struct text *out)
{
    text_clear(&v->waits);
    terminal_clean(event->text, &v->waits);
    text_add_literal(&v->waits, ", ");
    add_seconds(&v->waits, event->delay_ms / 1000 + (event->delay_ms % 1000 > 0));
    text_add_literal(&v->waits, " at most");
    if (v->verbose) {
        report_note("info", "waiting for %.*s", AQ_STR_ARG(text_view(&v->waits)));
    }
    if (!v->moves && event->delay_ms > LONG_WAIT_MS) {
        text_add_literal(out, "Waiting for ");
        text_add(out, text_view(&v->waits));
        text_add_char(out, '\n');
    }
}

bool login_view_is_builder_id(const struct aq_token *token)
{
    return token->start_url.len == 0 || text_is(token->start_url, "https://view.awsapps.com/start");
}

static void logged_in_plain(const struct aq_token *token, struct text *out)
{
    if (login_view_is_builder_id(token)) {
        text_add_literal(out, "Logged in with Builder ID\n");
        return;
    }
    add_field(out, "Logged in with IAM Identity Center: ", token->start_url);
    if (token->profile_arn.len > 0) {
        add_field(out, "Profile: ", token->profile_arn);
    }
}

const struct aq_profile *login_view_profile(const struct aq_login_step *step, uint32_t i)
{
    const char *at = (const char *)step->profiles + (size_t)i * step->profile_stride;
    return (const struct aq_profile *)(const void *)at;
}

void login_view_list(const struct aq_login_step *step)
{
    AUTO(text) struct text out = { 0 };
    for (uint32_t i = 0; i < step->profile_count; i++) {
        const struct aq_profile *profile = login_view_profile(step, i);
        text_add_literal(&out, i < 9 ? "   " : "  ");
        text_add_integer(&out, (int64_t)i + 1);
        text_add_literal(&out, ") ");
        terminal_clean(profile->name, &out);
        text_add_literal(&out,
                         profile->flags & AQ_PROFILE_CURRENT ? " (in use)\n      " : "\n      ");
        terminal_clean(profile->arn, &out);
        text_add_char(&out, '\n');
    }
    (void)write_all(STDERR_FILENO, text_view(&out));
}

/* ---- JSON ---- */

static void visit_json(const struct aq_login_step *step, struct json *j)
{
    json_string(j, "event", AQ_STR("visit"));
    json_string(j, "flow", text_of(step->user_code.len > 0 ? "device" : "browser"));
    json_string(j, "url", step->url);
    json_string_if_any(j, "short_url", step->short_url);
    json_string_if_any(j, "user_code", step->user_code);
    json_string_if_any(j, "callback_url", step->callback_url);
    json_integer(j, "expires_in", step->valid_s);
}

static void logged_in_json(const struct aq_token *token, struct json *j)
{
    json_string(j, "event", AQ_STR("logged_in"));
    json_string(j, "accountType",
                text_of(login_view_is_builder_id(token) ? "BuilderId" : "IamIdentityCenter"));
    json_string_or_null(j, "startUrl", token->start_url);
    json_string_or_null(j, "region", token->region);
    json_string_if_any(j, "expires_at", token->expires_at);
    json_string_if_any(j, "source", token->source);
    json_string_if_any(j, "login", token->login);
    json_string_if_any(j, "profile_arn", token->profile_arn);
}

static void event_json(const struct aq_event *event, struct text *out)
{
    struct json j = { .out = out };
    uint32_t count = event->type == AQ_EVENT_PROFILES ? event->login->profile_count : 1;
    for (uint32_t i = 0; i < count; i++) {
        json_open(&j, NULL);
        if (event->type == AQ_EVENT_VISIT) {
            visit_json(event->login, &j);
        } else if (event->type == AQ_EVENT_WAITING) {
            json_string(&j, "event", AQ_STR("waiting"));
            json_string(&j, "for", event->text);
            json_integer(&j, "at_most_s", event->delay_ms / 1000 + (event->delay_ms % 1000 > 0));
            if (event->token) {
                json_boolean(&j, "saved", true);
            }
        } else if (event->type == AQ_EVENT_PROFILES) {
            const struct aq_profile *profile = login_view_profile(event->login, i);
            json_string(&j, "event", AQ_STR("profile"));
            json_string(&j, "arn", profile->arn);
            json_string(&j, "name", profile->name);
        } else {
            logged_in_json(event->token, &j);
        }
        json_close(&j);
    }
}

/* ---- both ---- */

static bool is_known(const struct aq_event *event)
{
    return event->type == AQ_EVENT_VISIT || event->type == AQ_EVENT_WAITING ||
           event->type == AQ_EVENT_PROFILES || event->type == AQ_EVENT_LOGGED_IN;
}

void login_view_event(struct login_view *v, const struct aq_event *event)
{
    AUTO(text) struct text out = { 0 };
    bool result = v->json || event->type == AQ_EVENT_LOGGED_IN;
    if (!is_known(event)) {
        return;
    }
    if (v->json) {
        event_json(event, &out);
    } else if (event->type == AQ_EVENT_VISIT) {
        visit_plain(event->login, &out);
    } else if (event->type == AQ_EVENT_WAITING) {
        waiting_plain(v, event, &out);
    } else if (event->type == AQ_EVENT_LOGGED_IN) {
        logged_in_plain(event->token, &out);
    }
    int err = write_all(result ? STDOUT_FILENO : STDERR_FILENO, text_view(&out));
    if (result && v->err == 0) {
        v->err = err;
    }
}
