/* SPDX-License-Identifier: Apache-2.0 */
/* What goes out and what comes in when all is well. */
#include "fixture.h"

#include <stdlib.h>

static void a_post_sends_the_callers_headers_and_only_what_framing_needs(void **state)
{
    struct client client;
    struct exchange e;
    const char *headers[] = { "content-type: application/json",
                              "x-empty: ", "Authorization: Bearer x", NULL };
    const struct ask ask = { .method = "POST", .headers = headers, .body = "{}", .body_len = 2 };
    char expected[256];
    (void)state;
    client_open(&client, NULL);
    exchange_run(&e, &client, server_url("plain", "/echo?q=1"), &ask);
    assert_body(&e, "{}");
    snprintf(expected, sizeof(expected),
             "POST /echo?q=1 %s|Host: 127.0.0.1:%d|content-type: application/json|x-empty:|"
             "Authorization: Bearer x|Content-Length: 2",
             subject.protocol, server_port("plain"));
    assert_request("/echo", expected);
    exchange_finish(&e);
    client_close(&client);
}

static void a_get_sends_no_header_of_its_own(void **state)
{
    struct client client;
    struct exchange e;
    char expected[256];
    (void)state;
    client_open(&client, NULL);
    exchange_run(&e, &client, server_url("plain", "/get"), NULL);
    assert_body(&e, "ok");
    snprintf(expected, sizeof(expected), "GET /get %s|Host: 127.0.0.1:%d", subject.protocol,
             server_port("plain"));
    assert_request("/get", expected);
    exchange_finish(&e);
    client_close(&client);
}

static void other_methods_arrive_as_they_are(void **state)
{
    const struct ask asks[] = {
        { .method = "POST" },
        { .method = "DELETE" },
        { .method = "PUT", .body = "x", .body_len = 1 },
        { .method = "PATCH", .body = "x", .body_len = 1 },
        { .method = "HEAD" },
    };
    struct client client;
    struct exchange e;
    (void)state;
    client_open(&client, NULL);
    for (size_t i = 0; i < sizeof(asks) / sizeof(asks[0]); i++) {
        const char *head;
        exchange_run(&e, &client, server_url("plain", "/method"), &asks[i]);
        assert_int_equal(e.error.status, AQ_OK);
        head = server_text("head", "/method");
        assert_memory_equal(head, asks[i].method, strlen(asks[i].method));
        if (strcmp(asks[i].method, "POST") == 0) {
            assert_non_null(strcasestr(head, "|Content-Length: 0"));
        }
        assert_int_equal(server_number("body", "/method"), asks[i].body_len);
        exchange_finish(&e);
    }
    client_close(&client);
}

static void a_length_that_the_caller_computed_is_sent_once(void **state)
{
    static const char *const headers[] = { "Content-Length: 2", NULL };
    const struct ask ask = { .method = "POST", .headers = headers, .body = "{}", .body_len = 2 };
    struct client client;
    struct exchange e;
    char expected[256];
    (void)state;
    client_open(&client, NULL);
    exchange_run(&e, &client, server_url("plain", "/length"), &ask);
    assert_body(&e, "ok");
    snprintf(expected, sizeof(expected), "POST /length %s|Host: 127.0.0.1:%d|Content-Length: 2",
             subject.protocol, server_port("plain"));
    assert_request("/length", expected);
    exchange_finish(&e);
    client_close(&client);
}

static void who_asks_before_there_is_an_answer_is_told_later(void **state)
{
    struct client client;
    struct exchange e;
    (void)state;
    client_open(&client, NULL);
    exchange_start(&e, &client, server_url("plain", "/stream"), NULL);
    exchange_pull(&e);
    assert_false(e.head);
    assert_int_equal(e.announced, 0);
    for (size_t piece = 0; piece < 5; piece++) {
        server_number("go", "");
    }
    exchange_until_over(&e);
    assert_int_equal(e.body_len, 5 * strlen("piece 0"));
    exchange_finish(&e);
    client_close(&client);
}

static void names_of_response_headers_are_lower_case_and_values_are_trimmed(void **state)
{
    struct client client;
    struct exchange e;
    (void)state;
    client_open(&client, NULL);
    exchange_run(&e, &client, server_url("plain", "/echo"), NULL);
    assert_int_equal(e.response.status, 200);
    assert_string_equal(exchange_header(&e, "x-answer"), "Mixed Case");
    assert_string_equal(exchange_header(&e, "x-empty"), "");
    assert_string_equal(exchange_header(&e, "content-length"), "0");
    assert_int_equal(e.response.protocol.len, strlen(subject.protocol));
    assert_memory_equal(e.response.protocol.ptr, subject.protocol, strlen(subject.protocol));
    exchange_finish(&e);
    client_close(&client);
}

static void every_piece_arrives_before_the_next_one_is_sent(void **state)
{
    struct client client;
    struct exchange e;
    (void)state;
    client_open(&client, NULL);
    exchange_start(&e, &client, server_url("tls", "/stream"), NULL);
    exchange_until_head(&e);
    assert_int_equal(e.body_len, 0);
    for (size_t piece = 1; piece <= 5; piece++) {
        server_number("go", "");
        exchange_until_bytes(&e, piece * strlen("piece 0"));
        assert_int_equal(e.body_len, piece * strlen("piece 0"));
    }
    exchange_until_over(&e);
    assert_body(&e, "piece 0piece 1piece 2piece 3piece 4");
    assert_in_range(e.announced, 6, 7); /* head, five pieces, and the end if it came by itself */
    exchange_finish(&e);
    client_close(&client);
}

static void interim_responses_are_skipped(void **state)
{
    struct client client;
    struct exchange e;
    (void)state;
    client_open(&client, NULL);
    exchange_run(&e, &client, server_url("plain", "/interim"), NULL);
    assert_int_equal(e.response.status, 200);
    assert_int_equal(e.response.header_count, 1);
    assert_body(&e, "ok");
    exchange_finish(&e);
    client_close(&client);
}

static void http2_is_spoken_when_the_peer_offers_it(void **state)
{
    struct client client;
    struct exchange e;
    const char *headers[] = { "Content-Type: text/plain", NULL };
    const struct ask ask = { .method = "POST", .headers = headers, .body = "abc", .body_len = 3 };
    (void)state;
    client_open(&client, NULL);
    exchange_run(&e, &client, server_url("h2", "/two"), &ask);
    assert_body(&e, "ok");
    assert_int_equal(e.response.status, 200);
    assert_memory_equal(e.response.protocol.ptr, "HTTP/2", sizeof("HTTP/2"));
    assert_string_equal(exchange_header(&e, "x-answer"), "h2");
    assert_int_equal(server_number("body", "/two"), 3);
    assert_null(strstr(server_text("head", "/two"), "user-agent"));
    assert_null(strstr(server_text("head", "/two"), "accept"));
    exchange_finish(&e);
    client_close(&client);
}

static void a_large_request_body_arrives_whole(void **state)
{
    const char *listeners[] = { "plain", "tls", "h2" };
    size_t len = 3u * 1024u * 1024u;
    char *body = malloc(len);
    const struct ask ask = { .method = "POST", .body = body, .body_len = len };
    struct client client;
    struct exchange e;
    (void)state;
    memset(body, 'b', len);
    client_open(&client, NULL);
    for (size_t i = 0; i < 3; i++) {
        char path[32];
        snprintf(path, sizeof(path), "/large-%s", listeners[i]);
        exchange_run(&e, &client, server_url(listeners[i], path), &ask);
        assert_body(&e, "ok");
        assert_int_equal(server_number("body", path), len);
        exchange_finish(&e);
    }
    client_close(&client);
    free(body);
}

static void requests_that_cannot_be_sent_safely_are_refused_at_once(void **state)
{
    static const char *const connection[] = { "Connection: close", NULL };
    static const char *const chunked[] = { "transfer-encoding: chunked", NULL };
    static const char *const no_name[] = { ": a", NULL };
    static const char *const blank[] = { "x y: a", NULL };
    static const char *const two_lines[] = { "x: a\r\nHost: b", NULL };
    static const struct {
        const char *url;
        struct ask ask;
    } cases[] = {
        { "ftp://localhost/", { 0 } },
        { "file:///etc/passwd", { 0 } },
        { "localhost", { 0 } },
        { "https://", { 0 } },
        { "https://user@localhost/", { 0 } },
        { "https://localhost/a b", { 0 } },
        { "https://localhost/\r\nx", { 0 } },
        { "https://localhost/\xc3\xa4", { 0 } },
        { "https://localhost/", { .method = "GET / HTTP/1.1\r\nx" } },
        { "https://localhost/", { .method = "" } },
        { "https://localhost/", { .headers = connection } },
        { "https://localhost/", { .headers = chunked } },
        { "https://localhost/", { .headers = no_name } },
        { "https://localhost/", { .headers = blank } },
        { "https://localhost/", { .headers = two_lines } },
    };
    struct client client;
    struct exchange e;
    (void)state;
    client_open(&client, NULL);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(exchange_try_start(&e, &client, cases[i].url, &cases[i].ask),
                         AQ_E_INVALID);
        assert_null(e.call);
        assert_non_null(strstr(e.error.text, ": "));
    }
    client_close(&client);
}

static void plain_http_connects_to_this_machine_alone(void **state)
{
    struct client client;
    struct exchange e;
    (void)state;
    client_open(&client, NULL);
    exchange_run(&e, &client, "http://192.0.2.1/secret", NULL);
    assert_failed(&e, AQ_E_INVALID, "plain http is for this machine alone, use https");
    assert_int_equal(e.error.flags, AQ_ERROR_NOT_SENT);
    exchange_finish(&e);
    client_close(&client);
}

int main(void)
{
    static const char *const listeners[] = { "plain", "tls", "h2", NULL };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_post_sends_the_callers_headers_and_only_what_framing_needs),
        cmocka_unit_test(a_get_sends_no_header_of_its_own),
        cmocka_unit_test(other_methods_arrive_as_they_are),
        cmocka_unit_test(a_length_that_the_caller_computed_is_sent_once),
        cmocka_unit_test(who_asks_before_there_is_an_answer_is_told_later),
        cmocka_unit_test(names_of_response_headers_are_lower_case_and_values_are_trimmed),
        cmocka_unit_test(every_piece_arrives_before_the_next_one_is_sent),
        cmocka_unit_test(interim_responses_are_skipped),
        cmocka_unit_test(http2_is_spoken_when_the_peer_offers_it),
        cmocka_unit_test(a_large_request_body_arrives_whole),
        cmocka_unit_test(requests_that_cannot_be_sent_safely_are_refused_at_once),
        cmocka_unit_test(plain_http_connects_to_this_machine_alone),
    };
    server_start(listeners);
    return cmocka_run_group_tests(tests, NULL, server_stop);
}
