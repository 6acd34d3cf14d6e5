/* SPDX-License-Identifier: Apache-2.0 */
/* A login finds the site that takes it, and finds it again. */
#include "client/fixture.h"

#include <amazonq/exchange.h>
#include <stdbool.h>
#include <sys/stat.h>

#define Q "POST https://q.us-east-1.amazonaws.com/"
#define KIRO "POST https://management.us-east-1.kiro.dev/"
#define REFUSED "status 403\nbody {\"__type\":\"AccessDeniedException\",\"message\":\"no\"}\n---\n"
#define ACCEPTED "status 200\nbody {}\n---\n"
#define ARN "arn:aws:codewhisperer:us-east-1:1:profile/X"

/* Ask for the models with the stored login; the last type of event that came, and the end. */
static aq_status ask(struct fixture *f, const char *script)
{
    struct aq_stream_options options = AQ_STREAM_OPTIONS_INIT;
    aq_status st;
    options.call = AQ_CALL_LIST_AVAILABLE_MODELS;
    fixture_play(f, script);
    assert_int_equal(aq_chat_start(f->client, &options, &f->op, &f->err), AQ_OK);
    while ((st = aq_op_wait(f->op, &f->event, &f->err)) == AQ_OK) {
    }
    fixture_drop(f);
    return st;
}

/* The requests went to these, in this order. */
static void expect_asked(const char *first, const char *second)
{
    char *asked = support_asked();
    char *at = strstr(asked, "POST ");
    assert_non_null(at);
    assert_int_equal(strncmp(at, first, strlen(first)), 0);
    at = strstr(at + 1, "POST ");
    assert_int_equal(at != NULL, second != NULL);
    if (second) {
        assert_int_equal(strncmp(at, second, strlen(second)), 0);
        assert_null(strstr(at + 1, "POST "));
    }
    free(asked);
}

static bool is_remembered(void)
{
    struct stat info;
    return stat(fixture_path("cache/amazonq/endpoints"), &info) == 0 && info.st_size > 0;
}

static void a_login_that_the_first_site_takes_leaves_nothing_behind(void **state)
{
    struct fixture *f = *state;
    fixture_login(3600, 1);
    assert_int_equal(ask(f, ACCEPTED), AQ_END);
    expect_asked(Q, NULL);
    assert_false(is_remembered());
}

static void a_login_that_only_the_second_site_takes_is_refused_once(void **state)
{
    struct fixture *f = *state;
    fixture_login(3600, 1);
    assert_int_equal(ask(f, REFUSED ACCEPTED), AQ_END);
    expect_asked(Q, KIRO);
    assert_int_equal(ask(f, ACCEPTED), AQ_END);
    expect_asked(KIRO, NULL);
}

static void what_is_remembered_is_forgotten_when_it_is_no_more_true(void **state)
{
    struct fixture *f = *state;
    fixture_login(3600, 1);
    assert_int_equal(ask(f, REFUSED ACCEPTED), AQ_END);
    assert_int_equal(ask(f, REFUSED ACCEPTED), AQ_END);
    expect_asked(KIRO, Q);
    assert_false(is_remembered());
    assert_int_equal(ask(f, ACCEPTED), AQ_END);
    expect_asked(Q, NULL);
}

static void a_login_that_is_refused_everywhere_starts_anew(void **state)
{
    struct fixture *f = *state;
    fixture_login(3600, 1);
    assert_int_equal(ask(f, REFUSED ACCEPTED), AQ_END);
    assert_true(is_remembered());
    assert_int_equal(ask(f, REFUSED REFUSED), AQ_E_ACCESS);
    assert_false(is_remembered());
}

static void another_profile_is_another_login(void **state)
{
    struct fixture *f = *state;
    fixture_login(3600, 1);
    assert_int_equal(ask(f, REFUSED ACCEPTED), AQ_END);
    fixture_put(PROFILE_KEY, "{\"arn\":\"" ARN "\",\"profile_name\":\"X\"}");
    assert_int_equal(ask(f, ACCEPTED), AQ_END);
    expect_asked(Q, NULL);
}

static void an_endpoint_that_is_named_is_not_remembered(void **state)
{
    struct fixture *f = *state;
    fixture_login(3600, 1);
    setenv("Q_ENDPOINT_URL", "https://q.example.test", 1);
    assert_int_equal(ask(f, ACCEPTED), AQ_END);
    expect_asked("POST https://q.example.test/", NULL);
    assert_int_equal(ask(f, REFUSED), AQ_E_ACCESS);
    unsetenv("Q_ENDPOINT_URL");
    assert_false(is_remembered());
}

static void expect_host(struct fixture *f, const char *arn, const char *host)
{
    struct aq_stream_options request = AQ_STREAM_OPTIONS_INIT;
    struct aq_exchange_options options = { .struct_size = sizeof(options), .request = &request };
    struct aq_exchange_request out = { .struct_size = sizeof(out) };
    struct aq_exchange *x = NULL;
    request.call = AQ_CALL_LIST_AVAILABLE_MODELS;
    request.access_token = AQ_STR("tok");
    request.profile_arn = (struct aq_str){ arn, strlen(arn) };
    assert_int_equal(aq_exchange_new_for(f->client, &options, &x, &f->err), AQ_OK);
    assert_int_equal(aq_exchange_next(x, 0, &f->event, &f->err), AQ_OK);
    assert_int_equal(aq_exchange_request(x, &out, &f->err), AQ_OK);
    assert_int_equal(strncmp(out.url.ptr, host, strlen(host)), 0);
    aq_exchange_free(x);
}

static void a_program_with_its_own_http_remembers_by_itself(void **state)
{
    struct fixture *f = *state;
    const struct aq_str arn = AQ_STR_INIT(ARN);
    fixture_play(f, "");
    expect_host(f, ARN, "https://q.us-east-1");
    assert_int_equal(aq_exchange_remember(f->client, arn, AQ_STR("kiro"), &f->err), AQ_OK);
    expect_host(f, ARN, "https://management.us-east-1.kiro.dev");
    expect_host(f, "", "https://q.us-east-1");
    assert_int_equal(aq_exchange_remember(f->client, arn, AQ_STR(""), &f->err), AQ_OK);
    expect_host(f, ARN, "https://q.us-east-1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_login_that_the_first_site_takes_leaves_nothing_behind),
        CASE(a_login_that_only_the_second_site_takes_is_refused_once),
        CASE(what_is_remembered_is_forgotten_when_it_is_no_more_true),
        CASE(a_login_that_is_refused_everywhere_starts_anew),
        CASE(another_profile_is_another_login),
        CASE(an_endpoint_that_is_named_is_not_remembered),
        CASE(a_program_with_its_own_http_remembers_by_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
