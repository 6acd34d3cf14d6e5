/* SPDX-License-Identifier: Apache-2.0 */
/* Which login is used, and what is said when there is none. */
#include "client/fake_store.h"
#include "client/fixture.h"
#include "client/source.h"
#include "no_memory.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define KIRO_TOKEN_KEY "kirocli:odic:token"
#define KIRO_TOKEN(expires) \
    "{\"access_token\":\"access-k\",\"expires_at\":\"" expires "\",\"refresh_token\":\"k\"," \
    "\"region\":null,\"oauth_flow\":\"DeviceCode\"}"

static aq_status fetch_from(struct fixture *f, const char *source)
{
    setenv("Q_SOURCE", source, 1);
    aq_status st = fixture_fetch(f, 0, 0);
    unsetenv("Q_SOURCE");
    return st;
}

/* ---- none ---- */

static void without_a_login_it_says_where_was_looked_and_leaves_no_file_behind(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_E_NOT_LOGGED_IN);
    assert_contains(f->err.text, "log in");
    assert_contains(f->err.text, "amazon-q/data.sqlite3 (no such file) or ");
    assert_contains(f->err.text, "kiro-cli/data.sqlite3 (no such file)");
    assert_int_equal(access(fixture_path("amazon-q"), F_OK), -1);

    assert_int_equal(fetch_from(f, "kiro-cli"), AQ_E_NOT_LOGGED_IN);
    assert_contains(f->err.text, "kiro-cli/data.sqlite3 (no such file)");
    assert_null(strstr(f->err.text, "amazon-q"));

    setenv("Q_DB", "/nowhere/at/all.sqlite3", 1);
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_E_NOT_LOGGED_IN);
    unsetenv("Q_DB");
    assert_contains(f->err.text, "none in /nowhere/at/all.sqlite3 (no such file), log in");
}

/* The database may be there: that it cannot be looked at is not the same as "not logged in". */
static void a_directory_that_cannot_be_entered_is_an_error_not_an_absent_login(void **state)
{
    struct fixture *f = *state;
    const char *dir = fixture_path("amazon-q");
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_E_NOT_LOGGED_IN); /* the plugin is loaded */
    fixture_login(3600, 1);
    assert_int_equal(chmod(dir, 0), 0);
    bool root = getuid() == 0; /* for whom there are no closed doors */
    if (root) {
        assert_int_equal(chmod(getenv("HOME"), 0755), 0);
        assert_int_equal(setresuid(1000, 1000, 0), 0);
    }
    aq_status all = fixture_fetch(f, 0, 0);
    struct aq_error err = f->err;
    aq_status one = fetch_from(f, "q-cli");
    if (root) {
        assert_int_equal(setresuid(0, 0, 0), 0);
    }
    assert_int_equal(chmod(dir, 0700), 0);
    assert_int_equal(all, AQ_E_DENIED);
    assert_int_equal(one, AQ_E_DENIED);
    assert_contains(err.text, "amazon-q");
    assert_int_equal(err.sys, EACCES);
}

static void a_directory_that_is_a_file_is_absent_and_one_that_is_a_loop_is_an_error(void **state)
{
    struct fixture *f = *state;
    fixture_write_file(fixture_path("amazon-q"), "");
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_E_NOT_LOGGED_IN);
    assert_int_equal(unlink(fixture_path("amazon-q")), 0);
    assert_int_equal(symlink("amazon-q", fixture_path("amazon-q")), 0);
    assert_int_not_equal(fixture_fetch(f, 0, 0), AQ_E_NOT_LOGGED_IN);
    assert_contains(f->err.text, "amazon-q");
}

static void a_database_without_a_login_is_named(void **state)
{
    struct fixture *f = *state;
    fixture_put("other", "1");
    assert_int_equal(fetch_from(f, "q-cli"), AQ_E_NOT_LOGGED_IN);
    assert_contains(f->err.text, "amazon-q/data.sqlite3, log in");
}

static void a_store_without_a_database_is_named_itself(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_E_NOT_LOGGED_IN);
    assert_contains(f->err.text, "none in store 'fake', log in (q login)");
}

static void a_null_row_is_no_login_and_a_broken_row_is_an_error(void **state)
{
    struct fixture *f = *state;
    fixture_put(TOKEN_KEY, "null");
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_E_NOT_LOGGED_IN);
    fixture_put(TOKEN_KEY, "{\"access_token\":\"secret-in-it\"");
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_E_CORRUPT);
    assert_contains(f->err.text, TOKEN_KEY);
    assert_null(strstr(f->err.text, "secret-in-it"));
}

static void a_region_that_could_be_a_host_name_is_not_asked(void **state)
{
    struct fixture *f = *state;
    fixture_login(-5, 1);
    fixture_put(
        TOKEN_KEY,
        "{\"access_token\":\"a\",\"expires_at\":\"2001-01-01T00:00:00Z\","
        "\"refresh_token\":\"r\",\"region\":\"evil.test/x\",\"oauth_flow\":\"DeviceCode\"}");
    fixture_play(f, REFRESH_OK);
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_E_CORRUPT);
    assert_contains(f->err.text, "no valid region");
    assert_int_equal(support_requests(), 0);
}

/* ---- several ---- */

static void the_latest_of_two_logins_is_chosen_unless_one_is_named(void **state)
{
    struct fixture *f = *state;
    char from[128];
    fixture_login(3600, 1);
    fixture_put(KIRO_TOKEN_KEY, KIRO_TOKEN("2099-01-01T00:00:00Z"));
    snprintf(from, sizeof(from), "%s", fixture_path("amazon-q"));
    assert_int_equal(symlink(from, fixture_path("kiro-cli")), 0); /* the same file format */

    assert_int_equal(fetch_from(f, "auto"), AQ_END);
    assert_string_equal(f->access, "access-k");
    assert_int_equal(fetch_from(f, "q-cli"), AQ_END);
    assert_string_equal(f->access, "access-1");
    assert_int_equal(fetch_from(f, "kiro-cli"), AQ_END);
    assert_string_equal(f->access, "access-k");
    assert_int_equal(fetch_from(f, "elsewhere"), AQ_E_INVALID);
    assert_contains(f->err.text, "'elsewhere' is none of auto, q-cli, kiro-cli");
}

static void of_two_logins_that_end_together_the_first_is_chosen(void **state)
{
    struct fixture *f = *state;
    fixture_put(KIRO_TOKEN_KEY, KIRO_TOKEN("2099-01-01T00:00:00Z"));
    fixture_put(TOKEN_KEY,
                "{\"access_token\":\"access-1\",\"expires_at\":\"2099-01-01T00:00:00Z\"}");
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_END);
    assert_string_equal(f->access, "access-1");
}

static void a_login_beside_one_that_cannot_be_read_is_used_and_the_log_tells(void **state)
{
    struct fixture *f = *state;
    fixture_login(3600, 1);
    fixture_put(KIRO_TOKEN_KEY, "{");
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_END);
    assert_string_equal(f->access, "access-1");
    assert_int_equal(fixture_warned(f, KIRO_TOKEN_KEY), 1);
}

static void of_two_problems_the_first_is_told(void **state)
{
    struct fixture *f = *state;
    fixture_put(TOKEN_KEY, "{");
    fixture_put(KIRO_TOKEN_KEY, "{");
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_E_CORRUPT);
    assert_contains(f->err.text, TOKEN_KEY);
}

/* ---- where the database is ---- */

static void the_database_is_that_of_the_setting_that_ranks_highest(void **state)
{
    struct fixture *f = *state;
    char settings[256];
    char elsewhere[128];
    snprintf(elsewhere, sizeof(elsewhere), "%s", fixture_path("elsewhere.sqlite3"));
    fixture_login(3600, 1);
    assert_int_equal(rename(support_db(), elsewhere), 0);

    setenv("Q_DB", elsewhere, 1);
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_END);
    unsetenv("Q_DB");

    /* settings.json, with a path of the plugin's own */
    snprintf(settings, sizeof(settings), "{\"store.sqlite.path\":\"%s\"}", elsewhere);
    fixture_write_file(fixture_path("amazon-q/settings.json"), settings);
    fixture_play(f, "");
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_END);
    fixture_play(f, "");
    setenv("Q_DB", "/nowhere/at/all.sqlite3", 1); /* the environment ranks higher */
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_E_NOT_LOGGED_IN);
    unsetenv("Q_DB");
}

static void a_path_that_cannot_be_is_refused(void **state)
{
    struct fixture *f = *state;
    char longest[PATH_MAX + 16];
    setenv("Q_DB", "relative.sqlite3", 1);
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_E_INVALID);
    assert_contains(f->err.text, "'relative.sqlite3' is not an absolute path");
    unsetenv("Q_DB");

    memset(longest, '/', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    longest[PATH_MAX - 12] = '\0'; /* room for the program's folder, not for the file */
    setenv("XDG_DATA_HOME", longest, 1);
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_E_NOMEM);
}

static void a_database_is_not_named_for_a_store_that_has_none(void **state)
{
    struct fixture *f = *state;
    setenv("Q_DB", "/some/where.sqlite3", 1);
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_E_INVALID);
    unsetenv("Q_DB");
    assert_contains(f->err.text, "store 'fake' has no database file, leave it out");
}

/* ---- stores that fail ---- */

static void a_store_that_cannot_be_loaded_or_opened_is_the_answer(void **state)
{
    struct fixture *f = *state;
    fixture_login(3600, 1);
    fake_store_fail(FAKE_OPEN, 0, FAKE_FOR_EVER, AQ_E_UNAVAILABLE);
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_E_UNAVAILABLE);
    fake_store_fail(FAKE_OPEN, 0, 0, AQ_OK);
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_END); /* it is tried again */
}

static void a_store_that_does_not_exist_is_the_answer(void **state)
{
    struct fixture *f = *state;
    struct store *store = NULL;
    setenv("Q_STORE", "nothing", 1);
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_E_PLUGIN);
    assert_int_equal(fetch_from(f, "q-cli"), AQ_E_PLUGIN);
    assert_int_equal(source_store(f->client, source_at(0), false, &store, &f->err), AQ_E_PLUGIN);
    unsetenv("Q_STORE");
    assert_null(store);
}

/* ---- the profile ---- */

static void a_profile_without_a_name_we_know_is_none(void **state)
{
    static const char *const cases[] = { "null", "{}", "{\"arn\":7}", "{\"arn\":\"\"}" };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        fixture_login(3600, 1);
        fixture_put(PROFILE_KEY, cases[i]);
        fixture_start(f, 0, 0);
        assert_int_equal(aq_op_wait(f->op, &f->event, &f->err), AQ_OK);
        assert_str(f->event->token->profile_arn, "");
    }
}

static void a_profile_that_cannot_be_read_is_an_error(void **state)
{
    struct fixture *f = *state;
    fixture_login(3600, 1);
    fake_store_fail(FAKE_GET, 5, 1, AQ_E_IO); /* five kinds of tokens, then the profile */
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_E_IO);
}

/* ---- without memory ---- */

static void without_memory_there_is_an_error_and_no_other_login(void **state)
{
    struct fixture *f = *state;
    bool failed = true;
    for (int at = 1; failed; at++) {
        fixture_login(3600, 1);
        fixture_put(PROFILE_KEY, "{\"arn\":\"arn:aws:codewhisperer:eu-central-1:1:profile/X\"}");
        fixture_play(f, "");
        no_memory(at);
        aq_status st = aq_token_start(f->client, NULL, &f->op, &f->err);
        if (st == AQ_OK) {
            st = fixture_finish(f);
        }
        failed = no_memory_ended();
        if (st == AQ_END) {
            assert_string_equal(f->access, "access-1");
        } else {
            assert_int_not_equal(st, AQ_E_NOT_LOGGED_IN);
            assert_int_not_equal(st, AQ_E_LOGIN_NEEDED);
        }
    }
}

static void a_store_that_is_no_file_is_opened_once_for_all_logins(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_E_NOT_LOGGED_IN);
    assert_int_equal(fake_store_calls(FAKE_OPEN), 1);
    assert_int_equal(fake_store_calls(FAKE_GET), 5);
}

static void a_store_that_does_not_answer_is_not_asked_for_the_next_login(void **state)
{
    struct fixture *f = *state;
    fake_store_fail(FAKE_GET, 0, FAKE_FOR_EVER, AQ_E_UNAVAILABLE);
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_E_UNAVAILABLE);
    assert_int_equal(fake_store_calls(FAKE_GET), 1);
}

static void without_memory_it_still_says_that_there_is_no_login(void **state)
{
    struct fixture *f = *state;
    bool failed = true;
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_E_NOT_LOGGED_IN); /* the plugin is loaded */
    for (int at = 1; failed; at++) {
        fixture_drop(f);
        no_memory(at);
        aq_status st = aq_token_start(f->client, NULL, &f->op, &f->err);
        if (st == AQ_OK) {
            st = fixture_finish(f);
        }
        failed = no_memory_ended();
        assert_true(st == AQ_E_NOT_LOGGED_IN || st == AQ_E_NOMEM);
        assert_null(strstr(f->err.text, "null"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(without_a_login_it_says_where_was_looked_and_leaves_no_file_behind),
        CASE(a_directory_that_cannot_be_entered_is_an_error_not_an_absent_login),
        CASE(a_directory_that_is_a_file_is_absent_and_one_that_is_a_loop_is_an_error),
        CASE(a_database_without_a_login_is_named),
        FAKE_CASE(a_store_without_a_database_is_named_itself),
        CASE(a_null_row_is_no_login_and_a_broken_row_is_an_error),
        CASE(a_region_that_could_be_a_host_name_is_not_asked),
        CASE(the_latest_of_two_logins_is_chosen_unless_one_is_named),
        FAKE_CASE(of_two_logins_that_end_together_the_first_is_chosen),
        FAKE_CASE(a_login_beside_one_that_cannot_be_read_is_used_and_the_log_tells),
        FAKE_CASE(of_two_problems_the_first_is_told),
        CASE(the_database_is_that_of_the_setting_that_ranks_highest),
        CASE(a_path_that_cannot_be_is_refused),
        FAKE_CASE(a_database_is_not_named_for_a_store_that_has_none),
        FAKE_CASE(a_store_that_cannot_be_loaded_or_opened_is_the_answer),
        CASE(a_store_that_does_not_exist_is_the_answer),
        FAKE_CASE(a_profile_without_a_name_we_know_is_none),
        FAKE_CASE(a_profile_that_cannot_be_read_is_an_error),
        FAKE_CASE(a_store_that_is_no_file_is_opened_once_for_all_logins),
        FAKE_CASE(a_store_that_does_not_answer_is_not_asked_for_the_next_login),
        CASE(without_memory_there_is_an_error_and_no_other_login),
        CASE(without_memory_it_still_says_that_there_is_no_login),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
