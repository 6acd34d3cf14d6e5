/* SPDX-License-Identifier: Apache-2.0 */
#include "reply.h"
#include "exitcode.h"
#include "json.h"

void reply_token(struct text *out, enum request_op op, const struct aq_token *token,
                 struct aq_str warning)
{
    struct json j = { .out = out };
    json_open(&j, NULL);
    json_integer(&j, "v", REQUEST_VERSION);
    if (op == REQUEST_TOKEN) {
        json_string(&j, "access_token", token->access_token);
        json_string(&j, "token_type", token->token_type);
    }
    json_string_if_any(&j, "expires_at", token->expires_at);
    json_string_if_any(&j, "region", token->region);
    json_string_if_any(&j, "start_url", token->start_url);
    json_string_if_any(&j, "profile_arn", token->profile_arn);
    json_string_if_any(&j, "source", token->source);
    json_string_if_any(&j, "kind", token->kind);
    json_string_if_any(&j, "warning", warning);
    json_close(&j);
}

void reply_error(struct text *out, const struct aq_error *error)
{
    const char *name = aq_status_name(error->status);
    struct json j = { .out = out };
    json_open(&j, NULL);
    json_integer(&j, "v", REQUEST_VERSION);
    json_open(&j, "error");
    json_integer(&j, "status", error->status);
    json_string(&j, "name", text_of(name));
    json_integer(&j, "exit_code", exitcode_of(error->status));
    json_string(&j, "text", text_of(error->text));
    json_close(&j);
    json_close(&j);
}
