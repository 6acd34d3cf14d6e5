/* SPDX-License-Identifier: Apache-2.0 */
#include "ask.h"
#include "browser.h"
#include "command.h"
#include "exitcode.h"
#include "interrupt.h"
#include "login_view.h"
#include "output.h"
#include "program.h"
#include "report.h"
#include "write.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { SURELY_VALID_S = 300 };

/* What to log in to, from flags, environment and answers. */
struct account {
    bool organisation;
    const char *start_url, *region;      /* NULL: not said */
    struct text typed_url, typed_region; /* where they were typed */
};

static void account_done(struct account *a)
{
    text_done(&a->typed_url);
    text_done(&a->typed_region);
}

static const char *option_or_variable(const struct options *o, enum option option, const char *name)
{
    const char *value = o->value[option] ? o->value[option] : getenv(name);
    return value && *value ? value : NULL;
}

static bool check_options(const struct options *o)
{
    const char *format = o->value[OPTION_FORMAT];
    const char *license = o->value[OPTION_LICENSE];
    if (format && strcmp(format, "plain") != 0 && strcmp(format, "json") != 0) {
        report_error("format '%s': unknown, use plain or json", format);
        return false;
    }
    if (license && strcmp(license, "free") != 0 && strcmp(license, "pro") != 0) {
        report_error("license '%s': unknown, use free or pro", license);
        return false;
    }
    if (license && strcmp(license, "free") == 0 &&
        (o->value[OPTION_IDENTITY_PROVIDER] || o->value[OPTION_PROFILE])) {
        report_error("license 'free': a Builder ID has no %s, leave it out or use pro",
                     o->value[OPTION_PROFILE] ? "profile" : "identity provider");
        return false;
    }
    return true;
}

/* ---- which account ---- */

/* An empty answer leaves it to what is remembered. False: there was none. */
static bool ask_text(const char *question, struct text *typed, const char **ret)
{
    if (!ask_line(question, typed)) {
        return false;
    }
    text_add_char(typed, '\0');
    *ret = text_ok(typed) && typed->len > 1 ? typed->ptr : NULL;
    return true;
}

/* False: whoever was asked did not answer. */
static bool choose_kind(struct account *a)
{
    static const struct aq_str menu =
        AQ_STR_INIT("How do you log in?\n"
                    "   1) Builder ID (free)\n"
                    "   2) IAM Identity Center, an organisation's account (pro)\n");
    (void)write_all(STDERR_FILENO, menu);
    unsigned number = ask_number("Number: ", 2);
    a->organisation = number == 2;
    return number > 0;
}

/* A login that is there is not replaced, and the operation says so: then nobody is asked for what
 * would not be used. */
static bool is_logged_in(struct session *s)
{
    struct aq_token_options options = AQ_TOKEN_OPTIONS_INIT;
    const struct aq_event *event;
    struct aq_op *op;
    bool found = false;
    bool quiet = s->quiet;
    options.flags = AQ_TOKEN_AS_STORED;
    if (aq_token_start(s->client, &options, &op, NULL) != AQ_OK) {
        return false;
    }
    s->quiet = true; /* the login itself warns of the same things */
    while (session_next(s, op, &event) == AQ_OK) {
        found = found || (event->type == AQ_EVENT_TOKEN && text_is(event->token->source, "q-cli") &&
                          event->token->expires_at_s > (int64_t)time(NULL) + SURELY_VALID_S);
    }
    s->quiet = quiet;
    aq_op_free(op);
    return found;
}

static bool choose_account(struct session *s, const struct options *o, struct account *a)
{
    bool json = o->value[OPTION_FORMAT] && strcmp(o->value[OPTION_FORMAT], "json") == 0;
    bool can_ask = !json && ask_is_possible() && !is_logged_in(s);
    const char *license = o->value[OPTION_LICENSE];
    a->start_url = option_or_variable(o, OPTION_IDENTITY_PROVIDER, "Q_START_URL");
    a->region = option_or_variable(o, OPTION_REGION, "Q_REGION");
    a->organisation = license ? strcmp(license, "pro") == 0 : a->start_url != NULL;
    if (!license && !a->start_url && can_ask && !o->value[OPTION_PROFILE] && !choose_kind(a)) {
        return false;
    }
    a->organisation = a->organisation || o->value[OPTION_PROFILE];
    if (!a->organisation) {
        a->start_url = NULL;
        a->region = o->value[OPTION_REGION];
        return true;
    }
    bool answered = true;
    if (!a->start_url && can_ask) {
        answered =
            ask_text("Start URL (Enter: the one of last time): ", &a->typed_url, &a->start_url);
    }
    if (answered && !a->region && can_ask) {
        answered = ask_text("Region (Enter: that of last time, or us-east-1): ", &a->typed_region,
                            &a->region);
    }
    return answered;
}

/* ---- which profile ---- */

static void report_kept(void)
{
    report_error("profile: none was chosen; the login is kept, choose with '%s profile', or '%s "
                 "profile use ARN'",
                 program_name(), program_name());
}

static int choose_profile(struct session *s, const struct login_view *v, struct aq_op *op,
                          const struct aq_login_step *step)
{
    if (v->json || !ask_is_possible()) {
        if (!v->json) {
            login_view_list(step);
        }
        report_error("profile: there are %u to choose from; the login is kept, choose with "
                     "'%s profile use ARN', or name it next time (--profile)",
                     step->profile_count, program_name());
        return EXITCODE_USAGE;
    }
    login_view_list(step);
    unsigned number = ask_number("Profile: ", step->profile_count);
    if (number == 0) {
        report_kept();
        return interrupt_signal() ? EXITCODE_SIGNAL + interrupt_signal() : EXITCODE_OTHER;
    }
    aq_status st = aq_op_give_profile(op, login_view_profile(step, number - 1)->arn, &s->error);
    return st == AQ_OK ? EXITCODE_OK : session_fail(s, st);
}

/* ---- the login ---- */

/* The login has been saved, and what is still to come is its profile. */
static bool lacks_profile(const struct aq_event *event)
{
    return event->type == AQ_EVENT_PROFILES || (event->type == AQ_EVENT_WAITING && event->token);
}

static int log_in(struct session *s, struct login_view *v, struct aq_op *op, bool open_browser)
{
    const struct aq_event *event;
    int code = EXITCODE_OK;
    bool kept = false;
    aq_status st;
    while (code == EXITCODE_OK && v->err == 0 && (st = session_next(s, op, &event)) == AQ_OK) {
        kept = lacks_profile(event);
        if (event->type != AQ_EVENT_PROFILES || v->json) {
            login_view_event(v, event);
        }
        if (event->type == AQ_EVENT_VISIT && open_browser) {
            browser_open(event->login->url);
        }
        if (event->type == AQ_EVENT_PROFILES) {
            code = choose_profile(s, v, op, event->login);
        }
    }
    if (code != EXITCODE_OK) {
        return code;
    }
    if (v->err == 0 && st == AQ_E_CANCELLED && kept) {
        report_kept();
    }
    return v->err != 0 || st == AQ_END ? output_finish(STDOUT_FILENO, v->err) : session_fail(s, st);
}

int cmd_login(const struct options *o)
{
    AUTO(account) struct account account = { 0 };
    AUTO(login_view) struct login_view view = { 0 };
    AUTO(session) struct session s = { 0 };
    struct aq_login_options options = AQ_LOGIN_OPTIONS_INIT;
    struct aq_op *op;
    if (!check_options(o)) {
        return EXITCODE_USAGE;
    }
    aq_status st = session_init(&s, o);
    if (st != AQ_OK) {
        return session_fail(&s, st);
    }
    if (!choose_account(&s, o, &account)) {
        if (interrupt_signal()) {
            return EXITCODE_SIGNAL + interrupt_signal();
        }
        report_error("login: nothing was chosen, say what to log in to (--license)");
        return EXITCODE_OTHER;
    }
    bool device = options_has(o, OPTION_USE_DEVICE_FLOW) || !browser_is_here();
    options.flow = device ? AQ_LOGIN_DEVICE : AQ_LOGIN_BROWSER;
    options.flags = AQ_LOGIN_LASTING | (account.organisation ? AQ_LOGIN_ORGANISATION : 0);
    options.start_url = text_of(account.start_url);
    options.region = text_of(account.region);
    options.profile_arn = text_of(o->value[OPTION_PROFILE]);
    login_view_begin(&view, &s, o);
    st = aq_login_start(s.client, &options, &op, &s.error);
    if (st != AQ_OK) {
        return session_fail(&s, st);
    }
    int code = log_in(&s, &view, op, !device && !options_has(o, OPTION_NO_BROWSER));
    aq_op_free(op);
    return code;
}
