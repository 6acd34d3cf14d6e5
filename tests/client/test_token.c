/* SPDX-License-Identifier: Apache-2.0 */
/* When a token is handed out as it is, when it is refreshed first, and what is said when neither
 * will do. */
#include "base/clock.h"
#include "client/fake_store.h"
#include "client/fixture.h"
#include "client/token.h"
#include "no_memory.h"

#include <poll.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

/* A child abandons what is the parent's, which a leak checker would report at a regular exit. */
#ifdef __SANITIZE_ADDRESS__
#define end_child _exit
#else
#define end_child exit
#endif

/* ---- a token that is valid ---- */

static void a_fresh_token_is_handed_out_without_a_request(void **state)
{
    struct fixture *f = *state;
    fixture_login(3600, 1);
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_END);
    assert_string_equal(f->access, "access-1");
    assert_string_equal(f->warning, "");
    assert_int_equal(support_requests(), 0);
}

static void a_fresh_token_needs_no_lock_and_no_proof_that_a_save_would_work(void **state)
{
    struct fixture *f = *state;
    fixture_login(3600, 1);
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_END);
    assert_int_equal(fake_store_calls(FAKE_LOCK), 0);
    assert_int_equal(fake_store_calls(FAKE_CAN_SAVE), 0);
    assert_int_equal(fake_store_calls(FAKE_COMMIT), 0);
}

static void the_token_tells_where_it_comes_from(void **state)
{
    struct fixture *f = *state;
    fixture_login(3600, 1);
    fixture_put(PROFILE_KEY, "{\"arn\":\"arn:aws:codewhisperer:eu-central-1:1:profile\\/X\"}");
    assert_int_equal(aq_token_start(f->client, NULL, &f->op, &f->err), AQ_OK);
    assert_int_equal(aq_op_wait(f->op, &f->event, &f->err), AQ_OK);
    assert_int_equal(f->event->type, AQ_EVENT_TOKEN);
    const struct aq_token *token = f->event->token;
    assert_str(token->access_token, "access-1");
    assert_str(token->refresh_token, "refresh-1");
    assert_str(token->token_type, "Bearer");
    assert_str(token->region, "us-east-1");
    assert_str(token->start_url, "https://view.awsapps.com/start");
    assert_str(token->profile_arn, "arn:aws:codewhisperer:eu-central-1:1:profile/X");
    assert_str(token->source, "q-cli");
    assert_str(token->store, "sqlite");
    assert_true(token->expires_at_s > clock_wall_s() + 3500);
    assert_int_equal(aq_op_wait(f->op, &f->event, &f->err), AQ_END);
    assert_int_equal(aq_op_next(f->op, &f->event, &f->err), AQ_END);
}

static void near_its_end_it_is_refreshed_in_good_time_and_failure_is_silent(void **state)
{
    struct fixture *f = *state;
    fixture_login(600, 1);
    fixture_play(f, "status 500\n---\n");
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_END);
    assert_string_equal(f->access, "access-1");
    assert_string_equal(f->warning, "");

    fixture_play(f, REFRESH_OK);
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_END);
    assert_string_equal(f->access, "access-2");
}

static void near_its_end_a_token_that_cannot_be_refreshed_is_handed_out(void **state)
{
    struct fixture *f = *state;
    fixture_login(600, 1);
    fixture_put_token("access-1", "", 600);
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_END);
    assert_string_equal(f->access, "access-1");
    assert_string_equal(f->warning, "");
    assert_int_equal(fake_store_calls(FAKE_LOCK), 0);
}

static void in_its_last_minute_it_survives_a_failed_refresh_with_a_warning(void **state)
{
    struct fixture *f = *state;
    fixture_login(30, 1);
    fixture_play(f, "status 500\n---\n");
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_END);
    assert_string_equal(f->access, "access-1");
    assert_contains(f->warning, "login: valid for ");
}

static void a_token_read_before_a_refresh_that_failed_is_the_one_handed_out(void **state)
{
    struct fixture *f = *state;
    fixture_login(600, 1);
    fixture_play(f, "wait 5\n" REFRESH_REFUSED);
    fixture_send(f);
    fixture_put(TOKEN_KEY, "{\"v2\":{\"refresh_token\":\"precious\"}}");
    assert_int_equal(fixture_finish(f), AQ_END);
    assert_string_equal(f->access, "access-1");
}

/* ---- asking for more, for less, for nothing ---- */

static void who_needs_more_validity_than_there_is_gets_a_refresh_or_an_error(void **state)
{
    struct fixture *f = *state;
    fixture_login(1800, 1);
    fixture_play(f, "status 500\n---\n");
    assert_int_equal(fixture_fetch(f, 0, 3000), AQ_E_REFRESH);
    assert_string_equal(f->access, "");

    fixture_play(f, REFRESH_OK);
    assert_int_equal(fixture_fetch(f, 0, 3000), AQ_END);
    assert_string_equal(f->access, "access-2");

    fixture_play(f, REFRESH_OK); /* an hour is all the service gives */
    assert_int_equal(fixture_fetch(f, 0, 7200), AQ_E_EXPIRED);
    assert_string_equal(f->access, "");
    fixture_assert_row("access-2");
}

static void a_refresh_can_be_forced(void **state)
{
    struct fixture *f = *state;
    fixture_login(3600, 1);
    fixture_play(f, REFRESH_OK);
    assert_int_equal(fixture_fetch(f, AQ_TOKEN_FORCE_REFRESH, 0), AQ_END);
    assert_string_equal(f->access, "access-2");
    assert_int_equal(support_requests(), 1);
}

static void a_forced_refresh_that_fails_hands_out_nothing(void **state)
{
    struct fixture *f = *state;
    fixture_login(3600, 1);
    fixture_play(f, "status 500\n---\n");
    assert_int_equal(fixture_fetch(f, AQ_TOKEN_FORCE_REFRESH, 0), AQ_E_REFRESH);
    assert_string_equal(f->access, "");
}

static void a_rejected_token_is_replaced_unless_another_one_is_there_already(void **state)
{
    struct fixture *f = *state;
    struct aq_token_options options = AQ_TOKEN_OPTIONS_INIT;
    options.flags = AQ_TOKEN_FORCE_REFRESH;
    fixture_login(3600, 1);
    fixture_play(f, REFRESH_OK);
    assert_int_equal(token_start(f->client, &options, AQ_STR("access-0"), NULL, &f->op, &f->err),
                     AQ_OK);
    assert_int_equal(fixture_finish(f), AQ_END);
    assert_string_equal(f->access, "access-1");
    assert_int_equal(support_requests(), 0);
    fixture_drop(f);
    assert_int_equal(token_start(f->client, &options, AQ_STR("access-1"), NULL, &f->op, &f->err),
                     AQ_OK);
    assert_int_equal(fixture_finish(f), AQ_END);
    assert_string_equal(f->access, "access-2");
}

static void refreshing_can_be_forbidden(void **state)
{
    struct fixture *f = *state;
    fixture_login(3600, 1);
    assert_int_equal(fixture_fetch(f, AQ_TOKEN_NO_REFRESH, 0), AQ_END);
    assert_string_equal(f->access, "access-1");
    assert_int_equal(fixture_fetch(f, AQ_TOKEN_NO_REFRESH, 7200), AQ_E_EXPIRED);
    fixture_login(-5, 1);
    assert_int_equal(fixture_fetch(f, AQ_TOKEN_NO_REFRESH, 0), AQ_E_EXPIRED);
    assert_contains(f->err.text, "token: expired at 20");
    assert_contains(f->err.text, "refreshing was forbidden");
    assert_int_equal(support_requests(), 0);
}

static void as_it_is_stored_a_login_is_told_of_whatever_its_state(void **state)
{
    struct fixture *f = *state;
    fixture_login(-5, 1);
    assert_int_equal(fixture_fetch(f, AQ_TOKEN_AS_STORED, 0), AQ_END);
    assert_string_equal(f->access, "access-1");
    assert_string_equal(f->warning, "");
    fixture_remove(REGISTRATION_KEY);
    assert_int_equal(fixture_fetch(f, AQ_TOKEN_AS_STORED, 0), AQ_END);
    fixture_remove(TOKEN_KEY);
    assert_int_equal(fixture_fetch(f, AQ_TOKEN_AS_STORED, 0), AQ_E_NOT_LOGGED_IN);
    assert_int_equal(fake_store_calls(FAKE_LOCK), 0);
    assert_int_equal(fake_store_calls(FAKE_CAN_SAVE), 0);
    assert_int_equal(fake_store_calls(FAKE_COMMIT), 0);
    assert_int_equal(support_requests(), 0);
}

/* ---- a token whose end is not known ---- */

static void a_token_without_an_expiry_is_handed_out_unless_a_minimum_is_asked_for(void **state)
{
    struct fixture *f = *state;
    fixture_login(3600, 1);
    fixture_put(TOKEN_KEY, "{\"access_token\":\"access-1\",\"refresh_token\":\"refresh-1\"}");
    fixture_start(f, 0, 0);
    assert_int_equal(aq_op_wait(f->op, &f->event, &f->err), AQ_OK);
    assert_str(f->event->token->access_token, "access-1");
    assert_int_equal(f->event->token->expires_at.len, 0);
    assert_int_equal(f->event->token->expires_at_s, 0);
    fixture_drop(f);
    assert_int_equal(fixture_fetch(f, AQ_TOKEN_NO_REFRESH, 0), AQ_END);
    assert_int_equal(fixture_fetch(f, AQ_TOKEN_NO_REFRESH, 60), AQ_E_EXPIRED);
    assert_contains(f->err.text, "token: without an expiry, 60 s are needed");
    assert_int_equal(support_requests(), 0);

    fixture_play(f, REFRESH_OK);
    assert_int_equal(fixture_fetch(f, 0, 60), AQ_END);
    assert_string_equal(f->access, "access-2");
}

/* ---- a store that somebody else keeps fresh: shared, and without a lock ---- */

static void somebody_else_keeps_it_fresh(struct fixture *f)
{
    f->client->store_plugin.store.lock = NULL;
    f->client->store_plugin.store.unlock = NULL;
}

static void a_token_that_somebody_else_keeps_fresh_is_marked_and_has_no_refresh_token(void **state)
{
    struct fixture *f = *state;
    fixture_login(3600, 1);
    fixture_start(f, 0, 0);
    assert_int_equal(aq_op_wait(f->op, &f->event, &f->err), AQ_OK);
    assert_int_equal(f->event->token->flags, 0);
    fixture_drop(f);

    somebody_else_keeps_it_fresh(f);
    fixture_start(f, 0, 0);
    assert_int_equal(aq_op_wait(f->op, &f->event, &f->err), AQ_OK);
    assert_int_equal(f->event->token->flags, AQ_TOKEN_EXTERNAL);
    assert_str(f->event->token->access_token, "access-1");
    assert_int_equal(f->event->token->refresh_token.len, 0);
}

static void a_token_that_somebody_else_keeps_fresh_brings_its_profile_along(void **state)
{
    struct fixture *f = *state;
    fixture_put(TOKEN_KEY, "{\"access_token\":\"access-1\",\"profile_arn\":\"arn:aws:x\"}");
    fixture_start(f, 0, 0);
    assert_int_equal(aq_op_wait(f->op, &f->event, &f->err), AQ_OK);
    assert_str(f->event->token->profile_arn, "arn:aws:x");
}

static void
what_somebody_else_keeps_fresh_is_never_refreshed_and_the_store_says_what_to_do(void **state)
{
    struct fixture *f = *state;
    struct aq_token_options options = AQ_TOKEN_OPTIONS_INIT;
    fixture_login(3600, 1);
    somebody_else_keeps_it_fresh(f);
    assert_int_equal(fixture_fetch(f, 0, 7200), AQ_E_EXPIRED);
    assert_contains(f->err.text, "store 'fake': nothing here can renew it, put a new token ");
    assert_contains(f->err.text, " s, 7200 s are needed)");
    assert_int_equal(fixture_fetch(f, AQ_TOKEN_FORCE_REFRESH, 0), AQ_E_REFRESH);
    assert_contains(f->err.text, "(another one was asked for)");
    options.flags = AQ_TOKEN_FORCE_REFRESH;
    assert_int_equal(token_start(f->client, &options, AQ_STR("access-1"), NULL, &f->op, &f->err),
                     AQ_OK);
    assert_int_equal(fixture_finish(f), AQ_E_AUTH);
    assert_contains(f->err.text, "(the service has rejected its token)");
    fixture_drop(f);

    fixture_put_token("access-1", "refresh-1", -5);
    fake_store_fail(FAKE_CAN_SAVE, 0, FAKE_FOR_EVER, AQ_E_READONLY);
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_E_EXPIRED);
    assert_contains(f->err.text, "(expired at 20");
    assert_null(strstr(f->err.text, "nothing here")); /* in the store's own words */
    assert_int_equal(fixture_fetch(f, AQ_TOKEN_NO_REFRESH, 0), AQ_E_EXPIRED);
    fixture_put(TOKEN_KEY, "{\"access_token\":\"access-1\",\"expires_at\":\"2020-01-01T00:00:00."
                           "000000000000000000000000000000000000000000Z\"}");
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_E_EXPIRED);
    assert_contains(f->err.text, "(expired at 2020-01-01T00:00:00.00000000000000000000)");
    fixture_put(TOKEN_KEY, "{\"access_token\":\"access-1\"}");
    assert_int_equal(fixture_fetch(f, 0, 1), AQ_E_EXPIRED);
    assert_contains(f->err.text, "(without an expiry, 1 s are needed)");
    fixture_put(TOKEN_KEY, "{\"access_token\":");
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_E_CORRUPT);
    assert_contains(f->err.text, "fake: malformed JSON at"); /* where, what, what to do */
    assert_contains(f->err.text, ", put a new token there");
    fake_store_fail(FAKE_CAN_SAVE, 0, 0, AQ_OK);
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_E_CORRUPT);
    assert_contains(f->err.text, "store 'fake': malformed JSON at");
    assert_null(strstr(f->err.text, "log in again"));
    assert_int_equal(support_requests(), 0);
    assert_int_equal(fake_store_calls(FAKE_COMMIT), 0);
}

static void options_that_make_no_sense_are_refused(void **state)
{
    struct fixture *f = *state;
    const struct aq_token_options cases[] = {
        { .struct_size = 0 },
        { .struct_size = sizeof(cases[0]), .min_valid_s = -1 },
        { .struct_size = sizeof(cases[0]), .flags = AQ_TOKEN_FORCE_REFRESH | AQ_TOKEN_NO_REFRESH },
        { .struct_size = sizeof(cases[0]), .flags = AQ_TOKEN_AS_STORED | AQ_TOKEN_FORCE_REFRESH },
        { .struct_size = sizeof(cases[0]), .flags = AQ_TOKEN_AS_STORED | AQ_TOKEN_NO_REFRESH },
        { .struct_size = sizeof(cases[0]), .flags = AQ_TOKEN_AS_STORED, .min_valid_s = 1 },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(aq_token_start(f->client, &cases[i], &f->op, &f->err), AQ_E_INVALID);
        assert_null(f->op);
    }
}

/* ---- how long it takes ---- */

static void a_caller_with_a_valid_token_waits_three_seconds_and_the_answer_is_saved(void **state)
{
    struct fixture *f = *state;
    fixture_login(600, 1);
    fixture_play(f, "sleep 10000\n" REFRESH_OK);
    fixture_send(f);
    fixture_pass(f, 2);
    assert_int_equal(aq_op_next(f->op, &f->event, &f->err), AQ_AGAIN);
    fixture_pass(f, 1);
    assert_int_equal(aq_op_next(f->op, &f->event, &f->err), AQ_OK);
    assert_int_equal(f->event->type, AQ_EVENT_TOKEN);
    fixture_pass(f, 7); /* the answer comes, and what was shown stays */
    fixture_settle(f);
    fixture_assert_row("access-2");
    assert_str(f->event->token->access_token, "access-1");
    assert_int_equal(fixture_finish(f), AQ_END);
}

static void a_token_that_stops_to_be_enough_while_we_wait_is_waited_for(void **state)
{
    struct fixture *f = *state;
    fixture_login(602, 1);
    fixture_play(f, "sleep 4000\n" REFRESH_OK);
    fixture_start(f, 0, 600);
    assert_int_equal(aq_op_next(f->op, &f->event, &f->err), AQ_AGAIN);
    fixture_pass(f, 3);
    assert_int_equal(aq_op_next(f->op, &f->event, &f->err), AQ_AGAIN);
    fixture_pass(f, 1);
    assert_int_equal(fixture_finish(f), AQ_END);
    assert_string_equal(f->access, "access-2");
}

static void a_save_that_takes_its_time_does_not_hold_a_caller_with_a_valid_token(void **state)
{
    struct fixture *f = *state;
    fixture_login(600, 1);
    fixture_play(f, REFRESH_OK);
    fake_store_fail(FAKE_COMMIT, 0, FAKE_FOR_EVER, AQ_E_BUSY);
    fixture_start(f, 0, 0);
    fixture_settle(f);
    fixture_pass(f, 3);
    assert_int_equal(fixture_finish(f), AQ_END);
    assert_string_equal(f->access, "access-1");
    fake_store_fail(FAKE_COMMIT, 0, 0, AQ_OK);
    fixture_pass(f, 1);
    fixture_assert_row("access-2");
}

/* ---- operations and clients that end early ---- */

static void an_operation_freed_after_sending_is_finished_by_the_clients_steps(void **state)
{
    struct fixture *f = *state;
    fixture_login(-5, 1);
    fixture_play(f, "wait 20\n" REFRESH_OK);
    fixture_send(f);
    fixture_drop(f);
    fixture_settle(f);
    assert_null(aq_client_ready(f->client)); /* nobody owns it any more */
    fixture_assert_row("access-2");
}

static void an_operation_freed_before_sending_leaves_the_lock_to_others(void **state)
{
    struct fixture *f = *state;
    fixture_login(-5, 1);
    fixture_play(f, REFRESH_OK);
    fake_store_fail(FAKE_LOCK, 0, 1, AQ_AGAIN);
    fixture_start(f, 0, 0);
    assert_int_equal(aq_op_next(f->op, &f->event, &f->err), AQ_AGAIN);
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_END);
    assert_string_equal(f->access, "access-2");
}

static void freeing_the_client_waits_for_a_refresh_that_was_sent(void **state)
{
    struct fixture *f = *state;
    fixture_login(-5, 1);
    fixture_play(f, "wait 50\n" REFRESH_OK);
    fixture_send(f);
    fixture_drop(f);
    aq_client_free(f->client);
    f->client = NULL;
    fixture_assert_row("access-2");
}

static void two_operations_on_one_client_make_one_request(void **state)
{
    struct fixture *f = *state;
    struct aq_op *first;
    fixture_login(-5, 1);
    fixture_play(f, "wait 5\n" REFRESH_OK);
    fixture_send(f);
    first = f->op;
    f->op = NULL;
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_END);
    assert_string_equal(f->access, "access-2");
    assert_int_equal(aq_op_wait(first, &f->event, &f->err), AQ_OK);
    assert_str(f->event->token->access_token, "access-2");
    assert_int_equal(support_requests(), 1);
    aq_op_free(first);
}

static void in_a_forked_child_every_call_says_so_and_the_parent_is_unharmed(void **state)
{
    struct fixture *f = *state;
    int status;
    fixture_login(-5, 1);
    fixture_play(f, "wait 20\n" REFRESH_OK);
    fixture_send(f);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        struct aq_op *other;
        int wrong = aq_op_next(f->op, &f->event, &f->err) != AQ_E_FORKED;
        wrong |= aq_client_step(f->client, &f->err) != AQ_E_FORKED;
        wrong |= aq_token_start(f->client, NULL, &other, &f->err) != AQ_E_FORKED;
        wrong |= aq_client_fd(f->client) != -1 || aq_client_ready(f->client) != NULL;
        aq_op_free(f->op);
        aq_client_free(f->client);
        end_child(wrong);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(fixture_finish(f), AQ_END);
    assert_string_equal(f->access, "access-2");
}

/* ---- what it says ---- */

static void the_log_is_pulled_and_holds_no_secret(void **state)
{
    struct fixture *f = *state;
    struct aq_str line;
    int32_t level;
    int lines = 0;
    fixture_login(-5, 1);
    fixture_play(f, "status 500\n---\n");
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_E_REFRESH);
    while (aq_client_next_log(f->client, &level, &line) == AQ_OK) {
        lines++;
        assert_null(strstr(line.ptr, "refresh-1"));
        assert_null(strstr(line.ptr, "access-1"));
    }
    assert_true(lines > 0);
}

static void a_profile_row_that_makes_no_sense_is_none_and_said_once(void **state)
{
    static const char *const rows[] = {
        "", "{", "[]", "{}", "\"arn:1\"", "{\"arn\":1}", "{\"arn\":\"arn:1\""
    };
    struct fixture *f = *state;
    fixture_login(3600, 1);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        fixture_put(PROFILE_KEY, rows[i]);
        fixture_play(f, "status 500\n---\n");
        for (int again = 0; again < 2; again++) {
            fixture_start(f, 0, 0);
            assert_int_equal(aq_op_wait(f->op, &f->event, &f->err), AQ_OK);
            assert_int_equal(f->event->token->profile_arn.len, 0);
        }
        assert_int_equal(fixture_warned(f, "row '" PROFILE_KEY "' is no object"), 1);
    }
    fixture_put(PROFILE_KEY, "null");
    fixture_play(f, "status 500\n---\n");
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_END);
    assert_int_equal(fixture_warned(f, ""), 0);
}

/* ---- without memory ---- */

static void without_memory_no_operation_is_started(void **state)
{
    struct fixture *f = *state;
    for (int at = 1; at < 10; at++) {
        no_memory(at);
        aq_status st = aq_token_start(f->client, NULL, &f->op, &f->err);
        if (!no_memory_ended()) {
            assert_int_equal(st, AQ_OK);
            return;
        }
        assert_int_equal(st, AQ_E_NOMEM);
        assert_null(f->op);
    }
    fail();
}

static void without_memory_for_a_copy_no_token_is_shown_that_may_change_later(void **state)
{
    struct fixture *f = *state;
    fixture_login(600, 1);
    fixture_play(f, "sleep 10000\n" REFRESH_OK);
    fixture_send(f);
    fixture_pass(f, 3);
    no_memory(1);
    assert_int_equal(aq_op_next(f->op, &f->event, &f->err), AQ_E_NOMEM);
    assert_true(no_memory_ended());
    fixture_pass(f, 7);
    fixture_drop(f);
    fixture_settle(f);
    fixture_assert_row("access-2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_fresh_token_is_handed_out_without_a_request),
        FAKE_CASE(a_fresh_token_needs_no_lock_and_no_proof_that_a_save_would_work),
        CASE(the_token_tells_where_it_comes_from),
        CASE(near_its_end_it_is_refreshed_in_good_time_and_failure_is_silent),
        FAKE_CASE(near_its_end_a_token_that_cannot_be_refreshed_is_handed_out),
        CASE(in_its_last_minute_it_survives_a_failed_refresh_with_a_warning),
        CASE(a_token_read_before_a_refresh_that_failed_is_the_one_handed_out),
        CASE(who_needs_more_validity_than_there_is_gets_a_refresh_or_an_error),
        CASE(a_refresh_can_be_forced),
        CASE(a_forced_refresh_that_fails_hands_out_nothing),
        CASE(a_rejected_token_is_replaced_unless_another_one_is_there_already),
        CASE(refreshing_can_be_forbidden),
        FAKE_CASE(as_it_is_stored_a_login_is_told_of_whatever_its_state),
        CASE(a_token_without_an_expiry_is_handed_out_unless_a_minimum_is_asked_for),
        FAKE_CASE(a_token_that_somebody_else_keeps_fresh_is_marked_and_has_no_refresh_token),
        FAKE_CASE(a_token_that_somebody_else_keeps_fresh_brings_its_profile_along),
        FAKE_CASE(what_somebody_else_keeps_fresh_is_never_refreshed_and_the_store_says_what_to_do),
        CASE(options_that_make_no_sense_are_refused),
        CASE(a_caller_with_a_valid_token_waits_three_seconds_and_the_answer_is_saved),
        CASE(a_token_that_stops_to_be_enough_while_we_wait_is_waited_for),
        FAKE_CASE(a_save_that_takes_its_time_does_not_hold_a_caller_with_a_valid_token),
        CASE(an_operation_freed_after_sending_is_finished_by_the_clients_steps),
        FAKE_CASE(an_operation_freed_before_sending_leaves_the_lock_to_others),
        CASE(freeing_the_client_waits_for_a_refresh_that_was_sent),
        CASE(two_operations_on_one_client_make_one_request),
        CASE(in_a_forked_child_every_call_says_so_and_the_parent_is_unharmed),
        CASE(the_log_is_pulled_and_holds_no_secret),
        CASE(a_profile_row_that_makes_no_sense_is_none_and_said_once),
        CASE(without_memory_no_operation_is_started),
        CASE(without_memory_for_a_copy_no_token_is_shown_that_may_change_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
