/* SPDX-License-Identifier: Apache-2.0 */
/* Connections are used again; requests are never sent again. */
#include "fixture.h"

static const struct ask post = { .method = "POST", .body = "body", .body_len = 4 };
static const char *const all[] = { "plain", "tls", "h2" };

static void ok(struct client *client, const char *url, const struct ask *ask)
{
    struct exchange e;
    exchange_run(&e, client, url, ask);
    assert_body(&e, "ok");
    exchange_finish(&e);
}

static void calls_after_each_other_share_a_connection(void **state)
{
    struct client client;
    (void)state;
    client_open(&client, NULL);
    for (size_t i = 0; i < 3; i++) {
        long before = server_number("connections", all[i]);
        for (int n = 0; n < 4; n++) {
            ok(&client, server_url(all[i], "/ok"), n % 2 ? &post : NULL);
        }
        assert_int_equal(server_number("connections", all[i]) - before, 1);
    }
    client_close(&client);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(server_number("gone", all[i]), 1);
    }
}

static void without_keepalive_every_call_has_its_own_connection(void **state)
{
    const struct plugin_setting settings[] = { { "ca_bundle", server_file("ca.pem") },
                                               { "keepalive_s", "0" },
                                               { 0 } };
    struct client client;
    (void)state;
    client_open(&client, settings);
    for (size_t i = 0; i < 3; i++) {
        long before = server_number("connections", all[i]);
        ok(&client, server_url(all[i], "/ok"), NULL);
        ok(&client, server_url(all[i], "/ok"), NULL);
        assert_int_equal(server_number("connections", all[i]) - before, 2);
    }
    client_close(&client);
}

static void tls_sessions_are_resumed(void **state)
{
    const long before = server_number("resumed", "tls");
    const struct plugin_setting settings[] = { { "ca_bundle", server_file("ca.pem") },
                                               { "keepalive_s", "0" },
                                               { 0 } };
    struct client client;
    (void)state;
    client_open(&client, settings);
    for (int n = 0; n < 4; n++) {
        ok(&client, server_url("tls", "/ok"), NULL);
        assert_int_equal(server_number("resumed", "tls") - before, n);
    }
    ok(&client, server_url("second-tls", "/ok"), NULL); /* tickets belong to their origin */
    assert_int_equal(server_number("resumed", "second-tls"), 0);
    client_close(&client);
}

/* The peer answers the first request, takes the second one, and closes. */
static void lose_second(const char *listener, const char *path, const struct ask *ask,
                        uint32_t flags)
{
    struct client client;
    struct exchange e;
    long before = server_number("requests", path);
    client_open(&client, NULL);
    if (strcmp(path, "/close-second") == 0) {
        ok(&client, server_url(listener, path), ask);
        before++;
    } else {
        ok(&client, server_url(listener, "/ok"), ask);
    }
    exchange_run(&e, &client, server_url(listener, path), ask);
    assert_failed(&e, AQ_E_NETWORK, "");
    assert_int_equal(e.error.flags, flags);
    assert_int_equal(server_number("requests", path) - before, 1);
    exchange_finish(&e);
    ok(&client, server_url(listener, "/ok"), ask);
    assert_int_equal(server_number("requests", path) - before, 1);
    client_close(&client);
}

/* flags 0: it was sent, and may have been acted upon */
static void a_request_on_a_used_connection_that_dies_is_sent_exactly_once(void **state)
{
    (void)state;
    lose_second("plain", "/close", &post, 0);
    lose_second("plain", "/close", NULL, 0);
    lose_second("tls", "/close", &post, 0);
    lose_second("tls", "/close", NULL, 0);
    lose_second("plain", "/close-second", &post, 0);
}

/* libcurl does not say that a stream was refused. */
static void a_stream_that_http2_refuses_or_resets_is_sent_exactly_once(void **state)
{
    (void)state;
    lose_second("h2", "/refused", &post, subject.http2_alone ? AQ_ERROR_NOT_SENT : 0);
    lose_second("h2", "/reset-at-once", &post, 0);
}

static void a_connection_that_the_peer_closed_meanwhile_is_replaced(void **state)
{
    struct client client;
    struct exchange e;
    (void)state;
    client_open(&client, NULL);
    exchange_run(&e, &client, server_url("plain", "/identity"), &post);
    exchange_finish(&e);
    exchange_run(&e, &client, server_url("plain", "/fields-257"), &post); /* closed by us */
    exchange_finish(&e);
    for (int i = 0; i < 2; i++) {
        const char *listener = i == 0 ? "second" : "second-tls";
        exchange_run(&e, &client, server_url(listener, "/last"), &post); /* and this by the peer */
        assert_body(&e, "ok");
        exchange_finish(&e);
        assert_int_equal(server_number("gone", listener), 1);
        ok(&client, server_url(listener, "/ok"), &post);
        assert_int_equal(server_number("requests", "/last"), i + 1);
    }
    client_close(&client);
}

/* Start a request and drive it until it stalls, or some of its body has come. */
static void start(struct exchange *e, struct client *client, const char *listener, bool big)
{
    const char *path = big ? "/big" : "/silent";
    long before = server_number("requests", path);
    exchange_start(e, client, server_url(listener, path), NULL);
    if (big) {
        exchange_until_bytes(e, 1);
        return;
    }
    for (uint64_t begin = now_ms(); server_number("requests", path) == before;) {
        assert_in_range(now_ms() - begin, 0, NEVER_MS);
        client_wait(client, 10);
    }
}

static void the_connection_of_a_cancelled_call_is_closed(void **state)
{
    struct client client;
    struct exchange e;
    (void)state;
    if (subject.http2_alone) {
        skip();
    }
    for (size_t i = 0; i < 6; i++) {
        client_open(&client, NULL);
        start(&e, &client, all[i / 2], i % 2);
        exchange_finish(&e);
        assert_int_equal(server_number("gone", all[i / 2]), 1);
        ok(&client, server_url(all[i / 2], "/ok"), NULL);
        client_close(&client);
    }
}

static void a_cancelled_call_resets_its_stream_and_leaves_the_connection_to_others(void **state)
{
    struct client client;
    struct exchange e;
    (void)state;
    if (!subject.http2_alone) {
        skip();
    }
    for (size_t i = 0; i < 6; i++) {
        long before = server_number("connections", all[i / 2]);
        long resets = server_number("resets", "8");
        client_open(&client, NULL);
        start(&e, &client, all[i / 2], i % 2);
        exchange_finish(&e);
        ok(&client, server_url(all[i / 2], "/ok"), NULL); /* behind the reset */
        assert_int_equal(server_number("resets", "8"), resets + 1);
        assert_int_equal(server_number("connections", all[i / 2]), before + 1);
        client_close(&client);
    }
}

static void many_calls_at_a_time_share_a_connection(void **state)
{
    static struct exchange calls[60];
    struct client client;
    (void)state;
    if (!subject.http2_alone) {
        skip();
    }
    for (size_t i = 0; i < 3; i++) {
        long before = server_number("connections", all[i]);
        client_open(&client, NULL);
        for (size_t n = 0; n < 60; n++) {
            exchange_start(&calls[n], &client, server_url(all[i], "/ok"), &post);
        }
        for (size_t n = 0; n < 60; n++) {
            exchange_until_over(&calls[n]);
            assert_body(&calls[n], "ok");
            exchange_finish(&calls[n]);
        }
        assert_int_equal(server_number("connections", all[i]), before + 1);
        client_close(&client);
    }
}

int main(void)
{
    static const char *const listeners[] = { "plain", "second", "tls", "second-tls", "h2", NULL };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_after_each_other_share_a_connection),
        cmocka_unit_test(without_keepalive_every_call_has_its_own_connection),
        cmocka_unit_test(tls_sessions_are_resumed),
        cmocka_unit_test(a_request_on_a_used_connection_that_dies_is_sent_exactly_once),
        cmocka_unit_test(a_stream_that_http2_refuses_or_resets_is_sent_exactly_once),
        cmocka_unit_test(a_connection_that_the_peer_closed_meanwhile_is_replaced),
        cmocka_unit_test(the_connection_of_a_cancelled_call_is_closed),
        cmocka_unit_test(a_cancelled_call_resets_its_stream_and_leaves_the_connection_to_others),
        cmocka_unit_test(many_calls_at_a_time_share_a_connection),
    };
    server_start(listeners);
    return cmocka_run_group_tests(tests, NULL, server_stop);
}
