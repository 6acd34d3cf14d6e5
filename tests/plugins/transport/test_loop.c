/* SPDX-License-Identifier: Apache-2.0 */
/* One descriptor for many calls: backpressure, fairness, silence, signals and forks. */
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define BIG_BYTES (8u * 1024u * 1024u)

static const char *const all[] = { "plain", "tls", "h2" };

static void assert_silent(struct client *client)
{
    struct aq_interest interest;
    client->ops->interest(client->self, &interest);
    struct pollfd poller = { .fd = interest.fd, .events = POLLIN };
    assert_int_equal(poll(&poller, 1, 0), 0);
    assert_true(interest.deadline_us == UINT64_MAX);
}

static void an_instance_without_calls_is_silent(void **state)
{
    struct client client;
    struct exchange e;
    const struct ask ask = { .connect_ms = 60000, .first_byte_ms = 60000, .idle_ms = 60000 };
    (void)state;
    client_open(&client, NULL);
    assert_silent(&client);
    for (size_t i = 0; i < 3; i++) {
        exchange_run(&e, &client, server_url(all[i], "/ok"), &ask);
        exchange_finish(&e);
        client_settle(&client); /* whatever is left to do */
        assert_silent(&client);
    }
    client_close(&client);
}

static void the_descriptor_stays_the_same(void **state)
{
    struct client client;
    struct exchange e;
    struct aq_interest before;
    struct aq_interest after;
    (void)state;
    client_open(&client, NULL);
    client.ops->interest(client.self, &before);
    exchange_run(&e, &client, server_url("h2", "/ok"), NULL);
    client.ops->interest(client.self, &after);
    assert_int_equal(before.fd, after.fd);
    exchange_finish(&e);
    client_close(&client);
}

static void start_makes_the_descriptor_readable(void **state)
{
    struct client client;
    struct exchange e;
    struct aq_interest interest;
    (void)state;
    client_open(&client, NULL);
    exchange_start(&e, &client, server_url("plain", "/ok"), NULL);
    client.ops->interest(client.self, &interest);
    struct pollfd poller = { .fd = interest.fd, .events = POLLIN };
    assert_int_equal(poll(&poller, 1, 0), 1);
    exchange_finish(&e);
    client_close(&client);
}

static void a_slow_reader_holds_no_more_than_the_buffer(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct client client;
        struct exchange e;
        client_open(&client, NULL);
        exchange_start(&e, &client, server_url(all[i], "/big"), NULL);
        e.stop_reading = true;
        exchange_until_head(&e);
        client_settle(&client); /* until no more is taken from the peer */
        assert_int_equal(e.announced, 1);
        e.stop_reading = false;
        exchange_pull(&e); /* without a step: what was held */
        assert_in_range(e.body_len, HELD_BYTES / 2, HELD_BYTES);
        exchange_until_over(&e);
        assert_int_equal(e.error.status, AQ_OK);
        assert_int_equal(e.body_len, BIG_BYTES);
        exchange_finish(&e);
        client_close(&client);
    }
}

static size_t allocated(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

static void a_call_that_nobody_reads_neither_holds_up_others_nor_grows(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct client client;
        struct exchange unread;
        struct exchange e;
        size_t before = allocated();
        client_open(&client, NULL);
        exchange_start(&unread, &client, server_url(all[i], "/big"), NULL);
        unread.stop_reading = true;
        exchange_until_head(&unread);
        for (int n = 0; n < 3; n++) {
            exchange_run(&e, &client, server_url(all[i], "/ok"), NULL);
            assert_body(&e, "ok");
            exchange_finish(&e);
        }
        assert_true(allocated() - before < 4u * HELD_BYTES);
        exchange_finish(&unread);
        client_close(&client);
    }
}

/* More than a connection of HTTP/2 has room for under way: what nobody reads counts for its own
 * stream alone. */
static void twenty_calls_that_nobody_reads_do_not_hold_up_another(void **state)
{
    enum { COUNT = 20 };
    static struct exchange unread[COUNT];
    struct client client;
    struct exchange e;
    (void)state;
    client_open(&client, NULL);
    for (size_t i = 0; i < COUNT; i++) {
        exchange_start(&unread[i], &client, server_url("h2", "/big"), NULL);
        unread[i].stop_reading = true;
    }
    for (size_t i = 0; i < COUNT; i++) {
        exchange_until_head(&unread[i]);
    }
    client_settle(&client); /* until no more is taken from the peer */
    exchange_run(&e, &client, server_url("h2", "/ok"), NULL);
    assert_body(&e, "ok");
    exchange_finish(&e);
    for (size_t i = 0; i < COUNT; i++) {
        unread[i].stop_reading = false;
        exchange_pull(&unread[i]);
        assert_in_range(unread[i].body_len, HELD_BYTES / 2, HELD_BYTES);
        exchange_finish(&unread[i]);
    }
    client_close(&client);
}

static void fifty_calls_run_at_once(void **state)
{
    static struct exchange calls[50];
    const struct ask ask = { .method = "POST", .body = "x", .body_len = 1 };
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct client client;
        client_open(&client, NULL);
        for (size_t n = 0; n < 50; n++) {
            exchange_start(&calls[n], &client, server_url(all[i], "/ok"), &ask);
        }
        for (size_t n = 0; n < 50; n++) {
            exchange_until_over(&calls[n]);
            assert_body(&calls[n], "ok");
        }
        for (size_t n = 0; n < 50; n++) {
            exchange_finish(&calls[n]);
        }
        client_close(&client);
    }
}

static void calls_beyond_max_connections_wait_without_a_connect_timeout(void **state)
{
    const struct plugin_setting settings[] = { { "max_connections", "1" }, { 0 } };
    const struct ask ask = { .connect_ms = 1000 };
    struct client client;
    struct exchange first;
    struct exchange second;
    (void)state;
    if (subject.http2_alone) {
        skip(); /* they would share it; test_hostile.c has a peer with few streams */
    }
    long before = server_number("connections", "plain");
    client_open(&client, settings);
    exchange_start(&first, &client, server_url("plain", "/stream"), &ask);
    exchange_until_head(&first);
    exchange_start(&second, &client, server_url("plain", "/ok"), &ask);
    client_wait(&client, 100);
    client.host.clock_offset_us += 3600u * UINT64_C(1000000);
    client_wait(&client, 100);
    assert_false(second.news);
    for (int n = 0; n < 5; n++) {
        server_number("go", "");
    }
    exchange_until_over(&first);
    exchange_until_over(&second);
    assert_body(&second, "ok");
    assert_int_equal(server_number("connections", "plain") - before, 1);
    exchange_finish(&first);
    exchange_finish(&second);
    client_close(&client);
}

static void two_instances_know_nothing_of_each_other(void **state)
{
    struct client one;
    struct client two;
    struct exchange e1;
    struct exchange e2;
    (void)state;
    client_open(&one, NULL);
    client_open(&two, NULL);
    exchange_start(&e1, &one, server_url("tls", "/ok"), NULL);
    exchange_start(&e2, &two, server_url("tls", "/ok"), NULL);
    exchange_until_over(&e2);
    assert_int_equal(e1.announced, 0);
    exchange_finish(&e2);
    client_close(&two);
    exchange_until_over(&e1);
    assert_body(&e1, "ok");
    exchange_finish(&e1);
    client_close(&one);
}

static void a_peer_that_slams_the_door_raises_no_sigpipe(void **state)
{
    static char body[1 << 20];
    const struct ask ask = { .method = "POST", .body = body, .body_len = sizeof(body) };
    static const char *const rude[] = { "rude", "rude-tls" };
    struct sigaction after;
    struct client client;
    struct exchange e;
    (void)state;
    signal(SIGPIPE, SIG_DFL);
    client_open(&client, NULL);
    for (int n = 0; n < 10; n++) {
        exchange_run(&e, &client, server_url(rude[n % 2], "/"), &ask);
        assert_int_equal(e.error.status, AQ_E_NETWORK);
        assert_int_equal(e.error.flags, 0);
        exchange_finish(&e);
    }
    client_close(&client);
    sigaction(SIGPIPE, NULL, &after);
    assert_true(after.sa_handler == SIG_DFL);
}

/* No descriptor from the lowest free one on. Returns the limit to put back. */
static struct rlimit allow_no_more_descriptors(void)
{
    struct rlimit before;
    int lowest = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);
    close(lowest);
    assert_return_code(getrlimit(RLIMIT_NOFILE, &before), errno);
    const struct rlimit none = { (rlim_t)lowest, before.rlim_max };
    assert_return_code(setrlimit(RLIMIT_NOFILE, &none), errno);
    return before;
}

static void without_descriptors_opening_and_connecting_fail_and_nothing_else(void **state)
{
    const struct plugin_setting settings[] = { { "ca_bundle", server_file("ca.pem") }, { 0 } };
    struct plugin_host host;
    struct client client;
    struct exchange e;
    struct aq_error err = { 0 };
    void *self = NULL;
    (void)state;
    plugin_host_load(&host, TRANSPORT, settings);
    client_open(&client, NULL);
    exchange_start(&e, &client, server_url("plain", "/ok"), NULL);
    struct rlimit before = allow_no_more_descriptors();
    aq_status opened = host.plugin->transport->open(&host.args, &self, &err);
    exchange_until_over(&e);
    assert_return_code(setrlimit(RLIMIT_NOFILE, &before), errno);
    assert_int_equal(opened, AQ_E_NETWORK);
    assert_null(self);
    assert_int_equal(err.sys, EMFILE);
    assert_non_null(strstr(err.text, "raise the limit"));
    assert_failed(&e, AQ_E_NETWORK, "cannot connect");
    exchange_finish(&e);
    exchange_run(&e, &client, server_url("plain", "/ok"), NULL);
    assert_body(&e, "ok");
    exchange_finish(&e);
    client_close(&client);
    plugin_host_done(&host);
}

/* What a forked child does with an instance of its parent; 0 if all is as promised. */
static int child(struct client *client, struct exchange *running)
{
    struct aq_error err = { 0 };
    struct exchange e;
    uint8_t byte;
    size_t len;
    if (client->ops->step(client->self, &err) != AQ_E_FORKED) {
        return 1;
    }
    if (exchange_try_start(&e, client, server_url("tls", "/ok"), NULL) != AQ_E_FORKED) {
        return 2;
    }
    if (client->ops->read(running->call, &byte, 1, &len, &err) != AQ_E_FORKED) {
        return 3;
    }
    client->ops->finish(running->call);
    client->ops->close(client->self);
    return 0;
}

static void a_forked_child_can_close_without_disturbing_the_parent(void **state)
{
    struct client client;
    struct exchange e;
    struct exchange running;
    int status;
    int hold[2];
    char byte = 0;
    (void)state;
    client_open(&client, NULL);
    exchange_run(&e, &client, server_url("tls", "/ok"), NULL); /* leaves an idle connection */
    exchange_finish(&e);
    long before = server_number("connections", "tls");
    exchange_start(&running, &client, server_url("tls", "/stream"), NULL);
    exchange_until_head(&running);
    assert_return_code(pipe(hold), 0);
    pid_t pid = fork();
    assert_return_code(pid, 0);
    if (pid == 0) {
        close(hold[1]);
        int bad = child(&client, &running);
        byte = (char)read(hold[0], &byte, 1); /* until the parent is done */
        _exit(bad);
    }
    close(hold[0]);
    for (int n = 0; n < 5; n++) {
        server_number("go", "");
    }
    exchange_until_over(&running);
    assert_body(&running, "piece 0piece 1piece 2piece 3piece 4");
    exchange_finish(&running);
    exchange_run(&e, &client, server_url("tls", "/ok"), NULL);
    assert_body(&e, "ok");
    exchange_finish(&e);
    assert_int_equal(server_number("connections", "tls"), before);
    client_close(&client);
    assert_int_equal(server_number("gone", "tls"), 1); /* the child, still there, holds none */
    close(hold[1]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

int main(void)
{
    static const char *const listeners[] = { "plain", "tls", "h2", "rude", "rude-tls", NULL };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_instance_without_calls_is_silent),
        cmocka_unit_test(the_descriptor_stays_the_same),
        cmocka_unit_test(start_makes_the_descriptor_readable),
        cmocka_unit_test(a_slow_reader_holds_no_more_than_the_buffer),
        cmocka_unit_test(a_call_that_nobody_reads_neither_holds_up_others_nor_grows),
        cmocka_unit_test(twenty_calls_that_nobody_reads_do_not_hold_up_another),
        cmocka_unit_test(fifty_calls_run_at_once),
        cmocka_unit_test(calls_beyond_max_connections_wait_without_a_connect_timeout),
        cmocka_unit_test(two_instances_know_nothing_of_each_other),
        cmocka_unit_test(without_descriptors_opening_and_connecting_fail_and_nothing_else),
        cmocka_unit_test(a_peer_that_slams_the_door_raises_no_sigpipe),
        cmocka_unit_test(a_forked_child_can_close_without_disturbing_the_parent),
    };
    server_start(listeners);
    return cmocka_run_group_tests(tests, NULL, server_stop);
}
