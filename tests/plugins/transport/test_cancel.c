/* SPDX-License-Identifier: Apache-2.0 */
/* finish and close return at once, whatever libcurl is doing; even while a name is resolved. */
#include "fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#define AT_ONCE_MS 100
#define SKIPPED 77

static void finish_at_once(struct exchange *e)
{
    uint64_t start = now_ms();
    exchange_finish(e);
    assert_in_range(now_ms() - start, 0, AT_ONCE_MS);
}

static void a_call_can_be_finished_before_the_first_step(void **state)
{
    struct client client;
    struct exchange e;
    long before = server_number("connections", "plain");
    (void)state;
    client_open(&client, NULL);
    exchange_start(&e, &client, server_url("plain", "/ok"), NULL);
    finish_at_once(&e);
    client_wait(&client, 0);
    client_close(&client);
    assert_int_equal(server_number("connections", "plain"), before);
}

/* A listener whose queue is full: the kernel leaves further SYNs unanswered. */
static void a_call_that_is_connecting_can_be_finished(void **state)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(address);
    int queued[8];
    char url[64];
    struct client client;
    struct exchange e;
    (void)state;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_return_code(bind(listener, (struct sockaddr *)&address, len), errno);
    assert_return_code(listen(listener, 0), errno);
    getsockname(listener, (struct sockaddr *)&address, &len);
    for (size_t i = 0; i < 8; i++) {
        queued[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        connect(queued[i], (struct sockaddr *)&address, len);
    }
    snprintf(url, sizeof(url), "http://127.0.0.1:%d/", ntohs(address.sin_port));
    client_open(&client, NULL);
    exchange_start(&e, &client, url, NULL);
    client_wait(&client, 20);
    assert_false(e.news);
    finish_at_once(&e);
    const struct ask ask = { .connect_ms = 50 };
    exchange_run(&e, &client, url, &ask);
    assert_failed(&e, AQ_E_TIMEOUT, "connect timeout");
    assert_int_equal(e.error.flags, AQ_ERROR_NOT_SENT);
    finish_at_once(&e);
    client_close(&client);
    for (size_t i = 0; i < 8; i++) {
        close(queued[i]);
    }
    close(listener);
}

static void nobody_listens_is_a_network_error_of_a_request_not_sent(void **state)
{
    struct client client;
    struct exchange e;
    (void)state;
    client_open(&client, NULL);
    exchange_run(&e, &client, "http://127.0.0.1:1/", NULL);
    assert_failed(&e, AQ_E_NETWORK, "http://127.0.0.1:1: cannot connect");
    assert_int_equal(e.error.flags, AQ_ERROR_NOT_SENT);
    assert_int_equal(e.error.sys, ECONNREFUSED);
    exchange_finish(&e);
    client_close(&client);
}

static void a_call_in_its_handshake_can_be_finished(void **state)
{
    struct client client;
    struct exchange e;
    (void)state;
    client_open(&client, NULL);
    exchange_start(&e, &client, server_url("silent", "/"), NULL);
    while (server_number("connections", "silent") == 0) {
        client_wait(&client, 10);
    }
    finish_at_once(&e);
    client_close(&client);
    assert_int_equal(server_number("gone", "silent"), 1);
}

static void a_call_with_news_can_be_finished_unread(void **state)
{
    struct client client;
    struct exchange e;
    (void)state;
    client_open(&client, NULL);
    exchange_start(&e, &client, server_url("tls", "/ok"), NULL);
    while (!e.news) {
        client_wait(&client, 100);
    }
    finish_at_once(&e);
    client_close(&client);
}

static void finish_and_close_accept_null(void **state)
{
    struct client client;
    (void)state;
    client_open(&client, NULL);
    client.ops->finish(NULL);
    client.ops->close(NULL);
    client_close(&client);
}

/* The rest happens in a network of its own, whose name server never answers. */

static bool loopback_up(void)
{
    struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    bool up = ioctl(fd, SIOCSIFFLAGS, &request) == 0;
    close(fd);
    return up;
}

/* A socket that takes the questions, or -1: not permitted here. */
static int silent_name_server(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons(53),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    FILE *conf = fopen(server_file("resolv.conf"), "w");
    fputs("nameserver 127.0.0.1\noptions timeout:20 attempts:1\n", conf);
    fclose(conf);
    if ((unshare(CLONE_NEWNS | CLONE_NEWNET) < 0 &&
         unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET) < 0) ||
        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 || !loopback_up() ||
        mount(server_file("resolv.conf"), "/etc/resolv.conf", NULL, MS_BIND, NULL) < 0) {
        return -1;
    }
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    return bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? -1 : fd;
}

/* Step until the resolver thread has asked. */
static bool was_asked(struct client *client, int name_server)
{
    struct pollfd poller = { .fd = name_server, .events = POLLIN };
    char question[512];
    for (int i = 0; i < 500; i++) {
        client_wait(client, 10);
        if (poll(&poller, 1, 0) == 1) {
            return recv(name_server, question, sizeof(question), 0) > 0;
        }
    }
    return false;
}

/* Returns the line of the first thing that is not as promised. */
static int resolve_for_ever(int name_server)
{
    static const struct plugin_setting none[] = { { 0 } };
    const struct ask ask = { .connect_ms = 200 };
    struct client client;
    struct exchange e;
    uint64_t start;
    client_open(&client, none);
    exchange_start(&e, &client, "https://hangs.example/", NULL);
    if (!was_asked(&client, name_server)) {
        return __LINE__;
    }
    start = now_ms();
    client.ops->finish(e.call);
    if (now_ms() - start > AT_ONCE_MS || e.news) {
        return __LINE__;
    }
    exchange_start(&e, &client, "https://hangs.too.example/", &ask);
    start = now_ms();
    exchange_until_over(&e);
    if (e.error.status != AQ_E_TIMEOUT || !(e.error.flags & AQ_ERROR_NOT_SENT) ||
        now_ms() - start > 1000) {
        return __LINE__;
    }
    start = now_ms();
    client.ops->finish(e.call);
    exchange_run(&e, &client, "http://127.0.0.1:1/", NULL); /* others go on */
    if (e.error.status != AQ_E_NETWORK) {
        return __LINE__;
    }
    client.ops->finish(e.call);
    client_close(&client);
    return now_ms() - start > AT_ONCE_MS ? __LINE__ : 0;
}

static void no_call_waits_for_a_name_that_never_resolves(void **state)
{
    int status;
    (void)state;
    pid_t pid = fork();
    assert_return_code(pid, errno);
    if (pid == 0) {
        int name_server = silent_name_server();
        int line = name_server < 0 ? 0 : resolve_for_ever(name_server);
        if (line) {
            fprintf(stderr, "line %d\n", line);
        }
        _exit(name_server < 0 ? SKIPPED : line != 0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED) {
        print_message("a network of its own is not permitted here\n");
        skip();
    }
    assert_int_equal(status, 0);
}

int main(void)
{
    static const char *const listeners[] = { "plain", "tls", "silent", NULL };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_can_be_finished_before_the_first_step),
        cmocka_unit_test(a_call_that_is_connecting_can_be_finished),
        cmocka_unit_test(nobody_listens_is_a_network_error_of_a_request_not_sent),
        cmocka_unit_test(a_call_in_its_handshake_can_be_finished),
        cmocka_unit_test(a_call_with_news_can_be_finished_unread),
        cmocka_unit_test(finish_and_close_accept_null),
        cmocka_unit_test(no_call_waits_for_a_name_that_never_resolves),
    };
    server_start(listeners);
    return cmocka_run_group_tests(tests, NULL, server_stop);
}
