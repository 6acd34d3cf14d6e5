/* SPDX-License-Identifier: Apache-2.0 */
/* What a check tells of a login in a store and of a scripted network; `q doctor` is tested with
 * real ones. */
#include "base/str.h"
#include "client/fixture.h"

#include <amazonq/check.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define FAR "status 404\nheader date: Sun, 06 Nov 1994 08:49:37 GMT\n---\n"
#define TAKEN "status 200\nbody {}\n---\n"

static void start(struct fixture *f, const char *script)
{
    fixture_play(f, script);
    assert_int_equal(aq_check_start(f->client, NULL, &f->op, &f->err), AQ_OK);
    assert_true(aq_op_may_block(f->op));
}

/* The kind of the finding of that name, the last one; -1: there is none. */
static int32_t find(struct fixture *f, const char *name, char text[512])
{
    int32_t kind = -1;
    aq_status st;
    while ((st = aq_op_wait(f->op, &f->event, &f->err)) == AQ_OK) {
        assert_int_equal(f->event->type, AQ_EVENT_FINDING);
        assert_true(f->event->name.len && f->event->text.len);
        if (str_eq(f->event->name, str_from(name))) {
            kind = f->event->kind;
            snprintf(text, 512, "%.*s", AQ_STR_ARG(f->event->text));
        }
    }
    assert_int_equal(st, AQ_END);
    fixture_drop(f);
    return kind;
}

static void a_login_that_is_taken_is_fine_and_nothing_was_refreshed(void **state)
{
    struct fixture *f = *state;
    char text[512];
    fixture_login(3600, 1);
    start(f, TAKEN TAKEN);
    assert_int_equal(find(f, "service.login", text), AQ_FINDING_OK);
    assert_contains(text, "https://q.us-east-1.amazonaws.com: takes the login");
    assert_int_equal(support_requests(), 1); /* and a GET of the sign-in service */
    char *asked = support_asked();
    assert_null(strstr(asked, "/token"));
    free(asked);
    fixture_assert_row("access-1");
}

static void the_sign_in_service_gets_no_token(void **state)
{
    struct fixture *f = *state;
    char text[512];
    fixture_login(3600, 1);
    start(f, TAKEN TAKEN);
    assert_int_equal(find(f, "sign-in.connect", text), AQ_FINDING_OK);
    char *asked = support_asked();
    char *second = strstr(asked + 1, "POST "); /* the service's; before it there is a GET */
    assert_int_equal(strncmp(asked, "GET https://oidc.", 17), 0);
    assert_non_null(second);
    *second = '\0';
    assert_null(strstr(asked, "access-1"));
    assert_null(strstr(asked, "uthorization"));
    free(asked);
}

static void a_clock_that_is_years_behind_is_wrong(void **state)
{
    struct fixture *f = *state;
    char text[512];
    fixture_login(3600, 1);
    start(f, FAR TAKEN);
    assert_int_equal(find(f, "sign-in.clock", text), AQ_FINDING_FAIL);
    assert_contains(text, "behind the clock of this machine");
}

static void the_regions_of_sign_in_and_service_are_two_things(void **state)
{
    struct fixture *f = *state;
    char text[512];
    fixture_login(3600, 1);
    fixture_put(PROFILE_KEY, "{\"arn\":\"arn:aws:codewhisperer:eu-central-1:1:profile/X\"}");
    start(f, TAKEN TAKEN);
    assert_int_equal(find(f, "login.region", text), AQ_FINDING_OK);
    assert_contains(text, "service: eu-central-1 (of the profile)");
}

static void it_may_be_freed_at_any_point(void **state)
{
    struct fixture *f = *state;
    fixture_login(3600, 1);
    for (int steps = 0;; steps++) {
        aq_status st = AQ_OK;
        start(f, TAKEN TAKEN);
        for (int i = 0; i < steps && st == AQ_OK; i++) {
            st = aq_op_wait(f->op, &f->event, &f->err);
        }
        fixture_drop(f);
        if (st == AQ_END) {
            return;
        }
    }
}

static void a_batch_has_texts_that_stay_readable(void **state)
{
    struct fixture *f = *state;
    struct aq_event events[4];
    uint32_t len = 0;
    fixture_login(3600, 1);
    start(f, TAKEN TAKEN);
    assert_int_equal(aq_op_drain(f->op, events, 4, sizeof(events[0]), &len, &f->err), AQ_OK);
    assert_int_equal(len, 4);
    assert_str(events[0].name, "version");
    assert_str(events[1].name, "plugin");
    assert_int_equal(strncmp(events[1].text.ptr, "store 'sqlite'", 14), 0);
    fixture_drop(f);
}

static void a_child_may_free_it_and_no_more(void **state)
{
    struct fixture *f = *state;
    int status = 0;
    fixture_login(3600, 1);
    start(f, "wait 100000\n" TAKEN);
    while (aq_op_next(f->op, &f->event, &f->err) == AQ_OK) {
    }
    pid_t child = fork();
    if (child == 0) {
        bool refused = aq_op_next(f->op, &f->event, &f->err) == AQ_E_FORKED;
        aq_client_free(f->client);
        _exit(refused ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    fixture_drop(f);
}

static void options_without_a_size_are_refused(void **state)
{
    struct fixture *f = *state;
    const struct aq_check_options options = { 0 };
    fixture_play(f, "");
    assert_int_equal(aq_check_start(f->client, &options, &f->op, &f->err), AQ_E_INVALID);
}

/* A client whose setting plugin.path is wrong, and names a directory of the user. */
static aq_status make_wrong(uint32_t flags, struct fixture *f)
{
    char value[80];
    snprintf(value, sizeof(value), "%s/plugins:plugins", getenv("HOME"));
    const struct aq_client_setting setting = { AQ_STR("plugin.path"), str_from(value) };
    const struct aq_client_options options = {
        .struct_size = sizeof(options), .flags = flags, .settings = &setting, .setting_count = 1
    };
    aq_client_free(f->client);
    f->client = NULL;
    return aq_client_new(&options, &f->client, &f->err);
}

static void a_wrong_setting_is_the_only_finding_and_shows_no_home_directory(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(make_wrong(AQ_CLIENT_CHECK_ONLY, f), AQ_OK);
    assert_int_equal(aq_check_start(f->client, NULL, &f->op, &f->err), AQ_OK);
    assert_int_equal(aq_op_wait(f->op, &f->event, &f->err), AQ_OK);
    assert_int_equal(f->event->kind, AQ_FINDING_FAIL);
    assert_true(str_eq(f->event->name, AQ_STR("settings.value")));
    assert_true(f->event->payload.len > 0);
    assert_true(str_starts(f->event->text, AQ_STR("setting 'plugin.path': must be absolute "
                                                  "directories, separated by ':', is "
                                                  "'~/plugins:plugins' (as an option)")));
    assert_int_equal(aq_op_wait(f->op, &f->event, &f->err), AQ_END);
    fixture_drop(f);
}

static void a_client_with_a_wrong_setting_can_do_nothing_else(void **state)
{
    struct fixture *f = *state;
    struct aq_sources *sources;
    assert_int_equal(make_wrong(0, f), AQ_E_INVALID);
    assert_int_equal(make_wrong(AQ_CLIENT_CHECK_ONLY, f), AQ_OK);
    const struct aq_stream_options ask = { .struct_size = sizeof(ask),
                                           .prompt = AQ_STR("hello"),
                                           .access_token = AQ_STR("token") };
    assert_int_equal(aq_token_start(f->client, NULL, &f->op, &f->err), AQ_E_INVALID);
    assert_contains(f->err.text, "setting 'plugin.path'");
    assert_int_equal(aq_stream_start(f->client, &ask, &f->op, &f->err), AQ_E_INVALID);
    assert_int_equal(aq_logout_start(f->client, NULL, &f->op, &f->err), AQ_E_INVALID);
    assert_int_equal(aq_sources_open(f->client, &sources, &f->err), AQ_E_INVALID);
    aq_client_free(f->client);
    f->client = NULL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_login_that_is_taken_is_fine_and_nothing_was_refreshed),
        CASE(the_sign_in_service_gets_no_token),
        CASE(a_clock_that_is_years_behind_is_wrong),
        CASE(the_regions_of_sign_in_and_service_are_two_things),
        CASE(it_may_be_freed_at_any_point),
        CASE(a_batch_has_texts_that_stay_readable),
        CASE(a_child_may_free_it_and_no_more),
        CASE(options_without_a_size_are_refused),
        CASE(a_wrong_setting_is_the_only_finding_and_shows_no_home_directory),
        CASE(a_client_with_a_wrong_setting_can_do_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
