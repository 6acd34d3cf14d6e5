/* SPDX-License-Identifier: Apache-2.0 */
/* Peers that go away, refuse, or take few calls at a time, as HTTP/2 lets them: what that means for
 * the calls under way, and for those to come. */
#include "cases.h"

/* A connection may live for days. */
static void what_carries_nothing_and_comes_now_and_then_is_no_flood(void **state)
{
    static const char *const paths[] = { "/windows-now-and-then", "/unknown-now-and-then" };
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct client client;
        struct exchange e;
        client_open(&client, NULL);
        exchange_start(&e, &client, server_url("hostile-tls", paths[i]), NULL);
        for (int n = 0; n < 4; n++) {
            client_settle(&client); /* until what there is has come */
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

static void data_for_streams_that_are_over_ends_the_connection_and_nothing_else(void **state)
{
    struct client client;
    struct exchange e;
    (void)state;
    client_open(&client, NULL);
    exchange_run(&e, &client, server_url("hostile-tls", "/late-data-flood"), NULL);
    assert_body(&e, "ok");
    client_settle(&client); /* until the connection is given up */
    assert_int_equal(server_number("gone", "hostile-tls"), 1);
    exchange_finish(&e);
    client_close(&client);
}

static void more_than_the_window_allows_is_an_error_after_what_it_allows(void **state)
{
    struct client client;
    struct exchange e;
    (void)state;
    client_open(&client, NULL);
    exchange_start(&e, &client, server_url("hostile-tls", "/beyond-the-window"), NULL);
    e.stop_reading = true;
    exchange_until_head(&e);
    client_settle(&client); /* until no more is taken from the peer */
    e.stop_reading = false;
    exchange_pull(&e);
    assert_failed(&e, AQ_E_PROTOCOL, "broken HTTP/2");
    assert_in_range(e.body_len, HELD_BYTES - 16384, HELD_BYTES);
    exchange_finish(&e);
    client_close(&client);
}

static const struct goodbye {
    const char *path;
    const char *text; /* of transport-h2 */
    aq_status status; /* of transport-h2 */
    bool not_sent;    /* the peer promises that it did not act on the request */
} goodbyes[] = {
    { "/refuse", "refused the request before", AQ_E_NETWORK, true },
    { "/go-away-before", "refused the request before", AQ_E_NETWORK, true },
    { "/refuse-after-head", "cut off", AQ_E_TRUNCATED, false },
    { "/go-away-unanswered", "before an answer came", AQ_E_NETWORK, false },
    { "/go-away-angry", "before an answer came", AQ_E_NETWORK, false },
    { "/want-http1", "use --transport curl", AQ_E_PROTOCOL, false },
};

/* The flags say whether the request may have been acted upon; libcurl does not tell. */
static void goodbye(void **state)
{
    const struct goodbye *way = *state;
    struct client client;
    struct exchange e;
    client_open(&client, NULL);
    exchange_run(&e, &client, server_url("hostile-tls", way->path), NULL);
    if (subject.http2_alone) {
        assert_failed(&e, way->status, way->text);
    } else {
        assert_failed_somehow(&e);
    }
    assert_int_equal(e.error.flags, subject.http2_alone && way->not_sent ? AQ_ERROR_NOT_SENT : 0);
    exchange_finish(&e);
    exchange_run(&e, &client, server_url("hostile-tls", "/ok"), NULL); /* anew, if need be */
    assert_body(&e, "ok");
    exchange_finish(&e);
    client_close(&client);
}

static void who_goes_away_may_answer_first_and_gets_nothing_new(void **state)
{
    struct client client;
    struct exchange first;
    struct exchange second;
    long before = server_number("connections", "hostile-tls");
    (void)state;
    client_open(&client, NULL);
    exchange_start(&first, &client, server_url("hostile-tls", "/go-away-after"), NULL);
    while (server_number("requests", "/go-away-after") == 0) {
        client_wait(&client, 10);
    }
    client_settle(&client); /* the goodbye has come */
    exchange_run(&second, &client, server_url("hostile-tls", "/ok"), NULL);
    assert_body(&second, "ok");
    server_number("go", "");
    exchange_until_over(&first);
    assert_body(&first, "ok");
    assert_int_equal(server_number("connections", "hostile-tls"), before + 2);
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
    exchange_run(&e, &client, server_url("hostile-tls", "/reset-without-error"), &ask);
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
    const long connections = crowd("1000");
    if (subject.http2_alone) {
        assert_in_range(connections, 2, 4);
    } else {
        assert_int_equal(connections, 7); /* one for each */
    }
}

static void calls_beyond_the_streams_of_all_connections_wait(void **state)
{
    (void)state;
    assert_int_equal(crowd("1"), 1);
}

int main(void)
{
    static const char *const listeners[] = { "hostile-tls", "few-streams", NULL };
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_carries_nothing_and_comes_now_and_then_is_no_flood),
        cmocka_unit_test(who_goes_away_may_answer_first_and_gets_nothing_new),
        cmocka_unit_test(calls_beyond_the_streams_of_a_connection_have_another),
        cmocka_unit_test(calls_beyond_the_streams_of_all_connections_wait),
    };
    static const struct CMUnitTest of_h2[] = {
        cmocka_unit_test(data_for_streams_that_are_over_ends_the_connection_and_nothing_else),
        cmocka_unit_test(more_than_the_window_allows_is_an_error_after_what_it_allows),
        cmocka_unit_test(an_answer_may_come_before_the_whole_request_has_left),
    };
    CASES_ADD_ALL(tests);
    if (subject.http2_alone) { /* libcurl has its own ways there */
        CASES_ADD_ALL(of_h2);
    }
    for (size_t i = 0; i < sizeof(goodbyes) / sizeof(goodbyes[0]); i++) {
        cases_add(goodbye, &goodbyes[i], "goodbye: %s", goodbyes[i].path + 1);
    }
    server_start(listeners);
    return cases_run(NULL, server_stop);
}
