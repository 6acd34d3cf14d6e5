/* SPDX-License-Identifier: Apache-2.0 */
/* Peers that break off, break the protocol, or send more than we hold. */
#include "fixture.h"

struct fault {
    const char *listener;
    const char *path;
    aq_status status;
    const char *text;
    bool head;
    bool go; /* the peer waits for it before it breaks off */
};

static void run(const struct fault *fault)
{
    struct client client;
    struct exchange e;
    char path[64];
    const struct ask ask = { .method = "POST", .body = "secret", .body_len = 6 };
    snprintf(path, sizeof(path), "%s?secret", fault->path);
    client_open(&client, NULL);
    exchange_start(
        &e, &client,
        server_url(fault->listener, strcmp(fault->listener, "h2") == 0 ? fault->path : path), &ask);
    if (fault->go) {
        exchange_until_bytes(&e, strlen("only this"));
        server_number("go", "");
    }
    exchange_until_over(&e);
    assert_failed(&e, fault->status, fault->text);
    assert_int_equal(e.error.flags & AQ_ERROR_NOT_SENT, 0);
    assert_int_equal(e.head, fault->head);
    if (fault->head && fault->status == AQ_E_TRUNCATED) {
        assert_memory_equal(e.body, "only this", strlen("only this"));
    }
    exchange_finish(&e);
    client_close(&client);
}

static void run_all(const struct fault *faults, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        run(&faults[i]);
    }
}

static void a_body_that_is_cut_off_is_truncated_and_never_an_end(void **state)
{
    static const struct fault faults[] = {
        { "plain", "/cut-length", AQ_E_TRUNCATED, "cut off", true, false },
        { "plain", "/cut-chunk", AQ_E_TRUNCATED, "cut off", true, false },
        { "plain", "/reset", AQ_E_TRUNCATED, "cut off", true, true },
        { "tls", "/cut-length", AQ_E_TRUNCATED, "cut off", true, false },
        { "tls", "/cut-chunk", AQ_E_TRUNCATED, "cut off", true, false },
        { "tls", "/reset", AQ_E_TRUNCATED, "cut off", true, true },
        { "h2", "/reset", AQ_E_TRUNCATED, "cut off", true, true },
        { "h2", "/goodbye", AQ_E_TRUNCATED, "cut off", true, false },
    };
    (void)state;
    run_all(faults, sizeof(faults) / sizeof(faults[0]));
}

static void no_answer_at_all_is_a_network_error(void **state)
{
    static const struct fault faults[] = {
        { "plain", "/close", AQ_E_NETWORK, "before an answer came", false, false },
        { "tls", "/close", AQ_E_NETWORK, "before an answer came", false, false },
        { "h2", "/reset-at-once", AQ_E_NETWORK, "reset", false, false },
    };
    (void)state;
    run_all(faults, sizeof(faults) / sizeof(faults[0]));
}

static void encoded_answers_are_refused(void **state)
{
    static const struct fault faults[] = {
        { "plain", "/gzip", AQ_E_PROTOCOL, "encoded", false, false },
        { "plain", "/gzip-transfer", AQ_E_PROTOCOL, "transfer encoding", false, false },
        { "h2", "/gzip", AQ_E_PROTOCOL, "encoded", false, false },
    };
    (void)state;
    run_all(faults, sizeof(faults) / sizeof(faults[0]));
}

static void the_identity_encoding_is_no_encoding(void **state)
{
    struct client client;
    struct exchange e;
    (void)state;
    client_open(&client, NULL);
    exchange_run(&e, &client, server_url("plain", "/identity"), NULL);
    assert_body(&e, "ok");
    exchange_finish(&e);
    client_close(&client);
}

static void answers_that_are_not_http_are_errors(void **state)
{
    static const struct fault faults[] = {
        { "plain", "/two-lengths", AQ_E_PROTOCOL, "two lengths", false, false },
        { "plain", "/length-and-chunks", AQ_E_PROTOCOL, "two lengths", false, false },
        { "plain", "/garbage", AQ_E_PROTOCOL, "HTTP", false, false },
        { "plain", "/switch", AQ_E_PROTOCOL, "status line", false, false },
        { "h2", "/garbage", AQ_E_NETWORK, "before an answer came", false, false },
    };
    (void)state;
    run_all(faults, sizeof(faults) / sizeof(faults[0]));
}

static void headers_beyond_the_limit_end_the_call_at_once(void **state)
{
    static const struct fault faults[] = {
        { "plain", "/bomb", AQ_E_LIMIT, "header", false, false },
        { "plain", "/long-line", AQ_E_LIMIT, "header", false, false },
        { "plain", "/interim-bomb", AQ_E_LIMIT, "header", false, false },
        { "plain", "/trailer-bomb", AQ_E_LIMIT, "header", true, false },
        { "plain", "/fields-257", AQ_E_LIMIT, "too many fields", false, false },
        { "h2", "/bomb", AQ_E_LIMIT, "header", false, false },
    };
    uint64_t start = now_ms();
    (void)state;
    run_all(faults, sizeof(faults) / sizeof(faults[0]));
    assert_in_range(now_ms() - start, 0, 5000);
}

static void a_response_may_have_256_fields(void **state)
{
    struct client client;
    struct exchange e;
    (void)state;
    client_open(&client, NULL);
    exchange_run(&e, &client, server_url("plain", "/fields-256"), NULL);
    assert_body(&e, "ok");
    assert_int_equal(e.response.header_count, 256);
    assert_string_equal(exchange_header(&e, "x-254"), "1");
    exchange_finish(&e);
    client_close(&client);
}

static void the_caller_can_lower_the_limit(void **state)
{
    struct client client;
    struct exchange e;
    const struct ask ask = { .max_header_bytes = 40 };
    (void)state;
    client_open(&client, NULL);
    exchange_run(&e, &client, server_url("plain", "/ok"), &ask);
    assert_body(&e, "ok"); /* 38 bytes of header */
    exchange_finish(&e);
    exchange_run(&e, &client, server_url("plain", "/identity"), &ask);
    assert_failed(&e, AQ_E_LIMIT, "header");
    exchange_finish(&e);
    client_close(&client);
}

int main(void)
{
    static const char *const listeners[] = { "plain", "tls", "h2", NULL };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_body_that_is_cut_off_is_truncated_and_never_an_end),
        cmocka_unit_test(no_answer_at_all_is_a_network_error),
        cmocka_unit_test(encoded_answers_are_refused),
        cmocka_unit_test(the_identity_encoding_is_no_encoding),
        cmocka_unit_test(answers_that_are_not_http_are_errors),
        cmocka_unit_test(headers_beyond_the_limit_end_the_call_at_once),
        cmocka_unit_test(a_response_may_have_256_fields),
        cmocka_unit_test(the_caller_can_lower_the_limit),
    };
    server_start(listeners);
    return cmocka_run_group_tests(tests, NULL, server_stop);
}
