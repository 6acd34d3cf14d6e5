/* SPDX-License-Identifier: Apache-2.0 */
/* Which request brings the code of a login, and that all others are junk. */
#include "base/alloc.h"
#include "base/str.h"
#include "wire/callback.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define HOST "host: 127.0.0.1:4711\r\n"
#define GOOD "GET /oauth/callback?code=c0de&state=5tate HTTP/1.1\r\n" HOST "\r\n"

static const struct callback wanted = { AQ_STR_INIT("127.0.0.1:4711"), AQ_STR_INIT("5tate") };

static enum callback_verdict judge(const char *request, struct buf *ret)
{
    buf_clear(ret);
    return callback_judge(&wanted, str_from(request), ret);
}

static void the_code_comes_with_path_host_and_state_as_they_must_be(void **state)
{
    static const char *const requests[] = {
        GOOD,
        "GET /oauth/callback?state=5tate&code=c0de HTTP/1.0\r\n" HOST "\r\n",
        "GET /oauth/callback?code=c%30de&state=%35tate&more=%zz HTTP/1.1\r\n" HOST "\r\n",
        "GET /oauth/callback?code=c0de&state=5tate HTTP/1.1\r\naccept: "
        "*/*\r\nHOST:\t127.0.0.1:4711 "
        "\r\ncookie: a=b; c\r\n\r\n",
        GOOD "what comes behind it is not looked at",
    };
    (void)state;
    for (size_t i = 0; i < COUNT(requests); i++) {
        AUTO(buf) struct buf code = BUF(0);
        assert_int_equal(judge(requests[i], &code), CALLBACK_CODE);
        assert_string_equal((char *)code.ptr, "c0de");
    }
}

static void a_code_is_decoded_once(void **state)
{
    AUTO(buf) struct buf code = BUF(0);
    (void)state;
    assert_int_equal(
        judge("GET /oauth/callback?code=a%2Bb%252F&state=5tate HTTP/1.1\r\n" HOST "\r\n", &code),
        CALLBACK_CODE);
    assert_string_equal((char *)code.ptr, "a+b%2F");
}

static void anything_else_is_junk_and_gives_nothing(void **state)
{
    static const char *const requests[] = {
        /* another method, path, version */
        "POST /oauth/callback?code=c&state=5tate HTTP/1.1\r\n" HOST "\r\n",
        "get /oauth/callback?code=c&state=5tate HTTP/1.1\r\n" HOST "\r\n",
        "GET / HTTP/1.1\r\n" HOST "\r\n",
        "GET /favicon.ico HTTP/1.1\r\n" HOST "\r\n",
        "GET /oauth/callback HTTP/1.1\r\n" HOST "\r\n",
        "GET /oauth/callback/?code=c&state=5tate HTTP/1.1\r\n" HOST "\r\n",
        "GET /oauth/Callback?code=c&state=5tate HTTP/1.1\r\n" HOST "\r\n",
        "GET /oauth/%63allback?code=c&state=5tate HTTP/1.1\r\n" HOST "\r\n",
        "GET //oauth/callback?code=c&state=5tate HTTP/1.1\r\n" HOST "\r\n",
        "GET http://127.0.0.1:4711/oauth/callback?code=c&state=5tate HTTP/1.1\r\n" HOST "\r\n",
        "GET /oauth/callback?code=c&state=5tate HTTP/2.0\r\n" HOST "\r\n",
        "GET /oauth/callback?code=c&state=5tate\r\n" HOST "\r\n",
        "GET  /oauth/callback?code=c&state=5tate HTTP/1.1\r\n" HOST "\r\n",
        /* another host */
        "GET /oauth/callback?code=c&state=5tate HTTP/1.1\r\n\r\n",
        "GET /oauth/callback?code=c&state=5tate HTTP/1.1\r\nhost: localhost:4711\r\n\r\n",
        "GET /oauth/callback?code=c&state=5tate HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n",
        "GET /oauth/callback?code=c&state=5tate HTTP/1.1\r\nhost: 127.0.0.1:47110\r\n\r\n",
        "GET /oauth/callback?code=c&state=5tate HTTP/1.1\r\nhost: evil.example\r\n\r\n",
        "GET /oauth/callback?code=c&state=5tate HTTP/1.1\r\n" HOST HOST "\r\n",
        "GET /oauth/callback?code=c&state=5tate HTTP/1.1\r\n" HOST "host: evil.example\r\n\r\n",
        /* malformed headers */
        "GET /oauth/callback?code=c&state=5tate HTTP/1.1\r\n" HOST " folded: yes\r\n\r\n",
        "GET /oauth/callback?code=c&state=5tate HTTP/1.1\r\n" HOST "no colon\r\n\r\n",
        "GET /oauth/callback?code=c&state=5tate HTTP/1.1\r\n" HOST "a b: c\r\n\r\n",
        "GET /oauth/callback?code=c&state=5tate HTTP/1.1\n" HOST "\r\n\r\n",
        "GET /oauth/callback?code=c&state=5tate HTTP/1.1\r\n" HOST "a: b\rc\r\n\r\n",
        "\r\n\r\n",
        "\r\n" GOOD,
        "\x16\x03\x01\x02 a TLS greeting\r\n\r\n",
        /* another state, or none */
        "GET /oauth/callback?code=c HTTP/1.1\r\n" HOST "\r\n",
        "GET /oauth/callback?code=c&state= HTTP/1.1\r\n" HOST "\r\n",
        "GET /oauth/callback?code=c&state HTTP/1.1\r\n" HOST "\r\n",
        "GET /oauth/callback?code=c&state=5tat HTTP/1.1\r\n" HOST "\r\n",
        "GET /oauth/callback?code=c&state=5tate0 HTTP/1.1\r\n" HOST "\r\n",
        "GET /oauth/callback?code=c&state=6tate HTTP/1.1\r\n" HOST "\r\n",
        "GET /oauth/callback?code=c&state=5tate&state=5tate HTTP/1.1\r\n" HOST "\r\n",
        "GET /oauth/callback?code=c&state=%zz HTTP/1.1\r\n" HOST "\r\n",
        "GET /oauth/callback?code=c&State=5tate HTTP/1.1\r\n" HOST "\r\n",
        /* no code, two, one that cannot be sent on */
        "GET /oauth/callback?state=5tate HTTP/1.1\r\n" HOST "\r\n",
        "GET /oauth/callback?code=&state=5tate HTTP/1.1\r\n" HOST "\r\n",
        "GET /oauth/callback?code=a&code=b&state=5tate HTTP/1.1\r\n" HOST "\r\n",
        "GET /oauth/callback?code=a%0db&state=5tate HTTP/1.1\r\n" HOST "\r\n",
        "GET /oauth/callback?code=a%20b&state=5tate HTTP/1.1\r\n" HOST "\r\n",
        "GET /oauth/callback?code=a%&state=5tate HTTP/1.1\r\n" HOST "\r\n",
        /* both, or an error without the state */
        "GET /oauth/callback?code=c&error=access_denied&state=5tate HTTP/1.1\r\n" HOST "\r\n",
        "GET /oauth/callback?error=access_denied HTTP/1.1\r\n" HOST "\r\n",
        "GET /oauth/callback?error=access_denied&state=6tate HTTP/1.1\r\n" HOST "\r\n",
    };
    (void)state;
    for (size_t i = 0; i < COUNT(requests); i++) {
        AUTO(buf) struct buf code = BUF(0);
        enum callback_verdict verdict = judge(requests[i], &code);
        if (verdict != CALLBACK_JUNK || code.len) {
            print_error("%s\n", requests[i]);
        }
        assert_int_equal(verdict, CALLBACK_JUNK);
        assert_int_equal(code.len, 0);
    }
}

static void a_request_that_is_not_complete_may_become_the_right_one(void **state)
{
    (void)state;
    for (size_t len = 0; len < sizeof(GOOD) - 1; len++) {
        AUTO(buf) struct buf code = BUF(0);
        assert_int_equal(callback_judge(&wanted, (struct aq_str){ GOOD, len }, &code),
                         CALLBACK_MORE);
    }
}

static void a_head_that_is_too_long_is_junk(void **state)
{
    AUTO(buf) struct buf code = BUF(0);
    char *request = malloc(CALLBACK_REQUEST_MAX);
    (void)state;
    assert_non_null(request);
    memset(request, 'a', CALLBACK_REQUEST_MAX);
    assert_int_equal(
        callback_judge(&wanted, (struct aq_str){ request, CALLBACK_REQUEST_MAX - 1 }, &code),
        CALLBACK_MORE);
    assert_int_equal(
        callback_judge(&wanted, (struct aq_str){ request, CALLBACK_REQUEST_MAX }, &code),
        CALLBACK_JUNK);
    free(request);
}

static void an_error_of_the_service_is_told_by_its_name(void **state)
{
    static const struct {
        const char *query, *name;
    } cases[] = {
        { "error=access_denied&state=5tate&error_description=no", "access_denied" },
        { "state=5tate&error=server_error", "server_error" },
        { "state=5tate&error=%1b%5b31m", "error" },
        { "state=5tate&error=<script>", "error" },
        { "state=5tate&error=", "error" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO(buf) struct buf request = BUF(0);
        AUTO(buf) struct buf name = BUF(0);
        buf_printf(&request, "GET /oauth/callback?%s HTTP/1.1\r\n" HOST "\r\n", cases[i].query);
        assert_int_equal(judge((char *)request.ptr, &name), CALLBACK_DENIED);
        assert_string_equal((char *)name.ptr, cases[i].name);
    }
}

/* What the answer is to a request does not depend on what is in it, but for the verdict. */
static void an_answer_is_whole_and_keeps_to_itself(void **state)
{
    static const char *const headers[] = {
        "\r\nconnection: close\r\n",
        "\r\ncache-control: no-store\r\n",
        "\r\nreferrer-policy: no-referrer\r\n",
        "\r\nx-content-type-options: nosniff\r\n",
        "\r\ncontent-security-policy: default-src 'none'",
    };
    (void)state;
    for (int verdict = CALLBACK_JUNK; verdict <= CALLBACK_DENIED; verdict++) {
        AUTO(buf) struct buf answer = BUF(0);
        callback_answer((enum callback_verdict)verdict, &answer);
        const char *text = (const char *)answer.ptr;
        const char *body = strstr(text, "\r\n\r\n");
        const char *length = strstr(text, "content-length: ");
        assert_non_null(body);
        assert_non_null(length);
        assert_int_equal(strtol(length + strlen("content-length: "), NULL, 10), strlen(body + 4));
        assert_memory_equal(text, verdict == CALLBACK_JUNK ? "HTTP/1.1 404" : "HTTP/1.1 200", 12);
        assert_null(strstr(text, "http://"));
        assert_null(strstr(text, "https://"));
        assert_int_equal(strstr(text, "close this window") != NULL, verdict != CALLBACK_JUNK);
        for (size_t i = 0; i < COUNT(headers); i++) {
            assert_non_null(strstr(text, headers[i]));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_code_comes_with_path_host_and_state_as_they_must_be),
        cmocka_unit_test(a_code_is_decoded_once),
        cmocka_unit_test(anything_else_is_junk_and_gives_nothing),
        cmocka_unit_test(a_request_that_is_not_complete_may_become_the_right_one),
        cmocka_unit_test(a_head_that_is_too_long_is_junk),
        cmocka_unit_test(an_error_of_the_service_is_told_by_its_name),
        cmocka_unit_test(an_answer_is_whole_and_keeps_to_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
