/* SPDX-License-Identifier: Apache-2.0 */
/* Asking for a new token: when, whom, with what, and what each answer means for the login. */
#include "base/clock.h"
#include "client/fake_store.h"
#include "client/fixture.h"
#include "no_memory.h"

#include <stdio.h>

/* ---- the request ---- */

static void an_expired_token_is_refreshed_and_the_row_updated_and_nothing_else(void **state)
{
    struct fixture *f = *state;
    fixture_login(-5, 1);
    fixture_play(f, REFRESH_OK);
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_END);
    assert_string_equal(f->access, "access-2");
    assert_int_equal(support_requests(), 1);
    fixture_assert_row("\"access_token\":\"access-2\"");
    fixture_assert_row("\"refresh_token\":\"refresh-2\"");
    fixture_assert_row("\"start_url\":\"https://view.awsapps.com/start\","
                       "\"oauth_flow\":\"DeviceCode\",\"scopes\":[\"a\"], "
                       "\"unknown\" : [1, {}]}"); /* byte for byte */
}

static void it_goes_to_the_regions_own_host_with_our_own_name(void **state)
{
    struct fixture *f = *state;
    fixture_login(-5, 1);
    fixture_play(f, REFRESH_OK);
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_END);
    char *asked = support_asked();
    assert_contains(asked, "POST https://oidc.us-east-1.amazonaws.com/token\n");
    assert_contains(asked, "content-type: application/json\n");
    assert_contains(asked, "user-agent: amazonq/");
    assert_contains(asked, "\"refreshToken\":\"refresh-1\"");
    free(asked);
}

static void a_token_without_a_region_is_refreshed_where_its_client_is_registered(void **state)
{
    struct fixture *f = *state;
    fixture_login(-5, 1);
    fixture_put(TOKEN_KEY, "{\"access_token\":\"a\",\"expires_at\":\"2001-01-01T00:00:00Z\","
                           "\"refresh_token\":\"r\",\"oauth_flow\":\"DeviceCode\"}");
    fixture_put(REGISTRATION_KEY,
                "{\"client_id\":\"id\",\"client_secret\":\"s\",\"client_secret_expires_at\":null,"
                "\"region\":\"eu-west-1\",\"oauth_flow\":\"DeviceCode\"}");
    fixture_play(f, REFRESH_OK);
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_END);
    char *asked = support_asked();
    assert_contains(asked, "POST https://oidc.eu-west-1.amazonaws.com/token\n");
    free(asked);
}

static void another_sign_in_endpoint_is_asked_if_it_is_a_safe_one(void **state)
{
    static const struct {
        const char *url;
        aq_status status;
    } cases[] = {
        { "https://oidc.eu-central-1.amazonaws.com", AQ_END },
        { "ftp://oidc.eu-central-1.amazonaws.com", AQ_E_INVALID },
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        setenv("AWS_ENDPOINT_URL_SSO_OIDC", cases[i].url, 1);
        fixture_login(-5, 1);
        fixture_play(f, REFRESH_OK);
        assert_int_equal(fixture_fetch(f, 0, 0), cases[i].status);
        assert_int_equal(support_requests(), cases[i].status == AQ_END);
        unsetenv("AWS_ENDPOINT_URL_SSO_OIDC");
    }
}

static void without_memory_for_its_path_a_long_endpoint_is_not_asked(void **state)
{
    struct fixture *f = *state;
    bool failed = true;
    char url[126] = "https://oidc.us-east-1.amazonaws.com/"; /* with "/token" more than the 128 */
    memset(url + strlen(url), 'a', sizeof(url) - 1 - strlen(url)); /* a buffer begins with */
    setenv("AWS_ENDPOINT_URL_SSO_OIDC", url, 1);
    for (int at = 1; failed; at++) {
        fixture_login(-5, 1);
        fixture_play(f, "error NOT_SENT\n---\n");
        fixture_start(f, 0, 0);
        no_memory(at);
        assert_true(fixture_finish(f) < 0);
        failed = no_memory_ended();
        assert_true(support_requests() == 1 || failed);
    }
    unsetenv("AWS_ENDPOINT_URL_SSO_OIDC");
    char *asked = support_asked();
    assert_contains(asked, "aaa/token\n");
    free(asked);
}

static void without_a_transport_nothing_is_sent(void **state)
{
    struct fixture *f = *state;
    fixture_login(-5, 1);
    assert_int_equal(remove(support_script()), 0);
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_E_INVALID);
    assert_contains(f->err.text, "script");
    fixture_assert_row("access-1");
}

/* ---- what cannot be refreshed (R10) ---- */

static void what_cannot_be_refreshed_is_neither_sent_nor_removed(void **state)
{
    static const struct {
        const char *expires, *region, *flow, *says;
    } cases[] = {
        { "\"2001-01-01T00:00:00Z\"", "us-east-1", "DeviceCode", "registration has expired" },
        { "null", "us-west-2", "DeviceCode", "of another login" },
        { "null", "us-east-1", "PKCE", "of another login" },
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[256];
        snprintf(text, sizeof(text),
                 "{\"client_id\":\"id\",\"client_secret\":\"s\",\"client_secret_expires_at\":%s,"
                 "\"region\":\"%s\",\"oauth_flow\":\"%s\"}",
                 cases[i].expires, cases[i].region, cases[i].flow);
        fixture_login(-5, 1);
        fixture_put(REGISTRATION_KEY, text);
        fixture_play(f, REFRESH_OK);
        assert_int_equal(fixture_fetch(f, 0, 0), AQ_E_LOGIN_NEEDED);
        assert_contains(f->err.text, cases[i].says);
        assert_int_equal(support_requests(), 0);
        fixture_assert_row("access-1");
        char *row = fixture_get(REGISTRATION_KEY);
        assert_string_equal(row, text);
        free(row);
    }
}

static void a_registration_in_its_last_minute_has_expired(void **state)
{
    struct fixture *f = *state;
    fixture_login(-5, 1); /* with a registration until 2099-01-01T00:00:00Z, which is 4070908800 */
    fixture_play(f, REFRESH_OK);
    fixture_set_wall(4070908800 - 60 - clock_wall_s());
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_E_LOGIN_NEEDED);
    fixture_set_wall(-5);
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_END);
}

static void without_registration_or_refresh_token_a_new_login_is_needed(void **state)
{
    struct fixture *f = *state;
    fixture_login(-5, 1);
    fixture_put_token("access-1", "", -5);
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_E_LOGIN_NEEDED);
    assert_contains(f->err.text, "no refresh token");

    fixture_login(-5, 1);
    fixture_remove(REGISTRATION_KEY);
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_E_LOGIN_NEEDED);
    assert_contains(f->err.text, "registration is missing");

    fixture_put(REGISTRATION_KEY, "null");
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_E_LOGIN_NEEDED);
    assert_contains(f->err.text, "registration is missing");
    assert_int_equal(support_requests(), 0);
}

static void a_registration_that_cannot_be_read_is_an_error_of_the_store(void **state)
{
    struct fixture *f = *state;
    fixture_login(-5, 1);
    fixture_put(REGISTRATION_KEY, "{}");
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_E_CORRUPT);
    fixture_login(-5, 1);
    fake_store_fail(FAKE_GET, 7, 1, AQ_E_BUSY); /* five kinds, the profile, the token again */
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_E_BUSY);
    assert_int_equal(support_requests(), 0);
}

static void the_login_is_removed(void)
{
    fixture_remove(TOKEN_KEY);
    fixture_remove(REGISTRATION_KEY);
}

static void a_logout_between_reading_token_and_registration_is_a_logout(void **state)
{
    struct fixture *f = *state;
    fixture_login(-5, 1);
    fake_store_meet(FAKE_GET, 7, the_login_is_removed); /* five kinds, profile, token again */
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_E_NOT_LOGGED_IN);
}

/* ---- the lock ---- */

static void while_somebody_else_refreshes_an_expired_token_is_waited_for(void **state)
{
    struct fixture *f = *state;
    fixture_login(-5, 1);
    fixture_play(f, REFRESH_OK);
    fake_store_fail(FAKE_LOCK, 0, 3, AQ_AGAIN);
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_END);
    assert_string_equal(f->access, "access-2");
    assert_int_equal(fake_store_calls(FAKE_LOCK), 4);
}

static void while_somebody_else_refreshes_a_valid_token_is_handed_out(void **state)
{
    struct fixture *f = *state;
    fixture_login(600, 1);
    fake_store_fail(FAKE_LOCK, 0, FAKE_FOR_EVER, AQ_AGAIN);
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_END);
    assert_string_equal(f->access, "access-1");
    assert_string_equal(f->warning, "");
    assert_int_equal(fake_store_calls(FAKE_LOCK), 1);
}

/* R11 */
static void a_lock_that_is_never_released_is_waited_for_30_seconds(void **state)
{
    struct fixture *f = *state;
    for (int valid = 0; valid < 2; valid++) {
        fixture_login(valid ? 50 : -5, 1);
        fixture_play(f, REFRESH_OK);
        fake_store_fail(FAKE_LOCK, 0, FAKE_FOR_EVER, AQ_AGAIN);
        fixture_start(f, 0, 0);
        assert_int_equal(aq_op_next(f->op, &f->event, &f->err), AQ_AGAIN);
        fixture_pass(f, 29);
        assert_int_equal(aq_op_next(f->op, &f->event, &f->err), AQ_AGAIN);
        fixture_pass(f, 1);
        assert_int_equal(fixture_finish(f), valid ? AQ_END : AQ_E_REFRESH);
        assert_string_equal(f->access, valid ? "access-1" : "");
        assert_contains(valid ? f->warning : f->err.text, "another process is refreshing it");
        assert_int_equal(support_requests(), 0);
    }
}

static void somebody_else_refreshes(void)
{
    fixture_login(3600, 7);
}

static void what_somebody_else_refreshed_while_we_waited_is_taken(void **state)
{
    struct fixture *f = *state;
    fixture_login(-5, 1);
    fixture_play(f, REFRESH_OK);
    fake_store_meet(FAKE_LOCK, 0, somebody_else_refreshes);
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_END);
    assert_string_equal(f->access, "access-7");

    fixture_play(f, REFRESH_OK); /* the same when it was forced: it is new */
    fixture_login(3600, 1);
    fake_store_meet(FAKE_LOCK, 0, somebody_else_refreshes);
    assert_int_equal(fixture_fetch(f, AQ_TOKEN_FORCE_REFRESH, 0), AQ_END);
    assert_string_equal(f->access, "access-7");
    assert_int_equal(support_requests(), 0);
}

static void another_expired_login_appears(void)
{
    fixture_login(-5, 7);
}

static void another_token_that_is_not_good_enough_is_refreshed_in_its_turn(void **state)
{
    struct fixture *f = *state;
    fixture_login(-5, 1);
    fixture_play(f, REFRESH_OK);
    fake_store_meet(FAKE_LOCK, 0, another_expired_login_appears);
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_END);
    assert_string_equal(f->access, "access-2");
    char *asked = support_asked();
    assert_contains(asked, "refresh-7");
    free(asked);
}

static void a_logout_while_we_waited_is_a_logout(void **state)
{
    struct fixture *f = *state;
    fixture_login(-5, 1);
    fake_store_meet(FAKE_LOCK, 0, the_login_is_removed);
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_E_NOT_LOGGED_IN);

    fixture_login(-5, 1);
    fake_store_fail(FAKE_LOCK, 0, 1, AQ_E_NOTFOUND); /* the whole database is gone */
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_E_NOT_LOGGED_IN);
}

/* R7 */
static void where_nothing_can_be_saved_the_refresh_token_is_not_spent(void **state)
{
    static const struct {
        enum fake_call call;
        aq_status fails, status;
    } cases[] = {
        { FAKE_LOCK, AQ_E_READONLY, AQ_E_NOT_SAVED },
        { FAKE_LOCK, AQ_E_DENIED, AQ_E_NOT_SAVED },
        { FAKE_LOCK, AQ_E_UNSUPPORTED, AQ_E_NOT_SAVED },
        { FAKE_LOCK, AQ_E_IO, AQ_E_IO },
        { FAKE_CAN_SAVE, AQ_E_READONLY, AQ_E_NOT_SAVED },
        { FAKE_CAN_SAVE, AQ_E_DENIED, AQ_E_NOT_SAVED },
        { FAKE_CAN_SAVE, AQ_E_BUSY, AQ_E_BUSY },
    };
    struct fixture *f = *state;
    fixture_play(f, REFRESH_OK);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        fixture_login(-5, 1);
        fake_store_fail(cases[i].call, 0, 1, cases[i].fails);
        assert_int_equal(fixture_fetch(f, 0, 0), cases[i].status);
        assert_contains(f->err.text, "failed as it was told");
        assert_int_equal(support_requests(), 0);
        fixture_assert_row("access-1");
    }
}

/* ---- the answer (table 4.1) ---- */

static void an_answer_without_refresh_token_keeps_the_old_one(void **state)
{
    struct fixture *f = *state;
    fixture_login(-5, 1);
    fixture_play(f, "status 200\nbody {\"accessToken\":\"access-2\",\"expiresIn\":3600}\n---\n");
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_END);
    fixture_assert_row("\"access_token\":\"access-2\"");
    fixture_assert_row("\"refresh_token\":\"refresh-1\"");
}

static void an_answer_may_come_in_pieces(void **state)
{
    struct fixture *f = *state;
    fixture_login(-5, 1);
    fixture_play(f, "status 200\nwait 1\nbody {\"accessToken\":\"access-2\",\nwait 2\n"
                    "body \"expiresIn\":3600}\nwait 1\n---\n");
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_END);
    assert_string_equal(f->access, "access-2");
}

static void no_failure_changes_the_row_and_none_is_asked_for_twice(void **state)
{
    static const struct {
        const char *script;
        aq_status status;
        const char *says;
    } failures[] = {
        { "status 400\nbody {\"error\":\"invalid_grant\",\"error_description\":\"no\"}\n",
          AQ_E_LOGIN_NEEDED, "log in again" },
        { "status 401\nbody {\"error\":\"invalid_client\"}\n", AQ_E_LOGIN_NEEDED, "log in again" },
        { "status 400\nheader x-amzn-errortype: UnauthorizedClientException\n", AQ_E_LOGIN_NEEDED,
          "log in again" },
        { "status 400\nbody {\"error\":\"slow_down\"}\n", AQ_E_REFRESH, "too many requests" },
        { "status 429\n", AQ_E_REFRESH, "too many requests" },
        { "status 500\nbody {\"error\":\"server_error\"}\n", AQ_E_REFRESH, "the service failed" },
        { "status 502\nbody <html>Bad gateway</html>\n", AQ_E_REFRESH, "the service failed" },
        { "status 407\n", AQ_E_REFRESH, "proxy" },
        { "status 200\nbody {\"accessToken\":\"acc\n", AQ_E_REFRESH, "no usable access token" },
        { "status 200\nbody {\"expiresIn\":3600}\n", AQ_E_REFRESH, "no usable access token" },
        { "status 200\n", AQ_E_REFRESH, "no usable access token" },
        { "status 302\nheader location: https://evil.test/\n", AQ_E_REFRESH, "redirect" },
        { "status 200\nbody {\"acc\nerror TRUNCATED\n", AQ_E_REFRESH, "may be spent" },
        { "error TIMEOUT\n", AQ_E_REFRESH, "may be spent" },
        { "error NETWORK\n", AQ_E_REFRESH, "may be spent" }, /* R5 */
        { "error NOT_SENT\n", AQ_E_REFRESH, "nothing is lost" },
    };
    struct fixture *f = *state;
    fixture_login(-5, 1);
    char *before = fixture_get(TOKEN_KEY);
    for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
        char script[512];
        snprintf(script, sizeof(script), "%s---\n" REFRESH_OK, failures[i].script);
        fixture_play(f, script);
        aq_status st = fixture_fetch(f, 0, 0);
        if (st != failures[i].status) {
            print_error("%s -> %s\n", failures[i].script, f->err.text);
        }
        assert_int_equal(st, failures[i].status);
        assert_contains(f->err.text, failures[i].says);
        assert_string_equal(f->access, "");
        assert_int_equal(support_requests(), 1); /* although a second one would do */
        assert_null(strstr(f->err.text, "refresh-1"));
        char *after = fixture_get(TOKEN_KEY);
        assert_string_equal(after, before);
        free(after);
    }
    free(before);
}

static void a_lifetime_that_makes_no_sense_costs_a_request_and_not_the_login(void **state)
{
    static const char *const members[] = { "", ",\"expiresIn\":0", ",\"expiresIn\":\"3600\"" };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        char script[512];
        snprintf(
            script, sizeof(script),
            "status 200\nbody {\"accessToken\":\"access-7\",\"refreshToken\":\"refresh-7\"%s}\n"
            "---\n" REFRESH_OK,
            members[i]);
        fixture_login(-5, 1);
        fixture_play(f, script);
        assert_int_equal(fixture_fetch(f, 0, 0), AQ_END);
        assert_string_equal(f->access, "access-7");
        fixture_assert_row("refresh-7");

        assert_int_equal(fixture_fetch(f, 0, 0), AQ_END); /* it is not relied on any longer */
        assert_string_equal(f->access, "access-2");
        fixture_assert_row("refresh-2");
        char *asked = support_asked();
        assert_contains(asked, "refresh-7");
        free(asked);
    }
}

static void an_answer_that_does_not_end_is_not_read_to_its_end(void **state)
{
    struct fixture *f = *state;
    const char *path = fixture_path("much");
    char script[512];
    char *much = calloc(1, 70000);
    memset(much, ' ', 69999);
    fixture_write_file(path, much);
    free(much);
    fixture_login(-5, 1);
    snprintf(script, sizeof(script), "status 200\nfile %s\nwait 1\n---\n", path);
    fixture_play(f, script);
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_E_REFRESH);
    assert_contains(f->err.text, "answered more than 65536 bytes");
    fixture_assert_row("access-1");
}

static void a_transport_that_forgets_its_timeout_does_not_hold_the_client_for_ever(void **state)
{
    struct fixture *f = *state;
    fixture_login(-5, 1);
    fixture_play(f, "sleep 600000\n" REFRESH_OK);
    fixture_send(f);
    fixture_pass(f, 13);
    assert_int_equal(aq_op_next(f->op, &f->event, &f->err), AQ_AGAIN);
    fixture_pass(f, 1);
    assert_int_equal(fixture_finish(f), AQ_E_REFRESH);
    assert_contains(f->err.text, "did not answer in time");
    fixture_assert_row("access-1");
}

static void a_refusal_is_not_believed_when_somebody_else_was_faster(void **state)
{
    struct fixture *f = *state;
    fixture_login(-5, 1);
    fixture_play(f, "wait 5\n" REFRESH_REFUSED);
    fixture_send(f);
    fixture_login(3600, 7);
    assert_int_equal(fixture_finish(f), AQ_END);
    assert_string_equal(f->access, "access-7");
}

static void a_refusal_is_not_believed_of_another_login_that_is_short_of_time(void **state)
{
    struct fixture *f = *state;
    fixture_login(-5, 1);
    fixture_play(f, "wait 5\n" REFRESH_REFUSED);
    fixture_start(f, 0, 7200);
    assert_int_equal(aq_op_next(f->op, &f->event, &f->err), AQ_AGAIN);
    fixture_put_token("other-user", "other", 3600);
    assert_int_equal(fixture_finish(f), AQ_E_REFRESH); /* not "sign in again" */
    fixture_assert_row("other-user");
}

static void a_refusal_is_not_believed_while_the_row_cannot_be_read(void **state)
{
    struct fixture *f = *state;
    fixture_login(-5, 1);
    fixture_play(f, "wait 5\n" REFRESH_REFUSED);
    fixture_send(f);
    fake_store_fail(FAKE_GET, 0, 1, AQ_E_BUSY);
    assert_int_equal(fixture_finish(f), AQ_E_REFRESH);
    assert_contains(f->err.text, "is not known");
}

static void a_refusal_after_a_logout_is_a_logout(void **state)
{
    struct fixture *f = *state;
    fixture_login(600, 1); /* even though the token would still be valid */
    fixture_play(f, "wait 5\n" REFRESH_REFUSED);
    fixture_send(f);
    the_login_is_removed();
    assert_int_equal(fixture_finish(f), AQ_E_NOT_LOGGED_IN);
}

/* ---- not too often (R8) ---- */

static void after_a_failure_the_same_token_is_not_sent_again_for_30_seconds(void **state)
{
    struct fixture *f = *state;
    fixture_login(-5, 1);
    fixture_play(f, "status 500\n---\n" REFRESH_OK);
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_E_REFRESH);
    char first[sizeof(f->err.text)];
    strcpy(first, f->err.text);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(fixture_fetch(f, i ? AQ_TOKEN_FORCE_REFRESH : 0, 0), AQ_E_REFRESH);
        assert_string_equal(f->err.text, first);
        assert_int_equal(support_requests(), 1);
        fixture_pass(f, 14);
    }
    fixture_pass(f, 2);
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_END);
    assert_string_equal(f->access, "access-2");
}

static void a_wall_clock_that_is_set_does_not_shorten_the_pause(void **state)
{
    struct fixture *f = *state;
    fixture_login(-5, 1);
    fixture_play(f, "status 500\n---\n" REFRESH_OK);
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_E_REFRESH);
    fixture_set_wall(24 * 3600);
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_E_REFRESH);
    assert_int_equal(support_requests(), 1);
}

static void another_token_is_sent_at_once(void **state)
{
    struct fixture *f = *state;
    fixture_login(-5, 1);
    fixture_play(f, REFRESH_REFUSED REFRESH_OK);
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_E_LOGIN_NEEDED);
    fixture_login(-5, 7);
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_END);
    assert_int_equal(support_requests(), 2);
}

static void what_was_never_sent_is_sent_at_once(void **state)
{
    struct fixture *f = *state;
    fixture_login(-5, 1);
    fixture_play(f, "error NOT_SENT\n---\n" REFRESH_OK);
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_E_REFRESH);
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_END);
    assert_string_equal(f->access, "access-2");
}

/* ---- without memory ---- */

static void the_n_th_request_for_memory_that_fails_costs_no_login(void **state)
{
    struct fixture *f = *state;
    bool failed = true;
    for (int at = 1; failed; at++) {
        char own[32];
        snprintf(own, sizeof(own), "\"access-%d\"", 100 + at);
        fixture_login(-5, 100 + at); /* its own: what is left behind is not its successor */
        fixture_play(f, "error NOT_SENT\n---\n"
                        "status 200\nheader a: b\n"
                        "body {\"accessToken\":\"access-2\",\"expiresIn\":3600,\n"
                        "body \"refreshToken\":\"refresh-2\"}\n---\n");
        assert_int_equal(fixture_fetch(f, 0, 0), AQ_E_REFRESH); /* the plugins are loaded */
        fixture_drop(f);
        no_memory(at);
        struct aq_token_options options = AQ_TOKEN_OPTIONS_INIT;
        aq_status st = aq_token_start(f->client, &options, &f->op, &f->err);
        if (st == AQ_OK) {
            st = fixture_finish(f);
        }
        failed = no_memory_ended();
        if (support_requests() == 2) { /* it was spent: then the answer was not lost */
            fixture_assert_row("access-2");
            fixture_assert_row("\"unknown\" : [1, {}]}");
        } else {
            assert_int_not_equal(st, AQ_END);
            fixture_assert_row(own);
        }
    }
}

static void an_answer_there_is_no_memory_for_is_tried_again_for_15_seconds(void **state)
{
    struct fixture *f = *state;
    for (int ends = 0; ends < 2; ends++) {
        fixture_login(-5, 1);
        fixture_play(f, "sleep 1000\n" REFRESH_OK);
        fixture_send(f);
        no_memory_at_all();
        fixture_pass(f, 1);
        assert_int_equal(aq_op_next(f->op, &f->event, &f->err), AQ_AGAIN);
        fixture_pass(f, ends ? 14 : 13);
        aq_status st = aq_op_next(f->op, &f->event, &f->err);
        assert_true(no_memory_ended());
        assert_int_equal(st, ends ? AQ_E_NOMEM : AQ_AGAIN);
        assert_int_equal(fixture_finish(f), ends ? AQ_E_NOMEM : AQ_END);
        fixture_assert_row(ends ? "access-1" : "access-2");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(an_expired_token_is_refreshed_and_the_row_updated_and_nothing_else),
        CASE(it_goes_to_the_regions_own_host_with_our_own_name),
        FAKE_CASE(a_token_without_a_region_is_refreshed_where_its_client_is_registered),
        FAKE_CASE(another_sign_in_endpoint_is_asked_if_it_is_a_safe_one),
        FAKE_CASE(without_memory_for_its_path_a_long_endpoint_is_not_asked),
        FAKE_CASE(without_a_transport_nothing_is_sent),
        CASE(what_cannot_be_refreshed_is_neither_sent_nor_removed),
        FAKE_CASE(a_registration_in_its_last_minute_has_expired),
        FAKE_CASE(without_registration_or_refresh_token_a_new_login_is_needed),
        FAKE_CASE(a_registration_that_cannot_be_read_is_an_error_of_the_store),
        FAKE_CASE(a_logout_between_reading_token_and_registration_is_a_logout),
        FAKE_CASE(while_somebody_else_refreshes_an_expired_token_is_waited_for),
        FAKE_CASE(while_somebody_else_refreshes_a_valid_token_is_handed_out),
        FAKE_CASE(a_lock_that_is_never_released_is_waited_for_30_seconds),
        FAKE_CASE(what_somebody_else_refreshed_while_we_waited_is_taken),
        FAKE_CASE(another_token_that_is_not_good_enough_is_refreshed_in_its_turn),
        FAKE_CASE(a_logout_while_we_waited_is_a_logout),
        FAKE_CASE(where_nothing_can_be_saved_the_refresh_token_is_not_spent),
        CASE(an_answer_without_refresh_token_keeps_the_old_one),
        FAKE_CASE(an_answer_may_come_in_pieces),
        CASE(no_failure_changes_the_row_and_none_is_asked_for_twice),
        CASE(a_lifetime_that_makes_no_sense_costs_a_request_and_not_the_login),
        FAKE_CASE(an_answer_that_does_not_end_is_not_read_to_its_end),
        CASE(a_transport_that_forgets_its_timeout_does_not_hold_the_client_for_ever),
        CASE(a_refusal_is_not_believed_when_somebody_else_was_faster),
        FAKE_CASE(a_refusal_is_not_believed_of_another_login_that_is_short_of_time),
        FAKE_CASE(a_refusal_is_not_believed_while_the_row_cannot_be_read),
        FAKE_CASE(a_refusal_after_a_logout_is_a_logout),
        FAKE_CASE(after_a_failure_the_same_token_is_not_sent_again_for_30_seconds),
        FAKE_CASE(a_wall_clock_that_is_set_does_not_shorten_the_pause),
        FAKE_CASE(another_token_is_sent_at_once),
        FAKE_CASE(what_was_never_sent_is_sent_at_once),
        FAKE_CASE(the_n_th_request_for_memory_that_fails_costs_no_login),
        FAKE_CASE(an_answer_there_is_no_memory_for_is_tried_again_for_15_seconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
