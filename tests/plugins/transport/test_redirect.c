/* SPDX-License-Identifier: Apache-2.0 */
/* A redirect is an answer like any other: nothing goes where it points, a bearer least of all. */
#include "fixture.h"

static const int statuses[] = { 300, 301, 302, 303, 304, 305, 306, 307, 308 };
static const char *const all[] = { "plain", "tls", "h2" };

/* Another port, host name and scheme than those of the request, or some of them. */
static void name_target(char *buf, size_t cap, int number)
{
    static const struct {
        const char *host;
        const char *listener;
    } targets[] = {
        { "http://127.0.0.1", "second" },
        { "http://localhost", "second" },
        { "https://localhost", "second-tls" },
        { "//localhost", "second-tls" },
    };
    snprintf(buf, cap, "%s:%d/stolen", targets[number].host, server_port(targets[number].listener));
}

static void be_redirected(struct client *client, const char *listener, int status,
                          const char *target)
{
    static const char *const headers[] = { "Authorization: Bearer secret-bearer",
                                           "x-amz-target: Operation", NULL };
    const struct ask ask = { .method = "POST", .headers = headers, .body = "{}", .body_len = 2 };
    struct exchange e;
    char path[128];
    snprintf(path, sizeof(path), "/redirect?%d&%s", status, target);
    exchange_run(&e, client, server_url(listener, path), &ask);
    assert_body(&e, "");
    assert_int_equal(e.response.status, status);
    assert_string_equal(exchange_header(&e, "location"), target);
    exchange_finish(&e);
}

/* Connections are accepted in order, so there was none before the one that is ours. */
static void assert_untouched(struct client *client, const char *listener)
{
    struct exchange e;
    exchange_run(&e, client, server_url(listener, "/visit"), NULL);
    assert_body(&e, "ok");
    exchange_finish(&e);
    assert_int_equal(server_number("connections", listener), 1);
}

static void no_redirect_is_followed_to_another_port_host_or_scheme(void **state)
{
    struct client client;
    long count = 0;
    (void)state;
    client_open(&client, NULL);
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        for (size_t from = 0; from < 3; from++) {
            for (int to = 0; to < 4; to++) {
                char target[64];
                name_target(target, sizeof(target), to);
                be_redirected(&client, all[from], statuses[i], target);
                count++;
            }
        }
    }
    assert_untouched(&client, "second");
    assert_untouched(&client, "second-tls");
    client_close(&client);
    assert_int_equal(server_number("requests", "/stolen"), 0);
    assert_int_equal(server_number("requests", "/redirect"), count);
    print_message("%ld redirects, none followed\n", count);
}

static void no_redirect_is_followed_on_the_same_connection(void **state)
{
    struct client client;
    (void)state;
    client_open(&client, NULL);
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        for (size_t from = 0; from < 3; from++) {
            be_redirected(&client, all[from], statuses[i], "/stolen");
        }
    }
    client_close(&client);
    assert_int_equal(server_number("requests", "/stolen"), 0);
}

int main(void)
{
    static const char *const listeners[] = { "plain", "tls", "h2", "second", "second-tls", NULL };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_redirect_is_followed_to_another_port_host_or_scheme),
        cmocka_unit_test(no_redirect_is_followed_on_the_same_connection),
    };
    server_start(listeners);
    return cmocka_run_group_tests(tests, NULL, server_stop);
}
