/* SPDX-License-Identifier: Apache-2.0 */
/* Peers that break HTTP/2, or exhaust who listens to them. Whatever they do, the call ends with an
 * error that says so, within two seconds of our time and 16 MiB. */
#include "fixture.h"

#include <sys/resource.h>

#define GROWTH_KIB (16 * 1024)
#define CPU_US 2000000

struct attack {
    const char *path;
    aq_status status;
    const char *text;
};

static long cpu_us(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000L + usage.ru_utime.tv_usec +
           usage.ru_stime.tv_usec;
}

static void suffer(const char *listener, const struct attack *attack)
{
    struct client client;
    struct exchange e;
    const struct ask ask = { .method = "POST", .body = "secret", .body_len = 6 };
    char path[64];
    snprintf(path, sizeof(path), "%s?secret", attack->path);
    memory_forget_peak();
    long memory = memory_now_kib();
    long cpu = cpu_us();
    client_open(&client, NULL);
    exchange_start(&e, &client, server_url(listener, path), &ask);
    exchange_until_over(&e);
    cpu = cpu_us() - cpu;
    memory = memory_peak_kib() - memory;
    print_message("%s %s: %ld ms, %ld KiB, %s\n", listener, attack->path, cpu / 1000, memory,
                  e.error.text);
    assert_failed(&e, attack->status, attack->text);
    assert_int_equal(e.error.flags & AQ_ERROR_NOT_SENT, 0);
    if (!AQ_TEST_SANITIZED) {
        assert_in_range(cpu, 0, CPU_US);
        assert_true(memory <= GROWTH_KIB);
    }
    exchange_finish(&e);
    client_close(&client);
}

static void suffer_all(const struct attack *attacks, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        suffer(i % 2 ? "hostile" : "hostile-tls", &attacks[i]);
    }
}

static void frames_that_carry_nothing_are_counted(void **state)
{
    static const struct attack floods[] = {
        { "/ping-flood", AQ_E_LIMIT, "too many frames" },
        { "/pong-flood", AQ_E_LIMIT, "too many frames" },
        { "/settings-flood", AQ_E_LIMIT, "too many frames" },
        { "/settings-ack-flood", AQ_E_PROTOCOL, "" },
        { "/window-flood", AQ_E_LIMIT, "too many frames" },
        { "/stream-window-flood", AQ_E_LIMIT, "too many frames" },
        { "/priority-flood", AQ_E_LIMIT, "too many frames" },
        { "/unknown-flood", AQ_E_LIMIT, "too many frames" },
        { "/empty-data-flood", AQ_E_LIMIT, "too many frames" },
        { "/padding-flood", AQ_E_LIMIT, "too many frames" },
        { "/goaway-flood", AQ_E_LIMIT, "too many frames" },
    };
    (void)state;
    suffer_all(floods, sizeof(floods) / sizeof(floods[0]));
}

static void heads_without_end_are_limited(void **state)
{
    static const struct attack heads[] = {
        { "/continuation-flood", AQ_E_LIMIT, "too many frames" },
        { "/continuation-flood", AQ_E_LIMIT, "too many frames" },
        { "/empty-continuation-flood", AQ_E_LIMIT, "too many frames" },
        { "/empty-continuation-flood", AQ_E_LIMIT, "too many frames" },
        { "/hpack-bomb", AQ_E_LIMIT, "header of the answer is too large" },
        { "/hpack-bomb", AQ_E_LIMIT, "header of the answer is too large" },
        { "/hpack-bomb-in-one-frame", AQ_E_LIMIT, "header of the answer is too large" },
        { "/interim-flood", AQ_E_LIMIT, "header of the answer is too large" },
    };
    (void)state;
    suffer_all(heads, sizeof(heads) / sizeof(heads[0]));
}

static void a_head_that_breaks_a_rule_is_an_error(void **state)
{
    static const struct attack heads[] = {
        { "/unknown-index", AQ_E_PROTOCOL, "broken HTTP/2" },
        { "/endless-number", AQ_E_PROTOCOL, "broken HTTP/2" },
        { "/no-status", AQ_E_PROTOCOL, "" },
        { "/status-after-field", AQ_E_PROTOCOL, "" },
        { "/two-statuses", AQ_E_PROTOCOL, "" },
        { "/status-of-two-digits", AQ_E_PROTOCOL, "" },
        { "/status-099", AQ_E_PROTOCOL, "" },
        { "/status-600", AQ_E_PROTOCOL, "" },
        { "/status-101", AQ_E_PROTOCOL, "" },
        { "/upper-case-name", AQ_E_PROTOCOL, "" },
        { "/connection-field", AQ_E_PROTOCOL, "" },
        { "/nul-in-value", AQ_E_PROTOCOL, "" },
        { "/return-in-value", AQ_E_PROTOCOL, "" },
        { "/line-end-in-value", AQ_E_PROTOCOL, "" },
        { "/blank-in-name", AQ_E_PROTOCOL, "" },
        { "/two-lengths", AQ_E_PROTOCOL, "" },
        { "/negative-length", AQ_E_PROTOCOL, "" },
        { "/short-of-its-length", AQ_E_PROTOCOL, "" },
        { "/beyond-its-length", AQ_E_PROTOCOL, "" },
    };
    (void)state;
    suffer_all(heads, sizeof(heads) / sizeof(heads[0]));
}

static void a_frame_that_breaks_a_rule_is_an_error(void **state)
{
    static const struct attack frames[] = {
        { "/data-before-head", AQ_E_PROTOCOL, "broken HTTP/2" },
        { "/data-for-nobody", AQ_E_PROTOCOL, "broken HTTP/2" },
        { "/data-for-a-stream-to-come", AQ_E_PROTOCOL, "broken HTTP/2" },
        { "/head-for-a-stream-to-come", AQ_E_PROTOCOL, "broken HTTP/2" },
        { "/head-of-a-stream-of-its-own", AQ_E_PROTOCOL, "broken HTTP/2" },
        { "/second-head", AQ_E_PROTOCOL, "broken HTTP/2" },
        { "/head-within-head", AQ_E_PROTOCOL, "broken HTTP/2" },
        { "/continuation-of-nothing", AQ_E_PROTOCOL, "broken HTTP/2" },
        { "/promise", AQ_E_PROTOCOL, "broken HTTP/2" },
        { "/huge-frame", AQ_E_PROTOCOL, "broken HTTP/2" },
        { "/frame-beyond-our-limit", AQ_E_PROTOCOL, "broken HTTP/2" },
        { "/wrong-ping", AQ_E_PROTOCOL, "broken HTTP/2" },
        { "/wrong-setting", AQ_E_PROTOCOL, "broken HTTP/2" },
        { "/window-of-zero", AQ_E_PROTOCOL, "broken HTTP/2" },
        { "/window-overflow", AQ_E_PROTOCOL, "broken HTTP/2" },
        { "/padding-beyond-the-frame", AQ_E_PROTOCOL, "broken HTTP/2" },
    };
    (void)state;
    suffer_all(frames, sizeof(frames) / sizeof(frames[0]));
}

/* A connection may live for days. */
static void what_carries_nothing_and_comes_now_and_then_is_no_flood(void **state)
{
    static const char *const paths[] = { "/windows-now-and-then", "/unknown-now-and-then" };
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct client client;
        struct exchange e;
        client_open(&client, NULL);
        exchange_start(&e, &client, server_url("hostile", paths[i]), NULL);
        for (int n = 0; n < 4; n++) {
            while (client_wait(&client, 100)) { /* until what there is has come */
            }
            assert_false(e.news);
            client.host.clock_offset_us += 60u * 1000000u;
            server_number("go", "");
        }
        exchange_until_over(&e);
        assert_body(&e, "ok");
        exchange_finish(&e);
        client_close(&client);
    }
}

static void keys_that_change_for_ever_are_an_error(void **state)
{
    static const struct attack flood = { "/key-updates", AQ_E_LIMIT, "too many frames" };
    (void)state;
    suffer("key-updates", &flood);
}

static void data_for_streams_that_are_over_ends_the_connection_and_nothing_else(void **state)
{
    struct client client;
    struct exchange e;
    (void)state;
    client_open(&client, NULL);
    exchange_run(&e, &client, server_url("hostile", "/late-data-flood"), NULL);
    assert_body(&e, "ok");
    while (client_wait(&client, 1000)) { /* until the connection is given up */
    }
    assert_int_equal(server_number("gone", "hostile"), 1);
    exchange_finish(&e);
    client_close(&client);
}

static void more_than_the_window_allows_is_an_error_after_what_it_allows(void **state)
{
    struct client client;
    struct exchange e;
    (void)state;
    client_open(&client, NULL);
    exchange_start(&e, &client, server_url("hostile", "/beyond-the-window"), NULL);
    e.stop_reading = true;
    exchange_until_head(&e);
    while (client_wait(&client, 300)) { /* until no more is taken from the peer */
    }
    e.stop_reading = false;
    exchange_pull(&e);
    assert_failed(&e, AQ_E_PROTOCOL, "broken HTTP/2");
    assert_in_range(e.body_len, subject.held_bytes - 16384, subject.held_bytes);
    exchange_finish(&e);
    client_close(&client);
}

static void a_head_that_drips_in_for_ever_meets_the_first_byte_timeout(void **state)
{
    const struct ask ask = { .first_byte_ms = 300 };
    struct client client;
    struct exchange e;
    (void)state;
    client_open(&client, NULL);
    exchange_run(&e, &client, server_url("hostile", "/drip-head"), &ask);
    assert_failed(&e, AQ_E_TIMEOUT, "first byte timeout");
    exchange_finish(&e);
    client_close(&client);
}

/* What comes of a goodbye: the flags say whether the request may have been acted upon. */
static void part(const char *path, aq_status status, const char *text, uint32_t flags)
{
    struct client client;
    struct exchange e;
    client_open(&client, NULL);
    exchange_run(&e, &client, server_url("hostile", path), NULL);
    assert_failed(&e, status, text);
    assert_int_equal(e.error.flags, flags);
    exchange_finish(&e);
    exchange_run(&e, &client, server_url("hostile", "/ok"),
                 NULL); /* a connection anew, if need be */
    assert_body(&e, "ok");
    exchange_finish(&e);
    client_close(&client);
}

static void only_what_was_certainly_not_processed_counts_as_not_sent(void **state)
{
    (void)state;
    part("/refuse", AQ_E_NETWORK, "refused the request before", AQ_ERROR_NOT_SENT);
    part("/go-away-before", AQ_E_NETWORK, "refused the request before", AQ_ERROR_NOT_SENT);
    part("/refuse-after-head", AQ_E_TRUNCATED, "cut off", 0);
    part("/go-away-unanswered", AQ_E_NETWORK, "before an answer came", 0);
    part("/go-away-angry", AQ_E_NETWORK, "before an answer came", 0);
    part("/want-http1", AQ_E_PROTOCOL, "use --transport curl", 0);
}

static void who_goes_away_may_answer_first_and_gets_nothing_new(void **state)
{
    struct client client;
    struct exchange first;
    struct exchange second;
    long before = server_number("connections", "hostile");
    (void)state;
    client_open(&client, NULL);
    exchange_start(&first, &client, server_url("hostile", "/go-away-after"), NULL);
    while (server_number("requests", "/go-away-after") == 0) {
        client_wait(&client, 10);
    }
    while (client_wait(&client, 200)) { /* the goodbye has come */
    }
    exchange_run(&second, &client, server_url("hostile", "/ok"), NULL);
    assert_body(&second, "ok");
    server_number("go", "");
    exchange_until_over(&first);
    assert_body(&first, "ok");
    assert_int_equal(server_number("connections", "hostile"), before + 2);
    exchange_finish(&first);
    exchange_finish(&second);
    client_close(&client);
}

static void an_answer_may_come_before_the_whole_request_has_left(void **state)
{
    static char body[1 << 20];
    const struct ask ask = { .method = "POST", .body = body, .body_len = sizeof(body) };
    struct client client;
    struct exchange e;
    (void)state;
    client_open(&client, NULL);
    exchange_run(&e, &client, server_url("hostile", "/reset-without-error"), &ask);
    assert_body(&e, "ok");
    exchange_finish(&e);
    client_close(&client);
}

/* Seven calls to a peer that takes two at a time. Returns the connections they had. */
static long crowd(const char *max_connections)
{
    static struct exchange calls[7];
    const struct plugin_setting settings[] = { { "ca_bundle", server_file("ca.pem") },
                                               { "max_connections", max_connections },
                                               { 0 } };
    const struct ask ask = { .connect_ms = 60000 };
    struct client client;
    struct exchange e;
    long before = server_number("connections", "few-streams");
    client_open(&client, settings);
    exchange_run(&e, &client, server_url("few-streams", "/ok"), NULL); /* it has said so */
    exchange_finish(&e);
    for (size_t i = 0; i < 7; i++) {
        exchange_start(&calls[i], &client, server_url("few-streams", "/crowd"), &ask);
    }
    for (size_t i = 0; i < 7; i++) {
        exchange_until_over(&calls[i]);
        assert_body(&calls[i], "ok");
    }
    assert_int_equal(server_number("refused", "/crowd"), 0);
    for (size_t i = 0; i < 7; i++) {
        exchange_finish(&calls[i]);
    }
    client_close(&client);
    return server_number("connections", "few-streams") - before;
}

static void calls_beyond_the_streams_of_a_connection_have_another(void **state)
{
    (void)state;
    assert_in_range(crowd("1000"), 2, 4);
}

static void calls_beyond_the_streams_of_all_connections_wait(void **state)
{
    (void)state;
    assert_int_equal(crowd("1"), 1);
}

int main(void)
{
    static const char *const listeners[] = { "hostile", "hostile-tls", "few-streams", "key-updates",
                                             NULL };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_that_carry_nothing_are_counted),
        cmocka_unit_test(heads_without_end_are_limited),
        cmocka_unit_test(a_head_that_breaks_a_rule_is_an_error),
        cmocka_unit_test(a_frame_that_breaks_a_rule_is_an_error),
        cmocka_unit_test(what_carries_nothing_and_comes_now_and_then_is_no_flood),
        cmocka_unit_test(keys_that_change_for_ever_are_an_error),
        cmocka_unit_test(data_for_streams_that_are_over_ends_the_connection_and_nothing_else),
        cmocka_unit_test(more_than_the_window_allows_is_an_error_after_what_it_allows),
        cmocka_unit_test(a_head_that_drips_in_for_ever_meets_the_first_byte_timeout),
        cmocka_unit_test(only_what_was_certainly_not_processed_counts_as_not_sent),
        cmocka_unit_test(who_goes_away_may_answer_first_and_gets_nothing_new),
        cmocka_unit_test(an_answer_may_come_before_the_whole_request_has_left),
        cmocka_unit_test(calls_beyond_the_streams_of_a_connection_have_another),
        cmocka_unit_test(calls_beyond_the_streams_of_all_connections_wait),
    };
    server_start(listeners);
    return cmocka_run_group_tests(tests, NULL, server_stop);
}
