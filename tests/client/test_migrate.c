/* SPDX-License-Identifier: Apache-2.0 */
/* Moving a login between a real database and a store that fails, or is interfered with. */
#include "client/fake_store.h"
#include "client/fixture.h"
#include "no_memory.h"

#include <poll.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROFILE "{\"arn\":\"arn:aws:codewhisperer:us-east-1:1:profile/A\",\"profile_name\":\"a\"}"
#define OTHER_REGISTRATION \
    "{\"client_id\":\"other\",\"client_secret\":\"secret\",\"client_secret_expires_at\":" \
    "\"2099-01-01T00:00:00Z\",\"region\":\"us-east-1\",\"oauth_flow\":\"DeviceCode\"}"

/* The other client of a case: with the fake store if the fixture's has the database, or the other
 * way round. */
static struct aq_client *other;
static int setup_to_fake(void **state)
{
    fixture_setup(state);
    other = support_client();
    fake_store_install(other);
    fixture_login(3600, 1);
    fixture_put(PROFILE_KEY, PROFILE);
    return 0;
}

static int setup_from_fake(void **state)
{
    fixture_setup_fake(state);
    other = support_client();
    fixture_login(3600, 1);
    fixture_put(PROFILE_KEY, PROFILE);
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    fixture_drop(f);
    aq_client_free(other);
    return fixture_teardown(state);
}

static aq_status start(struct fixture *f, uint32_t flags)
{
    struct aq_migrate_options options = AQ_MIGRATE_OPTIONS_INIT;
    options.flags = flags;
    fixture_drop(f);
    f->access[0] = f->warning[0] = '\0';
    return aq_migrate_start(f->client, other, &options, &f->op, &f->err);
}

/* To its end. Where it waits for a moment in time, time passes. */
static aq_status finish(struct fixture *f)
{
    struct pollfd wait = { .fd = aq_client_fd(f->client), .events = POLLIN };
    aq_status st = AQ_OK;
    while (st == AQ_OK || st == AQ_AGAIN) {
        st = aq_op_next(f->op, &f->event, &f->err);
        if (st == AQ_AGAIN) {
            fixture_pass(f, poll(&wait, 1, 0) == 1 ? 0 : 1);
        } else if (st == AQ_OK && f->event->type == AQ_EVENT_MIGRATED) {
            snprintf(f->access, sizeof(f->access), "%.*s",
                     AQ_STR_ARG(f->event->token->access_token));
        } else if (st == AQ_OK) {
            assert_int_equal(f->event->type, AQ_EVENT_WARNING);
            snprintf(f->warning, sizeof(f->warning), "%.*s", AQ_STR_ARG(f->event->text));
        }
    }
    return st;
}

static aq_status migrate(struct fixture *f, uint32_t flags)
{
    assert_int_equal(start(f, flags), AQ_OK);
    assert_true(aq_op_may_block(f->op));
    return finish(f);
}

/* What the fake store and the database hold under this key; NULL: nothing. */
static const char *in_fake(const char *key)
{
    return fake_store_row(key);
}

static char *in_database(const char *key)
{
    return support_get(key);
}

static void assert_same(const char *key)
{
    char *row = in_database(key);
    assert_non_null(row);
    assert_non_null(in_fake(key));
    assert_string_equal(row, in_fake(key));
    free(row);
}

static void assert_not_in_database(const char *key)
{
    char *row = in_database(key);
    assert_null(row);
}

/* The login of the fixture is where it was, untouched. */
static void assert_kept(const char *generation)
{
    fixture_assert_row(generation);
}

/* ---- copying ---- */

static void all_rows_are_copied_and_a_warning_says_that_there_are_two_now(void **state)
{
    struct fixture *f = *state;
    fixture_put("api.selectedCustomization", "{\"arn\":\"c\"}");
    assert_int_equal(migrate(f, 0), AQ_END);
    assert_string_equal(f->access, "access-1");
    assert_contains(f->warning, "is in both stores now");
    assert_same(TOKEN_KEY);
    assert_same(REGISTRATION_KEY);
    assert_same(PROFILE_KEY);
    assert_same("api.selectedCustomization");
}

static void a_purge_removes_them_and_warns_of_nothing(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(migrate(f, AQ_MIGRATE_PURGE), AQ_END);
    assert_string_equal(f->warning, "");
    assert_non_null(in_fake(TOKEN_KEY));
    assert_not_in_database(TOKEN_KEY);
    assert_not_in_database(REGISTRATION_KEY);
    assert_not_in_database(PROFILE_KEY);
}

/* The Kiro CLI of old had other names; what is under them would be found, and refreshed, next. */
static void a_purge_removes_the_copies_under_names_of_old_too(void **state)
{
    static const char token[] =
        "{\"access_token\":\"kiro\",\"expires_at\":\"2099-01-01T00:00:00Z\"}";
    struct fixture *f = *state;
    setenv("Q_SOURCE", "kiro-cli", 1);
    fake_store_reset();
    fixture_put("kirocli:odic:token", token);
    fixture_put("kirocli:odic:device-registration", SUPPORT_REGISTRATION);
    fixture_put("kirocli:oidc:token", token);
    fixture_put("kirocli:oidc:device-registration", SUPPORT_REGISTRATION);
    fixture_play(f, "");
    aq_status first = migrate(f, AQ_MIGRATE_PURGE);
    aq_status again = migrate(f, AQ_MIGRATE_PURGE);
    unsetenv("Q_SOURCE");
    assert_int_equal(first, AQ_END);
    assert_int_equal(again, AQ_E_NOT_LOGGED_IN);
    assert_null(in_fake("kirocli:oidc:token"));
    assert_null(in_fake("kirocli:oidc:device-registration"));
    assert_not_in_database("kirocli:oidc:token");
}

static void a_purge_leaves_the_profile_to_the_other_login_beside_it(void **state)
{
    struct fixture *f = *state;
    fixture_put("kirocli:odic:token",
                "{\"access_token\":\"kiro\",\"expires_at\":\"2001-01-01T00:00:00Z\"}");
    assert_int_equal(migrate(f, AQ_MIGRATE_PURGE), AQ_END);
    assert_null(in_fake(TOKEN_KEY));
    assert_non_null(in_fake("kirocli:odic:token"));
    assert_non_null(in_fake(PROFILE_KEY));
}

static void a_database_is_made_where_there_is_none(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(migrate(f, AQ_MIGRATE_PURGE), AQ_END);
    char *row = in_database(TOKEN_KEY);
    assert_non_null(row);
    free(row);
    assert_null(in_fake(TOKEN_KEY));
    assert_null(in_fake(REGISTRATION_KEY));
}

static void the_event_says_where_it_came_from_and_where_it_is(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(start(f, AQ_MIGRATE_PURGE), AQ_OK);
    assert_int_equal(aq_op_next(f->op, &f->event, &f->err), AQ_OK);
    assert_int_equal(f->event->type, AQ_EVENT_MIGRATED);
    assert_memory_equal(f->event->name.ptr, "sqlite", f->event->name.len);
    assert_memory_equal(f->event->token->store.ptr, "fake", f->event->token->store.len);
    assert_memory_equal(f->event->token->source.ptr, "q-cli", f->event->token->source.len);
    assert_contains(f->event->token->profile_arn.ptr, "profile/A");
}

static void what_is_missing_here_is_removed_there(void **state)
{
    struct fixture *f = *state;
    fixture_remove(PROFILE_KEY);
    fake_store_put(PROFILE_KEY, PROFILE); /* of another login, long ago */
    assert_int_equal(migrate(f, 0), AQ_END);
    assert_null(in_fake(PROFILE_KEY));
}

static void the_same_login_again_is_not_written_again(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(migrate(f, 0), AQ_END);
    assert_int_equal(fake_store_calls(FAKE_COMMIT), 1);
    assert_int_equal(migrate(f, 0), AQ_END);
    assert_int_equal(fake_store_calls(FAKE_COMMIT), 1);
}

/* ---- what is there already ---- */

static void another_login_is_not_overwritten_unless_told(void **state)
{
    struct fixture *f = *state;
    const char old[] = "{\"access_token\":\"x\",\"expires_at\":\"2001-01-01T00:00:00Z\"}";
    fake_store_put(TOKEN_KEY, old);
    assert_int_equal(migrate(f, AQ_MIGRATE_PURGE), AQ_E_CHANGED);
    assert_contains(f->err.text, "holds another one");
    fake_store_put(REGISTRATION_KEY, OTHER_REGISTRATION);
    assert_int_equal(migrate(f, AQ_MIGRATE_PURGE), AQ_E_CHANGED);
    fake_store_put(REGISTRATION_KEY, "broken");
    assert_int_equal(migrate(f, AQ_MIGRATE_PURGE), AQ_E_CHANGED);
    fake_store_put(TOKEN_KEY, "broken");
    assert_int_equal(migrate(f, AQ_MIGRATE_PURGE), AQ_E_CORRUPT);
    assert_int_equal(fake_store_calls(FAKE_COMMIT), 0);
    assert_kept("access-1");
    assert_int_equal(migrate(f, AQ_MIGRATE_REPLACE), AQ_END);
    assert_same(TOKEN_KEY);
    assert_same(REGISTRATION_KEY);
}

static void an_older_state_of_it_is_overwritten_and_a_newer_one_is_not(void **state)
{
    struct fixture *f = *state;
    char text[1024];
    fake_store_put(REGISTRATION_KEY, SUPPORT_REGISTRATION);
    support_token_text(text, sizeof(text), 60, 0);
    fake_store_put(TOKEN_KEY, text);
    assert_int_equal(migrate(f, 0), AQ_END);
    support_token_text(text, sizeof(text), 7200, 2);
    fake_store_put(TOKEN_KEY, text);
    assert_int_equal(migrate(f, AQ_MIGRATE_PURGE), AQ_E_CHANGED);
    assert_contains(f->err.text, "holds a newer state of it");
    assert_kept("access-1");
}

static void a_null_row_is_no_login(void **state)
{
    struct fixture *f = *state;
    fake_store_put(TOKEN_KEY, "null");
    assert_int_equal(migrate(f, 0), AQ_END);
    assert_same(TOKEN_KEY);
}

/* ---- somebody else ---- */

static void the_login_is_refreshed(void)
{
    fixture_login(7200, 2);
}

static void the_login_is_removed(void)
{
    fixture_remove(TOKEN_KEY);
    fixture_remove(REGISTRATION_KEY);
}

static void theirs_is_put_there(void)
{
    fake_store_put(TOKEN_KEY, "{\"access_token\":\"x\",\"expires_at\":\"2099-01-01T00:00:00Z\"}");
}

static int changes;

static void the_login_changes_and_will_again(void)
{
    fixture_login(7200, ++changes);
    fake_store_meet(FAKE_COMMIT, 0, the_login_changes_and_will_again);
}

static void what_was_changed_before_the_purge_is_copied_again(void **state)
{
    struct fixture *f = *state;
    fake_store_meet(FAKE_COMMIT, 0, the_login_is_refreshed);
    assert_int_equal(migrate(f, AQ_MIGRATE_PURGE), AQ_END);
    assert_string_equal(f->access, "access-2");
    char *row = in_database(TOKEN_KEY);
    assert_non_null(row);
    assert_contains(row, "access-2");
    free(row);
    assert_null(in_fake(TOKEN_KEY));
}

static void what_is_changed_again_and_again_is_not_purged(void **state)
{
    struct fixture *f = *state;
    changes = 1;
    fake_store_meet(FAKE_COMMIT, 0, the_login_changes_and_will_again);
    assert_int_equal(migrate(f, AQ_MIGRATE_PURGE), AQ_E_CHANGED);
    assert_contains(f->err.text, "nothing was removed");
    assert_non_null(in_fake(TOKEN_KEY));
}

static void what_appears_there_meanwhile_is_looked_at(void **state)
{
    struct fixture *f = *state;
    fake_store_meet(FAKE_COMMIT, 0, theirs_is_put_there);
    assert_int_equal(migrate(f, AQ_MIGRATE_PURGE), AQ_E_CHANGED);
    assert_contains(f->err.text, "holds another one");
    assert_kept("access-1");
}

static void a_logout_meanwhile_is_a_logout(void **state)
{
    struct fixture *f = *state;
    fake_store_meet(FAKE_LOCK, 0, the_login_is_removed);
    assert_int_equal(migrate(f, 0), AQ_E_NOT_LOGGED_IN);
    assert_contains(f->err.text, "was removed");
}

/* ---- locks ---- */

static void a_held_lock_is_waited_for_and_then_given_up(void **state)
{
    struct fixture *f = *state;
    fake_store_fail(FAKE_LOCK, 0, 2, AQ_AGAIN);
    assert_int_equal(migrate(f, AQ_MIGRATE_PURGE), AQ_END);
    fixture_login(3600, 1);
    fake_store_fail(FAKE_LOCK, 0, FAKE_FOR_EVER, AQ_AGAIN);
    assert_int_equal(migrate(f, AQ_MIGRATE_PURGE), AQ_E_BUSY);
    assert_contains(f->err.text, "try again");
    assert_kept("access-1");
}

static void both_locks_are_let_go_at_the_end(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(migrate(f, 0), AQ_END);
    struct aq_client *third = support_client();
    struct aq_client *target = other;
    other = third;
    fake_store_install(third);
    assert_int_equal(migrate(f, 0), AQ_END);
    fixture_drop(f);
    other = target;
    aq_client_free(third);
}

static void what_cannot_be_locked_can_be_copied_but_not_purged(void **state)
{
    struct fixture *f = *state;
    fake_store_fail(FAKE_LOCK, 0, FAKE_FOR_EVER, AQ_E_READONLY);
    assert_int_equal(migrate(f, AQ_MIGRATE_PURGE), AQ_E_READONLY);
    assert_int_equal(migrate(f, 0), AQ_END);
    assert_same(TOKEN_KEY);
}

static void one_place_under_two_names_is_refused(void **state)
{
    struct fixture *f = *state;
    aq_client_free(other);
    other = support_client(); /* the same database */
    assert_int_equal(migrate(f, AQ_MIGRATE_PURGE), AQ_E_INVALID);
    assert_contains(f->err.text, "are the same place");
    assert_kept("access-1");
}

static void where_no_login_can_be_it_is_not_moved(void **state)
{
    struct fixture *f = *state;
    other->store_plugin.store.lock = NULL;
    other->store_plugin.store.unlock = NULL;
    assert_int_equal(migrate(f, AQ_MIGRATE_PURGE), AQ_E_UNSUPPORTED);
    assert_contains(f->err.text, "store 'fake': takes no login, name another one (--to)");
    fake_store_serve(other);
    assert_int_equal(migrate(f, AQ_MIGRATE_PURGE), AQ_E_UNSUPPORTED);
    assert_contains(f->err.text, "move it to the store that its server uses");
    assert_kept("access-1");
}

static void where_it_would_be_forgotten_it_is_not_moved(void **state)
{
    struct fixture *f = *state;
    other->store_plugin.store.traits &= ~AQ_STORE_PERSISTENT;
    assert_int_equal(migrate(f, AQ_MIGRATE_PURGE), AQ_E_UNSUPPORTED);
    assert_string_equal(f->err.text, "store 'fake': forgets a login when the program ends, name "
                                     "another one (--to)");
    assert_kept("access-1");
}

/* ---- stores that fail ---- */

static void whatever_call_of_the_target_fails_the_login_is_kept(void **state)
{
    static const enum fake_call calls[] = { FAKE_OPEN, FAKE_GET, FAKE_LOCK, FAKE_CAN_SAVE,
                                            FAKE_COMMIT };
    struct fixture *f = *state;
    for (size_t c = 0; c < sizeof(calls) / sizeof(calls[0]); c++) {
        fake_store_fail(calls[c], 0, 1, AQ_E_IO);
        assert_int_equal(migrate(f, AQ_MIGRATE_PURGE), AQ_E_IO);
        assert_kept("access-1");
    }
}

static void whatever_call_of_the_source_fails_the_login_is_whole_in_one_of_them(void **state)
{
    struct fixture *f = *state;
    for (int skip = 0; skip < 8; skip++) {
        fake_store_fail(FAKE_GET, skip, 1, AQ_E_IO);
        aq_status st = migrate(f, 0);
        assert_true(st == AQ_E_IO || st == AQ_END);
        fake_store_fail(FAKE_GET, 0, 0, AQ_OK);
        assert_kept("access-1");
    }
    fake_store_fail(FAKE_CAN_SAVE, 0, 1, AQ_E_READONLY);
    assert_int_equal(migrate(f, AQ_MIGRATE_PURGE), AQ_E_READONLY);
    fake_store_fail(FAKE_COMMIT, 0, 1, AQ_E_IO);
    assert_int_equal(migrate(f, AQ_MIGRATE_PURGE), AQ_E_IO);
    assert_kept("access-1");
}

static void a_commit_that_fails_after_it_was_done_counts_as_done(void **state)
{
    struct fixture *f = *state;
    fake_store_fail(FAKE_COMMIT, 0, 1, AQ_E_TIMEOUT);
    assert_int_equal(migrate(f, AQ_MIGRATE_PURGE), AQ_END);
    assert_non_null(in_fake(TOKEN_KEY));
    assert_not_in_database(TOKEN_KEY);
}

static void what_was_done_is_not_believed_when_it_cannot_be_read(void **state)
{
    struct fixture *f = *state;
    fake_store_fail(FAKE_GET, 3, 1, AQ_E_IO); /* three rows before, three after */
    assert_int_equal(migrate(f, AQ_MIGRATE_PURGE), AQ_E_IO);
    assert_kept("access-1");
}

static void without_memory_nothing_is_lost(void **state)
{
    struct fixture *f = *state;
    bool failed = true;
    assert_int_equal(migrate(f, 0), AQ_END); /* the plugin is loaded */
    for (int at = 1; failed; at++) {
        fixture_drop(f);
        fake_store_remove(TOKEN_KEY);
        no_memory(at);
        aq_status st = start(f, 0);
        st = st == AQ_OK ? finish(f) : st;
        failed = no_memory_ended();
        assert_true(st == AQ_END || st == AQ_E_NOMEM || st == AQ_E_CHANGED);
        assert_kept("access-1");
    }
}

static void what_cannot_be_read_here_is_not_moved(void **state)
{
    struct fixture *f = *state;
    fake_store_fail(FAKE_OPEN, 0, 1, AQ_E_DENIED);
    assert_int_equal(migrate(f, 0), AQ_E_DENIED);
    fixture_put(TOKEN_KEY, "broken");
    assert_int_equal(migrate(f, AQ_MIGRATE_PURGE), AQ_E_CORRUPT);
    assert_null(in_database(TOKEN_KEY));
}

static void plugins_that_cannot_be_loaded_end_it(void **state)
{
    struct fixture *f = *state;
    struct aq_client *installed = other;
    setenv("Q_STORE", "there-is-no-such-store", 1);
    other = support_client();
    aq_status to = migrate(f, 0);
    fixture_drop(f);
    struct aq_client *from = f->client;
    f->client = other;
    other = installed;
    aq_status st = migrate(f, 0);
    fixture_drop(f);
    unsetenv("Q_STORE");
    aq_client_free(f->client);
    f->client = from;
    assert_int_equal(to, AQ_E_PLUGIN);
    assert_int_equal(st, AQ_E_PLUGIN);
}

static void a_token_without_a_refresh_token_is_no_danger_in_two_places(void **state)
{
    struct fixture *f = *state;
    fixture_put(TOKEN_KEY,
                "{\"access_token\":\"access-1\",\"expires_at\":\"2099-01-01T00:00:00Z\"}");
    assert_int_equal(migrate(f, 0), AQ_END);
    assert_string_equal(f->warning, "");
    assert_same(TOKEN_KEY);
}

static void a_refresh_of_the_same_client_is_waited_for(void **state)
{
    struct fixture *f = *state;
    fixture_login(-5, 1);
    fixture_play(f, "sleep 2000\n" REFRESH_OK);
    fixture_send(f);
    struct aq_op *refresh = f->op;
    f->op = NULL;
    assert_int_equal(migrate(f, AQ_MIGRATE_PURGE), AQ_END);
    assert_string_equal(f->access, "access-2");
    fixture_drop(f);
    f->op = refresh;
}

static void a_child_that_was_forked_meanwhile_leaves_the_locks_alone(void **state)
{
    struct fixture *f = *state;
    int ended = 0;
    fake_store_fail(FAKE_LOCK, 0, 1, AQ_E_IO);
    assert_int_equal(migrate(f, AQ_MIGRATE_PURGE), AQ_E_IO);
    pid_t child = fork();
    if (child == 0) {
        aq_op_free(f->op);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &ended, 0), child);
    assert_int_equal(ended, 0);
    assert_int_equal(migrate(f, AQ_MIGRATE_PURGE), AQ_END);
}

/* ---- the caller ---- */

static void a_caller_that_asks_for_nonsense_is_refused(void **state)
{
    struct fixture *f = *state;
    struct aq_migrate_options unset = { 0, 0 };
    assert_int_equal(aq_migrate_start(f->client, other, &unset, &f->op, &f->err), AQ_E_INVALID);
    assert_int_equal(aq_migrate_start(f->client, f->client, NULL, &f->op, &f->err), AQ_E_INVALID);
    assert_int_equal(aq_migrate_start(f->client, other, NULL, &f->op, &f->err), AQ_OK);
}

static void freed_at_any_moment_it_holds_no_lock(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(start(f, 0), AQ_OK);
    fixture_drop(f); /* not begun */
    fake_store_fail(FAKE_LOCK, 0, 1, AQ_AGAIN);
    assert_int_equal(start(f, 0), AQ_OK);
    assert_int_equal(aq_op_next(f->op, &f->event, &f->err), AQ_AGAIN);
    fixture_drop(f); /* waiting */
    assert_int_equal(migrate(f, AQ_MIGRATE_PURGE), AQ_END);
}

static void in_a_forked_child_it_says_so(void **state)
{
    struct fixture *f = *state;
    int ended = 0;
    assert_int_equal(start(f, 0), AQ_OK);
    pid_t child = fork();
    if (child == 0) {
        struct aq_op *op;
        bool told = aq_op_next(f->op, &f->event, &f->err) == AQ_E_FORKED &&
                    aq_migrate_start(f->client, other, NULL, &op, &f->err) == AQ_E_FORKED;
        _exit(told ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &ended, 0), child);
    assert_int_equal(ended, 0);
}

#define TO_FAKE(name) cmocka_unit_test_setup_teardown(name, setup_to_fake, teardown)
#define FROM_FAKE(name) cmocka_unit_test_setup_teardown(name, setup_from_fake, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TO_FAKE(all_rows_are_copied_and_a_warning_says_that_there_are_two_now),
        TO_FAKE(a_purge_removes_them_and_warns_of_nothing),
        FROM_FAKE(a_purge_removes_the_copies_under_names_of_old_too),
        FROM_FAKE(a_purge_leaves_the_profile_to_the_other_login_beside_it),
        FROM_FAKE(a_database_is_made_where_there_is_none),
        TO_FAKE(the_event_says_where_it_came_from_and_where_it_is),
        TO_FAKE(what_is_missing_here_is_removed_there),
        TO_FAKE(the_same_login_again_is_not_written_again),
        TO_FAKE(another_login_is_not_overwritten_unless_told),
        TO_FAKE(an_older_state_of_it_is_overwritten_and_a_newer_one_is_not),
        TO_FAKE(a_null_row_is_no_login),
        FROM_FAKE(what_was_changed_before_the_purge_is_copied_again),
        TO_FAKE(what_is_changed_again_and_again_is_not_purged),
        TO_FAKE(what_appears_there_meanwhile_is_looked_at),
        FROM_FAKE(a_logout_meanwhile_is_a_logout),
        TO_FAKE(a_held_lock_is_waited_for_and_then_given_up),
        TO_FAKE(both_locks_are_let_go_at_the_end),
        FROM_FAKE(what_cannot_be_locked_can_be_copied_but_not_purged),
        TO_FAKE(one_place_under_two_names_is_refused),
        TO_FAKE(where_no_login_can_be_it_is_not_moved),
        TO_FAKE(where_it_would_be_forgotten_it_is_not_moved),
        TO_FAKE(whatever_call_of_the_target_fails_the_login_is_kept),
        FROM_FAKE(whatever_call_of_the_source_fails_the_login_is_whole_in_one_of_them),
        TO_FAKE(a_commit_that_fails_after_it_was_done_counts_as_done),
        TO_FAKE(what_was_done_is_not_believed_when_it_cannot_be_read),
        TO_FAKE(without_memory_nothing_is_lost),
        FROM_FAKE(what_cannot_be_read_here_is_not_moved),
        TO_FAKE(plugins_that_cannot_be_loaded_end_it),
        TO_FAKE(a_token_without_a_refresh_token_is_no_danger_in_two_places),
        TO_FAKE(a_refresh_of_the_same_client_is_waited_for),
        TO_FAKE(a_child_that_was_forked_meanwhile_leaves_the_locks_alone),
        TO_FAKE(a_caller_that_asks_for_nonsense_is_refused),
        TO_FAKE(freed_at_any_moment_it_holds_no_lock),
        TO_FAKE(in_a_forked_child_it_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
