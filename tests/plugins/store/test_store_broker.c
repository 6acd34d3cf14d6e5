/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store-broker against brokers that say what a script wants, in any way a peer can say it. What it
 * does with the real one is in tests/cli/test_broker.py.
 */
#include "child.h"
#include "instance.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>

#include <cmocka.h>

#define TOKEN \
    "{\"v\":1,\"access_token\":\"aoa\",\"expires_at\":\"2030-01-01T00:00:00Z\",\"source\":\"q-" \
    "cli\"}"
#define LOGIN "{\"v\":1,\"source\":\"kiro-cli\",\"expires_at\":\"2030-01-01T00:00:00Z\"}"
#define ERROR(status, text) \
    "{\"v\":1,\"error\":{\"status\":" #status ",\"exit_code\":1,\"text\":\"" text "\"}}"

/* Instead of a line: the connection is closed; no answer comes until the test says so. */
#define CLOSE "close"
#define HOLD "hold"

enum { REPLIES = 4 };

/* A broker in a child: one reply a connection, one after the other. */
struct scene {
    char *dir;
    char path[108];
    int listening, go; /* go: one byte lets a held reply out */
    int heard;         /* every request line it got, in the parent */
    int said;          /* the child's end of that */
    const char *replies[REPLIES + 1];
    bool in_pieces;
    pid_t broker;
    struct instance store;
};

/* ---- the broker ---- */

static void answer(const struct scene *s, int fd, const char *reply)
{
    char line[512];
    size_t len = 0;
    while (len < sizeof(line) && read(fd, line + len, 1) == 1 && line[len++] != '\n') {
    }
    REQUIRE(write(s->said, line, len) == (ssize_t)len);
    if (strcmp(reply, HOLD) == 0) {
        char byte;
        REQUIRE(read(s->go, &byte, 1) == 1);
        reply = TOKEN;
    }
    if (strcmp(reply, CLOSE) != 0) {
        size_t piece = s->in_pieces ? 1 : strlen(reply);
        for (size_t at = 0; at < strlen(reply); at += piece) {
            (void)!send(fd, reply + at, piece, MSG_NOSIGNAL);
        }
        (void)!send(fd, "\n", 1, MSG_NOSIGNAL);
    }
    close(fd);
}

static void serve(void *arg)
{
    const struct scene *s = arg;
    for (size_t i = 0; s->replies[i]; i++) {
        int fd = accept(s->listening, NULL, NULL);
        REQUIRE(fd >= 0);
        answer(s, fd, s->replies[i]);
    }
}

static void begin(struct scene *s, const char *first, const char *second, const char *third)
{
    int go[2], heard[2];
    s->replies[0] = first;
    s->replies[1] = second;
    s->replies[2] = third;
    assert_int_equal(pipe2(go, O_CLOEXEC), 0);
    assert_int_equal(pipe2(heard, O_CLOEXEC), 0);
    s->go = go[0];
    s->said = heard[1];
    s->broker = child_start(serve, s);
    close(s->listening);
    close(s->go);
    close(s->said);
    s->go = go[1];
    s->heard = heard[0];
}

/* What the broker was asked, all of it. */
static void assert_asked(struct scene *s, const char *lines)
{
    char got[2048];
    size_t len = 0;
    ssize_t n;
    assert_int_equal(child_end(s->broker), 0);
    s->broker = 0;
    while ((n = read(s->heard, got + len, sizeof(got) - 1 - len)) > 0) {
        len += (size_t)n;
    }
    got[len] = '\0';
    assert_string_equal(got, lines);
}

static int set_up(void **state)
{
    struct scene *s = calloc(1, sizeof(*s));
    assert_non_null(s);
    struct sockaddr_un where = { .sun_family = AF_UNIX };
    s->dir = dir_make();
    snprintf(s->path, sizeof(s->path), "%s/broker.sock", s->dir);
    memcpy(where.sun_path, s->path, sizeof(where.sun_path));
    s->listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(s->listening, (struct sockaddr *)&where, sizeof(where)), 0);
    assert_int_equal(listen(s->listening, 8), 0);
    s->go = s->heard = -1;
    const struct plugin_setting settings[] = { { "socket", s->path }, { NULL, NULL } };
    instance_open(&s->store, "store-broker", settings);
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *s = *state;
    instance_close(&s->store);
    if (s->broker > 0) {
        kill(s->broker, SIGKILL);
        child_end(s->broker);
    }
    close(s->broker ? s->go : s->listening);
    close(s->heard);
    close(s->go);
    dir_remove(s->dir);
    free(s);
    return 0;
}

/* ---- what is asked, and what becomes of the answer ---- */

static void a_reply_with_a_token_is_handed_over_as_it_is(void **state)
{
    struct scene *s = *state;
    begin(s, TOKEN, TOKEN, TOKEN);
    assert_int_equal(instance_grant(&s->store, TOKEN_KEY, 0, 0), AQ_OK);
    assert_string_equal(s->store.value, TOKEN);
    assert_int_equal(instance_grant(&s->store, "kirocli:odic:token", AQ_WISH_FORCE, 600), AQ_OK);
    assert_int_equal(instance_grant(&s->store, TOKEN_KEY, AQ_WISH_NO_REFRESH, 1), AQ_OK);
    assert_asked(s, "{\"v\":1,\"op\":\"token\",\"source\":\"q-cli\",\"min_valid_s\":0,"
                    "\"force\":false,\"no_refresh\":false}\n"
                    "{\"v\":1,\"op\":\"token\",\"source\":\"kiro-cli\",\"min_valid_s\":600,"
                    "\"force\":true,\"no_refresh\":false}\n"
                    "{\"v\":1,\"op\":\"token\",\"source\":\"q-cli\",\"min_valid_s\":1,"
                    "\"force\":false,\"no_refresh\":true}\n");
}

static void get_asks_for_the_token_that_is_there(void **state)
{
    struct scene *s = *state;
    begin(s, TOKEN, NULL, NULL);
    assert_int_equal(instance_get(&s->store, TOKEN_KEY), AQ_OK);
    assert_string_equal(s->store.value, TOKEN);
    assert_asked(s, "{\"v\":1,\"op\":\"token\",\"source\":\"q-cli\",\"no_refresh\":true,"
                    "\"min_valid_s\":1}\n");
}

static void nothing_but_tokens_is_ever_asked_for(void **state)
{
    struct scene *s = *state;
    begin(s, NULL, NULL, NULL);
    assert_int_equal(instance_get(&s->store, REGISTRATION_KEY), AQ_E_NOTFOUND);
    assert_int_equal(instance_get(&s->store, PROFILE_KEY), AQ_E_NOTFOUND);
    assert_int_equal(instance_grant(&s->store, REGISTRATION_KEY, 0, 0), AQ_E_NOTFOUND);
    assert_asked(s, "");
}

static void list_names_what_the_broker_has(void **state)
{
    struct scene *s = *state;
    begin(s, LOGIN, ERROR(-40, "login: none here"), NULL);
    assert_int_equal(instance_list(&s->store), AQ_OK);
    assert_string_equal(s->store.keys, "kirocli:odic:token ");
    assert_int_equal(instance_list(&s->store), AQ_OK);
    assert_int_equal(s->store.key_count, 0);
}

static void nothing_can_be_saved_and_the_text_says_where_to_sign_in(void **state)
{
    struct scene *s = *state;
    assert_int_equal(instance_put(&s->store, TOKEN_KEY, "{}"), AQ_E_READONLY);
    assert_non_null(strstr(s->store.err.text, "sign in and out on the host"));
    assert_int_equal(s->store.ops->can_save(s->store.self, &s->store.err), AQ_E_READONLY);
    assert_null(s->store.ops->lock);
}

/* ---- what the broker says of the login ---- */

static void an_error_comes_through_with_its_status_and_its_text(void **state)
{
    static const struct {
        const char *reply;
        aq_status status;
        const char *text;
    } cases[] = {
        { ERROR(-41, "login: cannot be refreshed, sign in again"), AQ_E_LOGIN_NEEDED,
          "broker: login: cannot be refreshed, sign in again" },
        { ERROR(-14, "broker: user 7 may not ask"), AQ_E_DENIED, "broker: user 7 may not ask" },
        { ERROR(-42, "a \\\"b\\\" \\u00e9 \\ud83d\\ude00\\n\\ud83d c"), AQ_E_REFRESH,
          "broker: a \"b\" \xc3\xa9 \xf0\x9f\x98\x80 \xef\xbf\xbd c" },
        { ERROR(-999, "of a newer version"), AQ_E_UNAVAILABLE, "broker: of a newer version" },
        { ERROR(-50, "not for a store to say"), AQ_E_UNAVAILABLE,
          "broker: not for a store to say" },
        { ERROR(0, "no error at all"), AQ_E_UNAVAILABLE, "broker: no error at all" },
        { ERROR(7, "more than done"), AQ_E_UNAVAILABLE, "broker: more than done" },
        { ERROR(-42, ""), AQ_E_REFRESH, "broker: refused, and does not say why" },
        { "{\"v\":1,\"error\":{}}", AQ_E_UNAVAILABLE, "broker: refused, and does not say why" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        void *own;
        set_up(&own);
        struct scene *s = own;
        begin(s, cases[i].reply, NULL, NULL);
        assert_int_equal(instance_grant(&s->store, TOKEN_KEY, 0, 0), cases[i].status);
        assert_string_equal(s->store.err.text, cases[i].text);
        tear_down(&own);
    }
}

static void what_only_a_grant_may_say_of_a_login_get_says_in_its_own_way(void **state)
{
    struct scene *s = *state;
    begin(s, ERROR(-43, "token: valid for 0 s"), ERROR(-40, "login: none in /x"), NULL);
    assert_int_equal(instance_get(&s->store, TOKEN_KEY), AQ_E_UNAVAILABLE);
    assert_string_equal(s->store.err.text, "broker: token: valid for 0 s");
    assert_int_equal(instance_get(&s->store, TOKEN_KEY), AQ_E_NOTFOUND);
}

/* ---- peers of all kinds ---- */

static void a_reply_that_is_none_is_an_error_and_no_value(void **state)
{
    static const char *const replies[] = {
        "",
        "x",
        "{",
        "[]",
        "\"v\"",
        "{\"v\":2,\"access_token\":\"aoa\"}",
        "{\"access_token\":\"aoa\"}",
        "{\"v\":1,\"access_token\":\"aoa\"",
        "{\"v\":1,\"access_token\":\"aoa}",
        "{\"v\":1,\"access_token\":\"aoa\\",
        "{\"v\":1}}",
        "{\"v\":1} x",
        "{\"v\":1,}",
        "{\"v\":1,\"x\":[[{}}",
        "{\"v\":1,\"x\":}",
        "{\"v\" 1}",
        "{\"v\":1}", /* well-formed, and without a token */
        "{\"v\":1,\"error\":\"no object\"}",
        "{\"v\":1111111111111}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
        void *own;
        set_up(&own);
        struct scene *s = own;
        begin(s, replies[i], NULL, NULL);
        assert_int_equal(instance_grant(&s->store, TOKEN_KEY, 0, 0), AQ_E_PROTOCOL);
        tear_down(&own);
    }
}

static void a_reply_without_end_is_given_up(void **state)
{
    struct scene *s = *state;
    char *endless = malloc(40000);
    assert_non_null(endless);
    memset(endless, ' ', 39999);
    endless[39999] = '\0';
    begin(s, endless, NULL, NULL);
    assert_int_equal(instance_grant(&s->store, TOKEN_KEY, 0, 0), AQ_E_PROTOCOL);
    assert_non_null(strstr(s->store.err.text, "longer than 32768 bytes"));
    free(endless);
}

static void a_reply_that_comes_byte_by_byte_is_whole_at_its_newline(void **state)
{
    struct scene *s = *state;
    s->in_pieces = true;
    begin(s, TOKEN, NULL, NULL);
    assert_int_equal(instance_get(&s->store, TOKEN_KEY), AQ_OK);
    assert_string_equal(s->store.value, TOKEN);
}

static void a_broker_that_ends_before_it_answers_is_asked_again(void **state)
{
    struct scene *s = *state;
    begin(s, CLOSE, CLOSE, TOKEN);
    assert_int_equal(instance_get(&s->store, TOKEN_KEY), AQ_OK);
    assert_string_equal(s->store.value, TOKEN);
}

/* ---- waiting ---- */

/* A clock on which six seconds pass whenever it is looked at. */
static uint64_t hasty_us(void *ctx)
{
    static uint64_t now_us;
    (void)ctx;
    return now_us += 6 * 1000 * 1000;
}

static void get_gives_up_after_five_seconds(void **state)
{
    struct scene *s = *state;
    begin(s, HOLD, NULL, NULL);
    s->store.host.table.now_us = hasty_us;
    assert_int_equal(instance_get(&s->store, TOKEN_KEY), AQ_E_BUSY);
    assert_string_equal(s->store.err.text, "broker: does not answer, try again");
}

/* Until it is there. */
static void finish_grant(struct scene *s, uint32_t flags)
{
    aq_status st;
    while ((st = instance_grant(&s->store, TOKEN_KEY, flags, 0)) == AQ_AGAIN) {
    }
    assert_int_equal(st, AQ_OK);
    assert_string_equal(s->store.value, TOKEN);
}

#define ASKED(force) \
    "{\"v\":1,\"op\":\"token\",\"source\":\"q-cli\",\"min_valid_s\":0,\"force\":" force "," \
    "\"no_refresh\":false}\n"

static void a_grant_that_takes_its_time_is_one_request(void **state)
{
    struct scene *s = *state;
    begin(s, HOLD, NULL, NULL);
    assert_int_equal(instance_grant(&s->store, TOKEN_KEY, 0, 0), AQ_AGAIN);
    assert_int_equal(instance_grant(&s->store, TOKEN_KEY, 0, 0), AQ_AGAIN);
    assert_int_equal(write(s->go, "", 1), 1);
    finish_grant(s, 0);
    assert_asked(s, ASKED("false"));
}

static void grants_with_different_wishes_go_on_side_by_side(void **state)
{
    struct scene *s = *state;
    begin(s, HOLD, TOKEN, NULL);
    assert_int_equal(instance_grant(&s->store, TOKEN_KEY, 0, 0), AQ_AGAIN);
    assert_int_equal(instance_grant(&s->store, TOKEN_KEY, AQ_WISH_FORCE, 0), AQ_AGAIN);
    assert_int_equal(instance_grant(&s->store, TOKEN_KEY, 0, 0), AQ_AGAIN);
    assert_int_equal(write(s->go, "", 1), 1);
    finish_grant(s, AQ_WISH_FORCE);
    finish_grant(s, 0);
    assert_asked(s, ASKED("false") ASKED("true"));
}

static void a_grant_that_was_given_up_is_not_taken_up_again(void **state)
{
    struct scene *s = *state;
    begin(s, HOLD, TOKEN, NULL);
    assert_int_equal(instance_grant(&s->store, TOKEN_KEY, 0, 0), AQ_AGAIN);
    s->store.host.clock_offset_us += 2 * 1000 * 1000;
    assert_int_equal(write(s->go, "", 1), 1);
    finish_grant(s, 0);
    assert_asked(s, ASKED("false") ASKED("false"));
}

/* A clock that stands still: no wait ends by itself. */
static uint64_t frozen_us(void *ctx)
{
    (void)ctx;
    return 1;
}

static void on_alarm(int number)
{
    (void)number;
}

static void a_signal_ends_the_wait_of_a_grant(void **state)
{
    struct scene *s = *state;
    const struct sigaction action = { .sa_handler = on_alarm };
    const struct itimerval soon = { .it_value = { .tv_usec = 10000 },
                                    .it_interval = { .tv_usec = 10000 } };
    const struct itimerval never = { 0 };
    struct sigaction before;
    begin(s, HOLD, NULL, NULL);
    s->store.host.table.now_us = frozen_us;
    assert_int_equal(sigaction(SIGALRM, &action, &before), 0);
    assert_int_equal(setitimer(ITIMER_REAL, &soon, NULL), 0);
    aq_status st = instance_grant(&s->store, TOKEN_KEY, 0, 0);
    setitimer(ITIMER_REAL, &never, NULL);
    sigaction(SIGALRM, &before, NULL);
    assert_int_equal(st, AQ_AGAIN);
}

/* ---- nobody there ---- */

static void nobody_there_is_said_with_what_to_start(void **state)
{
    struct scene *s = *state;
    close(s->listening);
    s->listening = -1;
    char expected[512];
    snprintf(expected, sizeof(expected),
             "broker: nobody listens on %s, start it on the host with: q broker", s->path);
    s->store.host.table.now_us = hasty_us;
    assert_int_equal(instance_get(&s->store, TOKEN_KEY), AQ_E_UNAVAILABLE);
    assert_string_equal(s->store.err.text, expected);
    unlink(s->path);
    aq_status st;
    while ((st = instance_grant(&s->store, TOKEN_KEY, 0, 0)) == AQ_AGAIN) {
    }
    assert_int_equal(st, AQ_E_UNAVAILABLE);
    assert_string_equal(s->store.err.text, expected);
}

static void a_path_that_no_socket_can_have_is_refused(void **state)
{
    char path[200];
    struct instance store;
    (void)state;
    memset(path, 'x', sizeof(path) - 1);
    path[0] = '/';
    path[sizeof(path) - 1] = '\0';
    const struct plugin_setting settings[] = { { "socket", path }, { NULL, NULL } };
    instance_open(&store, "store-broker", settings);
    assert_int_equal(instance_get(&store, TOKEN_KEY), AQ_E_INVALID);
    assert_non_null(strstr(store.err.text, "longer than 107 bytes"));
    instance_close(&store);
}

static void a_directory_that_others_can_write_to_is_not_believed(void **state)
{
    struct scene *s = *state;
    begin(s, TOKEN, NULL, NULL);
    assert_int_equal(chmod(s->dir, 0770), 0);
    assert_int_equal(instance_get(&s->store, TOKEN_KEY), AQ_E_DENIED);
    assert_non_null(strstr(s->store.err.text, "give it a directory of its own"));
}

static void no_call_leaves_a_descriptor_behind(void **state)
{
    struct scene *s = *state;
    begin(s, TOKEN, CLOSE, ERROR(-42, "x"));
    int before = dup(0);
    assert_int_equal(instance_get(&s->store, TOKEN_KEY), AQ_OK);
    assert_int_equal(instance_get(&s->store, TOKEN_KEY), AQ_E_UNAVAILABLE);
    int after = dup(0);
    assert_int_equal(after, before + 1);
    close(before);
    close(after);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_reply_with_a_token_is_handed_over_as_it_is),
        TEST(get_asks_for_the_token_that_is_there),
        TEST(nothing_but_tokens_is_ever_asked_for),
        TEST(list_names_what_the_broker_has),
        TEST(nothing_can_be_saved_and_the_text_says_where_to_sign_in),
        cmocka_unit_test(an_error_comes_through_with_its_status_and_its_text),
        TEST(what_only_a_grant_may_say_of_a_login_get_says_in_its_own_way),
        cmocka_unit_test(a_reply_that_is_none_is_an_error_and_no_value),
        TEST(a_reply_without_end_is_given_up),
        TEST(a_reply_that_comes_byte_by_byte_is_whole_at_its_newline),
        TEST(a_broker_that_ends_before_it_answers_is_asked_again),
        TEST(get_gives_up_after_five_seconds),
        TEST(a_grant_that_takes_its_time_is_one_request),
        TEST(grants_with_different_wishes_go_on_side_by_side),
        TEST(a_grant_that_was_given_up_is_not_taken_up_again),
        TEST(a_signal_ends_the_wait_of_a_grant),
        TEST(nobody_there_is_said_with_what_to_start),
        cmocka_unit_test(a_path_that_no_socket_can_have_is_refused),
        TEST(a_directory_that_others_can_write_to_is_not_believed),
        TEST(no_call_leaves_a_descriptor_behind),
    };
    return cmocka_run_group_tests_name("store-broker", tests, NULL, NULL);
}
