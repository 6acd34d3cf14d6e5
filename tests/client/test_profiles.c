/* SPDX-License-Identifier: Apache-2.0 */
/* Which profiles an organisation's login has, and which of them is used from now on. */
#include "client/fake_store.h"
#include "client/login_support.h"
#include "no_memory.h"

#include <stdio.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ARN(name) "arn:aws:codewhisperer:us-east-1:1:profile/" name
#define PROFILE(name) "{\"arn\":\"" ARN(name) "\",\"profileName\":\"" name "\"}"
/* Each region's service has two sites, and the second is asked when the first refuses. */
#define DENIED \
    ANSWER("403", "{\"__type\":\"AccessDeniedException\",\"message\":\"no\"}") \
    ANSWER("403", "{\"__type\":\"AccessDeniedException\",\"message\":\"no\"}")
#define PAGE(profiles, token) ANSWER("200", "{\"profiles\":[" profiles "],\"nextToken\":" token "}")

static void organisation_login(void)
{
    fixture_login(3600, 1);
    fixture_put(TOKEN_KEY, "{\"access_token\":\"access-1\",\"expires_at\":\"2099-01-01T00:00:00Z\","
                           "\"refresh_token\":\"refresh-1\",\"region\":\"us-east-1\","
                           "\"start_url\":\"" START_URL "\",\"oauth_flow\":\"DeviceCode\"}");
}

/* Start the operation of its own. */
static void start(struct fixture *f, struct seen *seen, const char *script)
{
    fixture_play(f, script);
    memset(seen, 0, sizeof(*seen));
    f->warning[0] = '\0';
    assert_int_equal(aq_profiles_start(f->client, &f->op, &f->err), AQ_OK);
}

static aq_status list(struct fixture *f, struct seen *seen, const char *script)
{
    start(f, seen, script);
    return login_support_finish(f, seen);
}

static struct aq_login_options organisation(void)
{
    struct aq_login_options options = AQ_LOGIN_OPTIONS_INIT;
    options.flags = AQ_LOGIN_ORGANISATION;
    options.start_url = AQ_STR(START_URL);
    return options;
}

/* ---- lists ---- */

static void all_pages_of_all_regions_are_listed(void **state)
{
    struct fixture *f = *state;
    struct seen seen;
    organisation_login();
    fixture_put(PROFILE_KEY, "{\"arn\":\"" ARN("B") "\",\"profile_name\":\"B\"}");
    assert_int_equal(list(f, &seen,
                          PAGE(PROFILE("A"), "\"next\"") PAGE(PROFILE("B"), "null")
                              PAGE(PROFILE("C"), "\"\"")),
                     AQ_AGAIN);
    assert_int_equal(seen.profile_count, 3);
    assert_int_equal(seen.current, 2);
    assert_string_equal(seen.first_arn, ARN("A"));
    char *asked = support_asked();
    assert_contains(asked, "POST https://q.us-east-1.amazonaws.com/\n");
    assert_contains(asked, "{\"nextToken\":\"next\"}");
    assert_contains(asked, "POST https://q.eu-central-1.amazonaws.com/\n");
    assert_contains(asked, "ListAvailableProfiles");
    free(asked);
}

static void an_endpoint_that_is_named_is_the_only_one(void **state)
{
    struct fixture *f = *state;
    struct seen seen;
    setenv("Q_ENDPOINT_URL", "https://q.example", 1);
    organisation_login();
    assert_int_equal(list(f, &seen, PAGE(PROFILE("A"), "null")), AQ_AGAIN);
    assert_int_equal(seen.profile_count, 1);
    assert_int_equal(support_requests(), 1);
    unsetenv("Q_ENDPOINT_URL");
}

static void a_region_that_cannot_be_asked_is_told_and_passed_over(void **state)
{
    struct fixture *f = *state;
    struct seen seen;
    organisation_login();
    assert_int_equal(list(f, &seen, DENIED PAGE(PROFILE("C"), "null")), AQ_AGAIN);
    assert_contains(f->warning, "us-east-1");
    assert_int_equal(seen.profile_count, 1);
}

static void if_no_region_can_be_asked_that_is_the_answer(void **state)
{
    struct fixture *f = *state;
    struct seen seen;
    organisation_login();
    assert_int_equal(list(f, &seen, DENIED DENIED), AQ_E_ACCESS);
}

static void an_account_without_profiles_has_an_empty_list(void **state)
{
    struct fixture *f = *state;
    struct seen seen;
    organisation_login();
    assert_int_equal(list(f, &seen, NO_PROFILES NO_PROFILES), AQ_AGAIN);
    assert_int_equal(seen.profile_count, 0);
}

static void a_builder_id_has_none(void **state)
{
    struct fixture *f = *state;
    struct seen seen;
    fixture_login(3600, 1);
    assert_int_equal(list(f, &seen, ""), AQ_E_STATE);
    assert_contains(f->err.text, "Builder ID");
    assert_int_equal(support_requests(), 0);
}

static void nobody_who_is_not_logged_in_has_any(void **state)
{
    struct fixture *f = *state;
    struct seen seen;
    assert_int_equal(list(f, &seen, ""), AQ_E_NOT_LOGGED_IN);
}

static void a_list_that_never_ends_does(void **state)
{
    struct fixture *f = *state;
    struct seen seen;
    char script[16384];
    size_t len = 0;
    organisation_login();
    for (int i = 0; i < 64; i++) {
        len += (size_t)snprintf(script + len, sizeof(script) - len,
                                PAGE(PROFILE("%d"), "\"next-%d\""), i, i, i);
    }
    assert_int_equal(list(f, &seen, script), AQ_AGAIN);
    assert_int_equal(support_requests(), 64); /* 32 of each region */
}

/* ---- choices ---- */

static void the_one_that_is_given_is_remembered_as_the_existing_cli_does(void **state)
{
    struct fixture *f = *state;
    struct seen seen;
    organisation_login();
    fixture_put(CUSTOMIZATION_KEY, "{\"arn\":\"of another profile\"}");
    assert_int_equal(list(f, &seen, PAGE(PROFILE("A") "," PROFILE("B"), "null") NO_PROFILES),
                     AQ_AGAIN);
    assert_int_equal(aq_op_wait(f->op, &f->event, &f->err), AQ_E_STATE);
    assert_int_equal(aq_op_give_profile(f->op, AQ_STR("arn:none"), &f->err), AQ_E_INVALID);
    assert_int_equal(aq_op_give_profile(f->op, AQ_STR(ARN("B")), &f->err), AQ_OK);
    assert_int_equal(login_support_finish(f, &seen), AQ_END);
    login_support_assert_row(PROFILE_KEY, "{\"arn\":\"" ARN("B") "\",\"profile_name\":\"B\"}");
    assert_null(fixture_get(CUSTOMIZATION_KEY));
    fixture_assert_row("access-1");
    assert_int_equal(aq_op_give_profile(f->op, AQ_STR(ARN("A")), &f->err), AQ_E_STATE);
}

static void freed_instead_nothing_is_changed(void **state)
{
    struct fixture *f = *state;
    struct seen seen;
    organisation_login();
    assert_int_equal(list(f, &seen, PAGE(PROFILE("A"), "null") NO_PROFILES), AQ_AGAIN);
    fixture_drop(f);
    assert_null(fixture_get(PROFILE_KEY));
}

static void a_choice_that_cannot_be_saved_is_an_error(void **state)
{
    struct fixture *f = *state;
    struct seen seen;
    organisation_login();
    assert_int_equal(list(f, &seen, PAGE(PROFILE("A"), "null") NO_PROFILES), AQ_AGAIN);
    fake_store_fail(FAKE_COMMIT, 0, FAKE_FOR_EVER, AQ_E_READONLY);
    assert_int_equal(aq_op_give_profile(f->op, AQ_STR(ARN("A")), &f->err), AQ_OK);
    assert_int_equal(login_support_finish(f, &seen), AQ_E_READONLY);
    assert_null(fake_store_row(PROFILE_KEY));
}

/* List, let somebody do something, choose. */
static void choose(struct fixture *f, void (*somebody)(void), aq_status want)
{
    struct seen seen;
    organisation_login();
    assert_int_equal(list(f, &seen, PAGE(PROFILE("A"), "null") NO_PROFILES), AQ_AGAIN);
    if (somebody) {
        somebody();
    }
    assert_int_equal(aq_op_give_profile(f->op, AQ_STR(ARN("A")), &f->err), AQ_OK);
    assert_int_equal(login_support_finish(f, &seen), want);
    assert_true(!fake_store_row(PROFILE_KEY) == (want != AQ_END));
    fake_store_remove(PROFILE_KEY);
}

static void a_refresh_that_holds_the_lock_is_not_waited_for(void **state)
{
    fake_store_fail(FAKE_LOCK, 0, FAKE_FOR_EVER, AQ_AGAIN);
    choose(*state, NULL, AQ_END);
}

static void the_login_is_refreshed(void)
{
    fake_store_put(TOKEN_KEY, "{\"access_token\":\"access-2\",\"expires_at\":"
                              "\"2099-02-02T00:00:00Z\",\"refresh_token\":\"refresh-2\","
                              "\"region\":\"us-east-1\",\"start_url\":\"" START_URL
                              "\",\"oauth_flow\":\"DeviceCode\"}");
}

static void the_login_is_removed(void)
{
    fake_store_remove(TOKEN_KEY);
    fake_store_remove(REGISTRATION_KEY);
}

static void somebody_else_signs_in(void)
{
    fake_store_put(REGISTRATION_KEY, "{\"client_id\":\"other\",\"client_secret\":\"secret\","
                                     "\"client_secret_expires_at\":\"2099-01-01T00:00:00Z\","
                                     "\"region\":\"us-east-1\",\"oauth_flow\":\"DeviceCode\"}");
    the_login_is_refreshed();
}

static void somebody_signs_in_elsewhere_with_the_same_registration(void)
{
    fixture_put_token("access-3", "refresh-3", 3600); /* a Builder ID */
}

/* Between the list and the choice, and again between the last look and the commit. */
static void it_is_saved_beside_the_login_it_was_listed_for_or_not_at_all(void **state)
{
    static const struct {
        void (*somebody)(void);
        aq_status want;
    } cases[] = {
        { the_login_is_refreshed, AQ_END },
        { the_login_is_removed, AQ_E_CHANGED },
        { somebody_else_signs_in, AQ_E_CHANGED },
        { somebody_signs_in_elsewhere_with_the_same_registration, AQ_E_CHANGED },
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        choose(f, cases[i].somebody, cases[i].want);
        if (cases[i].want != AQ_END) {
            assert_contains(f->err.text, "choose again");
        }
        fake_store_meet(FAKE_COMMIT, 0, cases[i].somebody);
        choose(f, NULL, cases[i].want);
    }
}

static void only_who_asks_is_given_one(void **state)
{
    struct fixture *f = *state;
    struct seen seen;
    organisation_login();
    start(f, &seen, PAGE(PROFILE("A"), "null") NO_PROFILES);
    assert_int_equal(aq_op_give_profile(f->op, AQ_STR(ARN("A")), &f->err), AQ_E_STATE);
    fixture_start(f, 0, 0);
    assert_int_equal(aq_op_give_profile(f->op, AQ_STR(ARN("A")), &f->err), AQ_E_STATE);
}

/* ---- as a part of a login ---- */

static void several_are_asked_about_and_the_login_goes_on_with_one(void **state)
{
    struct fixture *f = *state;
    struct seen seen;
    const struct aq_login_options options = organisation();
    fixture_play(f, REGISTERED DEVICE("600") TOKENS PAGE(PROFILE("A") "," PROFILE("B"), "null")
                        NO_PROFILES);
    assert_int_equal(login_support_make(f, &seen, &options), AQ_AGAIN);
    fixture_assert_row("access-9"); /* it is saved by now */
    assert_int_equal(aq_op_give_profile(f->op, AQ_STR(ARN("B")), &f->err), AQ_OK);
    assert_int_equal(login_support_finish(f, &seen), AQ_END);
    assert_string_equal(seen.profile_arn, ARN("B"));
    login_support_assert_row(PROFILE_KEY, "{\"arn\":\"" ARN("B") "\",\"profile_name\":\"B\"}");
}

static void a_late_choice_is_saved_although_the_store_is_locked_for_an_instant(void **state)
{
    struct fixture *f = *state;
    struct seen seen;
    const struct aq_login_options options = organisation();
    fixture_play(f, REGISTERED DEVICE("600") TOKENS PAGE(PROFILE("A") "," PROFILE("B"), "null")
                        NO_PROFILES);
    assert_int_equal(login_support_make(f, &seen, &options), AQ_AGAIN);
    fixture_pass(f, 300);
    fake_store_fail(FAKE_LOCK, 0, 1, AQ_AGAIN);
    assert_int_equal(aq_op_give_profile(f->op, AQ_STR(ARN("B")), &f->err), AQ_OK);
    assert_int_equal(login_support_finish(f, &seen), AQ_END);
    assert_string_equal(seen.profile_arn, ARN("B"));
    assert_string_equal(f->warning, "");
}

static void another_login_that_was_made_meanwhile_gets_no_profile_of_this_one(void **state)
{
    struct fixture *f = *state;
    struct seen seen;
    const struct aq_login_options options = organisation();
    fixture_play(f, REGISTERED DEVICE("600") TOKENS PAGE(PROFILE("A") "," PROFILE("B"), "null")
                        NO_PROFILES);
    assert_int_equal(login_support_make(f, &seen, &options), AQ_AGAIN);
    somebody_else_signs_in();
    assert_int_equal(aq_op_give_profile(f->op, AQ_STR(ARN("B")), &f->err), AQ_OK);
    assert_int_equal(login_support_finish(f, &seen), AQ_END);
    assert_contains(f->warning, "changed meanwhile");
    assert_string_equal(seen.profile_arn, "");
    assert_null(fake_store_row(PROFILE_KEY));
}

static void a_login_may_go_on_without_one(void **state)
{
    struct fixture *f = *state;
    struct seen seen;
    const struct aq_login_options options = organisation();
    fixture_play(f, REGISTERED DEVICE("600") TOKENS PAGE(PROFILE("A") "," PROFILE("B"), "null")
                        NO_PROFILES);
    assert_int_equal(login_support_make(f, &seen, &options), AQ_AGAIN);
    assert_int_equal(aq_op_give_profile(f->op, AQ_STR(""), &f->err), AQ_OK);
    assert_int_equal(login_support_finish(f, &seen), AQ_END);
    assert_string_equal(seen.profile_arn, "");
    assert_null(fixture_get(PROFILE_KEY));
}

static void the_one_that_was_named_is_taken_without_a_question(void **state)
{
    struct fixture *f = *state;
    struct seen seen;
    struct aq_login_options options = organisation();
    options.profile_arn = AQ_STR(ARN("B"));
    fixture_play(f, REGISTERED DEVICE("600") TOKENS PAGE(PROFILE("A") "," PROFILE("B"), "null")
                        NO_PROFILES);
    assert_int_equal(login_support_make(f, &seen, &options), AQ_END);
    assert_string_equal(seen.profile_arn, ARN("B"));
}

static void one_that_the_account_does_not_have_is_an_error_and_the_login_is_kept(void **state)
{
    struct fixture *f = *state;
    struct seen seen;
    struct aq_login_options options = organisation();
    options.profile_arn = AQ_STR(ARN("Z"));
    fixture_play(f, REGISTERED DEVICE("600") TOKENS PAGE(PROFILE("A"), "null") NO_PROFILES);
    assert_int_equal(login_support_make(f, &seen, &options), AQ_E_INVALID);
    assert_contains(f->err.text, "the login is kept");
    fixture_assert_row("access-9");
    assert_null(fixture_get(PROFILE_KEY));
}

static void who_waits_for_the_list_knows_that_the_login_is_saved(void **state)
{
    struct fixture *f = *state;
    struct seen seen;
    const struct aq_login_options options = organisation();
    fixture_play(f, "wait 1\n" REGISTERED DEVICE("600") "wait 1\n" TOKENS NEVER);
    login_support_start(f, &seen, &options);
    do {
        assert_string_equal(seen.saved, "");
        assert_int_equal(login_support_next(f, &seen), AQ_OK);
    } while (!strstr(seen.waits, "the list of profiles"));
    assert_string_equal(seen.saved, "access-9");
    fixture_drop(f);
    fixture_assert_row("access-9");
}

static void a_login_is_good_although_the_profiles_cannot_be_listed(void **state)
{
    static const char *const scripts[] = {
        REGISTERED DEVICE("600") TOKENS DENIED DENIED,
        REGISTERED DEVICE("600") TOKENS NEVER NEVER NEVER NEVER NEVER NEVER,
    };
    struct fixture *f = *state;
    const struct aq_login_options options = organisation();
    for (size_t i = 0; i < COUNT(scripts); i++) {
        struct seen seen;
        int64_t begin_s;
        fixture_play(f, scripts[i]);
        login_support_start(f, &seen, &options);
        login_support_visit(f, &seen);
        begin_s = login_support_clock_s();
        assert_int_equal(login_support_finish(f, &seen), AQ_END);
        assert_in_range(login_support_clock_s() - begin_s, 0, 65);
        assert_contains(f->warning, "choose one later");
        assert_string_equal(seen.access, "access-9");
        fixture_assert_row("access-9");
        fixture_remove(TOKEN_KEY);
        fixture_remove(REGISTRATION_KEY);
    }
}

static void without_memory_a_choice_is_saved_or_an_error(void **state)
{
    struct fixture *f = *state;
    bool failed = true;
    organisation_login();
    for (int at = 1; failed; at++) {
        struct seen seen = { 0 };
        fixture_play(f, PAGE(PROFILE("A"), "null") NO_PROFILES);
        no_memory(at);
        aq_status st = aq_profiles_start(f->client, &f->op, &f->err);
        f->op = st == AQ_OK ? f->op : NULL;
        st = st == AQ_OK ? login_support_finish(f, &seen) : st;
        st = st == AQ_AGAIN ? aq_op_give_profile(f->op, AQ_STR(ARN("A")), &f->err) : st;
        st = st == AQ_OK ? login_support_finish(f, &seen) : st;
        failed = no_memory_ended();
        assert_true(st == AQ_END || (failed && st < 0));
        assert_true(st != AQ_END || fake_store_row(PROFILE_KEY));
        fixture_drop(f);
        fake_store_remove(PROFILE_KEY);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(all_pages_of_all_regions_are_listed),
        FAKE_CASE(an_endpoint_that_is_named_is_the_only_one),
        FAKE_CASE(a_region_that_cannot_be_asked_is_told_and_passed_over),
        FAKE_CASE(if_no_region_can_be_asked_that_is_the_answer),
        FAKE_CASE(an_account_without_profiles_has_an_empty_list),
        FAKE_CASE(a_builder_id_has_none),
        FAKE_CASE(nobody_who_is_not_logged_in_has_any),
        FAKE_CASE(a_list_that_never_ends_does),
        CASE(the_one_that_is_given_is_remembered_as_the_existing_cli_does),
        CASE(freed_instead_nothing_is_changed),
        FAKE_CASE(a_choice_that_cannot_be_saved_is_an_error),
        FAKE_CASE(a_refresh_that_holds_the_lock_is_not_waited_for),
        FAKE_CASE(it_is_saved_beside_the_login_it_was_listed_for_or_not_at_all),
        FAKE_CASE(only_who_asks_is_given_one),
        CASE(several_are_asked_about_and_the_login_goes_on_with_one),
        FAKE_CASE(a_late_choice_is_saved_although_the_store_is_locked_for_an_instant),
        FAKE_CASE(another_login_that_was_made_meanwhile_gets_no_profile_of_this_one),
        CASE(a_login_may_go_on_without_one),
        FAKE_CASE(the_one_that_was_named_is_taken_without_a_question),
        FAKE_CASE(one_that_the_account_does_not_have_is_an_error_and_the_login_is_kept),
        FAKE_CASE(who_waits_for_the_list_knows_that_the_login_is_saved),
        FAKE_CASE(a_login_is_good_although_the_profiles_cannot_be_listed),
        FAKE_CASE(without_memory_a_choice_is_saved_or_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
