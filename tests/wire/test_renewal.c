/* SPDX-License-Identifier: Apache-2.0 */
/* Whom each kind of login asks for a new token, with what, and what the answers mean. */
#include "wire/renewal.h"

#include "base/alloc.h"
#include "base/str.h"
#include "no_memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define KEY AQ_STR("kirocli:external-idp:token")
#define NO_ENDPOINT AQ_STR("")

static const struct registration registration = {
    .client_id = AQ_STR_INIT("id"),
    .client_secret = AQ_STR_INIT("secret"),
    .region = AQ_STR_INIT("eu-west-1"),
};

static const struct token idp_token = {
    .refresh_token = AQ_STR_INIT("a b&c=d/\xc3\xa9~"),
    .client_id = AQ_STR_INIT("client id"),
    .issuer_url = AQ_STR_INIT("https://idp.test/tenant/v2.0"),
    .token_endpoint = AQ_STR_INIT("https://idp.test/tenant/oauth2/token"),
};

static void assert_text(struct aq_str got, const char *want)
{
    if (got.len != strlen(want) || memcmp(got.ptr, want, got.len) != 0) {
        fail_msg("expected '%s', got '%.*s'", want, (int)got.len, got.ptr);
    }
}

static void oidc_asks_the_host_of_its_region_with_the_registration(void **state)
{
    (void)state;
    AUTO(renewal) struct renewal r = { 0 };
    struct token token = { .refresh_token = AQ_STR("r") };
    assert_int_equal(renewal_write(KEY, TOKEN_OIDC, &token, &registration, NO_ENDPOINT, &r, NULL),
                     AQ_OK);
    assert_text(buf_str(&r.url), "https://oidc.eu-west-1.amazonaws.com/token");
    assert_text(r.content_type, "application/json");
    assert_text(buf_str(&r.body), "{\"clientId\":\"id\",\"clientSecret\":\"secret\",\"grantType\":"
                                  "\"refresh_token\",\"refreshToken\":\"r\"}");
}

static void social_asks_kiros_own_service_with_the_refresh_token_alone(void **state)
{
    (void)state;
    static const struct {
        const char *region, *endpoint, *url;
    } cases[] = {
        { "", "", "https://prod.us-east-1.auth.desktop.kiro.dev/refreshToken" },
        { "eu-central-1", "", "https://prod.eu-central-1.auth.desktop.kiro.dev/refreshToken" },
        { "", "http://127.0.0.1:9/x/", "http://127.0.0.1:9/x/refreshToken" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO(renewal) struct renewal r = { 0 };
        struct token token = { .refresh_token = AQ_STR("r\"t"),
                               .region = str_from(cases[i].region) };
        assert_int_equal(
            renewal_write(KEY, TOKEN_SOCIAL, &token, NULL, str_from(cases[i].endpoint), &r, NULL),
            AQ_OK);
        assert_text(buf_str(&r.url), cases[i].url);
        assert_text(r.content_type, "application/json");
        assert_text(buf_str(&r.body), "{\"refreshToken\":\"r\\\"t\"}");
    }
}

static void an_identity_provider_is_asked_with_a_form_as_a_public_client(void **state)
{
    (void)state;
    AUTO(renewal) struct renewal r = { 0 };
    assert_int_equal(
        renewal_write(KEY, TOKEN_EXTERNAL_IDP, &idp_token, NULL, NO_ENDPOINT, &r, NULL), AQ_OK);
    assert_text(buf_str(&r.url), "https://idp.test/tenant/oauth2/token");
    assert_text(r.content_type, "application/x-www-form-urlencoded");
    assert_text(buf_str(&r.body), "grant_type=refresh_token&client_id=client%20id&refresh_token="
                                  "a%20b%26c%3Dd%2F%C3%A9~");
}

static void an_identity_provider_is_asked_at_its_endpoint_to_the_last_byte(void **state)
{
    static const char *const endpoints[] = {
        "https://idp.test/application/o/token/",
        "https://idp.test//token//",
        "https://idp.test/",
        "https://idp.test",
    };
    (void)state;
    for (size_t i = 0; i < COUNT(endpoints); i++) {
        AUTO(renewal) struct renewal r = { 0 };
        struct token token = idp_token;
        token.token_endpoint = str_from(endpoints[i]);
        assert_int_equal(
            renewal_write(KEY, TOKEN_EXTERNAL_IDP, &token, NULL, NO_ENDPOINT, &r, NULL), AQ_OK);
        assert_text(buf_str(&r.url), endpoints[i]);
    }
}

static void an_identity_provider_is_not_asked_elsewhere_than_at_its_issuer(void **state)
{
    (void)state;
    static const struct {
        const char *issuer, *endpoint;
        aq_status status;
    } cases[] = {
        { "https://idp.test", "https://IDP.test/token", AQ_OK },
        { "https://idp.test:8443/a", "https://idp.test:8443/b", AQ_OK },
        { "https://idp.test", "https://idp.test.evil.test/token", AQ_E_LOGIN_NEEDED },
        { "https://idp.test", "https://evil.test/idp.test/token", AQ_E_LOGIN_NEEDED },
        { "https://idp.test", "https://idp.test:444/token", AQ_E_LOGIN_NEEDED },
        { "https://idp.test", "http://idp.test/token", AQ_E_LOGIN_NEEDED },
        { "http://127.0.0.1", "http://127.0.0.1/token", AQ_E_LOGIN_NEEDED },
        { "https://127.0.0.1", "http://127.0.0.1/token", AQ_E_LOGIN_NEEDED },
        { "https://idp.test", "https://user@idp.test/token", AQ_E_LOGIN_NEEDED },
        { "https://user@idp.test", "https://user@idp.test/token", AQ_E_LOGIN_NEEDED },
        { "https://idp.test", "https://idp.test\\@evil.test/", AQ_E_LOGIN_NEEDED },
        { "https://idp.test", "https://idp.test/token?to=evil", AQ_E_LOGIN_NEEDED },
        { "https://idp.test", "", AQ_E_LOGIN_NEEDED },
        { "", "https://idp.test/token", AQ_E_LOGIN_NEEDED },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO(renewal) struct renewal r = { 0 };
        struct aq_error err;
        struct token token = idp_token;
        token.issuer_url = str_from(cases[i].issuer);
        token.token_endpoint = str_from(cases[i].endpoint);
        aq_status st = renewal_write(KEY, TOKEN_EXTERNAL_IDP, &token, NULL, NO_ENDPOINT, &r, &err);
        if (st != cases[i].status) {
            fail_msg("%s and %s: %d", cases[i].issuer, cases[i].endpoint, st);
        }
        assert_true(st == AQ_OK || strstr(err.text, "external-idp:token"));
    }
}

static void an_identity_provider_needs_to_know_its_client(void **state)
{
    (void)state;
    AUTO(renewal) struct renewal r = { 0 };
    struct token token = idp_token;
    token.client_id = AQ_STR("");
    assert_int_equal(renewal_write(KEY, TOKEN_EXTERNAL_IDP, &token, NULL, NO_ENDPOINT, &r, NULL),
                     AQ_E_LOGIN_NEEDED);
}

static void no_endpoint_of_the_user_takes_a_login_from_its_identity_provider(void **state)
{
    (void)state;
    AUTO(renewal) struct renewal r = { 0 };
    assert_int_equal(renewal_write(KEY, TOKEN_EXTERNAL_IDP, &idp_token, NULL,
                                   AQ_STR("https://oidc.test"), &r, NULL),
                     AQ_OK);
    assert_text(buf_str(&r.url), "https://idp.test/tenant/oauth2/token");
}

static void wherever_memory_ends_nothing_half_written_is_sent(void **state)
{
    (void)state;
    struct token token = { .refresh_token = AQ_STR("r") };
    for (enum token_kind kind = TOKEN_OIDC; kind <= TOKEN_EXTERNAL_IDP; kind++) {
        const struct token *of = kind == TOKEN_EXTERNAL_IDP ? &idp_token : &token;
        bool failed = true;
        for (int at = 1; failed; at++) {
            AUTO(renewal) struct renewal r = { 0 };
            no_memory(at);
            aq_status st = renewal_write(KEY, kind, of, &registration, NO_ENDPOINT, &r, NULL);
            failed = no_memory_ended();
            assert_int_equal(st, failed ? AQ_E_NOMEM : AQ_OK);
        }
    }
}

/* ---- answers ---- */

static enum oidc_outcome judge(enum token_kind kind, int32_t http, const char *body,
                               struct oidc_tokens *ret, struct aq_error *err)
{
    return renewal_reply(kind, http, AQ_STR(""), str_from(body), ret, err);
}

static void the_answer_for_a_social_login_brings_its_profile(void **state)
{
    (void)state;
    AUTO(oidc_tokens) struct oidc_tokens t = { 0 };
    assert_int_equal(judge(TOKEN_SOCIAL, 200,
                           "{\"accessToken\":\"a\",\"refreshToken\":\"r\",\"expiresIn\":3600,"
                           "\"profileArn\":\"arn:aws:codewhisperer:us-east-1:1:profile/P\"}",
                           &t, NULL),
                     OIDC_OK);
    assert_text(t.access_token, "a");
    assert_text(t.refresh_token, "r");
    assert_text(t.profile_arn, "arn:aws:codewhisperer:us-east-1:1:profile/P");
    assert_int_equal(t.expires_in_s, 3600);
}

static void a_profile_that_is_none_is_left_out_and_costs_no_token(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "{\"accessToken\":\"a\",\"profileArn\":\"P\"}",
        "{\"accessToken\":\"a\",\"profileArn\":null}",
        "{\"accessToken\":\"a\",\"profileArn\":{}}",
        "{\"accessToken\":\"a\",\"profileArn\":\"arn:a b\"}",
    };
    for (size_t i = 0; i < COUNT(bodies); i++) {
        AUTO(oidc_tokens) struct oidc_tokens t = { 0 };
        assert_int_equal(judge(TOKEN_SOCIAL, 200, bodies[i], &t, NULL), OIDC_OK);
        assert_int_equal(t.profile_arn.len, 0);
    }
}

static void
an_identity_provider_answers_in_snake_case_and_maybe_with_a_lifetime_in_quotes(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        int64_t lifetime_s;
    } cases[] = {
        { "{\"access_token\":\"a\",\"refresh_token\":\"r\",\"expires_in\":3599}", 3599 },
        { "{\"access_token\":\"a\",\"refresh_token\":\"r\",\"expires_in\":\"3599\"}", 3599 },
        { "{\"access_token\":\"a\",\"refresh_token\":\"r\",\"expires_in\":\"soon\"}", 60 },
        { "{\"access_token\":\"a\",\"refresh_token\":\"r\"}", 60 },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO(oidc_tokens) struct oidc_tokens t = { 0 };
        assert_int_equal(judge(TOKEN_EXTERNAL_IDP, 200, cases[i].body, &t, NULL), OIDC_OK);
        assert_text(t.access_token, "a");
        assert_text(t.refresh_token, "r");
        assert_int_equal(t.expires_in_s, cases[i].lifetime_s);
    }
}

static void each_refusal_means_what_it_says_and_nothing_unknown_ends_a_login(void **state)
{
    (void)state;
    static const struct {
        enum token_kind kind;
        int32_t http;
        const char *body;
        enum oidc_outcome outcome;
    } cases[] = {
        { TOKEN_SOCIAL, 401, "{\"message\":\"Unauthorized\"}", OIDC_GRANT_SPENT },
        { TOKEN_SOCIAL, 401, "<html>", OIDC_GRANT_SPENT },
        { TOKEN_SOCIAL, 400, "{\"error\":\"invalid_grant\"}", OIDC_GRANT_SPENT },
        { TOKEN_SOCIAL, 403, "{\"message\":\"Forbidden\"}", OIDC_TEMPORARY },
        { TOKEN_SOCIAL, 429, "{}", OIDC_TEMPORARY },
        { TOKEN_SOCIAL, 500, "{}", OIDC_TEMPORARY },
        { TOKEN_OIDC, 401, "{\"message\":\"Unauthorized\"}", OIDC_TEMPORARY },
        { TOKEN_EXTERNAL_IDP, 401, "{}", OIDC_TEMPORARY },
        { TOKEN_EXTERNAL_IDP, 400, "{\"error\":\"invalid_grant\",\"error_description\":\"x\"}",
          OIDC_GRANT_SPENT },
        { TOKEN_EXTERNAL_IDP, 401, "{\"error\":\"invalid_client\"}", OIDC_LOGIN_NEEDED },
        { TOKEN_EXTERNAL_IDP, 400, "{\"error\":\"interaction_required\"}", OIDC_LOGIN_NEEDED },
        { TOKEN_EXTERNAL_IDP, 400, "{\"error\":\"temporarily_unavailable\"}", OIDC_TEMPORARY },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO(oidc_tokens) struct oidc_tokens t = { 0 };
        struct aq_error err;
        enum oidc_outcome outcome = judge(cases[i].kind, cases[i].http, cases[i].body, &t, &err);
        if (outcome != cases[i].outcome) {
            fail_msg("kind %d, %d %s: %d", cases[i].kind, cases[i].http, cases[i].body, outcome);
        }
        assert_int_equal(err.http, cases[i].http);
        assert_int_equal(err.status, outcome == OIDC_TEMPORARY ? AQ_E_REFRESH : AQ_E_LOGIN_NEEDED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(oidc_asks_the_host_of_its_region_with_the_registration),
        cmocka_unit_test(social_asks_kiros_own_service_with_the_refresh_token_alone),
        cmocka_unit_test(an_identity_provider_is_asked_with_a_form_as_a_public_client),
        cmocka_unit_test(an_identity_provider_is_asked_at_its_endpoint_to_the_last_byte),
        cmocka_unit_test(an_identity_provider_is_not_asked_elsewhere_than_at_its_issuer),
        cmocka_unit_test(an_identity_provider_needs_to_know_its_client),
        cmocka_unit_test(no_endpoint_of_the_user_takes_a_login_from_its_identity_provider),
        cmocka_unit_test(wherever_memory_ends_nothing_half_written_is_sent),
        cmocka_unit_test(the_answer_for_a_social_login_brings_its_profile),
        cmocka_unit_test(a_profile_that_is_none_is_left_out_and_costs_no_token),
        cmocka_unit_test(
            an_identity_provider_answers_in_snake_case_and_maybe_with_a_lifetime_in_quotes),
        cmocka_unit_test(each_refusal_means_what_it_says_and_nothing_unknown_ends_a_login),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
