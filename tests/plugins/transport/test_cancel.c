/* SPDX-License-Identifier: Apache-2.0 */
/* finish and close return at once, whatever libcurl is doing; even while a name is resolved. The
 * stalls last for a minute, the resolver's for 20 s: WAITED_MS tells a wait from a busy machine. */
#include "stall.h"

#include <errno.h>
#include <stdlib.h>

#define WAITED_MS 10000
#define MINUTE_MS 60000
#define POINTS 200u
#define QUIET_MS 5 /* without an event: the peer has stalled */
#define STEPS_MAX 400u

static const struct ask patient = {
    .connect_ms = MINUTE_MS, .first_byte_ms = MINUTE_MS, .idle_ms = MINUTE_MS, .total_ms = MINUTE_MS
};

static uint64_t longest_us;

static uint64_t now_us(const struct client *client)
{
    return client->host.table.now_us(client->host.table.ctx);
}

static void finish_at_once(struct exchange *e)
{
    uint64_t start = now_us(e->client);
    exchange_finish(e);
    uint64_t took_us = now_us(e->client) - start;
    longest_us = took_us > longest_us ? took_us : longest_us;
    assert_in_range(took_us, 0, WAITED_MS * 1000);
}

static void close_at_once(struct client *client)
{
    uint64_t start = now_ms();
    client_close(client);
    assert_in_range(now_ms() - start, 0, WAITED_MS);
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
    close_at_once(&client);
    assert_int_equal(server_number("connections", "plain"), before);
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

static void assert_all_closed(void)
{
    for (size_t i = 0; stall_listeners[i]; i++) {
        assert_int_equal(server_number("gone", stall_listeners[i]), 1);
    }
}

static void a_call_can_be_finished_in_every_phase_that_stalls(void **state)
{
    (void)state;
    for (size_t i = 0; i < stall_count; i++) {
        struct client client;
        struct exchange e;
        struct exchange other;
        if (!stall_is_possible(&stalls[i])) {
            continue;
        }
        client_open(&client, NULL);
        stall_start(&stalls[i], &e, &client, &patient);
        exchange_run(&other, &client, server_url("tls", "/ok"), NULL); /* others go on */
        assert_body(&other, "ok");
        finish_at_once(&other);
        finish_at_once(&e);
        client_wait(&client, 0);
        assert_false(e.news);
        exchange_run(&other, &client, server_url("tls", "/ok"), NULL);
        assert_body(&other, "ok");
        finish_at_once(&other);
        close_at_once(&client);
        assert_all_closed();
    }
}

static void a_call_that_ended_while_its_name_is_resolved_can_be_finished(void **state)
{
    const struct ask ask = { .connect_ms = MINUTE_MS };
    struct client client;
    struct exchange e;
    (void)state;
    if (!stall_is_possible(&stalls[0])) {
        skip();
    }
    client_open(&client, NULL);
    stall_start(&stalls[0], &e, &client, &ask);
    client.host.clock_offset_us += MINUTE_MS * UINT64_C(1000);
    exchange_until_over(&e);
    assert_failed(&e, AQ_E_TIMEOUT, "connect timeout");
    assert_int_equal(e.error.flags, AQ_ERROR_NOT_SENT);
    finish_at_once(&e);
    close_at_once(&client);
}

/* A name of its own, so that nobody remembers it. */
static struct stall stall_for_name(const char *name)
{
    static char url[64];
    struct stall stall = stalls[0];
    snprintf(url, sizeof(url), "http://%s.example:%d/ok", name, server_port("plain"));
    stall.path = url;
    return stall;
}

static void a_call_goes_on_when_its_name_is_resolved_at_last(void **state)
{
    const struct stall stall = stall_for_name("late");
    struct client client;
    struct exchange e;
    (void)state;
    if (!stall_is_possible(&stall)) {
        skip();
    }
    client_open(&client, NULL);
    stall_start(&stall, &e, &client, &patient);
    while (!e.news) {
        stall_answer_names();
        client_wait(&client, 10);
    }
    exchange_until_over(&e);
    assert_body(&e, "ok");
    exchange_finish(&e);
    client_close(&client);
}

static void a_name_that_there_is_not_is_a_network_error_of_a_request_not_sent(void **state)
{
    const struct stall stall = stall_for_name("nobody");
    struct client client;
    struct exchange e;
    (void)state;
    if (!stall_is_possible(&stall)) {
        skip();
    }
    client_open(&client, NULL);
    stall_start(&stall, &e, &client, &patient);
    while (!e.news) {
        stall_answer_names();
        client_wait(&client, 10);
    }
    exchange_until_over(&e);
    assert_failed(&e, AQ_E_NETWORK, "name does not resolve, check the endpoint and the network");
    assert_int_equal(e.error.flags, AQ_ERROR_NOT_SENT);
    exchange_finish(&e);
    client_close(&client);
}

/* RFC 8305, 3: an address that is known does not wait for the other question. */
static void an_answer_for_ipv6_that_never_comes_is_not_waited_for(void **state)
{
    const struct stall stall = stall_for_name("half");
    struct client client;
    struct exchange e;
    (void)state;
    if (!subject.http2_alone || !stall_is_possible(&stall)) {
        skip(); /* the system's resolver gives both answers at once */
    }
    client_open(&client, NULL);
    stall_start(&stall, &e, &client, &patient);
    while (!e.news) {
        stall_answer_v4_names();
        client_wait(&client, 10);
    }
    exchange_until_over(&e);
    assert_body(&e, "ok");
    exchange_finish(&e);
    client_close(&client);
}

/* The resolver comes back to a call that is over, for the host or for itself. */
static void a_name_that_resolves_too_late_connects_to_nobody(void **state)
{
    static const char *const names[] = { "finished", "expired" };
    (void)state;
    if (!stall_is_possible(&stalls[0])) {
        skip();
    }
    for (size_t i = 0; i < 2; i++) {
        const struct stall stall = stall_for_name(names[i]);
        struct client client;
        struct exchange e;
        struct exchange other;
        long before = server_number("connections", "plain");
        client_open(&client, NULL);
        stall_start(&stall, &e, &client, &patient);
        if (i == 0) {
            finish_at_once(&e);
        } else {
            client.host.clock_offset_us += MINUTE_MS * UINT64_C(1000);
            exchange_until_over(&e);
            assert_failed(&e, AQ_E_TIMEOUT, "timeout");
        }
        for (int n = 0; n < 50; n++) {
            stall_answer_names();
            client_wait(&client, 2);
        }
        exchange_run(&other, &client, server_url("plain", "/ok"), NULL);
        assert_body(&other, "ok");
        exchange_finish(&other);
        if (i == 1) {
            exchange_finish(&e);
        }
        client_close(&client);
        assert_int_equal(server_number("connections", "plain") - before, 1);
    }
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
    close_at_once(&client);
}

/* What calls are cancelled at, beside the peers that stall. */
static const struct {
    const char *listener;
    const char *path;
} answers[] = { { "plain", "/ok" },  { "tls", "/ok" },  { "h2", "/ok" },
                { "plain", "/big" }, { "tls", "/big" }, { "h2", "/big" } };
#define ANSWERS ((unsigned)(sizeof(answers) / sizeof(answers[0])))

static const char *sweep_url(unsigned choice)
{
    if (choice >= ANSWERS && stall_is_possible(&stalls[choice - ANSWERS])) {
        return stall_url(&stalls[choice - ANSWERS]);
    }
    return server_url(answers[choice % ANSWERS].listener, answers[choice % ANSWERS].path);
}

/* Make so many steps, or as many as there is something to do for. Returns how many. */
static unsigned drive(struct exchange *e, unsigned steps)
{
    unsigned made = 0;
    while (made < steps && !e->over && client_wait(e->client, QUIET_MS)) {
        if (e->news) {
            exchange_pull(e);
        }
        made++;
    }
    return made;
}

/* Start a call, make so many steps, finish it. */
static unsigned cancel_after(struct client *client, unsigned choice, unsigned steps)
{
    struct exchange e;
    exchange_start(&e, client, sweep_url(choice), &patient);
    unsigned made = drive(&e, steps);
    finish_at_once(&e);
    return made;
}

static unsigned number_from(const char *variable, unsigned otherwise)
{
    const char *text = getenv(variable);
    return text ? (unsigned)strtoul(text, NULL, 10) : otherwise;
}

static void a_call_can_be_finished_at_any_point(void **state)
{
    const unsigned points = number_from("AQ_TEST_CANCEL_POINTS", POINTS);
    const unsigned seed = number_from("AQ_TEST_SEED", (unsigned)now_ms());
    const unsigned choices = ANSWERS + (unsigned)stall_count;
    unsigned steps[64]; /* until a call of each kind stalls or ends */
    struct client client;
    struct exchange e;
    (void)state;
    print_message("seed %u (AQ_TEST_SEED)\n", seed);
    srandom(seed);
    longest_us = 0;
    assert_in_range(choices, 1, sizeof(steps) / sizeof(steps[0]));
    client_open(&client, NULL);
    for (unsigned n = 0; n < choices; n++) {
        steps[n] = cancel_after(&client, n, STEPS_MAX);
    }
    for (unsigned n = 0; n < points; n++) {
        cancel_after(&client, n % choices, (unsigned)random() % (steps[n % choices] + 1));
        if (random() % 8 == 0) {
            close_at_once(&client);
            client_open(&client, NULL);
        }
    }
    exchange_run(&e, &client, server_url("h2", "/ok"), NULL);
    assert_body(&e, "ok");
    finish_at_once(&e);
    close_at_once(&client);
    assert_all_closed();
    print_message("%u points, longest %lu us\n", points, (unsigned long)longest_us);
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

static int stop(void **state)
{
    stall_done();
    return server_stop(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_can_be_finished_before_the_first_step),
        cmocka_unit_test(nobody_listens_is_a_network_error_of_a_request_not_sent),
        cmocka_unit_test(a_call_can_be_finished_in_every_phase_that_stalls),
        cmocka_unit_test(a_call_that_ended_while_its_name_is_resolved_can_be_finished),
        cmocka_unit_test(a_call_goes_on_when_its_name_is_resolved_at_last),
        cmocka_unit_test(a_name_that_there_is_not_is_a_network_error_of_a_request_not_sent),
        cmocka_unit_test(an_answer_for_ipv6_that_never_comes_is_not_waited_for),
        cmocka_unit_test(a_name_that_resolves_too_late_connects_to_nobody),
        cmocka_unit_test(a_call_with_news_can_be_finished_unread),
        cmocka_unit_test(a_call_can_be_finished_at_any_point),
        cmocka_unit_test(finish_and_close_accept_null),
    };
    stall_init();
    server_start(stall_listeners);
    return cmocka_run_group_tests(tests, NULL, stop);
}
