/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens from a store that is a token server: it is told what is wanted, and nothing is refreshed,
 * locked or saved on this side. */
#include "client/fake_store.h"
#include "client/fixture.h"
#include "client/token.h"

/* A login as a token server hands it over: without a refresh token. */
static struct fixture *served(void **state, int64_t expires_in_s)
{
    struct fixture *f = *state;
    fixture_put_token("access-1", "", expires_in_s);
    fixture_play(f, "");
    fake_store_serve(f->client);
    return f;
}

/* Start to replace a token that was refused. */
static void start_rejected(struct fixture *f, const char *rejected)
{
    struct aq_token_options options = AQ_TOKEN_OPTIONS_INIT;
    options.flags = AQ_TOKEN_FORCE_REFRESH;
    fixture_drop(f);
    assert_int_equal(token_start(f->client, &options, (struct aq_str){ rejected, strlen(rejected) },
                                 NULL, &f->op, &f->err),
                     AQ_OK);
}

static void the_wishes_of_the_caller_are_handed_on(void **state)
{
    static const struct {
        uint32_t flags, wished;
        int64_t min_valid_s;
    } cases[] = {
        { 0, 0, 0 },
        { 0, 0, 600 },
        { AQ_TOKEN_FORCE_REFRESH, AQ_WISH_FORCE, 0 },
        { AQ_TOKEN_NO_REFRESH, AQ_WISH_NO_REFRESH, 1 },
        { AQ_TOKEN_AS_STORED, AQ_WISH_NO_REFRESH, 0 },
    };
    struct fixture *f = served(state, 3600);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(fixture_fetch(f, cases[i].flags, cases[i].min_valid_s), AQ_END);
        assert_string_equal(f->access, "access-1");
        assert_int_equal(fake_store_wish().struct_size, sizeof(struct aq_token_wish));
        assert_int_equal(fake_store_wish().flags, cases[i].wished);
        assert_int_equal(fake_store_wish().min_valid_s, cases[i].min_valid_s);
    }
}

static void nothing_is_refreshed_locked_or_saved_on_this_side(void **state)
{
    struct fixture *f = served(state, 30); /* it would be refreshed if it came from a file */
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_END);
    assert_int_equal(fixture_fetch(f, AQ_TOKEN_FORCE_REFRESH, 0), AQ_END);
    assert_int_equal(fake_store_calls(FAKE_CAN_SAVE), 0);
    assert_int_equal(fake_store_calls(FAKE_COMMIT), 0);
    assert_int_equal(support_requests(), 0);
}

static void what_the_server_says_of_the_login_is_the_answer(void **state)
{
    static const aq_status statuses[] = { AQ_E_LOGIN_NEEDED, AQ_E_REFRESH,       AQ_E_EXPIRED,
                                          AQ_E_NOT_SAVED,    AQ_E_NOT_LOGGED_IN, AQ_E_UNAVAILABLE };
    struct fixture *f = served(state, 3600);
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        fake_store_fail(FAKE_GRANT, 0, 1, statuses[i]);
        assert_int_equal(fixture_fetch(f, 0, 0), statuses[i]);
        assert_string_equal(f->err.text, "fake: failed as it was told");
        assert_string_equal(f->access, "");
    }
}

static void a_server_that_needs_time_is_asked_again_until_it_has_the_token(void **state)
{
    struct fixture *f = served(state, 3600);
    fake_store_fail(FAKE_GRANT, 0, 5, AQ_AGAIN);
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_END);
    assert_string_equal(f->access, "access-1");
    assert_int_equal(fake_store_calls(FAKE_GRANT), 5 + 1);
}

static void an_operation_that_waits_for_a_server_can_be_freed(void **state)
{
    struct fixture *f = served(state, 3600);
    fake_store_fail(FAKE_GRANT, 0, FAKE_FOR_EVER, AQ_AGAIN);
    fixture_start(f, 0, 0);
    assert_int_equal(aq_op_next(f->op, &f->event, &f->err), AQ_AGAIN);
    fixture_drop(f);
}

static void a_server_that_never_has_it_is_given_up_after_half_a_minute(void **state)
{
    struct fixture *f = served(state, 3600);
    fake_store_fail(FAKE_GRANT, 0, FAKE_FOR_EVER, AQ_AGAIN);
    fixture_start(f, 0, 0);
    assert_int_equal(aq_op_next(f->op, &f->event, &f->err), AQ_AGAIN);
    fixture_pass(f, 29);
    assert_int_equal(aq_op_next(f->op, &f->event, &f->err), AQ_AGAIN);
    fixture_pass(f, 1);
    assert_int_equal(aq_op_next(f->op, &f->event, &f->err), AQ_E_REFRESH);
    assert_contains(f->err.text, "within 30 s, try again");
}

static void a_rejected_token_is_forced_only_if_the_server_still_hands_it_over(void **state)
{
    struct fixture *f = served(state, 3600);
    start_rejected(f, "access-0");
    assert_int_equal(fixture_finish(f), AQ_END);
    assert_string_equal(f->access, "access-1");
    assert_int_equal(fake_store_wish().flags, 0);

    start_rejected(f, "access-1");
    assert_int_equal(fixture_finish(f), AQ_END);
    assert_int_equal(fake_store_wish().flags, AQ_WISH_FORCE);
}

static void a_token_that_is_not_valid_as_long_as_asked_is_not_handed_out(void **state)
{
    struct fixture *f = served(state, 600);
    assert_int_equal(fixture_fetch(f, 0, 3000), AQ_E_EXPIRED);
    assert_string_equal(f->access, "");
    assert_int_equal(fixture_fetch(f, 0, 300), AQ_END);
}

static void a_token_that_has_expired_on_our_clock_is_not_handed_out(void **state)
{
    struct fixture *f = served(state, -5);
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_E_EXPIRED);
    assert_contains(f->err.text, "store 'fake': handed a token over that has expired");
}

static void what_a_server_may_not_replace_is_too_short_and_no_reason_to_log_in(void **state)
{
    struct fixture *f = served(state, -5);
    assert_int_equal(fixture_fetch(f, AQ_TOKEN_NO_REFRESH, 0), AQ_E_EXPIRED);
    assert_contains(f->err.text, "refreshing was forbidden, allow it");
}

static void a_server_is_asked_for_the_second_login_if_it_has_not_the_first(void **state)
{
    struct fixture *f = served(state, 3600);
    fixture_put("kirocli:odic:token", fake_store_row(TOKEN_KEY));
    fixture_remove(TOKEN_KEY);
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_END);
    assert_string_equal(f->access, "access-1");
    assert_int_equal(fake_store_calls(FAKE_GRANT), 2);

    fixture_remove("kirocli:odic:token");
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_E_NOT_LOGGED_IN);
}

static void the_profile_is_read_as_from_any_store(void **state)
{
    struct fixture *f = served(state, 3600);
    fixture_put(PROFILE_KEY, "{\"arn\":\"arn:aws:codewhisperer:us-east-1:1:profile/X\"}");
    assert_int_equal(aq_token_start(f->client, NULL, &f->op, &f->err), AQ_OK);
    assert_int_equal(aq_op_wait(f->op, &f->event, &f->err), AQ_OK);
    assert_str(f->event->token->profile_arn, "arn:aws:codewhisperer:us-east-1:1:profile/X");
    assert_int_equal(f->event->token->refresh_token.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAKE_CASE(the_wishes_of_the_caller_are_handed_on),
        FAKE_CASE(nothing_is_refreshed_locked_or_saved_on_this_side),
        FAKE_CASE(what_the_server_says_of_the_login_is_the_answer),
        FAKE_CASE(a_server_that_needs_time_is_asked_again_until_it_has_the_token),
        FAKE_CASE(an_operation_that_waits_for_a_server_can_be_freed),
        FAKE_CASE(a_server_that_never_has_it_is_given_up_after_half_a_minute),
        FAKE_CASE(a_rejected_token_is_forced_only_if_the_server_still_hands_it_over),
        FAKE_CASE(a_token_that_is_not_valid_as_long_as_asked_is_not_handed_out),
        FAKE_CASE(a_token_that_has_expired_on_our_clock_is_not_handed_out),
        FAKE_CASE(what_a_server_may_not_replace_is_too_short_and_no_reason_to_log_in),
        FAKE_CASE(a_server_is_asked_for_the_second_login_if_it_has_not_the_first),
        FAKE_CASE(the_profile_is_read_as_from_any_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
