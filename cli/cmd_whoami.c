/* SPDX-License-Identifier: Apache-2.0 */
#include "command.h"
#include "exitcode.h"
#include "format.h"
#include "json.h"
#include "login_view.h"
#include "output.h"
#include "session.h"
#include "terminal.h"

#include <time.h>
#include <unistd.h>

/* Whose login it is: what the existing CLI calls it, or null, and how it is said to people. */
struct account {
    struct aq_str type;
    const char *text;
};

static struct account account_of(const struct aq_token *token)
{
    if (text_is(token->kind, "social")) {
        return (struct account){ AQ_STR_INIT("Social"), "a social account" };
    }
    if (text_is(token->kind, "external-idp")) {
        return (struct account){ AQ_STR_INIT("ExternalIdp"), "an identity provider" };
    }
    if (text_is(token->kind, "api-key")) {
        return (struct account){ AQ_STR_INIT("ApiKey"), "an API key" };
    }
    if (token->start_url.len == 0 && token->expires_at.len == 0) { /* handed in, and says nothing */
        return (struct account){ AQ_STR_INIT(""), "an access token" };
    }
    return login_view_is_builder_id(token)
               ? (struct account){ AQ_STR_INIT("BuilderId"), "Builder ID" }
               : (struct account){ AQ_STR_INIT("IamIdentityCenter"), "IAM Identity Center: " };
}

static bool is_expired(const struct aq_token *token)
{
    return token->expires_at.len > 0 && token->expires_at_s <= (int64_t)time(NULL);
}

/* It has expired, and nothing here could renew it. */
static bool is_over(const struct aq_token *token)
{
    return is_expired(token) && token->refresh_token.len == 0;
}

/* Members, names and order of the first three are the existing CLI's. */
static void write_json(const struct aq_token *token, bool pretty, struct text *out)
{
    struct json j = { .out = out, .pretty = pretty };
    json_open(&j, NULL);
    if (!token) {
        json_null(&j, "account");
    } else {
        json_string_or_null(&j, "accountType", account_of(token).type);
        json_string_or_null(&j, "startUrl", token->start_url);
        json_string_or_null(&j, "region", token->region);
        json_string_if_any(&j, "expires_at", token->expires_at);
        if (token->expires_at.len > 0) {
            json_boolean(&j, "expired", is_expired(token));
        }
        json_string_if_any(&j, "source", token->source);
        json_string_if_any(&j, "login", token->login);
        json_string_if_any(&j, "store", token->store);
        json_string_if_any(&j, "profile_arn", token->profile_arn);
    }
    json_close(&j);
}

static void write_line(const char *name, struct aq_str value, struct text *out)
{
    if (value.len > 0) {
        text_add_literal(out, name);
        terminal_clean(value, out);
        text_add_char(out, '\n');
    }
}

static void write_expiry(const struct aq_token *token, struct text *out)
{
    text_add_literal(out, "Expires: ");
    if (token->expires_at.len == 0) {
        text_add_literal(out, "unknown");
    }
    terminal_clean(token->expires_at, out);
    if (is_expired(token)) {
        text_add_literal(out,
                         is_over(token) ? " (expired)" : " (expired, will be renewed on next use)");
    }
    text_add_char(out, '\n');
}

static void write_account(const struct aq_token *token, struct text *out)
{
    struct account account = account_of(token);
    text_add_literal(out, account.text);
    if (text_is(account.type, "IamIdentityCenter")) {
        terminal_clean(token->start_url, out);
    }
    text_add_char(out, '\n');
}

static void write_plain(const struct aq_token *token, struct text *out)
{
    if (!token) {
        text_add_literal(out, "Not logged in\n");
    } else {
        text_add_literal(out, "Logged in with ");
        write_account(token, out);
        write_line("Region:  ", token->region, out);
        write_line("Profile: ", token->profile_arn, out);
        write_expiry(token, out);
        write_line("Source:  ", token->source, out);
        write_line("Login:   ", token->login, out);
        write_line("Store:   ", token->store, out);
    }
}

static void write_answer(const struct aq_token *token, const char *format, struct text *out)
{
    text_clear(out);
    if (json_is_format(format)) {
        write_json(token, json_is_pretty(format), out);
    } else {
        write_plain(token, out);
    }
}

/* Ask for the token under these flags and describe it in out. *ret_over: see is_over. */
static aq_status describe(struct session *s, uint32_t flags, const char *format, struct text *out,
                          bool *ret_over)
{
    struct aq_token_options options = AQ_TOKEN_OPTIONS_INIT;
    options.flags = flags;

    struct aq_op *op;
    aq_status st = aq_token_start(s->client, &options, &op, &s->error);
    if (st != AQ_OK) {
        return st;
    }
    const struct aq_event *event;
    while ((st = session_next(s, op, &event)) == AQ_OK) {
        if (event->type == AQ_EVENT_TOKEN) {
            *ret_over = is_over(event->token);
            write_answer(event->token, format, out);
        }
    }
    aq_op_free(op);
    return st;
}

/* As it is stored, without a question to anybody, or a wait. What has expired at a token server the
 * server renews; and where nothing can, the library knows why, and what to do. */
static aq_status find_out(struct session *s, const char *format, struct text *out)
{
    bool over = false;
    aq_status st = describe(s, AQ_TOKEN_AS_STORED, format, out, &over);
    return st == AQ_E_EXPIRED     ? describe(s, 0, format, out, &over)
           : st == AQ_END && over ? describe(s, AQ_TOKEN_NO_REFRESH, format, out, &over)
                                  : st;
}

int cmd_whoami(const struct options *o)
{
    const char *format = format_of(o);
    if (!format) {
        return EXITCODE_USAGE;
    }

    AUTO(session) struct session s = { 0 };
    AUTO(text) struct text out = { 0 };
    int code = EXITCODE_OK;
    aq_status st = session_init(&s, o);
    if (st == AQ_OK) {
        st = find_out(&s, format, &out);
    }
    if (st != AQ_END) {
        code = session_fail(&s, st);
    }
    if (st == AQ_E_NOT_LOGGED_IN) {
        write_answer(NULL, format, &out);
    }
    if (code != EXITCODE_OK && out.len == 0) {
        return code;
    }
    int written = output_result(STDOUT_FILENO, &out);
    return written == EXITCODE_OK ? code : written;
}
