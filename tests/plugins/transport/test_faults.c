/* SPDX-License-Identifier: Apache-2.0 */
/* Peers that break off, break the protocol, or send more than we hold. */
#include "fixture.h"

#define GROWTH_KIB 4096 /* whatever a peer sends */

struct fault {
    const char *listener;
    const char *path;
    aq_status status;
    const char *text;
    bool head;
    bool go;                           /* the peer waits for it before it breaks off */
    enum { ALL, NOT_H2, ONLY_H2 } who; /* transports that get to see it */
};

static bool concerns_us(const struct fault *fault)
{
    return fault->who == ALL || (fault->who == ONLY_H2) == subject.http2_alone;
}

static void run(const struct fault *fault)
{
    struct client client;
    struct exchange e;
    char path[64];
    const struct ask ask = { .method = "POST", .body = "secret", .body_len = 6 };
    snprintf(path, sizeof(path), "%s?secret", fault->path);
    client_open(&client, NULL);
    exchange_start(&e, &client, server_url(fault->listener, path), &ask);
    if (fault->go) {
        exchange_until_bytes(&e, strlen("only this"));
        server_number("go", "");
    }
    exchange_until_over(&e);
    assert_failed(&e, fault->status, fault->text);
    assert_failed(&e, fault->status,
                  fault->status == AQ_E_PROTOCOL || fault->status == AQ_E_LIMIT
                      ? "; check the endpoint and the proxy, or report it"
                      : ", try again");
    assert_int_equal(e.error.flags & AQ_ERROR_NOT_SENT, 0);
    assert_int_equal(e.head, fault->head);
    if (fault->head && e.body_len >= strlen("only this")) {
        assert_memory_equal(e.body, "only this", strlen("only this"));
    }
    exchange_finish(&e);
    client_close(&client);
}

/* The first instance of a process loads what all share. */
static int warm_up(void **state)
{
    static const char *const all[] = { "plain", "tls", "h2" };
    struct client client;
    struct exchange e;
    (void)state;
    client_open(&client, NULL);
    for (size_t i = 0; i < 3; i++) {
        exchange_run(&e, &client, server_url(all[i], "/ok"), NULL);
        assert_body(&e, "ok");
        exchange_finish(&e);
    }
    client_close(&client);
    return 0;
}

static void run_all(const struct fault *faults, size_t count)
{
    memory_forget_peak();
    long before = memory_now_kib();
    for (size_t i = 0; i < count; i++) {
        if (concerns_us(&faults[i])) {
            run(&faults[i]);
        }
    }
    long growth = memory_peak_kib() - before;
    print_message("%zu faults, memory grew by %ld KiB\n", count, growth);
    if (!AQ_TEST_SANITIZED) { /* a sanitizer keeps what was freed */
        assert_in_range(growth, 0, GROWTH_KIB);
    }
}

static void a_body_that_is_cut_off_is_truncated_and_never_an_end(void **state)
{
    static const struct fault faults[] = {
        { "plain", "/cut-length", AQ_E_TRUNCATED, "cut off", true, false, ALL },
        { "plain", "/cut-chunk", AQ_E_TRUNCATED, "cut off", true, false, NOT_H2 },
        { "plain", "/reset", AQ_E_TRUNCATED, "cut off", true, true, ALL },
        { "tls", "/cut-length", AQ_E_TRUNCATED, "cut off", true, false, ALL },
        { "tls", "/cut-chunk", AQ_E_TRUNCATED, "cut off", true, false, NOT_H2 },
        { "tls", "/reset", AQ_E_TRUNCATED, "cut off", true, true, ALL },
        { "h2", "/reset", AQ_E_TRUNCATED, "cut off", true, true, ALL },
        { "h2", "/goodbye", AQ_E_TRUNCATED, "cut off", true, false, ALL },
    };
    (void)state;
    run_all(faults, sizeof(faults) / sizeof(faults[0]));
}

static void no_answer_at_all_is_a_network_error(void **state)
{
    static const struct fault faults[] = {
        { "plain", "/close", AQ_E_NETWORK, "before an answer came", false, false, ALL },
        { "tls", "/close", AQ_E_NETWORK, "before an answer came", false, false, ALL },
        { "h2", "/reset-at-once", AQ_E_NETWORK, "reset", false, false, ALL },
    };
    (void)state;
    run_all(faults, sizeof(faults) / sizeof(faults[0]));
}

static void encoded_answers_are_refused(void **state)
{
    static const struct fault faults[] = {
        { "plain", "/gzip", AQ_E_PROTOCOL, "encoded", false, false, ALL },
        { "plain", "/gzip-transfer", AQ_E_PROTOCOL, "transfer encoding", false, false, NOT_H2 },
        { "plain", "/gzip-bomb", AQ_E_PROTOCOL, "encoded", false, false, ALL },
        { "h2", "/gzip", AQ_E_PROTOCOL, "encoded", false, false, ALL },
        { "h2", "/gzip-bomb", AQ_E_PROTOCOL, "encoded", false, false, ALL },
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
        { "plain", "/garbage", AQ_E_PROTOCOL, "HTTP", false, false, ALL },
        { "plain", "/switch", AQ_E_PROTOCOL, "status line", false, false, NOT_H2 },
        { "plain", "/switch", AQ_E_PROTOCOL, "broken HTTP/2", false, false, ONLY_H2 },
        { "h2", "/garbage", AQ_E_NETWORK, "before an answer came", false, false, NOT_H2 },
        { "h2", "/garbage", AQ_E_PROTOCOL, "broken HTTP/2", false, false, ONLY_H2 },
        { "h1-as-h2", "/ok", AQ_E_NETWORK, "", false, false, NOT_H2 },
        { "h2-as-h1", "/ok", AQ_E_PROTOCOL, "", false, false, NOT_H2 },
    };
    (void)state;
    run_all(faults, sizeof(faults) / sizeof(faults[0]));
}

static void a_status_line_that_is_not_one_is_an_error(void **state)
{
    static const struct fault faults[] = {
        { "plain", "/status-of-two-digits", AQ_E_PROTOCOL, "", false, false, ALL },
        { "plain", "/status-of-four-digits", AQ_E_PROTOCOL, "", false, false, ALL },
        { "plain", "/status-with-a-letter", AQ_E_PROTOCOL, "", false, false, ALL },
        { "plain", "/status-099", AQ_E_PROTOCOL, "", false, false, ALL },
        { "plain", "/status-600", AQ_E_PROTOCOL, "", false, false, ALL },
        { "plain", "/no-status", AQ_E_PROTOCOL, "", false, false, ALL },
        { "plain", "/two-status-lines", AQ_E_PROTOCOL, "", false, false, ALL },
    };
    (void)state;
    if (subject.http2_alone) {
        skip(); /* HTTP/1.1 in the raw */
    }
    run_all(faults, sizeof(faults) / sizeof(faults[0]));
}

static void headers_beyond_the_limit_end_the_call(void **state)
{
    static const struct fault faults[] = {
        { "plain", "/bomb", AQ_E_LIMIT, "header", false, false, ALL },
        { "plain", "/long-line", AQ_E_LIMIT, "header", false, false, NOT_H2 },
        { "plain", "/interim-bomb", AQ_E_LIMIT, "header", false, false, ALL },
        { "plain", "/trailer-bomb", AQ_E_LIMIT, "header", true, false, ALL },
        { "plain", "/fields-257", AQ_E_LIMIT, "too many fields", false, false, ALL },
        { "plain", "/fields-10000", AQ_E_LIMIT, "too", false, false, ALL },
        { "h2", "/bomb", AQ_E_LIMIT, "header", false, false, ALL },
    };
    (void)state;
    run_all(faults, sizeof(faults) / sizeof(faults[0]));
}

/* libcurl may count the bytes of a field before it hands it on, and a field of one byte never is.
 */
static void a_header_that_drips_in_for_ever_meets_the_first_byte_timeout(void **state)
{
    static const char *const paths[] = { "/drip-bytes", "/drip-fields" };
    const struct ask ask = { .first_byte_ms = 300 };
    struct client client;
    struct exchange e;
    (void)state;
    if (subject.http2_alone) {
        skip(); /* HTTP/1.1 in the raw */
    }
    for (size_t i = 0; i < 2; i++) {
        client_open(&client, NULL);
        exchange_run(&e, &client, server_url("plain", paths[i]), &ask);
        assert_failed(&e, AQ_E_TIMEOUT, "first byte timeout");
        assert_false(e.head);
        exchange_finish(&e);
        client_close(&client);
    }
}

/* Where the text is open, libcurl may be the first to notice. */
static void framing_that_can_be_read_in_two_ways_is_an_error(void **state)
{
    static const struct fault faults[] = {
        { "plain", "/length-then-chunks", AQ_E_PROTOCOL, "two lengths", false, false, ALL },
        { "plain", "/chunks-then-length", AQ_E_PROTOCOL, "two lengths", false, false, ALL },
        { "plain", "/two-lengths", AQ_E_PROTOCOL, "two lengths", false, false, ALL },
        { "plain", "/list-of-lengths", AQ_E_PROTOCOL, "", false, false, ALL },
        { "plain", "/negative-length", AQ_E_PROTOCOL, "", false, false, ALL },
        { "plain", "/signed-length", AQ_E_PROTOCOL, "", false, false, ALL },
        { "plain", "/hexadecimal-length", AQ_E_PROTOCOL, "", false, false, ALL },
        { "plain", "/no-length", AQ_E_PROTOCOL, "", false, false, ALL },
        { "plain", "/endless-length", AQ_E_PROTOCOL, "", false, false, ALL },
        { "plain", "/chunked-twice", AQ_E_PROTOCOL, "transfer encoding", false, false, ALL },
        { "plain", "/chunked-two-fields", AQ_E_PROTOCOL, "transfer encoding", false, false, ALL },
        { "plain", "/unknown-coding", AQ_E_PROTOCOL, "transfer encoding", false, false, ALL },
        { "plain", "/blank-before-colon", AQ_E_PROTOCOL, "", false, false, ALL },
        { "plain", "/no-name", AQ_E_PROTOCOL, "", false, false, ALL },
        { "plain", "/no-colon", AQ_E_PROTOCOL, "", false, false, ALL },
        { "plain", "/nul-in-value", AQ_E_PROTOCOL, "", false, false, ALL },
        { "plain", "/return-in-value", AQ_E_PROTOCOL, "", false, false, ALL },
    };
    (void)state;
    if (subject.http2_alone) {
        skip(); /* HTTP/1.1 in the raw */
    }
    run_all(faults, sizeof(faults) / sizeof(faults[0]));
}

static void a_chunk_size_that_overflows_is_an_error_and_allocates_nothing(void **state)
{
    static const struct fault faults[] = {
        { "plain", "/chunk-overflow", AQ_E_TRUNCATED, "cut off", true, false, ALL },
        { "plain", "/chunk-overflow-by-one", AQ_E_TRUNCATED, "cut off", true, false, ALL },
        { "plain", "/chunk-of-all-bits", AQ_E_TRUNCATED, "cut off", true, false, ALL },
        { "plain", "/negative-chunk", AQ_E_TRUNCATED, "cut off", true, false, ALL },
        { "plain", "/chunk-without-size", AQ_E_TRUNCATED, "cut off", true, false, ALL },
        { "plain", "/chunk-longer-than-said", AQ_E_TRUNCATED, "cut off", true, false, ALL },
    };
    (void)state;
    if (subject.http2_alone) {
        skip(); /* HTTP/1.1 in the raw */
    }
    run_all(faults, sizeof(faults) / sizeof(faults[0]));
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
    static const char *const listeners[] = { "plain", "tls", "h2", "h1-as-h2", "h2-as-h1", NULL };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_body_that_is_cut_off_is_truncated_and_never_an_end),
        cmocka_unit_test(no_answer_at_all_is_a_network_error),
        cmocka_unit_test(encoded_answers_are_refused),
        cmocka_unit_test(the_identity_encoding_is_no_encoding),
        cmocka_unit_test(answers_that_are_not_http_are_errors),
        cmocka_unit_test(a_status_line_that_is_not_one_is_an_error),
        cmocka_unit_test(headers_beyond_the_limit_end_the_call),
        cmocka_unit_test(a_header_that_drips_in_for_ever_meets_the_first_byte_timeout),
        cmocka_unit_test(framing_that_can_be_read_in_two_ways_is_an_error),
        cmocka_unit_test(a_chunk_size_that_overflows_is_an_error_and_allocates_nothing),
        cmocka_unit_test(a_response_may_have_256_fields),
        cmocka_unit_test(the_caller_can_lower_the_limit),
    };
    server_start(listeners);
    return cmocka_run_group_tests(tests, warm_up, server_stop);
}
