/* SPDX-License-Identifier: Apache-2.0 */
/* A login by a code that is confirmed on another device, from the first look to the last row. */
#include "base/clock.h"
#include "client/fake_store.h"
#include "client/login_support.h"
#include "no_memory.h"

#include <stdio.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define SCOPES \
    "[\"codewhisperer:completions\",\"codewhisperer:analysis\",\"codewhisperer:conversations\"]"
#define STORED_REGISTRATION \
    "{\"client_id\":\"old-id\",\"client_secret\":\"old-secret\",\"client_secret_expires_at\":" \
    "\"2099-01-01T00:00:00Z\",\"region\":\"us-east-1\",\"oauth_flow\":\"DeviceCode\"," \
    "\"scopes\":" SCOPES "}"

static struct aq_login_options organisation(void)
{
    struct aq_login_options options = AQ_LOGIN_OPTIONS_INIT;
    options.flags = AQ_LOGIN_ORGANISATION;
    options.start_url = AQ_STR(START_URL);
    options.region = AQ_STR("eu-west-1");
    return options;
}

/* ---- what happens ---- */

static void a_builder_id_is_confirmed_saved_and_told(void **state)
{
    struct fixture *f = *state;
    struct seen seen;
    fixture_play(f, REGISTERED DEVICE("600") PENDING PENDING TOKENS);
    assert_int_equal(login_support_make(f, &seen, NULL), AQ_END);
    assert_string_equal(seen.kinds, "VWL");
    assert_string_equal(seen.url, "https://a.example/d?c=1");
    assert_string_equal(seen.short_url, "https://a.example/d");
    assert_string_equal(seen.user_code, "ABCD-EFGH");
    assert_string_equal(seen.callback_url, "");
    assert_int_equal(seen.valid_s, 600);
    assert_string_equal(seen.access, "access-9");
    assert_string_equal(seen.start_url, "");
    fixture_assert_row("\"access_token\":\"access-9\"");
    fixture_assert_row(
        "\"refresh_token\":\"refresh-9\",\"region\":\"us-east-1\",\"start_url\":null,"
        "\"oauth_flow\":\"DeviceCode\",\"scopes\":" SCOPES "}");
    login_support_assert_row(
        REGISTRATION_KEY,
        "{\"client_id\":\"new-id\",\"client_secret\":\"new-secret\","
        "\"client_secret_expires_at\":\"2099-01-01T00:00:00Z\",\"region\":\"us-east-1\","
        "\"oauth_flow\":\"DeviceCode\",\"scopes\":" SCOPES "}");
    assert_null(fixture_get(ORGANISATION_URL_KEY));
    assert_int_equal(support_requests(), 5);
}

static void it_says_what_it_waits_for_and_how_long(void **state)
{
    struct fixture *f = *state;
    struct seen seen;
    fixture_play(f, "wait 1\n" REGISTERED "wait 1\n" DEVICE("600") TOKENS);
    assert_int_equal(login_support_make(f, &seen, NULL), AQ_END);
    assert_string_equal(seen.kinds, "WWVWL");
    assert_string_equal(seen.waits, "the sign-in service, to register\n"
                                    "the sign-in service, for a code\n"
                                    "the code to be confirmed in a browser\n");
    assert_in_range(seen.longest_ms, 599 * 1000, 600 * 1000);
}

static void an_organisations_login_goes_to_its_region_and_is_remembered(void **state)
{
    struct fixture *f = *state;
    struct seen seen;
    const struct aq_login_options options = organisation();
    fixture_play(f, REGISTERED DEVICE("600") TOKENS ONE_PROFILE NO_PROFILES);
    assert_int_equal(login_support_make(f, &seen, &options), AQ_END);
    assert_string_equal(seen.start_url, START_URL);
    assert_string_equal(seen.profile_arn, "arn:aws:codewhisperer:us-east-1:1:profile/A");
    login_support_assert_row(ORGANISATION_URL_KEY, "\"" START_URL "\"");
    login_support_assert_row(ORGANISATION_REGION_KEY, "\"eu-west-1\"");
    login_support_assert_row(PROFILE_KEY,
                             "{\"arn\":\"arn:aws:codewhisperer:us-east-1:1:profile/A\","
                             "\"profile_name\":\"One\"}");
    fixture_assert_row("\"region\":\"eu-west-1\",\"start_url\":\"" START_URL "\"");
    char *asked = support_asked();
    assert_contains(asked, "POST https://oidc.eu-west-1.amazonaws.com/client/register\n");
    assert_contains(asked, "POST https://oidc.eu-west-1.amazonaws.com/device_authorization\n");
    assert_contains(asked, "\"startUrl\":\"" START_URL "\"");
    assert_contains(asked, "POST https://oidc.eu-west-1.amazonaws.com/token\n");
    free(asked);
}

static void what_is_not_said_of_an_organisation_is_as_last_time(void **state)
{
    struct fixture *f = *state;
    struct seen seen;
    struct aq_login_options options = organisation();
    options.start_url = options.region = AQ_STR("");
    fixture_put(ORGANISATION_URL_KEY, "\"" START_URL "\"");
    fixture_put(ORGANISATION_REGION_KEY, "\"eu-\\u0077est-1\"");
    fixture_play(f, REGISTERED DEVICE("600") TOKENS ONE_PROFILE NO_PROFILES);
    assert_int_equal(login_support_make(f, &seen, &options), AQ_END);
    fixture_assert_row("\"region\":\"eu-west-1\",\"start_url\":\"" START_URL "\"");
}

static void an_organisation_that_nobody_has_named_is_asked_for(void **state)
{
    struct fixture *f = *state;
    struct seen seen;
    struct aq_login_options options = organisation();
    options.start_url = AQ_STR("");
    assert_int_equal(login_support_make(f, &seen, &options), AQ_E_INVALID);
    assert_contains(f->err.text, "start URL");
    assert_int_equal(support_requests(), 0);
}

static void an_organisation_that_is_not_remembered_well_is_refused_first(void **state)
{
    static const struct {
        const char *url, *region, *says;
    } rows[] = {
        { "\"" START_URL " \"", "\"eu-west-1\"", "start URL" },
        { "\"http://example.awsapps.com/start\"", "\"eu-west-1\"", "start URL" },
        { "\"" START_URL "\"", "\"eu-west-1 \"", "region 'eu-west-1 '" },
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct seen seen;
        struct aq_login_options options = organisation();
        options.start_url = options.region = AQ_STR("");
        fixture_put(ORGANISATION_URL_KEY, rows[i].url);
        fixture_put(ORGANISATION_REGION_KEY, rows[i].region);
        fixture_play(f, REGISTERED DEVICE("600") TOKENS);
        assert_int_equal(login_support_make(f, &seen, &options), AQ_E_INVALID);
        assert_contains(f->err.text, rows[i].says);
        assert_int_equal(support_requests(), 0);
    }
}

static void a_client_without_a_possible_expiry_is_refused_before_the_visit(void **state)
{
    struct fixture *f = *state;
    struct seen seen;
    fixture_play(f, ANSWER("200", "{\"clientId\":\"new-id\",\"clientSecret\":\"new-secret\","
                                  "\"clientSecretExpiresAt\":4070908800000}") DEVICE("600") TOKENS);
    assert_int_equal(login_support_make(f, &seen, NULL), AQ_E_PROTOCOL);
    assert_string_equal(seen.kinds, "");
}

static void all_rows_are_saved_by_one_commit(void **state)
{
    struct fixture *f = *state;
    struct seen seen;
    fixture_put(PROFILE_KEY, "{\"arn\":\"of another login\"}");
    fixture_put(CUSTOMIZATION_KEY, "{}");
    fixture_play(f, REGISTERED DEVICE("600") TOKENS);
    assert_int_equal(login_support_make(f, &seen, NULL), AQ_END);
    assert_int_equal(fake_store_calls(FAKE_COMMIT), 1);
    assert_non_null(fake_store_row(TOKEN_KEY));
    assert_non_null(fake_store_row(REGISTRATION_KEY));
    assert_null(fake_store_row(PROFILE_KEY));
    assert_null(fake_store_row(CUSTOMIZATION_KEY));
}

/* ---- polling (RFC 8628) ---- */

static void it_asks_no_more_often_than_it_was_told(void **state)
{
    struct fixture *f = *state;
    struct seen seen;
    fixture_play(f, REGISTERED DEVICE("600") PENDING SLOW_DOWN PENDING TOKENS);
    login_support_start(f, &seen, NULL);
    login_support_visit(f, &seen);
    int64_t begin_s = login_support_clock_s();
    assert_int_equal(login_support_finish(f, &seen), AQ_END);
    assert_in_range(login_support_clock_s() - begin_s, 1 + 1 + 6 + 6, 1 + 1 + 6 + 6 + 2);
}

static void what_breaks_between_is_asked_again_after_a_longer_pause(void **state)
{
    struct fixture *f = *state;
    struct seen seen;
    fixture_play(f, REGISTERED DEVICE("600") "error NETWORK\n---\nerror TIMEOUT\n---\n"
                                             "status 503\nbody <html>\n---\nstatus 200\n"
                                             "body {\"acc\nerror TRUNCATED\n---\n" TOKENS);
    login_support_start(f, &seen, NULL);
    login_support_visit(f, &seen);
    int64_t begin_s = login_support_clock_s();
    assert_int_equal(login_support_finish(f, &seen), AQ_END);
    assert_in_range(login_support_clock_s() - begin_s, 1 + 1 + 2 + 4 + 8, 1 + 1 + 2 + 4 + 8 + 3);
}

static void a_page_that_a_network_on_the_way_shows_does_not_end_it(void **state)
{
    struct fixture *f = *state;
    struct seen seen;
    fixture_play(f,
                 REGISTERED DEVICE("600") PENDING ANSWER("200", "<html>sign in to the net</html>")
                     ANSWER("302", "<html>") ANSWER("403", "<html>blocked</html>") TOKENS);
    assert_int_equal(login_support_make(f, &seen, NULL), AQ_END);
    assert_string_equal(seen.access, "access-9");
}

static void it_ends_when_the_code_has_expired(void **state)
{
    struct fixture *f = *state;
    struct seen seen;
    fixture_play(f, REGISTERED DEVICE("4") PENDING PENDING PENDING PENDING PENDING PENDING);
    login_support_start(f, &seen, NULL);
    login_support_visit(f, &seen);
    int64_t begin_s = login_support_clock_s();
    assert_int_equal(login_support_finish(f, &seen), AQ_E_TIMEOUT);
    assert_in_range(login_support_clock_s() - begin_s, 4, 6);
    assert_contains(f->err.text, "in time");
    login_support_assert_nothing();
}

static void a_refusal_ends_it_and_leaves_nothing(void **state)
{
    static const struct {
        const char *answer;
        aq_status status;
    } cases[] = {
        { "access_denied", AQ_E_ACCESS },     { "expired_token", AQ_E_TIMEOUT },
        { "invalid_grant", AQ_E_VALIDATION }, { "invalid_client", AQ_E_VALIDATION },
        { "invalid_scope", AQ_E_VALIDATION }, { "unheard_of", AQ_E_SERVICE },
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct seen seen;
        char script[1024];
        snprintf(script, sizeof(script),
                 REGISTERED DEVICE("600") ANSWER("400", "{\"error\":\"%s\"}"), cases[i].answer);
        fixture_play(f, script);
        assert_int_equal(login_support_make(f, &seen, NULL), cases[i].status);
        login_support_assert_nothing();
    }
}

/* ---- no wait without an end ---- */

static void a_service_that_never_answers_is_given_up(void **state)
{
    static const struct {
        const char *script;
        int64_t at_most_s;
    } cases[] = {
        { NEVER NEVER NEVER, 45 },
        { REGISTERED NEVER NEVER NEVER, 45 },
        { REGISTERED DEVICE("60") NEVER NEVER NEVER NEVER NEVER NEVER, 60 + 15 },
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct seen seen;
        fixture_play(f, cases[i].script);
        int64_t begin_s = login_support_clock_s();
        assert_int_equal(login_support_make(f, &seen, NULL), AQ_E_TIMEOUT);
        assert_in_range(login_support_clock_s() - begin_s, 1, cases[i].at_most_s + 1);
        login_support_assert_nothing();
    }
}

static void a_request_before_that_is_made_three_times(void **state)
{
    struct fixture *f = *state;
    struct seen seen;
    fixture_play(f, "error NETWORK\n---\n"
                    "status 500\nbody {\"error\":\"server_error\"}\n---\n" REGISTERED
                    "status 429\nbody -\n---\nerror TIMEOUT\n---\n" DEVICE("600") TOKENS);
    assert_int_equal(login_support_make(f, &seen, NULL), AQ_END);
    fixture_remove(TOKEN_KEY);
    fixture_remove(REGISTRATION_KEY);
    fixture_play(f, "error NETWORK\n---\nerror NETWORK\n---\nerror NETWORK\n---\n" REGISTERED);
    assert_int_equal(login_support_make(f, &seen, NULL), AQ_E_NETWORK);
    assert_int_equal(support_requests(), 3);
}

static void a_lock_that_somebody_holds_is_waited_for_half_a_minute(void **state)
{
    struct fixture *f = *state;
    struct seen seen;
    fixture_play(f, REGISTERED DEVICE("600") TOKENS);
    fake_store_fail(FAKE_LOCK, 0, FAKE_FOR_EVER, AQ_AGAIN);
    int64_t begin_s = login_support_clock_s();
    assert_int_equal(login_support_make(f, &seen, NULL), AQ_E_BUSY);
    assert_in_range(login_support_clock_s() - begin_s, 30, 32);
    assert_string_equal(seen.waits, "the store\n");
    assert_int_equal(support_requests(), 0);
}

/* ---- a login that is there ---- */

static void a_valid_login_is_not_replaced(void **state)
{
    struct fixture *f = *state;
    struct seen seen;
    fixture_login(3600, 1);
    fixture_play(f, REGISTERED);
    assert_int_equal(login_support_make(f, &seen, NULL), AQ_E_STATE);
    assert_contains(f->err.text, "log out first");
    assert_int_equal(support_requests(), 0);
    fixture_assert_row("access-1");
}

static void one_that_can_be_refreshed_is_valid(void **state)
{
    struct fixture *f = *state;
    struct seen seen;
    fixture_login(-5, 1);
    fixture_play(f, REFRESH_OK);
    assert_int_equal(login_support_make(f, &seen, NULL), AQ_E_STATE);
    assert_int_equal(support_requests(), 1);
    fixture_assert_row("access-2");
}

static void one_that_cannot_be_refreshed_any_more_is_replaced(void **state)
{
    struct fixture *f = *state;
    struct seen seen;
    fixture_login(-5, 1);
    fixture_play(f, REFRESH_REFUSED REGISTERED DEVICE("600") TOKENS);
    assert_int_equal(login_support_make(f, &seen, NULL), AQ_END);
    fixture_assert_row("access-9");
}

static void one_that_makes_no_sense_is_replaced(void **state)
{
    static const char *const rows[] = {
        "null", "{}", "not json", "{\"access_token\":\"a\",\"expires_at\":\"2001-01-01T00:00:00Z\"}"
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct seen seen;
        fixture_put(TOKEN_KEY, rows[i]);
        fixture_play(f, REGISTERED DEVICE("600") TOKENS);
        assert_int_equal(login_support_make(f, &seen, NULL), AQ_END);
        fixture_assert_row("access-9");
        fixture_remove(REGISTRATION_KEY);
    }
}

static void replacing_is_allowed_to_who_asks_for_it(void **state)
{
    struct fixture *f = *state;
    struct seen seen;
    struct aq_login_options options = AQ_LOGIN_OPTIONS_INIT;
    options.flags = AQ_LOGIN_REPLACE;
    fixture_login(3600, 1);
    fixture_play(f, REGISTERED DEVICE("600") TOKENS);
    assert_int_equal(login_support_make(f, &seen, &options), AQ_END);
    fixture_assert_row("access-9");
}

/* ---- the client registration ---- */

static void a_stored_registration_of_the_same_kind_is_used_again(void **state)
{
    struct fixture *f = *state;
    struct seen seen;
    fixture_put(REGISTRATION_KEY, STORED_REGISTRATION);
    fixture_play(f, DEVICE("600") TOKENS);
    assert_int_equal(login_support_make(f, &seen, NULL), AQ_END);
    char *asked = support_asked();
    assert_null(strstr(asked, "/client/register"));
    assert_contains(asked, "\"clientId\":\"old-id\"");
    free(asked);
    login_support_assert_row(REGISTRATION_KEY, STORED_REGISTRATION);
}

static void another_one_is_replaced_with_the_token(void **state)
{
    struct fixture *f = *state;
    struct seen seen;
    fixture_put(REGISTRATION_KEY, SUPPORT_REGISTRATION); /* other scopes */
    fixture_play(f, REGISTERED DEVICE("600") "error NETWORK\n---\n" TOKENS);
    login_support_start(f, &seen, NULL);
    login_support_visit(f, &seen);
    login_support_assert_row(REGISTRATION_KEY, SUPPORT_REGISTRATION);
    assert_int_equal(login_support_finish(f, &seen), AQ_END);
    char *row = fixture_get(REGISTRATION_KEY);
    assert_contains(row, "new-id");
    free(row);
}

static void one_that_the_service_does_not_know_any_more_is_made_anew(void **state)
{
    struct fixture *f = *state;
    struct seen seen;
    fixture_put(REGISTRATION_KEY, STORED_REGISTRATION);
    fixture_play(f,
                 ANSWER("401", "{\"error\":\"invalid_client\"}") REGISTERED DEVICE("600") TOKENS);
    assert_int_equal(login_support_make(f, &seen, NULL), AQ_END);
    char *row = fixture_get(REGISTRATION_KEY);
    assert_contains(row, "new-id");
    free(row);
}

static void a_new_one_that_is_refused_is_not_made_again(void **state)
{
    struct fixture *f = *state;
    struct seen seen;
    fixture_play(f, REGISTERED ANSWER("401", "{\"error\":\"invalid_client\"}"));
    assert_int_equal(login_support_make(f, &seen, NULL), AQ_E_VALIDATION);
    assert_int_equal(support_requests(), 2);
}

/* ---- saving ---- */

static void nobody_is_sent_to_a_browser_for_what_cannot_be_saved(void **state)
{
    static const aq_status problems[] = { AQ_E_READONLY, AQ_E_DENIED, AQ_E_IO, AQ_E_BUSY };
    struct fixture *f = *state;
    for (size_t i = 0; i < COUNT(problems); i++) {
        struct seen seen;
        fixture_play(f, REGISTERED);
        fake_store_fail(FAKE_CAN_SAVE, 0, 1, problems[i]);
        assert_int_equal(login_support_make(f, &seen, NULL), problems[i]);
        assert_int_equal(support_requests(), 0);
    }
}

static void a_store_that_has_stopped_to_work_is_tried_again(void **state)
{
    struct fixture *f = *state;
    struct seen seen;
    fixture_play(f, REGISTERED DEVICE("600") TOKENS);
    fake_store_fail(FAKE_COMMIT, 0, 5, AQ_E_IO);
    assert_int_equal(login_support_make(f, &seen, NULL), AQ_END);
    assert_non_null(fake_store_row(TOKEN_KEY));
}

static void an_error_after_the_commit_was_made_is_none(void **state)
{
    struct fixture *f = *state;
    struct seen seen;
    fixture_play(f, REGISTERED DEVICE("600") TOKENS);
    fake_store_fail(FAKE_COMMIT, 0, FAKE_FOR_EVER, AQ_E_TIMEOUT);
    assert_int_equal(login_support_make(f, &seen, NULL), AQ_END);
    assert_int_equal(fake_store_calls(FAKE_COMMIT), 1);
}

static void what_the_store_does_not_take_is_kept_and_the_next_login_saves_it(void **state)
{
    struct fixture *f = *state;
    struct seen seen;
    fixture_play(f, REGISTERED DEVICE("600") TOKENS);
    fake_store_fail(FAKE_COMMIT, 0, FAKE_FOR_EVER, AQ_E_IO);
    int64_t begin_s = login_support_clock_s();
    assert_int_equal(login_support_make(f, &seen, NULL), AQ_E_IO);
    assert_in_range(login_support_clock_s() - begin_s, 15, 20);
    assert_contains(f->err.text, "log in again to have it saved");
    assert_null(fake_store_row(TOKEN_KEY));

    fake_store_fail(FAKE_COMMIT, 0, 0, AQ_OK);
    fixture_play(f, REFRESH_OK);
    assert_int_equal(login_support_make(f, &seen, NULL), AQ_END);
    assert_string_equal(seen.kinds, "L"); /* without a browser */
    assert_string_equal(seen.access, "access-2");
    assert_int_equal(support_requests(), 1);
    assert_contains(fake_store_row(TOKEN_KEY), "refresh-2");
    assert_contains(fake_store_row(REGISTRATION_KEY), "new-id");
    fake_store_remove(TOKEN_KEY);
    fake_store_remove(REGISTRATION_KEY);
    login_support_assert_nothing();
}

static void a_login_of_another_account_is_not_taken_for_it(void **state)
{
    struct fixture *f = *state;
    struct seen seen;
    const struct aq_login_options options = organisation();
    fixture_play(f, REGISTERED DEVICE("600") TOKENS);
    fake_store_fail(FAKE_COMMIT, 0, FAKE_FOR_EVER, AQ_E_IO);
    assert_int_equal(login_support_make(f, &seen, NULL), AQ_E_IO);
    fake_store_fail(FAKE_COMMIT, 0, 0, AQ_OK);
    fixture_play(f, REGISTERED DEVICE("600") TOKENS NO_PROFILES NO_PROFILES);
    assert_int_equal(login_support_make(f, &seen, &options), AQ_END);
    assert_contains(fake_store_row(TOKEN_KEY), START_URL);
}

/* ---- freed ---- */

static void freed_before_the_tokens_are_there_it_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    for (int events = 0; events < 3; events++) {
        struct seen seen;
        fixture_play(f, REGISTERED DEVICE("600") NEVER);
        login_support_start(f, &seen, NULL);
        for (int i = 0; i < events; i++) {
            assert_int_equal(login_support_next(f, &seen), AQ_OK);
        }
        fixture_drop(f);
        login_support_assert_nothing();
    }
}

static void freed_afterwards_it_is_saved_all_the_same(void **state)
{
    struct fixture *f = *state;
    struct seen seen;
    fixture_play(f, REGISTERED DEVICE("600") TOKENS);
    fake_store_fail(FAKE_COMMIT, 0, 3, AQ_E_IO);
    login_support_start(f, &seen, NULL);
    while (!strstr(seen.waits, "to save")) {
        assert_int_equal(login_support_next(f, &seen), AQ_OK);
    }
    fixture_drop(f);
    for (int i = 0; i < 5; i++) {
        fixture_pass(f, 1);
    }
    assert_non_null(fake_store_row(TOKEN_KEY));
    assert_non_null(fake_store_row(REGISTRATION_KEY));
}

/* ---- what is refused at once ---- */

static void options_that_make_no_sense_are_refused(void **state)
{
    struct fixture *f = *state;
    struct aq_login_options size = AQ_LOGIN_OPTIONS_INIT;
    struct aq_login_options flow = AQ_LOGIN_OPTIONS_INIT;
    struct aq_login_options url = AQ_LOGIN_OPTIONS_INIT;
    struct aq_login_options blank = AQ_LOGIN_OPTIONS_INIT;
    struct aq_login_options region = AQ_LOGIN_OPTIONS_INIT;
    struct aq_login_options profile = AQ_LOGIN_OPTIONS_INIT;
    size.struct_size = 0;
    flow.flow = 7;
    url.start_url = AQ_STR("http://example.awsapps.com/start");
    blank.start_url = AQ_STR("https://example.awsapps.com/ start");
    region.region = AQ_STR("us-east-1.evil.example/");
    profile.profile_arn = AQ_STR("arn:1");
    const struct aq_login_options *const all[] = { &size, &flow, &url, &blank, &region, &profile };
    for (size_t i = 0; i < COUNT(all); i++) {
        assert_int_equal(aq_login_start(f->client, all[i], &f->op, &f->err), AQ_E_INVALID);
        assert_true(f->err.text[0]);
    }
}

static void another_programs_logins_are_its_own_to_make(void **state)
{
    struct fixture *f = *state;
    struct seen seen;
    setenv("Q_SOURCE", "kiro-cli", 1);
    assert_int_equal(login_support_make(f, &seen, NULL), AQ_E_UNSUPPORTED);
    setenv("Q_SOURCE", "nobody", 1);
    assert_int_equal(login_support_make(f, &seen, NULL), AQ_E_INVALID);
    unsetenv("Q_SOURCE");
}

static void a_token_server_keeps_no_login(void **state)
{
    struct fixture *f = *state;
    struct seen seen;
    fake_store_serve(f->client);
    assert_int_equal(login_support_make(f, &seen, NULL), AQ_E_UNSUPPORTED);
}

static void a_store_without_a_lock_keeps_a_login_unless_others_share_it(void **state)
{
    struct fixture *f = *state;
    struct seen seen;
    fixture_play(f, REGISTERED DEVICE("600") TOKENS);
    f->client->store_plugin.store.lock = NULL;
    f->client->store_plugin.store.unlock = NULL;
    assert_int_equal(login_support_make(f, &seen, NULL), AQ_E_UNSUPPORTED);
    assert_contains(f->err.text, "store 'fake': keeps no login of yours");
    assert_int_equal(support_requests(), 0);

    f->client->store_plugin.store.traits = 0;
    assert_int_equal(login_support_make(f, &seen, NULL), AQ_END);
    fixture_assert_row("access-9");
}

static void a_login_that_is_to_last_is_made_in_no_store_that_forgets(void **state)
{
    struct fixture *f = *state;
    struct seen seen;
    struct aq_login_options options = AQ_LOGIN_OPTIONS_INIT;
    options.flags = AQ_LOGIN_LASTING;
    fixture_play(f, REGISTERED DEVICE("600") TOKENS);
    f->client->store_plugin.store.traits &= ~AQ_STORE_PERSISTENT;
    assert_int_equal(login_support_make(f, &seen, &options), AQ_E_UNSUPPORTED);
    assert_contains(f->err.text, "store 'fake': forgets a login when the program ends");
    assert_int_equal(support_requests(), 0);

    assert_int_equal(login_support_make(f, &seen, NULL), AQ_END); /* a program may use it itself */
}

static void who_has_chat_sign_hears_before_the_visit_that_it_goes_on(void **state)
{
    struct fixture *f = *state;
    struct seen seen;
    setenv("AMAZON_Q_SIGV4", "1", 1);
    fixture_play(f, REGISTERED DEVICE("600") TOKENS);
    aq_status st = login_support_make(f, &seen, NULL);
    unsetenv("AMAZON_Q_SIGV4");
    assert_int_equal(st, AQ_END);
    assert_string_equal(seen.kinds, "!VWL");
    assert_string_equal(f->warning,
                        "setting 'sigv4': is on (from AMAZON_Q_SIGV4), so chat goes on signing "
                        "with an access key and does not use this login; to use it, unset that");
}

static void a_store_that_does_not_exist_takes_no_login(void **state)
{
    struct fixture *f = *state;
    struct seen seen;
    setenv("Q_STORE", "nothing", 1);
    aq_status st = login_support_make(f, &seen, NULL);
    unsetenv("Q_STORE");
    assert_int_equal(st, AQ_E_PLUGIN);
    assert_int_equal(support_requests(), 0);
}

/* ---- memory ---- */

static void without_memory_all_of_it_is_saved_or_nothing(void **state)
{
    struct fixture *f = *state;
    const struct aq_login_options options = organisation();
    bool failed = true;
    for (int at = 1; failed; at++) {
        struct seen seen;
        struct aq_op *op = NULL;
        fixture_play(f, REGISTERED DEVICE("600") TOKENS ONE_PROFILE NO_PROFILES);
        fixture_drop(f);
        memset(&seen, 0, sizeof(seen));
        no_memory(at);
        aq_status st = aq_login_start(f->client, &options, &op, &f->err);
        f->op = op;
        st = st == AQ_OK ? login_support_finish(f, &seen) : st;
        failed = no_memory_ended();
        assert_true(st == AQ_END || (failed && st < 0));
        assert_int_equal(fake_store_row(TOKEN_KEY) != NULL,
                         fake_store_row(REGISTRATION_KEY) != NULL);
        assert_true(st != AQ_END || fake_store_row(TOKEN_KEY));
        fixture_drop(f);
        static const char *const keys[] = { TOKEN_KEY, REGISTRATION_KEY, PROFILE_KEY };
        for (size_t i = 0; i < COUNT(keys); i++) {
            fake_store_remove(keys[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_builder_id_is_confirmed_saved_and_told),
        CASE(it_says_what_it_waits_for_and_how_long),
        CASE(an_organisations_login_goes_to_its_region_and_is_remembered),
        CASE(what_is_not_said_of_an_organisation_is_as_last_time),
        FAKE_CASE(an_organisation_that_nobody_has_named_is_asked_for),
        CASE(an_organisation_that_is_not_remembered_well_is_refused_first),
        FAKE_CASE(a_client_without_a_possible_expiry_is_refused_before_the_visit),
        FAKE_CASE(all_rows_are_saved_by_one_commit),
        FAKE_CASE(it_asks_no_more_often_than_it_was_told),
        FAKE_CASE(what_breaks_between_is_asked_again_after_a_longer_pause),
        FAKE_CASE(a_page_that_a_network_on_the_way_shows_does_not_end_it),
        FAKE_CASE(it_ends_when_the_code_has_expired),
        FAKE_CASE(a_refusal_ends_it_and_leaves_nothing),
        FAKE_CASE(a_service_that_never_answers_is_given_up),
        FAKE_CASE(a_request_before_that_is_made_three_times),
        FAKE_CASE(a_lock_that_somebody_holds_is_waited_for_half_a_minute),
        CASE(a_valid_login_is_not_replaced),
        CASE(one_that_can_be_refreshed_is_valid),
        CASE(one_that_cannot_be_refreshed_any_more_is_replaced),
        CASE(one_that_makes_no_sense_is_replaced),
        CASE(replacing_is_allowed_to_who_asks_for_it),
        CASE(a_stored_registration_of_the_same_kind_is_used_again),
        CASE(another_one_is_replaced_with_the_token),
        CASE(one_that_the_service_does_not_know_any_more_is_made_anew),
        FAKE_CASE(a_new_one_that_is_refused_is_not_made_again),
        FAKE_CASE(nobody_is_sent_to_a_browser_for_what_cannot_be_saved),
        FAKE_CASE(a_store_that_has_stopped_to_work_is_tried_again),
        FAKE_CASE(an_error_after_the_commit_was_made_is_none),
        FAKE_CASE(what_the_store_does_not_take_is_kept_and_the_next_login_saves_it),
        FAKE_CASE(a_login_of_another_account_is_not_taken_for_it),
        CASE(freed_before_the_tokens_are_there_it_leaves_nothing),
        FAKE_CASE(freed_afterwards_it_is_saved_all_the_same),
        CASE(options_that_make_no_sense_are_refused),
        CASE(another_programs_logins_are_its_own_to_make),
        FAKE_CASE(a_token_server_keeps_no_login),
        FAKE_CASE(a_store_without_a_lock_keeps_a_login_unless_others_share_it),
        FAKE_CASE(a_login_that_is_to_last_is_made_in_no_store_that_forgets),
        CASE(who_has_chat_sign_hears_before_the_visit_that_it_goes_on),
        CASE(a_store_that_does_not_exist_takes_no_login),
        FAKE_CASE(without_memory_all_of_it_is_saved_or_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
