/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any answer to a refresh: a byte for the status, the header x-amzn-errortype with its length in
 * front, the body. Tokens that are taken can travel and be stored; a login is given up for a
 * refusal only; no text repeats what the body says.
 */
#include "base/alloc.h"
#include "base/json.h"
#include "base/str.h"
#include "fuzz/fuzzer.h"
#include "wire/oidc.h"

enum { DAY_S = 86400, NOW_S = 1748784896 };

static const struct aq_str stored =
    AQ_STR_INIT("{\"access_token\":\"old\",\"expires_at\":\"2025-06-01T00:00:00Z\","
                "\"refresh_token\":\"kept\",\"region\":\"us-east-1\",\"scopes\":[\"a\"]}");

/* What came in can be stored and is read again. */
static void tokens_check(const struct oidc_tokens *tokens)
{
    AUTO(buf) struct buf row = BUF(0);
    AUTO(token) struct token t = { 0 };
    bool renewed = tokens->refresh_token.len > 0;
    PROMISE(str_is_token(tokens->access_token));
    PROMISE(!renewed || str_is_token(tokens->refresh_token));
    PROMISE(tokens->expires_in_s >= 1 && tokens->expires_in_s <= DAY_S);

    struct token_update update = {
        .access_token = tokens->access_token,
        .refresh_token = tokens->refresh_token,
        .profile_arn = tokens->profile_arn,
        .expires_at_s = NOW_S + tokens->expires_in_s,
    };
    PROMISE(token_apply(stored, &update, &row, NULL) == AQ_OK);
    PROMISE(token_parse(AQ_STR("key"), buf_str(&row), &t, NULL) == AQ_OK);
    PROMISE(str_eq(t.access_token, tokens->access_token));
    PROMISE(str_eq(t.refresh_token, renewed ? tokens->refresh_token : AQ_STR("kept")));
    PROMISE(str_eq(t.profile_arn, tokens->profile_arn));
    PROMISE(t.expires_at_s == NOW_S + tokens->expires_in_s);
}

static void refusal_check(enum oidc_outcome outcome, int32_t http, const struct aq_error *err)
{
    bool given_up = outcome != OIDC_TEMPORARY;
    PROMISE(outcome == OIDC_TEMPORARY || outcome == OIDC_GRANT_SPENT ||
            outcome == OIDC_LOGIN_NEEDED);
    PROMISE(err->status == (given_up ? AQ_E_LOGIN_NEEDED : AQ_E_REFRESH));
    PROMISE(err->http == http);
    PROMISE(!given_up || (http >= 400 && http <= 499 && http != 407 && http != 429));
    error_text_check(err);
    PROMISE(!strstr(err->text, "canary"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int16_t codes[] = { 200, 200, 201, 400, 400, 401, 403, 404,
                                     407, 429, 302, 500, 503, 0,   -1,  599 };
    struct script script = { data, size };
    int32_t http = codes[script_byte(&script) % (sizeof(codes) / sizeof(codes[0]))];
    struct aq_str error_type = str_of_bytes(script_piece(&script));
    struct aq_str body = str_of_bytes(script_rest(&script, script.len));
    AUTO(oidc_tokens) struct oidc_tokens tokens = { 0 };
    struct aq_error err;

    enum oidc_outcome outcome = oidc_refresh_reply(http, error_type, body, &tokens, &err);
    if (outcome == OIDC_OK) {
        PROMISE(http >= 200 && http <= 299);
        PROMISE(json_valid(body));
        tokens_check(&tokens);
    } else {
        PROMISE(!tokens.text.ptr && !tokens.access_token.ptr);
        refusal_check(outcome, http, &err);
    }
    return 0;
}
