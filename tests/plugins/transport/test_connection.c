/* SPDX-License-Identifier: Apache-2.0 */
/* What transport-h2 does with its connections. send and recv of this program stand before those of
 * libc, and count. */
#undef _FORTIFY_SOURCE /* would make recv a function of the header */
#include "fixture.h"

#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
#define MINUTE_US UINT64_C(60000000)

static struct {
    unsigned sent; /* calls of send */
    unsigned loud; /* of those, without MSG_NOSIGNAL */
    unsigned received;
} calls_made;

EXPORT ssize_t send(int fd, const void *buf, size_t len, int flags)
{
    calls_made.sent++;
    calls_made.loud += (flags & MSG_NOSIGNAL) == 0;
    return syscall(SYS_sendto, fd, buf, len, flags, NULL, 0);
}

EXPORT ssize_t recv(int fd, void *buf, size_t len, int flags)
{
    calls_made.received++;
    return syscall(SYS_recvfrom, fd, buf, len, flags, NULL, NULL);
}

/* Wait without a step. */
static void wait_readable(struct client *client)
{
    struct aq_interest interest;
    client->ops->interest(client->self, &interest);
    struct pollfd poller = { .fd = interest.fd, .events = POLLIN };
    assert_int_equal(poll(&poller, 1, 60000), 1);
}

static void ok(struct client *client, const char *url, const struct ask *ask)
{
    struct exchange e;
    exchange_run(&e, client, url, ask);
    assert_body(&e, "ok");
    exchange_finish(&e);
}

static void the_first_flight_is_one_send(void **state)
{
    static char body[8000];
    const struct ask ask = { .method = "POST", .body = body, .body_len = sizeof(body) };
    struct client client;
    struct exchange e;
    (void)state;
    client_open(&client, NULL);
    calls_made.sent = 0;
    exchange_start(&e, &client, server_url("plain", "/silent"), &ask);
    while (calls_made.sent == 0) {
        client_wait(&client, 100);
    }
    while (server_number("requests", "/silent") == 0) { /* it was the whole request */
        assert_int_equal(calls_made.sent, 1);
    }
    exchange_finish(&e);
    client_close(&client);
    assert_int_equal(calls_made.loud, 0);
}

static void a_piece_costs_one_recv_and_no_send(void **state)
{
    struct client client;
    struct exchange e;
    (void)state;
    client_open(&client, NULL);
    exchange_start(&e, &client, server_url("plain", "/stream"), NULL);
    exchange_until_head(&e);
    client_settle(&client); /* the greetings are over */
    calls_made.sent = 0;
    calls_made.received = 0;
    for (size_t piece = 1; piece <= 4; piece++) {
        server_number("go", "");
        wait_readable(&client);
        exchange_until_bytes(&e, piece * strlen("piece 0"));
    }
    assert_int_equal(calls_made.received, 4);
    assert_int_equal(calls_made.sent, 0);
    server_number("go", "");
    exchange_until_over(&e);
    exchange_finish(&e);
    client_close(&client);
}

/* The host may be busy with something else than steps. */
static void a_cancelled_call_tells_its_peer_at_once(void **state)
{
    struct client client;
    struct exchange e;
    long before = server_number("resets", "8");
    (void)state;
    client_open(&client, NULL);
    exchange_start(&e, &client, server_url("tls", "/trickle"), NULL);
    exchange_until_bytes(&e, strlen("first"));
    exchange_finish(&e);
    for (uint64_t start = now_ms(); server_number("resets", "8") == before;) {
        assert_in_range(now_ms() - start, 0, NEVER_MS);
    }
    client_close(&client);
}

static void localhost_is_reached_on_whichever_of_its_addresses_answers(void **state)
{
    struct client client;
    char url[64];
    (void)state;
    client_open(&client, NULL);
    snprintf(url, sizeof(url), "http://localhost:%d/ok", server_port("plain"));
    ok(&client, url, NULL); /* ::1 refuses */
    snprintf(url, sizeof(url), "http://some.name.LOCALHOST.:%d/ok", server_port("plain"));
    ok(&client, url, NULL);
    client_close(&client);
}

/* The peer says something and falls silent. */
static void what_is_trusted_is_read_while_the_connection_is_made(void **state)
{
    char bundle[192];
    char command[512];
    const struct plugin_setting settings[] = { { "ca_bundle", bundle }, { 0 } };
    struct client client;
    struct exchange e;
    (void)state;
    snprintf(bundle, sizeof(bundle), "%s", server_file("short-lived.pem"));
    snprintf(command, sizeof(command), "cp '%s' '%s'", server_file("ca.pem"), bundle);
    assert_int_equal(system(command), 0);
    client_open(&client, settings);
    exchange_start(&e, &client, server_url("tls", "/ok"), NULL);
    assert_true(client_wait(&client, 1000)); /* the connection is asked for, and not there yet */
    assert_return_code(unlink(bundle), 0);
    exchange_until_over(&e);
    assert_body(&e, "ok");
    exchange_finish(&e);
    client_close(&client);
}

static void fall_silent(struct exchange *e, struct client *client, const char *path)
{
    exchange_start(e, client, server_url("hostile", path), NULL);
    exchange_until_bytes(e, strlen("first"));
    client_settle(client);
}

static void a_silent_peer_that_answers_a_ping_is_waited_for(void **state)
{
    struct client client;
    struct exchange e;
    (void)state;
    client_open(&client, NULL);
    fall_silent(&e, &client, "/quiet");
    for (long n = 1; n <= 3; n++) {
        client.host.clock_offset_us += MINUTE_US / 2;
        while (server_number("requests", "PING") < n) {
            client_wait(&client, 10);
        }
        client_settle(&client);
        assert_false(e.news);
        assert_int_equal(server_number("requests", "PING"), n);
    }
    exchange_finish(&e);
    client_close(&client);
}

static void a_silent_peer_that_does_not_is_given_up(void **state)
{
    struct client client;
    struct exchange e;
    (void)state;
    client_open(&client, NULL);
    fall_silent(&e, &client, "/deaf");
    client.host.clock_offset_us += MINUTE_US / 2; /* asks */
    client_wait(&client, 0);
    client.host.clock_offset_us += MINUTE_US / 4;
    exchange_until_over(&e);
    assert_failed(&e, AQ_E_TRUNCATED, "cut off");
    exchange_finish(&e);
    client_close(&client);
}

/* The ping waits behind what has not been taken yet. */
static void a_peer_that_takes_a_request_slowly_is_waited_for(void **state)
{
    enum { BODY_BYTES = 16 * 1024 * 1024, ROUND_BYTES = 512 * 1024, ROUNDS = 4 };
    struct client client;
    struct exchange e;
    char *body = calloc(1, BODY_BYTES);
    const struct ask ask = { .method = "POST", .body = body, .body_len = BODY_BYTES };
    (void)state;
    client_open(&client, NULL);
    exchange_start(&e, &client, server_url("hostile", "/slow-reader"), &ask);
    for (long n = 1; n <= ROUNDS; n++) {
        server_number("go", "");
        while (server_number("requests", "TAKEN") < n * ROUND_BYTES) {
            client_wait(&client, 10);
        }
        client.host.clock_offset_us += MINUTE_US / 2;
        client_wait(&client, 10);
        assert_false(e.news);
    }
    server_number("go", "");
    exchange_until_over(&e);
    assert_body(&e, "ok");
    exchange_finish(&e);
    client_close(&client);
    free(body);
}

static void a_peer_that_missed_a_deadline_in_silence_gets_no_more_calls(void **state)
{
    const struct plugin_setting settings[] = { { "ping_s", "0" }, { 0 } };
    const struct ask ask = { .first_byte_ms = 60000 };
    struct client client;
    struct exchange e;
    long before = server_number("connections", "plain");
    (void)state;
    client_open(&client, settings);
    ok(&client, server_url("plain", "/ok"), NULL);
    exchange_start(&e, &client, server_url("plain", "/silent"), &ask);
    client_settle(&client);
    client.host.clock_offset_us += 2 * MINUTE_US;
    exchange_until_over(&e);
    assert_failed(&e, AQ_E_TIMEOUT, "first byte timeout");
    exchange_finish(&e);
    ok(&client, server_url("plain", "/ok"), NULL);
    assert_int_equal(server_number("connections", "plain"), before + 2);
    client_close(&client);
}

static void an_idle_connection_is_not_used_again_when_it_is_too_old(void **state)
{
    struct client client;
    long before = server_number("connections", "plain");
    (void)state;
    client_open(&client, NULL);
    ok(&client, server_url("plain", "/ok"), NULL);
    client.host.clock_offset_us += MINUTE_US - 1000000;
    ok(&client, server_url("plain", "/ok"), NULL);
    assert_int_equal(server_number("connections", "plain"), before + 1);
    client.host.clock_offset_us += MINUTE_US + 1000000;
    ok(&client, server_url("plain", "/ok"), NULL);
    assert_int_equal(server_number("connections", "plain"), before + 2);
    client_close(&client);
}

/* Connections to a port that have something to read. */
static unsigned count_readable(int port)
{
    unsigned count = 0;
    for (int fd = 0; fd < 1024; fd++) {
        struct sockaddr_in peer;
        socklen_t len = sizeof(peer);
        int waiting = 0;
        if (getpeername(fd, (struct sockaddr *)&peer, &len) == 0 && peer.sin_family == AF_INET &&
            ntohs(peer.sin_port) == port && ioctl(fd, FIONREAD, &waiting) == 0 && waiting > 0) {
            count++;
        }
    }
    return count;
}

/* Each origin has a connection of its own. */
static void what_has_come_on_many_connections_counts_before_deadlines_that_have_passed(void **state)
{
    enum { COUNT = 80, PIECES = 5 };
    static struct exchange exchanges[COUNT];
    const struct plugin_setting settings[] = { { "max_connections", "100" }, { 0 } };
    const struct ask ask = { .idle_ms = 30000 };
    const int port = server_port("plain");
    struct client client;
    (void)state;
    client_open(&client, settings);
    for (int i = 0; i < COUNT; i++) {
        char url[64];
        snprintf(url, sizeof(url), "http://n%d.localhost:%d/stream", i, port);
        exchange_start(&exchanges[i], &client, url, &ask);
        exchange_until_head(&exchanges[i]);
    }
    client_settle(&client); /* the greetings are over */
    for (int n = 0; n < COUNT * PIECES; n++) {
        server_number("go", "");
    }
    for (uint64_t start = now_ms(); count_readable(port) < COUNT;) {
        assert_in_range(now_ms() - start, 0, NEVER_MS);
    }
    client.host.clock_offset_us += MINUTE_US;
    for (int i = 0; i < COUNT; i++) {
        exchange_until_over(&exchanges[i]);
        assert_body(&exchanges[i], "piece 0piece 1piece 2piece 3piece 4");
        exchange_finish(&exchanges[i]);
    }
    client_close(&client);
}

static void ask_once_more(void)
{
    struct client client;
    client_open(&client, NULL);
    ok(&client, server_url("tls", "/ok"), NULL);
    client_close(&client);
    _exit(0);
}

/* The handler is older than OpenSSL's own would be, so it runs after that. In a process that has
 * not used OpenSSL: the first of all tests. */
static void an_exit_handler_may_still_ask(void **state)
{
    int status;
    (void)state;
    pid_t pid = fork();
    assert_return_code(pid, 0);
    if (pid == 0) {
        struct client client;
        setenv("CMOCKA_TEST_ABORT", "1", 1); /* an assertion that fails ends the process */
        assert_int_equal(atexit(ask_once_more), 0);
        client_open(&client, NULL);
        ok(&client, server_url("tls", "/ok"), NULL);
        client_close(&client);
        exit(1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

int main(void)
{
    static const char *const listeners[] = { "plain", "tls", "hostile", NULL };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_exit_handler_may_still_ask),
        cmocka_unit_test(the_first_flight_is_one_send),
        cmocka_unit_test(a_piece_costs_one_recv_and_no_send),
        cmocka_unit_test(a_cancelled_call_tells_its_peer_at_once),
        cmocka_unit_test(localhost_is_reached_on_whichever_of_its_addresses_answers),
        cmocka_unit_test(what_is_trusted_is_read_while_the_connection_is_made),
        cmocka_unit_test(a_silent_peer_that_answers_a_ping_is_waited_for),
        cmocka_unit_test(a_silent_peer_that_does_not_is_given_up),
        cmocka_unit_test(a_peer_that_takes_a_request_slowly_is_waited_for),
        cmocka_unit_test(a_peer_that_missed_a_deadline_in_silence_gets_no_more_calls),
        cmocka_unit_test(
            what_has_come_on_many_connections_counts_before_deadlines_that_have_passed),
        cmocka_unit_test(an_idle_connection_is_not_used_again_when_it_is_too_old),
    };
    server_start(listeners);
    return cmocka_run_group_tests(tests, NULL, server_stop);
}
