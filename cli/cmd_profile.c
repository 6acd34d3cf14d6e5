/* SPDX-License-Identifier: Apache-2.0 */
#include "ask.h"
#include "command.h"
#include "exitcode.h"
#include "format.h"
#include "interrupt.h"
#include "json.h"
#include "login_view.h"
#include "output.h"
#include "program.h"
#include "report.h"
#include "terminal.h"

#include <string.h>
#include <unistd.h>

enum action {
    ACTION_LIST,
    ACTION_USE,
    ACTION_CHOOSE, /* on the terminal */
};

/* False after a usage error, which has been reported. */
static bool find_action(const struct options *o, enum action *ret)
{
    const char *word = o->word_count > 0 ? o->words[0] : NULL;
    if (!format_of(o)) {
        return false;
    }
    *ret = word && strcmp(word, "use") == 0                              ? ACTION_USE
           : word || options_has(o, OPTION_FORMAT) || !ask_is_possible() ? ACTION_LIST
                                                                         : ACTION_CHOOSE;
    if ((word && *ret == ACTION_LIST && strcmp(word, "list") != 0) ||
        o->word_count != (*ret == ACTION_USE) + (word != NULL)) {
        report_error("profile: say 'list' or 'use ARN', see '%s profile --help'", program_name());
        return false;
    }
    return true;
}

static void write_json(const struct aq_login_step *step, bool pretty, struct text *out)
{
    struct json j = { .out = out, .pretty = pretty };
    json_open(&j, NULL);
    json_open_array(&j, "profiles");
    for (uint32_t i = 0; i < step->profile_count; i++) {
        const struct aq_profile *profile = login_view_profile(step, i);
        json_open(&j, NULL);
        json_string(&j, "arn", profile->arn);
        json_string(&j, "name", profile->name);
        json_boolean(&j, "current", profile->flags & AQ_PROFILE_CURRENT);
        json_close(&j);
    }
    json_close_array(&j);
    json_close(&j);
}

static void write_plain(const struct aq_login_step *step, struct text *out)
{
    for (uint32_t i = 0; i < step->profile_count; i++) {
        const struct aq_profile *profile = login_view_profile(step, i);
        text_add_literal(out, profile->flags & AQ_PROFILE_CURRENT ? "* " : "  ");
        terminal_clean(profile->arn, out);
        text_add_literal(out, "  ");
        terminal_clean(profile->name, out);
        text_add_char(out, '\n');
    }
}

static void write_list(const struct options *o, const struct aq_login_step *step, struct text *out)
{
    const char *format = format_of(o);
    if (json_is_format(format)) {
        write_json(step, json_is_pretty(format), out);
    } else {
        write_plain(step, out);
    }
    if (step->profile_count == 0) {
        report_note("note", "profile: the account has none");
    }
}

static void write_chosen(const struct options *o, struct aq_str arn, struct text *out)
{
    const char *format = format_of(o);
    struct json j = { .out = out, .pretty = json_is_pretty(format) };
    if (json_is_format(format)) {
        json_open(&j, NULL);
        json_string(&j, "profile_arn", arn);
        json_close(&j);
    } else {
        text_add_literal(out, "Profile: ");
        terminal_clean(arn, out);
        text_add_char(out, '\n');
    }
}

/* The one to use; empty if whoever was asked chose none. */
static struct aq_str find_choice(const struct options *o, enum action action,
                                 const struct aq_login_step *step)
{
    if (action == ACTION_USE) {
        return text_of(o->words[1]);
    }
    login_view_list(step);
    unsigned number = step->profile_count ? ask_number("Profile: ", step->profile_count) : 0;
    return number ? login_view_profile(step, number - 1)->arn : AQ_STR("");
}

/* AQ_END: it is done. AQ_E_CANCELLED: none was chosen. */
static aq_status choose(struct session *s, const struct options *o, enum action action,
                        struct aq_op *op, const struct aq_login_step *step, struct text *out)
{
    struct aq_str arn = find_choice(o, action, step);
    if (arn.len == 0) {
        return AQ_E_CANCELLED;
    }
    write_chosen(o, arn, out);
    aq_status st = aq_op_give_profile(op, arn, &s->error);
    while (st == AQ_OK) {
        const struct aq_event *event;
        st = session_next(s, op, &event);
    }
    return st;
}

static aq_status run(struct session *s, const struct options *o, enum action action,
                     struct text *out)
{
    struct aq_op *op;
    const struct aq_event *event;
    aq_status st = aq_profiles_start(s->client, &op, &s->error);
    if (st != AQ_OK) {
        return st;
    }
    while ((st = session_next(s, op, &event)) == AQ_OK && event->type != AQ_EVENT_PROFILES) {
    }
    if (st == AQ_OK && action == ACTION_LIST) {
        write_list(o, event->login, out);
        st = AQ_END;
    } else if (st == AQ_OK) {
        st = choose(s, o, action, op, event->login, out);
    }
    aq_op_free(op);
    return st;
}

int cmd_profile(const struct options *o)
{
    AUTO(session) struct session s = { 0 };
    AUTO(text) struct text out = { 0 };
    enum action action = ACTION_LIST;
    if (!find_action(o, &action)) {
        return EXITCODE_USAGE;
    }
    aq_status st = session_init(&s, o);
    if (st == AQ_OK) {
        st = run(&s, o, action, &out);
    }
    if (st == AQ_E_CANCELLED && !interrupt_signal()) {
        report_error("profile: none was chosen, nothing was changed");
        return EXITCODE_OTHER;
    }
    return st == AQ_END ? output_result(STDOUT_FILENO, &out) : session_fail(&s, st);
}
