/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/oidc.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/json.h"
#include "base/str.h"
#include "wire/fault.h"

enum {
    EXPIRES_IN_MAX_S = 86400,  /* no access token lives longer than a day */
    EXPIRES_IN_UNKNOWN_S = 60, /* short enough that whoever uses the token next refreshes it */
};

/* What to do next: after a refusal, and after an answer of which it is not known whether the
 * service has acted before it. */
#define TRY_LATER "try again later"
#define MAY_BE_SPENT "the refresh token may be spent: try again, and if that fails log in again"

/*
 * What the service's refusals mean for a login. Everything that is not listed is temporary: a login
 * is only given up for a reason we understand. A stale refresh token is sometimes answered with
 * invalid_request.
 */
static const struct refusal {
    struct aq_str error; /* member `error` of the body */
    struct aq_str type;  /* x-amzn-errortype, code or __type */
    enum oidc_outcome outcome;
    const char *what;
} refusals[] = {
    { AQ_STR_INIT("invalid_grant"), AQ_STR_INIT("InvalidGrantException"), OIDC_GRANT_SPENT,
      "the refresh token is no longer accepted" },
    { AQ_STR_INIT("expired_token"), AQ_STR_INIT("ExpiredTokenException"), OIDC_GRANT_SPENT,
      "the refresh token has expired" },
    { AQ_STR_INIT("invalid_request"), AQ_STR_INIT("InvalidRequestException"), OIDC_GRANT_SPENT,
      "the refresh token is not accepted" },
    { AQ_STR_INIT("invalid_request_region"), AQ_STR_INIT("InvalidRequestRegionException"),
      OIDC_LOGIN_NEEDED, "another region is responsible for this login" },
    { AQ_STR_INIT("invalid_client"), AQ_STR_INIT("InvalidClientException"), OIDC_LOGIN_NEEDED,
      "the client registration is no longer accepted" },
    { AQ_STR_INIT("unauthorized_client"), AQ_STR_INIT("UnauthorizedClientException"),
      OIDC_LOGIN_NEEDED, "the client registration may not refresh" },
    { AQ_STR_INIT("unsupported_grant_type"), AQ_STR_INIT("UnsupportedGrantTypeException"),
      OIDC_LOGIN_NEEDED, "the client registration cannot refresh" },
    { AQ_STR_INIT("invalid_scope"), AQ_STR_INIT("InvalidScopeException"), OIDC_LOGIN_NEEDED,
      "the scopes of this login are no longer accepted" },
    { AQ_STR_INIT("access_denied"), AQ_STR_INIT("AccessDeniedException"), OIDC_LOGIN_NEEDED,
      "access was denied" },
    { AQ_STR_INIT("interaction_required"), AQ_STR_INIT("login_required"), OIDC_LOGIN_NEEDED,
      "the identity provider wants to see the user" },
    { AQ_STR_INIT("slow_down"), AQ_STR_INIT("SlowDownException"), OIDC_TEMPORARY,
      "too many requests" },
    { AQ_STR_INIT("server_error"), AQ_STR_INIT("InternalServerException"), OIDC_TEMPORARY,
      "the service failed" },
};

void oidc_tokens_done(struct oidc_tokens *t)
{
    buf_done(&t->text);
    *t = (struct oidc_tokens){ 0 };
}

aq_status oidc_refresh_body(const struct registration *reg, struct aq_str refresh_token,
                            struct buf *out, struct aq_error *err)
{
    buf_add(out, AQ_STR("{\"clientId\":"));
    buf_add_json(out, reg->client_id);
    buf_add(out, AQ_STR(",\"clientSecret\":"));
    buf_add_json(out, reg->client_secret);
    buf_add(out, AQ_STR(",\"grantType\":\"refresh_token\",\"refreshToken\":"));
    buf_add_json(out, refresh_token);
    buf_add_char(out, '}');
    return buf_status(out) == AQ_OK ? AQ_OK : error_nomem(err, "refresh");
}

/* Fill err (may be NULL) and pass the outcome on. */
static enum oidc_outcome judge(enum oidc_outcome outcome, int32_t http, struct aq_error *err)
{
    if (err) {
        err->http = http;
    }
    return outcome;
}

static enum oidc_outcome temporary(int32_t http, const char *what, const char *next,
                                   struct aq_error *err)
{
    error_set(err, AQ_E_REFRESH, "sign-in service: %s (HTTP %d), %s", what, (int)http, next);
    return judge(OIDC_TEMPORARY, http, err);
}

/* The string member m, decoded to the end of text, which has room for it. */
static struct aq_str take_string(const struct json_member *m, struct buf *text)
{
    char *at = (char *)text->ptr + text->len;
    size_t len = json_string_decode(m, at);
    text->len += len;
    return (struct aq_str){ at, len };
}

/*
 * A lifetime that makes no sense must not cost the tokens beside it: the refresh token that was
 * sent may be spent, and its successor is in this answer only (docs/adr/0014).
 */
static int64_t lifetime(const struct json_member *expires_in, bool text_too)
{
    int64_t s;
    bool known =
        json_int(expires_in, &s) || (text_too && str_to_i64(json_string_plain(expires_in), &s));
    return known && s > 0 && s <= EXPIRES_IN_MAX_S ? s : EXPIRES_IN_UNKNOWN_S;
}

static bool is_arn(struct aq_str s)
{
    return str_is_token(s) && str_starts(s, AQ_STR("arn:"));
}

static bool key_is(const struct json_member *m, struct aq_str camel, struct aq_str snake)
{
    return json_key_is(m, camel) || json_key_is(m, snake);
}

bool oidc_tokens_read(struct aq_str body, struct oidc_tokens *ret)
{
    struct json_reader r = json_reader(body);
    struct json_member m;

    if (!json_object(&r) || !buf_reserve(&ret->text, body.len)) {
        return false;
    }
    ret->expires_in_s = EXPIRES_IN_UNKNOWN_S;
    while (json_next(&r, &m)) {
        if (key_is(&m, AQ_STR("accessToken"), AQ_STR("access_token"))) {
            ret->access_token = take_string(&m, &ret->text);
        } else if (key_is(&m, AQ_STR("refreshToken"), AQ_STR("refresh_token"))) {
            ret->refresh_token = take_string(&m, &ret->text);
        } else if (json_key_is(&m, AQ_STR("profileArn"))) {
            ret->profile_arn = take_string(&m, &ret->text);
        } else if (key_is(&m, AQ_STR("expiresIn"), AQ_STR("expires_in"))) {
            /* some identity providers write a string */
            ret->expires_in_s = lifetime(&m, json_key_is(&m, AQ_STR("expires_in")));
        }
    }
    if (!is_arn(ret->profile_arn)) {
        ret->profile_arn = (struct aq_str){ NULL, 0 };
    }
    return json_finish(&r) && str_is_token(ret->access_token) &&
           (ret->refresh_token.len == 0 || str_is_token(ret->refresh_token));
}

static enum oidc_outcome accept(int32_t http, struct aq_str body, struct oidc_tokens *ret,
                                struct aq_error *err)
{
    AUTO(oidc_tokens) struct oidc_tokens found = { 0 };

    bool usable = oidc_tokens_read(body, &found);
    if (buf_status(&found.text) != AQ_OK) {
        error_nomem(err, "refresh");
        return judge(OIDC_TEMPORARY, http, err);
    }
    if (!usable) {
        return temporary(http, "the answer has no usable access token", MAY_BE_SPENT, err);
    }
    *ret = found;
    found = (struct oidc_tokens){ 0 };
    return OIDC_OK;
}

static const struct refusal *refusal_by_code(struct aq_str code)
{
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        if (str_eq(code, refusals[i].type) || str_eq(code, refusals[i].error)) {
            return &refusals[i];
        }
    }
    return NULL;
}

/* As the SDKs do, the type counts first; `error` is for answers without one that we know. */
static const struct refusal *refusal_find(struct aq_str error_type, struct aq_str body)
{
    struct json_member error;
    const struct refusal *refusal = refusal_by_code(fault_code(error_type, body));
    if (!refusal && json_find(body, AQ_STR("error"), &error)) {
        refusal = refusal_by_code(json_string_plain(&error));
    }
    return refusal;
}

/* invalid_request with a region or an endpoint in it: we report it and never follow it. */
static bool points_elsewhere(const struct refusal *refusal, struct aq_str body)
{
    struct json_member hint;
    return str_eq(refusal->error, AQ_STR("invalid_request")) &&
           (json_find(body, AQ_STR("region"), &hint) || json_find(body, AQ_STR("endpoint"), &hint));
}

static enum oidc_outcome refuse(int32_t http, struct aq_str error_type, struct aq_str body,
                                struct aq_error *err)
{
    const struct refusal *refusal = refusal_find(error_type, body);
    if (!refusal) {
        return temporary(http, "the refresh failed without a known reason", TRY_LATER, err);
    }
    if (refusal->outcome == OIDC_TEMPORARY) {
        return temporary(http, refusal->what, TRY_LATER, err);
    }
    if (points_elsewhere(refusal, body)) {
        refusal = refusal_by_code(AQ_STR("InvalidRequestRegionException"));
    }
    error_set(err, AQ_E_LOGIN_NEEDED, "sign-in service: %s (%s), log in again", refusal->what,
              refusal->error.ptr);
    return judge(refusal->outcome, http, err);
}

enum oidc_outcome oidc_refresh_reply(int32_t http, struct aq_str error_type, struct aq_str body,
                                     struct oidc_tokens *ret, struct aq_error *err)
{
    if (body.len > OIDC_REPLY_MAX) {
        return temporary(http, "the answer is too long", MAY_BE_SPENT, err);
    }
    if (http >= 200 && http <= 299) {
        return accept(http, body, ret, err);
    }
    if (http >= 300 && http <= 399) {
        return temporary(http, "a redirect was refused", "check the endpoint and the proxy", err);
    }
    if (http == 407) {
        return temporary(http, "the proxy wants a password", "add it to the proxy setting", err);
    }
    if (http == 429) {
        return temporary(http, "too many requests", TRY_LATER, err);
    }
    if (http < 400 || http >= 500) {
        return temporary(http, "the service failed", MAY_BE_SPENT, err);
    }
    return refuse(http, error_type, body, err);
}
