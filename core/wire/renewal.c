/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/renewal.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/str.h"
#include "wire/endpoint.h"
#include "wire/percent.h"

enum { URL_MAX = 4096, BODY_MAX = 1024 * 1024 }; /* bytes */

#define SOCIAL_REGION "us-east-1" /* of logins that do not name theirs */

void renewal_done(struct renewal *r)
{
    buf_done(&r->url);
    buf_done(&r->body);
    *r = (struct renewal){ 0 };
}

/* ---- social ---- */

static aq_status social_url(const struct token *token, struct aq_str endpoint, struct buf *url,
                            struct aq_error *err)
{
    if (endpoint.len) {
        return endpoint_check(AQ_STR("social sign-in endpoint"), endpoint, true, url, err);
    }
    struct aq_str region = token->region.len ? token->region : AQ_STR(SOCIAL_REGION);
    buf_printf(url, "https://prod.%.*s.auth.desktop.kiro.dev", AQ_STR_ARG(region)); /* checked */
    return AQ_OK;
}

static aq_status social_body(const struct token *token, struct buf *out)
{
    buf_add(out, AQ_STR("{\"refreshToken\":"));
    buf_add_json(out, token->refresh_token);
    buf_add_char(out, '}');
    return AQ_OK;
}

/* ---- an organisation's identity provider ---- */

/* HOST or HOST:PORT of a checked URL; empty if that is not https. */
static struct aq_str https_host(struct aq_str url)
{
    static const struct aq_str https = AQ_STR_INIT("https://");
    struct aq_str rest = str_starts(url, https) ? str_from_offset(url, https.len) : AQ_STR("");
    return str_cut(&rest, '/');
}

/* The login itself says where it goes. It is believed as far as the issuer's own host, over https:
 * whoever can write a row could send the refresh token anywhere else. */
static aq_status idp_url(struct aq_str key, const struct token *token, struct buf *url,
                         struct aq_error *err)
{
    AUTO(buf) struct buf issuer = BUF(URL_MAX);
    AUTO(buf) struct buf checked = BUF(URL_MAX);
    if (!token->client_id.len || !token->issuer_url.len || !token->token_endpoint.len) {
        return error_set(err, AQ_E_LOGIN_NEEDED,
                         "login: cannot be refreshed, '%.*s' does not say where and as whom, sign "
                         "in again",
                         AQ_STR_ARG(key));
    }
    aq_status st = endpoint_check(key, token->issuer_url, true, &issuer, err);
    if (st == AQ_OK) {
        st = endpoint_check(key, token->token_endpoint, true, &checked, err);
    }
    if (st != AQ_OK && st != AQ_E_INVALID) {
        return st;
    }
    struct aq_str host = https_host(token->token_endpoint);
    if (st == AQ_E_INVALID || !host.len || !str_eq_nocase(host, https_host(buf_str(&issuer)))) {
        return error_set(err, AQ_E_LOGIN_NEEDED,
                         "%.*s: its token endpoint is not on the host of its issuer, or not https, "
                         "and may not be shown the login; sign in again",
                         AQ_STR_ARG(key));
    }
    buf_add(url, token->token_endpoint); /* as it is: a slash at its end is a part of it */
    return AQ_OK;
}

static aq_status idp_body(const struct token *token, struct buf *out)
{
    buf_add(out, AQ_STR("grant_type=refresh_token&client_id="));
    percent_encode(token->client_id, out);
    buf_add(out, AQ_STR("&refresh_token="));
    percent_encode(token->refresh_token, out);
    return AQ_OK;
}

/* ---- any of them ---- */

aq_status renewal_endpoint(struct aq_str key, enum token_kind kind, const struct token *token,
                           struct aq_str region, struct aq_str endpoint, struct buf *out,
                           struct aq_error *err)
{
    region = token->region.len ? token->region : region;
    aq_status st = kind == TOKEN_SOCIAL         ? social_url(token, endpoint, out, err)
                   : kind == TOKEN_EXTERNAL_IDP ? idp_url(key, token, out, err)
                                                : endpoint_oidc(key, endpoint, region, out, err);
    return st == AQ_OK && buf_status(out) != AQ_OK ? error_nomem(err, "sign-in endpoint") : st;
}

aq_status renewal_write(struct aq_str key, enum token_kind kind, const struct token *token,
                        const struct registration *registration, struct aq_str endpoint,
                        struct renewal *ret, struct aq_error *err)
{
    *ret = (struct renewal){
        .content_type = kind == TOKEN_EXTERNAL_IDP ? AQ_STR("application/x-www-form-urlencoded")
                                                   : AQ_STR(OIDC_CONTENT_TYPE),
        .url = BUF(URL_MAX),
        .body = BUF(BODY_MAX),
    };
    struct aq_str region = registration ? registration->region : AQ_STR("");
    aq_status st = renewal_endpoint(key, kind, token, region, endpoint, &ret->url, err);
    if (st != AQ_OK) {
        return st;
    }
    buf_add(&ret->url, kind == TOKEN_SOCIAL         ? AQ_STR("/refreshToken")
                       : kind == TOKEN_EXTERNAL_IDP ? AQ_STR("")
                                                    : AQ_STR(OIDC_TOKEN_PATH));
    st = kind == TOKEN_SOCIAL ? social_body(token, &ret->body)
         : kind == TOKEN_EXTERNAL_IDP
             ? idp_body(token, &ret->body)
             : oidc_refresh_body(registration, token->refresh_token, &ret->body, err);
    bool whole = buf_status(&ret->url) == AQ_OK && buf_status(&ret->body) == AQ_OK;
    return st == AQ_OK && !whole ? error_nomem(err, "refresh") : st;
}

enum oidc_outcome renewal_reply(enum token_kind kind, int32_t http, struct aq_str error_type,
                                struct aq_str body, struct oidc_tokens *ret, struct aq_error *err)
{
    enum oidc_outcome outcome = oidc_refresh_reply(http, error_type, body, ret, err);
    if (kind == TOKEN_SOCIAL && http == 401 && outcome == OIDC_TEMPORARY) {
        /* the refresh token is all that was shown, so it is what was refused */
        error_set(err, AQ_E_LOGIN_NEEDED,
                  "sign-in service: the refresh token is no longer accepted (HTTP 401), log in "
                  "again");
        err->http = http;
        return OIDC_GRANT_SPENT;
    }
    return outcome;
}
