/* SPDX-License-Identifier: Apache-2.0 */
/* Looking at all logins there are: what is found, which is chosen, and that nothing changes. */
#include "base/str.h"
#include "client/fake_store.h"
#include "client/fixture.h"
#include "no_memory.h"

#include <stdio.h>
#include <sys/stat.h>

#define IDE_DIR ".aws/sso/cache"

struct found {
    struct aq_sources *sources;
    struct aq_source source; /* of the last find */
};

static void look(struct fixture *f, struct found *found)
{
    found->source.struct_size = sizeof(found->source);
    assert_int_equal(aq_sources_open(f->client, &found->sources, &f->err), AQ_OK);
}

static bool find(struct fixture *f, struct found *found, const char *name, const char *login)
{
    look(f, found);
    while (aq_sources_next(found->sources, &found->source) == AQ_OK) {
        if (str_eq(found->source.source, str_from(name)) &&
            str_eq(found->source.login, str_from(login))) {
            return true;
        }
    }
    aq_sources_free(found->sources);
    return false;
}

static void assert_found(struct fixture *f, const char *name, const char *login, int32_t state,
                         const char *reason)
{
    struct found found = { 0 };
    assert_true(find(f, &found, name, login));
    assert_int_equal(found.source.state, state);
    assert_true(str_contains(found.source.reason, str_from(reason)));
    aq_sources_free(found.sources);
}

static void rename_login(const char *name)
{
    char dir[512];
    mkdir(fixture_path("amazonq"), 0700);
    mkdir(fixture_path("amazonq/logins"), 0700);
    snprintf(dir, sizeof(dir), "%s/%s", fixture_path("amazonq/logins"), name);
    assert_int_equal(rename(fixture_path("amazon-q"), dir), 0);
}

/* ---- */

static void without_any_login_each_place_is_named_once_and_none_is_made(void **state)
{
    struct fixture *f = *state;
    struct found found = { 0 };
    int count = 0;
    look(f, &found);
    while (aq_sources_next(found.sources, &found.source) == AQ_OK) {
        assert_int_equal(found.source.flags, 0);
        assert_true(found.source.state == AQ_SOURCE_ABSENT ||
                    found.source.state == AQ_SOURCE_EMPTY);
        assert_true(found.source.place.len > 0);
        count++;
    }
    assert_int_equal(count, 5); /* two databases, and what three other programs keep */
    aq_sources_free(found.sources);
    struct stat info;
    assert_int_equal(stat(fixture_path("amazon-q"), &info), -1);
}

static void the_one_that_a_token_comes_from_is_the_one_that_is_chosen(void **state)
{
    struct fixture *f = *state;
    struct found found = { 0 };
    fixture_login(3600, 1);
    fixture_play(f, "");
    assert_true(find(f, &found, "q-cli", ""));
    assert_int_equal(found.source.flags, AQ_SOURCE_CHOSEN | AQ_SOURCE_REFRESHABLE);
    assert_int_equal(found.source.state, AQ_SOURCE_VALID);
    assert_true(str_eq(found.source.kind, AQ_STR("oidc")));
    assert_true(str_eq(found.source.store, AQ_STR("sqlite")));
    assert_true(str_ends(found.source.place, AQ_STR("amazon-q/data.sqlite3")));
    assert_true(str_eq(found.source.start_url, AQ_STR("https://view.awsapps.com/start")));
    assert_true(str_eq(found.source.reason, AQ_STR("used")));
    aq_sources_free(found.sources);
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_END); /* the client is as good as new */
    assert_string_equal(f->access, "access-1");
}

static void an_expired_login_is_not_refreshed_by_looking_at_it(void **state)
{
    struct fixture *f = *state;
    fixture_login(-5, 1);
    fixture_play(f, REFRESH_OK);
    char *before = fixture_get(TOKEN_KEY);
    assert_found(f, "q-cli", "", AQ_SOURCE_EXPIRED, "used once refreshed");
    assert_int_equal(support_requests(), 0);
    char *after = fixture_get(TOKEN_KEY);
    assert_string_equal(after, before);
    free(before);
    free(after);
}

static void a_login_that_the_settings_do_not_mean_says_how_to_name_it(void **state)
{
    struct fixture *f = *state;
    fixture_login(3600, 1);
    setenv("Q_SOURCE", "kiro-cli", 1);
    fixture_play(f, "");
    assert_found(f, "q-cli", "", AQ_SOURCE_VALID, "--source q-cli");
    unsetenv("Q_SOURCE");
}

static void logins_with_names_are_found_and_named(void **state)
{
    struct fixture *f = *state;
    fixture_login(3600, 1);
    rename_login("work");
    fixture_login(-5, 2);
    rename_login("home");
    fixture_login(3600, 3);
    mkdir(fixture_path("amazonq/logins/empty"), 0700);
    mkdir(fixture_path("amazonq/logins/Not-a-Name"), 0700);
    fixture_play(f, "");
    assert_found(f, "q-cli", "", AQ_SOURCE_VALID, "used");
    assert_found(f, "q-cli", "work", AQ_SOURCE_VALID, "--login work");
    assert_found(f, "q-cli", "home", AQ_SOURCE_EXPIRED, "--login home");
    assert_found(f, "q-cli", "empty", AQ_SOURCE_ABSENT, "no such file");
    struct found found = { 0 };
    assert_false(find(f, &found, "q-cli", "Not-a-Name"));
    setenv("Q_LOGIN", "work", 1);
    fixture_play(f, "");
    assert_found(f, "q-cli", "work", AQ_SOURCE_VALID, "used");
    assert_found(f, "q-cli", "", AQ_SOURCE_VALID, "--login default");
    unsetenv("Q_LOGIN");
}

static void what_other_programs_keep_is_chosen_only_when_it_is_named(void **state)
{
    struct fixture *f = *state;
    mkdir(fixture_path(".aws"), 0700);
    mkdir(fixture_path(".aws/sso"), 0700);
    mkdir(fixture_path(IDE_DIR), 0700);
    fixture_write_file(fixture_path(IDE_DIR "/kiro-auth-token.json"),
                       "{\"accessToken\":\"a\",\"refreshToken\":\"r\",\"authMethod\":\"social\","
                       "\"expiresAt\":\"2099-01-01T00:00:00Z\"}");
    assert_found(f, "kiro-ide", "", AQ_SOURCE_VALID, "--source kiro-ide");
    setenv("Q_SOURCE", "kiro-ide", 1);
    fixture_play(f, "");
    struct found found = { 0 };
    assert_true(find(f, &found, "kiro-ide", ""));
    assert_int_equal(found.source.flags, AQ_SOURCE_CHOSEN); /* and not refreshable */
    assert_true(str_eq(found.source.kind, AQ_STR("social")));
    aq_sources_free(found.sources);
    unsetenv("Q_SOURCE");
}

static void a_row_that_makes_no_sense_says_so_and_hides_no_other(void **state)
{
    struct fixture *f = *state;
    fixture_put(TOKEN_KEY, "{\"access_token\":");
    fixture_put("kirocli:social:token",
                "{\"access_token\":\"a\",\"expires_at\":\"2099-01-01T00:00:00Z\"}");
    setenv("Q_DB", support_db(), 1);
    fixture_play(f, "");
    assert_found(f, "q-cli", "", AQ_SOURCE_UNREADABLE, "malformed JSON");
    assert_found(f, "kiro-cli", "", AQ_SOURCE_VALID, "used");
    unsetenv("Q_DB");
}

static void a_store_that_cannot_be_looked_at_is_asked_once_and_shown_once(void **state)
{
    struct fixture *f = *state;
    struct found found = { 0 };
    int count = 0;
    fake_store_fail(FAKE_GET, 0, FAKE_FOR_EVER, AQ_E_BUSY);
    look(f, &found);
    while (aq_sources_next(found.sources, &found.source) == AQ_OK) {
        count += found.source.state == AQ_SOURCE_UNREADABLE;
    }
    aq_sources_free(found.sources);
    assert_int_equal(count, 1);
    assert_int_equal(fake_store_calls(FAKE_GET), 1);
}

static void without_memory_it_is_an_error_and_nothing_leaks(void **state)
{
    struct fixture *f = *state;
    bool failed = true;
    fixture_login(3600, 1);
    for (int at = 1; failed; at++) {
        struct aq_sources *sources = NULL;
        fixture_play(f, "");
        no_memory(at);
        aq_status st = aq_sources_open(f->client, &sources, &f->err);
        failed = no_memory_ended();
        assert_true(st == AQ_OK || failed);
        assert_true(st == AQ_OK || !sources);
        aq_sources_free(sources);
    }
}

static void a_caller_that_forgets_the_size_is_told(void **state)
{
    struct fixture *f = *state;
    struct found found = { 0 };
    look(f, &found);
    found.source.struct_size = 0;
    assert_int_equal(aq_sources_next(found.sources, &found.source), AQ_E_INVALID);
    aq_sources_free(found.sources);
    aq_sources_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(without_any_login_each_place_is_named_once_and_none_is_made),
        CASE(the_one_that_a_token_comes_from_is_the_one_that_is_chosen),
        CASE(an_expired_login_is_not_refreshed_by_looking_at_it),
        CASE(a_login_that_the_settings_do_not_mean_says_how_to_name_it),
        CASE(logins_with_names_are_found_and_named),
        CASE(what_other_programs_keep_is_chosen_only_when_it_is_named),
        CASE(a_row_that_makes_no_sense_says_so_and_hides_no_other),
        FAKE_CASE(a_store_that_cannot_be_looked_at_is_asked_once_and_shown_once),
        FAKE_CASE(without_memory_it_is_an_error_and_nothing_leaks),
        CASE(a_caller_that_forgets_the_size_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
