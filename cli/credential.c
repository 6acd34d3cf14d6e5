/* SPDX-License-Identifier: Apache-2.0 */
#include "credential.h"
#include "json.h"

#include <string.h>
#include <time.h>

static void write_object(struct text *out, const struct credential *c, bool pretty)
{
    const struct aq_token *token = c->token;
    int64_t left_s = token->expires_at_s - c->now_s;
    struct json j = { .out = out, .pretty = pretty };

    json_open(&j, NULL);
    json_string(&j, "access_token", token->access_token);
    if (c->with_refresh) {
        json_string_if_any(&j, "refresh_token", token->refresh_token);
    }
    json_string_if_any(&j, "token_type", token->token_type);
    json_string_if_any(&j, "expires_at", token->expires_at);
    if (token->expires_at.len > 0) {
        json_integer(&j, "expires_at_epoch", token->expires_at_s);
        json_integer(&j, "expires_in", left_s > 0 ? left_s : 0);
    }
    json_string_if_any(&j, "region", token->region);
    json_string_if_any(&j, "start_url", token->start_url);
    json_string_if_any(&j, "profile_arn", token->profile_arn);
    json_string_if_any(&j, "source", token->source);
    json_string_if_any(&j, "login", token->login);
    json_string_if_any(&j, "kind", token->kind);
    json_integer(&j, "schema_version", 1);
    json_close(&j);
}

static void write_json(struct text *out, const struct credential *c)
{
    write_object(out, c, false);
}

static void write_json_pretty(struct text *out, const struct credential *c)
{
    write_object(out, c, true);
}

static void write_token(struct text *out, const struct credential *c)
{
    text_add(out, c->token->access_token);
    text_add_char(out, '\n');
}

static void write_header(struct text *out, const struct credential *c)
{
    text_add_literal(out, "Authorization: Bearer ");
    write_token(out, c);
}

/* How a shell assigns: before NAME, between NAME and 'VALUE', and what stands for a special. */
struct shell {
    const char *assign;
    const char *equals;
    const char *quote;     /* for ' inside quotes */
    const char *backslash; /* for \ inside quotes */
};

static const struct shell posix = { "export ", "=", "'\\''", "\\" };
static const struct shell fish = { "set -gx ", " ", "\\'", "\\\\" };

static void assign(struct text *out, const struct shell *shell, const char *name,
                   struct aq_str value)
{
    if (value.len == 0) {
        return;
    }
    text_add_literal(out, shell->assign);
    text_add_literal(out, name);
    text_add_literal(out, shell->equals);
    text_add_char(out, '\'');
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] == '\'') {
            text_add_literal(out, shell->quote);
        } else if (value.ptr[i] == '\\') {
            text_add_literal(out, shell->backslash);
        } else {
            text_add_char(out, value.ptr[i]);
        }
    }
    text_add_literal(out, "'\n");
}

static void write_shell(struct text *out, const struct credential *c, const struct shell *shell)
{
    assign(out, shell, "Q_ACCESS_TOKEN", c->token->access_token);
    if (c->with_refresh) {
        assign(out, shell, "Q_REFRESH_TOKEN", c->token->refresh_token);
    }
    assign(out, shell, "Q_TOKEN_EXPIRES_AT", c->token->expires_at);
    assign(out, shell, "Q_PROFILE_ARN", c->token->profile_arn);
}

static void write_env(struct text *out, const struct credential *c)
{
    write_shell(out, c, &posix);
}

static void write_fish(struct text *out, const struct credential *c)
{
    write_shell(out, c, &fish);
}

/* kubectl's client.authentication.k8s.io/v1. */
static void write_exec_credential(struct text *out, const struct credential *c)
{
    char expires_at[32];
    time_t expires_at_s = (time_t)c->token->expires_at_s;
    struct tm utc;
    size_t len = c->token->expires_at.len > 0 && gmtime_r(&expires_at_s, &utc)
                     ? strftime(expires_at, sizeof(expires_at), "%Y-%m-%dT%H:%M:%SZ", &utc)
                     : 0;
    struct json j = { .out = out };

    json_open(&j, NULL);
    json_string(&j, "apiVersion", AQ_STR("client.authentication.k8s.io/v1"));
    json_string(&j, "kind", AQ_STR("ExecCredential"));
    json_open(&j, "status");
    json_string_if_any(&j, "expirationTimestamp", (struct aq_str){ expires_at, len });
    json_string(&j, "token", c->token->access_token);
    json_close(&j);
    json_close(&j);
}

static const struct credential_format formats[] = {
    { "json", CREDENTIAL_REFRESH_UNLESS_REFUSED, false, write_json },
    { "json-pretty", CREDENTIAL_REFRESH_UNLESS_REFUSED, false, write_json_pretty },
    { "token", CREDENTIAL_REFRESH_NEVER, true, write_token },
    { "header", CREDENTIAL_REFRESH_NEVER, true, write_header },
    { "env", CREDENTIAL_REFRESH_IF_ASKED, true, write_env },
    { "fish", CREDENTIAL_REFRESH_IF_ASKED, true, write_fish },
    { "exec-credential", CREDENTIAL_REFRESH_NEVER, false, write_exec_credential },
};

enum { FORMAT_COUNT = sizeof(formats) / sizeof(formats[0]) };

const struct credential_format *credential_format_find(const char *name)
{
    for (size_t i = 0; i < FORMAT_COUNT; i++) {
        if (strcmp(formats[i].name, name) == 0) {
            return &formats[i];
        }
    }
    return NULL;
}

void credential_format_names(struct text *out)
{
    for (size_t i = 0; i < FORMAT_COUNT; i++) {
        text_add_literal(out, i > 0 ? ", " : "");
        text_add_literal(out, formats[i].name);
    }
}

static bool is_within(struct aq_str s, char first, char last)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] < first || s.ptr[i] > last) {
            return false;
        }
    }
    return true;
}

const char *credential_unsafe(const struct credential_format *format, const struct credential *c)
{
    const struct aq_token *token = c->token;
    if (token->access_token.len == 0 || !is_within(token->access_token, '!', '~')) {
        return "access token";
    }
    if (c->with_refresh && !is_within(token->refresh_token, '!', '~')) {
        return "refresh token";
    }
    if (format->for_shell && !is_within(token->expires_at, ' ', '~')) {
        return "expiry";
    }
    if (format->for_shell && !is_within(token->profile_arn, ' ', '~')) {
        return "profile";
    }
    return NULL;
}
