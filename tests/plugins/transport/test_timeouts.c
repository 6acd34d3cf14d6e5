/* SPDX-License-Identifier: Apache-2.0 */
/* Every phase has a deadline of its own, and none runs while the host itself is the slow one. The
 * deadlines are a minute; only the host's clock is moved. */
#include "stall.h"

#define DEADLINE_MS 60000u
#define TENTH_MS (DEADLINE_MS / 10)
#define DEADLINE_US (DEADLINE_MS * UINT64_C(1000))
#define ROUNDED_US 1000u /* libcurl counts milliseconds */

static void advance(struct client *client, uint32_t by_ms)
{
    client->host.clock_offset_us += (uint64_t)by_ms * 1000u;
    while (client_wait(client, 0)) { /* until there is nothing to do */
    }
}

/* A call that got nowhere for nine tenths of its deadline goes on; for eleven, it is over. */
static void miss(const struct stall *stall, const struct ask *ask, const char *timeout)
{
    struct client client;
    struct exchange e;
    client_open(&client, NULL);
    stall_start(stall, &e, &client, ask);
    advance(&client, DEADLINE_MS - TENTH_MS);
    assert_false(e.news);
    advance(&client, 2 * TENTH_MS);
    assert_true(e.news);
    exchange_pull(&e);
    assert_failed(&e, AQ_E_TIMEOUT, timeout);
    assert_int_equal(e.error.flags, stall->sent ? 0 : AQ_ERROR_NOT_SENT);
    for (int last_words = 0; client_wait(&client, 0); last_words++) { /* and then silence */
        assert_in_range(last_words, 0, 99);
    }
    exchange_finish(&e);
    client_close(&client);
}

static void every_phase_that_stalls_ends_at_its_own_deadline(void **state)
{
    (void)state;
    for (size_t i = 0; i < stall_count; i++) {
        const struct stall *stall = &stalls[i];
        const bool connect = strstr(stall->timeout, "connect") != NULL;
        const bool idle = strstr(stall->timeout, "idle") != NULL;
        const struct ask ask = {
            .connect_ms = connect ? DEADLINE_MS : 10 * DEADLINE_MS,
            .first_byte_ms = connect || idle ? 10 * DEADLINE_MS : DEADLINE_MS,
            .idle_ms = idle ? DEADLINE_MS : 10 * DEADLINE_MS,
            .total_ms = 10 * DEADLINE_MS,
        };
        if (stall_is_possible(stall)) {
            print_message("%s\n", stall->phase);
            miss(stall, &ask, stall->timeout);
        }
    }
}

static void the_total_counts_in_every_phase(void **state)
{
    const struct ask ask = { .connect_ms = 10 * DEADLINE_MS,
                             .first_byte_ms = 10 * DEADLINE_MS,
                             .idle_ms = 10 * DEADLINE_MS,
                             .total_ms = DEADLINE_MS };
    (void)state;
    for (size_t i = 0; i < stall_count; i++) {
        if (stall_is_possible(&stalls[i])) {
            miss(&stalls[i], &ask, "total timeout");
        }
    }
}

/* A connection to a peer that never answers, once directly and once through a proxy; a proxy that
 * counts for other hosts only is no part of it. */
static void a_missed_connection_names_the_proxy_only_where_there_is_one(void **state)
{
    static const struct {
        const char *no_proxy, *text;
    } ways[] = {
        { "other.example", "no connection in time, check the network and https_proxy (connect" },
        { "localhost", "no connection in time, check the network (connect timeout)" },
    };
    const struct ask ask = { .connect_ms = DEADLINE_MS };
    char proxy[64];
    (void)state;
    snprintf(proxy, sizeof(proxy), "http://127.0.0.1:%d", server_port("silent"));
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        const struct plugin_setting settings[] = { { "https_proxy", proxy },
                                                   { "no_proxy", ways[i].no_proxy },
                                                   { 0 } };
        struct client client;
        struct exchange e;
        const long before = server_number("connections", "silent");
        client_open(&client, settings);
        exchange_start(&e, &client, server_url("silent", "/"), &ask);
        for (uint64_t begin = now_ms(); server_number("connections", "silent") == before;) {
            assert_in_range(now_ms() - begin, 0, NEVER_MS);
            client_wait(&client, 10);
        }
        advance(&client, DEADLINE_MS + TENTH_MS);
        exchange_pull(&e);
        assert_failed(&e, AQ_E_TIMEOUT, ways[i].text);
        exchange_finish(&e);
        client_close(&client);
    }
}

/* Eight megabytes and a host that reads nothing for longer than the idle time. */
static void the_idle_time_stands_still_while_the_host_does_not_read(void **state)
{
    const struct ask ask = { .idle_ms = DEADLINE_MS };
    struct client client;
    struct exchange e;
    (void)state;
    client_open(&client, NULL);
    exchange_start(&e, &client, server_url("plain", "/big"), &ask);
    e.stop_reading = true;
    exchange_until_head(&e);
    client_settle(&client); /* until the buffer is full */
    advance(&client, 3600u * 1000u);
    e.stop_reading = false;
    exchange_pull(&e);
    exchange_until_over(&e);
    assert_int_equal(e.error.status, AQ_OK);
    assert_int_equal(e.body_len, 8 * 1024 * 1024);
    exchange_finish(&e);
    client_close(&client);
}

static void a_deadline_is_announced_by_interest(void **state)
{
    const struct ask ask = { .first_byte_ms = DEADLINE_MS };
    struct client client;
    struct exchange e;
    struct aq_interest interest;
    const struct plugin_setting settings[] = { { "ping_s", "0" }, { 0 } };
    (void)state;
    client_open(&client, settings);
    const uint64_t start_us = client.host.table.now_us(client.host.table.ctx);
    exchange_start(&e, &client, server_url("plain", "/silent"), &ask);
    client_settle(&client); /* until it only waits for the answer */
    client.ops->interest(client.self, &interest);
    const uint64_t settled_us = client.host.table.now_us(client.host.table.ctx);
    assert_in_range(interest.deadline_us, start_us + DEADLINE_US - ROUNDED_US,
                    settled_us + DEADLINE_US);
    exchange_finish(&e);
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
        cmocka_unit_test(every_phase_that_stalls_ends_at_its_own_deadline),
        cmocka_unit_test(the_total_counts_in_every_phase),
        cmocka_unit_test(a_missed_connection_names_the_proxy_only_where_there_is_one),
        cmocka_unit_test(the_idle_time_stands_still_while_the_host_does_not_read),
        cmocka_unit_test(a_deadline_is_announced_by_interest),
    };
    stall_init();
    server_start(stall_listeners);
    return cmocka_run_group_tests(tests, NULL, stop);
}
