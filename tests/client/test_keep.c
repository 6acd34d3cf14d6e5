/* SPDX-License-Identifier: Apache-2.0 */
/* A new login that its store does not take at once, or not at all. */
#include "base/alloc.h"
#include "base/file.h"
#include "base/str.h"
#include "client/fake_store.h"
#include "client/login_support.h"
#include "host/spill.h"

#include <amazonq/logout.h>
#include <amazonq/settings.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
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
    fixture_play(f, REFRESH_OK);
    make_next(f, &seen, "work"); /* it is still there */
    assert_string_equal(seen.kinds, "L");
}

/* The clients from now on use this collection of the store. */
static void use_collection(const char *name)
{
    struct aq_error err;
    assert_int_equal(aq_settings_change(AQ_STR("store.fake.collection"), str_from(name), &err),
                     AQ_OK);
}

static void each_collection_of_a_store_has_a_file_of_its_own(void **state)
{
    struct fixture *f = *state;
    struct seen seen;
    use_collection("work");
    keep_one(f, "default");
    use_collection("home");
    fixture_play(f, REGISTERED DEVICE("600") TOKENS);
    make_next(f, &seen, "default");
    assert_string_equal(seen.kinds, "VWL");
    use_collection("work");
    fixture_play(f, REFRESH_OK);
    make_next(f, &seen, "default"); /* it is still there */
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

/* What is in the file becomes what is in the one that all collections had once. */
static void move_to_once(const char *path)
{
    AUTO(buf) struct buf rows = BUF(AQ_STORE_VALUE_MAX);
    AUTO(buf) struct buf written = BUF(SPILL_PATH_MAX);
    struct aq_error err;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(file_read(fd, &rows), AQ_OK);
    close(fd);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(spill_write(AQ_STR(TOKEN_KEY), AQ_STR("a new login\nfake\n\n"), buf_str(&rows),
                                 &written, &err),
                     AQ_OK);
}

static void one_that_was_kept_for_all_collections_is_found_once(void **state)
{
    struct fixture *f = *state;
    struct seen seen;
    use_collection("work");
    keep_one(f, "default");
    move_to_once(kept_in(f));
    fixture_play(f, REFRESH_OK);
    make_next(f, &seen, "default");
    assert_string_equal(seen.kinds, "L");
    fake_store_remove(TOKEN_KEY);
    fake_store_remove(REGISTRATION_KEY);
    login_support_assert_nothing();
}

/* ---- the next login ---- */

static void where_the_refresh_token_stays_the_same_it_is_kept(void **state)
{
    struct fixture *f = *state;
    struct seen seen;
    keep_one(f, "work");
    fixture_play(f, ANSWER("200", "{\"accessToken\":\"access-2\",\"expiresIn\":3600}"));
    make_next(f, &seen, "work");
    assert_string_equal(seen.access, "access-2");
    assert_contains(fake_store_row(TOKEN_KEY), "\"refresh_token\":\"refresh-9\"");
    assert_contains(fake_store_row(REGISTRATION_KEY), "new-id");
}

static void one_that_cannot_be_refreshed_is_made_anew(void **state)
{
    static const char *const problems[] = {
        REFRESH_REFUSED,
        ANSWER("401", "{\"error\":\"invalid_client\"}"),
        ANSWER("200", "{}"),
        "error NETWORK\n---\nstatus 503\nbody -\n---\nerror TIMEOUT\n---\n",
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(problems) / sizeof(problems[0]); i++) {
        struct seen seen;
        char script[2048];
        keep_one(f, "work");
        snprintf(script, sizeof(script), "%s" REGISTERED DEVICE("600") TOKENS, problems[i]);
        fixture_play(f, script);
        make_next(f, &seen, "work");
        assert_non_null(strchr(seen.kinds, 'V'));
        assert_string_equal(seen.access, "access-9");
        fake_store_remove(TOKEN_KEY);
        fake_store_remove(REGISTRATION_KEY);
        login_support_assert_nothing();
    }
}

static void it_is_made_anew_in_a_browser_for_who_wants_one(void **state)
{
    struct fixture *f = *state;
    struct seen seen;
    struct aq_login_options options = AQ_LOGIN_OPTIONS_INIT;
    options.flow = AQ_LOGIN_BROWSER;
    keep_one(f, "default");
    fixture_play(f, REFRESH_REFUSED REGISTERED);
    fake_store_name(f->client);
    login_support_start(f, &seen, &options);
    login_support_visit(f, &seen);
    assert_contains(seen.callback_url, "http://127.0.0.1:");
}

static void after_a_logout_it_is_not_found_any_more(void **state)
{
    struct fixture *f = *state;
    keep_one(f, "default");
    fixture_drop(f);
    assert_int_equal(aq_logout_start(f->client, NULL, &f->op, &f->err), AQ_OK);
    assert_int_equal(aq_op_wait(f->op, &f->event, &f->err), AQ_E_NOT_LOGGED_IN);
    login_support_assert_nothing();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAKE_CASE(after_a_second_try_to_save_the_login_goes_on),
        FAKE_CASE(after_a_second_try_to_lock_the_login_goes_on),
        FAKE_CASE(it_is_kept_for_the_place_where_it_was_made),
        FAKE_CASE(each_collection_of_a_store_has_a_file_of_its_own),
        FAKE_CASE(the_file_that_is_named_is_there),
        FAKE_CASE(one_that_was_kept_for_all_collections_is_found_once),
        FAKE_CASE(where_the_refresh_token_stays_the_same_it_is_kept),
        FAKE_CASE(one_that_cannot_be_refreshed_is_made_anew),
        FAKE_CASE(it_is_made_anew_in_a_browser_for_who_wants_one),
        FAKE_CASE(after_a_logout_it_is_not_found_any_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
