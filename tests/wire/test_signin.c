/* SPDX-License-Identifier: Apache-2.0 */
/* The calls that make a login: what is sent, what each answer means, what is stored. */
#include "base/alloc.h"
#include "base/json.h"
#include "base/str.h"
#include "no_memory.h"
#include "wire/signin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define CANARY "canary-77aa-secret"
#define SCOPES \
    "[\"codewhisperer:completions\",\"codewhisperer:analysis\",\"codewhisperer:conversations\"]"
#define REGISTERED \
    "{\"clientId\":\"id\",\"clientSecret\":\"s\",\"clientIdIssuedAt\":1," \
    "\"clientSecretExpiresAt\":" \
    "4070908800}"
#define DEVICE \
    "{\"deviceCode\":\"d\",\"userCode\":\"ABCD-EFGH\",\"verificationUri\":\"https://a.example/" \
    "d\"," \
    "\"verificationUriComplete\":\"https://a.example/d?c=1#x\",\"expiresIn\":600,\"interval\":1}"
#define TOKENS "{\"accessToken\":\"a\",\"refreshToken\":\"r\",\"expiresIn\":3600}"

static const struct registration client = { .client_id = AQ_STR_INIT("id"),
                                            .client_secret = AQ_STR_INIT("s\"ecret"),
                                            .region = AQ_STR_INIT("us-east-1"),
                                            .expires_at_s = 4070908800 };

static void assert_text(struct aq_str got, const char *want)
{
    if (got.len != strlen(want) || memcmp(got.ptr, want, got.len) != 0) {
        print_error("%.*s\n", AQ_STR_ARG(got));
    }
    assert_int_equal(got.len, strlen(want));
    assert_memory_equal(got.len ? got.ptr : "", want, got.len);
}

static struct signin_answer answer(int32_t http, const char *body)
{
    return (struct signin_answer){ http, { NULL, 0 }, str_from(body) };
}

/* ---- requests ---- */

static void a_client_for_device_codes_says_who_it_is_and_what_for(void **state)
{
    AUTO(buf) struct buf out = BUF(0);
    (void)state;
    assert_int_equal(signin_register_body(AQ_STR("https://x"), AQ_STR(""), &out, NULL), AQ_OK);
    assert_text(buf_str(&out),
                "{\"clientName\":\"libamazonq\",\"clientType\":\"public\",\"scopes\":" SCOPES "}");
}

static void a_client_for_authorization_codes_says_where_they_go(void **state)
{
    AUTO(buf) struct buf out = BUF(0);
    (void)state;
    assert_int_equal(
        signin_register_body(AQ_STR("https://x"), AQ_STR("http://127.0.0.1:1/"), &out, NULL),
        AQ_OK);
    assert_text(buf_str(&out),
                "{\"clientName\":\"libamazonq\",\"clientType\":\"public\",\"scopes\":" SCOPES
                ",\"redirectUris\":[\"http://127.0.0.1:1/\"],\"grantTypes\":["
                "\"authorization_code\",\"refresh_token\"],\"issuerUrl\":\"https://x\"}");
}

static void the_other_requests_name_the_client_first(void **state)
{
    AUTO(buf) struct buf device = BUF(0);
    AUTO(buf) struct buf poll = BUF(0);
    AUTO(buf) struct buf code = BUF(0);
    (void)state;
    assert_int_equal(signin_device_body(&client, AQ_STR("https://x"), &device, NULL), AQ_OK);
    assert_text(buf_str(&device), "{\"clientId\":\"id\",\"clientSecret\":\"s\\\"ecret\","
                                  "\"startUrl\":\"https://x\"}");
    assert_int_equal(signin_poll_body(&client, AQ_STR("d"), &poll, NULL), AQ_OK);
    assert_text(buf_str(&poll),
                "{\"clientId\":\"id\",\"clientSecret\":\"s\\\"ecret\",\"grantType\":"
                "\"urn:ietf:params:oauth:grant-type:device_code\",\"deviceCode\":\"d\"}");
    assert_int_equal(
        signin_code_body(&client, AQ_STR("c"), AQ_STR("http://r"), AQ_STR("v"), &code, NULL),
        AQ_OK);
    assert_text(buf_str(&code), "{\"clientId\":\"id\",\"clientSecret\":\"s\\\"ecret\","
                                "\"grantType\":\"authorization_code\",\"code\":\"c\","
                                "\"redirectUri\":\"http://r\",\"codeVerifier\":\"v\"}");
}

static void the_authorize_url_encodes_every_value_and_says_scopes(void **state)
{
    AUTO(buf) struct buf out = BUF(0);
    (void)state;
    assert_int_equal(signin_authorize_url(AQ_STR("https://oidc.us-east-1.amazonaws.com"),
                                          AQ_STR("i&d"),
                                          AQ_STR("http://127.0.0.1:1/oauth/callback"), AQ_STR("st"),
                                          AQ_STR("ch_a"), &out, NULL),
                     AQ_OK);
    assert_text(buf_str(&out),
                "https://oidc.us-east-1.amazonaws.com/authorize?response_type=code&client_id=i%26d"
                "&redirect_uri=http%3A%2F%2F127.0.0.1%3A1%2Foauth%2Fcallback"
                "&scopes=codewhisperer%3Acompletions%20codewhisperer%3Aanalysis%20"
                "codewhisperer%3Aconversations&state=st&code_challenge=ch_a"
                "&code_challenge_method=S256");
}

/* ---- answers ---- */

static void a_registration_is_read(void **state)
{
    AUTO(registration) struct registration r = { 0 };
    const struct signin_answer a = answer(200, REGISTERED);
    (void)state;
    assert_int_equal(signin_registered(&a, &r, NULL), SIGNIN_OK);
    assert_text(r.client_id, "id");
    assert_text(r.client_secret, "s");
    assert_int_equal(r.expires_at_s, 4070908800);
}

static void a_code_for_another_device_is_read(void **state)
{
    AUTO(signin_device) struct signin_device d = { 0 };
    const struct signin_answer a = answer(200, DEVICE);
    (void)state;
    assert_int_equal(signin_device_granted(&a, &d, NULL), SIGNIN_OK);
    assert_text(d.device_code, "d");
    assert_text(d.user_code, "ABCD-EFGH");
    assert_text(d.url, "https://a.example/d?c=1#x");
    assert_text(d.short_url, "https://a.example/d");
    assert_int_equal(d.lifetime_s, 600);
    assert_int_equal(d.interval_s, 1);
}

static void a_pause_that_makes_no_sense_is_put_right(void **state)
{
    static const struct {
        const char *times;
        int lifetime_s, interval_s;
    } cases[] = {
        { "\"expiresIn\":600", 600, SIGNIN_INTERVAL_S },
        { "\"expiresIn\":600,\"interval\":-3", 600, 1 },
        { "\"expiresIn\":600,\"interval\":\"x\"", 600, 1 },
        { "\"expiresIn\":600,\"interval\":7000", 600, 600 },
        { "\"expiresIn\":99999999999,\"interval\":5", SIGNIN_LIFETIME_MAX_S, 5 },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO(signin_device) struct signin_device d = { 0 };
        char body[256];
        snprintf(body, sizeof(body),
                 "{\"deviceCode\":\"d\",\"userCode\":\"u\",\"verificationUri\":\"https://a/\",%s}",
                 cases[i].times);
        const struct signin_answer a = answer(200, body);
        assert_int_equal(signin_device_granted(&a, &d, NULL), SIGNIN_OK);
        assert_text(d.url, "https://a/"); /* there is no other */
        assert_int_equal(d.lifetime_s, cases[i].lifetime_s);
        assert_int_equal(d.interval_s, cases[i].interval_s);
    }
}

static void nobody_is_sent_to_a_page_that_is_none(void **state)
{
    static const char *const urls[] = {
        "",          "javascript:alert(1)",          "http://a.example/",    "https://",
        "file:///x", "https://a.example/\\u001b[2J", "https://u@a.example/", "https://a example/",
    };
    (void)state;
    for (size_t i = 0; i < COUNT(urls) * 2; i++) {
        AUTO(signin_device) struct signin_device d = { 0 };
        struct aq_error err;
        char body[512];
        const char *bad = urls[i / 2];
        if (!*bad && i % 2) {
            continue; /* without the long one there is the short one */
        }
        snprintf(body, sizeof(body),
                 "{\"deviceCode\":\"d\",\"userCode\":\"u\",\"verificationUri\":\"%s\","
                 "\"verificationUriComplete\":\"%s\",\"expiresIn\":600}",
                 i % 2 ? "https://a.example/" : bad, i % 2 ? bad : "https://a.example/");
        const struct signin_answer a = answer(200, body);
        assert_int_equal(signin_device_granted(&a, &d, &err), SIGNIN_REFUSED);
        assert_int_equal(err.status, AQ_E_PROTOCOL);
    }
}

static void tokens_are_read_and_a_missing_refresh_token_is_none(void **state)
{
    AUTO(oidc_tokens) struct oidc_tokens t = { 0 };
    AUTO(oidc_tokens) struct oidc_tokens u = { 0 };
    const struct signin_answer a = answer(200, TOKENS);
    const struct signin_answer b = answer(200, "{\"accessToken\":\"a\"}");
    (void)state;
    assert_int_equal(signin_granted(&a, &t, NULL), SIGNIN_OK);
    assert_text(t.access_token, "a");
    assert_text(t.refresh_token, "r");
    assert_int_equal(t.expires_in_s, 3600);
    assert_int_equal(signin_granted(&b, &u, NULL), SIGNIN_OK);
    assert_int_equal(u.refresh_token.len, 0);
}

static void an_answer_that_is_not_complete_ends_it(void **state)
{
    static const char *const bodies[] = {
        "{}",
        "{\"clientId\":7}",
        "{\"clientId\":\"id\",\"clientSecret\":\"s\"}",
        "{\"clientId\":\"i d\",\"clientSecret\":\"s\",\"clientSecretExpiresAt\":4070908800}",
        "{\"clientId\":\"id\",\"clientSecret\":\"s\",\"clientSecretExpiresAt\":4070908800000}",
        "{\"deviceCode\":\"d\",\"userCode\":\"u\",\"verificationUri\":\"https://a/\"}",
        "{\"deviceCode\":\"d\",\"userCode\":\"u u\",\"verificationUri\":\"https://a/\","
        "\"expiresIn\":600}",
        "{\"deviceCode\":\"d\",\"userCode\":\"u\",\"verificationUri\":\"https://a/\","
        "\"expiresIn\":0}",
        "{\"accessToken\":\"\"}",
        "{\"accessToken\":\"a b\"}",
    };
    (void)state;
    for (size_t i = 0; i < COUNT(bodies); i++) {
        AUTO(registration) struct registration r = { 0 };
        AUTO(signin_device) struct signin_device d = { 0 };
        AUTO(oidc_tokens) struct oidc_tokens t = { 0 };
        struct aq_error err;
        const struct signin_answer a = answer(200, bodies[i]);
        assert_int_equal(signin_registered(&a, &r, &err), SIGNIN_REFUSED);
        assert_int_equal(err.status, AQ_E_PROTOCOL);
        assert_int_equal(signin_device_granted(&a, &d, &err), SIGNIN_REFUSED);
        assert_int_equal(err.status, AQ_E_PROTOCOL);
        assert_int_equal(signin_granted(&a, &t, &err), SIGNIN_REFUSED);
        assert_int_equal(err.status, AQ_E_PROTOCOL);
    }
}

static void what_is_no_answer_at_all_ends_it_unless_a_person_is_on_the_way(void **state)
{
    static const char *const bodies[] = {
        "", "null", "[]", "[{}]", "<html>", "{\"accessToken\":\"a\"", "{} {}",
    };
    (void)state;
    for (size_t i = 0; i < COUNT(bodies); i++) {
        AUTO(registration) struct registration r = { 0 };
        AUTO(signin_device) struct signin_device d = { 0 };
        AUTO(oidc_tokens) struct oidc_tokens t = { 0 };
        struct aq_error err;
        struct signin_answer a = answer(200, bodies[i]);
        assert_int_equal(signin_registered(&a, &r, &err), SIGNIN_REFUSED);
        assert_int_equal(signin_device_granted(&a, &d, &err), SIGNIN_REFUSED);
        assert_int_equal(signin_granted(&a, &t, &err), SIGNIN_TEMPORARY);
        assert_int_equal(err.status, AQ_E_PROTOCOL);
        a.http = 400;
        assert_int_equal(signin_granted(&a, &t, &err), SIGNIN_TEMPORARY);
        a.error_type = AQ_STR("AccessDeniedException");
        assert_int_equal(signin_granted(&a, &t, &err), SIGNIN_REFUSED);
    }
}

static void every_error_of_the_service_has_its_meaning(void **state)
{
    static const struct {
        int32_t http;
        const char *error, *type;
        enum signin_outcome outcome;
        aq_status status;
    } cases[] = {
        { 400, "authorization_pending", "AuthorizationPendingException", SIGNIN_PENDING,
          AQ_E_TIMEOUT },
        { 400, "slow_down", "SlowDownException", SIGNIN_SLOW_DOWN, AQ_E_THROTTLED },
        { 400, "access_denied", "AccessDeniedException", SIGNIN_REFUSED, AQ_E_ACCESS },
        { 400, "expired_token", "ExpiredTokenException", SIGNIN_REFUSED, AQ_E_TIMEOUT },
        { 400, "invalid_grant", "InvalidGrantException", SIGNIN_REFUSED, AQ_E_VALIDATION },
        { 401, "invalid_client", "InvalidClientException", SIGNIN_CLIENT_UNKNOWN, AQ_E_VALIDATION },
        { 400, "unauthorized_client", "UnauthorizedClientException", SIGNIN_CLIENT_UNKNOWN,
          AQ_E_ACCESS },
        { 400, "unsupported_grant_type", "UnsupportedGrantTypeException", SIGNIN_REFUSED,
          AQ_E_VALIDATION },
        { 400, "invalid_client_metadata", "InvalidClientMetadataException", SIGNIN_REFUSED,
          AQ_E_VALIDATION },
        { 400, "invalid_redirect_uri", "InvalidRedirectUriException", SIGNIN_REFUSED,
          AQ_E_VALIDATION },
        { 400, "invalid_scope", "InvalidScopeException", SIGNIN_REFUSED, AQ_E_VALIDATION },
        { 400, "invalid_request", "InvalidRequestException", SIGNIN_REFUSED, AQ_E_VALIDATION },
        { 500, "server_error", "InternalServerException", SIGNIN_TEMPORARY, AQ_E_SERVICE },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases) * 2; i++) {
        AUTO(oidc_tokens) struct oidc_tokens t = { 0 };
        bool typed = i % 2;
        struct aq_error err;
        char body[256];
        snprintf(body, sizeof(body), "{\"error\":\"%s\",\"error_description\":\"" CANARY "\"}",
                 typed ? "unheard_of" : cases[i / 2].error);
        struct signin_answer a = answer(cases[i / 2].http, body);
        a.error_type = str_from(typed ? cases[i / 2].type : "");
        assert_int_equal(signin_granted(&a, &t, &err), cases[i / 2].outcome);
        assert_int_equal(err.status, cases[i / 2].status);
        assert_int_equal(err.http, cases[i / 2].http);
        assert_null(strstr(err.text, CANARY));
    }
}

static void an_error_that_the_browser_brings_means_the_same_as_in_an_answer(void **state)
{
    static const struct {
        const char *error;
        aq_status status;
        const char *says;
    } cases[] = {
        { "access_denied", AQ_E_ACCESS, "access was denied" },
        { "invalid_scope", AQ_E_VALIDATION, "check the start URL" },
        { "server_error", AQ_E_SERVICE, "try again later (server_error)" },
        { "temporarily_unavailable", AQ_E_SERVICE, "try again later (temporarily_unavailable)" },
        { "unheard_of", AQ_E_ACCESS, "access was not allowed (unheard_of)" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct aq_error err;
        assert_int_equal(signin_denied(str_from(cases[i].error), &err), cases[i].status);
        assert_int_equal(err.status, cases[i].status);
        assert_non_null(strstr(err.text, cases[i].says));
    }
}

static void what_is_between_us_and_the_service_is_told_apart(void **state)
{
    static const struct {
        int32_t http;
        enum signin_outcome outcome;
        aq_status status;
    } cases[] = {
        { 302, SIGNIN_TEMPORARY, AQ_E_PROTOCOL },  { 403, SIGNIN_TEMPORARY, AQ_E_SERVICE },
        { 404, SIGNIN_TEMPORARY, AQ_E_SERVICE },   { 407, SIGNIN_REFUSED, AQ_E_NETWORK },
        { 429, SIGNIN_TEMPORARY, AQ_E_THROTTLED }, { 500, SIGNIN_TEMPORARY, AQ_E_SERVICE },
        { 502, SIGNIN_TEMPORARY, AQ_E_SERVICE },   { 503, SIGNIN_TEMPORARY, AQ_E_SERVICE },
        { 100, SIGNIN_TEMPORARY, AQ_E_SERVICE },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO(oidc_tokens) struct oidc_tokens t = { 0 };
        struct aq_error err;
        const struct signin_answer a = answer(cases[i].http, "<html>" CANARY "</html>");
        assert_int_equal(signin_granted(&a, &t, &err), cases[i].outcome);
        assert_int_equal(err.status, cases[i].status);
        assert_null(strstr(err.text, CANARY));
        assert_int_equal(signin_granted(&a, &t, NULL), cases[i].outcome); /* who does not ask why */
    }
}

static void without_memory_an_answer_is_not_believed(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        AUTO(registration) struct registration r = { 0 };
        AUTO(signin_device) struct signin_device d = { 0 };
        AUTO(oidc_tokens) struct oidc_tokens t = { 0 };
        const struct signin_answer a = answer(200, i == 0 ? REGISTERED : i == 1 ? DEVICE : TOKENS);
        struct aq_error err;
        no_memory(1);
        assert_int_equal(i == 0   ? signin_registered(&a, &r, &err)
                         : i == 1 ? signin_device_granted(&a, &d, &err)
                                  : signin_granted(&a, &t, &err),
                         SIGNIN_REFUSED);
        assert_true(no_memory_ended());
        assert_int_equal(err.status, AQ_E_NOMEM);
    }
}

/* ---- rows ---- */

static void the_rows_are_those_of_the_existing_cli(void **state)
{
    const struct oidc_tokens tokens = { .access_token = AQ_STR_INIT("a"),
                                        .refresh_token = AQ_STR_INIT("r") };
    AUTO(buf) struct buf row = BUF(0);
    AUTO(buf) struct buf registration = BUF(0);
    (void)state;
    assert_int_equal(signin_token_row(&tokens, 4070908800, AQ_STR("us-east-1"), AQ_STR(""),
                                      TOKEN_FLOW_DEVICE_CODE, &row, NULL),
                     AQ_OK);
    assert_text(buf_str(&row),
                "{\"access_token\":\"a\",\"expires_at\":\"2099-01-01T00:00:00Z\","
                "\"refresh_token\":\"r\",\"region\":\"us-east-1\",\"start_url\":null,"
                "\"oauth_flow\":\"DeviceCode\",\"scopes\":" SCOPES "}");
    assert_int_equal(signin_registration_row(&client, &registration, NULL), AQ_OK);
    assert_text(buf_str(&registration),
                "{\"client_id\":\"id\",\"client_secret\":\"s\\\"ecret\","
                "\"client_secret_expires_at\":\"2099-01-01T00:00:00Z\",\"region\":\"us-east-1\","
                "\"oauth_flow\":\"DeviceCode\",\"scopes\":" SCOPES "}");
}

static void a_login_without_a_refresh_token_says_so(void **state)
{
    const struct oidc_tokens tokens = { .access_token = AQ_STR_INIT("a") };
    AUTO(buf) struct buf row = BUF(0);
    (void)state;
    assert_int_equal(signin_token_row(&tokens, 4070908800, AQ_STR("us-east-1"), AQ_STR("https://x"),
                                      TOKEN_FLOW_PKCE, &row, NULL),
                     AQ_OK);
    assert_text(buf_str(&row),
                "{\"access_token\":\"a\",\"expires_at\":\"2099-01-01T00:00:00Z\","
                "\"refresh_token\":null,\"region\":\"us-east-1\",\"start_url\":\"https://x\","
                "\"oauth_flow\":\"Pkce\",\"scopes\":" SCOPES "}");
}

static void what_cannot_be_written_as_a_time_is_not_stored(void **state)
{
    const struct oidc_tokens tokens = { .access_token = AQ_STR_INIT("a") };
    struct registration far = client;
    AUTO(buf) struct buf out = BUF(0);
    (void)state;
    far.expires_at_s = INT64_MAX / 2;
    assert_int_equal(signin_registration_row(&far, &out, NULL), AQ_E_PROTOCOL);
    assert_int_equal(signin_token_row(&tokens, INT64_MAX / 2, AQ_STR("r"), AQ_STR(""),
                                      TOKEN_FLOW_PKCE, &out, NULL),
                     AQ_E_PROTOCOL);
    assert_int_equal(out.len, 0);
}

static void a_stored_registration_is_used_again_if_it_is_of_the_same_kind(void **state)
{
    static const struct {
        const char *expires, *region, *flow, *scopes;
        bool fits;
    } cases[] = {
        { "\"2099-01-01T00:00:00Z\"", "us-east-1", "DeviceCode", SCOPES, true },
        { "\"2099-01-01T00:00:00Z\"", "us-east-1", "DeviceCode",
          "[\"codewhisperer:conversations\",\"codewhisperer:analysis\","
          "\"codewhisperer:completions\"]",
          true },
        { "\"2001-01-01T00:00:00Z\"", "us-east-1", "DeviceCode", SCOPES, false },
        { "\"2030-01-01T00:00:59Z\"", "us-east-1", "DeviceCode", SCOPES, false },
        { "null", "us-east-1", "DeviceCode", SCOPES, false },
        { "\"2099-01-01T00:00:00Z\"", "eu-west-1", "DeviceCode", SCOPES, false },
        { "\"2099-01-01T00:00:00Z\"", "us-east-1", "Pkce", SCOPES, false },
        { "\"2099-01-01T00:00:00Z\"", "us-east-1", "DeviceCode", "null", false },
        { "\"2099-01-01T00:00:00Z\"", "us-east-1", "DeviceCode", "[]", false },
        { "\"2099-01-01T00:00:00Z\"", "us-east-1", "DeviceCode",
          "[\"codewhisperer:completions\",\"codewhisperer:analysis\"]", false },
        { "\"2099-01-01T00:00:00Z\"", "us-east-1", "DeviceCode",
          "[\"codewhisperer:completions\",\"codewhisperer:analysis\","
          "\"codewhisperer:conversations\",\"more\"]",
          false },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO(registration) struct registration r = { 0 };
        char json[512];
        snprintf(json, sizeof(json),
                 "{\"client_id\":\"id\",\"client_secret\":\"s\",\"client_secret_expires_at\":%s,"
                 "\"region\":\"%s\",\"oauth_flow\":\"%s\",\"scopes\":%s}",
                 cases[i].expires, cases[i].region, cases[i].flow, cases[i].scopes);
        assert_int_equal(registration_parse(AQ_STR("key"), str_from(json), &r, NULL), AQ_OK);
        assert_int_equal(signin_registration_fits(&r, str_from(json), AQ_STR("us-east-1"),
                                                  1893456000 /* 2030-01-01 */),
                         cases[i].fits);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_for_device_codes_says_who_it_is_and_what_for),
        cmocka_unit_test(a_client_for_authorization_codes_says_where_they_go),
        cmocka_unit_test(the_other_requests_name_the_client_first),
        cmocka_unit_test(the_authorize_url_encodes_every_value_and_says_scopes),
        cmocka_unit_test(a_registration_is_read),
        cmocka_unit_test(a_code_for_another_device_is_read),
        cmocka_unit_test(a_pause_that_makes_no_sense_is_put_right),
        cmocka_unit_test(nobody_is_sent_to_a_page_that_is_none),
        cmocka_unit_test(tokens_are_read_and_a_missing_refresh_token_is_none),
        cmocka_unit_test(an_answer_that_is_not_complete_ends_it),
        cmocka_unit_test(what_is_no_answer_at_all_ends_it_unless_a_person_is_on_the_way),
        cmocka_unit_test(every_error_of_the_service_has_its_meaning),
        cmocka_unit_test(an_error_that_the_browser_brings_means_the_same_as_in_an_answer),
        cmocka_unit_test(what_is_between_us_and_the_service_is_told_apart),
        cmocka_unit_test(without_memory_an_answer_is_not_believed),
        cmocka_unit_test(the_rows_are_those_of_the_existing_cli),
        cmocka_unit_test(a_login_without_a_refresh_token_says_so),
        cmocka_unit_test(what_cannot_be_written_as_a_time_is_not_stored),
        cmocka_unit_test(a_stored_registration_is_used_again_if_it_is_of_the_same_kind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
