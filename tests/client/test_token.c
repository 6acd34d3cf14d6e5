/* SPDX-License-Identifier: Apache-2.0 */
#include "client/support.h"

#include "base/clock.h"
#include "wire/timestamp.h"

#include <poll.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

/* Run one token operation to its end. Copies the access token (empty if none came). */
static aq_status fetch(struct aq_client *client, uint32_t flags, int64_t min_valid_s,
                       char access[64], char warning[512], struct aq_error *err)
{
    struct aq_token_options options = AQ_TOKEN_OPTIONS_INIT;
    const struct aq_event *event;
    struct aq_op *op;
    aq_status st;
    options.flags = flags;
    options.min_valid_s = min_valid_s;
    access[0] = warning[0] = '\0';
    assert_int_equal(aq_token_start(client, &options, &op, err), AQ_OK);
    assert_true(aq_op_may_block(op));
    while ((st = aq_op_wait(op, &event, err)) == AQ_OK) {
        if (event->type == AQ_EVENT_TOKEN) {
            snprintf(access, 64, "%.*s", AQ_STR_ARG(event->token->access_token));
        } else if (event->type == AQ_EVENT_WARNING) {
            snprintf(warning, 512, "%.*s", AQ_STR_ARG(event->text));
        }
    }
    aq_op_free(op);
    return st;
}

struct result {
    aq_status status;
    char access[64];
    char warning[512];
    struct aq_error err;
};

static struct result fetch_with(uint32_t flags, int64_t min_valid_s)
{
    struct result r = { 0 };
    struct aq_client *client = support_client();
    r.status = fetch(client, flags, min_valid_s, r.access, r.warning, &r.err);
    aq_client_free(client);
    return r;
}

static void assert_saved(void)
{
    char *row = support_get(TOKEN_KEY);
    assert_contains(row, "access-2");
    free(row);
}

static void without_a_login_it_says_so_and_leaves_no_file_behind(void **state)
{
    (void)state;
    struct result r = fetch_with(0, 0);
    assert_int_equal(r.status, AQ_E_NOT_LOGGED_IN);
    assert_contains(r.err.text, "sign in");
    assert_contains(r.err.text, "amazon-q/data.sqlite3 (no such file) or ");
    assert_contains(r.err.text, "kiro-cli/data.sqlite3 (no such file)");
    assert_int_equal(access(support_db(), F_OK), -1);

    setenv("Q_DB", "/nowhere/at/all.sqlite3", 1);
    r = fetch_with(0, 0);
    unsetenv("Q_DB");
    assert_int_equal(r.status, AQ_E_NOT_LOGGED_IN);
    assert_contains(r.err.text, "none in /nowhere/at/all.sqlite3 (no such file), sign in");
}

static void a_fresh_token_is_handed_out_without_a_request(void **state)
{
    (void)state;
    support_login(3600, 1);
    struct result r = fetch_with(0, 0);
    assert_int_equal(r.status, AQ_END);
    assert_string_equal(r.access, "access-1");
    assert_string_equal(r.warning, "");
    assert_int_equal(support_requests(), 0);
}

static void the_token_tells_where_it_comes_from(void **state)
{
    struct aq_error err;
    const struct aq_event *event;
    struct aq_op *op;
    (void)state;
    support_login(3600, 1);
    support_put(
        "api.codewhisperer.profile",
        "{\"arn\":\"arn:aws:codewhisperer:eu-central-1:1:profile\\/X\",\"profile_name\":\"x\"}");
    struct aq_client *client = support_client();
    assert_int_equal(aq_token_start(client, NULL, &op, &err), AQ_OK);
    assert_int_equal(aq_op_wait(op, &event, &err), AQ_OK);
    assert_int_equal(event->type, AQ_EVENT_TOKEN);
    assert_str(event->token->access_token, "access-1");
    assert_str(event->token->refresh_token, "refresh-1");
    assert_str(event->token->token_type, "Bearer");
    assert_str(event->token->region, "us-east-1");
    assert_str(event->token->start_url, "https://view.awsapps.com/start");
    assert_str(event->token->profile_arn, "arn:aws:codewhisperer:eu-central-1:1:profile/X");
    assert_str(event->token->source, "q-cli");
    assert_str(event->token->store, "sqlite");
    assert_true(event->token->expires_at_s > clock_wall_s() + 3500);
    assert_int_equal(aq_op_wait(op, &event, &err), AQ_END);
    assert_int_equal(aq_op_next(op, &event, &err), AQ_END);
    aq_op_free(op);
    aq_client_free(client);
}

static void an_expired_token_is_refreshed_and_the_row_updated_and_nothing_else(void **state)
{
    (void)state;
    support_login(-5, 1);
    support_play(REFRESH_OK);
    struct result r = fetch_with(0, 0);
    assert_int_equal(r.status, AQ_END);
    assert_string_equal(r.access, "access-2");
    assert_int_equal(support_requests(), 1);

    char *row = support_get(TOKEN_KEY);
    assert_contains(row, "\"access_token\":\"access-2\"");
    assert_contains(row, "\"refresh_token\":\"refresh-2\"");
    assert_contains(row, "\"start_url\":\"https://view.awsapps.com/start\","
                         "\"oauth_flow\":\"DeviceCode\",\"scopes\":[\"a\"], "
                         "\"unknown\" : [1, {}]}"); /* byte for byte */
    free(row);
}

static void the_refresh_goes_to_the_regions_own_host_with_our_own_name(void **state)
{
    (void)state;
    support_login(-5, 1);
    support_play(REFRESH_OK);
    fetch_with(0, 0);
    char *asked = support_asked();
    assert_contains(asked, "POST https://oidc.us-east-1.amazonaws.com/token\n");
    assert_contains(asked, "content-type: application/json\n");
    assert_contains(asked, "user-agent: amazonq/");
    assert_contains(asked, "\"refreshToken\":\"refresh-1\"");
    free(asked);
}

static void an_answer_without_refresh_token_keeps_the_old_one(void **state)
{
    (void)state;
    support_login(-5, 1);
    support_play("status 200\nbody {\"accessToken\":\"access-2\",\"expiresIn\":3600}\n---\n");
    assert_int_equal(fetch_with(0, 0).status, AQ_END);
    char *row = support_get(TOKEN_KEY);
    assert_contains(row, "\"access_token\":\"access-2\"");
    assert_contains(row, "\"refresh_token\":\"refresh-1\"");
    free(row);
}

static void no_failure_of_a_refresh_changes_the_row(void **state)
{
    static const struct {
        const char *script;
        aq_status status;
    } failures[] = {
        { "status 400\nbody {\"error\":\"invalid_grant\",\"error_description\":\"no\"}\n---\n",
          AQ_E_LOGIN_NEEDED },
        { "status 401\nbody {\"error\":\"invalid_client\"}\n---\n", AQ_E_LOGIN_NEEDED },
        { "status 400\nbody {\"error\":\"slow_down\"}\n---\n", AQ_E_REFRESH },
        { "status 500\nbody {\"error\":\"server_error\"}\n---\n", AQ_E_REFRESH },
        { "status 502\nbody <html>Bad gateway</html>\n---\n", AQ_E_REFRESH },
        { "status 200\nbody {\"accessToken\":\"acc\n---\n", AQ_E_REFRESH },
        { "status 200\nbody {\"expiresIn\":3600}\n---\n", AQ_E_REFRESH },
        { "status 200\nbody {\"accessToken\":\"a\",\"expiresIn\":0}\n---\n", AQ_E_REFRESH },
        { "status 200\n---\n", AQ_E_REFRESH },
        { "status 302\nheader location: https://evil.test/\n---\n", AQ_E_REFRESH },
        { "status 200\nbody {\"acc\nerror TRUNCATED\n---\n", AQ_E_REFRESH },
        { "error NOT_SENT\n---\n", AQ_E_REFRESH },
        { "error TIMEOUT\n---\n", AQ_E_REFRESH },
    };
    (void)state;
    support_login(-5, 1);
    char *before = support_get(TOKEN_KEY);
    for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
        support_play(failures[i].script);
        struct result r = fetch_with(0, 0);
        if (r.status != failures[i].status) {
            print_error("%s -> %s\n", failures[i].script, r.err.text);
        }
        assert_int_equal(r.status, failures[i].status);
        assert_string_equal(r.access, "");
        assert_int_equal(support_requests(), 1);
        assert_null(strstr(r.err.text, "refresh-1"));
        char *after = support_get(TOKEN_KEY);
        assert_string_equal(after, before);
        free(after);
    }
    free(before);
}

static void a_token_that_is_still_valid_survives_a_failed_refresh_with_a_warning(void **state)
{
    (void)state;
    support_login(30, 1); /* inside the last minute: a refresh is due */
    support_play("status 500\n---\n");
    struct result r = fetch_with(0, 0);
    assert_int_equal(r.status, AQ_END);
    assert_string_equal(r.access, "access-1");
    assert_contains(r.warning, "login");
}

static void near_its_end_it_is_refreshed_in_good_time_and_failure_is_silent(void **state)
{
    (void)state;
    support_login(600, 1);
    support_play("status 500\n---\n" REFRESH_OK);
    struct result r = fetch_with(0, 0);
    assert_int_equal(r.status, AQ_END);
    assert_string_equal(r.access, "access-1");
    assert_string_equal(r.warning, "");

    support_play(REFRESH_OK);
    r = fetch_with(0, 0);
    assert_string_equal(r.access, "access-2");
}

static void who_needs_more_validity_than_there_is_gets_a_refresh_or_an_error(void **state)
{
    (void)state;
    support_login(1800, 1);
    support_play("status 500\n---\n");
    struct result r = fetch_with(0, 3000);
    assert_int_equal(r.status, AQ_E_REFRESH);
    assert_string_equal(r.access, "");

    support_play(REFRESH_OK);
    r = fetch_with(0, 3000);
    assert_string_equal(r.access, "access-2");

    support_play(REFRESH_OK); /* an hour is all the service gives */
    r = fetch_with(0, 7200);
    assert_int_equal(r.status, AQ_E_EXPIRED);
    assert_string_equal(r.access, "");
    assert_saved();
}

static void refreshing_can_be_forced_and_forbidden(void **state)
{
    (void)state;
    support_login(3600, 1);
    support_play(REFRESH_OK);
    struct result r = fetch_with(AQ_TOKEN_FORCE_REFRESH, 0);
    assert_string_equal(r.access, "access-2");
    assert_int_equal(support_requests(), 1);

    support_login(-5, 1);
    support_play(REFRESH_OK);
    r = fetch_with(AQ_TOKEN_NO_REFRESH, 0);
    assert_int_equal(r.status, AQ_E_EXPIRED);
    assert_int_equal(support_requests(), 0);
}

static void what_cannot_be_refreshed_needs_a_login_and_is_not_asked_for(void **state)
{
    (void)state;
    support_login(-5, 1);
    support_remove(REGISTRATION_KEY);
    support_play(REFRESH_OK);
    struct result r = fetch_with(0, 0);
    assert_int_equal(r.status, AQ_E_LOGIN_NEEDED);
    assert_contains(r.err.text, "registration is missing");

    support_login(-5, 1);
    support_put(TOKEN_KEY, "{\"access_token\":\"a\",\"expires_at\":\"2001-01-01T00:00:00Z\","
                           "\"refresh_token\":null,\"oauth_flow\":\"DeviceCode\"}");
    r = fetch_with(0, 0);
    assert_int_equal(r.status, AQ_E_LOGIN_NEEDED);
    assert_contains(r.err.text, "no refresh token");

    support_login(-5, 1);
    support_put(REGISTRATION_KEY,
                "{\"client_id\":\"id\",\"client_secret\":\"s\",\"client_secret_expires_at\":"
                "\"2001-01-01T00:00:00Z\",\"region\":\"us-east-1\",\"oauth_flow\":\"DeviceCode\"}");
    r = fetch_with(0, 0);
    assert_int_equal(r.status, AQ_E_LOGIN_NEEDED);
    assert_contains(r.err.text, "registration has expired");

    support_login(-5, 1);
    support_put(REGISTRATION_KEY,
                "{\"client_id\":\"id\",\"client_secret\":\"s\",\"client_secret_expires_at\":"
                "null,\"region\":\"us-west-2\",\"oauth_flow\":\"DeviceCode\"}");
    r = fetch_with(0, 0);
    assert_int_equal(r.status, AQ_E_LOGIN_NEEDED);
    assert_contains(r.err.text, "of another login");
    assert_int_equal(support_requests(), 0);
}

static void a_null_row_is_no_login_and_a_broken_row_is_an_error(void **state)
{
    (void)state;
    support_put(TOKEN_KEY, "null");
    assert_int_equal(fetch_with(0, 0).status, AQ_E_NOT_LOGGED_IN);
    support_put(TOKEN_KEY, "{\"access_token\":\"secret-in-it\"");
    struct result r = fetch_with(0, 0);
    assert_int_equal(r.status, AQ_E_CORRUPT);
    assert_contains(r.err.text, TOKEN_KEY);
    assert_null(strstr(r.err.text, "secret-in-it"));
}

static void a_region_that_could_be_a_host_name_is_not_asked(void **state)
{
    (void)state;
    support_put(
        TOKEN_KEY,
        "{\"access_token\":\"a\",\"expires_at\":\"2001-01-01T00:00:00Z\","
        "\"refresh_token\":\"r\",\"region\":\"evil.test/x\",\"oauth_flow\":\"DeviceCode\"}");
    support_put(REGISTRATION_KEY,
                "{\"client_id\":\"id\",\"client_secret\":\"s\",\"client_secret_expires_at\":"
                "null,\"region\":\"evil.test/x\",\"oauth_flow\":\"DeviceCode\"}");
    support_play(REFRESH_OK);
    struct result r = fetch_with(0, 0);
    assert_int_equal(r.status, AQ_E_CORRUPT);
    assert_contains(r.err.text, "no valid region");
    assert_int_equal(support_requests(), 0);
}

/* Start a refresh whose answer needs many steps, and go as far as having it sent. */
static struct aq_op *start_slow_refresh(struct aq_client *client)
{
    const struct aq_event *event;
    struct aq_error err;
    struct aq_op *op;
    assert_int_equal(aq_token_start(client, NULL, &op, &err), AQ_OK);
    assert_int_equal(aq_op_next(op, &event, &err), AQ_AGAIN);
    assert_int_equal(support_requests(), 1);
    return op;
}

static void an_operation_freed_after_sending_is_finished_by_the_clients_steps(void **state)
{
    struct aq_client *client;
    (void)state;
    support_login(-5, 1);
    support_play("wait 20\n" REFRESH_OK);
    client = support_client();
    aq_op_free(start_slow_refresh(client));
    for (int i = 0; i < 100; i++) {
        struct pollfd wait = { .fd = aq_client_fd(client), .events = POLLIN };
        poll(&wait, 1, 0);
        assert_int_equal(aq_client_step(client, NULL), AQ_OK);
        assert_null(aq_client_ready(client)); /* nobody owns it any more */
    }
    assert_saved();
    aq_client_free(client);
}

static void freeing_the_client_waits_for_a_refresh_that_was_sent(void **state)
{
    (void)state;
    support_login(-5, 1);
    support_play("wait 50\n" REFRESH_OK);
    struct aq_client *client = support_client();
    start_slow_refresh(client);
    aq_client_free(client);
    assert_saved();
}

static void a_caller_with_a_valid_token_waits_three_seconds_and_the_answer_is_saved(void **state)
{
    struct aq_client *client;
    const struct aq_event *event;
    struct aq_error err;
    struct aq_op *op;
    (void)state;
    support_login(600, 1);
    support_play("sleep 3300\n" REFRESH_OK);
    client = support_client();
    uint64_t before_us = clock_now_us();
    assert_int_equal(aq_token_start(client, NULL, &op, &err), AQ_OK);
    assert_int_equal(aq_op_wait(op, &event, &err), AQ_OK);
    assert_true(clock_now_us() - before_us >= 3000000);
    assert_int_equal(event->type, AQ_EVENT_TOKEN);
    assert_str(event->token->access_token, "access-1");
    assert_int_equal(aq_op_wait(op, &event, &err), AQ_END);
    aq_op_free(op);
    aq_client_free(client);
    assert_saved();
}

static void a_transport_that_forgets_its_timeout_does_not_hold_the_client_for_ever(void **state)
{
    (void)state;
    support_login(-5, 1);
    support_play("sleep 600000\n" REFRESH_OK);
    struct aq_client *client = support_client();
    start_slow_refresh(client);
    aq_client_free(client);
    char *row = support_get(TOKEN_KEY);
    assert_contains(row, "access-1");
    free(row);
}

static void two_operations_on_one_client_make_one_request(void **state)
{
    struct aq_client *client;
    const struct aq_event *event;
    struct aq_error err;
    struct aq_op *first, *second;
    (void)state;
    support_login(-5, 1);
    support_play("wait 5\n" REFRESH_OK);
    client = support_client();
    first = start_slow_refresh(client);
    assert_int_equal(aq_token_start(client, NULL, &second, &err), AQ_OK);
    assert_int_equal(aq_op_wait(second, &event, &err), AQ_OK);
    assert_str(event->token->access_token, "access-2");
    assert_int_equal(aq_op_wait(first, &event, &err), AQ_OK);
    assert_str(event->token->access_token, "access-2");
    assert_int_equal(support_requests(), 1);
    aq_op_free(first);
    aq_op_free(second);
    aq_client_free(client);
}

static void a_logout_during_the_refresh_stays_a_logout(void **state)
{
    struct aq_client *client;
    const struct aq_event *event;
    struct aq_error err;
    (void)state;
    support_login(-5, 1);
    support_play("wait 5\n" REFRESH_OK);
    client = support_client();
    struct aq_op *op = start_slow_refresh(client);
    support_remove(TOKEN_KEY);
    support_remove(REGISTRATION_KEY);
    assert_int_equal(aq_op_wait(op, &event, &err), AQ_E_NOT_LOGGED_IN);
    assert_null(support_get(TOKEN_KEY));
    aq_op_free(op);
    aq_client_free(client);
}

static void a_logout_in_two_steps_is_waited_for(void **state)
{
    struct aq_client *client;
    const struct aq_event *event;
    struct aq_error err;
    (void)state;
    support_login(-5, 1);
    support_play("wait 2\n" REFRESH_OK);
    client = support_client();
    struct aq_op *op = start_slow_refresh(client);
    support_remove(TOKEN_KEY);
    struct pollfd wait = { .fd = aq_client_fd(client), .events = POLLIN };
    while (poll(&wait, 1, 0) == 1) { /* until it has answered, and met the first half of a logout */
        assert_int_equal(aq_client_step(client, NULL), AQ_OK);
        assert_int_equal(aq_op_next(op, &event, &err), AQ_AGAIN);
    }
    support_remove(REGISTRATION_KEY);
    assert_int_equal(aq_op_wait(op, &event, &err), AQ_E_NOT_LOGGED_IN);
    assert_null(support_get(TOKEN_KEY));
    aq_op_free(op);
    aq_client_free(client);
}

static void a_logout_counts_even_if_the_token_would_still_be_valid(void **state)
{
    struct aq_client *client;
    const struct aq_event *event;
    struct aq_error err;
    (void)state;
    support_login(600, 1);
    support_play("wait 5\n" REFRESH_OK);
    client = support_client();
    struct aq_op *op = start_slow_refresh(client);
    support_remove(TOKEN_KEY);
    support_remove(REGISTRATION_KEY);
    assert_int_equal(aq_op_wait(op, &event, &err), AQ_E_NOT_LOGGED_IN);
    aq_op_free(op);
    aq_client_free(client);
}

static void a_row_that_a_careless_program_deleted_meanwhile_is_put_back(void **state)
{
    struct aq_client *client;
    const struct aq_event *event;
    struct aq_error err;
    (void)state;
    support_login(-5, 1);
    support_play("wait 5\n" REFRESH_OK);
    client = support_client();
    struct aq_op *op = start_slow_refresh(client);
    support_remove(TOKEN_KEY); /* the registration is still there: not a logout */
    assert_int_equal(aq_op_wait(op, &event, &err), AQ_OK);
    assert_str(event->token->access_token, "access-2");
    assert_saved();
    aq_op_free(op);
    aq_client_free(client);
}

static void a_newer_token_of_somebody_else_is_used_and_kept(void **state)
{
    struct aq_client *client;
    const struct aq_event *event;
    struct aq_error err;
    (void)state;
    support_login(-5, 1);
    support_play("wait 5\n" REFRESH_OK);
    client = support_client();
    struct aq_op *op = start_slow_refresh(client);
    support_login(7200, 7);
    assert_int_equal(aq_op_wait(op, &event, &err), AQ_OK);
    assert_str(event->token->access_token, "access-7");
    char *row = support_get(TOKEN_KEY);
    assert_contains(row, "access-7");
    free(row);
    aq_op_free(op);
    aq_client_free(client);
}

/* A token of somebody else, valid for so long. */
static void put_other_login(int64_t expires_in_s)
{
    char text[512];
    char expires[TIMESTAMP_TEXT_MAX];
    assert_true(timestamp_format(clock_wall_s() + expires_in_s, expires));
    snprintf(text, sizeof(text),
             "{\"access_token\":\"other-user\",\"expires_at\":\"%s\",\"refresh_token\":\"other\","
             "\"region\":\"us-east-1\",\"start_url\":null,\"oauth_flow\":\"DeviceCode\"}",
             expires);
    support_put(TOKEN_KEY, text);
}

/* Begin a refresh, let `meanwhile` happen to the row while the answer is on its way, and say how it
 * ended and what the row is then (heap text). */
static aq_status refresh_with(int64_t min_valid_s, const char *script, void (*meanwhile)(void),
                              char access[64], char **ret_row)
{
    struct aq_token_options options = AQ_TOKEN_OPTIONS_INIT;
    struct aq_client *client = support_client();
    const struct aq_event *event;
    struct aq_error err;
    struct aq_op *op;
    aq_status st;
    support_play(script);
    options.min_valid_s = min_valid_s;
    access[0] = '\0';
    assert_int_equal(aq_token_start(client, &options, &op, &err), AQ_OK);
    assert_int_equal(aq_op_next(op, &event, &err), AQ_AGAIN);
    meanwhile();
    while ((st = aq_op_wait(op, &event, &err)) == AQ_OK) {
        if (event->type == AQ_EVENT_TOKEN) {
            snprintf(access, 64, "%.*s", AQ_STR_ARG(event->token->access_token));
        }
    }
    aq_op_free(op);
    aq_client_free(client);
    *ret_row = support_get(TOKEN_KEY);
    return st;
}

static void another_user_signs_in(void)
{
    put_other_login(3600);
}

static void the_login_of_somebody_who_signed_in_meanwhile_is_never_written_over(void **state)
{
    char access[64];
    char *row;
    (void)state;
    support_login(-5, 1);
    assert_int_equal(refresh_with(7200, "wait 5\n" REFRESH_OK, another_user_signs_in, access, &row),
                     AQ_E_REFRESH); /* not good enough for this caller, but not ours to touch */
    assert_string_equal(access, "");
    assert_contains(row, "other-user");
    free(row);
    support_login(-5, 1);
    assert_int_equal(refresh_with(0, "wait 5\n" REFRESH_OK, another_user_signs_in, access, &row),
                     AQ_END);
    assert_string_equal(access, "other-user");
    assert_contains(row, "other-user");
    free(row);
}

static void a_newer_program_writes_its_own_form(void)
{
    support_put(TOKEN_KEY, "{\"v2\":{\"refresh_token\":\"precious\"}}");
}

static void a_row_we_cannot_read_is_never_written_over(void **state)
{
    char access[64];
    char *row;
    (void)state;
    support_login(-5, 1);
    assert_int_equal(
        refresh_with(0, "wait 5\n" REFRESH_OK, a_newer_program_writes_its_own_form, access, &row),
        AQ_E_REFRESH);
    assert_string_equal(row, "{\"v2\":{\"refresh_token\":\"precious\"}}");
    free(row);
}

static void a_failed_refresh_hands_out_the_token_that_was_read_never_an_empty_one(void **state)
{
    static const char *const refused =
        "wait 5\nstatus 400\nbody {\"error\":\"invalid_grant\"}\n---\n";
    char access[64];
    char *row;
    (void)state;
    support_login(600, 1); /* still valid: the refresh is our own idea */
    assert_int_equal(refresh_with(0, refused, a_newer_program_writes_its_own_form, access, &row),
                     AQ_END);
    assert_string_equal(access, "access-1");
    free(row);
}

static void a_program_adds_a_member(void)
{
    char *row = support_get(TOKEN_KEY);
    char text[1200];
    row[strlen(row) - 1] = '\0';
    snprintf(text, sizeof(text), "%s,\"added\":\"meanwhile\"}", row);
    support_put(TOKEN_KEY, text);
    free(row);
}

static void what_another_program_changed_beside_the_same_refresh_token_is_kept(void **state)
{
    char access[64];
    char *row;
    (void)state;
    support_login(-5, 1);
    assert_int_equal(refresh_with(0, "wait 5\n" REFRESH_OK, a_program_adds_a_member, access, &row),
                     AQ_END);
    assert_string_equal(access, "access-2");
    assert_contains(row, "\"added\":\"meanwhile\"");
    assert_contains(row, "refresh-2");
    free(row);
}

static void the_registration_is_written_in_another_form(void)
{
    support_put(REGISTRATION_KEY,
                "{\"client_secret\":\"secret\",\"client_id\":\"id\",\"client_secret_expires_at\":"
                "null,\"region\":\"us-east-1\",\"oauth_flow\":\"DeviceCode\"}");
}

static void the_registration_is_that_of_another_client(void)
{
    support_put(
        REGISTRATION_KEY,
        "{\"client_secret\":\"secret\",\"client_id\":\"other\",\"client_secret_expires_at\":"
        "null,\"region\":\"us-east-1\",\"oauth_flow\":\"DeviceCode\"}");
}

static void the_registration_is_removed(void)
{
    support_remove(REGISTRATION_KEY);
}

static void whatever_becomes_of_the_registration_a_spent_token_gets_its_successor(void **state)
{
    void (*const cases[])(void) = { the_registration_is_written_in_another_form,
                                    the_registration_is_that_of_another_client,
                                    the_registration_is_removed };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char access[64];
        char *row;
        support_login(-5, 1);
        assert_int_equal(refresh_with(0, "wait 5\n" REFRESH_OK, cases[i], access, &row), AQ_END);
        assert_string_equal(access, "access-2");
        assert_contains(row, "access-2");
        free(row);
    }
}

static void the_row_is_removed_and_another_client_registered(void)
{
    the_registration_is_that_of_another_client();
    support_remove(TOKEN_KEY);
}

static void a_login_is_not_put_back_while_another_one_begins(void **state)
{
    char access[64];
    char *row;
    (void)state;
    support_login(-5, 1);
    assert_int_equal(refresh_with(0, "wait 5\n" REFRESH_OK,
                                  the_row_is_removed_and_another_client_registered, access, &row),
                     AQ_E_NOT_LOGGED_IN);
    assert_null(row);
}

static void invalid_grant_is_not_believed_when_the_row_holds_another_refresh_token(void **state)
{
    char access[64];
    char *row;
    (void)state;
    support_login(-5, 1);
    assert_int_equal(refresh_with(7200,
                                  "wait 5\nstatus 400\nbody {\"error\":\"invalid_grant\"}\n---\n",
                                  another_user_signs_in, access, &row),
                     AQ_E_REFRESH); /* not "sign in again": the new row is fine, if short */
    assert_contains(row, "other-user");
    free(row);
}

static void a_token_that_stops_to_be_enough_while_we_wait_is_waited_for(void **state)
{
    (void)state;
    support_login(602, 1);
    support_play("sleep 3300\n" REFRESH_OK);
    struct result r = fetch_with(0, 600);
    assert_int_equal(r.status, AQ_END);
    assert_string_equal(r.access, "access-2");
}

static void options_without_a_size_are_refused(void **state)
{
    struct aq_token_options options = AQ_TOKEN_OPTIONS_INIT;
    struct aq_client *client = support_client();
    struct aq_error err;
    struct aq_op *op = NULL;
    (void)state;
    options.struct_size = 0;
    assert_int_equal(aq_token_start(client, &options, &op, &err), AQ_E_INVALID);
    assert_null(op);
    aq_client_free(client);
}

static void invalid_grant_after_somebody_else_was_faster_is_no_error(void **state)
{
    struct aq_client *client;
    const struct aq_event *event;
    struct aq_error err;
    (void)state;
    support_login(-5, 1);
    support_play("wait 5\nstatus 400\nbody {\"error\":\"invalid_grant\"}\n---\n");
    client = support_client();
    struct aq_op *op = start_slow_refresh(client);
    support_login(3600, 7);
    assert_int_equal(aq_op_wait(op, &event, &err), AQ_OK);
    assert_str(event->token->access_token, "access-7");
    aq_op_free(op);
    aq_client_free(client);
}

static void the_latest_of_two_logins_is_chosen_unless_one_is_named(void **state)
{
    const char *const names[] = { "auto", "q-cli", "kiro-cli" };
    const char *const expected[] = { "access-k", "access-1", "access-k" };
    char kiro[160];
    (void)state;
    support_login(3600, 1);
    /* the other program's database: the same file format, other names */
    support_put("kirocli:odic:token",
                "{\"access_token\":\"access-k\",\"expires_at\":\"2099-01-01T00:00:00Z\","
                "\"refresh_token\":\"k\",\"region\":null,\"oauth_flow\":\"DeviceCode\"}");
    snprintf(kiro, sizeof(kiro), "%s", getenv("XDG_DATA_HOME"));
    strcat(kiro, "/kiro-cli");
    char from[160];
    snprintf(from, sizeof(from), "%s/amazon-q", getenv("XDG_DATA_HOME"));
    assert_int_equal(symlink(from, kiro), 0);
    for (size_t i = 0; i < 3; i++) {
        setenv("Q_SOURCE", names[i], 1);
        struct result r = fetch_with(0, 0);
        assert_int_equal(r.status, AQ_END);
        assert_string_equal(r.access, expected[i]);
    }
    setenv("Q_SOURCE", "elsewhere", 1);
    assert_int_equal(fetch_with(0, 0).status, AQ_E_INVALID);
    unsetenv("Q_SOURCE");
}

static void in_a_forked_child_every_call_says_so_and_the_parent_is_unharmed(void **state)
{
    struct aq_client *client;
    const struct aq_event *event;
    struct aq_error err;
    int status;
    (void)state;
    support_login(-5, 1);
    support_play("wait 20\n" REFRESH_OK);
    client = support_client();
    struct aq_op *op = start_slow_refresh(client);
    pid_t child = fork();
    if (child == 0) {
        struct aq_op *other;
        int wrong = aq_op_next(op, &event, &err) != AQ_E_FORKED;
        wrong |= aq_client_step(client, &err) != AQ_E_FORKED;
        wrong |= aq_token_start(client, NULL, &other, &err) != AQ_E_FORKED;
        wrong |= aq_client_fd(client) != -1 || aq_client_ready(client) != NULL;
        aq_op_free(op);
        aq_client_free(client);
        _exit(wrong);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(aq_op_wait(op, &event, &err), AQ_OK);
    assert_str(event->token->access_token, "access-2");
    aq_op_free(op);
    aq_client_free(client);
}

static void the_log_is_pulled_and_holds_no_secret(void **state)
{
    struct aq_client *client;
    struct aq_error err;
    struct aq_str line;
    char access[64], warning[512];
    int32_t level;
    int lines = 0;
    (void)state;
    support_login(-5, 1);
    support_play("status 500\n---\n");
    client = support_client();
    assert_int_equal(fetch(client, 0, 0, access, warning, &err), AQ_E_REFRESH);
    while (aq_client_next_log(client, &level, &line) == AQ_OK) {
        lines++;
        assert_null(strstr(line.ptr, "refresh-1"));
        assert_null(strstr(line.ptr, "access-1"));
    }
    assert_true(lines > 0);
    aq_client_free(client);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, support_setup, support_teardown)
    const struct CMUnitTest tests[] = {
        CASE(without_a_login_it_says_so_and_leaves_no_file_behind),
        CASE(a_fresh_token_is_handed_out_without_a_request),
        CASE(the_token_tells_where_it_comes_from),
        CASE(an_expired_token_is_refreshed_and_the_row_updated_and_nothing_else),
        CASE(the_refresh_goes_to_the_regions_own_host_with_our_own_name),
        CASE(an_answer_without_refresh_token_keeps_the_old_one),
        CASE(no_failure_of_a_refresh_changes_the_row),
        CASE(a_token_that_is_still_valid_survives_a_failed_refresh_with_a_warning),
        CASE(near_its_end_it_is_refreshed_in_good_time_and_failure_is_silent),
        CASE(who_needs_more_validity_than_there_is_gets_a_refresh_or_an_error),
        CASE(refreshing_can_be_forced_and_forbidden),
        CASE(what_cannot_be_refreshed_needs_a_login_and_is_not_asked_for),
        CASE(a_null_row_is_no_login_and_a_broken_row_is_an_error),
        CASE(a_region_that_could_be_a_host_name_is_not_asked),
        CASE(an_operation_freed_after_sending_is_finished_by_the_clients_steps),
        CASE(freeing_the_client_waits_for_a_refresh_that_was_sent),
        CASE(a_caller_with_a_valid_token_waits_three_seconds_and_the_answer_is_saved),
        CASE(a_transport_that_forgets_its_timeout_does_not_hold_the_client_for_ever),
        CASE(two_operations_on_one_client_make_one_request),
        CASE(a_logout_during_the_refresh_stays_a_logout),
        CASE(a_logout_in_two_steps_is_waited_for),
        CASE(a_logout_counts_even_if_the_token_would_still_be_valid),
        CASE(a_row_that_a_careless_program_deleted_meanwhile_is_put_back),
        CASE(a_newer_token_of_somebody_else_is_used_and_kept),
        CASE(the_login_of_somebody_who_signed_in_meanwhile_is_never_written_over),
        CASE(a_row_we_cannot_read_is_never_written_over),
        CASE(a_failed_refresh_hands_out_the_token_that_was_read_never_an_empty_one),
        CASE(what_another_program_changed_beside_the_same_refresh_token_is_kept),
        CASE(whatever_becomes_of_the_registration_a_spent_token_gets_its_successor),
        CASE(a_login_is_not_put_back_while_another_one_begins),
        CASE(invalid_grant_is_not_believed_when_the_row_holds_another_refresh_token),
        CASE(a_token_that_stops_to_be_enough_while_we_wait_is_waited_for),
        CASE(options_without_a_size_are_refused),
        CASE(invalid_grant_after_somebody_else_was_faster_is_no_error),
        CASE(the_latest_of_two_logins_is_chosen_unless_one_is_named),
        CASE(in_a_forked_child_every_call_says_so_and_the_parent_is_unharmed),
        CASE(the_log_is_pulled_and_holds_no_secret),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
