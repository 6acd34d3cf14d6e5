/* SPDX-License-Identifier: Apache-2.0 */
/* A new login that its store does not take at once, or not at all. */
#include "client/fake_store.h"
#include "client/login_support.h"

#include <dirent.h>
#include <unistd.h>

static struct aq_login_options organisation(void)
{
    struct aq_login_options options = AQ_LOGIN_OPTIONS_INIT;
    options.flags = AQ_LOGIN_ORGANISATION;
    options.start_url = AQ_STR(START_URL);
    options.region = AQ_STR("eu-west-1");
    return options;
}

/* ---- a store that takes it a little later ---- */

static void after_a_second_try_to_save_the_login_goes_on(void **state)
{
    struct fixture *f = *state;
    struct seen seen;
    const struct aq_login_options options = organisation();
    fixture_play(f, REGISTERED DEVICE("600") TOKENS "wait 1\n" ONE_PROFILE NO_PROFILES);
    fake_store_fail(FAKE_COMMIT, 0, 1, AQ_E_BUSY);
    assert_int_equal(login_support_make(f, &seen, &options), AQ_END);
    assert_string_equal(seen.profile_arn, "arn:aws:codewhisperer:us-east-1:1:profile/A");
}

static void after_a_second_try_to_lock_the_login_goes_on(void **state)
{
    struct fixture *f = *state;
    struct seen seen;
    fixture_play(f, REGISTERED DEVICE("600") TOKENS);
    fake_store_fail(FAKE_LOCK, 1, 1, AQ_AGAIN);
    assert_int_equal(login_support_make(f, &seen, NULL), AQ_END);
    assert_int_equal(aq_client_step(f->client, &f->err), AQ_OK);
    assert_string_equal(seen.access, "access-9");
}

/* ---- a store that does not take it ---- */

/* A login of this name that is made, and is in a file by the end. */
static void keep_one(struct fixture *f, const char *name)
{
    struct seen seen;
    setenv("Q_LOGIN", name, 1);
    fixture_play(f, REGISTERED DEVICE("600") TOKENS);
    fake_store_name(f->client);
    fake_store_fail(FAKE_COMMIT, 0, FAKE_FOR_EVER, AQ_E_IO);
    assert_int_equal(login_support_make(f, &seen, NULL), AQ_E_IO);
    fake_store_fail(FAKE_COMMIT, 0, 0, AQ_OK);
    unsetenv("Q_LOGIN");
}

/* What the next login of this name reports. */
static void make_next(struct fixture *f, struct seen *seen, const char *name)
{
    fake_store_remove(TOKEN_KEY);
    fake_store_remove(REGISTRATION_KEY);
    setenv("Q_LOGIN", name, 1);
    fake_store_name(f->client);
    assert_int_equal(login_support_make(f, seen, NULL), AQ_END);
    unsetenv("Q_LOGIN");
}

static void it_is_kept_for_the_place_where_it_was_made(void **state)
{
    struct fixture *f = *state;
    struct seen seen;
    keep_one(f, "work");
    fixture_play(f, REGISTERED DEVICE("600") TOKENS);
    make_next(f, &seen, "home");
    assert_string_equal(seen.kinds, "VWL"); /* somebody had to confirm it */
    fixture_play(f, "");
    make_next(f, &seen, "work"); /* it is still there */
    assert_string_equal(seen.kinds, "L");
}

/* The file, as the error names it. */
static const char *kept_in(struct fixture *f)
{
    char *path = strstr(f->err.text, "/");
    assert_contains(f->err.text, "kept in /");
    path[strcspn(path, " ")] = '\0';
    return path;
}

static void another_login_of_the_place_is_saved(void)
{
    DIR *dir = opendir(fixture_path("state/amazonq"));
    const struct dirent *entry;
    assert_non_null(dir);
    while ((entry = readdir(dir))) {
        unlinkat(dirfd(dir), entry->d_name, 0);
    }
    closedir(dir);
}

static void the_file_that_is_named_is_there(void **state)
{
    struct fixture *f = *state;
    fake_store_meet(FAKE_COMMIT, 5, another_login_of_the_place_is_saved);
    keep_one(f, "work");
    assert_int_equal(access(kept_in(f), R_OK), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAKE_CASE(after_a_second_try_to_save_the_login_goes_on),
        FAKE_CASE(after_a_second_try_to_lock_the_login_goes_on),
        FAKE_CASE(it_is_kept_for_the_place_where_it_was_made),
        FAKE_CASE(the_file_that_is_named_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
