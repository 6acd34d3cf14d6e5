/* SPDX-License-Identifier: Apache-2.0 */
/* Logins with names, beside the usual ones. */
#include "client/fixture.h"
#include "client/place.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* The usual login becomes one that is called `name`. */
static void rename_login(const char *name)
{
    char dir[512];
    mkdir(fixture_path("amazonq"), 0700);
    mkdir(fixture_path("amazonq/logins"), 0700);
    snprintf(dir, sizeof(dir), "%s/%s", fixture_path("amazonq/logins"), name);
    assert_int_equal(rename(fixture_path("amazon-q"), dir), 0);
}

/* With a new client, whose transport plays this. */
static aq_status fetch_named(struct fixture *f, const char *name, const char *script)
{
    fixture_play(f, script);
    setenv("Q_LOGIN", name, 1);
    aq_status st = fixture_fetch(f, 0, 0);
    unsetenv("Q_LOGIN");
    return st;
}

static void logins_with_names_are_kept_apart(void **state)
{
    struct fixture *f = *state;
    fixture_login(3600, 1);
    rename_login("work");
    fixture_login(3600, 2);
    rename_login("home");
    fixture_login(3600, 3);
    assert_int_equal(fetch_named(f, "work", ""), AQ_END);
    assert_string_equal(f->access, "access-1");
    assert_int_equal(fetch_named(f, "home", ""), AQ_END);
    assert_string_equal(f->access, "access-2");
    fixture_play(f, "");
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_END);
    assert_string_equal(f->access, "access-3");
    assert_int_equal(fetch_named(f, "default", ""), AQ_END); /* the usual one has no other name */
    assert_string_equal(f->access, "access-3");
}

static void a_login_with_a_name_is_refreshed_and_saved_where_it_is(void **state)
{
    struct fixture *f = *state;
    fixture_login(3600, 3);
    char *usual = fixture_get(TOKEN_KEY);
    assert_int_equal(rename(fixture_path("amazon-q"), fixture_path("aside")), 0);
    fixture_login(-5, 1);
    rename_login("work");
    assert_int_equal(fetch_named(f, "work", REFRESH_OK), AQ_END);
    assert_string_equal(f->access, "access-2");
    assert_int_equal(fetch_named(f, "work", ""), AQ_END); /* from the store */
    assert_string_equal(f->access, "access-2");
    assert_int_equal(rename(fixture_path("aside"), fixture_path("amazon-q")), 0);
    char *still = fixture_get(TOKEN_KEY);
    assert_string_equal(still, usual);
    free(usual);
    free(still);
}

static void a_login_that_is_not_there_is_looked_for_nowhere_else(void **state)
{
    struct fixture *f = *state;
    fixture_login(3600, 1);
    assert_int_equal(fetch_named(f, "work", ""), AQ_E_NOT_LOGGED_IN);
    assert_contains(
        f->err.text,
        "amazonq/logins/work/data.sqlite3 (no such file), log in (q login --login work)");
    assert_null(strstr(f->err.text, "amazon-q"));
    assert_int_equal(access(fixture_path("amazonq"), F_OK), -1);
}

static void a_name_that_could_leave_its_directory_is_none(void **state)
{
    struct fixture *f = *state;
    static const char *const bad[] = {
        "../x", "a/b", "Work", "1st", "-x", "a b", "a.b", "\xc3\xa9"
    };
    char longest[66];
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(fetch_named(f, bad[i], ""), AQ_E_INVALID);
        assert_contains(f->err.text, "setting 'login'");
    }
    memset(longest, 'a', 65);
    longest[65] = '\0';
    assert_false(place_name_is_valid((struct aq_str){ longest, 65 }));
    assert_true(place_name_is_valid((struct aq_str){ longest, 64 }));
    assert_true(place_name_is_valid(AQ_STR("a-b_2")));
}

static void a_database_and_a_login_that_are_both_named_are_one_too_many(void **state)
{
    struct fixture *f = *state;
    fixture_login(3600, 1);
    setenv("Q_DB", support_db(), 1);
    assert_int_equal(fetch_named(f, "work", ""), AQ_E_INVALID);
    assert_contains(f->err.text, "leave one of them out");
    unsetenv("Q_DB");
}

static void what_the_caller_names_beats_what_the_environment_names(void **state)
{
    struct fixture *f = *state;
    const struct aq_client_setting settings[] = {
        { AQ_STR_INIT("plugin.path"), AQ_STR_INIT(AQ_TEST_PLUGIN_DIR) },
        { AQ_STR_INIT("db"), { support_db(), strlen(support_db()) } },
    };
    struct aq_client_options options = AQ_CLIENT_OPTIONS_INIT;
    const struct aq_event *event;
    options.settings = settings;
    options.setting_count = 2;
    fixture_login(3600, 1);
    fixture_drop(f);
    aq_client_free(f->client);
    setenv("Q_LOGIN", "work", 1);
    assert_int_equal(aq_client_new(&options, &f->client, &f->err), AQ_OK);
    assert_int_equal(aq_token_start(f->client, NULL, &f->op, &f->err), AQ_OK);
    assert_int_equal(aq_op_wait(f->op, &event, &f->err), AQ_OK);
    unsetenv("Q_LOGIN");
    assert_int_equal(event->type, AQ_EVENT_TOKEN);
    assert_int_equal(event->token->login.len, 0);
}

static void a_token_says_the_name_of_its_login(void **state)
{
    struct fixture *f = *state;
    const struct aq_event *event;
    fixture_login(3600, 1);
    rename_login("work");
    setenv("Q_LOGIN", "work", 1);
    fixture_start(f, 0, 0);
    assert_int_equal(aq_op_wait(f->op, &event, &f->err), AQ_OK);
    assert_int_equal(event->token->login.len, 4);
    assert_memory_equal(event->token->login.ptr, "work", 4);
    unsetenv("Q_LOGIN");
}

static void a_store_with_one_login_takes_no_name_but_lets_a_default_pass(void **state)
{
    struct fixture *f = *state;
    fixture_login(3600, 1);
    assert_int_equal(fetch_named(f, "work", ""), AQ_E_INVALID);
    assert_contains(f->err.text, "store 'fake' has one login");
    fixture_drop(f);
    mkdir(fixture_path("amazon-q"), 0700);
    fixture_write_file(fixture_path("amazon-q/settings.json"), "{\"login\":\"work\"}");
    fixture_play(f, "");
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_END);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(logins_with_names_are_kept_apart),
        CASE(a_login_with_a_name_is_refreshed_and_saved_where_it_is),
        CASE(a_login_that_is_not_there_is_looked_for_nowhere_else),
        CASE(a_name_that_could_leave_its_directory_is_none),
        CASE(a_database_and_a_login_that_are_both_named_are_one_too_many),
        CASE(what_the_caller_names_beats_what_the_environment_names),
        CASE(a_token_says_the_name_of_its_login),
        FAKE_CASE(a_store_with_one_login_takes_no_name_but_lets_a_default_pass),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
