/* SPDX-License-Identifier: Apache-2.0 */
/* What an answer to a refresh means for a login, and that nothing secret gets into an error. */
#include "base/alloc.h"
#include "base/json.h"
#include "base/str.h"
#include "no_memory.h"
#include "wire/oidc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define CANARY "canary-5f1c9a-secret"

static void assert_text(struct aq_str got, const char *want)
{
    assert_int_equal(got.len, strlen(want));
    if (got.len) {
        assert_memory_equal(got.ptr, want, got.len);
    }
}

static void a_refresh_is_the_json_the_service_expects(void **state)
{
    (void)state;
    const struct registration reg = { .client_id = AQ_STR("id"),
                                      .client_secret = AQ_STR("s\"e\\c\nret") };
    AUTO(buf) struct buf out = BUF(0);
    assert_int_equal(oidc_refresh_body(&reg, AQ_STR("r/t"), &out, NULL), AQ_OK);
    assert_text(buf_str(&out), "{\"clientId\":\"id\",\"clientSecret\":\"s\\\"e\\\\c\\nret\","
                               "\"grantType\":\"refresh_token\",\"refreshToken\":\"r/t\"}");
    assert_true(json_valid(buf_str(&out)));
}

static void a_good_answer_gives_its_tokens(void **state)
{
    (void)state;
    AUTO(oidc_tokens) struct oidc_tokens t = { 0 };
    assert_int_equal(oidc_refresh_reply(200, AQ_STR(""),
                                        AQ_STR("{\"accessToken\":\"new\\u002dtoken\",\"tokenType\":"
                                               "\"Bearer\",\"expiresIn\":3600,\"idToken\":null,"
                                               "\"refreshToken\":\"next\",\"more\":{\"a\":[1]}}"),
                                        &t, NULL),
                     OIDC_OK);
    assert_text(t.access_token, "new-token");
    assert_text(t.refresh_token, "next");
    assert_int_equal(t.expires_in_s, 3600);
}

static void an_answer_without_a_refresh_token_keeps_the_old_one(void **state)
{
    (void)state;
    const char *const bodies[] = {
        "{\"accessToken\":\"a\",\"expiresIn\":1}",
        "{\"accessToken\":\"a\",\"expiresIn\":1,\"refreshToken\":null}",
        "{\"accessToken\":\"a\",\"expiresIn\":1,\"refreshToken\":\"\"}",
    };
    for (size_t i = 0; i < COUNT(bodies); i++) {
        AUTO(oidc_tokens) struct oidc_tokens t = { 0 };
        assert_int_equal(oidc_refresh_reply(200, AQ_STR(""), str_from(bodies[i]), &t, NULL),
                         OIDC_OK);
        assert_text(t.access_token, "a");
        assert_int_equal(t.refresh_token.len, 0);
    }
}

static void the_longest_lifetime_believed_is_a_day(void **state)
{
    (void)state;
    AUTO(oidc_tokens) struct oidc_tokens t = { 0 };
    assert_int_equal(oidc_refresh_reply(200, AQ_STR(""),
                                        AQ_STR("{\"accessToken\":\"a\",\"expiresIn\":86400}"), &t,
                                        NULL),
                     OIDC_OK);
    assert_int_equal(t.expires_in_s, 86400);
}

static void a_lifetime_that_makes_no_sense_counts_as_a_minute(void **state)
{
    (void)state;
    static const char *const members[] = {
        "",
        ",\"expiresIn\":0",
        ",\"expiresIn\":-1",
        ",\"expiresIn\":86401",
        ",\"expiresIn\":2147483648",
        ",\"expiresIn\":99999999999999999999",
        ",\"expiresIn\":\"3600\"",
        ",\"expiresIn\":1e3",
        ",\"expiresIn\":null",
        ",\"expiresIn\":[3600]",
    };
    for (size_t i = 0; i < COUNT(members); i++) {
        AUTO(oidc_tokens) struct oidc_tokens t = { 0 };
        char body[128];
        snprintf(body, sizeof(body), "{\"accessToken\":\"a\",\"refreshToken\":\"next\"%s}",
                 members[i]);
        assert_int_equal(oidc_refresh_reply(200, AQ_STR(""), str_from(body), &t, NULL), OIDC_OK);
        assert_text(t.access_token, "a");
        assert_text(t.refresh_token, "next");
        assert_int_equal(t.expires_in_s, 60);
    }
}

/* Answers that say 200 and are of no use. */
static const char *const unusable[] = {
    "",
    "null",
    "[]",
    "{}",
    "not json",
    "<html><body>sign in to the hotel network</body></html>",
    "{\"expiresIn\":3600}",
    "{\"accessToken\":null,\"expiresIn\":3600}",
    "{\"accessToken\":\"\",\"expiresIn\":3600}",
    "{\"accessToken\":7,\"expiresIn\":3600}",
    "{\"accessToken\":\"a\",\"expiresIn\":3600",
    "{\"accessToken\":\"a\",\"expiresIn\":3600}}",
    "{\"accessToken\":\"" CANARY "\\r\\nx-evil: 1\",\"expiresIn\":3600}",
    "{\"accessToken\":\"" CANARY "\\u0000\",\"expiresIn\":3600}",
    "{\"accessToken\":\"" CANARY " b\",\"expiresIn\":3600}",
    "{\"accessToken\":\"" CANARY "\\u00e9\",\"expiresIn\":3600}",
    "{\"accessToken\":\"" CANARY "\",\"expiresIn\":3600,\"refreshToken\":\"a\\nb\"}",
};

static void a_200_without_a_usable_token_is_temporary(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(unusable); i++) {
        struct oidc_tokens t = { 0 };
        struct aq_error err = { 0 };
        enum oidc_outcome got =
            oidc_refresh_reply(200, AQ_STR(""), str_from(unusable[i]), &t, &err);
        if (got != OIDC_TEMPORARY) {
            fail_msg("%s: outcome %d", unusable[i], got);
        }
        assert_int_equal(err.status, AQ_E_REFRESH);
        assert_int_equal(err.http, 200);
        assert_non_null(strstr(err.text, "no usable access token"));
        assert_non_null(strstr(err.text, "may be spent")); /* the service has acted */
        assert_non_null(strstr(err.text, "if that fails log in again"));
        assert_null(strstr(err.text, CANARY));
        assert_null(t.text.ptr); /* outputs are written on success only */
    }
}

static void every_cut_of_a_good_answer_is_temporary(void **state)
{
    (void)state;
    static const char whole[] =
        "{\"accessToken\":\"abc\",\"expiresIn\":3600,\"refreshToken\":\"d\"}";
    for (size_t len = 0; len < sizeof(whole) - 1; len++) {
        struct oidc_tokens t = { 0 };
        assert_int_equal(
            oidc_refresh_reply(200, AQ_STR(""), (struct aq_str){ whole, len }, &t, NULL),
            OIDC_TEMPORARY);
    }
}

/* docs/protocol.md: the reasons, spelled in each of the three places where they can be. */
static const struct {
    int32_t http;
    const char *error;
    const char *type;
    enum oidc_outcome want;
} reasons[] = {
    { 400, "invalid_grant", "InvalidGrantException", OIDC_GRANT_SPENT },
    { 400, "expired_token", "ExpiredTokenException", OIDC_GRANT_SPENT },
    { 400, "invalid_request", "InvalidRequestException", OIDC_GRANT_SPENT },
    { 401, "invalid_client", "InvalidClientException", OIDC_LOGIN_NEEDED },
    { 400, "unauthorized_client", "UnauthorizedClientException", OIDC_LOGIN_NEEDED },
    { 400, "unsupported_grant_type", "UnsupportedGrantTypeException", OIDC_LOGIN_NEEDED },
    { 400, "invalid_scope", "InvalidScopeException", OIDC_LOGIN_NEEDED },
    { 400, "access_denied", "AccessDeniedException", OIDC_LOGIN_NEEDED },
    { 400, "slow_down", "SlowDownException", OIDC_TEMPORARY },
    { 400, "authorization_pending", "AuthorizationPendingException", OIDC_TEMPORARY },
    { 400, "something_new", "SomethingNewException", OIDC_TEMPORARY },
    { 500, "server_error", "InternalServerException", OIDC_TEMPORARY },
    /* a status that speaks for itself beats any reason */
    { 500, "invalid_grant", "InvalidGrantException", OIDC_TEMPORARY },
    { 503, "invalid_client", "InvalidClientException", OIDC_TEMPORARY },
    { 429, "invalid_grant", "InvalidGrantException", OIDC_TEMPORARY },
    { 407, "invalid_grant", "InvalidGrantException", OIDC_TEMPORARY },
    { 302, "invalid_grant", "InvalidGrantException", OIDC_TEMPORARY },
};

static void assert_outcome(int32_t http, const char *type, const char *body, enum oidc_outcome want)
{
    struct oidc_tokens t = { 0 };
    struct aq_error err = { 0 };
    enum oidc_outcome got = oidc_refresh_reply(http, str_from(type), str_from(body), &t, &err);
    if (got != want) {
        fail_msg("HTTP %d, type '%s', body '%s': outcome %d, not %d", (int)http, type, body,
                 (int)got, (int)want);
    }
    assert_int_equal(err.status, want == OIDC_TEMPORARY ? AQ_E_REFRESH : AQ_E_LOGIN_NEEDED);
    assert_int_equal(err.http, http);
    assert_null(strstr(err.text, CANARY));
    assert_non_null(strstr(err.text, ": ")); /* object: what is wrong, what to do */
}

static void a_reason_counts_in_header_code_type_and_error(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(reasons); i++) {
        char text[256];
        snprintf(text, sizeof(text),
                 "{\"error\":\"%s\",\"error_description\":\"" CANARY "\",\"refreshToken\":\"" CANARY
                 "\"}",
                 reasons[i].error);
        assert_outcome(reasons[i].http, "", text, reasons[i].want);
        assert_outcome(reasons[i].http, reasons[i].type, "{\"message\":\"" CANARY "\"}",
                       reasons[i].want);
        assert_outcome(reasons[i].http, reasons[i].type, "", reasons[i].want);
        snprintf(text, sizeof(text), "com.example#%s:http://more", reasons[i].type);
        assert_outcome(reasons[i].http, text, "", reasons[i].want);
        snprintf(text, sizeof(text), "{\"code\":\"%s\"}", reasons[i].type);
        assert_outcome(reasons[i].http, "", text, reasons[i].want);
        snprintf(text, sizeof(text), "{\"__type\":\"com.example#%s\"}", reasons[i].type);
        assert_outcome(reasons[i].http, "", text, reasons[i].want);
    }
}

static void a_type_nobody_knows_leaves_the_word_to_error(void **state)
{
    (void)state;
    assert_outcome(400, "NewSpellingException", "{\"error\":\"invalid_grant\"}", OIDC_GRANT_SPENT);
}

static void a_refusal_that_names_a_region_is_reported_and_not_followed(void **state)
{
    (void)state;
    const char *const bodies[] = {
        "{\"error\":\"invalid_request\",\"region\":\"eu-west-1\"}",
        "{\"error\":\"invalid_request\",\"endpoint\":\"https://evil.example\"}",
    };
    for (size_t i = 0; i < COUNT(bodies); i++) {
        struct oidc_tokens t = { 0 };
        struct aq_error err = { 0 };
        assert_int_equal(oidc_refresh_reply(400, AQ_STR(""), str_from(bodies[i]), &t, &err),
                         OIDC_LOGIN_NEEDED);
        assert_non_null(strstr(err.text, "region"));
        assert_null(strstr(err.text, "evil"));
    }
    assert_outcome(400, "InvalidRequestRegionException", "{}", OIDC_LOGIN_NEEDED);
}

static void answers_that_are_not_the_services_are_temporary(void **state)
{
    (void)state;
    const int32_t statuses[] = { 0,   100, 301, 302, 307, 400, 401, 403, 404,
                                 407, 408, 429, 500, 502, 503, 504, 599 };
    const char *const bodies[] = { "",
                                   "null",
                                   "[]",
                                   "{}",
                                   "<html>502 Bad Gateway</html>",
                                   "{\"error\":7}",
                                   "{\"error\":\"invalid_grant\"",
                                   "\xff\xfe" };
    for (size_t i = 0; i < COUNT(statuses); i++) {
        for (size_t k = 0; k < COUNT(bodies); k++) {
            assert_outcome(statuses[i], "", bodies[k], OIDC_TEMPORARY);
        }
    }
}

static void only_of_a_refusal_it_is_said_that_later_will_do(void **state)
{
    (void)state;
    static const struct {
        int32_t http;
        const char *body;
        bool refused;
    } cases[] = {
        { 400, "{\"error\":\"slow_down\"}", true },
        { 400, "", true },
        { 429, "", true },
        { 200, "", false },
        { 500, "{\"error\":\"server_error\"}", false },
        { 502, "<html>502 Bad Gateway</html>", false },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct oidc_tokens t = { 0 };
        struct aq_error err = { 0 };
        oidc_refresh_reply(cases[i].http, AQ_STR(""), str_from(cases[i].body), &t, &err);
        assert_int_equal(strstr(err.text, "try again later") != NULL, cases[i].refused);
        assert_int_equal(strstr(err.text, "may be spent") != NULL, !cases[i].refused);
    }
}

static void an_answer_longer_than_64_kib_is_not_read(void **state)
{
    (void)state;
    static char body[OIDC_REPLY_MAX + 1];
    static const char good[] = "{\"accessToken\":\"abc\",\"expiresIn\":3600}";
    struct aq_error err = { 0 };
    AUTO(oidc_tokens) struct oidc_tokens t = { 0 };

    memset(body, ' ', sizeof(body));
    memcpy(body, good, sizeof(good) - 1);
    assert_int_equal(
        oidc_refresh_reply(200, AQ_STR(""), (struct aq_str){ body, OIDC_REPLY_MAX + 1 }, &t, &err),
        OIDC_TEMPORARY);
    assert_int_equal(err.status, AQ_E_REFRESH);
    assert_int_equal(
        oidc_refresh_reply(200, AQ_STR(""), (struct aq_str){ body, OIDC_REPLY_MAX }, &t, &err),
        OIDC_OK);
}

static void nobody_has_to_want_the_error(void **state)
{
    (void)state;
    struct oidc_tokens t = { 0 };
    assert_int_equal(oidc_refresh_reply(400, AQ_STR("InvalidGrantException"), AQ_STR(""), &t, NULL),
                     OIDC_GRANT_SPENT);
    assert_int_equal(oidc_refresh_reply(500, AQ_STR(""), AQ_STR(""), &t, NULL), OIDC_TEMPORARY);
}

static void without_memory_nothing_is_judged(void **state)
{
    (void)state;
    const struct registration reg = { .client_id = AQ_STR("id"), .client_secret = AQ_STR("s") };
    AUTO(buf) struct buf out = BUF(0);
    struct oidc_tokens t = { 0 };
    struct aq_error err = { 0 };
    no_memory(1);
    assert_int_equal(oidc_refresh_body(&reg, AQ_STR("r"), &out, &err), AQ_E_NOMEM);
    assert_true(no_memory_ended());
    no_memory(1);
    assert_int_equal(oidc_refresh_reply(200, AQ_STR(""),
                                        AQ_STR("{\"accessToken\":\"a\",\"expiresIn\":1}"), &t,
                                        &err),
                     OIDC_TEMPORARY);
    assert_true(no_memory_ended());
    assert_int_equal(err.status, AQ_E_NOMEM); /* not AQ_E_REFRESH: the answer may be a good one */
    assert_null(t.text.ptr);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_refresh_is_the_json_the_service_expects),
        cmocka_unit_test(a_good_answer_gives_its_tokens),
        cmocka_unit_test(an_answer_without_a_refresh_token_keeps_the_old_one),
        cmocka_unit_test(the_longest_lifetime_believed_is_a_day),
        cmocka_unit_test(a_lifetime_that_makes_no_sense_counts_as_a_minute),
        cmocka_unit_test(a_200_without_a_usable_token_is_temporary),
        cmocka_unit_test(every_cut_of_a_good_answer_is_temporary),
        cmocka_unit_test(a_reason_counts_in_header_code_type_and_error),
        cmocka_unit_test(a_type_nobody_knows_leaves_the_word_to_error),
        cmocka_unit_test(a_refusal_that_names_a_region_is_reported_and_not_followed),
        cmocka_unit_test(answers_that_are_not_the_services_are_temporary),
        cmocka_unit_test(only_of_a_refusal_it_is_said_that_later_will_do),
        cmocka_unit_test(an_answer_longer_than_64_kib_is_not_read),
        cmocka_unit_test(nobody_has_to_want_the_error),
        cmocka_unit_test(without_memory_nothing_is_judged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
