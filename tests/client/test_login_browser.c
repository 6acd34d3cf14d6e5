/* SPDX-License-Identifier: Apache-2.0 */
/* A login that a browser on this machine brings back, and who else comes along meanwhile. */
#include "base/clock.h"
#include "client/login_support.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { ANSWER_SIZE = 4096, CODE_SIZE = 256 };

/* ---- a browser ---- */

static in_port_t port_of(const struct seen *seen)
{
    unsigned port = 0;
    assert_int_equal(sscanf(seen->callback_url, "http://127.0.0.1:%u/oauth/callback", &port), 1);
    return htons((in_port_t)port);
}

/* -1: nobody listens. */
static int browser_connect(const struct seen *seen)
{
    const struct sockaddr_in address = { .sin_family = AF_INET,
                                         .sin_port = port_of(seen),
                                         .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static void browser_send(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* The state, as the authorize URL says it; base64url, of which '-' and '_' are encoded there. */
static void state_of(const struct seen *seen, char ret[CODE_SIZE])
{
    const char *at = strstr(seen->url, "&state=");
    assert_non_null(at);
    snprintf(ret, CODE_SIZE, "%.*s", (int)strcspn(at + 7, "&"), at + 7);
}

static void browser_request(const struct seen *seen, const char *query, char *ret, size_t size)
{
    snprintf(ret, size, "GET /oauth/callback?%s HTTP/1.1\r\nhost: 127.0.0.1:%u\r\n\r\n", query,
             (unsigned)ntohs(port_of(seen)));
}

/* The request that wins. */
static void right_request(const struct seen *seen, char *ret, size_t size)
{
    char state[CODE_SIZE];
    char query[2 * CODE_SIZE];
    state_of(seen, state);
    snprintf(query, sizeof(query), "code=the%%2Bcode&state=%s", state);
    browser_request(seen, query, ret, size);
}

/* Bring the code: what the browser shows. */
static void browser_return(const struct seen *seen)
{
    char request[1024];
    int fd = browser_connect(seen);
    assert_true(fd >= 0);
    right_request(seen, request, sizeof(request));
    browser_send(fd, request);
    close(fd);
}

/* ---- a login ---- */

static void begin(struct fixture *f, struct seen *seen, const char *script)
{
    struct aq_login_options options = AQ_LOGIN_OPTIONS_INIT;
    options.flow = AQ_LOGIN_BROWSER;
    fixture_play(f, script);
    login_support_start(f, seen, &options);
    login_support_visit(f, seen);
}

/* Let the client look at whoever is there. */
static void serve(struct fixture *f, struct seen *seen)
{
    struct pollfd wait = { .fd = aq_client_fd(f->client), .events = POLLIN };
    aq_status st;
    do {
        assert_int_equal(aq_client_step(f->client, NULL), AQ_OK);
        st = aq_op_next(f->op, &f->event, &f->err);
        if (st == AQ_OK && f->event->type == AQ_EVENT_WAITING) {
            strcat(seen->kinds, "w");
        }
    } while (poll(&wait, 1, 0) == 1 || st == AQ_OK);
    assert_int_equal(st, AQ_AGAIN);
}

/* The answer to a request that somebody has sent, or "" if they were cut off. */
static void answer_to(struct fixture *f, struct seen *seen, int fd, char ret[ANSWER_SIZE])
{
    size_t len = 0;
    serve(f, seen);
    for (;;) {
        ssize_t n = recv(fd, ret + len, ANSWER_SIZE - 1 - len, MSG_DONTWAIT);
        if (n <= 0) {
            break;
        }
        len += (size_t)n;
    }
    ret[len] = '\0';
}

static void it_ends_well(struct fixture *f, struct seen *seen)
{
    assert_int_equal(login_support_finish(f, seen), AQ_END);
    assert_string_equal(seen->access, "access-9");
    char *asked = support_asked();
    assert_contains(asked, "\"code\":\"the+code\"");
    free(asked);
    assert_true(browser_connect(seen) < 0); /* nobody listens any more */
}

/* ---- cases ---- */

static void a_browser_brings_the_code_and_the_login_is_saved(void **state)
{
    struct fixture *f = *state;
    struct seen seen;
    begin(f, &seen, REGISTERED TOKENS);
    assert_contains(seen.url, "https://oidc.us-east-1.amazonaws.com/authorize?response_type=code&");
    assert_contains(seen.url, "&code_challenge_method=S256");
    assert_string_equal(seen.user_code, "");
    assert_int_equal(seen.valid_s, 600);
    browser_return(&seen);
    it_ends_well(f, &seen);
    assert_string_equal(seen.start_url, "https://view.awsapps.com/start");
    fixture_assert_row("\"start_url\":\"https://view.awsapps.com/start\",\"oauth_flow\":\"Pkce\"");
    char *asked = support_asked();
    assert_contains(asked, "\"issuerUrl\":\"https://view.awsapps.com/start\"");
    assert_contains(asked, "\"grantType\":\"authorization_code\"");
    assert_contains(asked, seen.callback_url);
    free(asked);
}

static void no_secret_is_in_the_url(void **state)
{
    struct fixture *f = *state;
    struct seen seen;
    begin(f, &seen, REGISTERED TOKENS);
    browser_return(&seen);
    it_ends_well(f, &seen);
    char *asked = support_asked();
    char verifier[CODE_SIZE];
    const char *at = strstr(asked, "\"codeVerifier\":\"");
    assert_non_null(at);
    assert_int_equal(sscanf(at, "\"codeVerifier\":\"%43[A-Za-z0-9_-]\"", verifier), 1);
    assert_int_equal(strlen(verifier), 43);
    assert_null(strstr(seen.url, verifier));
    assert_null(strstr(seen.url, "secret"));
    free(asked);
}

static void two_logins_share_nothing(void **state)
{
    struct fixture *f = *state;
    struct seen one;
    struct seen two;
    char a[CODE_SIZE];
    char b[CODE_SIZE];
    begin(f, &one, REGISTERED);
    begin(f, &two, REGISTERED);
    state_of(&one, a);
    state_of(&two, b);
    assert_true(strlen(a) >= 22); /* 128 bits */
    assert_string_not_equal(a, b);
}

static void the_browser_is_told_to_close_and_nothing_of_the_code(void **state)
{
    struct fixture *f = *state;
    struct seen seen;
    char request[1024];
    char answer[ANSWER_SIZE];
    begin(f, &seen, REGISTERED NEVER);
    int fd = browser_connect(&seen);
    right_request(&seen, request, sizeof(request));
    browser_send(fd, request);
    answer_to(f, &seen, fd, answer);
    assert_contains(answer, "HTTP/1.1 200 OK\r\n");
    assert_contains(answer, "close this window");
    assert_null(strstr(answer, "code"));
    close(fd);
}

static void a_wrong_state_host_or_path_is_answered_with_404_and_changes_nothing(void **state)
{
    struct fixture *f = *state;
    struct seen seen;
    begin(f, &seen, REGISTERED TOKENS);
    char state_text[CODE_SIZE];
    state_of(&seen, state_text);
    unsigned port = ntohs(port_of(&seen));
    char requests[6][1024];
    browser_request(&seen, "code=c&state=wrong", requests[0], sizeof(requests[0]));
    browser_request(&seen, "error=access_denied&state=wrong", requests[1], sizeof(requests[1]));
    snprintf(requests[2], sizeof(requests[2]),
             "GET /oauth/callback?code=c&state=%s HTTP/1.1\r\nhost: localhost:%u\r\n\r\n",
             state_text, port);
    snprintf(requests[3], sizeof(requests[3]),
             "GET /callback?code=c&state=%s HTTP/1.1\r\nhost: 127.0.0.1:%u\r\n\r\n", state_text,
             port);
    snprintf(requests[4], sizeof(requests[4]),
             "POST /oauth/callback?code=c&state=%s HTTP/1.1\r\nhost: 127.0.0.1:%u\r\n\r\n",
             state_text, port);
    snprintf(requests[5], sizeof(requests[5]), "\x16\x03\x01 not HTTP at all\r\n\r\n");
    for (size_t i = 0; i < COUNT(requests); i++) {
        char answer[ANSWER_SIZE];
        int fd = browser_connect(&seen);
        browser_send(fd, requests[i]);
        answer_to(f, &seen, fd, answer);
        assert_contains(answer, "HTTP/1.1 404 Not Found\r\n");
        assert_null(strstr(answer, state_text));
        close(fd);
    }
    assert_int_equal(support_requests(), 1);
    browser_return(&seen);
    it_ends_well(f, &seen);
}

static void a_thousand_junk_connections_do_not_keep_the_right_one_out(void **state)
{
    struct fixture *f = *state;
    struct seen seen;
    char junk[1024];
    begin(f, &seen, REGISTERED TOKENS);
    browser_request(&seen, "code=c&state=wrong", junk, sizeof(junk));
    for (int i = 0; i < 1000; i++) {
        int fd = browser_connect(&seen);
        assert_true(fd >= 0);
        switch (i % 4) {
        case 0: /* closed at once */
            break;
        case 1:
            browser_send(fd, junk);
            break;
        case 2: /* the beginning of something */
            browser_send(fd, "GET /oauth/callback?code=");
            break;
        default:
            browser_send(fd, "\r\n\r\n");
        }
        if (i % 32 == 0) {
            serve(f, &seen);
        }
        close(fd);
    }
    browser_return(&seen);
    it_ends_well(f, &seen);
}

static void who_connects_and_says_nothing_gives_way(void **state)
{
    struct fixture *f = *state;
    struct seen seen;
    int idle[100];
    begin(f, &seen, REGISTERED TOKENS);
    for (size_t i = 0; i < COUNT(idle); i++) {
        idle[i] = browser_connect(&seen);
        assert_true(idle[i] >= 0);
    }
    serve(f, &seen);
    browser_return(&seen);
    it_ends_well(f, &seen);
    for (size_t i = 0; i < COUNT(idle); i++) {
        close(idle[i]);
    }
}

static void a_slow_browser_has_five_seconds_and_then_may_come_again(void **state)
{
    struct fixture *f = *state;
    struct seen seen;
    char request[1024];
    char answer[ANSWER_SIZE];
    begin(f, &seen, REGISTERED TOKENS);
    right_request(&seen, request, sizeof(request));
    int slow = browser_connect(&seen);
    for (size_t i = 0; i < 4; i++) { /* byte by byte, a second each */
        char byte[2] = { request[i], '\0' };
        browser_send(slow, byte);
        serve(f, &seen);
        fixture_pass(f, 1);
    }
    fixture_pass(f, 2);
    answer_to(f, &seen, slow, answer);
    assert_string_equal(answer, "");
    assert_int_equal(recv(slow, answer, 1, MSG_DONTWAIT), 0); /* cut off */
    close(slow);

    int pieces = browser_connect(&seen);
    for (const char *at = request; *at; at++) {
        char byte[2] = { *at, '\0' };
        browser_send(pieces, byte);
        if (at[1]) {
            serve(f, &seen);
        }
    }
    it_ends_well(f, &seen);
    close(pieces);
}

static void a_request_that_does_not_end_is_cut_off(void **state)
{
    struct fixture *f = *state;
    struct seen seen;
    char answer[ANSWER_SIZE];
    char piece[1025];
    begin(f, &seen, REGISTERED TOKENS);
    memset(piece, 'a', sizeof(piece) - 1);
    piece[sizeof(piece) - 1] = '\0';
    int fd = browser_connect(&seen);
    for (int i = 0; i < 32; i++) {
        browser_send(fd, piece);
        serve(f, &seen);
    }
    answer_to(f, &seen, fd, answer);
    assert_contains(answer, "HTTP/1.1 404");
    close(fd);
    browser_return(&seen);
    it_ends_well(f, &seen);
}

static void an_error_that_the_browser_brings_ends_it(void **state)
{
    struct fixture *f = *state;
    struct seen seen;
    char request[1024];
    char query[2 * CODE_SIZE];
    char state_text[CODE_SIZE];
    begin(f, &seen, REGISTERED TOKENS);
    state_of(&seen, state_text);
    snprintf(query, sizeof(query), "error=access_denied&error_description=x&state=%s", state_text);
    browser_request(&seen, query, request, sizeof(request));
    int fd = browser_connect(&seen);
    browser_send(fd, request);
    assert_int_equal(login_support_finish(f, &seen), AQ_E_ACCESS);
    assert_contains(f->err.text, "access_denied");
    close(fd);
    assert_int_equal(support_requests(), 1);
    login_support_assert_nothing();
}

static void a_browser_that_never_comes_is_waited_for_ten_minutes(void **state)
{
    struct fixture *f = *state;
    struct seen seen;
    begin(f, &seen, REGISTERED TOKENS);
    int64_t begin_s = login_support_clock_s();
    assert_int_equal(login_support_finish(f, &seen), AQ_E_TIMEOUT);
    assert_in_range(login_support_clock_s() - begin_s, 600, 602);
    assert_in_range(seen.longest_ms, 599 * 1000, 600 * 1000);
    assert_true(browser_connect(&seen) < 0);
    login_support_assert_nothing();
}

static void a_code_that_cannot_be_exchanged_is_given_up_in_time(void **state)
{
    static const struct {
        const char *script;
        aq_status status;
    } cases[] = {
        { REGISTERED NEVER NEVER NEVER, AQ_E_TIMEOUT },
        { REGISTERED ANSWER("400", "{\"error\":\"invalid_grant\"}"), AQ_E_VALIDATION },
        { REGISTERED "error NETWORK\n---\nerror NETWORK\n---\nerror NETWORK\n---\n", AQ_E_NETWORK },
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct seen seen;
        begin(f, &seen, cases[i].script);
        browser_return(&seen);
        int64_t begin_s = login_support_clock_s();
        assert_int_equal(login_support_finish(f, &seen), cases[i].status);
        assert_in_range(login_support_clock_s() - begin_s, 0, 46);
        login_support_assert_nothing();
    }
}

static void with_the_right_request_the_port_is_closed(void **state)
{
    struct fixture *f = *state;
    struct seen seen;
    char request[1024], answer[ANSWER_SIZE];
    begin(f, &seen, REGISTERED NEVER TOKENS);
    int idle = browser_connect(&seen);
    serve(f, &seen);
    int fd = browser_connect(&seen);
    right_request(&seen, request, sizeof(request));
    browser_send(fd, request);
    answer_to(f, &seen, fd, answer); /* while the tokens are waited for */
    assert_contains(answer, "HTTP/1.1 200 OK\r\n");
    assert_contains(answer, "</html>");
    assert_true(browser_connect(&seen) < 0);
    assert_true(recv(idle, answer, sizeof(answer), MSG_DONTWAIT) == 0);
    close(idle);
    close(fd);
    it_ends_well(f, &seen);
}

static void freed_while_it_listens_it_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    struct seen seen;
    begin(f, &seen, REGISTERED TOKENS);
    int fd = browser_connect(&seen);
    serve(f, &seen);
    fixture_drop(f);
    assert_true(browser_connect(&seen) < 0);
    close(fd);
    login_support_assert_nothing();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_browser_brings_the_code_and_the_login_is_saved),
        FAKE_CASE(no_secret_is_in_the_url),
        FAKE_CASE(two_logins_share_nothing),
        FAKE_CASE(the_browser_is_told_to_close_and_nothing_of_the_code),
        FAKE_CASE(a_wrong_state_host_or_path_is_answered_with_404_and_changes_nothing),
        FAKE_CASE(a_thousand_junk_connections_do_not_keep_the_right_one_out),
        FAKE_CASE(who_connects_and_says_nothing_gives_way),
        FAKE_CASE(a_slow_browser_has_five_seconds_and_then_may_come_again),
        FAKE_CASE(a_request_that_does_not_end_is_cut_off),
        FAKE_CASE(an_error_that_the_browser_brings_ends_it),
        FAKE_CASE(a_browser_that_never_comes_is_waited_for_ten_minutes),
        FAKE_CASE(a_code_that_cannot_be_exchanged_is_given_up_in_time),
        FAKE_CASE(with_the_right_request_the_port_is_closed),
        FAKE_CASE(freed_while_it_listens_it_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
