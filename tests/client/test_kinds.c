/* SPDX-License-Identifier: Apache-2.0 */
/* The kinds of login that the successor of the existing CLI keeps, each refreshed in its own way.
 */
#include "client/fixture.h"
#include "wire/timestamp.h"

#include "base/clock.h"
#include "base/str.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define SOCIAL_KEY "kirocli:social:token"
#define IDP_KEY "kirocli:external-idp:token"
#define OIDC_KEY "kirocli:odic:token"

#define SOCIAL_URL "https://prod.us-east-1.auth.desktop.kiro.dev/refreshToken"
#define IDP_URL "https://idp.test/tenant/oauth2/v2.0/token"

#define SOCIAL_OK \
    "status 200\nbody " \
    "{\"accessToken\":\"access-2\",\"refreshToken\":\"refresh-2\",\"expiresIn\":3600," \
    "\"profileArn\":\"arn:aws:codewhisperer:us-east-1:1:profile/NEW\"}\n---\n"
#define IDP_OK \
    "status 200\nbody {\"access_token\":\"access-2\",\"refresh_token\":\"refresh-2\"," \
    "\"expires_in\":3600,\"token_type\":\"Bearer\"}\n---\n"

/* Members that none of us knows, in a spelling that only a copy of the bytes keeps. */
#define UNKNOWN "\"x\" : [1, 2.50,-0.0], \"y\":{\"a b\":\"\\u00E9\"}"

static const struct kind {
    const char *key;
    const char *name;
    const char *url;
    const char *answer;
    const char *sent; /* a part of the body */
    const char *more; /* members of the row */
} kinds[] = {
    { SOCIAL_KEY, "social", SOCIAL_URL, SOCIAL_OK, "{\"refreshToken\":\"refresh-1\"}",
      "\"provider\":\"Google\",\"profile_arn\":\"arn:aws:codewhisperer:us-east-1:1:profile/OLD\"" },
    { IDP_KEY, "external-idp", IDP_URL, IDP_OK,
      "grant_type=refresh_token&client_id=client&refresh_token=refresh-1",
      "\"issuer_url\":\"https://idp.test/tenant/v2.0\",\"token_endpoint\":\"" IDP_URL "\","
      "\"client_id\":\"client\"" },
};

enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

/* ---- rows in the database of the successor ---- */

static void swap_database(void)
{
    assert_int_equal(rename(fixture_path("kiro-cli"), fixture_path("amazon-q")), 0);
}

/* Do something with a row of the other program's database, as if it were the usual one. */
static void kiro_begin(void)
{
    rename(fixture_path("amazon-q"), fixture_path("aside"));
    if (access(fixture_path("kiro-cli"), F_OK) == 0) {
        swap_database();
    }
}

static void kiro_end(void)
{
    assert_int_equal(rename(fixture_path("amazon-q"), fixture_path("kiro-cli")), 0);
    rename(fixture_path("aside"), fixture_path("amazon-q"));
}

static void kiro_put(const char *key, const char *value)
{
    kiro_begin();
    fixture_put(key, value);
    kiro_end();
}

static char *kiro_get(const char *key)
{
    kiro_begin();
    char *value = fixture_get(key);
    kiro_end();
    return value;
}

static void kiro_login(const struct kind *kind, int64_t expires_in_s, const char *access)
{
    char row[1024];
    char expires[TIMESTAMP_TEXT_MAX];
    assert_true(timestamp_format(clock_wall_s() + expires_in_s, expires));
    snprintf(row, sizeof(row),
             "{\"access_token\":\"%s\",\"expires_at\":\"%s\"," UNKNOWN
             ",\"refresh_token\":\"refresh-1\",%s}",
             access, expires, kind->more);
    kiro_put(kind->key, row);
}

static void assert_kiro_row(const char *key, const char *part)
{
    char *row = kiro_get(key);
    assert_non_null(row);
    assert_contains(row, part);
    free(row);
}

/* ---- refreshing ---- */

static void each_kind_is_refreshed_by_its_own_service_and_every_other_byte_stays(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < KINDS; i++) {
        kiro_login(&kinds[i], -5, "access-1");
        fixture_play(f, kinds[i].answer);
        assert_int_equal(fixture_fetch(f, 0, 0), AQ_END);
        assert_string_equal(f->access, "access-2");
        char *asked = support_asked();
        assert_contains(asked, kinds[i].url);
        assert_contains(asked, kinds[i].sent);
        free(asked);
        assert_kiro_row(kinds[i].key, "{\"access_token\":\"access-2\",\"expires_at\":\"");
        assert_kiro_row(kinds[i].key, "\"," UNKNOWN ",\"refresh_token\":\"refresh-2\",");
        kiro_put(kinds[i].key, "null");
    }
}

static void a_social_login_takes_the_profile_it_is_given(void **state)
{
    struct fixture *f = *state;
    const struct aq_event *event;
    kiro_login(&kinds[0], -5, "access-1");
    kiro_put(PROFILE_KEY, "{\"arn\":\"arn:aws:codewhisperer:us-east-1:1:profile/OTHER\"}");
    fixture_play(f, SOCIAL_OK);
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_END);
    assert_kiro_row(SOCIAL_KEY,
                    "\"profile_arn\":\"arn:aws:codewhisperer:us-east-1:1:profile/NEW\"");
    fixture_play(f, "");
    fixture_start(f, 0, 0);
    assert_int_equal(aq_op_wait(f->op, &event, &f->err), AQ_OK);
    assert_true(str_ends(event->token->profile_arn, AQ_STR("profile/NEW"))); /* not the other */
}

static void an_answer_without_a_refresh_token_keeps_the_old_one(void **state)
{
    static const char *const answers[KINDS] = {
        "status 200\nbody {\"accessToken\":\"access-2\",\"expiresIn\":3600}\n---\n",
        "status 200\nbody {\"access_token\":\"access-2\",\"expires_in\":3600}\n---\n",
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < KINDS; i++) {
        kiro_login(&kinds[i], -5, "access-1");
        fixture_play(f, answers[i]);
        assert_int_equal(fixture_fetch(f, 0, 0), AQ_END);
        assert_kiro_row(kinds[i].key, "\"refresh_token\":\"refresh-1\"");
        assert_kiro_row(kinds[i].key, "\"access_token\":\"access-2\"");
        kiro_put(kinds[i].key, "null");
    }
}

static void no_refusal_removes_or_changes_a_login(void **state)
{
    static const struct {
        const char *answer;
        aq_status social, idp;
    } cases[] = {
        { "status 400\nbody {\"error\":\"invalid_grant\"}\n---\n", AQ_E_LOGIN_NEEDED,
          AQ_E_LOGIN_NEEDED },
        { "status 401\nbody {}\n---\n", AQ_E_LOGIN_NEEDED, AQ_E_REFRESH },
        { "status 403\nbody {}\n---\n", AQ_E_REFRESH, AQ_E_REFRESH },
        { "status 500\nbody {}\n---\n", AQ_E_REFRESH, AQ_E_REFRESH },
        { "error NETWORK\n---\n", AQ_E_REFRESH, AQ_E_REFRESH },
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < KINDS * sizeof(cases) / sizeof(cases[0]); i++) {
        const struct kind *kind = &kinds[i % KINDS];
        kiro_login(kind, -5, "access-1");
        char *before = kiro_get(kind->key);
        fixture_play(f, cases[i / KINDS].answer);
        assert_int_equal(fixture_fetch(f, 0, 0),
                         i % KINDS == 0 ? cases[i / KINDS].social : cases[i / KINDS].idp);
        char *after = kiro_get(kind->key);
        assert_string_equal(after, before);
        free(before);
        free(after);
        kiro_put(kind->key, "null");
    }
}

static void a_login_that_vanished_without_a_registration_to_ask_is_not_put_back(void **state)
{
    struct fixture *f = *state;
    kiro_login(&kinds[0], -5, "access-1");
    fixture_play(f, "wait 2\n" SOCIAL_OK);
    fixture_send(f);
    kiro_begin();
    fixture_remove(SOCIAL_KEY);
    kiro_end();
    assert_int_equal(fixture_finish(f), AQ_E_NOT_LOGGED_IN);
    assert_null(kiro_get(SOCIAL_KEY));
}

static void an_identity_provider_elsewhere_than_its_issuer_is_not_asked(void **state)
{
    static const struct kind evil = {
        .key = IDP_KEY,
        .more = "\"issuer_url\":\"https://idp.test\",\"token_endpoint\":\"https://evil.test/t\","
                "\"client_id\":\"client\"",
    };
    struct fixture *f = *state;
    kiro_login(&evil, -5, "access-1");
    fixture_play(f, IDP_OK);
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_E_LOGIN_NEEDED);
    assert_contains(f->err.text, IDP_KEY);
    assert_int_equal(support_requests(), 0);
}

static void another_social_endpoint_is_asked_if_the_user_names_it(void **state)
{
    struct fixture *f = *state;
    kiro_login(&kinds[0], -5, "access-1");
    setenv("Q_SOCIAL_ENDPOINT_URL", "https://social.test/", 1);
    fixture_play(f, SOCIAL_OK);
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_END);
    unsetenv("Q_SOCIAL_ENDPOINT_URL");
    char *asked = support_asked();
    assert_contains(asked, "POST https://social.test/refreshToken\n");
    free(asked);
}

/* ---- choosing ---- */

static void of_all_kinds_the_one_that_expires_last_is_taken(void **state)
{
    struct fixture *f = *state;
    fixture_login(1000, 1);
    kiro_login(&kinds[0], 2000, "access-social");
    kiro_login(&kinds[1], 3000, "access-idp");
    fixture_play(f, "");
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_END);
    assert_string_equal(f->access, "access-idp");
    kiro_login(&kinds[0], 4000, "access-social");
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_END);
    assert_string_equal(f->access, "access-social");
    setenv("Q_SOURCE", "q-cli", 1);
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_END);
    assert_string_equal(f->access, "access-1");
    unsetenv("Q_SOURCE");
}

static void names_of_old_are_found_and_come_last(void **state)
{
    static const struct kind old[] = {
        { .key = "codewhisperer:odic:token", .more = "\"region\":\"us-east-1\"" },
        { .key = "kirocli:oidc:token", .more = "\"region\":\"us-east-1\"" },
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < 2; i++) {
        kiro_login(&old[i], 2000, "access-old");
        fixture_play(f, "");
        setenv("Q_SOURCE", "kiro-cli", 1);
        assert_int_equal(fixture_fetch(f, 0, 0), AQ_END);
        unsetenv("Q_SOURCE");
        assert_string_equal(f->access, "access-old");
        kiro_put(old[i].key, "null");
    }
    kiro_login(&old[0], 2000, "access-old"); /* a copy of the other program's row */
    char *row = kiro_get(old[0].key);
    char *other = strdup(row);
    memcpy(strstr(other, "access-old"), "access-new", 10);
    fixture_put(TOKEN_KEY, other);
    fixture_play(f, "");
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_END);
    assert_string_equal(f->access, "access-new");
    free(row);
    free(other);
}

static void one_broken_row_does_not_hide_another(void **state)
{
    struct fixture *f = *state;
    kiro_put(OIDC_KEY, "{\"access_token\":");
    kiro_login(&kinds[0], 2000, "access-social");
    fixture_play(f, "");
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_END);
    assert_string_equal(f->access, "access-social");
}

/* ---- what the service is told ---- */

static void the_service_is_told_of_a_token_of_an_identity_provider_and_of_no_other(void **state)
{
    static const char *const headers[KINDS] = { NULL, "tokentype: EXTERNAL_IDP" };
    struct fixture *f = *state;
    for (size_t i = 0; i < KINDS; i++) {
        struct aq_stream_options options = AQ_STREAM_OPTIONS_INIT;
        const struct aq_event *event;
        kiro_login(&kinds[i], 3600, "access-1");
        fixture_play(f, "status 200\n---\n");
        options.prompt = AQ_STR("hello");
        assert_int_equal(aq_chat_start(f->client, &options, &f->op, &f->err), AQ_OK);
        while (aq_op_wait(f->op, &event, &f->err) == AQ_OK) {
        }
        char *asked = support_asked();
        assert_contains(asked, "authorization: Bearer access-1");
        if (headers[i]) {
            assert_contains(asked, headers[i]);
        } else {
            assert_null(strstr(asked, "tokentype"));
        }
        free(asked);
        kiro_put(kinds[i].key, "null");
    }
}

static void a_token_says_its_kind(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < KINDS; i++) {
        const struct aq_event *event;
        kiro_login(&kinds[i], 3600, "access-1");
        fixture_play(f, "");
        fixture_start(f, 0, 0);
        assert_int_equal(aq_op_wait(f->op, &event, &f->err), AQ_OK);
        assert_int_equal(event->token->kind.len, strlen(kinds[i].name));
        assert_memory_equal(event->token->kind.ptr, kinds[i].name, strlen(kinds[i].name));
        fixture_drop(f);
        kiro_put(kinds[i].key, "null");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(each_kind_is_refreshed_by_its_own_service_and_every_other_byte_stays),
        CASE(a_social_login_takes_the_profile_it_is_given),
        CASE(an_answer_without_a_refresh_token_keeps_the_old_one),
        CASE(no_refusal_removes_or_changes_a_login),
        CASE(a_login_that_vanished_without_a_registration_to_ask_is_not_put_back),
        CASE(an_identity_provider_elsewhere_than_its_issuer_is_not_asked),
        CASE(another_social_endpoint_is_asked_if_the_user_names_it),
        CASE(of_all_kinds_the_one_that_expires_last_is_taken),
        CASE(names_of_old_are_found_and_come_last),
        CASE(one_broken_row_does_not_hide_another),
        CASE(the_service_is_told_of_a_token_of_an_identity_provider_and_of_no_other),
        CASE(a_token_says_its_kind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
