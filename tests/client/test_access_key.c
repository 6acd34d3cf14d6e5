/* SPDX-License-Identifier: Apache-2.0 */
/* What time, a lack of memory and a fork make of a search for an access key, and of a chat that is
 * signed with what it finds. The places themselves are in tests/cli/test_access_key.py. */
#include "client/fixture.h"

#include "no_memory.h"

#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define KEY \
    "{\"Version\":1,\"AccessKeyId\":\"AKIDEXAMPLE\",\"SecretAccessKey\":\"a\\/b\"," \
    "\"Token\":\"session\",\"Expiration\":\"2099-01-01T00:00:00Z\"}"
#define ANSWER "status 200\nheader content-type: application/vnd.amazon.eventstream\n---\n"
#define CONTAINER "status 200\nbody " KEY "\n---\n"
#define INSTANCE "status 200\nbody token\n---\nstatus 200\nbody worker\n---\n" CONTAINER
#define STS \
    "status 200\nbody <AccessKeyId>AKIDEXAMPLE</AccessKeyId><SecretAccessKey>s</SecretAccessKey>" \
    "<SessionToken>session</SessionToken>\n---\n"

/* A place, as its user names it, and what it has to say. */
struct place {
    const char *variable, *value; /* NULL: no variable */
    const char *config;           /* ~/.aws/config, else empty */
    const char *script;
};

static const struct place environment = { .variable = "AWS_ACCESS_KEY_ID",
                                          .value = "AKIDEXAMPLE",
                                          .script = "" };
static const struct place process = {
    .config = "[default]\ncredential_process = cat ~/key\n",
    .script = "",
};
static const struct place web_identity = {
    .config = "[default]\nrole_arn = r\nweb_identity_token_file = ~/key\n",
    .script = STS,
};
static const struct place container = { .variable = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
                                        .value = "/key",
                                        .script = CONTAINER };
static const struct place instance = { .script = INSTANCE };

static const struct place *const places[] = { &environment, &process, &web_identity, &container,
                                              &instance };

static const char *const variables[] = {
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_PROFILE",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_EC2_METADATA_DISABLED",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
};

/* How long a descriptor is waited for before time passes: a program takes real time. */
static int patience_ms;

/* Make the home that of a user with this place, and the transport say what it says. */
static void settle(struct fixture *f, const struct place *place, const char *before,
                   const char *behind)
{
    char script[2048];
    for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++) {
        unsetenv(variables[i]);
    }
    setenv("AMAZON_Q_SIGV4", "1", 1);
    patience_ms = place == &process ? -1 : 0;
    mkdir(fixture_path(".aws"), 0700);
    fixture_write_file(fixture_path(".aws/config"), place->config ? place->config : "");
    fixture_write_file(fixture_path("key"), KEY);
    if (place->variable) {
        setenv(place->variable, place->value, 1);
    }
    if (place == &environment) {
        setenv("AWS_SECRET_ACCESS_KEY", "secret", 1);
    }
    snprintf(script, sizeof(script), "%s%s%s", before, place->script, behind);
    fixture_play(f, script);
}

static aq_status start(struct fixture *f)
{
    struct aq_stream_options options = AQ_STREAM_OPTIONS_INIT;
    options.prompt = AQ_STR("hello");
    return aq_chat_start(f->client, &options, &f->op, &f->err);
}

/* To its end; where it waits for a moment in time, time passes: *ret_seconds. */
static aq_status finish(struct fixture *f, int *ret_seconds)
{
    struct pollfd wait = { .fd = aq_client_fd(f->client), .events = POLLIN };
    aq_status st;
    *ret_seconds = 0;
    while ((st = aq_op_next(f->op, &f->event, &f->err)) == AQ_OK || st == AQ_AGAIN) {
        bool idle = st == AQ_AGAIN && poll(&wait, 1, patience_ms) == 0;
        *ret_seconds += idle;
        fixture_pass(f, idle);
    }
    return st;
}

static void a_key_of_every_place_signs_the_question(void **state)
{
    struct fixture *f = *state;
    int seconds;
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        settle(f, places[i], "", ANSWER);
        assert_int_equal(start(f), AQ_OK);
        assert_int_equal(finish(f, &seconds), AQ_END);
        char *asked = support_asked();
        assert_contains(asked, "authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/");
        free(asked);
    }
}

static void the_service_of_the_existing_cli_says_which_region_is_signed_for(void **state)
{
    struct fixture *f = *state;
    int seconds;
    mkdir(fixture_path("amazon-q"), 0700);
    fixture_write_file(fixture_path("amazon-q/settings.json"),
                       "{\"api.codewhisperer.service\":"
                       "{\"endpoint\":\"https://q.test\",\"region\":\"eu-central-1\"}}");
    settle(f, &environment, "", ANSWER);
    assert_int_equal(start(f), AQ_OK);
    assert_int_equal(finish(f, &seconds), AQ_END);
    char *asked = support_asked();
    assert_contains(asked, "POST https://q.test");
    assert_contains(asked, "/eu-central-1/q/aws4_request");
    free(asked);
}

static void who_refuses_a_key_is_told_with_the_http_status(void **state)
{
    static const struct {
        int http;
        aq_status status;
    } cases[] = { { 403, AQ_E_ACCESS }, { 429, AQ_E_THROTTLED }, { 503, AQ_E_SERVICE } };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char refusal[64];
        int seconds;
        snprintf(refusal, sizeof(refusal), "status %d\nbody no\n---\n", cases[i].http);
        settle(f, &container, refusal, ANSWER);
        assert_int_equal(start(f), AQ_OK);
        assert_int_equal(finish(f, &seconds), cases[i].status);
        assert_int_equal(f->err.http, cases[i].http);
        assert_contains(f->err.text, "container: gave no access key");
    }
}

static void nobody_waits_long_for_an_instance_that_says_nothing(void **state)
{
    struct fixture *f = *state;
    int seconds;
    settle(f, &instance, "sleep 600000\n", ANSWER);
    assert_int_equal(start(f), AQ_OK);
    assert_int_equal(finish(f, &seconds), AQ_E_NOT_LOGGED_IN);
    assert_in_range(seconds, 1, 6);
}

static void a_child_process_frees_a_signed_chat_and_its_parent_goes_on(void **state)
{
    struct fixture *f = *state;
    int status, seconds;
    for (int stage = 0; stage < 2; stage++) { /* while a key is asked for, and while it is used */
        settle(f, &web_identity, stage ? "" : "wait 3\n", stage ? "wait 3\n" ANSWER : ANSWER);
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
        assert_int_equal(finish(f, &seconds), AQ_END);
    }
}

static void an_allocation_that_fails_is_reported_as_that(void **state)
{
    struct fixture *f = *state;
    int seconds;
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        bool failed = true;
        int reported = 0;
        for (int n = 1; failed; n++) {
            settle(f, places[i], "", ANSWER);
            assert_int_equal(start(f), AQ_OK);
            no_memory(n);
            aq_status st = finish(f, &seconds);
            failed = no_memory_ended();
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
        CASE(a_key_of_every_place_signs_the_question),
        CASE(the_service_of_the_existing_cli_says_which_region_is_signed_for),
        CASE(who_refuses_a_key_is_told_with_the_http_status),
        CASE(nobody_waits_long_for_an_instance_that_says_nothing),
        CASE(a_child_process_frees_a_signed_chat_and_its_parent_goes_on),
        CASE(an_allocation_that_fails_is_reported_as_that),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
