/* SPDX-License-Identifier: Apache-2.0 */
/* What the settings, the store, a lack of memory and a fork make of a chat. Its answers are in
 * test_stream.c. */
#include "client/fake_store.h"
#include "client/fixture.h"

#include "no_memory.h"

#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define ANSWER "status 200\nheader content-type: application/vnd.amazon.eventstream\n---\n"

static void write_settings(const char *text)
{
    fixture_write_file(fixture_path("amazon-q/settings.json"), text);
    assert_int_equal(chmod(fixture_path("amazon-q/settings.json"), 0600), 0);
}

static aq_status start(struct fixture *f)
{
    struct aq_stream_options options = AQ_STREAM_OPTIONS_INIT;
    options.prompt = AQ_STR("hello");
    return aq_chat_start(f->client, &options, &f->op, &f->err);
}

/* As aq_op_wait; where it waits for a moment in time, time passes. */
static aq_status next_event(struct fixture *f)
{
    struct pollfd wait = { .fd = aq_client_fd(f->client), .events = POLLIN };
    aq_status st;
    while ((st = aq_op_next(f->op, &f->event, &f->err)) == AQ_AGAIN) {
        fixture_pass(f, poll(&wait, 1, 0) == 1 ? 0 : 1);
    }
    return st;
}

static aq_status finish(struct fixture *f)
{
    aq_status st;
    while ((st = next_event(f)) == AQ_OK) {
    }
    return st;
}

/* What the service was asked, with these settings. Heap text. */
static char *asked_with(struct fixture *f, const char *settings)
{
    write_settings(settings);
    fixture_play(f, ANSWER);
    assert_int_equal(start(f), AQ_OK);
    assert_int_equal(finish(f), AQ_END);
    return support_asked();
}

static void an_opt_out_of_the_existing_cli_is_sent(void **state)
{
    struct fixture *f = *state;
    fixture_login(3600, 1);
    char *asked = asked_with(f, "{\"codeWhisperer.shareCodeWhispererContentWithAWS\": false}");
    assert_contains(asked, "x-amzn-codewhisperer-optout: true");
    free(asked);
}

static void the_service_of_the_existing_cli_is_asked_without_a_profile(void **state)
{
    struct fixture *f = *state;
    fixture_login(3600, 1);
    fixture_put(PROFILE_KEY, "{\"arn\":\"arn:aws:codewhisperer:eu-central-1:1:profile/X\"}");
    char *asked = asked_with(f, "{\"api.codewhisperer.service\":"
                                "{\"endpoint\":\"https://q.test\",\"region\":\"us-east-1\"}}");
    assert_contains(asked, "POST https://q.test");
    assert_null(strstr(asked, "profileArn"));
    free(asked);
}

static void a_service_that_makes_no_sense_names_no_endpoint_and_that_is_said_once(void **state)
{
    static const char *const odd[] = { "true", "\"https://q.test\"",
                                       "{\"endpoint\":\"https://q.test\"}" };
    struct fixture *f = *state;
    fixture_login(3600, 1);
    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        char settings[128];
        snprintf(settings, sizeof(settings), "{\"api.codewhisperer.service\":%s}", odd[i]);
        write_settings(settings);
        fixture_play(f, ANSWER ANSWER);
        for (int again = 0; again < 2; again++) {
            fixture_drop(f);
            assert_int_equal(start(f), AQ_OK);
            assert_int_equal(finish(f), AQ_END);
        }
        char *asked = support_asked();
        assert_contains(asked, "POST https://q.us-east-1.amazonaws.com/");
        free(asked);
        assert_int_equal(fixture_warned(f, "setting 'api.codewhisperer.service': is no object"), 1);
    }
}

static void an_endpoint_of_the_user_beats_the_service_of_the_existing_cli(void **state)
{
    struct fixture *f = *state;
    fixture_login(3600, 1);
    char *asked = asked_with(f, "{\"endpoint\":\"https://mine.test\",\"api.codewhisperer.service\":"
                                "{\"endpoint\":\"https://q.test\",\"region\":\"us-east-1\"}}");
    assert_contains(asked, "POST https://mine.test");
    free(asked);
}

static void a_profile_of_the_caller_beats_the_stored_one(void **state)
{
    struct fixture *f = *state;
    struct aq_stream_options options = AQ_STREAM_OPTIONS_INIT;
    fixture_login(3600, 1);
    fixture_put(PROFILE_KEY, "{\"arn\":\"arn:aws:codewhisperer:eu-central-1:1:profile/X\"}");
    fixture_play(f, ANSWER);
    options.prompt = AQ_STR("hello");
    options.profile_arn = AQ_STR("arn:aws:codewhisperer:us-east-1:1:profile/Y");
    assert_int_equal(aq_chat_start(f->client, &options, &f->op, &f->err), AQ_OK);
    assert_int_equal(finish(f), AQ_END);
    char *asked = support_asked();
    assert_contains(asked, "\"profileArn\":\"arn:aws:codewhisperer:us-east-1:1:profile/Y\"");
    assert_null(strstr(asked, "profile/X"));
    free(asked);
}

static void a_warning_about_the_login_comes_before_the_answer(void **state)
{
    struct fixture *f = *state;
    fixture_login(-60, 1);
    fixture_play(f, REFRESH_OK ANSWER);
    fake_store_fail(FAKE_COMMIT, 0, FAKE_FOR_EVER, AQ_E_BUSY);
    assert_int_equal(start(f), AQ_OK);
    assert_int_equal(next_event(f), AQ_OK);
    assert_int_equal(f->event->type, AQ_EVENT_WARNING);
    assert_contains(f->event->text.ptr, "kept in ");
    assert_int_equal(next_event(f), AQ_OK);
    assert_int_equal(f->event->type, AQ_EVENT_RESPONSE);
    assert_int_equal(finish(f), AQ_END);
}

static void a_child_process_frees_a_chat_and_its_parent_goes_on(void **state)
{
    struct fixture *f = *state;
    int status;
    for (int stage = 0; stage < 2; stage++) { /* while a token is fetched, and while it is used */
        fixture_login(-60, 1);
        fixture_play(f, stage ? REFRESH_OK "wait 3\n" ANSWER : "wait 3\n" REFRESH_OK ANSWER);
        assert_int_equal(start(f), AQ_OK);
        while (support_requests() <= stage) {
            assert_int_equal(aq_op_next(f->op, &f->event, &f->err), AQ_AGAIN);
            aq_client_step(f->client, NULL);
        }
        pid_t child = fork();
        if (child == 0) {
            bool told = aq_op_next(f->op, &f->event, &f->err) == AQ_E_FORKED;
            aq_op_free(f->op); /* the descriptors stay the parent's */
            _exit(told ? 0 : 1);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
        assert_int_equal(finish(f), AQ_END);
    }
}

/* What a request with a token, or a chat, ends with when its n-th allocation fails. */
static aq_status ask_with_little_memory(struct fixture *f, bool chat, int n, bool *ret_failed)
{
    struct aq_stream_options options = AQ_STREAM_OPTIONS_INIT;
    options.prompt = AQ_STR("hello");
    options.access_token = chat ? AQ_STR("") : AQ_STR("tok");
    fixture_play(f, ANSWER);
    if (chat) {
        assert_int_equal(start(f), AQ_OK);
    }
    no_memory(n);
    aq_status st = chat ? AQ_OK : aq_stream_start(f->client, &options, &f->op, &f->err);
    if (st == AQ_OK) {
        st = finish(f);
    }
    *ret_failed = no_memory_ended();
    return st;
}

static void an_allocation_that_fails_is_reported_as_that(void **state)
{
    struct fixture *f = *state;
    fixture_login(3600, 1);
    for (int chat = 0; chat < 2; chat++) {
        bool failed = true;
        int reported = 0;
        for (int n = 1; failed; n++) {
            aq_status st = ask_with_little_memory(f, chat, n, &failed);
            if (failed && st == AQ_E_NOMEM) {
                assert_contains(f->err.text, "out of memory");
                reported++;
            } else { /* the log does without */
                assert_int_equal(st, AQ_END);
            }
        }
        assert_true(reported > 5);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(an_opt_out_of_the_existing_cli_is_sent),
        CASE(the_service_of_the_existing_cli_is_asked_without_a_profile),
        CASE(a_service_that_makes_no_sense_names_no_endpoint_and_that_is_said_once),
        CASE(an_endpoint_of_the_user_beats_the_service_of_the_existing_cli),
        CASE(a_profile_of_the_caller_beats_the_stored_one),
        FAKE_CASE(a_warning_about_the_login_comes_before_the_answer),
        CASE(a_child_process_frees_a_chat_and_its_parent_goes_on),
        CASE(an_allocation_that_fails_is_reported_as_that),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
