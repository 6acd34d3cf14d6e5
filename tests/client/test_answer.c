/* SPDX-License-Identifier: Apache-2.0 */
#include "client/answer.h"

#include "base/str.h"
#include "client/fixture.h"
#include "no_memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An operation that asks as long as it is told to, and ends with the answer. */
struct asker {
    struct aq_op op;
    struct answer answer;
    int questions;
    uint32_t timeout_ms; /* 0: a request that says none */
};

static aq_status asker_ask(struct asker *k, struct aq_error *err)
{
    const struct aq_str url = AQ_STR("https://oracle.example/");
    const struct aq_request request = {
        .method = AQ_STR("GET"),
        .url = url,
        .total_timeout_ms = k->timeout_ms,
    };
    return k->timeout_ms ? answer_ask(&k->answer, &k->op, "oracle", &request, err)
                         : answer_post(&k->answer, &k->op, "oracle", url, AQ_STR("text/plain"),
                                       str_bytes(AQ_STR("why?")), err);
}

static aq_status asker_next(struct aq_op *op, const struct aq_event **ret, struct aq_error *err)
{
    struct asker *k = (struct asker *)op;
    (void)ret;
    for (;;) {
        aq_status st = AQ_OK;
        if (!answer_is_awaited(&k->answer)) {
            st = asker_ask(k, err);
        }
        if (st == AQ_OK) {
            st = answer_wait(&k->answer, err);
        }
        if (st == AQ_AGAIN) {
            return st;
        }
        assert_false(answer_is_awaited(&k->answer));
        if (st != AQ_OK || --k->questions == 0) {
            return op_end(op, st == AQ_OK ? AQ_END : st, err);
        }
    }
}

static void asker_done(struct aq_op *op, bool forked)
{
    answer_done(&((struct asker *)op)->answer, forked);
}

static const struct op_class asker_class = {
    .next = asker_next,
    .done = asker_done,
    .size = sizeof(struct asker),
};

static struct asker *asker_start(struct fixture *f, const char *script, int questions)
{
    fixture_play(f, script);
    struct asker *k = (struct asker *)op_new(f->client, &asker_class, NULL);
    assert_non_null(k);
    k->questions = questions;
    f->op = &k->op;
    return k;
}

/* A script whose answer has a body of this many bytes, and does not end with it. */
static const char *body_of(size_t len)
{
    static char script[512];
    char *text = malloc(len + 1);
    memset(text, 'x', len);
    text[len] = '\0';
    fixture_write_file(fixture_path("body"), text);
    free(text);
    snprintf(script, sizeof(script), "status 200\nfile %s\nwait 1\n---\n", fixture_path("body"));
    return script;
}

/* ---- cases ---- */

static void an_answer_is_there_when_all_of_it_is(void **state)
{
    struct fixture *f = *state;
    struct asker *k = asker_start(f,
                                  "wait 2\nstatus 418\nheader X-Amzn-ErrorType: Teapot\n"
                                  "body short \nwait 2\nbody and stout\nwait 1\n---\n",
                                  1);
    assert_int_equal(fixture_finish(f), AQ_END);
    assert_int_equal(k->answer.http, 418);
    assert_true(str_eq(buf_str(&k->answer.error_type), AQ_STR("Teapot")));
    assert_true(str_eq(buf_str(&k->answer.body), AQ_STR("short and stout")));
    char *asked = support_asked();
    assert_contains(asked, "content-type: text/plain");
    assert_contains(asked, "user-agent: ");
    assert_contains(asked, "why?");
    free(asked);
}

static void asked_again_nothing_is_left_of_the_first_answer(void **state)
{
    struct fixture *f = *state;
    struct asker *k = asker_start(f,
                                  "status 500\nheader x-amzn-errortype: Busy\nbody not now\n---\n"
                                  "status 200\nbody yes\n---\n",
                                  2);
    assert_int_equal(fixture_finish(f), AQ_END);
    assert_int_equal(support_requests(), 2);
    assert_int_equal(k->answer.http, 200);
    assert_int_equal(k->answer.error_type.len, 0);
    assert_true(str_eq(buf_str(&k->answer.body), AQ_STR("yes")));
}

static void the_largest_answer_has_65536_bytes(void **state)
{
    struct fixture *f = *state;
    struct asker *k = asker_start(f, body_of(ANSWER_MAX), 1);
    assert_int_equal(fixture_finish(f), AQ_END);
    assert_int_equal(k->answer.body.len, 65536);

    asker_start(f, body_of(ANSWER_MAX + 1), 1);
    assert_int_equal(fixture_finish(f), AQ_E_LIMIT);
    assert_string_equal(f->err.text, "oracle: answered more than 65536 bytes");
}

static void an_answer_that_does_not_come_is_awaited_for_14_seconds(void **state)
{
    static const char *const scripts[] = { "sleep 600000\nstatus 200\n---\n",
                                           "status 200\nbody half\nsleep 600000\n---\n" };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
        struct asker *k = asker_start(f, scripts[i], 1);
        assert_int_equal(aq_op_next(f->op, &f->event, &f->err), AQ_AGAIN);
        assert_true(k->op.deadline_us == k->answer.until_us);
        fixture_pass(f, 13);
        assert_int_equal(aq_op_next(f->op, &f->event, &f->err), AQ_AGAIN);
        fixture_pass(f, 1);
        assert_int_equal(aq_op_next(f->op, &f->event, &f->err), AQ_E_TIMEOUT);
        assert_string_equal(f->err.text, "oracle: did not answer in time, try again");
    }
}

static void a_request_may_say_how_long_it_takes_and_gets_two_seconds_more(void **state)
{
    struct fixture *f = *state;
    struct asker *k = asker_start(f, "sleep 600000\nstatus 200\n---\n", 1);
    k->timeout_ms = 3000;
    assert_int_equal(aq_op_next(f->op, &f->event, &f->err), AQ_AGAIN);
    fixture_pass(f, 4);
    assert_int_equal(aq_op_next(f->op, &f->event, &f->err), AQ_AGAIN);
    fixture_pass(f, 1);
    assert_int_equal(aq_op_next(f->op, &f->event, &f->err), AQ_E_TIMEOUT);
}

static void what_breaks_the_call_is_told_as_the_transport_says_it(void **state)
{
    struct fixture *f = *state;
    asker_start(f, "status 200\nbody half\nerror TRUNCATED\n---\n", 1);
    assert_int_equal(fixture_finish(f), AQ_E_TRUNCATED);
    asker_start(f, "error NOT_SENT\n---\n", 1);
    assert_int_equal(fixture_finish(f), AQ_E_NETWORK);
    assert_true(f->err.flags & AQ_ERROR_NOT_SENT);
}

static void nothing_is_sent_without_the_memory_for_an_answer(void **state)
{
    struct fixture *f = *state;
    asker_start(f, "status 200\nbody yes\n---\n", 1);
    no_memory(1);
    assert_int_equal(aq_op_next(f->op, &f->event, &f->err), AQ_E_NOMEM);
    assert_true(no_memory_ended());
    assert_int_equal(support_requests(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(an_answer_is_there_when_all_of_it_is),
        CASE(asked_again_nothing_is_left_of_the_first_answer),
        CASE(the_largest_answer_has_65536_bytes),
        CASE(an_answer_that_does_not_come_is_awaited_for_14_seconds),
        CASE(a_request_may_say_how_long_it_takes_and_gets_two_seconds_more),
        CASE(what_breaks_the_call_is_told_as_the_transport_says_it),
        CASE(nothing_is_sent_without_the_memory_for_an_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
