/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any stored login of any kind is renewed: a byte says which kind, a byte is the status of the
 * answer; then, each with its length in front, the endpoint that the user named, the registration
 * and the header x-amzn-errortype; then the login, which is taken for the body of the answer as
 * well. The refresh token is shown to those only who may see it, and arrives as it is.
 */
#include "base/alloc.h"
#include "base/json.h"
#include "base/str.h"
#include "fuzz/fuzzer.h"
#include "wire/endpoint.h"
#include "wire/percent.h"
#include "wire/renewal.h"

/* ---- whom it is shown to ---- */

/* The text begins and ends like this, and between them is a region. */
static bool is_regional(struct aq_str text, struct aq_str begin, struct aq_str end)
{
    return text.len > begin.len + end.len && str_starts(text, begin) && str_ends(text, end) &&
           endpoint_region_valid(
               (struct aq_str){ text.ptr + begin.len, text.len - begin.len - end.len });
}

/* HOST or HOST:PORT of an https URL; empty if it is none. */
static struct aq_str host_of(struct aq_str url)
{
    struct aq_str rest = str_from_offset(url, AQ_STR("https://").len);
    return str_starts(url, AQ_STR("https://")) ? str_cut(&rest, '/') : AQ_STR("");
}

static bool is_named(struct aq_str url, struct aq_str endpoint, struct aq_str path)
{
    if (str_ends(endpoint, AQ_STR("/"))) {
        endpoint.len--;
    }
    return url.len == endpoint.len + path.len && str_starts(url, endpoint) && str_ends(url, path);
}

static void url_check(enum token_kind kind, const struct token *token, struct aq_str endpoint,
                      struct aq_str url)
{
    struct aq_str path = kind == TOKEN_SOCIAL ? AQ_STR("/refreshToken") : AQ_STR("/token");
    if (kind == TOKEN_EXTERNAL_IDP) {
        PROMISE(str_eq(url, token->token_endpoint));
        PROMISE(host_of(url).len && str_eq_nocase(host_of(url), host_of(token->issuer_url)));
    } else if (endpoint.len) {
        PROMISE(is_named(url, endpoint, path));
    } else if (kind == TOKEN_SOCIAL) {
        PROMISE(is_regional(url, AQ_STR("https://prod."),
                            AQ_STR(".auth.desktop.kiro.dev/refreshToken")));
    } else {
        PROMISE(is_regional(url, AQ_STR("https://oidc."), AQ_STR(".amazonaws.com/token")));
    }
}

/* ---- what it says ---- */

static void json_check(struct aq_str body, struct aq_str key, struct aq_str value)
{
    AUTO(buf) struct buf scratch = BUF(0);
    struct json_member m;
    PROMISE(json_valid(body) && json_find(body, key, &m) && m.type == JSON_STRING);
    PROMISE(str_eq(json_text(&m, &scratch), value));
}

/* The value of a parameter, which has no byte that would end it. */
static void form_check(struct aq_str *body, struct aq_str name, struct aq_str value)
{
    AUTO(buf) struct buf decoded = BUF(0);
    struct aq_str text = str_cut(body, '&');
    PROMISE(str_eq(str_cut(&text, '='), name));
    if (percent_decode(text, &decoded)) { /* refuses control characters */
        PROMISE(str_eq(buf_str(&decoded), value));
    }
}

static void body_check(enum token_kind kind, const struct token *token,
                       const struct registration *registration, struct aq_str body)
{
    if (kind == TOKEN_EXTERNAL_IDP) {
        form_check(&body, AQ_STR("grant_type"), AQ_STR("refresh_token"));
        form_check(&body, AQ_STR("client_id"), token->client_id);
        form_check(&body, AQ_STR("refresh_token"), token->refresh_token);
        PROMISE(body.len == 0);
        return;
    }
    json_check(body, AQ_STR("refreshToken"), token->refresh_token);
    if (kind == TOKEN_OIDC) {
        json_check(body, AQ_STR("clientId"), registration->client_id);
        json_check(body, AQ_STR("clientSecret"), registration->client_secret);
    }
}

static void request_check(enum token_kind kind, const struct token *token,
                          const struct registration *registration, struct aq_str endpoint)
{
    AUTO(renewal) struct renewal request = { 0 };
    struct aq_error err;
    aq_status st =
        renewal_write(AQ_STR("key"), kind, token, registration, endpoint, &request, &err);
    if (st != AQ_OK) {
        PROMISE(st == AQ_E_INVALID || st == AQ_E_LOGIN_NEEDED);
        error_text_check(&err);
        return;
    }
    url_check(kind, token, endpoint, buf_str(&request.url));
    body_check(kind, token, registration, buf_str(&request.body));
}

/* ---- what the answer means ---- */

static void reply_check(enum token_kind kind, int32_t http, struct aq_str error_type,
                        struct aq_str body)
{
    AUTO(oidc_tokens) struct oidc_tokens tokens = { 0 };
    AUTO(oidc_tokens) struct oidc_tokens same = { 0 };
    struct aq_error err;
    enum oidc_outcome plain = oidc_refresh_reply(http, error_type, body, &same, NULL);
    enum oidc_outcome outcome = renewal_reply(kind, http, error_type, body, &tokens, &err);
    bool refused = kind == TOKEN_SOCIAL && http == 401 && plain == OIDC_TEMPORARY;
    PROMISE(outcome == (refused ? OIDC_GRANT_SPENT : plain));
    if (outcome != OIDC_OK) {
        PROMISE(err.status == (outcome == OIDC_TEMPORARY ? AQ_E_REFRESH : AQ_E_LOGIN_NEEDED));
        PROMISE(err.http == http && !tokens.text.ptr);
        error_text_check(&err);
        PROMISE(!strstr(err.text, "canary"));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum token_kind kinds[] = { TOKEN_OIDC, TOKEN_SOCIAL, TOKEN_EXTERNAL_IDP };
    static const int16_t codes[] = { 200, 400, 401, 401, 403, 429, 500, 0 };
    struct script script = { data, size };
    enum token_kind kind = kinds[script_byte(&script) % 3];
    int32_t http = codes[script_byte(&script) % (sizeof(codes) / sizeof(codes[0]))];
    struct aq_str endpoint = str_of_bytes(script_piece(&script));
    struct aq_str row = str_of_bytes(script_piece(&script));
    struct aq_str error_type = str_of_bytes(script_piece(&script));
    struct aq_str login = str_of_bytes(script_rest(&script, script.len));
    AUTO(token) struct token token = { 0 };
    AUTO(registration) struct registration registration = { 0 };

    bool is_registered = registration_parse(AQ_STR("key"), row, &registration, NULL) == AQ_OK;
    if (token_parse(AQ_STR("key"), login, &token, NULL) == AQ_OK &&
        (kind != TOKEN_OIDC || is_registered)) {
        request_check(kind, &token, is_registered ? &registration : NULL, endpoint);
    }
    reply_check(kind, http, error_type, login);
    return 0;
}
