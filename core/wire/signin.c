/* SPDX-License-Identifier: Apache-2.0 */
/* What is asked, and what is stored; what the answers mean is in signin_answer.c. */
#include "wire/signin.h"

#include "base/error.h"
#include "base/json.h"
#include "base/str.h"
#include "wire/percent.h"
#include "wire/timestamp.h"

enum { REGISTRATION_MARGIN_S = 60 }; /* a registration this close to its end counts as expired */

/* What a login of this kind may be used for; the existing CLI's, so that either goes on with the
 * other's. */
static const struct aq_str scopes[] = {
    AQ_STR_INIT("codewhisperer:completions"),
    AQ_STR_INIT("codewhisperer:analysis"),
    AQ_STR_INIT("codewhisperer:conversations"),
};

enum { SCOPE_COUNT = sizeof(scopes) / sizeof(scopes[0]) };

static const struct aq_str flow_names[] = {
    [TOKEN_FLOW_DEVICE_CODE] = AQ_STR_INIT("DeviceCode"),
    [TOKEN_FLOW_PKCE] = AQ_STR_INIT("Pkce"),
};

/* ---- requests ---- */

static void add_member(struct buf *out, const char *key, struct aq_str value)
{
    buf_printf(out, "%s\"%s\":", out->len && out->ptr[out->len - 1] != '{' ? "," : "", key);
    buf_add_json(out, value);
}

static void add_list(struct buf *out, const char *key, const struct aq_str *values, size_t count)
{
    buf_printf(out, ",\"%s\":[", key);
    for (size_t i = 0; i < count; i++) {
        buf_add(out, i ? AQ_STR(",") : AQ_STR(""));
        buf_add_json(out, values[i]);
    }
    buf_add_char(out, ']');
}

static aq_status finish_body(struct buf *out, struct aq_error *err)
{
    buf_add_char(out, '}');
    return buf_status(out) == AQ_OK ? AQ_OK : error_nomem(err, "login");
}

aq_status signin_register_body(struct aq_str start_url, struct aq_str redirect_uri, struct buf *out,
                               struct aq_error *err)
{
    static const struct aq_str grants[] = { AQ_STR_INIT("authorization_code"),
                                            AQ_STR_INIT("refresh_token") };
    buf_add_char(out, '{');
    add_member(out, "clientName", AQ_STR("libamazonq"));
    add_member(out, "clientType", AQ_STR("public"));
    add_list(out, "scopes", scopes, SCOPE_COUNT);
    if (redirect_uri.len) {
        add_list(out, "redirectUris", &redirect_uri, 1);
        add_list(out, "grantTypes", grants, sizeof(grants) / sizeof(grants[0]));
        add_member(out, "issuerUrl", start_url);
    }
    return finish_body(out, err);
}

static void begin_client(struct buf *out, const struct registration *reg)
{
    buf_add_char(out, '{');
    add_member(out, "clientId", reg->client_id);
    add_member(out, "clientSecret", reg->client_secret);
}

aq_status signin_device_body(const struct registration *reg, struct aq_str start_url,
                             struct buf *out, struct aq_error *err)
{
    begin_client(out, reg);
    add_member(out, "startUrl", start_url);
    return finish_body(out, err);
}

aq_status signin_poll_body(const struct registration *reg, struct aq_str device_code,
                           struct buf *out, struct aq_error *err)
{
    begin_client(out, reg);
    add_member(out, "grantType", AQ_STR("urn:ietf:params:oauth:grant-type:device_code"));
    add_member(out, "deviceCode", device_code);
    return finish_body(out, err);
}

aq_status signin_code_body(const struct registration *reg, struct aq_str code,
                           struct aq_str redirect_uri, struct aq_str verifier, struct buf *out,
                           struct aq_error *err)
{
    begin_client(out, reg);
    add_member(out, "grantType", AQ_STR("authorization_code"));
    add_member(out, "code", code);
    add_member(out, "redirectUri", redirect_uri);
    add_member(out, "codeVerifier", verifier);
    return finish_body(out, err);
}

static void add_parameter(struct buf *out, const char *name, struct aq_str value)
{
    buf_printf(out, "&%s=", name);
    percent_encode(value, out);
}

aq_status signin_authorize_url(struct aq_str base, struct aq_str client_id,
                               struct aq_str redirect_uri, struct aq_str state,
                               struct aq_str challenge, struct buf *out, struct aq_error *err)
{
    buf_add(out, base);
    buf_add(out, AQ_STR(SIGNIN_AUTHORIZE_PATH "?response_type=code"));
    add_parameter(out, "client_id", client_id);
    add_parameter(out, "redirect_uri", redirect_uri);
    buf_add(out, AQ_STR("&scopes=")); /* plural: unlike OAuth */
    for (size_t i = 0; i < SCOPE_COUNT; i++) {
        percent_encode(i ? AQ_STR(" ") : AQ_STR(""), out);
        percent_encode(scopes[i], out);
    }
    add_parameter(out, "state", state);
    add_parameter(out, "code_challenge", challenge);
    add_parameter(out, "code_challenge_method", AQ_STR("S256"));
    return buf_status(out) == AQ_OK ? AQ_OK : error_nomem(err, "login");
}

/* ---- rows ---- */

/* The same scopes, in whatever order. */
static bool has_scopes(struct aq_str json)
{
    struct json_member list, element;
    size_t found = 0;
    size_t count = 0;
    if (!json_find(json, AQ_STR("scopes"), &list) || list.type != JSON_ARRAY) {
        return false;
    }
    struct json_reader r = json_reader(list.value);
    json_array(&r);
    for (; json_next(&r, &element); count++) {
        for (size_t i = 0; i < SCOPE_COUNT; i++) {
            found += str_eq(json_string_plain(&element), scopes[i]);
        }
    }
    return found == SCOPE_COUNT && count == SCOPE_COUNT;
}

bool signin_registration_fits(const struct registration *reg, struct aq_str json,
                              struct aq_str region, int64_t now_s)
{
    return reg->flow == TOKEN_FLOW_DEVICE_CODE && str_eq(reg->region, region) &&
           reg->expires_at_s - REGISTRATION_MARGIN_S > now_s && reg->expires_at_s != INT64_MAX &&
           has_scopes(json); /* as the existing CLI */
}

/* What both rows end with. */
static aq_status finish_row(enum token_flow flow, struct buf *out, struct aq_error *err)
{
    add_member(out, "oauth_flow", flow_names[flow]);
    add_list(out, "scopes", scopes, SCOPE_COUNT);
    return finish_body(out, err);
}

static void add_member_or_null(struct buf *out, const char *key, struct aq_str value)
{
    if (value.len) {
        add_member(out, key, value);
    } else {
        buf_printf(out, ",\"%s\":null", key);
    }
}

static aq_status no_time(struct aq_error *err)
{
    return error_set(err, AQ_E_PROTOCOL,
                     "sign-in service: an expiry after the year 9999, check the endpoint");
}

aq_status signin_registration_row(const struct registration *reg, struct buf *out,
                                  struct aq_error *err)
{
    char expires_at[TIMESTAMP_TEXT_MAX];
    if (!timestamp_format(reg->expires_at_s, expires_at)) {
        return no_time(err);
    }
    buf_add_char(out, '{');
    add_member(out, "client_id", reg->client_id);
    add_member(out, "client_secret", reg->client_secret);
    add_member(out, "client_secret_expires_at", str_from(expires_at));
    add_member(out, "region", reg->region);
    return finish_row(reg->flow, out, err);
}

aq_status signin_token_row(const struct oidc_tokens *tokens, int64_t expires_at_s,
                           struct aq_str region, struct aq_str start_url, enum token_flow flow,
                           struct buf *out, struct aq_error *err)
{
    char expires_at[TIMESTAMP_TEXT_MAX];
    if (!timestamp_format(expires_at_s, expires_at)) {
        return no_time(err);
    }
    buf_add_char(out, '{');
    add_member(out, "access_token", tokens->access_token);
    add_member(out, "expires_at", str_from(expires_at));
    add_member_or_null(out, "refresh_token", tokens->refresh_token);
    add_member(out, "region", region);
    add_member_or_null(out, "start_url", start_url);
    return finish_row(flow, out, err);
}
