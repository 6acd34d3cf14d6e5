/* SPDX-License-Identifier: Apache-2.0 */
/* An answer gets into the store, or into a file; never over a row that is not its predecessor. */
#include "base/json.h"
#include "base/str.h"
#include "client/fake_store.h"
#include "client/fixture.h"
#include "no_memory.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* Send a refresh, let `meanwhile` happen to the store while the answer is on its way, and go on to
 * the end. */
static aq_status refresh_while(struct fixture *f, int64_t min_valid_s, void (*meanwhile)(void))
{
    fixture_login(-5, 1);
    fixture_play(f, "wait 5\n" REFRESH_OK);
    fixture_start(f, 0, min_valid_s);
    assert_int_equal(aq_op_next(f->op, &f->event, &f->err), AQ_AGAIN);
    meanwhile();
    return fixture_finish(f);
}

/* Name of the only file in the state directory; NULL if there is none. */
static const char *spilled(void)
{
    static char name[256];
    int count = 0;
    DIR *list = opendir(fixture_path("state/amazonq"));
    for (struct dirent *entry; list && (entry = readdir(list));) {
        if (entry->d_name[0] != '.') {
            snprintf(name, sizeof(name), "%s", entry->d_name);
            count++;
        }
    }
    if (list) {
        closedir(list);
    }
    assert_true(count <= 1);
    return count ? name : NULL;
}

/* ---- logouts (R9) ---- */

static void the_login_is_removed(void)
{
    fixture_remove(TOKEN_KEY);
    fixture_remove(REGISTRATION_KEY);
}

static void a_logout_during_the_refresh_stays_a_logout(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(refresh_while(f, 0, the_login_is_removed), AQ_E_NOT_LOGGED_IN);
    assert_null(fixture_get(TOKEN_KEY));
}

static void a_logout_in_two_steps_is_waited_for(void **state)
{
    struct fixture *f = *state;
    fixture_login(-5, 1);
    fixture_play(f, "wait 2\n" REFRESH_OK);
    fixture_send(f);
    fixture_remove(TOKEN_KEY);
    fixture_settle(f); /* until it has its answer, and has met the first half of a logout */
    fixture_remove(REGISTRATION_KEY);
    assert_int_equal(fixture_finish(f), AQ_E_NOT_LOGGED_IN);
    assert_null(fixture_get(TOKEN_KEY));
}

static void a_logout_counts_even_if_the_token_would_still_be_valid(void **state)
{
    struct fixture *f = *state;
    fixture_login(600, 1);
    fixture_play(f, "wait 5\n" REFRESH_OK);
    fixture_send(f);
    the_login_is_removed();
    assert_int_equal(fixture_finish(f), AQ_E_NOT_LOGGED_IN);
}

static void a_logout_while_a_save_is_tried_again_leaves_no_file_behind(void **state)
{
    struct fixture *f = *state;
    fixture_login(-5, 1);
    fixture_play(f, REFRESH_OK);
    fake_store_fail(FAKE_COMMIT, 0, FAKE_FOR_EVER, AQ_E_BUSY);
    fixture_start(f, 0, 0);
    fixture_settle(f);
    assert_non_null(spilled());
    the_login_is_removed();
    assert_int_equal(fixture_finish(f), AQ_E_NOT_LOGGED_IN);
    assert_null(spilled());
}

static void the_row_is_removed(void)
{
    fixture_remove(TOKEN_KEY);
}

static void a_row_that_a_careless_program_deleted_meanwhile_is_put_back(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(refresh_while(f, 0, the_row_is_removed), AQ_END);
    assert_string_equal(f->access, "access-2");
    fixture_assert_row("access-2");
}

/* Somebody removes the token, so slowly that it is put back before he is at the registration. */
static void begin_a_slow_logout(struct fixture *f)
{
    fixture_login(-5, 1);
    fixture_play(f, "wait 2\n" REFRESH_OK);
    fixture_send(f);
    fixture_remove(TOKEN_KEY);
    fixture_settle(f);
    while (!fake_store_row(TOKEN_KEY)) {
        fixture_pass(f, 1);
    }
}

static void log_out_slowly(struct fixture *f)
{
    begin_a_slow_logout(f);
    fixture_remove(REGISTRATION_KEY);
}

static void a_row_that_was_put_back_into_a_slow_logout_goes_again(void **state)
{
    struct fixture *f = *state;
    log_out_slowly(f);
    assert_int_equal(fixture_finish(f), AQ_E_NOT_LOGGED_IN);
    assert_null(fixture_get(TOKEN_KEY));
    log_out_slowly(f);
    fake_store_fail(FAKE_COMMIT, 0, 1, AQ_E_BUSY); /* not at once */
    assert_int_equal(fixture_finish(f), AQ_E_NOT_LOGGED_IN);
    assert_null(fixture_get(TOKEN_KEY));
}

static void what_somebody_else_made_of_it_stays(void **state)
{
    struct fixture *f = *state;
    log_out_slowly(f);
    fixture_put_token("other-user", "other", 3600);
    assert_int_equal(fixture_finish(f), AQ_E_REFRESH);
    fixture_assert_row("other-user");
}

static void a_registration_that_cannot_be_looked_at_is_not_gone(void **state)
{
    struct fixture *f = *state;
    begin_a_slow_logout(f);
    fake_store_fail(FAKE_GET, 0, FAKE_FOR_EVER, AQ_E_BUSY);
    assert_int_equal(fixture_finish(f), AQ_END);
    assert_string_equal(f->access, "access-2");
}

static void a_row_that_cannot_be_put_back_at_once_is_put_back_later(void **state)
{
    struct fixture *f = *state;
    fixture_login(-5, 1);
    fixture_play(f, "wait 2\n" REFRESH_OK);
    fixture_send(f);
    fixture_remove(TOKEN_KEY);
    fake_store_fail(FAKE_COMMIT, 0, 8, AQ_E_BUSY);
    assert_int_equal(fixture_finish(f), AQ_END);
    assert_string_equal(f->access, "access-2");
    fixture_assert_row("access-2");
    assert_null(spilled());
}

static void a_row_that_cannot_be_removed_is_given_up_in_time(void **state)
{
    struct fixture *f = *state;
    log_out_slowly(f);
    fake_store_fail(FAKE_COMMIT, 0, FAKE_FOR_EVER, AQ_E_BUSY);
    assert_int_equal(fixture_finish(f), AQ_E_NOT_LOGGED_IN);
}

static void put_registration(const char *id, const char *secret)
{
    char text[256];
    snprintf(text, sizeof(text),
             "{\"client_secret\":\"%s\",\"client_id\":\"%s\",\"client_secret_expires_at\":null,"
             "\"region\":\"us-east-1\",\"oauth_flow\":\"DeviceCode\"}",
             secret, id);
    fixture_put(REGISTRATION_KEY, text);
}

static void another_client_registers_and_the_row_goes(void)
{
    put_registration("other", "secret");
    fixture_remove(TOKEN_KEY);
}

static void a_secret_is_renewed_and_the_row_goes(void)
{
    put_registration("id", "other");
    fixture_remove(TOKEN_KEY);
}

static void the_registration_breaks_and_the_row_goes(void)
{
    fixture_put(REGISTRATION_KEY, "{");
    fixture_remove(TOKEN_KEY);
}

static void a_login_is_not_put_back_while_another_one_begins(void **state)
{
    void (*const cases[])(void) = { another_client_registers_and_the_row_goes,
                                    a_secret_is_renewed_and_the_row_goes,
                                    the_registration_breaks_and_the_row_goes };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(refresh_while(f, 0, cases[i]), AQ_E_NOT_LOGGED_IN);
        assert_null(fixture_get(TOKEN_KEY));
    }
}

static void a_login_is_not_put_back_before_the_registration_was_seen(void **state)
{
    struct fixture *f = *state;
    fixture_login(-5, 1);
    fixture_play(f, "wait 5\n" REFRESH_OK);
    fixture_send(f);
    the_row_is_removed();
    fake_store_fail(FAKE_GET, 1, 1, AQ_E_BUSY); /* token, then registration */
    assert_int_equal(fixture_finish(f), AQ_END);
    fixture_assert_row("access-2");
}

/* ---- other rows ---- */

static void the_row_is_refreshed_by_somebody_else(void)
{
    fixture_login(7200, 7);
}

static void a_newer_token_of_somebody_else_is_used_and_kept(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(refresh_while(f, 0, the_row_is_refreshed_by_somebody_else), AQ_END);
    assert_string_equal(f->access, "access-7");
    fixture_assert_row("access-7");
}

static void another_user_signs_in(void)
{
    fixture_put_token("other-user", "other", 3600);
}

static void the_login_of_somebody_who_signed_in_meanwhile_is_never_written_over(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(refresh_while(f, 7200, another_user_signs_in),
                     AQ_E_REFRESH); /* not good enough for this caller, but not ours to touch */
    assert_string_equal(f->access, "");
    fixture_assert_row("other-user");
    assert_int_equal(refresh_while(f, 0, another_user_signs_in), AQ_END);
    assert_string_equal(f->access, "other-user");
    fixture_assert_row("other-user");
}

static void a_newer_program_writes_its_own_form(void)
{
    fixture_put(TOKEN_KEY, "{\"v2\":{\"refresh_token\":\"precious\"}}");
}

static void a_row_we_cannot_read_is_never_written_over(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(refresh_while(f, 0, a_newer_program_writes_its_own_form), AQ_E_REFRESH);
    fixture_assert_row("{\"v2\":{\"refresh_token\":\"precious\"}}");
}

static void a_program_adds_a_member(void)
{
    char *row = fixture_get(TOKEN_KEY);
    char text[2400];
    row[strlen(row) - 1] = '\0';
    snprintf(text, sizeof(text), "%s,\"added\":\"meanwhile\",\"long\":\"%01000d\"}", row, 0);
    fixture_put(TOKEN_KEY, text);
    free(row);
}

static void what_another_program_changed_beside_the_same_refresh_token_is_kept(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(refresh_while(f, 0, a_program_adds_a_member), AQ_END);
    assert_string_equal(f->access, "access-2");
    fixture_assert_row("\"added\":\"meanwhile\"");
    fixture_assert_row("refresh-2");
}

static void the_registration_is_written_in_another_form(void)
{
    put_registration("id", "secret");
}

static void the_registration_is_that_of_another_client(void)
{
    put_registration("other", "secret");
}

static void the_registration_is_removed(void)
{
    fixture_remove(REGISTRATION_KEY);
}

static void whatever_becomes_of_the_registration_a_spent_token_gets_its_successor(void **state)
{
    void (*const cases[])(void) = { the_registration_is_written_in_another_form,
                                    the_registration_is_that_of_another_client,
                                    the_registration_is_removed };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(refresh_while(f, 0, cases[i]), AQ_END);
        assert_string_equal(f->access, "access-2");
        fixture_assert_row("access-2");
    }
}

/* ---- a store that fails (R6) ---- */

static void a_commit_that_says_it_failed_and_did_not_is_believed_to_the_store(void **state)
{
    struct fixture *f = *state;
    fixture_login(-5, 1);
    fixture_play(f, REFRESH_OK);
    fake_store_fail(FAKE_COMMIT, 0, 1, AQ_E_TIMEOUT);
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_END);
    assert_string_equal(f->access, "access-2");
    assert_string_equal(f->warning, "");
    assert_int_equal(fake_store_calls(FAKE_COMMIT), 1);
    assert_null(spilled());
}

static void a_save_that_failed_is_tried_again_with_the_answer_in_a_private_file(void **state)
{
    struct fixture *f = *state;
    struct stat info;
    fixture_login(-5, 1);
    fixture_play(f, REFRESH_OK);
    fake_store_fail(FAKE_COMMIT, 0, FAKE_FOR_EVER, AQ_E_BUSY);
    fixture_start(f, 0, 0);
    fixture_settle(f);
    char path[512];
    assert_non_null(spilled());
    snprintf(path, sizeof(path), "%s/%s", fixture_path("state/amazonq"), spilled());
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    fake_store_fail(FAKE_COMMIT, 0, 0, AQ_OK);
    assert_int_equal(fixture_finish(f), AQ_END);
    assert_string_equal(f->access, "access-2");
    assert_string_equal(f->warning, "");
    fixture_assert_row("access-2");
    assert_null(spilled());
}

static void a_row_that_cannot_be_looked_at_after_a_failed_save_is_looked_at_again(void **state)
{
    struct fixture *f = *state;
    fixture_login(-5, 1);
    fixture_play(f, "wait 1\n" REFRESH_OK);
    fixture_send(f);
    fake_store_fail(FAKE_COMMIT, 0, 1, AQ_E_IO);
    fake_store_fail(FAKE_GET, 0, 1, AQ_E_IO);
    assert_int_equal(fixture_finish(f), AQ_END);
    fixture_assert_row("access-2");
}

static void when_no_save_succeeds_the_warning_names_the_file(void **state)
{
    struct fixture *f = *state;
    fixture_login(-5, 1);
    fixture_play(f, REFRESH_OK);
    fake_store_fail(FAKE_COMMIT, 0, FAKE_FOR_EVER, AQ_E_IO);
    fixture_start(f, 0, 0);
    fixture_settle(f);
    fixture_pass(f, 15);
    assert_int_equal(fixture_finish(f), AQ_END);
    assert_string_equal(f->access, "access-2");
    assert_contains(f->warning, "refreshed, but kept in ");
    assert_contains(f->warning, spilled());
    assert_contains(f->warning, "failed as it was told");
    fixture_assert_row("access-1");
}

static void when_not_even_a_file_can_be_written_the_warning_says_so(void **state)
{
    struct fixture *f = *state;
    struct aq_str line;
    int32_t level;
    int errors = 0;
    setenv("XDG_RUNTIME_DIR", "/dev/null", 1);
    setenv("XDG_STATE_HOME", "/dev/null", 1);
    fixture_login(-5, 1);
    fixture_play(f, REFRESH_OK);
    fake_store_fail(FAKE_COMMIT, 0, FAKE_FOR_EVER, AQ_E_IO);
    fixture_start(f, 0, 0);
    fixture_settle(f);
    fixture_pass(f, 15);
    assert_int_equal(fixture_finish(f), AQ_END);
    assert_string_equal(f->access, "access-2");
    assert_contains(f->warning, "NOT saved");
    while (aq_client_next_log(f->client, &level, &line) == AQ_OK) {
        errors += level == AQ_CLIENT_LOG_ERROR;
    }
    assert_true(errors >= 2); /* each try to write the file, and the end */
}

/* ---- without memory ---- */

static void assert_row_is_whole(const char *part)
{
    char *row = fixture_get(TOKEN_KEY);
    assert_non_null(row);
    assert_true(json_valid(str_from(row)));
    assert_contains(row, part);
    free(row);
}

static void without_memory_nothing_half_is_saved_over_a_row_that_was_changed(void **state)
{
    void (*const cases[])(void) = { a_program_adds_a_member, the_row_is_removed };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        bool failed = true;
        for (int at = 1; failed; at++) {
            fixture_login(-5, 1);
            fixture_play(f, "sleep 1000\n" REFRESH_OK);
            fixture_send(f);
            cases[i]();
            no_memory(at);
            fixture_pass(f, 1);
            aq_status st = fixture_finish(f);
            failed = no_memory_ended();
            assert_row_is_whole("access-2");
            if (st != AQ_END) { /* it was saved, only not handed out */
                assert_int_equal(st, AQ_E_NOMEM);
            }
        }
    }
}

static void without_memory_for_somebody_elses_row_it_is_read_again(void **state)
{
    struct fixture *f = *state;
    bool failed = true;
    for (int at = 1; failed; at++) {
        fixture_login(-5, 1);
        fixture_play(f, "sleep 1000\n" REFRESH_OK);
        fixture_send(f);
        another_user_signs_in();
        no_memory(at);
        fixture_pass(f, 1);
        assert_int_equal(fixture_finish(f), AQ_END);
        failed = no_memory_ended();
        assert_string_equal(f->access, "other-user");
        assert_row_is_whole("other-user");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_logout_during_the_refresh_stays_a_logout),
        CASE(a_logout_in_two_steps_is_waited_for),
        CASE(a_logout_counts_even_if_the_token_would_still_be_valid),
        FAKE_CASE(a_logout_while_a_save_is_tried_again_leaves_no_file_behind),
        CASE(a_row_that_a_careless_program_deleted_meanwhile_is_put_back),
        FAKE_CASE(a_row_that_was_put_back_into_a_slow_logout_goes_again),
        FAKE_CASE(what_somebody_else_made_of_it_stays),
        FAKE_CASE(a_registration_that_cannot_be_looked_at_is_not_gone),
        FAKE_CASE(a_row_that_cannot_be_put_back_at_once_is_put_back_later),
        FAKE_CASE(a_row_that_cannot_be_removed_is_given_up_in_time),
        CASE(a_login_is_not_put_back_while_another_one_begins),
        FAKE_CASE(a_login_is_not_put_back_before_the_registration_was_seen),
        CASE(a_newer_token_of_somebody_else_is_used_and_kept),
        CASE(the_login_of_somebody_who_signed_in_meanwhile_is_never_written_over),
        CASE(a_row_we_cannot_read_is_never_written_over),
        CASE(what_another_program_changed_beside_the_same_refresh_token_is_kept),
        CASE(whatever_becomes_of_the_registration_a_spent_token_gets_its_successor),
        FAKE_CASE(a_commit_that_says_it_failed_and_did_not_is_believed_to_the_store),
        FAKE_CASE(a_save_that_failed_is_tried_again_with_the_answer_in_a_private_file),
        FAKE_CASE(a_row_that_cannot_be_looked_at_after_a_failed_save_is_looked_at_again),
        FAKE_CASE(when_no_save_succeeds_the_warning_names_the_file),
        FAKE_CASE(when_not_even_a_file_can_be_written_the_warning_says_so),
        FAKE_CASE(without_memory_nothing_half_is_saved_over_a_row_that_was_changed),
        FAKE_CASE(without_memory_for_somebody_elses_row_it_is_read_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
