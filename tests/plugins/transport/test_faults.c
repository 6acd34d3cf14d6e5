/* SPDX-License-Identifier: Apache-2.0 */
/* Peers that break off, break the protocol, or send more than we hold. */
#include "cases.h"

#define LIBCURLS 0      /* lost before an answer, or broken HTTP/2: its versions differ */
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

static const struct fault a_body_that_is_cut_off_is_truncated_and_never_an_end[] = {
    { "plain", "/cut-length", AQ_E_TRUNCATED, "cut off", true, false, ALL },
    { "plain", "/cut-chunk", AQ_E_TRUNCATED, "cut off", true, false, NOT_H2 },
    { "plain", "/reset", AQ_E_TRUNCATED, "cut off", true, true, ALL },
    { "tls", "/cut-length", AQ_E_TRUNCATED, "cut off", true, false, ALL },
    { "tls", "/cut-chunk", AQ_E_TRUNCATED, "cut off", true, false, NOT_H2 },
    { "tls", "/reset", AQ_E_TRUNCATED, "cut off", true, true, ALL },
    { "h2", "/reset", AQ_E_TRUNCATED, "cut off", true, true, ALL },
    { "h2", "/goodbye", AQ_E_TRUNCATED, "cut off", true, false, ALL },
};

static const struct fault no_answer_at_all_is_a_network_error[] = {
    { "plain", "/close", AQ_E_NETWORK, "before an answer came", false, false, ALL },
    { "tls", "/close", AQ_E_NETWORK, "before an answer came", false, false, ALL },
    { "h2", "/reset-at-once", AQ_E_NETWORK, "reset", false, false, ALL },
};

static const struct fault encoded_answers_are_refused[] = {
    { "plain", "/gzip", AQ_E_PROTOCOL, "encoded", false, false, ALL },
    { "plain", "/gzip-transfer", AQ_E_PROTOCOL, "encod", false, false, NOT_H2 },
    { "plain", "/gzip-bomb", AQ_E_PROTOCOL, "encoded", false, false, ALL },
    { "h2", "/gzip", AQ_E_PROTOCOL, "encoded", false, false, ALL },
    { "h2", "/gzip-bomb", AQ_E_PROTOCOL, "encoded", false, false, ALL },
};

static const struct fault answers_that_are_not_http_are_errors[] = {
    { "plain", "/garbage", AQ_E_PROTOCOL, "HTTP", false, false, ALL },
    { "plain", "/switch", AQ_E_PROTOCOL, "status is malformed", false, false, NOT_H2 },
    { "plain", "/switch", AQ_E_PROTOCOL, "broken HTTP/2", false, false, ONLY_H2 },
    { "h2", "/garbage", LIBCURLS, "", false, false, NOT_H2 },
    { "h2", "/garbage", AQ_E_PROTOCOL, "broken HTTP/2", false, false, ONLY_H2 },
    { "h1-as-h2", "/ok", LIBCURLS, "", false, false, NOT_H2 },
    { "h2-as-h1", "/ok", AQ_E_PROTOCOL, "", false, false, NOT_H2 },
};

static const struct fault a_status_line_that_is_not_one_is_an_error[] = {
    { "plain", "/status-of-two-digits", AQ_E_PROTOCOL, "", false, false, NOT_H2 },
    { "plain", "/status-of-four-digits", AQ_E_PROTOCOL, "", false, false, NOT_H2 },
    { "plain", "/status-with-a-letter", AQ_E_PROTOCOL, "", false, false, NOT_H2 },
    { "plain", "/status-099", AQ_E_PROTOCOL, "", false, false, NOT_H2 },
    { "plain", "/status-600", AQ_E_PROTOCOL, "", false, false, NOT_H2 },
    { "plain", "/no-status", AQ_E_PROTOCOL, "", false, false, NOT_H2 },
    { "plain", "/two-status-lines", AQ_E_PROTOCOL, "", false, false, NOT_H2 },
};

static const struct fault headers_beyond_the_limit_end_the_call[] = {
    { "plain", "/bomb", AQ_E_LIMIT, "header", false, false, ALL },
    { "plain", "/long-line", AQ_E_LIMIT, "header", false, false, NOT_H2 },
    { "plain", "/interim-bomb", AQ_E_LIMIT, "header", false, false, ALL },
    { "plain", "/trailer-bomb", AQ_E_LIMIT, "header", true, false, ALL },
    { "plain", "/fields-257", AQ_E_LIMIT, "too many fields", false, false, ALL },
    { "plain", "/fields-10000", AQ_E_LIMIT, "too", false, false, ALL },
    { "h2", "/bomb", AQ_E_LIMIT, "header", false, false, ALL },
};

/* Where the text is open, libcurl may be the first to notice. */
static const struct fault framing_that_can_be_read_in_two_ways_is_an_error[] = {
    { "plain", "/length-then-chunks", AQ_E_PROTOCOL, "two lengths", false, false, NOT_H2 },
    { "plain", "/chunks-then-length", AQ_E_PROTOCOL, "two lengths", false, false, NOT_H2 },
    { "plain", "/two-lengths", AQ_E_PROTOCOL, "two lengths", false, false, NOT_H2 },
    { "plain", "/list-of-lengths", AQ_E_PROTOCOL, "", false, false, NOT_H2 },
    { "plain", "/negative-length", AQ_E_PROTOCOL, "", false, false, NOT_H2 },
    { "plain", "/signed-length", AQ_E_PROTOCOL, "", false, false, NOT_H2 },
    { "plain", "/hexadecimal-length", AQ_E_PROTOCOL, "", false, false, NOT_H2 },
    { "plain", "/no-length", AQ_E_PROTOCOL, "", false, false, NOT_H2 },
    { "plain", "/endless-length", AQ_E_PROTOCOL, "", false, false, NOT_H2 },
    { "plain", "/chunked-twice", AQ_E_PROTOCOL, "transfer encoding", false, false, NOT_H2 },
    { "plain", "/chunked-two-fields", AQ_E_PROTOCOL, "transfer encoding", false, false, NOT_H2 },
    { "plain", "/unknown-coding", AQ_E_PROTOCOL, "encod", false, false, NOT_H2 },
    { "plain", "/blank-before-colon", AQ_E_PROTOCOL, "", false, false, NOT_H2 },
    { "plain", "/no-name", AQ_E_PROTOCOL, "", false, false, NOT_H2 },
    { "plain", "/no-colon", AQ_E_PROTOCOL, "", false, false, NOT_H2 },
    { "plain", "/nul-in-value", AQ_E_PROTOCOL, "", false, false, NOT_H2 },
    { "plain", "/return-in-value", AQ_E_PROTOCOL, "", false, false, NOT_H2 },
};

static const struct fault a_chunk_size_that_overflows_is_an_error_and_allocates_nothing[] = {
    { "plain", "/chunk-overflow", AQ_E_TRUNCATED, "cut off", true, false, NOT_H2 },
    { "plain", "/chunk-overflow-by-one", AQ_E_TRUNCATED, "cut off", true, false, NOT_H2 },
    { "plain", "/chunk-of-all-bits", AQ_E_TRUNCATED, "cut off", true, false, NOT_H2 },
    { "plain", "/negative-chunk", AQ_E_TRUNCATED, "cut off", true, false, NOT_H2 },
    { "plain", "/chunk-without-size", AQ_E_TRUNCATED, "cut off", true, false, NOT_H2 },
    { "plain", "/chunk-longer-than-said", AQ_E_TRUNCATED, "cut off", true, false, NOT_H2 },
};

static bool concerns_us(const struct fault *fault)
{
    return fault->who == ALL || (fault->who == ONLY_H2) == subject.http2_alone;
}

static void ends_the_call(void **state)
{
    const struct fault *fault = *state;
    struct client client;
    struct exchange e;
    char path[64];
    const struct ask ask = { .method = "POST", .body = "secret", .body_len = 6 };
    snprintf(path, sizeof(path), "%s?secret", fault->path);
    memory_forget_peak();
    const long memory = memory_now_kib();
    client_open(&client, NULL);
    exchange_start(&e, &client, server_url(fault->listener, path), &ask);
    if (fault->go) {
        exchange_until_bytes(&e, strlen("only this"));
        server_number("go", "");
    }
    exchange_until_over(&e);
    const aq_status status = fault->status != LIBCURLS        ? fault->status
                             : e.error.status == AQ_E_NETWORK ? AQ_E_NETWORK
                                                              : AQ_E_PROTOCOL;
    assert_failed(&e, status, fault->text);
    assert_failed(&e, status,
                  status == AQ_E_PROTOCOL || status == AQ_E_LIMIT
                      ? "; check the endpoint and the proxy, or report it"
                      : ", try again");
    assert_int_equal(e.error.flags & AQ_ERROR_NOT_SENT, 0);
    assert_int_equal(e.head, fault->head);
    if (fault->head && e.body_len >= strlen("only this")) {
        assert_memory_equal(e.body, "only this", strlen("only this"));
    }
    exchange_finish(&e);
    client_close(&client);
    if (!AQ_TEST_SANITIZED) { /* a sanitizer keeps what was freed */
        assert_true(memory_peak_kib() - memory <= GROWTH_KIB);
    }
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

/* Each fault is a test of its own, named after its table. */
#define ADD_FAULTS(table) add_faults(#table, table, sizeof(table) / sizeof((table)[0]))
static void add_faults(const char *name, const struct fault *faults, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (concerns_us(&faults[i])) {
            cases_add(ends_the_call, &faults[i], "%s: %s %s", name, faults[i].listener,
                      faults[i].path + 1);
        }
    }
}

int main(void)
{
    static const char *const listeners[] = { "plain", "tls", "h2", "h1-as-h2", "h2-as-h1", NULL };
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_identity_encoding_is_no_encoding),
        cmocka_unit_test(a_header_that_drips_in_for_ever_meets_the_first_byte_timeout),
        cmocka_unit_test(a_response_may_have_256_fields),
        cmocka_unit_test(the_caller_can_lower_the_limit),
    };
    CASES_ADD_ALL(tests);
    ADD_FAULTS(a_body_that_is_cut_off_is_truncated_and_never_an_end);
    ADD_FAULTS(no_answer_at_all_is_a_network_error);
    ADD_FAULTS(encoded_answers_are_refused);
    ADD_FAULTS(answers_that_are_not_http_are_errors);
    ADD_FAULTS(a_status_line_that_is_not_one_is_an_error);
    ADD_FAULTS(headers_beyond_the_limit_end_the_call);
    ADD_FAULTS(framing_that_can_be_read_in_two_ways_is_an_error);
    ADD_FAULTS(a_chunk_size_that_overflows_is_an_error_and_allocates_nothing);
    server_start(listeners);
    return cases_run(warm_up, server_stop);
}
