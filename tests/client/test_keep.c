/* SPDX-License-Identifier: Apache-2.0 */
/* A new login that its store does not take at once, or not at all. */
#include "client/fake_store.h"
#include "client/login_support.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAKE_CASE(after_a_second_try_to_save_the_login_goes_on),
        FAKE_CASE(after_a_second_try_to_lock_the_login_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
