/* SPDX-License-Identifier: Apache-2.0 */
/* What a logout removes, what it leaves alone, and that nothing of it comes back. */
#include "client/fake_store.h"
#include "client/fixture.h"
#include "host/spill.h"
#include "no_memory.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define CUSTOMIZATION_KEY "api.selectedCustomization"
#define KIRO_TOKEN_KEY "kirocli:odic:token"
#define KIRO_OLD_TOKEN_KEY "kirocli:oidc:token"
#define KIRO_OLD_REGISTRATION_KEY "kirocli:oidc:device-registration"
#define PROFILE "{\"arn\":\"arn:aws:codewhisperer:us-east-1:1:profile/A\",\"profile_name\":\"a\"}"
#define OTHER_REGISTRATION \
    "{\"client_id\":\"other\",\"client_secret\":\"secret\",\"client_secret_expires_at\":" \
    "\"2099-01-01T00:00:00Z\",\"region\":\"us-east-1\",\"oauth_flow\":\"DeviceCode\"}"

static const char *const keys[] = { TOKEN_KEY, REGISTRATION_KEY, PROFILE_KEY, CUSTOMIZATION_KEY };

static void log_in(int64_t expires_in_s)
{
    fixture_login(expires_in_s, 1);
    fixture_put(PROFILE_KEY, PROFILE);
    fixture_put(CUSTOMIZATION_KEY, "{\"arn\":\"c\"}");
}

static void assert_logged_out(void)
{
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        char *row = fixture_get(keys[i]);
        assert_null(row);
    }
}

static void start(struct fixture *f)
{
    fixture_drop(f);
    f->warning[0] = '\0';
    assert_int_equal(aq_logout_start(f->client, NULL, &f->op, &f->err), AQ_OK);
    assert_true(aq_op_may_block(f->op));
}

/* To its end; where it waits for a moment in time, time passes. f->access tells which login went.
 */
static aq_status finish(struct fixture *f)
{
    struct pollfd wait = { .fd = aq_client_fd(f->client), .events = POLLIN };
    aq_status st;
    f->access[0] = '\0';
    while ((st = aq_op_next(f->op, &f->event, &f->err)) >= 0) {
        if (st == AQ_END) {
            break;
        }
        if (st == AQ_AGAIN) {
            fixture_pass(f, poll(&wait, 1, 0) == 1 ? 0 : 1);
        } else if (f->event->type == AQ_EVENT_LOGGED_OUT) {
            snprintf(f->access, sizeof(f->access), "%.*s", AQ_STR_ARG(f->event->token->source));
        } else {
            assert_int_equal(f->event->type, AQ_EVENT_WARNING);
            snprintf(f->warning, sizeof(f->warning), "%.*s", AQ_STR_ARG(f->event->text));
        }
    }
    return st;
}

static aq_status log_out(struct fixture *f)
{
    start(f);
    return finish(f);
}

/* ---- what goes ---- */

static void all_four_rows_go_in_one_commit(void **state)
{
    struct fixture *f = *state;
    log_in(3600);
    assert_int_equal(log_out(f), AQ_END);
    assert_string_equal(f->access, "q-cli");
    assert_string_equal(f->warning, "");
    assert_int_equal(fake_store_calls(FAKE_COMMIT), 1);
    assert_logged_out();
}

static void they_go_from_a_database_too_and_nobody_is_asked(void **state)
{
    struct fixture *f = *state;
    log_in(-60);
    assert_int_equal(log_out(f), AQ_END);
    assert_logged_out();
    assert_int_equal(support_requests(), 0);
    assert_false(f->client->has_transport_plugin);
}

static void the_event_says_whose_login_it_was_and_holds_no_token(void **state)
{
    struct fixture *f = *state;
    log_in(3600);
    start(f);
    assert_int_equal(aq_op_next(f->op, &f->event, &f->err), AQ_OK);
    assert_int_equal(f->event->type, AQ_EVENT_LOGGED_OUT);
    const struct aq_token *token = f->event->token;
    assert_memory_equal(token->store.ptr, "fake", token->store.len);
    assert_memory_equal(token->region.ptr, "us-east-1", token->region.len);
    assert_contains(token->profile_arn.ptr, "profile/A");
    assert_true(token->expires_at.len > 0);
    assert_int_equal(token->access_token.len, 0);
    assert_int_equal(token->refresh_token.len, 0);
}

static void rows_of_others_stay(void **state)
{
    struct fixture *f = *state;
    log_in(3600);
    fixture_put("auth.idc.start-url", "\"https://example.awsapps.com/start\"");
    assert_int_equal(log_out(f), AQ_END);
    assert_non_null(fake_store_row("auth.idc.start-url"));
}

static void what_is_left_of_a_login_goes_whatever_it_is(void **state)
{
    struct fixture *f = *state;
    static const char *const rest[][2] = {
        { TOKEN_KEY, "broken" },
        { TOKEN_KEY, "null" },
        { TOKEN_KEY, "{\"access_token\":\"x\",\"expires_at\":\"2001-01-01T00:00:00Z\"}" },
        { REGISTRATION_KEY, SUPPORT_REGISTRATION },
        { REGISTRATION_KEY, "broken" },
    };
    for (size_t i = 0; i < sizeof(rest) / sizeof(rest[0]); i++) {
        fixture_put(rest[i][0], rest[i][1]);
        assert_int_equal(log_out(f), AQ_END);
        assert_logged_out();
    }
}

static void without_a_login_it_says_so_and_makes_none(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(log_out(f), AQ_E_NOT_LOGGED_IN);
    assert_int_equal(access(support_db(), F_OK), -1);
    log_in(3600);
    assert_int_equal(log_out(f), AQ_END);
    assert_int_equal(log_out(f), AQ_E_NOT_LOGGED_IN);
    fixture_put(PROFILE_KEY, PROFILE); /* is no login */
    assert_int_equal(log_out(f), AQ_E_NOT_LOGGED_IN);
}

/* ---- which login ---- */

static void put_kiro_login(const char *expires_at)
{
    char text[256];
    snprintf(text, sizeof(text), "{\"access_token\":\"kiro\",\"expires_at\":\"%s\"}", expires_at);
    fixture_put(KIRO_TOKEN_KEY, text);
}

static void of_two_logins_the_one_in_use_goes_and_a_warning_names_the_other(void **state)
{
    struct fixture *f = *state;
    fixture_login(3600, 1);
    put_kiro_login("2099-01-01T00:00:00Z");
    assert_int_equal(log_out(f), AQ_END);
    assert_string_equal(f->access, "kiro-cli");
    assert_contains(f->warning, "login: 'q-cli' is there, too");
    assert_contains(f->warning, "--source q-cli");
    assert_null(fake_store_row(KIRO_TOKEN_KEY));
    fixture_assert_row("access-1");
    assert_int_equal(log_out(f), AQ_END);
    assert_string_equal(f->access, "q-cli");
    assert_string_equal(f->warning, "");
}

static void put_copy(const char *token, const char *registration)
{
    fixture_put(KIRO_OLD_TOKEN_KEY, token);
    fixture_put(KIRO_OLD_REGISTRATION_KEY, registration);
}

/* The Kiro CLI of old had other names, and what was under them may still be there. */
static void copies_that_the_program_has_kept_go_in_the_same_commit(void **state)
{
    static const char old[] = "{\"access_token\":\"old\",\"expires_at\":\"2001-01-01T00:00:00Z\"}";
    static const char same[] =
        "{\"access_token\":\"kiro\",\"expires_at\":\"2099-01-01T00:00:00Z\"}";
    static const char *const copies[][2] = {
        { same, OTHER_REGISTRATION },
        { old, SUPPORT_REGISTRATION },
        { "broken", SUPPORT_REGISTRATION },
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(copies) / sizeof(copies[0]); i++) {
        int commits = fake_store_calls(FAKE_COMMIT);
        put_kiro_login("2099-01-01T00:00:00Z");
        fixture_put("kirocli:odic:device-registration", SUPPORT_REGISTRATION);
        fixture_put(PROFILE_KEY, PROFILE);
        put_copy(copies[i][0], copies[i][1]);
        assert_int_equal(log_out(f), AQ_END);
        assert_string_equal(f->warning, "");
        assert_int_equal(fake_store_calls(FAKE_COMMIT), commits + 1);
        assert_null(fake_store_row(KIRO_OLD_TOKEN_KEY));
        assert_null(fake_store_row(KIRO_OLD_REGISTRATION_KEY));
        assert_null(fake_store_row(PROFILE_KEY));
        assert_int_equal(log_out(f), AQ_E_NOT_LOGGED_IN);
    }
}

static void another_login_of_the_same_program_is_no_copy(void **state)
{
    struct fixture *f = *state;
    put_kiro_login("2099-01-01T00:00:00Z");
    fixture_put("kirocli:odic:device-registration", SUPPORT_REGISTRATION);
    fixture_put(PROFILE_KEY, PROFILE);
    put_copy("{\"access_token\":\"old\",\"expires_at\":\"2098-01-01T00:00:00Z\"}",
             OTHER_REGISTRATION);
    assert_int_equal(log_out(f), AQ_END);
    assert_contains(f->warning, "'kiro-cli' is there, too");
    assert_non_null(fake_store_row(KIRO_OLD_TOKEN_KEY));
    assert_non_null(fake_store_row(KIRO_OLD_REGISTRATION_KEY));
    assert_non_null(fake_store_row(PROFILE_KEY));
}

static void the_rest_of_one_login_goes_when_no_other_can_be_used(void **state)
{
    struct fixture *f = *state;
    fixture_put(KIRO_TOKEN_KEY, "broken");
    assert_int_equal(log_out(f), AQ_END);
    assert_string_equal(f->access, "kiro-cli");
    assert_null(fake_store_row(KIRO_TOKEN_KEY));
}

static void only_the_login_that_is_named_is_looked_at(void **state)
{
    struct fixture *f = *state;
    log_in(3600);
    setenv("Q_SOURCE", "kiro-cli", 1);
    aq_status without = log_out(f);
    put_kiro_login("2001-01-01T00:00:00Z");
    aq_status with = log_out(f);
    unsetenv("Q_SOURCE");
    assert_int_equal(without, AQ_E_NOT_LOGGED_IN);
    assert_int_equal(with, AQ_END);
    assert_string_equal(f->access, "kiro-cli");
    assert_string_equal(f->warning, "");
    fixture_assert_row("access-1");
    assert_non_null(fake_store_row(PROFILE_KEY)); /* it is the other login's */
}

static void where_others_keep_the_tokens_nobody_can_log_out(void **state)
{
    struct fixture *f = *state;
    log_in(3600);
    f->client->store_plugin.store.lock = NULL;
    f->client->store_plugin.store.unlock = NULL;
    assert_int_equal(log_out(f), AQ_E_UNSUPPORTED);
    assert_contains(f->err.text, "store 'fake': its tokens are somebody else's");
    fake_store_fail(FAKE_CAN_SAVE, 0, 1, AQ_E_READONLY);
    assert_int_equal(log_out(f), AQ_E_UNSUPPORTED);
    assert_contains(f->err.text, "take the token away where it comes from (fake: failed");
    fixture_play(f, "");
    f->client->store_plugin.store.lock = NULL;
    fake_store_fail(FAKE_OPEN, 0, 1, AQ_E_DENIED);
    assert_int_equal(log_out(f), AQ_E_DENIED);
    fake_store_serve(f->client);
    assert_int_equal(log_out(f), AQ_E_UNSUPPORTED);
    assert_contains(f->err.text, "hands out tokens and no login");
    assert_int_equal(fake_store_calls(FAKE_GET), 0);
    assert_int_equal(fake_store_calls(FAKE_GRANT), 0);
    fixture_assert_row("access-1");
}

static void a_store_of_one_process_needs_no_lock(void **state)
{
    struct fixture *f = *state;
    log_in(3600);
    f->client->store_plugin.store.lock = NULL;
    f->client->store_plugin.store.unlock = NULL;
    f->client->store_plugin.store.traits = 0;
    assert_int_equal(log_out(f), AQ_END);
    assert_logged_out();
}

/* ---- what a refresh has left in a file ---- */

static void what_could_not_be_saved_goes_too_and_is_overwritten(void **state)
{
    struct fixture *f = *state;
    struct buf path = BUF(SPILL_PATH_MAX);
    char left[256] = { 0 };
    log_in(-60);
    assert_int_equal(
        spill_write(AQ_STR(TOKEN_KEY), AQ_STR("refresh-1"), AQ_STR("{\"secret\"}"), &path, &f->err),
        AQ_OK);
    int fd = open((const char *)path.ptr, O_RDONLY | O_CLOEXEC); /* keeps it readable */
    assert_true(fd >= 0);
    assert_int_equal(log_out(f), AQ_END);
    assert_int_equal(access((const char *)path.ptr, F_OK), -1);
    assert_int_equal(read(fd, left, sizeof(left)), strlen("{\"secret\"}"));
    for (size_t i = 0; i < sizeof(left); i++) {
        assert_int_equal(left[i], 0);
    }
    close(fd);
    buf_done(&path);
    fixture_put_token("access-1", "refresh-1", -60); /* even if the row came back */
    assert_int_equal(fixture_fetch(f, AQ_TOKEN_NO_REFRESH, 0), AQ_E_EXPIRED);
}

static void as_long_as_the_row_is_there_so_is_the_file(void **state)
{
    struct fixture *f = *state;
    struct buf path = BUF(SPILL_PATH_MAX);
    log_in(-60);
    assert_int_equal(
        spill_write(AQ_STR(TOKEN_KEY), AQ_STR("refresh-1"), AQ_STR("{}"), &path, &f->err), AQ_OK);
    fake_store_fail(FAKE_COMMIT, 0, 1, AQ_E_READONLY);
    assert_int_equal(log_out(f), AQ_E_READONLY);
    assert_int_equal(access((const char *)path.ptr, F_OK), 0);
    buf_done(&path);
}

/* ---- somebody else ---- */

static void the_login_is_refreshed(void)
{
    fixture_login(7200, 2);
}

static void the_token_is_refreshed_and_the_registration_was_lost(void)
{
    fixture_login(7200, 2);
    fixture_remove(REGISTRATION_KEY);
}

static void the_registration_is_removed(void)
{
    fixture_remove(REGISTRATION_KEY);
}

static void the_token_is_removed(void)
{
    fixture_remove(TOKEN_KEY);
}

static void the_login_is_removed(void)
{
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        fixture_remove(keys[i]);
    }
}

static void somebody_signs_in_anew(void)
{
    fixture_login(7200, 2);
    fixture_put(REGISTRATION_KEY, OTHER_REGISTRATION);
}

static void the_login_is_refreshed_and_will_be_again(void)
{
    fixture_login(7200, 2);
    fixture_put(PROFILE_KEY, fake_store_row(PROFILE_KEY) ? "2" : PROFILE);
    fixture_put(CUSTOMIZATION_KEY, "meanwhile");
    fake_store_fail(FAKE_COMMIT, 0, FAKE_FOR_EVER, AQ_E_CHANGED);
}

static void a_login_that_is_refreshed_meanwhile_goes_all_the_same(void **state)
{
    static void (*const changes[])(void) = { the_login_is_refreshed, the_registration_is_removed,
                                             the_token_is_removed, the_login_is_removed };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        log_in(3600);
        fake_store_meet(FAKE_LOCK, 0, changes[i]); /* while it is waited for */
        assert_int_equal(log_out(f), AQ_END);
        assert_logged_out();
        log_in(3600);
        fake_store_meet(FAKE_COMMIT, 0, changes[i]); /* by somebody who has no lock */
        assert_int_equal(log_out(f), AQ_END);
        assert_logged_out();
    }
}

static void another_login_that_is_made_meanwhile_stays(void **state)
{
    static void (*const changes[])(void) = { somebody_signs_in_anew,
                                             the_token_is_refreshed_and_the_registration_was_lost };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        log_in(3600);
        fake_store_meet(FAKE_COMMIT, 0, changes[i]);
        assert_int_equal(log_out(f), AQ_E_CHANGED);
        assert_contains(f->err.text, "another one was made meanwhile");
        fixture_assert_row("access-2");
    }
}

static void what_is_changed_again_and_again_is_given_up(void **state)
{
    struct fixture *f = *state;
    log_in(3600);
    fake_store_meet(FAKE_COMMIT, 0, the_login_is_refreshed_and_will_be_again);
    assert_int_equal(log_out(f), AQ_E_CHANGED);
    assert_contains(f->err.text, "keeps changing it");
    fixture_assert_row("access-2");
}

/* ---- refreshes that are under way ---- */

static void a_held_lock_is_waited_for_but_not_for_long(void **state)
{
    struct fixture *f = *state;
    log_in(3600);
    fake_store_fail(FAKE_LOCK, 0, 2, AQ_AGAIN);
    assert_int_equal(log_out(f), AQ_END);
    assert_int_equal(fake_store_calls(FAKE_LOCK), 3);
    log_in(3600);
    fake_store_fail(FAKE_LOCK, 0, FAKE_FOR_EVER, AQ_AGAIN);
    start(f);
    uint64_t begun_us = clock_now_us();
    assert_int_equal(finish(f), AQ_END);
    assert_true(clock_now_us() - begun_us <= 2 * 1000 * 1000); /* of a clock that tests move */
    assert_logged_out();
}

static void the_lock_is_let_go_at_the_end(void **state)
{
    struct fixture *f = *state;
    log_in(3600);
    assert_int_equal(log_out(f), AQ_END);
    assert_null(f->client->refreshing);
    fixture_login(-60, 1);
    fixture_play(f, REFRESH_OK);
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_END);
}

static void a_refresh_of_the_same_client_does_not_bring_the_login_back(void **state)
{
    struct fixture *f = *state;
    log_in(-60);
    fixture_play(f, "sleep 5000\n" REFRESH_OK);
    fixture_send(f);
    struct aq_op *refresh = f->op;
    f->op = NULL;
    assert_int_equal(log_out(f), AQ_END); /* without the lock, which the refresh holds */
    fixture_drop(f);
    f->op = refresh;
    assert_int_equal(fixture_finish(f), AQ_E_NOT_LOGGED_IN);
    assert_logged_out();
}

/* ---- stores that fail ---- */

static void whatever_call_fails_the_login_is_kept(void **state)
{
    static const enum fake_call calls[] = { FAKE_LOCK, FAKE_COMMIT };
    struct fixture *f = *state;
    log_in(3600);
    for (size_t c = 0; c < sizeof(calls) / sizeof(calls[0]); c++) {
        fake_store_fail(calls[c], 0, 1, AQ_E_READONLY);
        assert_int_equal(log_out(f), AQ_E_READONLY);
        fixture_assert_row("access-1");
    }
    for (int skip = 0; skip < 13;
         skip++) { /* five to find it, four at first, four under the lock */
        fake_store_fail(FAKE_GET, skip, FAKE_FOR_EVER, AQ_E_IO);
        assert_int_equal(log_out(f), AQ_E_IO);
        fixture_assert_row("access-1");
    }
}

static void what_is_left_is_not_guessed_at_when_it_cannot_be_read(void **state)
{
    struct fixture *f = *state;
    fixture_put(TOKEN_KEY, "broken");
    fake_store_fail(FAKE_GET, 5, 1, AQ_E_IO);
    assert_int_equal(log_out(f), AQ_E_IO);
    fixture_assert_row("broken");
}

static void a_store_that_is_gone_by_now_is_no_obstacle(void **state)
{
    struct fixture *f = *state;
    log_in(3600);
    fake_store_meet(FAKE_LOCK, 0, the_login_is_removed);
    fake_store_fail(FAKE_LOCK, 0, 1, AQ_E_NOTFOUND);
    assert_int_equal(log_out(f), AQ_END);
}

static void a_commit_that_fails_after_it_was_done_counts_as_done(void **state)
{
    struct fixture *f = *state;
    log_in(3600);
    fake_store_fail(FAKE_COMMIT, 0, 1, AQ_E_TIMEOUT);
    assert_int_equal(log_out(f), AQ_END);
    assert_logged_out();
}

static void without_memory_the_login_is_there_whole_or_gone(void **state)
{
    struct fixture *f = *state;
    bool failed = true;
    log_in(3600);
    assert_int_equal(log_out(f), AQ_END); /* the plugin is loaded */
    for (int at = 1; failed; at++) {
        fixture_drop(f);
        log_in(3600);
        no_memory(at);
        aq_status st = aq_logout_start(f->client, NULL, &f->op, &f->err);
        st = st == AQ_OK ? finish(f) : st;
        failed = no_memory_ended();
        assert_true(st == AQ_END || st == AQ_E_NOMEM);
        if (st == AQ_END) {
            assert_logged_out();
        } else {
            fixture_assert_row("access-1");
        }
    }
}

/* ---- the caller ---- */

static void a_caller_that_asks_for_nonsense_is_refused(void **state)
{
    struct fixture *f = *state;
    struct aq_logout_options unset = { 0, 0 };
    struct aq_logout_options set = AQ_LOGOUT_OPTIONS_INIT;
    assert_int_equal(aq_logout_start(f->client, &unset, &f->op, &f->err), AQ_E_INVALID);
    assert_int_equal(aq_logout_start(f->client, &set, &f->op, &f->err), AQ_OK);
}

static void freed_at_any_moment_it_holds_no_lock_and_has_removed_all_or_nothing(void **state)
{
    struct fixture *f = *state;
    log_in(3600);
    start(f);
    fixture_drop(f); /* not begun */
    fake_store_fail(FAKE_LOCK, 0, 1, AQ_AGAIN);
    start(f);
    assert_int_equal(aq_op_next(f->op, &f->event, &f->err), AQ_AGAIN);
    fixture_drop(f); /* waiting */
    assert_null(f->client->refreshing);
    fixture_assert_row("access-1");
    start(f);
    assert_int_equal(aq_op_next(f->op, &f->event, &f->err), AQ_OK);
    fixture_drop(f); /* done, and the end not asked for */
    assert_logged_out();
}

static void in_a_forked_child_it_says_so(void **state)
{
    struct fixture *f = *state;
    int ended = 0;
    start(f);
    pid_t child = fork();
    if (child == 0) {
        struct aq_op *op;
        bool told = aq_op_next(f->op, &f->event, &f->err) == AQ_E_FORKED &&
                    aq_logout_start(f->client, NULL, &op, &f->err) == AQ_E_FORKED;
        aq_op_free(f->op);
        _exit(told ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &ended, 0), child);
    assert_int_equal(ended, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAKE_CASE(all_four_rows_go_in_one_commit),
        CASE(they_go_from_a_database_too_and_nobody_is_asked),
        FAKE_CASE(the_event_says_whose_login_it_was_and_holds_no_token),
        FAKE_CASE(rows_of_others_stay),
        FAKE_CASE(what_is_left_of_a_login_goes_whatever_it_is),
        CASE(without_a_login_it_says_so_and_makes_none),
        FAKE_CASE(of_two_logins_the_one_in_use_goes_and_a_warning_names_the_other),
        FAKE_CASE(copies_that_the_program_has_kept_go_in_the_same_commit),
        FAKE_CASE(another_login_of_the_same_program_is_no_copy),
        FAKE_CASE(the_rest_of_one_login_goes_when_no_other_can_be_used),
        FAKE_CASE(only_the_login_that_is_named_is_looked_at),
        FAKE_CASE(where_others_keep_the_tokens_nobody_can_log_out),
        FAKE_CASE(a_store_of_one_process_needs_no_lock),
        FAKE_CASE(what_could_not_be_saved_goes_too_and_is_overwritten),
        FAKE_CASE(as_long_as_the_row_is_there_so_is_the_file),
        FAKE_CASE(a_login_that_is_refreshed_meanwhile_goes_all_the_same),
        FAKE_CASE(another_login_that_is_made_meanwhile_stays),
        FAKE_CASE(what_is_changed_again_and_again_is_given_up),
        FAKE_CASE(a_held_lock_is_waited_for_but_not_for_long),
        FAKE_CASE(the_lock_is_let_go_at_the_end),
        FAKE_CASE(a_refresh_of_the_same_client_does_not_bring_the_login_back),
        FAKE_CASE(whatever_call_fails_the_login_is_kept),
        FAKE_CASE(what_is_left_is_not_guessed_at_when_it_cannot_be_read),
        FAKE_CASE(a_store_that_is_gone_by_now_is_no_obstacle),
        FAKE_CASE(a_commit_that_fails_after_it_was_done_counts_as_done),
        FAKE_CASE(without_memory_the_login_is_there_whole_or_gone),
        FAKE_CASE(a_caller_that_asks_for_nonsense_is_refused),
        FAKE_CASE(freed_at_any_moment_it_holds_no_lock_and_has_removed_all_or_nothing),
        FAKE_CASE(in_a_forked_child_it_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
