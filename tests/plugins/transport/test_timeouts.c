/* SPDX-License-Identifier: Apache-2.0 */
/* Every phase has a deadline of its own, and none runs while the host itself is the slow one. */
#include "fixture.h"

#define SHORT_MS 120
#define LATE_MS 1000 /* far above any delay of a busy machine we would accept */

static void miss(const char *listener, const char *path, const struct ask *ask, const char *text,
                 uint32_t flags)
{
    struct client client;
    struct exchange e;
    uint64_t start = now_ms();
    client_open(&client, NULL);
    exchange_run(&e, &client, server_url(listener, path), ask);
    assert_failed(&e, AQ_E_TIMEOUT, text);
    assert_int_equal(e.error.flags, flags);
    assert_in_range(now_ms() - start, SHORT_MS, SHORT_MS + LATE_MS);
    assert_false(client_wait(&client, 0)); /* and then silence */
    exchange_finish(&e);
    client_close(&client);
}

static void a_handshake_that_stalls_is_a_connect_timeout(void **state)
{
    const struct ask ask = { .connect_ms = SHORT_MS, .total_ms = 60000 };
    (void)state;
    miss("silent", "/", &ask, "connect timeout", AQ_ERROR_NOT_SENT);
}

static void no_answer_is_a_first_byte_timeout(void **state)
{
    const struct ask ask = { .connect_ms = 60000, .first_byte_ms = SHORT_MS, .idle_ms = 1 };
    (void)state;
    miss("plain", "/silent", &ask, "first byte timeout", 0);
    miss("tls", "/silent", &ask, "first byte timeout", 0);
    miss("h2", "/silent", &ask, "first byte timeout", 0);
}

static void half_a_head_is_no_answer(void **state)
{
    const struct ask ask = { .first_byte_ms = SHORT_MS };
    (void)state;
    miss("plain", "/half-head", &ask, "first byte timeout", 0);
}

static void a_body_that_stalls_is_an_idle_timeout(void **state)
{
    const struct ask ask = { .first_byte_ms = 60000, .idle_ms = SHORT_MS };
    (void)state;
    miss("plain", "/trickle", &ask, "idle timeout", 0);
}

static void the_total_counts_from_start_to_end(void **state)
{
    const struct ask ask = {
        .connect_ms = 60000, .first_byte_ms = 60000, .idle_ms = 60000, .total_ms = SHORT_MS
    };
    (void)state;
    miss("silent", "/", &ask, "total timeout", AQ_ERROR_NOT_SENT);
    miss("plain", "/silent", &ask, "total timeout", 0);
    miss("plain", "/trickle", &ask, "total timeout", 0);
}

/* Twenty megabytes and a host that reads nothing for longer than the idle time. */
static void the_idle_time_stands_still_while_the_host_does_not_read(void **state)
{
    const struct ask ask = { .idle_ms = 1000 };
    struct client client;
    struct exchange e;
    (void)state;
    client_open(&client, NULL);
    exchange_start(&e, &client, server_url("plain", "/big"), &ask);
    e.stop_reading = true;
    exchange_until_head(&e);
    while (client_wait(&client, 100)) { /* until the buffer is full */
    }
    client.host.clock_offset_us += 3600u * UINT64_C(1000000);
    assert_false(client_wait(&client, 0));
    e.stop_reading = false;
    exchange_pull(&e);
    exchange_until_over(&e);
    assert_int_equal(e.error.status, AQ_OK);
    assert_int_equal(e.body_len, 20 * 1024 * 1024);
    exchange_finish(&e);
    client_close(&client);
}

static void a_deadline_is_announced_by_interest(void **state)
{
    const struct ask ask = { .first_byte_ms = 60000 };
    struct client client;
    struct exchange e;
    struct aq_interest interest;
    (void)state;
    client_open(&client, NULL);
    exchange_start(&e, &client, server_url("plain", "/silent"), &ask);
    while (client_wait(&client, 500)) { /* until it only waits for the answer */
    }
    client.ops->interest(client.self, &interest);
    uint64_t left_us = interest.deadline_us - client.host.table.now_us(client.host.table.ctx);
    assert_in_range(left_us, 50u * 1000000u, 60u * 1000000u);
    client.host.clock_offset_us += 60u * UINT64_C(1000000);
    exchange_until_over(&e);
    assert_failed(&e, AQ_E_TIMEOUT, "first byte timeout");
    exchange_finish(&e);
    client_close(&client);
}

int main(void)
{
    static const char *const listeners[] = { "plain", "tls", "h2", "silent", NULL };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_handshake_that_stalls_is_a_connect_timeout),
        cmocka_unit_test(no_answer_is_a_first_byte_timeout),
        cmocka_unit_test(half_a_head_is_no_answer),
        cmocka_unit_test(a_body_that_stalls_is_an_idle_timeout),
        cmocka_unit_test(the_total_counts_from_start_to_end),
        cmocka_unit_test(the_idle_time_stands_still_while_the_host_does_not_read),
        cmocka_unit_test(a_deadline_is_announced_by_interest),
    };
    server_start(listeners);
    return cmocka_run_group_tests(tests, NULL, server_stop);
}
