/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/token.h"

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
#define KEY AQ_STR("codewhisperer:odic:token")

/* As the Q CLI writes it after a login in the browser. */
#define PKCE_TOKEN \
    "{\"access_token\":\"aoa-access\",\"expires_at\":\"2025-06-01T12:34:56.123456789Z\"," \
    "\"refresh_token\":\"aor-refresh\",\"region\":\"us-east-1\"," \
    "\"start_url\":\"https://view.awsapps.com/start\",\"oauth_flow\":\"Pkce\"," \
    "\"scopes\":[\"codewhisperer:completions\",\"codewhisperer:analysis\"]}"

static const struct token_update update = {
    .access_token = AQ_STR_INIT("new-access"),
    .refresh_token = AQ_STR_INIT("new-refresh"),
    .expires_at_s = 1748784896, /* 2025-06-01T13:34:56Z */
};

static aq_status parse(const char *json, struct token *ret, struct aq_error *err)
{
    return token_parse(KEY, str_from(json), ret, err);
}

static void assert_corrupt(const char *json, const char *says)
{
    AUTO(token) struct token t = { 0 };
    struct aq_error err;
    aq_status st = parse(json, &t, &err);
    if (st != AQ_E_CORRUPT || !strstr(err.text, says) || !strstr(err.text, "odic:token")) {
        fail_msg("%s: expected '%s', got %d '%s'", json, says, st, err.text);
    }
    assert_null(t.text.ptr);
}

/* As Kiro's IDE writes it. */
#define IDE_TOKEN \
    "{\"accessToken\":\"aoa-access\",\"refreshToken\":\"aor-cut...\"," \
    "\"expiresAt\":\"2025-06-01T12:34:56.789\",\"region\":\"eu-central-1\"," \
    "\"clientIdHash\":\"0011\",\"authMethod\":\"IdC\",\"provider\":\"Enterprise\"," \
    "\"profileArn\":\"arn:aws:codewhisperer:us-east-1:1:profile/P\"}"

static void a_token_of_kiros_ide_is_read_and_its_time_without_a_zone_is_utc(void **state)
{
    (void)state;
    AUTO(token) struct token t = { 0 };
    assert_int_equal(parse(IDE_TOKEN, &t, NULL), AQ_OK);
    assert_true(str_eq(t.access_token, AQ_STR("aoa-access")));
    assert_true(str_eq(t.refresh_token, AQ_STR("aor-cut...")));
    assert_true(str_eq(t.expires_at, AQ_STR("2025-06-01T12:34:56.789Z")));
    assert_int_equal(t.expires_at_s, 1748781296);
    assert_true(str_eq(t.region, AQ_STR("eu-central-1")));
    assert_true(str_eq(t.profile_arn, AQ_STR("arn:aws:codewhisperer:us-east-1:1:profile/P")));
    assert_int_equal(t.kind, TOKEN_OIDC);
}

static void a_token_of_an_identity_provider_says_where_it_is_refreshed(void **state)
{
    (void)state;
    AUTO(token) struct token t = { 0 };
    assert_int_equal(parse("{\"access_token\":\"a\",\"expires_at\":\"2025-06-01T12:34:56Z\","
                           "\"refresh_token\":\"r\",\"issuer_url\":\"https://idp.test/i\","
                           "\"token_endpoint\":\"https://idp.test/t\",\"client_id\":\"c\"}",
                           &t, NULL),
                     AQ_OK);
    assert_true(str_eq(t.issuer_url, AQ_STR("https://idp.test/i")));
    assert_true(str_eq(t.token_endpoint, AQ_STR("https://idp.test/t")));
    assert_true(str_eq(t.client_id, AQ_STR("c")));
    assert_int_equal(t.kind, TOKEN_KIND_UNKNOWN);
}

static void what_a_token_is_has_one_name_and_maybe_one_of_kiros(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum token_kind kind;
    } cases[] = {
        { "oidc", TOKEN_OIDC },
        { "IdC", TOKEN_OIDC },
        { "idc", TOKEN_OIDC },
        { "social", TOKEN_SOCIAL },
        { "external-idp", TOKEN_EXTERNAL_IDP },
        { "external_idp", TOKEN_EXTERNAL_IDP },
        { "api-key", TOKEN_API_KEY },
        { "", TOKEN_KIND_UNKNOWN },
        { "password", TOKEN_KIND_UNKNOWN },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(token_kind_find(str_from(cases[i].name)), cases[i].kind);
    }
    for (enum token_kind kind = TOKEN_OIDC; kind <= TOKEN_API_KEY; kind++) {
        assert_int_equal(token_kind_find(token_kind_name(kind)), kind);
    }
    assert_int_equal(token_kind_name(TOKEN_KIND_UNKNOWN).len, 0);
}

static void members_that_others_use_for_something_else_are_theirs(void **state)
{
    (void)state;
    AUTO(token) struct token t = { 0 };
    assert_int_equal(parse("{\"access_token\":\"a\",\"kind\":{\"x\":1},\"authMethod\":7,"
                           "\"profile_arn\":[]}",
                           &t, NULL),
                     AQ_OK);
    assert_int_equal(t.kind, TOKEN_KIND_UNKNOWN);
    assert_int_equal(t.profile_arn.len, 0);
}

static void a_token_of_the_q_cli_is_read(void **state)
{
    (void)state;
    AUTO(token) struct token t = { 0 };
    assert_int_equal(parse(PKCE_TOKEN, &t, NULL), AQ_OK);
    assert_true(str_eq(t.access_token, AQ_STR("aoa-access")));
    assert_true(str_eq(t.refresh_token, AQ_STR("aor-refresh")));
    assert_true(str_eq(t.expires_at, AQ_STR("2025-06-01T12:34:56.123456789Z")));
    assert_true(str_eq(t.region, AQ_STR("us-east-1")));
    assert_true(str_eq(t.start_url, AQ_STR("https://view.awsapps.com/start")));
    assert_int_equal(t.expires_at_s, 1748781296);
    assert_int_equal(t.flow, TOKEN_FLOW_PKCE);
}

static void null_and_missing_members_are_empty(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "{\"access_token\":\"a\",\"expires_at\":\"2025-06-01T12:34:56Z\",\"refresh_token\":null,"
        "\"region\":null,\"start_url\":null,\"oauth_flow\":\"DeviceCode\",\"scopes\":null}",
        "{\"access_token\":\"a\",\"expires_at\":\"2025-06-01T12:34:56Z\"}",
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO(token) struct token t = { 0 };
        assert_int_equal(parse(cases[i], &t, NULL), AQ_OK);
        assert_int_equal(t.refresh_token.len, 0);
        assert_int_equal(t.region.len, 0);
        assert_int_equal(t.start_url.len, 0);
        assert_int_equal(t.flow, TOKEN_FLOW_DEVICE_CODE);
    }
}

static void without_an_expiry_it_is_not_known_and_never_guessed(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "{\"access_token\":\"a\"}", "{\"access_token\":\"a\",\"expires_at\":null}",
        "{\"access_token\":\"eyJhbGciOiJub25lIn0.eyJleHAiOjE3NDg3ODEyOTZ9.\"}", /* a JWT with exp */
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO(token) struct token t = { 0 };
        assert_int_equal(parse(cases[i], &t, NULL), AQ_OK);
        assert_int_equal(t.expires_at.len, 0);
        assert_int_equal(t.expires_at_s, 0);
    }
}

static void both_spellings_of_pkce_are_known(void **state)
{
    (void)state;
    static const char *const cases[] = { "Pkce", "PKCE", "DeviceCode" };
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO(token) struct token t = { 0 };
        AUTO(buf) struct buf json = BUF(0);
        buf_printf(&json,
                   "{\"access_token\":\"a\",\"expires_at\":\"2025-06-01T12:34:56Z\","
                   "\"oauth_flow\":\"%s\"}",
                   cases[i]);
        assert_int_equal(token_parse(KEY, buf_str(&json), &t, NULL), AQ_OK);
        assert_int_equal(t.flow, i < 2 ? TOKEN_FLOW_PKCE : TOKEN_FLOW_DEVICE_CODE);
    }
}

static void escapes_are_decoded_in_keys_and_values(void **state)
{
    (void)state;
    AUTO(token) struct token t = { 0 };
    assert_int_equal(parse("{\"access\\u005ftoken\":\"a\\/b\\u003d\","
                           "\"expires_at\":\"2025-06-01T12:34:56\\u002b02:00\","
                           "\"start_url\":\"https:\\/\\/example.com\\/\\u00e4\"}",
                           &t, NULL),
                     AQ_OK);
    assert_true(str_eq(t.access_token, AQ_STR("a/b=")));
    assert_true(str_eq(t.start_url, AQ_STR("https://example.com/\xc3\xa4")));
    assert_int_equal(t.expires_at_s, 1748774096);
}

static void unknown_members_and_white_space_do_not_matter(void **state)
{
    (void)state;
    AUTO(token) struct token t = { 0 };
    assert_int_equal(
        parse("\n{ \"profile_arn\" : { \"access_token\" : \"inner\" } ,\t\"x\" : [ 1 ] "
              ", \"access_token\" : \"a\" , \"expires_at\" : "
              "\"2025-06-01T12:34:56Z\" }\r\n",
              &t, NULL),
        AQ_OK);
    assert_true(str_eq(t.access_token, AQ_STR("a")));
}

static void of_members_that_are_there_twice_the_last_one_counts(void **state)
{
    (void)state;
    AUTO(token) struct token t = { 0 };
    assert_int_equal(parse("{\"access_token\":\"old\",\"expires_at\":\"2025-06-01T12:34:56Z\","
                           "\"refresh_token\":\"r\",\"access_token\":\"new\","
                           "\"refresh_token\":null}",
                           &t, NULL),
                     AQ_OK);
    assert_true(str_eq(t.access_token, AQ_STR("new")));
    assert_int_equal(t.refresh_token.len, 0);
}

static void the_value_null_means_not_logged_in(void **state)
{
    (void)state;
    static const char *const cases[] = { "null", " null\n", "\r\n\tnull\t\r " };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct token t;
        struct registration r;
        assert_int_equal(parse(cases[i], &t, NULL), AQ_E_NOTFOUND);
        assert_int_equal(registration_parse(KEY, str_from(cases[i]), &r, NULL), AQ_E_NOTFOUND);
    }
}

static void a_token_that_cannot_be_used_is_corrupt(void **state)
{
    (void)state;
    assert_corrupt("", "malformed JSON at byte 0");
    assert_corrupt("[]", "malformed JSON at byte 0");
    assert_corrupt("\"null\"", "malformed JSON at byte 0");
    assert_corrupt("nullnull", "malformed JSON at byte 0");
    assert_corrupt("{", "malformed JSON at byte 1");
    assert_corrupt(PKCE_TOKEN "}", "something follows the value");
    assert_corrupt("{}", "no access_token");
    assert_corrupt("{\"access_token\":\"a\",\"expires_at\":\"soon\"}", "no valid expires_at");
    assert_corrupt("{\"access_token\":\"a\",\"expires_at\":1748781296}",
                   "expires_at is not a string");
    assert_corrupt("{\"access_token\":null,\"expires_at\":\"2025-06-01T12:34:56Z\"}",
                   "no access_token");
    assert_corrupt("{\"access_token\":\"\",\"expires_at\":\"2025-06-01T12:34:56Z\"}",
                   "no access_token");
    assert_corrupt("{\"access_token\":{},\"expires_at\":\"2025-06-01T12:34:56Z\"}",
                   "access_token is not a string");
    assert_corrupt("{\"access_token\":\"a\",\"expires_at\":\"2025-06-01T12:34:56Z\","
                   "\"oauth_flow\":\"Password\"}",
                   "unknown oauth_flow");
}

static void a_token_that_would_break_a_header_is_corrupt(void **state)
{
    (void)state;
    static const char *const cases[] = { "a\\r\\nx: y", "a b", "a\\u0000", "\xc3\xa4", "\\u007f" };
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO(buf) struct buf json = BUF(0);
        buf_printf(&json, "{\"access_token\":\"%s\",\"expires_at\":\"2025-06-01T12:34:56Z\"}",
                   cases[i]);
        assert_corrupt((const char *)json.ptr, "cannot travel in a header");
    }
}

static void no_error_repeats_a_value(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "{\"access_token\":\"SECRET\",\"region\":\"SECRET\"}",
        "{\"access_token\":\"SECRET\",\"expires_at\":\"SECRET\"}",
        "{\"access_token\":\"SECRET SECRET\",\"expires_at\":\"2025-06-01T12:34:56Z\"}",
        "{\"access_token\":\"SECRET\",\"refresh_token\":\"SECRET",
        "{\"SECRET\":\"SECRET\"",
        "SECRET",
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct token t;
        struct aq_error err;
        AUTO(buf) struct buf out = BUF(0);
        assert_int_equal(parse(cases[i], &t, &err), AQ_E_CORRUPT);
        assert_null(strstr(err.text, "SECRET"));
        if (token_apply(str_from(cases[i]), &update, &out, &err) != AQ_OK) {
            assert_null(strstr(err.text, "SECRET"));
        }
    }
}

static void a_value_larger_than_any_login_is_corrupt(void **state)
{
    (void)state;
    AUTO(buf) struct buf json = BUF(0);
    AUTO(token) struct token t = { 0 };
    buf_add(&json, AQ_STR("{\"access_token\":\"a\",\"expires_at\":\"2025-06-01T12:34:56Z\"}"));
    while (json.len < 1024 * 1024) {
        buf_add_char(&json, ' ');
    }
    assert_int_equal(token_parse(KEY, buf_str(&json), &t, NULL), AQ_OK);
    buf_add_char(&json, ' ');
    token_done(&t);
    assert_int_equal(token_parse(KEY, buf_str(&json), &t, NULL), AQ_E_CORRUPT);
}

static void a_registration_of_the_q_cli_is_read(void **state)
{
    (void)state;
    AUTO(registration) struct registration r = { 0 };
    assert_int_equal(
        registration_parse(AQ_STR("codewhisperer:odic:device-registration"),
                           AQ_STR("{\"client_id\":\"id\",\"client_secret\":\"secret\","
                                  "\"client_secret_expires_at\":\"2025-06-01T12:34:56.5Z\","
                                  "\"region\":\"eu-central-1\",\"oauth_flow\":\"DeviceCode\","
                                  "\"scopes\":[\"codewhisperer:completions\"]}"),
                           &r, NULL),
        AQ_OK);
    assert_true(str_eq(r.client_id, AQ_STR("id")));
    assert_true(str_eq(r.client_secret, AQ_STR("secret")));
    assert_true(str_eq(r.region, AQ_STR("eu-central-1")));
    assert_int_equal(r.expires_at_s, 1748781296);
    assert_int_equal(r.flow, TOKEN_FLOW_DEVICE_CODE);
}

static void a_registration_without_expiry_never_expires(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "{\"client_id\":\"id\",\"client_secret\":\"s\",\"client_secret_expires_at\":null}",
        "{\"client_id\":\"id\",\"client_secret\":\"s\"}",
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO(registration) struct registration r = { 0 };
        assert_int_equal(registration_parse(KEY, str_from(cases[i]), &r, NULL), AQ_OK);
        assert_true(r.expires_at_s == INT64_MAX);
    }
}

static void a_registration_that_cannot_be_used_is_corrupt(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        "{}",
        "{\"client_id\":\"id\"}",
        "{\"client_id\":\"\",\"client_secret\":\"s\"}",
        "{\"client_id\":1,\"client_secret\":\"s\"}",
        "{\"client_id\":\"id\",\"client_secret\":\"s\",\"client_secret_expires_at\":\"later\"}",
        "{\"client_id\":\"id\",\"client_secret\":\"s\",\"oauth_flow\":\"\\u0041\"}",
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct registration r;
        assert_int_equal(registration_parse(KEY, str_from(cases[i]), &r, NULL), AQ_E_CORRUPT);
    }
}

static void assert_applied(const char *json, const struct token_update *u, const char *expected)
{
    AUTO(buf) struct buf out = BUF(0);
    assert_int_equal(token_apply(str_from(json), u, &out, NULL), AQ_OK);
    assert_string_equal((const char *)out.ptr, expected);
}

static void an_update_changes_three_members_and_no_other_byte(void **state)
{
    (void)state;
    assert_applied(PKCE_TOKEN, &update,
                   "{\"access_token\":\"new-access\",\"expires_at\":\"2025-06-01T13:34:56Z\","
                   "\"refresh_token\":\"new-refresh\",\"region\":\"us-east-1\","
                   "\"start_url\":\"https://view.awsapps.com/start\",\"oauth_flow\":\"Pkce\","
                   "\"scopes\":[\"codewhisperer:completions\",\"codewhisperer:analysis\"]}");
    assert_applied(" {\n \"x\" : 1e2 ,\"refresh_token\" :\t\"r\", \"expires_at\": null,\n"
                   " \"access_token\":\"a\"\n, \"\\u0079\": {\"access_token\":\"inner\"} }\n",
                   &update,
                   " {\n \"x\" : 1e2 ,\"refresh_token\" :\t\"new-refresh\", \"expires_at\": "
                   "\"2025-06-01T13:34:56Z\",\n \"access_token\":\"new-access\"\n, \"\\u0079\": "
                   "{\"access_token\":\"inner\"} }\n");
}

static void an_update_without_a_refresh_token_keeps_the_old_one(void **state)
{
    (void)state;
    struct token_update u = update;
    u.refresh_token = AQ_STR("");
    assert_applied("{\"refresh_token\":\"old\",\"access_token\":\"a\",\"expires_at\":\"b\"}", &u,
                   "{\"refresh_token\":\"old\",\"access_token\":\"new-access\","
                   "\"expires_at\":\"2025-06-01T13:34:56Z\"}");
    assert_applied("{\"refresh_token\":null,\"access_token\":\"a\",\"expires_at\":\"b\"}", &u,
                   "{\"refresh_token\":null,\"access_token\":\"new-access\","
                   "\"expires_at\":\"2025-06-01T13:34:56Z\"}");
}

static void a_null_refresh_token_is_replaced_by_a_new_one(void **state)
{
    (void)state;
    assert_applied("{\"refresh_token\":null,\"access_token\":\"a\",\"expires_at\":\"b\"}", &update,
                   "{\"refresh_token\":\"new-refresh\",\"access_token\":\"new-access\","
                   "\"expires_at\":\"2025-06-01T13:34:56Z\"}");
}

static void missing_members_are_added_at_the_end(void **state)
{
    (void)state;
    assert_applied("{ }", &update,
                   "{\"access_token\":\"new-access\",\"expires_at\":\"2025-06-01T13:34:56Z\","
                   "\"refresh_token\":\"new-refresh\" }");
    assert_applied("{\n  \"access_token\" : \"a\"\n}\n", &update,
                   "{\n  \"access_token\" : \"new-access\",\"expires_at\":"
                   "\"2025-06-01T13:34:56Z\",\"refresh_token\":\"new-refresh\"\n}\n");
}

static void of_members_that_are_there_twice_the_last_one_is_replaced(void **state)
{
    (void)state;
    assert_applied("{\"access_token\":1,\"expires_at\":2,\"access\\u005ftoken\":[3],"
                   "\"refresh_token\":4}",
                   &update,
                   "{\"access_token\":1,\"expires_at\":\"2025-06-01T13:34:56Z\","
                   "\"access\\u005ftoken\":\"new-access\",\"refresh_token\":\"new-refresh\"}");
}

static void a_new_profile_takes_the_place_of_the_old_one_and_none_changes_nothing(void **state)
{
    (void)state;
    struct token_update u = { .access_token = AQ_STR("n"), .profile_arn = AQ_STR("arn:new") };
    const char *old = "{\"profile_arn\":\"arn:old\",\"x\":{},\"access_token\":\"a\","
                      "\"expires_at\":\"b\"}";
    assert_applied(old, &u,
                   "{\"profile_arn\":\"arn:new\",\"x\":{},\"access_token\":\"n\","
                   "\"expires_at\":\"1970-01-01T00:00:00Z\"}");
    u.profile_arn = AQ_STR("");
    assert_applied(old, &u,
                   "{\"profile_arn\":\"arn:old\",\"x\":{},\"access_token\":\"n\","
                   "\"expires_at\":\"1970-01-01T00:00:00Z\"}");
}

static void new_values_are_escaped(void **state)
{
    (void)state;
    struct token_update u = { .access_token = AQ_STR("a\"b\\c"), .refresh_token = AQ_STR("\n") };
    assert_applied("{}", &u,
                   "{\"access_token\":\"a\\\"b\\\\c\",\"expires_at\":\"1970-01-01T00:00:00Z\","
                   "\"refresh_token\":\"\\n\"}");
}

static void what_was_applied_is_read_back(void **state)
{
    (void)state;
    AUTO(buf) struct buf out = BUF(0);
    AUTO(token) struct token t = { 0 };
    assert_int_equal(token_apply(AQ_STR(PKCE_TOKEN), &update, &out, NULL), AQ_OK);
    assert_int_equal(token_parse(KEY, buf_str(&out), &t, NULL), AQ_OK);
    assert_true(str_eq(t.access_token, update.access_token));
    assert_true(str_eq(t.refresh_token, update.refresh_token));
    assert_int_equal(t.expires_at_s, update.expires_at_s);
    assert_true(str_eq(t.region, AQ_STR("us-east-1")));
}

static void what_is_not_an_object_is_not_updated(void **state)
{
    (void)state;
    static const char *const cases[] = { "", "null", "[]", "{", "{}x", "{\"a\":1,}" };
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO(buf) struct buf out = BUF(0);
        assert_int_equal(token_apply(str_from(cases[i]), &update, &out, NULL), AQ_E_CORRUPT);
        assert_int_equal(out.len, 0);
    }
}

static void an_update_that_cannot_be_written_is_refused(void **state)
{
    (void)state;
    AUTO(buf) struct buf out = BUF(0);
    AUTO(buf) struct buf small = BUF(20);
    struct token_update u = update;
    u.expires_at_s = INT64_MAX;
    assert_int_equal(token_apply(AQ_STR("{}"), &u, &out, NULL), AQ_E_INVALID);
    assert_int_equal(out.len, 0);
    assert_int_equal(token_apply(AQ_STR("{}"), &update, &small, NULL), AQ_E_LIMIT);
}

static void a_start_url_is_an_https_url_of_some_length_without_blanks(void **state)
{
    (void)state;
    static const char *const refused[] = { "http://example.com/", "https://exa mple.com/",
                                           "https://example.com/\\n",
                                           "https://example.com/\\u007f" };
    AUTO(buf) struct buf json = BUF(0);
    for (size_t i = 0; i < COUNT(refused) + 2; i++) {
        AUTO(token) struct token t = { 0 };
        struct aq_error err;
        buf_clear(&json);
        buf_add(&json, AQ_STR("{\"access_token\":\"a\",\"expires_at\":\"2025-06-01T12:34:56Z\","
                              "\"start_url\":\""));
        if (i < COUNT(refused)) {
            buf_add(&json, str_from(refused[i]));
        } else { /* 2048 bytes, and one more */
            buf_printf(&json, "https://%0*d", (int)(2040 + i - COUNT(refused)), 0);
        }
        buf_add(&json, AQ_STR("\"}"));
        aq_status st = token_parse(KEY, buf_str(&json), &t, &err);
        assert_int_equal(st, i == COUNT(refused) ? AQ_OK : AQ_E_CORRUPT);
        if (st != AQ_OK) {
            assert_non_null(strstr(err.text, "start_url"));
        }
    }
}

static void a_row_without_a_name_is_told_like_any_other(void **state)
{
    (void)state;
    static const char *const rows[] = { "null", "{}", "{", "{\"access_token\":7}" };
    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTO(token) struct token t = { 0 };
        struct aq_error err;
        assert_int_equal(token_parse((struct aq_str){ NULL, 0 }, str_from(rows[i]), &t, &err),
                         i == 0 ? AQ_E_NOTFOUND : AQ_E_CORRUPT);
        assert_non_null(strstr(err.text, "stored login ''"));
    }
}

static void without_memory_nothing_is_read_or_made(void **state)
{
    (void)state;
    AUTO(token) struct token t = { 0 };
    AUTO(registration) struct registration r = { 0 };
    AUTO(buf) struct buf out = BUF(0);
    struct aq_error err;
    no_memory_at_all();
    assert_int_equal(parse(PKCE_TOKEN, &t, &err), AQ_E_NOMEM);
    assert_int_equal(registration_parse(KEY, AQ_STR("{}"), &r, &err), AQ_E_NOMEM);
    assert_int_equal(token_apply(AQ_STR(PKCE_TOKEN), &update, &out, &err), AQ_E_NOMEM);
    assert_true(no_memory_ended());
    assert_null(t.text.ptr);
    assert_null(r.text.ptr);
    assert_int_equal(out.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_of_the_q_cli_is_read),
        cmocka_unit_test(a_token_of_kiros_ide_is_read_and_its_time_without_a_zone_is_utc),
        cmocka_unit_test(a_token_of_an_identity_provider_says_where_it_is_refreshed),
        cmocka_unit_test(what_a_token_is_has_one_name_and_maybe_one_of_kiros),
        cmocka_unit_test(members_that_others_use_for_something_else_are_theirs),
        cmocka_unit_test(null_and_missing_members_are_empty),
        cmocka_unit_test(without_an_expiry_it_is_not_known_and_never_guessed),
        cmocka_unit_test(both_spellings_of_pkce_are_known),
        cmocka_unit_test(escapes_are_decoded_in_keys_and_values),
        cmocka_unit_test(unknown_members_and_white_space_do_not_matter),
        cmocka_unit_test(of_members_that_are_there_twice_the_last_one_counts),
        cmocka_unit_test(the_value_null_means_not_logged_in),
        cmocka_unit_test(a_token_that_cannot_be_used_is_corrupt),
        cmocka_unit_test(a_token_that_would_break_a_header_is_corrupt),
        cmocka_unit_test(no_error_repeats_a_value),
        cmocka_unit_test(a_value_larger_than_any_login_is_corrupt),
        cmocka_unit_test(a_registration_of_the_q_cli_is_read),
        cmocka_unit_test(a_registration_without_expiry_never_expires),
        cmocka_unit_test(a_registration_that_cannot_be_used_is_corrupt),
        cmocka_unit_test(an_update_changes_three_members_and_no_other_byte),
        cmocka_unit_test(an_update_without_a_refresh_token_keeps_the_old_one),
        cmocka_unit_test(a_null_refresh_token_is_replaced_by_a_new_one),
        cmocka_unit_test(missing_members_are_added_at_the_end),
        cmocka_unit_test(of_members_that_are_there_twice_the_last_one_is_replaced),
        cmocka_unit_test(a_new_profile_takes_the_place_of_the_old_one_and_none_changes_nothing),
        cmocka_unit_test(new_values_are_escaped),
        cmocka_unit_test(what_was_applied_is_read_back),
        cmocka_unit_test(what_is_not_an_object_is_not_updated),
        cmocka_unit_test(an_update_that_cannot_be_written_is_refused),
        cmocka_unit_test(a_start_url_is_an_https_url_of_some_length_without_blanks),
        cmocka_unit_test(a_row_without_a_name_is_told_like_any_other),
        cmocka_unit_test(without_memory_nothing_is_read_or_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
